// Playing on a real server: seats, inputs, snapshots, spectating, resuming a session.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BUTTONS } from '../arena.js';
import { decodeServer } from '../messages.js';
import { greeted, seated, startServer, until, TestClient } from './harness.js';

const timeout = 20_000;
let server;
before(async () => (server = await startServer('--bots', '0')));
after(() => server.end());

/** Flies ahead and fires. */
const attack = (client, aim) => (client.sample = { aim, buttons: BUTTONS.engine | BUTTONS.cannon });
/** The own ship's record in the cells. */
const inCells = (client) => [...client.world.entities()].find(({ kind, id }) => kind === 'ship' && id === client.world.playerState.entity);

test('hello, ping, join: a seat, and snapshots that agree with the player state', { timeout }, async () => {
  const ann = await greeted(server);
  assert.equal(ann.welcome.revision, 1);
  assert.match(ann.welcome.server, /^broadside /);
  assert.equal(ann.welcome.token.signature.length, 16);
  const [first, second] = [await ann.ping(), await ann.ping()];
  assert.ok(second.server_time > first.server_time && first.rttMs < 5000);
  ann.join('Ann');
  const joined = await ann.next('joined');
  assert.deepEqual([joined.mode, joined.role, joined.room, joined.tick_hz], ['arena', 'play', 1, 60]);
  assert.ok(joined.tick_zero <= second.server_time + 10_000_000);

  const from = await until(ann, () => ann.world.playerState?.afloat && { ...ann.world.playerState });
  attack(ann, 0.5);
  let compared = 0;
  ann.on('snapshot', ({ playerState: own, tick }) => {
    if (!own.afloat) return;
    const record = inCells(ann);
    assert.ok(Math.abs(record.x - own.x) <= 0.125 && Math.abs(record.y - own.y) <= 0.125, `${tick}: ${record.x} is ${own.x}`);
    assert.ok(Math.abs(record.vx - own.vx) <= 3.75 && Math.abs(record.hull - own.hull) <= 1.7);
    assert.equal(record.owner, joined.player);
    compared += 1;
  });
  // The ship moves.
  const moved = () => Math.hypot(ann.world.playerState.x - from.x, ann.world.playerState.y - from.y);
  await until(ann, () => compared > 60 && moved() > 100);
  assert.ok(ann.world.head.consumed > joined.snapshot_every, 'our inputs were used');
  const ours = ({ kind, owner }) => kind === 'shot' && owner === joined.player;
  await until(ann, () => [...ann.world.entities()].some(ours));
  await until(ann, () => ann.world.board.lines.some(({ player }) => player === joined.player));
  assert.equal(ann.world.names.get(joined.player), 'Ann');
  ann.leave();
  await until(ann, () => ann.closed);
  assert.deepEqual(ann.closed, { code: 1000, reason: 'bye' });
});

test('deltas add up to the state that a newcomer receives in full', { timeout }, async (context) => {
  const lively = await startServer('--bots', '12');
  context.after(() => lively.end());
  const veteran = await seated(lively, 'Bob');
  veteran.on('snapshot', ({ tick }) => attack(veteran, tick / 90));
  await until(veteran, () => veteran.snapshots > 40);
  // Snapshots are sent every other tick, by player number: some of several spectators get theirs on the veteran's ticks.
  const spectators = await Promise.all([1, 2, 3, 4].map(() => seated(lively, 'Wat', undefined, 'spectate')));
  const { player } = veteran.joined;
  for (const spectator of spectators) {
    assert.equal(spectator.joined.role, 'spectate');
    assert.deepEqual(await spectator.request({ kind: 'follow', player }), { kind: 'done' });
    await spectator.next('serverNotice', ({ notice }) => notice.kind === 'following' && notice.player === player);
    assert.equal(spectator.world.playerState, null);
    await until(spectator, () => spectator.world.board.extent >= 1000); // where the arena ends, which players have in their player state
  }
  const seen = new Map(); // by tick and cell, from whichever client came first
  const compared = { cells: 0, entities: 0 };
  const compare = ({ tick, cells }) => {
    for (const [number, { tick: asOf, records }] of cells) {
      if (asOf !== tick) continue;
      const before = seen.get(`${tick} ${number}`);
      seen.set(`${tick} ${number}`, records);
      if (!before) continue;
      assert.deepEqual(records, before, `cell ${number} at tick ${tick}`);
      compared.cells += 1;
      compared.entities += records.length;
    }
  };
  [veteran, ...spectators].forEach((client) => client.on('snapshot', compare));
  await until([veteran, ...spectators], () => compared.cells > 1000 && compared.entities > 2000);
  // The server sends at most 16 snapshots without an acknowledgement: more mean that the spectators' acks arrive.
  await until(spectators, () => spectators.every(({ snapshots }) => snapshots > 60));
  assert.equal(await veteran.refusal({ kind: 'follow', player: 0 }), 'notAllowed', 'a player cannot follow');
  assert.equal(await spectators[0].refusal({ kind: 'follow', player: 8000 }), 'noSuchPlayer');
  [veteran, ...spectators].forEach((client) => client.leave());
});

