// The same scores twice: asked for over HTTP, and pushed over a WebSocket.
import { beside, make, openLine } from "./line.js";

const SECONDS = 60;
const LEADERS = 5;
/// How long an answer over HTTP is waited for.
const ANSWER_MS = 10000;
const by = (selector, within = document) => within.querySelector(selector);

/// One of the two views: its figures, and where they are shown.
class Side {
  constructor(id, askedWhat) {
    this.root = by(`#${id}`);
    this.root.append(by("#gauges").content.cloneNode(true));
    by(".asked-what", this.root).textContent = askedWhat;
    Object.assign(this, { asked: 0, bytes: 0, opened: 0, at: null, late: null, past: [], rows: new Map() });
    this.tint = getComputedStyle(this.root).getPropertyValue("--tint");
  }

  /// Milliseconds for which there has been a newer value than the one that is shown; 0 while there is none.
  behind() {
    if (this.at === null) return 0;
    const newer = changes.find((at) => at > this.at);
    return newer === undefined ? 0 : Math.max(0, ageOf(newer) ?? 0);
  }

  /// Takes the leaderboard as it was at a moment of the server's clock.
  leaders(leaders, at) {
    if (at > (this.at ?? -1)) {
      // What was there before this page was is no news.
      if (this.at !== null) {
        this.late = Math.max(0, ageOf(at) ?? 0);
        this.past.push([performance.now(), this.late, this.bytes]);
      }
      this.at = at;
      if (!changes.includes(at)) changes.push(at);
      changes.sort((a, b) => a - b);
      while (changes.length > 100) changes.shift();
    }
    this.list(".leaders", leaders.slice(0, LEADERS).map(({ name, score }) => [name, score]));
  }

  match(match) {
    const sides = match?.sides ?? [];
    const rows = sides.map((side) => [side.name, `${side.score} of ${side.goal}`]);
    if (match) rows.push([match.stage, match.rounds ? `round ${match.round} of ${match.rounds}` : ""]);
    if (!sides.length) rows.unshift(["everyone for themselves", ""]);
    this.list(".match", rows);
  }

  list(where, rows) {
    const list = by(where, this.root);
    const before = this.rows.get(where) ?? [];
    list.replaceChildren(...rows.map(([name, value], place) => {
      const known = before[place];
      const line = make("li", known && (known[0] !== name || known[1] !== value) ? "new" : "");
      line.append(make("b", "", name), make("span", "", String(value)));
      return line;
    }));
    this.rows.set(where, rows);
  }

  /// Shows the figures, and takes them into the charts.
  show(now) {
    const behind = this.behind();
    by(".age b", this.root).textContent = this.late === null ? "–" : time(this.late);
    by(".bar i", this.root).style.transform = `scaleX(${Math.min(1, Math.max(behind, this.late ?? 0) / scale.age)})`;
    const since = this.at === null ? null : ageOf(this.at);
    by(".since", this.root).textContent = since === null ? "" : `it changed ${time(since)} ago`;
    by(".asked", this.root).textContent = this.asked.toLocaleString("en");
    by(".bytes", this.root).textContent = this.bytes.toLocaleString("en");
    by(".opened", this.root).textContent = this.opened;
    if (this.at !== null) this.past.push([now, behind, this.bytes]);
    while (this.past.length && now - this.past[0][0] > SECONDS * 1000) this.past.shift();
  }

  chart(where, index, now) {
    const canvas = by(where, this.root);
    const pen = canvas.getContext("2d");
    const { width, height } = canvas;
    const top = index === 1 ? scale.age : scale.bytes;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = "#6d86a4";
    pen.font = "12px system-ui, sans-serif";
    pen.fillText(index === 1 ? `${(top / 1000).toFixed(1)} s` : `${Math.ceil(top / 1000).toLocaleString("en")} kB`, 6, 15);
    pen.beginPath();
    for (const point of this.past) {
      pen.lineTo(width * (1 - (now - point[0]) / (SECONDS * 1000)), height - 2 - (height - 22) * Math.min(1, point[index] / top));
    }
    pen.strokeStyle = this.tint;
    pen.lineWidth = 2;
    pen.stroke();
  }
}

