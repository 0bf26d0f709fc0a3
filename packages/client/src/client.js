// A client: the socket and the life of a connection (sections 2, 3, 5, 7 and 11 of docs/PROTOCOL.md).
//
// It answers each snapshot with the inputs for the next ticks, pings once a second, and gives up a connection that went silent. It does
// not predict or interpolate: the world is as of the newest snapshot.

import { Emitter } from './emitter.js';
import { encodeInput } from './input.js';
import { Nodes } from './nodes.js';
import { Schema } from './schema.js';
import { ServerClock } from './server_clock.js';
import { WireError } from './wire.js';
import { World } from './world.js';

const CONTROL = 1; // the first byte of a frame
const EARLY_MS = 6; // how early an input should arrive before it is due
const PING_EVERY_MS = 1000;
const ANSWERED_WITHIN_MS = 5000; // a request; later its answer was lost with the server that had handled it

/** Learns the game of the server at `url`, such as `wss://example.org/ws`, and connects to it. */
export async function connect(url, options = {}) {
  return new Client(url, { ...options, schema: options.schema ?? (await Schema.fetch(url)) });
}

/**
 * Connects again after a `former` client has closed: after the pause that is due, to the same server or to another node of its cluster, with
 * the session and the world of the former one. `options` as in the constructor; give a new `accountToken`. Add your listeners again.
 */
export async function reconnect(former, options = {}) {
  await new Promise((resolve) => setTimeout(resolve, former.closed.pauseMs));
  return new Client(former.nodes.url, { ...former.options, ...options, former });
}

/** An account token as the server writes it in JSON: 80 hexadecimal digits. */
function readAccountToken(text) {
  if (!/^[0-9a-f]{80}$/i.test(text)) throw new TypeError('an account token has 80 hexadecimal digits');
  const bytes = Uint8Array.from(text.match(/../g), (digits) => parseInt(digits, 16));
  const expires = new DataView(bytes.buffer).getBigUint64(16);
  return { account: bytes.slice(0, 16), expires_s: Number(expires), signature: bytes.slice(24) };
}

/**
 * One connection. Emits 'message', 'snapshot', 'events', 'sent' (inputs), 'frame' (every frame, both ways), 'failed' (an error) and, last,
 * 'close'.
 */
export class Client extends Emitter {
  world;
  clock = new ServerClock();
  welcome = null; // includes the token for a later connection
  joined = null; // the newest joined message while there is a seat
  position = 0; // in the join queue; 0 outside it
  input; // the input of each tick: assign it at any time
  closed = null; // once the connection has ended: `{ code, reason, advice, reconnect, pauseMs }`
  nodes; // which servers there are; goes on from client to client
  redirect = null; // `{ url, join }`, once the server has sent the client elsewhere, until a connection there is open
  token = null; // of the session to resume
  requested = null; // the room that was last asked for
  options; // for the next connection
  #socket;
  #timer;
  #heardAt = performance.now();
  #checkedAt = performance.now();
  #replies = new Map(); // request id -> callback for the outcome
  #requests = 0;
  #pings = [];
  #resuming = false;
  #opened = false;
  #instead = null; // what the redirect that led here asks for, instead of `requested`
  #sampled = 0; // the newest tick for which an input was sent
  #lead = 4; // how many ticks the inputs run ahead of a snapshot

