// The panel of settings: built when it is first opened, from what can be set and what the game's keys do. Everything counts at once.
const { settings, say, words } = window.broadside;
const LANGUAGES = [["en", "English"], ["de", "Deutsch"], ["es", "Español"]];

// What each preset makes keys and buttons of the mouse stand for; the rest keeps its usual meaning.
const PRESETS = {
  usual: { keys: {}, swapped: false },
  // The left hand has the mouse.
  left: { keys: { KeyI: "KeyW", KeyK: "KeyS", KeyJ: "KeyA", KeyL: "KeyD", KeyU: "KeyE", KeyO: "KeyQ", KeyW: "", KeyS: "", KeyA: "", KeyD: "", KeyE: "", KeyQ: "" }, swapped: true },
  // The pointer aims, its buttons fire and fly.
  one: { keys: { Mouse2: "KeyW", Mouse1: "KeyE", Mouse3: "ShiftLeft", Mouse4: "KeyQ" }, swapped: false },
  // Keys turn, and no pointer is needed.
  keys: { keys: { KeyA: "TurnLeft", ArrowLeft: "TurnLeft", KeyD: "TurnRight", ArrowRight: "TurnRight", KeyZ: "KeyA", KeyC: "KeyD" }, swapped: false },
};
// Keys that the page or the browser keeps, and those that are never reported whole.
const RESERVED = /^(Escape|Enter|NumpadEnter|Tab|Meta|OS|ContextMenu|Control|Alt|F([1256789]|1[0-2])$)/;

