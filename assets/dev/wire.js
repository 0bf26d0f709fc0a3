// Every frame between this page and the server, decoded.
import { beside, make, openLink, textOf } from "./link.js";

const FRAMES_MAX = 500;
const PARTS = ["head", "player_state", "cells", "events", "updates"];
const by = (id) => document.getElementById(id);

/// Frames that are kept, oldest first; those that are shown have a link.
const frames = [];
/// Frames that arrived while the page was paused; added to the list when it resumes.
const held = [];
let paused = false;
let chosen = null;
let link = null;
let sums = { up: [0, 0], down: [0, 0] };
let number = 0;

// ---- frames ----

/// The name of a message: its variant.
function nameOf(decoded) {
  return decoded.message?.kind ?? decoded.kind;
}

function isPing(frame) {
  return frame.name === "ping" || frame.name === "pong";
}

function summary({ decoded }) {
  if (decoded.kind === "snapshot") return `tick ${decoded.head.tick} · ${decoded.records} records in ${decoded.subscribed} cells`;
  const { kind, ...fields } = decoded.message ?? decoded;
  return textOf(fields);
}

function seen({ up, bytes, wire, decoded, at }) {
  const sum = sums[up ? "up" : "down"];
  sum[0] += 1;
  sum[1] += wire;
  const frame = { up, bytes, decoded, at, name: nameOf(decoded), number: (number += 1), row: null };
  const kept = paused ? held : frames;
  kept.push(frame);
  if (decoded.message?.kind === "handshake") showHandshake(decoded.message);
  if (!paused) add(frame);
  while (kept.length > FRAMES_MAX) kept.shift().row?.remove();
}

function passes(frame) {
  const way = by("way").value;
  const kind = by("kind").value;
  if (way && frame.up !== (way === "up")) return false;
  return !kind || (kind === "quiet" ? !isPing(frame) : frame.decoded.kind === kind);
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
  if (frame.decoded.parts) row.lastChild.append(partsBar(frame.decoded.parts));
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
  const { decoded, bytes, up } = chosen;
  const parts = [make("h2", "", `${up ? "To" : "From"} the server: ${chosen.name}`)];
  if (decoded.parts) {
    const legend = make("div", "legend");
    for (const part of PARTS) {
      const entry = make("span");
      entry.append(make("i", part), `${part} ${decoded.parts[part]} bytes`);
      legend.append(entry);
    }
    parts.push(partsBar(decoded.parts), legend);
    const facts = make("dl");
    const { head, records, subscribed } = decoded;
    for (const [fact, value] of Object.entries({ ...head, records, subscribed })) {
      facts.append(make("dt", "quiet", fact), make("dd", "", String(value)));
    }
    parts.push(facts);
    for (const [name, values] of [["player state", [decoded.playerState]], ["events", decoded.events], ["room updates", decoded.updates]]) {
      const texts = values.filter((value) => value !== null).map((value) => textOf(value, 1));
      if (texts.length) parts.push(make("h3", "", name), make("pre", "", texts.join("\n")));
    }
  } else {
    parts.push(make("pre", "", textOf(decoded.message ?? decoded, 2)));
  }
  parts.push(make("h3", "", `${bytes.length} bytes`), make("pre", "hex", hex(bytes)));
  by("detail").replaceChildren(...parts);
}

by("frames").addEventListener("click", (event) => {
  const row = event.target.closest("li");
  if (row) choose(row);
});

/// Number of frames that a key moves the selection by.
const STEPS = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -FRAMES_MAX, End: FRAMES_MAX };
by("frames").addEventListener("keydown", (event) => {
  const rows = [...by("frames").children];
  if (!(event.key in STEPS) || !rows.length) return;
  event.preventDefault();
  // Without a selection, or when the selected frame is gone, start with the newest.
  const from = rows.indexOf(chosen?.row);
  const to = (from < 0 ? rows.length : from) + STEPS[event.key];
  choose(rows[Math.min(Math.max(to, 0), rows.length - 1)]);
});

// ---- the handshake ----

const KEYS = /^(upgrade|connection|sec-websocket-.*)$/;

function showHandshake({ request, asked, response, answered }) {
  for (const [where, start, headers] of [["asked", request, asked], ["answered", response, answered]]) {
    by(`${where}-line`).textContent = start;
    by(where).replaceChildren(...headers.map(({ name, value }) => {
      const row = make("div", KEYS.test(name) ? "key" : "");
      row.style.display = "contents";
      row.append(make("dt", "", name), make("dd", "", value));
      return row;
    }));
  }
}

// ---- requests by hand ----

function say(text) {
  by("note").textContent = text;
}

function act(event, call) {
  event.preventDefault();
  say(link?.ready ? "" : "nothing was sent: the page is not connected");
  if (!link?.ready) return;
  try {
    call();
  } catch (wrong) {
    say(String(wrong));
  }
}

const topic = () => by("topic").value.trim();
by("topic-form").addEventListener("submit", (event) => act(event, () => link.request({ kind: "subscribe", topic: topic() })));
by("unsubscribe").addEventListener("click", (event) => act(event, () => link.request({ kind: "unsubscribe", topic: topic() })));
by("say-form").addEventListener("submit", (event) => act(event, () => {
  link.request({ kind: "say", topic: topic(), text: by("words").value });
  by("words").value = "";
}));
const join = (role) => link.join({ kind: "room", room: Number(by("room").value) }, role);
by("seat-form").addEventListener("submit", (event) => act(event, () => join("spectate")));
by("join").addEventListener("click", (event) => act(event, () => join("play")));
by("exit").addEventListener("click", (event) => act(event, () => link.client.exit()));
by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").textContent = paused ? "Resume" : "Pause";
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

async function fetchRooms() {
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

const refreshRooms = () => fetchRooms().catch(() => say("the list of rooms could not be loaded"));
for (const list of ["room", "topic"]) {
  for (const what of ["focus", "pointerdown"]) by(list).addEventListener(what, refreshRooms);
}

function ready() {
  link.request({ kind: "handshake" });
  refreshRooms();
}

/// The page's state, for tests.
window.broadside.state = () => ({
  phase: "wire",
  link: by("status").textContent,
  frames: frames.length,
  held: held.length,
  shown: by("frames").childElementCount,
  up: sums.up[0],
  down: sums.down[0],
  kinds: [...new Set(frames.map((frame) => frame.name))],
  handshake: by("answered-line").textContent,
  room: link?.client?.joined?.room ?? null,
  note: by("note").textContent,
});

link = await openLink({ name: "wire", where: by("status"), seen, ready, failed: say });
setInterval(() => {
  const [up, down] = [sums.up, sums.down];
  by("sums").textContent = `Received so far: ${down[0]} frames, ${down[1].toLocaleString("en")} bytes. Sent: ${up[0]} frames, ${up[1].toLocaleString("en")} bytes.`;
}, 500);
