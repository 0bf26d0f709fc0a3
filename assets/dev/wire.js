// Every frame between this page and the server, taken apart.
import { beside, make, openLine } from "./line.js";

const FRAMES_MAX = 500;
const PARTS = ["head", "own", "cells", "events", "notes"];
const by = (id) => document.getElementById(id);

/// Frames that are kept, oldest first; those that are shown have a line.
const frames = [];
/// Those that came while the page was paused, which stand back until it goes on.
const held = [];
let paused = false;
let chosen = null;
let line = null;
let sums = { up: [0, 0], down: [0, 0] };
let number = 0;

// ---- frames ----

/// A word for a message: the name of its variant, and of a request what is asked for.
function nameOf(told) {
  if (told.kind === "snapshot") return "snapshot";
  if (told.kind === "input") return "input";
  const name = typeof told.msg === "string" ? told.msg : (Object.keys(told.msg ?? {})[0] ?? told.kind);
  return name;
}

function isPing(frame) {
  return frame.name === "Ping" || frame.name === "Pong";
}

function summary({ told, name }) {
  if (told.kind === "snapshot") return `tick ${told.tick} · ${told.records} records in ${told.subscribed} cells`;
  const msg = told.msg?.[name] ?? told.msg;
  return typeof msg === "string" ? msg : JSON.stringify(msg);
}

function seen({ up, bytes, wire, told, at }) {
  const sum = sums[up ? "up" : "down"];
  sum[0] += 1;
  sum[1] += wire;
  const frame = { up, bytes, told, at, name: nameOf(told), number: (number += 1), row: null };
  const kept = paused ? held : frames;
  kept.push(frame);
  if (!up && told.msg?.Handshake) showHandshake(told.msg.Handshake);
  if (!paused) add(frame);
  while (kept.length > FRAMES_MAX) kept.shift().row?.remove();
}

function passes(frame) {
  const way = by("way").value;
  const kind = by("kind").value;
  if (way && frame.up !== (way === "up")) return false;
  return !kind || (kind === "quiet" ? !isPing(frame) : frame.told.kind === kind);
}