const fill = (key, values) => say(key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

let dialog;
let status;
let layout;
// The action whose key is asked for, and the key that it replaces.
let asked = null;

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const nameOf = (code) => {
  if (code === "Space") return say("key.space");
  if (code === "Mouse0") return say("key.left-button");
  if (code === "Mouse2") return say("key.right-button");
  if (code === "Mouse1") return say("key.middle-button");
  if (/^Mouse/.test(code)) return fill("key.side-button", { number: code.slice(5) - 2 });
  const arrow = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" }[code];
  const letter = layout && layout.get(code);
  return arrow || (letter ? letter.toUpperCase() : code.replace(/^(Key|Digit)/, "").replace(/(Left|Right)$/, ""));
};

// ---- keys ----
const actions = () =>
  Array.from(document.querySelectorAll("#actions [data-do]"), (item) => ({
    id: item.dataset.do,
    usual: (item.dataset.keys ?? item.dataset.do).split(" ").filter(Boolean),
    text: item.textContent,
  }));

const ownKeys = () => {
  const { keys } = settings.values;
  return keys && typeof keys === "object" && !Array.isArray(keys) ? keys : {};
};

const keysOf = (action) => {
  const own = ownKeys();
  const added = Object.keys(own).filter((code) => own[code] === action.id && !action.usual.includes(code));
  return action.usual.filter((code) => !(code in own) || own[code] === action.id).concat(added);
};

const bind = (action, before, code) => {
  if (RESERVED.test(code)) {
    status.textContent = fill("set.keys.reserved", { key: nameOf(code) });
    return;
  }
  const other = actions().find((candidate) => candidate.id !== action.id && keysOf(candidate).includes(code));
  const keys = { ...ownKeys() };
  const assign = (key, meaning) => {
    const isUsual = actions().some(({ id, usual }) => id === meaning && usual.includes(key));
    if (isUsual) delete keys[key];
    else keys[key] = meaning;
  };
  if (before && before !== code) assign(before, "");
  assign(code, action.id);
  settings.set({ keys });
  status.textContent = other
    ? fill("set.keys.conflict", { key: nameOf(code), action: other.text, other: action.text })
    : fill("set.keys.set", { key: nameOf(code), action: action.text });
  for (const row of dialog.querySelectorAll(".key-row")) row.classList.toggle("conflict", Boolean(other) && row.dataset.id === other.id);
};

const keyRows = () => {
  const list = make("div", { id: "key-rows" });
  const show = () => {
    const focused = document.activeElement && document.activeElement.dataset.slot;
    const conflicts = Array.from(list.querySelectorAll(".conflict"), (row) => row.dataset.id);
    list.replaceChildren(
      ...actions().map((action) => {
        const keys = keysOf(action);
        const row = make("div", { className: "key-row" }, make("span", { textContent: action.text }));
        row.dataset.id = action.id;
        row.classList.toggle("conflict", conflicts.includes(action.id));
        if (!keys.length) row.append(make("em", { textContent: say("set.keys.none") }));
        for (const code of [...keys, ""]) {
          const button = make("button", { type: "button", textContent: code ? nameOf(code) : "+" });
          button.dataset.slot = `${action.id} ${code}`;
          button.setAttribute("aria-label", code ? fill("set.keys.change", { key: nameOf(code), action: action.text }) : fill("set.keys.add", { action: action.text }));
          button.addEventListener("click", () => {
            if (asked) return;
            // After this click, or it would be the answer.
            setTimeout(() => {
              asked = { action, before: code, button };
              button.classList.add("asked");
              button.textContent = status.textContent = say("set.keys.press");
            });
          });
          row.append(button);
        }
        return row;
      }),
    );
    const again = focused && list.querySelector(`[data-slot="${CSS.escape(focused)}"]`);
    if (again) again.focus();
  };
  show();
  return { list, show };
};

// ---- the help ----
// Its rows as the page has them: those of the game, then that of the gamepad, then those of the page.
const helpList = document.querySelector("#keys .with-mouse");
const usualHelp = Array.from(helpList?.children ?? []);
// With keys of one's own it has a row for each action that has keys, and of the usual ones those of what is no such action: the mouse, the
// gamepad, the keys that stay.
const ownHelp = () => {
  const bound = actions().filter((action) => keysOf(action).length);
  const rows = bound.flatMap((action) => {
    const names = new Set(keysOf(action).map(nameOf));
    const keys = Array.from(names, (name) => make("kbd", { className: name.length > 1 ? "wide" : "", textContent: name }));
    return [make("dt", {}, ...keys), make("dd", { textContent: action.text })];
  });
  const texts = actions().map(({ text }) => text);
  const gamepad = usualHelp.findIndex((row) => row.querySelector("[data-text='key.gamepad']"));
  const stays = (row, at) => row.tagName === "DT" && (at >= gamepad || row.querySelector("[data-text='key.mouse']")) && !texts.includes(usualHelp[at + 1].textContent);
  return rows.concat(usualHelp.flatMap((row, at) => (stays(row, at) ? [row, usualHelp[at + 1]] : [])));
};
// The hints below the title: each key that does something else now gives way to the first that does what it did.
const HINTS = { "key.left-button": "Mouse0", "key.right-button": "Mouse2" };
const hints = Array.from(document.querySelectorAll("#menu footer.with-mouse kbd"), (kbd) => ({ kbd, text: kbd.textContent, look: kbd.className }));
const showHints = () => {
  for (const { kbd, text, look } of hints) {
    const code = kbd.dataset.text ? HINTS[kbd.dataset.text] : `Key${text}`;
    const action = actions().find(({ usual }) => usual.includes(code));
    const keys = action ? keysOf(action) : [code];
    const stays = keys.includes(code);
    kbd.textContent = stays ? text : keys.length ? nameOf(keys[0]) : "–";
    kbd.className = stays ? look : kbd.textContent.length > 1 ? "wide" : "";
  }
};
const showHelp = () => {
  helpList?.replaceChildren(...(Object.keys(ownKeys()).length ? ownHelp() : usualHelp));
  showHints();
};

let rows;
const answer = (code) => {
  const { action, before, button } = asked;
  asked = null;
  button.classList.remove("asked");
  if (code) bind(action, before, code);
  else status.textContent = "";
  rows.show();
  // Another preset may fit now, or none.
  for (const group of dialog.querySelectorAll(".choice")) group.show();
};

// While a key is asked for, the next one is the answer and does nothing else. Nothing that is typed here steers the game.
const takeKey = (event) => {
  event.stopPropagation();
  if (!asked) return;
  event.preventDefault();
  if (event.type === "keydown" && !event.repeat) answer(event.code === "Escape" ? "" : event.code);
};
const takeButton = (event) => {
  if (!asked) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.type === "pointerdown") answer(event.pointerType === "mouse" ? `Mouse${event.button}` : "");
};

