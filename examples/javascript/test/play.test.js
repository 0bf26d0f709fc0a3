// Playing on a real server: seats, inputs, snapshots, watching, coming back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BUTTONS } from '../arena.js';
import { decodeServer } from '../messages.js';
import { greeted, seated, startServer, until, Witness } from './scene.js';

const timeout = 20_000;
let server;
before(async () => (server = await startServer('--bots', '0')));
after(() => server.end());

/** Flies ahead and fires. */
const attack = (client, aim) => (client.sample = { aim, buttons: BUTTONS.engine | BUTTONS.cannon });
/** What the cells say of our ship. */
const inCells = (client) => [...client.world.things()].find(({ kind, id }) => kind === 'ship' && id === client.world.own.entity);

test('hello, ping, join: a seat, and snapshots that agree with our own state', { timeout }, async () => {
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

  const from = await until(ann, () => ann.world.own?.afloat && { ...ann.world.own });
  attack(ann, 0.5);
  let compared = 0;
  ann.on('snapshot', ({ own, tick }) => {
    if (!own.afloat) return;
    const told = inCells(ann);
    assert.ok(Math.abs(told.x - own.x) <= 0.125 && Math.abs(told.y - own.y) <= 0.125, `${tick}: ${told.x} is ${own.x}`);
    assert.ok(Math.abs(told.vx - own.vx) <= 3.75 && Math.abs(told.hull - own.hull) <= 1.7);
    assert.equal(told.owner, joined.player);
    compared += 1;
  });
  // It moves, and in the direction of its nose.
  const moved = () => Math.hypot(ann.world.own.x - from.x, ann.world.own.y - from.y);
  await until(ann, () => compared > 60 && moved() > 100);
  assert.ok(ann.world.head.consumed > joined.snapshot_every, 'our inputs were used');
  const ours = ({ kind, owner }) => kind === 'shot' && owner === joined.player;
  await until(ann, () => [...ann.world.things()].some(ours));
  await until(ann, () => ann.world.board.lines.some(({ player }) => player === joined.player));
  assert.equal(ann.world.names.get(joined.player), 'Ann');
  ann.leave();
  await until(ann, () => ann.closed);
  assert.deepEqual(ann.closed, { code: 1000, reason: 'bye' });
});

test('what deltas add up to is what a newcomer is told in full', { timeout }, async (scene) => {
  const lively = await startServer('--bots', '12');
  scene.after(() => lively.end());
  const veteran = await seated(lively, 'Bob');
  veteran.on('snapshot', ({ tick }) => attack(veteran, tick / 90));
  await until(veteran, () => veteran.snapshots > 40);
  // Snapshots come every other tick, by the number of the player: of several spectators some have the veteran's ticks.
  const spectators = await Promise.all([1, 2, 3, 4].map(() => seated(lively, 'Wat', undefined, 'spectate')));
  const { player } = veteran.joined;
  for (const spectator of spectators) {
    assert.equal(spectator.joined.role, 'spectate');
    assert.deepEqual(await spectator.request({ kind: 'follow', player }), { kind: 'done' });
    await spectator.next('notice', ({ notice }) => notice.kind === 'following' && notice.player === player);
    assert.equal(spectator.world.own, null);
    await until(spectator, () => spectator.world.board.extent >= 1000); // where the arena ends, which players find in their own state
  }
  const told = new Map(); // by tick and cell, whoever was told first
  const compared = { cells: 0, things: 0 };
  const compare = ({ tick, cells }) => {
    for (const [number, { tick: asOf, records }] of cells) {
      if (asOf !== tick) continue;
      const before = told.get(`${tick} ${number}`);
      told.set(`${tick} ${number}`, records);
      if (!before) continue;
      assert.deepEqual(records, before, `cell ${number} at tick ${tick}`);
      compared.cells += 1;
      compared.things += records.length;
    }
  };
  [veteran, ...spectators].forEach((client) => client.on('snapshot', compare));
  await until([veteran, ...spectators], () => compared.cells > 1000 && compared.things > 2000);
  // A dozen snapshots come without an acknowledgement: so many more mean that a spectator's are heard.
  await until(spectators, () => spectators.every(({ snapshots }) => snapshots > 60));
  assert.equal(await veteran.refusal({ kind: 'follow', player: 0 }), 'notAllowed', 'who plays looks from their own ship');
  assert.equal(await spectators[0].refusal({ kind: 'follow', player: 8000 }), 'noSuchPlayer');
  [veteran, ...spectators].forEach((client) => client.leave());
});