function add(frame) {
  if (!passes(frame)) return;
  const row = make("li");
  row.append(
    make("span", "time", `${(frame.at / 1000).toFixed(3)}`),
    make("span", frame.up ? "up" : "down", frame.up ? "↑" : "↓"),
    make("span", frame.up ? "up" : "down", frame.name),
    make("span", "bytes", String(frame.bytes.length)),
    make("span", "", summary(frame)),
  );
  if (frame.told.parts) row.lastChild.append(partsBar(frame.told.parts));
  row.id = `frame-${frame.number}`;
  row.role = "option";
  row.ariaSelected = frame === chosen;
  frame.row = row;
  const list = by("frames");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(row);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function refill() {
  by("frames").replaceChildren();
  for (const frame of frames) frame.row = null;
  frames.forEach(add);
  by("frames").scrollTop = by("frames").scrollHeight;
}

function partsBar(parts) {
  const bar = make("span", "parts");
  const all = PARTS.reduce((sum, part) => sum + parts[part], 0);
  for (const part of PARTS) {
    const piece = make("i", part);
    piece.style.width = `${(parts[part] / all) * 100}%`;
    bar.append(piece);
  }
  return bar;
}

// ---- one frame ----

function hex(bytes) {
  const lines = [];
  for (let from = 0; from < bytes.length; from += 16) {
    const part = [...bytes.slice(from, from + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = part.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${from.toString(16).padStart(4, "0")}  ${digits.padEnd(48)} ${text}`);
  }
  return lines.join("\n");
}

function choose(row) {
  if (chosen?.row) chosen.row.ariaSelected = false;
  chosen = frames.find((frame) => frame.row === row);
  row.ariaSelected = true;
  row.scrollIntoView({ block: "nearest" });
  by("frames").setAttribute("aria-activedescendant", row.id);
  const { told, bytes, up } = chosen;
  const parts = [make("h2", "", `${up ? "To" : "From"} the server: ${chosen.name}`)];
  if (told.parts) {
    const legend = make("div", "legend");
    for (const part of PARTS) {
      const entry = make("span");
      entry.append(make("i", part), `${part} ${told.parts[part]} bytes`);
      legend.append(entry);
    }
    parts.push(partsBar(told.parts), legend);
    const facts = make("dl");
    for (const fact of ["tick", "consumed", "missing", "dropped", "budget", "records", "subscribed"]) {
      facts.append(make("dt", "quiet", fact), make("dd", "", String(told[fact])));
    }
    parts.push(facts);
    if (told.said.length) parts.push(make("h3", "", "notes"), make("pre", "", told.said.map((note) => JSON.stringify(note, null, 1)).join("\n")));
  } else {
    parts.push(make("pre", "", JSON.stringify(told.msg, null, 2)));
  }
  parts.push(make("h3", "", `${bytes.length} bytes`), make("pre", "hex", hex(bytes)));
  by("detail").replaceChildren(...parts);
}

by("frames").addEventListener("click", (event) => {
  const row = event.target.closest("li");
  if (row) choose(row);
});

/// How many frames further a key goes.
const STEPS = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -FRAMES_MAX, End: FRAMES_MAX };
by("frames").addEventListener("keydown", (event) => {
  const rows = [...by("frames").children];
  if (!(event.key in STEPS) || !rows.length) return;
  event.preventDefault();
  // Where nothing is chosen, or what was is gone, it begins with the newest.
  const from = rows.indexOf(chosen?.row);
  const to = (from < 0 ? rows.length : from) + STEPS[event.key];
  choose(rows[Math.min(Math.max(to, 0), rows.length - 1)]);
});

// ---- the handshake ----

const KEYS = /^(upgrade|connection|sec-websocket-.*)$/;

function showHandshake({ request, asked, response, answered }) {
  for (const [where, start, headers] of [["asked", request, asked], ["answered", response, answered]]) {
    by(`${where}-line`).textContent = start;
    by(where).replaceChildren(...headers.map(([name, value]) => {
      const line = make("div", KEYS.test(name) ? "key" : "");
      line.style.display = "contents";
      line.append(make("dt", "", name), make("dd", "", value));
      return line;
    }));
  }
}

// ---- what can be done by hand ----

function say(text) {
  by("note").textContent = text;
}

function act(event, call) {
  event.preventDefault();
  say(line?.ready ? "" : "nothing was sent: there was no connection");
  if (!line?.ready) return;
  try {
    call();
    line.flush();
  } catch (wrong) {
    say(String(wrong));
  }
}

const topic = () => by("topic").value.trim();
by("topic-form").addEventListener("submit", (event) => act(event, () => line.wire.subscribe(topic(), true)));
by("unsubscribe").addEventListener("click", (event) => act(event, () => line.wire.subscribe(topic(), false)));
by("say-form").addEventListener("submit", (event) => act(event, () => {
  line.wire.say(topic(), by("words").value);
  by("words").value = "";
}));
by("seat-form").addEventListener("submit", (event) => act(event, () => line.wire.join(`watch:room:${by("room").value}`)));
by("join").addEventListener("click", (event) => act(event, () => line.wire.join(`room:${by("room").value}`)));
by("exit").addEventListener("click", (event) => act(event, () => line.wire.exit()));
by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").textContent = paused ? "Go on" : "Pause";
  by("pause").classList.toggle("on", paused);
  if (paused) return;
  frames.push(...held.splice(0));
  frames.splice(0, frames.length - FRAMES_MAX);
  refill();
});
by("clear").addEventListener("click", () => {
  frames.length = held.length = 0;
  refill();
});
for (const filter of ["way", "kind"]) by(filter).addEventListener("change", refill);

/// The topics of every server.
const TOPICS = [...by("topics").children];

async function lookForRooms() {
  const rooms = await (await fetch(beside("api/rooms"))).json();
  const list = by("room");
  const before = list.value;
  list.replaceChildren(...rooms.map((room) => {
    const option = make("option", "", `${room.name} (${room.players})`);
    option.value = room.id;
    option.selected = option.value === before;
    return option;
  }));
  const topics = rooms.flatMap((room) => ["chat", "feed", "match"].map((what) => make("option", "", `room/${room.id}/${what}`)));
  by("topics").replaceChildren(...TOPICS, ...topics);
}

const tryRooms = () => lookForRooms().catch(() => say("the server does not say which rooms there are"));
for (const list of ["room", "topic"]) {
  for (const what of ["focus", "pointerdown"]) by(list).addEventListener(what, tryRooms);
}

function ready() {
  line.wire.handshake();
  line.flush();
  tryRooms();
}

/// What the page believes, for tests.
window.broadside.state = () => ({
  phase: "wire",
  line: by("line").textContent,
  frames: frames.length,
  held: held.length,
  shown: by("frames").childElementCount,
  up: sums.up[0],
  down: sums.down[0],
  kinds: [...new Set(frames.map((frame) => frame.name))],
  handshake: by("answered-line").textContent,
  room: line?.wire?.room() ?? null,
  note: by("note").textContent,
});

line = await openLine({ name: "wire", where: by("line"), seen, ready, failed: say });
setInterval(() => {
  const [up, down] = [sums.up, sums.down];
  by("sums").textContent = `So far ${down[0]} frames and ${down[1].toLocaleString("en")} bytes came, ${up[0]} and ${up[1].toLocaleString("en")} went.`;
}, 500);
