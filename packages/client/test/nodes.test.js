// A cluster as a client sees it: redirects are followed, and a node that has died is left. The sockets are plain objects.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Nodes, REVISION, Schema, reconnect } from '../src/index.js';

const HOME = 'wss://home.example/ws';
const unit = { encoding: 'bytes', layout: 'unit' };
const schema = new Schema({
  revision: REVISION,
  modes: [{ name: 'open' }],
  close_codes: [
    { code: 1012, reason: '', advice: '', reconnect: true },
    { code: 4015, reason: '', advice: '', reconnect: false },
  ],
  limits: { silence_ms: 10_000 },
  input: unit,
  player_state: unit,
  event: unit,
  request: unit,
  room_state: unit,
});
const token = (session) => ({ session: BigInt(session), signature: new Uint8Array(16) });
const seven = { kind: 'room', room: 7 };

/** The servers: each new socket goes to the list, and records the messages that are sent over it. */
function servers() {
  const sockets = [];
  const open = (url) => {
    const socket = {
      url,
      sent: [],
      close() {},
      send: (frame) => socket.sent.push(schema.codecs.client.decode(frame)),
      last: (kind) => socket.sent.filter((message) => message.kind === kind).at(-1),
      say: (message) => socket.onmessage({ data: schema.codecs.server.encode(message).buffer }),
      welcome: (session, resumed = false) =>
        socket.say({ kind: 'welcome', revision: REVISION, server: 'test', token: token(session), resumed, account: null }),
      seat: (room) =>
        socket.say({ kind: 'joined', room, player: 3, tick_hz: 60, snapshot_every: 3, tick_zero: 0, mode: 'open', role: 'play' }),
      end: (code) => socket.onclose({ code, reason: '' }),
    };
    sockets.push(socket);
    return socket;
  };
  return { open, last: () => sockets.at(-1) };
}

/** A client that plays at home. */
function playing() {
  const { open, last } = servers();
  const client = new Client(HOME, { schema, open });
  last().onopen();
  last().welcome(1);
  client.join('Ann');
  last().seat(1);
  return { client, last };
}

/** The client after this one, without the pause. */
async function next(client) {
  assert.ok(client.closed.reconnect);
  client.closed.pauseMs = 0;
  return reconnect(client);
}

test('a redirect with a room is a new session that asks for that room once', async () => {
  const { client, last } = playing();
  last().say({ kind: 'redirect', url: 'wss://b.example/game', join: seven });
  last().end(1012);
  assert.ok(client.closed.pauseMs < 40, `${client.closed.pauseMs}`);
  const second = await next(client);
  assert.equal(last().url, 'wss://b.example/game/ws');
  last().onopen();
  assert.equal(last().last('hello').resume, null);
  last().welcome(2);
  second.join('Ann');
  assert.deepEqual(last().last('join').room, seven);
  last().seat(7);
  last().end(1006);

  // That seat is lost: what the player chose holds, at this node.
  const third = await next(second);
  assert.equal(last().url, 'wss://b.example/game/ws');
  last().onopen();
  assert.equal(last().last('hello').resume.token.session, 2n);
  last().welcome(3);
  third.join('Ann');
  assert.deepEqual(last().last('join').room, { kind: 'quick' });
  third.drop();
});

test('a redirect without a room resumes the session there, and a player may change their mind', async () => {
  const { client, last } = playing();
  last().say({ kind: 'redirect', url: 'wss://b.example', join: null });
  last().end(1012);
  const second = await next(client);
  last().onopen();
  assert.equal(last().last('hello').resume.token.session, 1n);
  last().welcome(1, true);
  last().seat(1);
  last().say({ kind: 'redirect', url: 'wss://c.example', join: seven });
  last().end(1012);
  const third = await next(second);
  last().onopen();
  last().welcome(3);
  third.join('Ann', { kind: 'room', room: 9 });
  assert.equal(last().last('join').room.room, 9);
  third.drop();
});