const scale = { age: 1000, bytes: 1000 };
/// When the value changed lately, by the server's clock: whichever view heard of it first.
let changes = [];
const ageOf = (at) => line?.wire?.age_ms(at) ?? null;
const time = (ms) => (ms < 995 ? `${Math.max(0, ms).toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`);
const poll = new Side("poll", "requests made");
const push = new Side("push", "messages, both ways");
let line = null;
let room = null;
/// Whether the room has a match, so that no other one need be looked for.
let settled = false;
/// Bytes of a GET's head beyond its path: what this browser says of itself with every request, as the server saw it with the handshake.
/// Until then, a guess.
let headBytes = 450;
/// Heads that were counted.
let heads = 0;

// ---- polling ----

const every = by("#every");
const interval = () => Math.round(100 * 100 ** (every.value / 100));

/// Asks for a path, and counts what that costs. Throws the answer if it is no good one.
async function ask(path) {
  const url = beside(path);
  poll.asked += 1;
  // The server's answers say themselves that they must not be kept; to ask for that would cost two more headers.
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
  const text = await answer.text();
  heads += 1;
  let bytes = headBytes + url.pathname.length + `HTTP/1.1 ${answer.status} ${answer.statusText}\r\n\r\n`.length;
  for (const [name, value] of answer.headers) bytes += name.length + value.length + 4;
  const timing = performance.getEntriesByName(url.href).at(-1);
  bytes += timing?.encodedBodySize || new TextEncoder().encode(text).length;
  if (!poll.opened || (timing && timing.connectEnd > timing.connectStart)) poll.opened += 1;
  performance.clearResourceTimings();
  poll.bytes += bytes;
  if (!answer.ok) throw answer;
  return JSON.parse(text);
}

let asking = false;
async function pollOnce() {
  if (asking) return;
  asking = true;
  try {
    const board = await ask("api/leaderboard");
    poll.leaders(board.leaders, board.at_us);
    const [asked, answer] = [room, room !== null && (await ask(`api/rooms/${room}`))];
    if (answer && asked === room) {
      poll.match(answer.match);
      // A match that everyone left: there may be another to look at.
      settled = Boolean(answer.match);
    }
    by("#every-text").textContent = time(interval());
  } catch (wrong) {
    if (wrong.status === 404) {
      leaveRoom();
      lookForRoom();
    } else {
      by("#every-text").textContent = wrong.status ? `answered ${wrong.status}` : "no answer";
    }
  }
  asking = false;
}

let timer = 0;
function restart() {
  by("#every-text").textContent = time(interval());
  clearInterval(timer);
  timer = setInterval(() => document.hidden || pollOnce(), interval());
}
every.addEventListener("input", restart);
by("#ask").addEventListener("click", pollOnce);

// ---- push ----

/// The room to look at: one with a score, if there is one.
async function chooseRoom() {
  const rooms = await (await fetch(beside("api/rooms"), { signal: AbortSignal.timeout(ANSWER_MS) })).json();
  const best = rooms.find((r) => r.match?.sides?.length) ?? rooms[0];
  if (best && best.id !== room) {
    leaveRoom();
    room = best.id;
    showRoom(`match of ${best.name}`);
    if (!best.match) push.match(null);
    hearRoom(true);
  }
  settled = Boolean(best?.match);
}

const lookForRoom = () => settled || document.hidden || chooseRoom().catch(() => {});

/// The room has ended, or there is a better one.
function leaveRoom() {
  hearRoom(false);
  [room, settled] = [null, false];
  showRoom("the match");
}

function showRoom(name) {
  for (const title of document.querySelectorAll(".match-name")) title.textContent = name;
  for (const side of [poll, push]) side.list(".match", []);
}

