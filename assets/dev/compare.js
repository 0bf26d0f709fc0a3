// The same scores twice: polled over HTTP, and pushed over a WebSocket.
import { beside, make, openLink } from "./link.js";

const SECONDS = 60;
const LEADERS = 5;
/// Timeout of a request over HTTP.
const ANSWER_MS = 10000;
const by = (selector, within = document) => within.querySelector(selector);

/// One of the two views: its counters and the elements that show them.
class Side {
  constructor(id, askedWhat) {
    this.root = by(`#${id}`);
    this.root.append(by("#gauges").content.cloneNode(true));
    by(".asked-what", this.root).textContent = askedWhat;
    Object.assign(this, { asked: 0, bytes: 0, opened: 0, at: null, late: null, past: [], rows: new Map() });
    this.tint = getComputedStyle(this.root).getPropertyValue("--tint");
  }

  /// Milliseconds since a newer value than the shown one exists; 0 while there is none.
  behind() {
    if (this.at === null) return 0;
    const newer = changes.find((at) => at > this.at);
    return newer === undefined ? 0 : Math.max(0, ageOf(newer) ?? 0);
  }

  /// Takes the leaderboard as of a moment of the server's clock.
  leaders(leaders, at) {
    if (at > (this.at ?? -1)) {
      // A value from before this page was opened is not a change.
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
    const teams = match?.teams ?? [];
    const rows = teams.map((team) => [team.name, `${team.score} of ${team.goal}`]);
    if (match) rows.push([match.phase, match.rounds ? `round ${match.round} of ${match.rounds}` : ""]);
    if (!teams.length) rows.unshift(["everyone for themselves", ""]);
    this.list(".match", rows);
  }

  list(where, rows) {
    const list = by(where, this.root);
    const before = this.rows.get(where) ?? [];
    list.replaceChildren(...rows.map(([name, value], place) => {
      const known = before[place];
      const row = make("li", known && (known[0] !== name || known[1] !== value) ? "new" : "");
      row.append(make("b", "", name), make("span", "", String(value)));
      return row;
    }));
    this.rows.set(where, rows);
  }

  /// Shows the counters and adds them to the charts.
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
/// When the value changed recently, by the server's clock, from whichever view received it first.
let changes = [];
const ageOf = (at) => link?.ageMs(at) ?? null;
const time = (ms) => (ms < 995 ? `${Math.max(0, ms).toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`);
const poll = new Side("poll", "requests made");
const push = new Side("push", "messages, both ways");
let link = null;
let room = null;
/// Whether the room has a match; otherwise the page keeps looking for one.
let settled = false;
/// Bytes of a GET's head beyond its path: the headers that this browser sends with every request, as the server saw them in the
/// handshake. An estimate until then.
let headBytes = 450;
/// Request heads counted so far.
let heads = 0;

// ---- polling ----

const every = by("#every");
const interval = () => Math.round(100 * 100 ** (every.value / 100));

/// Fetches a path and counts its bytes. Throws the response if it is an error.
async function ask(path) {
  const url = beside(path);
  poll.asked += 1;
  // The server's responses already forbid caching; asking for it would cost two more headers.
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
      // Everyone may have left this match; another room may have one.
      settled = Boolean(answer.match);
    }
    by("#every-text").textContent = time(interval());
  } catch (wrong) {
    if (wrong.status === 404) {
      leaveRoom();
      findRoom();
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

/// Chooses the room to show: one with a score, if there is one.
async function chooseRoom() {
  const rooms = await (await fetch(beside("api/rooms"), { signal: AbortSignal.timeout(ANSWER_MS) })).json();
  const best = rooms.find((r) => r.match?.teams?.length) ?? rooms[0];
  if (best && best.id !== room) {
    leaveRoom();
    room = best.id;
    showRoom(`match of ${best.name}`);
    if (!best.match) push.match(null);
    subscribeToMatch(true);
  }
  settled = Boolean(best?.match);
}

const findRoom = () => settled || document.hidden || chooseRoom().catch(() => {});

/// Drops the room: it has ended, or another one is shown.
function leaveRoom() {
  subscribeToMatch(false);
  [room, settled] = [null, false];
  showRoom("the match");
}

function showRoom(name) {
  for (const title of document.querySelectorAll(".match-name")) title.textContent = name;
  for (const side of [poll, push]) side.list(".match", []);
}

/// Subscribes to the match of the chosen room, or unsubscribes.
function subscribeToMatch(on) {
  if (room === null || !link?.ready) return;
  link.request({ kind: on ? "subscribe" : "unsubscribe", topic: `room/${room}/match` });
}

function onFrame({ wire, decoded }) {
  push.asked += 1;
  push.bytes += wire;
  const { message } = decoded;
  if (message?.kind === "handshake") handshake(message);
  if (message?.kind !== "published") return;
  const { publication, topic, at } = message;
  if (publication.kind === "leaders") push.leaders(publication.lines, at);
  if (publication.kind === "match" && topic === `room/${room}/match`) push.match(publication.matchStatus);
}

function handshake({ request, asked, response, answered }) {
  const sum = (list) => list.reduce((bytes, { name, value }) => bytes + name.length + value.length + 4, 2);
  push.bytes += request.length + 2 + sum(asked) + response.length + 2 + sum(answered);
  const everywhere = /^(host|user-agent|accept-encoding|accept-language|cookie)$/;
  // Headers of a `fetch` that a handshake lacks; browsers with client hints report the same values to scripts.
  let own = `GET  HTTP/1.1\r\nConnection: keep-alive\r\nAccept: */*\r\nReferer: ${location.href.split("#")[0]}\r\n`;
  own += "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
  const hints = navigator.userAgentData;
  if (hints) {
    const brands = hints.brands.map(({ brand, version }) => `"${brand}";v="${version}"`).join(", ");
    own += `sec-ch-ua-platform: "${hints.platform}"\r\nsec-ch-ua: ${brands}\r\nsec-ch-ua-mobile: ?${Number(hints.mobile)}\r\n`;
  }
  const bytes = own.length + sum(asked.filter(({ name }) => everywhere.test(name)));
  poll.bytes += heads * (bytes - headBytes);
  headBytes = bytes;
}

/// A connection was welcomed. The server may have restarted, with another clock.
function ready() {
  changes = [];
  poll.at = push.at = null;
  link.request({ kind: "handshake" });
  link.request({ kind: "subscribe", topic: "leaderboard" });
  subscribeToMatch(true);
}

// ---- both ----

function show() {
  const now = performance.now();
  push.opened = link.opened;
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
      "Polling: ", make("i", "", `${mean(poll).toFixed(0)} ms behind on average, ${rate(poll).toFixed(0)} bytes/s`),
      ". Push: ", make("b", "", `${mean(push).toFixed(0)} ms behind, ${rate(push).toFixed(0)} bytes/s`), ".");
  }
}

/// The page's state, for tests.
const report = (side) => {
  const { asked, bytes, at, late, opened } = side;
  return { asked, bytes, at, late, opened, leaders: side.rows.get(".leaders")?.length ?? 0 };
};
window.broadside.state = () => ({
  phase: "compare",
  link: by("#status").textContent,
  room,
  poll: report(poll),
  push: report(push),
});

findRoom();
setInterval(findRoom, 5000);
link = await openLink({
  name: "compare",
  where: by("#status"),
  seen: onFrame,
  ready,
  failed: (text) => {
    by("#status").textContent = `connected; ${text}`;
  },
});
restart();
pollOnce();
setInterval(show, 100);
