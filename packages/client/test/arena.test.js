// What only the arena shows: a state beside its record, modes, matches and the zone; and what no client may send.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ARENA, greeted, seated, startServer, until, TestClient } from './harness.js';

const timeout = 20_000;
let server;
before(async () => (server = await startServer(ARENA, ...ARENA.quiet)));
after(() => server.end());

/** Whether the player has a ship. */
const afloat = ({ world }) => world.playerState?.life.kind === 'ship';

test('the own record is the player state, rounded', { timeout }, async () => {
  const ann = await seated(server, 'Ann');
  await until(ann, () => afloat(ann));
  let compared = 0;
  ann.on('snapshot', ({ tick, playerState: own }) => {
    ann.input = ARENA.input(tick);
    if (!afloat(ann)) return;
    const record = ann.world.entity(own.life.entity);
    assert.ok(Math.abs(record.x - own.x) <= 0.125 && Math.abs(record.y - own.y) <= 0.125, `${tick}: ${record.x} is ${own.x}`);
    assert.ok(Math.abs(record.vx - own.life.vx) <= 3.75 && Math.abs(record.hull - own.life.hull / 60) <= 1.7);
    assert.equal(record.owner, ann.joined.player);
    compared += 1;
  });
  const ours = ({ kind, owner }) => kind === 'shot' && owner === ann.joined.player;
  await until(ann, () => compared > 60 && [...ann.world.entities()].some(ours));
  ann.leave();
});

test('rooms by mode, by code and by reservation; another room over the same socket', { timeout }, async () => {
  const post = async (path, body) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(server.http + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: answer.status, ...(await answer.json()) };
  };
  const [hal, ida] = [await seated(server, 'Hal', { kind: 'mode', mode: 'duel' }), await greeted(server)];
  assert.equal(hal.joined.mode, 'duel');
  await hal.request({ kind: 'subscribe', topic: `room/${hal.joined.room}/match` });
  ida.join('Ida', { kind: 'mode', mode: 'duel' });
  assert.equal((await ida.next('joined')).room, hal.joined.room, 'the second player of a duel joins the first');
  await until(hal, () => hal.world.matchStatus?.teams.map(({ name }) => name).sort().join() === 'Hal,Ida');
  assert.deepEqual([hal.world.matchStatus.mode, hal.world.matchStatus.rounds], ['duel', 5]);
  await hal.next('published', ({ publication }) => publication.kind === 'match' && publication.matchStatus.phase !== 'waiting');
  await until(hal, () => hal.world.playerState?.special?.team);

  const room = await post('/api/rooms', { mode: 'arena', private: true });
  assert.equal(room.status, 201);
  assert.match(room.code, /^[2-9A-HJ-NP-Z]{6}$/);
  const own = ida.joined.room;
  ida.join('Ida', { kind: 'code', code: room.code });
  assert.equal((await ida.next('joined')).room, room.id);
  assert.notEqual(room.id, own);
  await until(ida, () => afloat(ida) && ida.world.playerState.special === null);
  hal.join('Hal', { kind: 'code', code: room.code.toLowerCase() });
  await hal.next('joined', (joined) => joined.room === room.id);
  const notice = await ida.next('serverNotice', (message) => message.notice.kind === 'friendJoined');
  assert.equal(notice.notice.name, 'Hal');
  await until(ida, () => ida.world.board.players === 2 && ida.world.names.size === 2);

  const kept = await post('/api/quickplay', { mode: 'teams' });
  ida.join('Ida', { kind: 'reserved', room: kept.room.id, reservation: BigInt(kept.reservation) });
  const { mode, room: number } = await ida.next('joined');
  assert.deepEqual([mode, number], ['teams', kept.room.id]);
  // The zone is the arena's own state of a room.
  await until(ida, () => ida.world.matchStatus?.teams.length === 2 && ida.world.roomState?.zone?.radius > 0);

  // An unknown code and text that cannot be a code are refused alike.
  for (const nowhere of [{ kind: 'room', room: 4_000_000 }, { kind: 'code', code: 'ZZZZZZ' }, { kind: 'code', code: 'K7QF2O!' }]) {
    const lost = await greeted(server);
    lost.join('Jon', nowhere);
    await until(lost, () => lost.closed);
    assert.deepEqual(lost.ended, { code: 4010, reason: 'no such room' });
  }
  [hal, ida].forEach((client) => client.leave());
});

test('an invalid message is closed with the code in the document', { timeout }, async () => {
  const early = new TestClient(server, { agent: 'x'.repeat(65) });
  await until(early, () => early.closed);
  assert.equal(early.closed.code, 4002);
  for (const [frame, code, reason] of [
    [Uint8Array.of(), 4002, 'malformed or out of place message'],
    [Uint8Array.of(9, 9, 9), 4002, 'malformed or out of place message'],
    [Uint8Array.of(1, 3, 0), 4002, 'malformed or out of place message'],
    [new Uint8Array(1025), 1009, 'frame too long'],
    ['hello', 1003, 'frames must be binary'],
    [Uint8Array.of(1, 0, 1, 1, 120, 0), 4002, 'malformed or out of place message'],
    [Uint8Array.of(1, 3), 1000, 'bye'],
  ]) {
    const client = await greeted(server);
    client.sendFrame(frame);
    await until(client, () => client.closed);
    assert.deepEqual(client.ended, { code, reason }, `${frame}`.slice(0, 20));
  }
  assert.throws(() => server.schema.codecs.server.decode(Uint8Array.of(1, 99)), /no variant 99/);
});
