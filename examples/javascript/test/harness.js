// Starts a server for each test file, and waits for events; nothing here sleeps.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client } from '../client.js';

const root = new URL('../../../', import.meta.url);

/** Starts a server on a free port. */
export async function startServer(...flags) {
  const program = process.env.BROADSIDE_SERVER ?? fileURLToPath(new URL('target/debug/broadside-server', root));
  const all = ['--host', '127.0.0.1', '--port', '0', '--limit-exempt', '127.0.0.1', '--assets', fileURLToPath(new URL('assets', root)), ...flags];
  const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, RUST_LOG: 'error' } });
  const [line] = await once(createInterface(child.stdout), 'line');
  const port = Number(line.split(':').at(-1));
  return {
    port,
    url: `ws://127.0.0.1:${port}/ws`,
    http: `http://127.0.0.1:${port}`,
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

/** A client that records what it receives. */
export class TestClient extends Client {
  received = [];
  events = [];
  snapshots = 0;
  closed = null;
  failure = null;

  constructor(url, options) {
    super(url, options);
    this.on('message', (message) => this.received.push(message));
    this.on('events', (events) => this.events.push(...events));
    this.on('snapshot', () => (this.snapshots += 1));
    this.on('close', (close) => (this.closed = close));
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
}

/** A client that has received its welcome. */
export async function greeted(server, options) {
  const client = new TestClient(options?.url ?? server.url, options);
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
