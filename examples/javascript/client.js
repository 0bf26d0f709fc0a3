// A client: the socket, and the course of a connection (sections 2, 3, 5, 7 and 11 of docs/PROTOCOL.md).
//
// It does without a clock: each snapshot is answered with the samples for the next ticks, and what is drawn is what the snapshot
// says. predict.js runs our own ship ahead of that. `client.on('message', ..)`, 'snapshot', 'events', 'sent' (the samples) and 'close' say
// what happens.

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
const EARLY_MS = 6; // how long before it is due an input should arrive
const IDLE = { aim: 0, buttons: 0 };

export class Client extends EventEmitter {
  world = new World();
  welcome = null; // with the token, for a later connection
  joined = null; // the seat, while there is one
  position = 0; // in the join queue
  sample = IDLE; // what we ask for in each tick: change it at will
  #socket;
  #replies = new Map(); // by request: what is called with the outcome
  #requests = 0;
  #pings = [];
  #resuming = false;
  #sampled = 0; // the newest tick we have said a sample for
  #lead = 4; // how many ticks ahead of a snapshot our samples go

  /** Connects to `ws://host:port/ws` and says hello. With the `former` client, asks for its seat and goes on with its world. */
  constructor(url, { agent = 'example 1', former = null } = {}) {
    super();
    let resume = null;
    if (former) {
      this.world = former.world;
      resume = { token: former.welcome.token, ...this.world.resumption() };
    }
    this.#socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false, maxPayload: 262144 });
    this.#socket.on('open', () => this.send({ kind: 'hello', revision: REVISION, agent, resume }));
    this.#socket.on('message', (data, isBinary) => this.#take(data, isBinary));
    this.#socket.on('close', (code, reason) => {
      this.#replies.forEach((resolve) => resolve({ kind: 'lost' }));
      this.emit('close', { code, reason: reason.toString() });
    });
    this.#socket.on('error', (error) => this.emit('failed', error)); // 'close' follows
  }

  /** Asks for a seat; 'message' says when it is there (joined) or how many are before us (waiting). */
  join(name, room = { kind: 'quick' }, role = 'play') {
    this.joined = null;
    this.send({ kind: 'join', name, room, role });
  }

  /** Asks for something, such as `{ kind: 'say', topic: 'lobby/chat', text: 'hello' }`; gives the outcome: done, refused or lost. */
  request(request) {
    const id = ++this.#requests;
    this.send({ kind: 'request', id, request });
    return new Promise((resolve) => this.#replies.set(id, resolve));
  }

  /** Gives the answer: the server's time, and how long it took. */
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

  /** Ends the socket without a word, as a lost line does. */
  drop() {
    this.#socket.terminate();
  }

  send(message) {
    this.sendFrame(encodeClient(message));
  }

  sendFrame(frame) {
    this.#socket.send(frame);
  }

  #take(data, isBinary) {
    try {
      if (!isBinary || data.length === 0) throw new WireError('not a frame');
      if (data[0] === CONTROL) return this.#takeMessage(decodeServer(data));
      const { events, messages } = this.world.apply(data);
      if (events.length > 0) this.emit('events', events);
      messages.forEach((message) => this.#takeMessage(message));
      // Without a seat, it was on the way when we gave that up.
      if (this.joined) this.#answerSnapshot();
      this.emit('snapshot', this.world);
    } catch (error) {
      // We and the server misunderstand each other: nothing that follows would make sense.
      this.emit('failed', error);
      this.#socket.close(1002);
    }
  }

  #takeMessage(message) {
    if (message.kind === 'welcome') [this.welcome, this.#resuming] = [message, message.resumed];
    if (message.kind === 'joined') this.#seated(message);
    if (message.kind === 'queued') this.position = message.position;
    if (message.kind === 'pong') this.#pings.shift()?.(message);
    if (message.kind === 'notice' && message.notice.kind === 'roomEnds' && message.notice.seconds === 0) this.joined = null;
    if (message.kind === 'reply') {
      this.#replies.get(message.id)?.(message.outcome);
      this.#replies.delete(message.id);
    }
    this.emit('message', message);
  }

  #seated(joined) {
    // In a seat that we have taken up again, the world goes on; in another one it begins anew.
    if (!this.#resuming) this.world = new World();
    this.#resuming = false;
    this.joined = joined;
    this.position = 0;
    this.#sampled = 0;
  }

  /** Says samples up to some ticks ahead of the snapshot: more if the last ones came late, fewer if they came too early. */
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
