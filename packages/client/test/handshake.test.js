// The opening handshake at the HTTP level, and frames that no WebSocket library would send.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { ARENA, startServer } from './harness.js';

const timeout = 20_000;
let server;
before(async () => (server = await startServer(ARENA, ...ARENA.quiet)));
after(() => server.end());

const key = randomBytes(16).toString('base64');
const good = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': key,
  'sec-websocket-protocol': 'chat, broadside.v1',
};

/** Sends a handshake request with these headers changed; null leaves one out. */
async function ask(changes = {}, { method = 'GET', path = '/ws' } = {}) {
  const headers = Object.fromEntries(Object.entries({ ...good, ...changes }).filter(([, value]) => value !== null));
  const sent = request({ host: '127.0.0.1', port: server.port, path, method, headers });
  sent.end();
  const [kind, answer, socket, behind] = await Promise.race(
    ['response', 'upgrade'].map(async (kind) => [kind, ...(await once(sent, kind))]),
  );
  // Bytes that arrived together with the response belong to the socket.
  if (kind === 'upgrade' && behind.length) socket.unshift(behind);
  if (kind === 'upgrade') return { status: answer.statusCode, headers: answer.headers, socket };
  let body = '';
  for await (const part of answer) body += part;
  return { status: answer.statusCode, headers: answer.headers, body: body && JSON.parse(body) };
}

/** The next `count` bytes from a raw socket. */
async function bytesFrom(socket, count) {
  let bytes = Buffer.alloc(0);
  for await (const part of socket) {
    bytes = Buffer.concat([bytes, part]);
    if (bytes.length >= count) break; // which destroys the socket
  }
  return bytes;
}

test('a good handshake is answered with 101, the key and the subprotocol', { timeout }, async () => {
  const { status, headers, socket } = await ask();
  assert.equal(status, 101);
  assert.equal(headers.upgrade.toLowerCase(), 'websocket');
  assert.equal(headers.connection.toLowerCase(), 'upgrade');
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  assert.equal(headers['sec-websocket-accept'], accept);
  assert.equal(headers['sec-websocket-protocol'], 'broadside.v1');
  assert.equal(headers['sec-websocket-extensions'], undefined, 'nothing is compressed');
  socket.destroy();
  const sameOrigin = await ask({ origin: server.http });
  assert.equal(sameOrigin.status, 101);
  sameOrigin.socket.destroy();
});

test('every other handshake is refused with a status and a reason', { timeout }, async () => {
  const plain = { connection: null, upgrade: null, 'sec-websocket-version': null, 'sec-websocket-key': null };
  for (const [changes, status, says] of [
    [plain, 426, /connect with ws/],
    [{ upgrade: 'h2c' }, 426, /connect with ws/],
    [{ 'sec-websocket-version': '8' }, 426, /must be 13/],
    [{ 'sec-websocket-version': null }, 426, /must be 13/],
    [{ 'sec-websocket-key': null }, 400, /16 bytes in base64/],
    [{ 'sec-websocket-key': 'not a key' }, 400, /16 bytes in base64/],
    [{ 'sec-websocket-key': randomBytes(17).toString('base64') }, 400, /16 bytes in base64/],
    [{ 'sec-websocket-protocol': null }, 400, /must offer broadside.v1/],
    [{ 'sec-websocket-protocol': 'broadside.v2' }, 400, /must offer broadside.v1/],
    [{ ...plain, origin: 'http://evil.example' }, 403, /--allow-origin http:\/\/evil.example/],
    [{ host: 'evil.example' }, 421, /--public-host evil.example/],
  ]) {
    const { status: got, headers, body } = await ask(changes);
    assert.equal(got, status, JSON.stringify(changes));
    assert.equal(headers['content-type'], 'application/problem+json');
    assert.equal(body.status, status);
    assert.match(body.detail, says);
    assert.equal(headers.upgrade, status === 426 ? 'websocket' : undefined);
    assert.equal(headers['sec-websocket-version'], status === 426 ? '13' : undefined);
  }
  assert.equal((await ask({}, { method: 'POST' })).status, 405);
});

test('a page of another origin is closed with a reason after the handshake', { timeout }, async () => {
  for (const origin of ['http://evil.example', 'http://127.0.0.1:1', 'null']) {
    const { status, socket } = await ask({ origin });
    assert.equal(status, 101, origin);
    const reason = "pages of this origin may not connect; the server's log names the flag that allows it";
    const close = Buffer.from([0x88, reason.length + 2, 4013 >> 8, 4013 & 255, ...Buffer.from(reason)]);
    assert.deepEqual(await bytesFrom(socket, close.length), close, origin);
  }
});

test('a header that does not end is refused at its limit', { timeout }, async () => {
  const { status } = await ask({ 'x-long': 'x'.repeat(17 * 1024) });
  assert.equal(status, 431);
});

test('a frame that breaks the rules of WebSocket ends the connection with 1002', { timeout }, async () => {
  for (const [what, frame] of [
    ['a frame without a mask', [0x82, 2, 1, 3]],
    ['a reserved bit', [0xc2, 0x82, 0, 0, 0, 0, 1, 3]],
    ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0]],
    ['a ping in fragments', [0x09, 0x80, 0, 0, 0, 0]],
  ]) {
    const { socket } = await ask();
    socket.write(Uint8Array.from(frame));
    const reason = 'broken WebSocket frame';
    const close = Buffer.from([0x88, reason.length + 2, 1002 >> 8, 1002 & 255, ...Buffer.from(reason)]);
    assert.deepEqual(await bytesFrom(socket, close.length), close, what);
  }
});

test('two requests are answered on one connection', { timeout }, async () => {
  const socket = connect(server.port, '127.0.0.1');
  const plain = `GET /ws HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\n`;
  socket.write(`${plain}\r\n${plain}connection: close\r\n\r\n`);
  const text = (await bytesFrom(socket, Infinity)).toString();
  assert.equal(text.match(/HTTP\/1.1 426 Upgrade Required/g).length, 2);
});