// ---- rows ----
let number = 0;
const row = (key, control) => {
  const label = make("span", { id: `set-${(number += 1)}`, textContent: say(`set.${key}`) });
  control.setAttribute("aria-labelledby", label.id);
  return make("div", { className: "set" }, label, control);
};

// Buttons of which one is pressed. They can be used with keys, fingers and a gamepad alike.
const choice = (key, choices, current, choose) => {
  const group = make("div", { className: "choice" });
  group.setAttribute("role", "group");
  const show = () => group.childNodes.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.value === String(current()))));
  for (const [value, text] of choices) {
    const button = make("button", { type: "button", textContent: text });
    button.dataset.value = value;
    button.addEventListener("click", () => {
      choose(value);
      show();
    });
    group.append(button);
  }
  show();
  group.show = show;
  return row(key, group);
};
const stored = (key, values, textOf, usual = values[0]) =>
  choice(key, values.map((value) => [value, textOf(value)]), () => (values.includes(settings.values[key]) ? settings.values[key] : usual), (value) => settings.set({ [key]: value }));
const isOn = (key, usual = false) => stored(key, [false, true], (value) => say(value ? "set.on" : "set.off"), usual);

const volume = (key, usual) => {
  const current = settings.values[key];
  const slider = make("input", { type: "range", min: 0, max: 100, step: 5, value: typeof current === "number" ? current : usual });
  const change = () => settings.set({ [key]: Number(slider.value) });
  slider.addEventListener("input", change);
  // A gamepad presses it: one step more, and after the loudest comes silence.
  slider.addEventListener("click", (event) => {
    if (event.detail > 0) return;
    slider.value = slider.value >= 100 ? 0 : Number(slider.value) + 10;
    change();
  });
  return row(key, slider);
};

const chooseLanguage = (language) => {
  settings.set({ language: language || undefined });
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  history.replaceState(null, "", address);
  location.reload();
};

const isPreset = (name) => {
  const text = (keys) => JSON.stringify(Object.entries(keys).sort());
  return text(ownKeys()) === text(PRESETS[name].keys) && Boolean(settings.values.swapped) === PRESETS[name].swapped;
};

const section = (key, ...children) => make("section", {}, make("h3", { textContent: say(`set.${key}`) }), ...children);

const controls = () => {
  const turns = actions().some(({ id }) => id === "TurnLeft");
  const names = Object.keys(PRESETS).filter((name) => turns || !["one", "keys"].includes(name));
  rows = keyRows();
  const current = () => names.find(isPreset);
  const presets = choice("preset", names.map((name) => [name, say(`set.preset.${name}`)]), current, (name) => {
    settings.set(PRESETS[name]);
    status.textContent = "";
    build();
  });
  const places = make("button", { type: "button", textContent: say("set.places.move") });
  places.addEventListener("click", async () => {
    const { move } = await import("./places.js");
    dialog.close();
    move();
  });
  const movable = document.querySelector("#sticks") ? [row("places", places)] : [];
  return section("controls", presets, make("p", { textContent: say("set.keys.how") }), rows.list, status, isOn("swapped"), ...movable);
};

