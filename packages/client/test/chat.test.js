// Topics, chat, direct messages, and refusals.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ARENA, greeted, seated, startServer, until } from './harness.js';

const timeout = 20_000;
let server;
before(async () => (server = await startServer(ARENA, ...ARENA.quiet)));
after(() => server.end());

test('chat goes both ways, in the lobby and in a room', { timeout }, async () => {
  const [ann, bob] = [await seated(server, 'Ann'), await greeted(server)];
  assert.deepEqual(await bob.request({ kind: 'setName', name: 'Bob' }), { kind: 'done' });
  for (const client of [ann, bob]) {
    assert.deepEqual(await client.request({ kind: 'subscribe', topic: 'lobby/chat' }), { kind: 'done' });
  }
  // Ann receives it in a snapshot; Bob, who is in no room, in a frame of its own.
  await bob.request({ kind: 'say', topic: 'lobby/chat', text: ' <b>hé</b>\u202e\n🚀 ' });
  for (const client of [ann, bob]) {
    const { topic, publication, at } = await client.next('published');
    assert.deepEqual([topic, publication], ['lobby/chat', { kind: 'said', from: 'Bob', text: '<b>hé</b> 🚀' }]);
    assert.ok(at > 0);
  }
  await ann.request({ kind: 'say', topic: 'lobby/chat', text: 'hello' });
  assert.deepEqual((await bob.next('published')).publication, { kind: 'said', from: 'Ann', text: 'hello' });

  const chat = `room/${ann.joined.room}/chat`;
  assert.equal(await bob.refusal({ kind: 'subscribe', topic: chat }), 'notAllowed');
  bob.join('Bob');
  await bob.next('joined');
  await ann.request({ kind: 'subscribe', topic: chat });
  await ann.request({ kind: 'say', topic: chat, text: 'before you came' });
  await bob.request({ kind: 'subscribe', topic: chat });
  assert.equal((await bob.next('published', ({ topic }) => topic === chat)).publication.text, 'before you came');
  await bob.request({ kind: 'unsubscribe', topic: 'lobby/chat' });

  await ann.request({ kind: 'directMessage', to: 'bob', text: 'for you alone' });
  assert.deepEqual(await bob.next('directMessage'), { kind: 'directMessage', from: 'Ann', text: 'for you alone' });
  await bob.request({ kind: 'mute', name: 'Ann' });
  assert.equal((await ann.next('serverNotice')).notice.kind, 'muted');
  await ann.request({ kind: 'say', topic: chat, text: 'not heard' });
  // Once it has come back to Ann, it is on its way to everyone: the unmute is later.
  await ann.next('published', ({ publication }) => publication.text === 'not heard');
  await bob.request({ kind: 'unmute', name: 'Ann' });
  await ann.request({ kind: 'directMessage', to: 'Bob', text: 'again' });
  assert.equal((await bob.next('directMessage')).text, 'again');
  assert.ok(!bob.received.some(({ publication }) => publication?.text === 'not heard'));
  [ann, bob].forEach((client) => client.leave());
});

test('the leaderboard lists every player', { timeout }, async () => {
  const cid = await seated(server, 'Cid');
  const reader = await greeted(server);
  await reader.request({ kind: 'subscribe', topic: 'leaderboard' });
  const { publication } = await reader.next('published', ({ publication: { lines } }) => lines.some(({ name }) => name === 'Cid'));
  const line = publication.lines.find(({ name }) => name === 'Cid');
  assert.equal(line.room, cid.joined.room);
  const { leaders } = await (await fetch(`${server.http}/api/leaderboard`)).json();
  assert.ok(leaders.some(({ name }) => name === 'Cid'), 'HTTP lists the same');
  [cid, reader].forEach((client) => client.leave());
});

