// This client decodes and encodes the examples and tables of docs/PROTOCOL.md as the document explains them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BUTTONS, encodeInput, readEvents, readPlayerState } from '../arena.js';
import { decodeClient, decodeServer, encodeClient, encodeServer, readUpdates } from '../messages.js';
import { BitReader, BitWriter, ByteReader, ByteWriter } from '../wire.js';
import { World } from '../world.js';

const document = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8');
const bytesOf = (text) => Uint8Array.from(text.trim().split(/\s+/), (byte) => parseInt(byte, 16));
const examples = Object.fromEntries(
  [...document.matchAll(/```hex (\S+)\n([^`]*)```/g)].map(([, name, text]) => [name, bytesOf(text.replace(/#.*/g, ''))]),
);
const table = (name) =>
  document.split(`<!-- table ${name} -->`)[1].split('<!-- end')[0].trim().split('\n').slice(2)
    .map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')));

test('integers are written as in the table', () => {
  for (const [number, bytes] of table('integers')) {
    const writer = new ByteWriter();
    writer.big(BigInt(number));
    assert.deepEqual(Uint8Array.from(writer.bytes), bytesOf(bytes));
    assert.equal(new ByteReader(bytesOf(bytes)).big(), BigInt(number));
  }
});

test('codes are written as in the table', () => {
  for (const [code, number, shown] of table('codes')) {
    const [name, k] = [code.split(' ')[0], Number(code.split(' ')[1])];
    const writer = new BitWriter();
    writer[name](Number(number), k);
    const written = Array.from({ length: writer.count }, (_, at) => (writer.bytes[at >> 3] >> at % 8) & 1).join('');
    assert.equal(written, shown, `${code} of ${number}`);
    assert.equal(new BitReader(Uint8Array.from(writer.bytes))[name](k), Number(number));
  }
});

test('every control message is encoded with the bytes it was decoded from', () => {
  const names = Object.keys(examples);
  for (const name of names.filter((name) => name.startsWith('client-'))) {
    assert.deepEqual(encodeClient(decodeClient(examples[name])), examples[name], name);
  }
  for (const name of names.filter((name) => name.startsWith('server-'))) {
    assert.deepEqual(encodeServer(decodeServer(examples[name])), examples[name], name);
  }
  const join = decodeClient(examples['client-join-room']);
  assert.deepEqual(join, { kind: 'join', name: 'Zoë 🚀', room: { kind: 'room', room: 300 }, role: 'spectate' });
  const [{ matchStatus }] = readUpdates(examples['update-match']);
  assert.deepEqual(matchStatus.teams.map(({ name, score }) => [name, score]), [['Red', 42], ['Blue', 300]]);
  assert.deepEqual([matchStatus.zone.y, matchStatus.zone.from, matchStatus.winner], [-300, -120, null]);
});

test('an input packet has the bytes of the example', () => {
  const ahead = { aim: Math.PI / 2, buttons: BUTTONS.engine };
  const firing = { aim: (0x4100 / 65536) * 2 * Math.PI, buttons: BUTTONS.engine | BUTTONS.cannon };
  const packet = encodeInput({ acked: 600, first: 605, lag: 120, samples: [ahead, ahead, firing] });
  assert.deepEqual(packet, examples['input-three']);
});

test('player states, an event and room updates are decoded as explained', () => {
  const own = (name) => {
    const bits = new BitReader(examples[name], 1);
    const state = readPlayerState(bits);
    bits.align();
    assert.equal(bits.at, examples[name].length * 8, name);
    return state;
  };
  const ship = own('player-state-ship');
  assert.deepEqual([ship.player, ship.x, ship.vx, ship.hull, ship.rail, ship.score], [300, 300, 120, 75, 100, 70]);
  assert.deepEqual([own('player-state-wreck').afloat, own('player-state-wreck').respawn, own('player-state-wreck').team], [false, 150, null]);
  assert.deepEqual([own('player-state-held').team, own('player-state-held').held], [1, 30]);
  // One event of age 0, as the events of a snapshot begin.
  const [hit] = readEvents(new BitReader(Uint8Array.from([3, 0, ...examples['event-hit']])));
  assert.deepEqual(hit, { age: 0, kind: 'hit', at: { x: 560.5, y: -100 }, shot: 9, target: 300, by: 5, on: 1 });
  assert.deepEqual(readUpdates(examples['update-named']), [{ kind: 'named', player: 5, name: 'Zoë 🚀' }]);
  assert.equal(readUpdates(examples['update-message'])[0].message.notice.kind, 'muted');
});

test('the two snapshots give the world that the document describes', () => {
  const world = new World();
  const ship = (id) => [...world.entities()].find((entity) => entity.id === id);
  assert.deepEqual(world.apply(examples['snapshot-first']), { events: [], messages: [] });
  assert.deepEqual([world.tick, world.playerState.entity, world.names.get(5), world.board.players], [600, 3, 'Zoë 🚀', 2]);
  assert.deepEqual([...world.cells.keys()], [8256, 8257]);
  assert.deepEqual([...world.entities()].map(({ id, kind }) => `${id} ${kind}`), ['1 rock', '3 ship', '11 ship', '4 pickup', '7 ship']);
  assert.deepEqual([ship(3).x, ship(3).y, ship(3).vx, ship(3).owner], [300, 200, 120, 300]);
  const { events } = world.apply(examples['snapshot-next']);
  assert.deepEqual([world.tick, world.head.earlyMs, world.head.missing, world.playerState.x], [602, 6.5, 1, 304]);
  assert.deepEqual([...world.entities()].map(({ id }) => id), [1, 3, 7, 9, 11]);
  assert.deepEqual([ship(3).x, ship(7).x, ship(7).vx, ship(9).kind], [304, 557.5, -75, 'shot']);
  assert.deepEqual(events.map(({ kind, age }) => [kind, age]), [['dealt', 1], ['picked', 0]]);
});