test('a lost connection is taken up where it was, with what we still know', { timeout }, async () => {
  const [fay, gil] = await Promise.all([seated(server, 'Fay'), seated(server, 'Gil')]);
  const { player } = fay.joined;
  await fay.request({ kind: 'subscribe', topic: 'lobby/chat' });
  await until([fay, gil], () => gil.world.names.get(player) === 'Fay' && fay.snapshots > 10);
  fay.drop();
  await until(gil, () => gil.world.away.has(player));
  const [known, had] = [fay.world.tick, fay.world.cells];

  const back = new Witness(server.url, { former: fay });
  const welcome = await back.next('welcome');
  assert.deepEqual(welcome.token, fay.welcome.token);
  const joined = await back.next('joined');
  assert.deepEqual([joined.player, joined.room], [player, fay.joined.room], 'the same seat, without a join');
  await until(back, () => back.world.tick > known + 10);
  assert.ok([...had.keys()].every((number) => back.world.cells.has(number)), 'we still know what we knew');
  assert.equal(inCells(back).owner, player);
  assert.equal(back.world.names.get(player), 'Fay', 'names are not told again');
  await until(gil, () => !gil.world.away.has(player));
  await gil.request({ kind: 'say', topic: 'lobby/chat', text: 'you are back' });
  assert.equal((await back.next('published')).publication.text, 'you are back', 'subscriptions come back with the seat');

  // Another connection with the same token takes the seat over; nothing is known there.
  const tab = new Witness(server.url);
  await tab.next('welcome');
  tab.drop();
  const other = new Witness(server.url, { former: { world: tab.world, welcome } });
  assert.equal((await other.next('welcome')).kind, 'welcome');
  assert.equal((await other.next('joined')).player, player);
  await until(back, () => back.closed);
  assert.deepEqual(back.closed, { code: 4011, reason: 'taken over by another connection' });
  await until(other, () => other.snapshots > 5);
  assert.equal(inCells(other).owner, player);
  await until(other, () => other.world.names.get(player) === 'Fay');

  // A token that nobody signed is as good as none.
  const signature = Uint8Array.from(welcome.token.signature, (byte) => byte ^ 1);
  const forger = new Witness(server.url, { former: { world: tab.world, welcome: { token: { ...welcome.token, signature } } } });
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
  assert.equal((await ida.next('joined')).room, hal.joined.room, 'the second of a duel comes to the first');
  await until(hal, () => hal.world.matchStatus?.teams.map(({ name }) => name).sort().join() === 'Hal,Ida');
  assert.deepEqual([hal.world.matchStatus.mode, hal.world.matchStatus.rounds], ['duel', 5]);
  await hal.next('published', ({ publication }) => publication.kind === 'match' && publication.matchStatus.phase !== 'waiting');
  await until(hal, () => hal.world.own.side !== null);

  const room = await post('/api/rooms', { mode: 'arena', private: true });
  assert.equal(room.status, 201);
  assert.match(room.code, /^[2-9A-HJ-NP-Z]{6}$/);
  const own = ida.joined.room;
  ida.join('Ida', { kind: 'code', code: room.code });
  assert.equal((await ida.next('joined')).room, room.id);
  assert.notEqual(room.id, own);
  await until(ida, () => ida.world.own?.afloat && ida.world.own.side === null);
  hal.join('Hal', { kind: 'code', code: room.code.toLowerCase() });
  await hal.next('joined', (joined) => joined.room === room.id);
  const notice = await ida.next('notice', (message) => message.notice.kind === 'friendJoined');
  assert.equal(notice.notice.name, 'Hal');
  await until(ida, () => ida.world.board.players === 2 && ida.world.names.size === 2);

  const kept = await post('/api/quickplay', { mode: 'teams' });
  ida.join('Ida', { kind: 'reserved', room: kept.room.id, reservation: BigInt(kept.reservation) });
  const { mode, room: number } = await ida.next('joined');
  assert.deepEqual([mode, number], ['teams', kept.room.id]);
  await until(ida, () => ida.world.matchStatus?.teams.length === 2);

  // A code that nobody has, and text that cannot be a code, are the same mistake.
  for (const nowhere of [{ kind: 'room', room: 4_000_000 }, { kind: 'code', code: 'ZZZZZZ' }, { kind: 'code', code: 'K7QF2O!' }]) {
    const lost = await greeted(server);
    lost.join('Jon', nowhere);
    await until(lost, () => lost.closed);
    assert.deepEqual(lost.closed, { code: 4010, reason: 'no such room' });
  }
  [hal, ida].forEach((client) => client.leave());
});

test('what is out of place is closed with the code that the document names', { timeout }, async () => {
  const early = new Witness(server.url, { agent: 'x'.repeat(65) });
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
