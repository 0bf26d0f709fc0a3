// A client: the socket and the life of a connection (sections 2, 3, 5, 7 and 11 of docs/PROTOCOL.md).
//
// It has no clock: it answers each snapshot with the samples for the next ticks and shows the snapshot as it is. predict.js runs the own
// ship ahead of that. It emits 'message', 'snapshot', 'events', 'sent' (the samples), 'failed' (an error) and 'close'.

import { EventEmitter } from 'node:events';
import { WebSocket } from 'ws';
import { encodeInput } from './arena.js';
import { decodeServer, encodeClient } from './messages.js';
import { WireError } from './wire.js';
import { World } from './world.js';

export const SUBPROTOCOL = 'broadside.v1';
export const REVISION = 1;
const CONTROL = 1;
const SAMPLES_MAX = 12;
const EARLY_MS = 6; // how early an input should arrive before it is due
const IDLE = { aim: 0, buttons: 0 };

export class Client extends EventEmitter {
  world = new World();
  welcome = null; // includes the token for a later connection
  joined = null; // the newest joined message while there is a seat
  position = 0; // in the join queue; 0 outside it
  sample = IDLE; // the input of each tick: assign it at any time
  #socket;
  #replies = new Map(); // request id -> callback for the outcome
  #requests = 0;
  #pings = [];
  #resuming = false;
  #sampled = 0; // the newest tick for which a sample was sent
  #lead = 4; // how many ticks the samples run ahead of a snapshot

  /** Connects to `ws://host:port/ws` and sends the hello. With a `former` client, resumes its session and keeps its world. */
  constructor(url, { agent = 'example 1', former = null } = {}) {
    super();
    let resume = null;
    if (former) {
      this.world = former.world;
      resume = { token: former.welcome.token, ...this.world.resumption() };
    }
    this.#socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false, maxPayload: 262144 });
    this.#socket.on('open', () => this.send({ kind: 'hello', revision: REVISION, agent, resume }));
    this.#socket.on('message', (data, isBinary) => this.#handleFrame(data, isBinary));
    this.#socket.on('close', (code, reason) => {
      this.#replies.forEach((resolve) => resolve({ kind: 'lost' }));
      this.emit('close', { code, reason: reason.toString() });
    });
    this.#socket.on('error', (error) => this.emit('failed', error)); // 'close' follows
  }

  /** Asks for a seat. A message follows: `joined`, or `queued` with the position in the join queue. */
  join(name, room = { kind: 'quick' }, role = 'play') {
    this.joined = null;
    this.send({ kind: 'join', name, room, role });
  }

  /** Sends a request such as `{ kind: 'say', topic: 'lobby/chat', text: 'hello' }`; resolves to the outcome: done, refused or lost. */
  request(request) {
    const id = ++this.#requests;
    this.send({ kind: 'request', id, request });
    return new Promise((resolve) => this.#replies.set(id, resolve));
  }

  /** Resolves to the pong, with `rttMs`, the round trip time in milliseconds. */
  ping() {
    const sent = performance.now();
    this.send({ kind: 'ping', client_time: Math.round(sent * 1000) });
    return new Promise((resolve) => {
      this.#pings.push((pong) => resolve({ ...pong, rttMs: performance.now() - sent }));
    });
  }

  leave() {
    this.send({ kind: 'leave' });
  }

  /** Ends the socket without a close frame, like a lost link. */
  drop() {
    this.#socket.terminate();
  }

  send(message) {
    this.sendFrame(encodeClient(message));
  }

  sendFrame(frame) {
    this.#socket.send(frame);
  }

  #handleFrame(data, isBinary) {
    try {
      if (!isBinary || data.length === 0) throw new WireError('not a frame');
      if (data[0] === CONTROL) return this.#handleMessage(decodeServer(data));
      const { events, messages } = this.world.apply(data);
      if (events.length > 0) this.emit('events', events);
      messages.forEach((message) => this.#handleMessage(message));
      // Without a seat, the snapshot was sent before the server handled our exit.
      if (this.joined) this.#answerSnapshot();
      this.emit('snapshot', this.world);
    } catch (error) {
      // Client and server disagree about the protocol: nothing that follows could be decoded.
      this.emit('failed', error);
      this.#socket.close(1002);
    }
  }

  #handleMessage(message) {
    if (message.kind === 'welcome') {
      [this.welcome, this.#resuming] = [message, message.resumed];
      // Without a resumed seat the former world is void, even if the next seat is lost before its `joined` arrives.
      if (!message.resumed) this.world = new World();
    }
    if (message.kind === 'joined') this.#seated(message);
    if (message.kind === 'queued') this.position = message.position;
    if (message.kind === 'pong') this.#pings.shift()?.(message);
    if (message.kind === 'serverNotice' && message.notice.kind === 'roomEnds' && message.notice.seconds === 0) this.joined = null;
    if (message.kind === 'reply') {
      this.#replies.get(message.id)?.(message.outcome);
      this.#replies.delete(message.id);
    }
    this.emit('message', message);
  }

  #seated(joined) {
    // A resumed seat keeps its world; another seat starts with an empty one.
    if (!this.#resuming) this.world = new World();
    this.#resuming = false;
    this.joined = joined;
    this.position = 0;
    this.#sampled = 0;
  }

  /** Sends samples up to `#lead` ticks ahead of the snapshot: more if the last ones arrived late, fewer if they arrived too early. */
  #answerSnapshot() {
    const { tick, head } = this.world;
    if (head.earlyMs !== null && head.earlyMs < EARLY_MS) this.#lead += 1;
    if (head.earlyMs !== null && head.earlyMs > EARLY_MS + 40) this.#lead -= 1;
    const first = Math.max(this.#sampled, tick) + 1;
    const count = Math.min(Math.max(tick + this.#lead + this.joined.snapshot_every - first, 1), SAMPLES_MAX);
    this.#sampled = first + count - 1;
    const samples = Array(count).fill(this.sample);
    this.emit('sent', { first, samples });
    this.sendFrame(encodeInput({ acked: tick, first, samples }));
  }
}