test('a redirect to a node that is gone is given up, and the session is resumed at home', async () => {
  let { client, last } = playing();
  last().say({ kind: 'redirect', url: 'wss://b.example', join: seven });
  last().end(1012);
  const tried = [];
  for (let attempt = 0; attempt < 7; attempt++) {
    client = await next(client);
    tried.push(new URL(last().url).host[0]);
    if (tried.at(-1) === 'h') break;
    last().end(1006);
  }
  assert.equal(tried.join(''), 'bbbbbbh');
  last().onopen();
  assert.equal(last().last('hello').resume.token.session, 1n);
  client.drop();
});

test('a redirect is not followed to another scheme, without TLS, or after a close for good', async () => {
  const warnings = [];
  const { warn } = console;
  console.warn = (text) => warnings.push(text);
  for (const url of ['https://b.example', 'ws://b.example']) {
    const { client, last } = playing();
    last().say({ kind: 'redirect', url, join: seven });
    last().end(1012);
    assert.ok(client.closed.pauseMs >= 250);
    assert.deepEqual([client.nodes.url, client.nodes.arrival, client.redirect], [HOME, 'same', null]);
  }
  console.warn = warn;
  assert.match(warnings.join(), /https:\/\/b.example.*not like wss.*ws:\/\/b.example.*not encrypted/);
  const { client, last } = playing();
  last().say({ kind: 'redirect', url: 'wss://b.example', join: seven });
  last().end(4015);
  assert.equal(client.nodes.url, HOME);
});

test('the decoder refuses more nodes, and longer addresses, than there may be', () => {
  const { client } = playing();
  client.drop();
  const { decode, encode } = schema.codecs.server;
  const reads = (message) => assert.deepEqual(decode(encode(message)), message);
  reads({ kind: 'nodes', urls: Array(16).fill('x'.repeat(200)) });
  reads({ kind: 'redirect', url: 'x'.repeat(200), join: { kind: 'mode', mode: 'open' } });
  assert.throws(() => reads({ kind: 'nodes', urls: Array(17).fill('x') }), /17 nodes of a cluster; at most 16/);
  assert.throws(() => reads({ kind: 'nodes', urls: ['é'.repeat(101)] }), /202 bytes of a node's address/);
  assert.throws(() => reads({ kind: 'redirect', url: 'x'.repeat(201), join: null }), /201 bytes/);
});

test('a dead node is tried twice, then the others in turn, with pauses that grow from round to round', () => {
  const nodes = new Nodes(HOME, () => 0.99);
  nodes.handleOpen();
  nodes.handleNodes(['wss://b.example', 'wss://b.example/', 'wss://home.example', 'ws://plain.example', 'wss://c.example']);
  nodes.handleSeated();
  assert.ok(nodes.handleEnd(1006) <= 500);
  const tried = Array.from({ length: 8 }, () => {
    const host = new URL(nodes.url).host[0];
    return host + Math.ceil(Math.log2(nodes.handleEnd(1006) / 250));
  });
  assert.equal(tried.join(' '), 'h1 h1 b1 c2 h2 b2 c3 h3');
  assert.equal(nodes.openTimeoutMs, Infinity, 'every node was tried');

  const alone = new Nodes(HOME, () => 0.99);
  alone.handleOpen();
  const pauses = Array.from({ length: 7 }, () => Math.round(alone.handleEnd(1012)));
  assert.deepEqual(pauses, [39, 79, 158, 316, 633, 498, 995], 'short pauses come first');
});

test('nodes that disagree send a client to and fro three times', () => {
  const nodes = new Nodes(HOME);
  nodes.handleOpen();
  const pauses = [1, 2, 3, 4, 5].map(() => {
    const objection = nodes.handleRedirect('wss://b.example');
    const pause = nodes.handleEnd(1012);
    nodes.handleOpen();
    return objection ? objection : pause < 40;
  });
  assert.deepEqual(pauses, [true, true, true, '3 redirects in a row led to no seat', true]);
});