/// Subscribes to the match of the chosen room, or wants to hear no more of it.
function hearRoom(on) {
  if (room === null || !line?.ready) return;
  line.wire.subscribe(`room/${room}/match`, on);
  line.flush();
}

function heard({ up, wire, told }) {
  push.asked += 1;
  push.bytes += wire;
  const { Published, Handshake } = (!up && told.msg) || {};
  if (Handshake) handshake(Handshake);
  if (!Published) return;
  if (Published.item.Leaders) {
    push.leaders(Published.item.Leaders, Published.at);
  }
  if (Published.item.Match && Published.topic === `room/${room}/match`) push.match(Published.item.Match);
}

function handshake({ request, asked, response, answered }) {
  const sum = (list) => list.reduce((bytes, [name, value]) => bytes + name.length + value.length + 4, 2);
  push.bytes += request.length + 2 + sum(asked) + response.length + 2 + sum(answered);
  const everywhere = /^(host|user-agent|accept-encoding|accept-language|cookie)$/;
  // What comes with a `fetch` and not with a handshake; browsers with client hints tell scripts the same of themselves.
  let own = `GET  HTTP/1.1\r\nConnection: keep-alive\r\nAccept: */*\r\nReferer: ${location.href.split("#")[0]}\r\n`;
  own += "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
  const hints = navigator.userAgentData;
  if (hints) {
    const brands = hints.brands.map(({ brand, version }) => `"${brand}";v="${version}"`).join(", ");
    own += `sec-ch-ua-platform: "${hints.platform}"\r\nsec-ch-ua: ${brands}\r\nsec-ch-ua-mobile: ?${Number(hints.mobile)}\r\n`;
  }
  const told = own.length + sum(asked.filter(([name]) => everywhere.test(name)));
  poll.bytes += heads * (told - headBytes);
  headBytes = told;
}

/// A connection was welcomed, perhaps by a server that was started again and whose clock is another one.
function ready() {
  changes = [];
  poll.at = push.at = null;
  line.wire.handshake();
  line.wire.subscribe("leaderboard", true);
  line.flush();
  hearRoom(true);
}

// ---- both ----

function show() {
  const now = performance.now();
  push.opened = line.opened;
  const seen = [...poll.past, ...push.past];
  scale.age = Math.max(1000, ...seen.map((point) => point[1]));
  scale.bytes = Math.max(1000, poll.bytes, push.bytes);
  for (const side of [poll, push]) {
    side.show(now);
    side.chart(".ages", 1, now);
    side.chart(".sums", 2, now);
  }
  const mean = (side) => side.past.reduce((sum, point) => sum + point[1], 0) / side.past.length;
  if (poll.past.length > 20 && push.past.length > 20) {
    const rate = (side) => (side.past.at(-1)[2] - side.past[0][2]) / ((side.past.at(-1)[0] - side.past[0][0]) / 1000);
    by("#verdict").replaceChildren(
      "Asking: ", make("i", "", `${mean(poll).toFixed(0)} ms behind on average, ${rate(poll).toFixed(0)} bytes/s`),
      ". Being told: ", make("b", "", `${mean(push).toFixed(0)} ms behind, ${rate(push).toFixed(0)} bytes/s`), ".");
  }
}

/// What the page believes, for tests.
const believed = (side) => {
  const { asked, bytes, at, late, opened } = side;
  return { asked, bytes, at, late, opened, leaders: side.rows.get(".leaders")?.length ?? 0 };
};
window.broadside.state = () => ({
  phase: "compare",
  line: by("#line").textContent,
  room,
  poll: believed(poll),
  push: believed(push),
});

lookForRoom();
setInterval(lookForRoom, 5000);
line = await openLine({
  name: "compare",
  where: by("#line"),
  seen: heard,
  ready,
  failed: (text) => {
    by("#line").textContent = `connected; ${text}`;
  },
});
restart();
pollOnce();
setInterval(show, 100);