// What the game lets its players choose, if anything: buttons of the page, or its texts, such as `paint.coral`, name the choices.
const chosen = (kind) => {
  const buttons = document.querySelectorAll(`#card [data-set=${kind}] button`);
  const texts = Object.keys(words).filter((key) => key.startsWith(`${kind}.`)).map((key) => key.slice(kind.length + 1));
  const names = buttons.length ? Array.from(buttons, (button) => button.value) : ["usual", ...texts.filter((name) => name !== "usual")];
  return names.length > 1 ? [stored(kind, names, (name) => say(`${kind}.${name}`))] : [];
};

const network = () => {
  const lab = make("button", { type: "button", textContent: say("lab") });
  lab.addEventListener("click", () => {
    dialog.close();
    document.getElementById("open-lab").click();
  });
  const isPlaying = document.body.classList.contains("play");
  return section("network", isOn("graph"), ...(isPlaying ? [lab] : []));
};

const build = () => {
  const at = dialog.scrollTop;
  const focused = document.activeElement && dialog.contains(document.activeElement) ? document.activeElement.textContent : "";
  const done = make("button", { type: "button", className: "primary", textContent: say("set.done") });
  done.addEventListener("click", () => dialog.close());
  const reset = make("button", { type: "button", textContent: say("set.reset") });
  reset.addEventListener("click", () => {
    const { language } = settings.values;
    settings.reset();
    if (language) location.reload();
    else build();
  });
  dialog.replaceChildren(
    make("h2", { id: "settings-title", textContent: say("settings") }),
    section("video", stored("effects", ["auto", "full", "medium", "low", "simple"], (value) => say(`effects.${value}`)), stored("cap", [0, 120, 60, 30], (value) => (value ? String(value) : say("set.cap.0"))), ...["craft", "paint", "trail"].flatMap(chosen)),
    section("sound", volume("volume", 70), volume("effectsVolume", 100), volume("musicVolume", 100), volume("voiceVolume", 100), isOn("muted"), isOn("score", true)),
    controls(),
    network(),
    section("language", choice("language", [["", say("set.language.auto")], ...LANGUAGES], () => settings.values.language ?? "", chooseLanguage)),
    section(
      "access",
      stored("motion", ["system", "reduced", "full"], (value) => say(`set.motion.${value}`)),
      stored("contrast", ["system", "high"], (value) => say(`set.contrast.${value}`)),
      stored("palette", ["usual", "safe"], (value) => say(`set.palette.${value}`)),
      stored("text", [100, 115, 130, 150], (value) => `${value} %`),
    ),
    make("footer", {}, reset, done),
  );
  dialog.scrollTop = at;
  const again = focused && Array.from(dialog.querySelectorAll("button")).find((button) => button.textContent === focused);
  if (again) again.focus();
};

const prepare = async () => {
  const sheet = make("link", { rel: "stylesheet", href: new URL("panel.css", import.meta.url).href });
  const loaded = new Promise((done) => (sheet.onload = sheet.onerror = done));
  document.head.append(sheet);
  await loaded;
  status = make("p", { id: "key-status" });
  status.setAttribute("role", "status");
  dialog = make("dialog", { id: "settings" });
  dialog.setAttribute("aria-labelledby", "settings-title");
  for (const kind of ["keydown", "keyup"]) dialog.addEventListener(kind, takeKey);
  for (const kind of ["pointerdown", "click", "contextmenu"]) dialog.addEventListener(kind, takeButton, true);
  dialog.addEventListener("cancel", (event) => {
    if (asked) event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    asked = null;
    status.textContent = "";
  });
  document.body.append(dialog);
};

let preparing;
export const open = async () => {
  await (preparing ??= prepare());
  if (dialog.open) return;
  build();
  dialog.showModal();
  dialog.scrollTop = 0;
};

if (!words) throw new Error("settings.js has not run");
layout = await navigator.keyboard?.getLayoutMap?.().catch(() => null);
showHelp();
addEventListener("broadside-settings", showHelp);
