// This client decodes and encodes the examples and tables of docs/PROTOCOL.md as the document explains them, and its tables of messages
// are those of the schema.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { BitReader, BitWriter, ByteReader, ByteWriter, Client, World, decodeInput, encodeInput } from '../src/index.js';
import { codecOfBytes } from '../src/layout.js';
import { ARENA, startServer } from './harness.js';

const document = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8');
const bytesOf = (text) => Uint8Array.from(text.trim().split(/\s+/), (byte) => parseInt(byte, 16));
const examples = Object.fromEntries(
  [...document.matchAll(/```hex (\S+)\n([^`]*)```/g)].map(([, name, text]) => [name, bytesOf(text.replace(/#.*/g, ''))]),
);
const table = (name) =>
  document.split(`<!-- table ${name} -->`)[1].split('<!-- end')[0].trim().split('\n').slice(2)
    .map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')));

let schema;
before(async () => {
  const server = await startServer(ARENA, ...ARENA.quiet);
  schema = server.schema;
  await server.end();
});

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
  const { client, server, updates } = schema.codecs;
  const names = Object.keys(examples);
  for (const [side, codec] of [['client-', client], ['server-', server]]) {
    for (const name of names.filter((name) => name.startsWith(side))) {
      assert.deepEqual(codec.encode(codec.decode(examples[name])), examples[name], name);
    }
  }
  const join = client.decode(examples['client-join-room']);
  assert.deepEqual(join, { kind: 'join', name: 'Zoë 🚀', room: { kind: 'room', room: 300 }, role: 'spectate' });
  assert.equal(client.decode(examples['client-join-mode']).room.mode, 'duel');
  const [{ matchStatus }] = updates(examples['update-match']);
  assert.deepEqual(matchStatus.teams.map(({ name, score }) => [name, score]), [['Red', 42], ['Blue', 300]]);
  assert.deepEqual([matchStatus.mode, matchStatus.phase, matchStatus.winner], ['teams', 'playing', null]);
  const [{ state: { zone } }] = updates(examples['update-state']);
  assert.deepEqual([zone.y, zone.from, zone.holder, zone.contested], [-300, -120, 0, false]);
});

test('an account token goes into the hello with the bytes of the example, and other text is refused', () => {
  const digits = (first, count) => Array.from({ length: count }, (_, at) => (first + at).toString(16).padStart(2, '0')).join('');
  const accountToken = `${digits(0xa0, 16)}${(1_800_000_000).toString(16).padStart(16, '0')}${digits(0, 16)}`;
  const socket = { sent: [], send: (frame) => socket.sent.push(frame), close() {} };
  const options = { schema, agent: 'web 0.1.0', open: () => socket };
  const client = new Client('ws://nowhere', { ...options, accountToken });
  socket.onopen();
  client.drop();
  assert.deepEqual(socket.sent, [examples['client-hello-account']]);
  assert.throws(() => new Client('ws://nowhere', { ...options, accountToken: accountToken.slice(1) }), TypeError);
});

/** Values of a layout, such that every variant of every enum in it occurs. */
function samplesOf(layout) {
  const plain = { unit: null, bool: true, string: 'Ann', u8: 1, u16: 300, u32: 70_000, u64: 5_000_000_000n, i32: -3 };
  if (typeof layout === 'string') return [plain[layout]];
  if (layout.option) return [null, ...samplesOf(layout.option)];
  if (layout.list) return [layout.list === 'u8' ? Uint8Array.of(1) : samplesOf(layout.list)];
  if (layout.array) return [new Uint8Array(layout.array.length).fill(9)];
  if (layout.enum) {
    const namesOnly = layout.enum.every(({ layout: of }) => of === 'unit');
    return layout.enum.flatMap(({ name, layout: of }) =>
      samplesOf(of).map((value) => (namesOnly ? name : of.struct ? { kind: name, ...value } : { kind: name, value })));
  }
  const parts = layout.tuple?.map(samplesOf) ?? layout.struct.map(({ layout: of }) => samplesOf(of));
  const count = Math.max(1, ...parts.map(({ length }) => length));
  const rows = Array.from({ length: count }, (_, at) => parts.map((values) => values[at % values.length]));
  return layout.tuple ? rows : rows.map((row) => Object.fromEntries(layout.struct.map(({ name }, at) => [name, row[at]])));
}

test('every message that the schema lists is one of the document', () => {
  const one = { decode: (part) => schema.codecs.updates(part.subarray(1))[0] };
  let compared = 0;
  for (const [side, codec] of [['client', schema.codecs.client], ['server', schema.codecs.server], ['update', one]]) {
    const listed = codecOfBytes(side, schema.messages[side]);
    for (const message of samplesOf(schema.messages[side].layout)) {
      // A request of the game and its state of a room are bytes here.
      if (message.kind === 'state' || message.value?.request?.kind === 'game' || message.request?.kind === 'game') continue;
      const writer = new ByteWriter();
      writer.put([1]);
      listed.write(writer, message);
      const decoded = codec.decode(Uint8Array.from(writer.bytes));
      assert.equal(decoded.kind, message.kind);
      if (codec.encode) assert.deepEqual(codec.encode(decoded), Uint8Array.from(writer.bytes), message.kind);
      compared += 1;
    }
  }
  assert.ok(compared > 60, `${compared} messages`);
});

test('an input packet has the bytes of the example', () => {
  const [ahead, firing] = [{ aim: 0x4000, buttons: 1 }, { aim: 0x4100, buttons: 17 }];
  const packet = { acked: 600, first: 605, lag: 120, samples: [ahead, { ...ahead }, firing] };
  assert.deepEqual(encodeInput(schema.codecs.input, packet), examples['input-three']);
  assert.deepEqual(decodeInput(schema.codecs.input, examples['input-three']), packet);
});

test('player states, an event and room updates are decoded as explained', () => {
  const own = (name) => {
    const bits = new BitReader(examples[name], 1);
    const state = schema.codecs.playerState.read(bits);
    const writer = new BitWriter();
    writer.bits(1, 1);
    schema.codecs.playerState.write(writer, state);
    assert.deepEqual(Uint8Array.from(writer.bytes), examples[name], name);
    return state;
  };
  const ship = own('player-state-ship');
  const { kind, vx, hull, rail, rapid } = ship.life;
  assert.deepEqual([ship.player, ship.x, kind, vx, hull, rail, rapid, ship.score], [300, 300, 'ship', 120, 4500, 100, null, 70]);
  assert.deepEqual(ship.border, { from: 1300, change: { to: 1500, since: 700, ticks: 180 } });
  const wreck = own('player-state-wreck');
  assert.deepEqual([wreck.life, wreck.special], [{ kind: 'wreck', respawn: 150, heading: 1024 }, null]);
  assert.deepEqual(own('player-state-held').special.team, { number: 1, held: 30 });
  const hit = schema.codecs.event.read(new BitReader(examples['event-hit']));
  assert.deepEqual(hit, { kind: 'hit', at: { x: 560.5, y: -100 }, shot: 9, target: 300, by: 5, on: 'shield' });
  assert.deepEqual(schema.codecs.updates(examples['update-named']), [{ kind: 'named', player: 5, name: 'Zoë 🚀' }]);
  assert.equal(schema.codecs.updates(examples['update-message'])[0].message.notice.kind, 'muted');
});

test('the two snapshots give the world that the document describes', () => {
  const world = new World(schema);
  const first = world.apply(examples['snapshot-first']);
  assert.deepEqual([first.events, first.messages, first.updates.length], [[], [], 3]);
  assert.equal(Object.values(first.parts).reduce((sum, part) => sum + part), examples['snapshot-first'].length);
  assert.deepEqual([world.tick, world.playerState.life.entity, world.names.get(5), world.board.players], [600, 3, 'Zoë 🚀', 2]);
  assert.deepEqual([...world.cells.keys()], [8256, 8257]);
  const named = [...world.entities()].map(({ id, kind }) => `${id} ${kind}`);
  assert.deepEqual(named, ['1 rock', '3 ship', '11 ship', '4 pickup', '7 ship']);
  const { x, y, vx, owner } = world.entity(3);
  assert.deepEqual([x, y, vx, owner], [300, 200, 120, 300]);
  const { events } = world.apply(examples['snapshot-next']);
  assert.deepEqual([world.tick, world.head.earlyMs, world.head.missing, world.playerState.x], [602, 6.5, 1, 304]);
  assert.deepEqual([...world.entities()].map(({ id }) => id), [1, 3, 7, 9, 11]);
  assert.deepEqual([world.entity(3).x, world.entity(7).x, world.entity(7).vx, world.entity(9).kind], [304, 557.5, -75, 'shot']);
  assert.deepEqual(events.map(({ age, event }) => [event.kind, age]), [['dealt', 1], ['picked', 0]]);
});