test('each refusal is the one that the document names', { timeout }, async () => {
  const [dot, eve] = [await greeted(server), await seated(server, 'Eve')];
  const room = eve.joined.room;
  for (const [who, request, refusal] of [
    [dot, { kind: 'subscribe', topic: 'weather' }, 'noSuchTopic'],
    [dot, { kind: 'subscribe', topic: 'room/99999/feed' }, 'noSuchTopic'],
    [dot, { kind: 'unsubscribe', topic: 'room/01/feed' }, 'noSuchTopic'],
    [dot, { kind: 'subscribe', topic: `room/${room}/feed` }, null],
    [dot, { kind: 'subscribe', topic: `room/${room}/match` }, null],
    [dot, { kind: 'subscribe', topic: 'notices' }, null],
    [dot, { kind: 'say', topic: 'leaderboard', text: 'hi' }, 'notAllowed'],
    [dot, { kind: 'say', topic: 'lobby/chat', text: 'hi' }, 'nameless'],
    [dot, { kind: 'setName', name: ' \u200b ' }, 'badName'],
    [dot, { kind: 'setName', name: 'x'.repeat(17) }, 'badName'],
    [dot, { kind: 'setName', name: 'EVE' }, null],
    [dot, { kind: 'exit' }, 'notInRoom'],
    [dot, { kind: 'handshake' }, 'notAllowed'],
    [dot, { kind: 'mute', name: 'EVE 2' }, 'notAllowed'],
    [dot, { kind: 'unmute', name: 'Eve' }, 'noSuchPlayer'],
    [dot, { kind: 'report', name: 'Eve', text: 'took my name' }, null],
    [dot, { kind: 'directMessage', to: 'Nobody', text: 'hi' }, 'noSuchPlayer'],
    [eve, { kind: 'say', topic: 'lobby/chat', text: 'x'.repeat(201) }, 'badText'],
    [eve, { kind: 'say', topic: 'lobby/chat', text: '\u200b' }, 'badText'],
    [eve, { kind: 'exit' }, null],
  ]) {
    assert.equal(await who.refusal(request), refusal, JSON.stringify(request));
  }
  const renamed = await dot.next('serverNotice');
  assert.deepEqual(renamed.notice, { kind: 'renamed', name: 'EVE 2' });

  // Limits: 5 chat messages at once and 1 per second; 20 other requests at once and 10 per second.
  const say = () => eve.request({ kind: 'say', topic: 'lobby/chat', text: 'hi' });
  const said = await Promise.all([say(), say(), say(), say(), say(), say()]);
  const { why } = said.find(({ kind }) => kind === 'refused');
  assert.ok(why.kind === 'tooFast' && why.wait_ms > 0 && why.wait_ms <= 1000, JSON.stringify(why));
  eve.leave();
  const fay = await greeted(server);
  const first = Promise.all(Array.from({ length: 15 }, () => fay.refusal({ kind: 'subscribe', topic: 'lobby/chat' })));
  assert.deepEqual(new Set(await first), new Set([null]), 'subscribing twice is no error');
  const more = await Promise.all(Array.from({ length: 10 }, () => fay.refusal({ kind: 'subscribe', topic: 'notices' })));
  assert.ok(more.includes('tooFast'));
  [dot, fay].forEach((client) => client.leave());
  await until([dot, fay], () => dot.closed && fay.closed);
});

test('the handshake is sent on request', { timeout }, async () => {
  const client = await greeted(server, { url: `${server.url}?wire=1` });
  assert.equal(await client.refusal({ kind: 'handshake' }), null);
  const shown = await client.next('handshake');
  assert.equal(shown.request, 'GET /ws?wire=1 HTTP/1.1');
  assert.equal(shown.response, 'HTTP/1.1 101 Switching Protocols');
  assert.ok(shown.asked.some(({ name, value }) => name === 'sec-websocket-version' && value === '13'));
  assert.ok(shown.answered.some(({ name, value }) => name === 'sec-websocket-protocol' && value === 'broadside.v1'));
  client.leave();
});