  /**
   * Connects with the schema of the server and sends the hello. With a `former` client, resumes its session and keeps its world; connect to
   * its `nodes.url`, so that a redirect is followed and a dead server is left. With an `accountToken`, which the page gets over HTTP right before, plays for its account. `open` makes the socket where there is no
   * WebSocket, or another one is wanted.
   */
  constructor(url, options) {
    super();
    const { schema, agent = 'broadside-js 0.1.0', former = null, accountToken = null } = options;
    const { open = (at, protocol) => new WebSocket(at, protocol) } = options;
    const account = accountToken && readAccountToken(accountToken);
    this.schema = schema;
    this.input = schema.codecs.input.zero;
    this.world = former?.world ?? new World(schema);
    this.options = { schema, agent, open };
    this.nodes = former?.nodes?.url === String(url) ? former.nodes : new Nodes(url);
    this.token = former?.token ?? former?.welcome?.token ?? null;
    [this.redirect, this.requested] = [former?.redirect ?? null, former?.requested ?? null];
    const socket = open(url, schema.subprotocol);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#opened = true;
      this.#arrive();
      const resume = this.token && { token: this.token, ...this.world.resumption() };
      this.send({ kind: 'hello', revision: schema.revision, agent, resume, account });
    };
    socket.onmessage = ({ data }) => this.#handleFrame(data);
    socket.onclose = ({ code, reason }) => this.#end(code, String(reason));
    socket.onerror = (error) => this.emit('failed', error.error ?? new Error(`no connection to ${url}`)); // 'close' follows
    this.#timer = setInterval(() => this.#keepAlive(), PING_EVERY_MS);
  }

  /** Asks for a seat. A message follows: `joined`, or `queued` with the position in the join queue. */
  join(name, room = { kind: 'quick' }, role = 'play') {
    this.joined = null;
    // The redirect that led here answers what was asked for before; whoever asks for something else has changed their mind.
    const instead = isSame(room, this.requested) ? this.#instead : null;
    [this.requested, this.#instead] = [room, null];
    this.send({ kind: 'join', name, room: instead ?? room, role });
  }

  /** Sends a request such as `{ kind: 'say', topic: 'lobby/chat', text: 'hello' }`; resolves to the outcome: done, refused or lost. */
  request(request) {
    const id = ++this.#requests;
    this.send({ kind: 'request', id, request });
    return new Promise((resolve) => this.#replies.set(id, resolve));
  }

  /** Sends a request of the game; resolves to the outcome. The schema's `refusals` has the sentence of a refusal's `reason`. */
  requestGame(request) {
    return this.request({ kind: 'game', request });
  }

  /** Gives up the seat, and stays connected; resolves to the outcome. */
  exit() {
    this.joined = null;
    return this.request({ kind: 'exit' });
  }

  /** Resolves to the pong, with `rttMs`, the round trip time in milliseconds. */
  ping() {
    const sent = performance.now();
    this.send({ kind: 'ping', client_time: Math.round(sent * 1000) });
    return new Promise((resolve) => {
      this.#pings.push((pong, now) => resolve({ ...pong, rttMs: now - sent }));
    });
  }

  /** Gives up the seat and ends the session. */
  leave() {
    this.send({ kind: 'leave' });
  }

  /** Ends the connection as a lost link would: the seat is kept for a while. */
  drop() {
    this.#socket.close();
    this.#end(1006, '');
  }

  send(message) {
    const frame = this.schema.codecs.client.encode(message);
    this.sendFrame(frame);
    this.emit('frame', { up: true, frame, kind: 'control', message });
  }

  sendFrame(frame) {
    this.#socket.send(frame);
  }

  #keepAlive() {
    // A page in the background sleeps for up to a minute at a time: only the time that it was awake counts as silence.
    const now = performance.now();
    this.#heardAt += Math.max(0, now - this.#checkedAt - 2 * PING_EVERY_MS);
    this.#checkedAt = now;
    const patience = this.#opened ? Infinity : this.nodes.openTimeoutMs;
    if (now - this.#heardAt > Math.min(patience, this.schema.limits.silence_ms)) return this.drop();
    if (!this.welcome) return;
    this.nodes.handleWaiting();
    this.ping();
  }

  /** The connection is open, maybe to another node than the one before. */
  #arrive() {
    if (this.nodes.arrival === 'redirected' && this.redirect?.join) {
      // The seat is asked for in a new session.
      [this.token, this.#instead] = [null, this.redirect.join];
    }
    if (this.nodes.arrival === 'anew') this.token = null;
    this.redirect = null;
    this.nodes.handleOpen();
  }

  /** Gives the pause before the next connection. */
  #leave(code, reconnect) {
    if (this.#opened && this.redirect && reconnect) {
      const objection = this.nodes.handleRedirect(this.redirect.url);
      if (objection) console.warn(`the server sent this client to ${this.redirect.url}, where it does not go: ${objection}`);
      if (objection) this.redirect = null;
    }
    return this.nodes.handleEnd(code);
  }

  #end(code, reason) {
    if (this.closed) return;
    clearInterval(this.#timer);
    Object.assign(this.#socket, { onopen: null, onmessage: null, onclose: null, onerror: () => {} });
    const close = this.schema.close(code);
    this.closed = { ...close, code, reason, pauseMs: this.#leave(code, close.reconnect) };
    this.joined = null;
    this.#replies.forEach((resolve) => resolve({ kind: 'lost' }));
    this.emit('close', this.closed);
  }

  #handleFrame(data) {
    this.#heardAt = performance.now();
    try {
      const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : null;
      if (!frame?.length) throw new WireError('not a frame');
      if (frame[0] === CONTROL) {
        const message = this.schema.codecs.server.decode(frame);
        this.emit('frame', { up: false, frame, kind: 'control', message });
        return this.#handleMessage(message);
      }
      const { events, updates, messages, parts } = this.world.apply(frame);
      this.emit('frame', { up: false, frame, kind: 'snapshot', head: this.world.head, parts, events, updates });
      if (events.length > 0) this.emit('events', events);
      messages.forEach((message) => this.#handleMessage(message));
      // Without a seat, the snapshot was sent before the server handled our exit.
      if (this.joined) this.#answerSnapshot();
      this.emit('snapshot', this.world);
    } catch (error) {
      // Client and server disagree about the protocol: nothing that follows could be decoded.
      this.emit('failed', error);
      this.#socket.close();
    }
  }

  #handleMessage(message) {
    if (message.kind === 'welcome') {
      if (this.welcome) this.#goOn(message);
      [this.welcome, this.#resuming, this.token] = [message, message.resumed, message.token];
      // Without a resumed seat the former world is void, even if the next seat is lost before its `joined` arrives.
      if (!message.resumed) this.world = new World(this.schema);
      // The first pings follow each other quickly: the clock is needed soon.
      this.ping();
    }
    if (message.kind === 'joined') this.#seated(message);
    if (message.kind === 'queued') {
      this.position = message.position;
      this.nodes.handleWaiting();
    }
    if (message.kind === 'redirect') this.redirect = { url: message.url, join: message.join };
    if (message.kind === 'nodes') this.nodes.handleNodes(message.urls);
    if (message.kind === 'pong') {
      this.clock.take(message, this.#heardAt);
      this.#pings.shift()?.(message, this.#heardAt);
    }
    if (message.kind === 'serverNotice' && message.notice.kind === 'roomEnds' && message.notice.seconds === 0) this.joined = null;
    if (message.kind === 'reply') {
      this.#replies.get(message.id)?.(message.outcome);
      this.#replies.delete(message.id);
    }
    this.emit('message', message);
  }

  /** Another server goes on with the connection. What was sent before is read by it, unless the former one had taken it. */
  #goOn({ resumed }) {
    this.position = 0;
    if (resumed) this.world.forgetCells();
    else this.joined = null;
    const asked = [...this.#replies];
    setTimeout(() => {
      for (const [id, resolve] of asked) if (this.#replies.delete(id)) resolve({ kind: 'lost' });
    }, ANSWERED_WITHIN_MS);
  }

  #seated(joined) {
    // A resumed seat keeps its world; another seat starts with an empty one.
    if (!this.#resuming) this.world = new World(this.schema);
    this.#resuming = false;
    this.nodes.handleSeated();
    this.joined = joined;
    this.position = 0;
    this.#sampled = 0;
  }

  /** Sends inputs up to `#lead` ticks ahead of the snapshot: more if the last ones arrived late, fewer if they arrived too early. */
  #answerSnapshot() {
    const { tick, head } = this.world;
    if (head.earlyMs !== null && head.earlyMs < EARLY_MS) this.#lead += 1;
    if (head.earlyMs !== null && head.earlyMs > EARLY_MS + 40) this.#lead -= 1;
    const first = Math.max(this.#sampled, tick) + 1;
    const count = Math.min(Math.max(tick + this.#lead + this.joined.snapshot_every - first, 1), this.schema.limits.samples);
    this.#sampled = first + count - 1;
    const packet = { acked: tick, first, samples: Array(count).fill(this.input) };
    const frame = encodeInput(this.schema.codecs.input, packet);
    this.emit('sent', packet);
    this.sendFrame(frame);
    this.emit('frame', { up: true, frame, kind: 'input', ...packet });
  }
}

const isSame = (one, other) => {
  const text = (room) => JSON.stringify(room, (_, part) => (typeof part === 'bigint' ? `${part}` : part));
  return text(one) === text(other);
};