test('a lost connection resumes with the cells it still knows', { timeout }, async () => {
  const [fay, gil] = await Promise.all([seated(server, 'Fay'), seated(server, 'Gil')]);
  const { player } = fay.joined;
  await fay.request({ kind: 'subscribe', topic: 'lobby/chat' });
  await until([fay, gil], () => gil.world.names.get(player) === 'Fay' && fay.snapshots > 10);
  fay.drop();
  await until(gil, () => gil.world.away.has(player));
  const [known, had] = [fay.world.tick, fay.world.cells];

  const back = new TestClient(server.url, { former: fay });
  const welcome = await back.next('welcome');
  assert.deepEqual(welcome.token, fay.welcome.token);
  const joined = await back.next('joined');
  assert.deepEqual([joined.player, joined.room], [player, fay.joined.room], 'the same seat, without a join');
  await until(back, () => back.world.tick > known + 10);
  assert.ok([...had.keys()].every((number) => back.world.cells.has(number)), 'known cells are kept');
  assert.equal(inCells(back).owner, player);
  assert.equal(back.world.names.get(player), 'Fay', 'names are kept');
  await until(gil, () => !gil.world.away.has(player));
  await gil.request({ kind: 'say', topic: 'lobby/chat', text: 'you are back' });
  assert.equal((await back.next('published')).publication.text, 'you are back', 'subscriptions come back with the seat');

  // Another connection with the same token takes the seat over, with an empty world.
  const tab = new TestClient(server.url);
  await tab.next('welcome');
  tab.drop();
  const other = new TestClient(server.url, { former: { world: tab.world, welcome } });
  assert.equal((await other.next('welcome')).kind, 'welcome');
  assert.equal((await other.next('joined')).player, player);
  await until(back, () => back.closed);
  assert.deepEqual(back.closed, { code: 4011, reason: 'taken over by another connection' });
  await until(other, () => other.snapshots > 5);
  assert.equal(inCells(other).owner, player);
  await until(other, () => other.world.names.get(player) === 'Fay');

  // A token with a wrong signature counts as none.
  const signature = Uint8Array.from(welcome.token.signature, (byte) => byte ^ 1);
  const forger = new TestClient(server.url, { former: { world: tab.world, welcome: { token: { ...welcome.token, signature } } } });
  const fresh = await forger.next('welcome');
  assert.equal(fresh.resumed, false);
  assert.notDeepEqual(fresh.token, welcome.token);
  [other, gil, forger].forEach((client) => client.leave());
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
  await until(hal, () => hal.world.playerState.team !== null);

  const room = await post('/api/rooms', { mode: 'arena', private: true });
  assert.equal(room.status, 201);
  assert.match(room.code, /^[2-9A-HJ-NP-Z]{6}$/);
  const own = ida.joined.room;
  ida.join('Ida', { kind: 'code', code: room.code });
  assert.equal((await ida.next('joined')).room, room.id);
  assert.notEqual(room.id, own);
  await until(ida, () => ida.world.playerState?.afloat && ida.world.playerState.team === null);
  hal.join('Hal', { kind: 'code', code: room.code.toLowerCase() });
  await hal.next('joined', (joined) => joined.room === room.id);
  const notice = await ida.next('serverNotice', (message) => message.notice.kind === 'friendJoined');
  assert.equal(notice.notice.name, 'Hal');
  await until(ida, () => ida.world.board.players === 2 && ida.world.names.size === 2);

  const kept = await post('/api/quickplay', { mode: 'teams' });
  ida.join('Ida', { kind: 'reserved', room: kept.room.id, reservation: BigInt(kept.reservation) });
  const { mode, room: number } = await ida.next('joined');
  assert.deepEqual([mode, number], ['teams', kept.room.id]);
  await until(ida, () => ida.world.matchStatus?.teams.length === 2);

  // An unknown code and text that cannot be a code are refused alike.
  for (const nowhere of [{ kind: 'room', room: 4_000_000 }, { kind: 'code', code: 'ZZZZZZ' }, { kind: 'code', code: 'K7QF2O!' }]) {
    const lost = await greeted(server);
    lost.join('Jon', nowhere);
    await until(lost, () => lost.closed);
    assert.deepEqual(lost.closed, { code: 4010, reason: 'no such room' });
  }
  [hal, ida].forEach((client) => client.leave());
});

test('an invalid message is closed with the code in the document', { timeout }, async () => {
  const early = new TestClient(server.url, { agent: 'x'.repeat(65) });
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
    assert.deepEqual(client.closed, { code, reason }, `${frame}`.slice(0, 20));
  }
  assert.throws(() => decodeServer(Uint8Array.of(1, 99)), /no variant 99/);
});
