// What this person has set, and the texts of the page in their language. Runs once the page is parsed, before the game's program: chooses
// the language, fetches its table, puts its texts where elements name them, and lets the style sheets know about motion, contrast and size.
(() => {
  "use strict";
  // Languages with a table; "xr" is made of English, to try a layout from right to left.
  const LANGUAGES = ["en", "de", "es"];
  const PSEUDO = "xr";
  const KEY = "broadside.settings";
  const VERSION = 1;
  const page = window.broadside;
  if (!page) return;
  // Some pages name their own.
  const { src, dataset } = document.currentScript;
  const tables = new URL(dataset.tables || "languages/", src);

  const old = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };

  // The stored settings; whatever else is stored there counts as none.
  const read = () => {
    try {
      const stored = JSON.parse(localStorage.getItem(KEY));
      if (stored && typeof stored === "object" && stored.version === VERSION) return stored;
    } catch {
      // Private windows have no storage, and any text may be in it.
    }
    // As kept by earlier versions of the page.
    const [volume, muted, effects] = ["volume", "muted", "effects"].map((name) => old(`broadside.${name}`));
    return { version: VERSION, ...(volume && { volume: Number(volume) }), ...(muted && { muted: muted === "1" }), ...(effects && { effects }) };
  };

  let settings = read();
  const one = (name, choices) => (choices.includes(settings[name]) ? settings[name] : choices[0]);

  // Where the player has put the touch controls: shares of the window, by the names of elements. A stick under a thumb is where that is.
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const place = () => {
    const isPlace = ([id, at]) => /^[a-z-]+$/.test(id) && Array.isArray(at) && at.every((share) => share >= 0 && share <= 1);
    const rules = Object.entries(settings.places || {}).filter(isPlace).map(([id, [x, y]]) => `#sticks #${id}:not(.on) { inset: ${y * 100}% auto auto ${x * 100}%; margin: 0; translate: -50% -50%; }`);
    sheet.replaceSync(rules.join(" "));
  };

  // What style sheets see of the settings.
  const show = () => {
    const { dataset, style } = document.documentElement;
    dataset.motion = one("motion", ["system", "reduced", "full"]);
    dataset.contrast = one("contrast", ["system", "high"]);
    dataset.palette = one("palette", ["usual", "safe"]);
    const text = one("text", [100, 115, 130, 150]);
    document.documentElement.toggleAttribute("data-large", text > 100);
    style.setProperty("--text", text / 100);
    place();
    // Groups of buttons anywhere in the page that set something: `data-set` names it, and the first is the usual choice.
    for (const group of document.querySelectorAll("[data-set]")) {
      const buttons = Array.from(group.children);
      const pressed = buttons.find((button) => button.value === settings[group.dataset.set]) || buttons[0];
      for (const button of buttons) button.setAttribute("aria-pressed", String(button === pressed));
    }
  };

  // Only the panel has names for keys of one's own, which the help shows.
  const help = () => settings.keys && document.querySelector("#keys") && import(panel).catch(() => {});

  const changed = () => {
    show();
    page.language.then(help);
    dispatchEvent(new Event("broadside-settings"));
  };

  page.settings = {
    get values() {
      return settings;
    },
    // Changes some; undefined removes one.
    set: (changes) => {
      settings = { ...read(), ...settings, ...changes };
      try {
        localStorage.setItem(KEY, JSON.stringify(settings));
      } catch {
        // They last as long as the page.
      }
      changed();
    },
    reset: () => {
      settings = { version: VERSION };
      try {
        localStorage.setItem(KEY, JSON.stringify(settings));
      } catch {
        // As above.
      }
      changed();
    },
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-set] > button");
    if (button) page.settings.set({ [button.parentElement.dataset.set]: button.value });
  });
  // In the game they have numbers: a player whose hands are on the keys has no pointer to spare.
  document.addEventListener("keydown", ({ code, target }) => {
    if (!/^Digit[1-9]$/.test(code) || target.matches("input") || !document.body.classList.contains("play")) return;
    const group = Array.from(document.querySelectorAll("[data-set]")).find((candidate) => candidate.checkVisibility());
    const button = group && group.children[code.slice(5) - 1];
    if (button) button.click();
  });

  // Loaded when it is first opened.
  const panel = new URL("settings/panel.js", src);
  document.addEventListener("click", async (event) => {
    const opener = event.target.closest && event.target.closest("[data-act=settings]");
    if (!opener) return;
    try {
      (await import(panel)).open();
    } catch (wrong) {
      console.error(`the settings could not be opened: ${wrong}`);
    }
  });

  // A panel over the game keeps the keyboard: after its last control comes its first.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || document.querySelector("dialog[open]")) return;
    const open = Array.from(document.querySelectorAll(".panel:not([hidden])")).pop();
    if (!open) return;
    const controls = Array.from(open.querySelectorAll("button, input, a[href]")).filter((control) => !control.disabled && control.checkVisibility());
    const [first, last] = [controls[0], controls[controls.length - 1]];
    const outside = !open.contains(document.activeElement);
    if (!first || !(outside || document.activeElement === (event.shiftKey ? first : last))) return;
    event.preventDefault();
    (event.shiftKey ? last : first).focus();
  });

  // The language of the address, of the settings, or the first of the browser's that has a table.
  const choose = () => {
    const asked = new URLSearchParams(location.search).get("lang");
    if (asked === PSEUDO) return PSEUDO;
    const wanted = [asked, settings.language, ...(navigator.languages || [])];
    const known = wanted.map((tag) => String(tag || "").toLowerCase().split("-")[0]);
    return known.find((tag) => LANGUAGES.includes(tag)) || LANGUAGES[0];
  };

  // Brackets show where a text ends; the mark inside turns Latin letters around. Places of values stay.
  const pseudo = (text) => `[${text.split(/(\{[^}]*\})/).map((part) => (part.startsWith("{") || !part ? part : `\u202e${part}\u202c`)).join("")}]`;

  const language = choose();
  const root = document.documentElement;
  root.lang = language === PSEUDO ? "en" : language;
  root.dir = language === PSEUDO ? "rtl" : "ltr";
  const rules = new Intl.PluralRules(root.lang);
  const formats = [0, 1, 2].map((digits) => new Intl.NumberFormat(root.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: digits === 0 }));
  page.plural = (count) => rules.select(count);
  page.number = (value, digits) => formats[Math.min(digits, 2)].format(value);
  page.lang = language;

  const say = (key) => page.words[key] ?? key;
  // Puts the texts where elements below `place` name them.
  const word = (place) => {
    for (const element of place.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
    for (const [name, attribute] of [["label", "aria-label"], ["title", "title"], ["place", "placeholder"]]) {
      for (const element of place.querySelectorAll(`[data-${name}]`)) element.setAttribute(attribute, say(element.dataset[name]));
    }
  };
  page.words = {};
  page.say = say;
  page.word = word;

  const load = async () => {
    const answer = await fetch(`${tables}${root.lang}.json`);
    if (!answer.ok) throw new Error(`${answer.url}: the server answered ${answer.status}`);
    const words = await answer.json();
    page.words = language === PSEUDO ? Object.fromEntries(Object.entries(words).map(([key, text]) => [key, pseudo(text)])) : words;
    // The page comes in English.
    if (language !== LANGUAGES[0]) word(document);
  };
  show();
  // Whoever keeps a name has their settings in every browser.
  if (old("broadside.kept")) import(new URL("settings/account.js", src)).catch(() => {});
  // The program waits for this; without a table it says keys, and the page's own texts stay English.
  page.language = load().catch((wrong) => console.error(`no texts: ${wrong}`));
  page.language.then(help);
})();
