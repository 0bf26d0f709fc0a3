// The games to play, a server of each, and waiting for events; nothing here sleeps.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { Client, Schema } from '../src/index.js';

const root = new URL('../../../', import.meta.url);
const programs = process.env.BROADSIDE_PROGRAMS ?? fileURLToPath(new URL('target/debug', root));

/**
 * The games: their server, the flags for a server without bots and for a busy one, an input that moves, and the entity in `world` that
 * belongs to the player `joined`.
 */
export const ARENA = {
  name: 'arena',
  program: 'broadside-server',
  quiet: ['--bots', '0'],
  busy: ['--bots', '12'],
  input: (tick) => ({ aim: (tick * 500) & 65535, buttons: 1 | 16 }), // ahead, around and firing
  own: (world, joined) => [...world.entities()].find(({ kind, owner }) => kind.startsWith('ship') && owner === joined.player),
};
const PUCK = {
  name: 'puck',
  program: 'broadside-puck-server',
  quiet: ['--bots', '0'],
  busy: ['--bots', '6'],
  // To and fro between two corners: the rink is small.
  input: (tick) => (tick % 120 < 60 ? { right: 1, down: 0.4, kick: true } : { right: -1, down: -0.6, kick: false }),
  own: (world, joined) => [...world.entities()].find(({ kind, owner }) => kind.startsWith('disc') && owner === joined.player),
};
export const GAMES = [ARENA, PUCK];

/** Starts a server of a game on a free port, and learns its schema. */
export async function startServer(game, ...flags) {
  const all = ['--host', '127.0.0.1', '--port', '0', '--data', 'memory', '--limit-exempt', '127.0.0.1', '--assets', fileURLToPath(new URL('assets', root)), ...flags];
  const options = { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, RUST_LOG: 'error' } };
  const child = spawn(`${programs}/${game.program}`, all, options);
  const [line] = await once(createInterface(child.stdout), 'line');
  const port = Number(line.split(':').at(-1));
  const url = `ws://127.0.0.1:${port}/ws`;
  return {
    game,
    port,
    url,
    http: `http://127.0.0.1:${port}`,
    schema: await Schema.fetch(url),
    end: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Resolves to the first truthy result of `look`, which runs after every event of one of the clients. A client's failure rejects. */
export function until(clients, look) {
  return new Promise((resolve, reject) => {
    const all = [clients].flat();
    const kinds = ['message', 'snapshot', 'close', 'failed'];
    const listen = (how) => all.forEach((client) => kinds.forEach((kind) => client[how](kind, check)));
    const check = () => {
      try {
        const failure = all.find((client) => client.failure)?.failure;
        if (failure) throw failure;
        const found = look();
        if (!found) return;
        listen('off');
        resolve(found);
      } catch (error) {
        listen('off');
        reject(error);
      }
    };
    listen('on');
    check();
  });
}

/** Sockets as tests need them: Node 20 has none of its own, and no compression is asked for. */
const open = (url, protocol) => new WebSocket(url, protocol, { perMessageDeflate: false, maxPayload: 262144 });

/** A client that records what it receives. */
export class TestClient extends Client {
  received = [];
  happened = [];
  snapshots = 0;
  failure = null;

  constructor(server, { url = server.url, ...options } = {}) {
    super(url, { schema: server.schema, open, ...options });
    this.on('message', (message) => this.received.push(message));
    this.on('events', (events) => this.happened.push(...events.map(({ event }) => event)));
    this.on('snapshot', () => (this.snapshots += 1));
    this.on('failed', (error) => (this.failure = error));
  }

  /** The oldest received message of a kind that was not returned before. */
  async next(kind, fits = () => true) {
    const fitting = (message) => message.kind === kind && fits(message);
    const found = await until(this, () => {
      if (this.closed && !this.received.some(fitting)) throw new Error(`closed with ${this.closed.code} before ${kind}`);
      return this.received.find(fitting);
    });
    this.received.splice(this.received.indexOf(found), 1);
    return found;
  }

  /** The reason for the refusal of a request; null if it is done. */
  async refusal(request) {
    const outcome = await this.request(request);
    if (outcome.kind === 'lost') throw new Error(`the connection ended: ${JSON.stringify(this.closed)}`);
    return outcome.kind === 'refused' ? outcome.why.kind : null;
  }

  /** The code and the reason of the close. */
  get ended() {
    return this.closed && { code: this.closed.code, reason: this.closed.reason };
  }
}

/** A client that has received its welcome. */
export async function greeted(server, options) {
  const client = new TestClient(server, options);
  await client.next('welcome');
  return client;
}

/** A client with a seat and a first snapshot. */
export async function seated(server, name, room, role) {
  const client = await greeted(server);
  client.join(name, room, role);
  await client.next('joined');
  await until(client, () => client.world.tick > 0);
  return client;
}
