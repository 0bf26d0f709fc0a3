// Values of a game that has everything: requests, a state of its rooms, and events that the codec of control messages writes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BitReader, BitWriter, REVISION, Schema } from '../src/index.js';

const struct = (fields) => ({ struct: Object.entries(fields).map(([name, layout]) => ({ name, layout })) });
const variants = (table, more = {}) => ({ enum: struct(table).struct, ...more });
const inBytes = (layout) => ({ encoding: 'bytes', layout });
const inBits = (layout) => ({ encoding: 'bits', layout });
const json = {
  revision: REVISION,
  modes: [{ name: 'open' }],
  close_codes: [],
  input: inBits(struct({ turn: { bits: 2, lowest: -1, step: 1 }, gear: variants({ low: 'unit', high: 'unit' }, { bits: 1 }) })),
  player_state: inBits(struct({ nearby: { list: { signed: 2 }, k: 1 }, boat: { option: 'f32' } })),
  event: inBytes(variants({ horn: 'unit', collected: 'u16', hit: struct({ by: 'u16', at: { array: { of: 'f32', length: 2 } } }) })),
  request: inBytes(variants({ pass: 'unit', buy: struct({ item: 'u16', gift: { option: 'string' } }), bid: { tuple: ['u8', 'i32'] } })),
  room_state: inBytes(struct({ wave: 'u8', total: 'u64', spent: { map: { key: 'u16', value: 'i16' } } })),
};
const schema = new Schema(json);

test('requests of a game are sent as its layout says', () => {
  const frame = (request) => [...schema.codecs.client.encode({ kind: 'request', id: 5, request: { kind: 'game', request } })];
  assert.deepEqual(frame({ kind: 'pass' }), [1, 4, 5, 11, 1, 0]);
  assert.deepEqual(frame({ kind: 'buy', item: 300, gift: 'Zoë' }), [1, 4, 5, 11, 10, 1, 0xfb, 44, 1, 1, 4, 90, 111, 0xc3, 0xab]);
  assert.deepEqual(frame({ kind: 'bid', value: [7, -300] }), [1, 4, 5, 11, 5, 2, 7, 0xfb, 87, 2]);
  assert.throws(() => frame({ kind: 'steal' }), /no variant steal; there are: pass, buy, bid/);
  assert.throws(() => frame({ kind: 'buy', item: 300 }), /gift is missing/);
  assert.throws(() => frame({ kind: 'buy', item: 70_000, gift: null }), /70000 is not in 0\.\.=65535/);
});

test('a state of a room comes back as it was', () => {
  const [update] = schema.codecs.updates(Uint8Array.of(7, 9, 3, 0xfb, 44, 1, 1, 9, 0xfb, 87, 2));
  assert.deepEqual(update, { kind: 'state', state: { wave: 3, total: 300n, spent: new Map([[9, -300]]) } });
  assert.throws(() => schema.codecs.updates(Uint8Array.of(7, 5, 3, 0, 0, 9, 9)), /left over/);
});

test('inputs and states are streams of bits, and events may begin at any bit', () => {
  for (const [codec, value] of [
    [schema.codecs.input, { turn: -1, gear: 'high' }],
    [schema.codecs.playerState, { nearby: [3, -9], boat: 0.5 }],
    [schema.codecs.playerState, { nearby: [], boat: null }],
    [schema.codecs.event, 'never'],
    [schema.codecs.event, { kind: 'horn' }],
    [schema.codecs.event, { kind: 'collected', value: 40_000 }],
    [schema.codecs.event, { kind: 'hit', by: 4, at: [0.25, -2] }],
  ]) {
    const writer = new BitWriter();
    writer.bits(5, 3);
    if (value === 'never') {
      assert.throws(() => codec.write(writer, value), /no variant/);
      continue;
    }
    codec.write(writer, value);
    const reader = new BitReader(Uint8Array.from(writer.bytes));
    assert.deepEqual([reader.bits(3), codec.read(reader), reader.at], [5, value, writer.count]);
  }
  assert.deepEqual(schema.codecs.input.zero, { turn: 0, gear: 'low' });
});

test('another revision and a value without a layout say what is wrong', () => {
  assert.throws(() => new Schema({ ...json, revision: 99 }), /revision 99, this client/);
  const { codecs } = new Schema({ ...json, event: inBytes(null) });
  assert.throws(() => codecs.event.read(new BitReader(Uint8Array.of(0))), /does not describe the event/);
  assert.throws(() => new Schema({ ...json, event: inBytes('quaternion') }), /does not know the layout quaternion/);
});
