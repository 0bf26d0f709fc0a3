// The arena's part of sections 7 and 8 of docs/PROTOCOL.md: kinds of entities, the player state, events, input packets.

import { BitWriter, WireError } from './wire.js';

/** World units per position step. */
export const STEP = 0.25;

// The table of fields: `full` is the code of a field in full, `bits` its width, `k` the order of the code for its changes.
const local = (name) => ({ name, full: 'local', bits: 20, step: STEP, k: 0 });
const middle = (name) => ({ name, full: 'middle', bits: 20, step: STEP });
const offset = (name, bits, step, k) => ({ name, full: 'offset', bits, step, k });
const angle = (name, bits, k) => ({ name, full: 'plain', bits, step: (2 * Math.PI) / 2 ** bits, k, angle: true });
const plain = (name, bits, step = 1, k = 1) => ({ name, full: 'plain', bits, step, k });
const age = (name, bits) => ({ name, full: 'age', bits, step: 1 });
const POSITION = [middle('x'), middle('y')];
const SHIP = [
  local('x'), local('y'), offset('vx', 8, 7.5, 1), offset('vy', 8, 7.5, 1), angle('heading', 7, 2), plain('hull', 5, 3.25, 3),
  plain('flags', 4), plain('owner', 13),
];
export const KINDS = [
  { name: 'ship', moves: true, fields: SHIP },
  { name: 'shot', fields: [...POSITION, offset('vx', 10, 4), offset('vy', 10, 4), age('start', 7), plain('owner', 13)] },
  { name: 'rock', fields: [...POSITION, plain('radius', 8)] },
  { name: 'pickup', fields: [...POSITION, plain('what', 2)] },
  { name: 'beam', fields: [...POSITION, angle('heading', 16), plain('length', 10), age('start', 5), plain('owner', 13)] },
  { name: 'ship', team: 0, moves: true, fields: SHIP },
  { name: 'ship', team: 1, moves: true, fields: SHIP },
];

/** The player state, exact: in world units, units per second, 1/65536 turn and points. */
export function readPlayerState(bits) {
  const timer = (width) => (bits.flag() ? bits.bits(width) : 0);
  const state = { player: bits.bits(13), x: bits.f32(), y: bits.f32(), arena: { from: bits.bits(15) } };
  if (bits.flag()) Object.assign(state.arena, { to: bits.bits(15), since: bits.bits(32), ticks: bits.bits(15) });
  Object.assign(state, { score: bits.signed(6), kills: bits.golomb(3), deaths: bits.golomb(3), afloat: bits.flag() });
  if (state.afloat) {
    Object.assign(state, { entity: bits.bits(16), vx: bits.f32(), vy: bits.f32(), heading: bits.bits(16) });
    Object.assign(state, { hull: bits.bits(13) / 60, cooldown: bits.bits(4), rail: timer(7), contact: timer(7) });
    Object.assign(state, { unrest: timer(13), shield: timer(13) / 60, rapid: timer(13), protection: timer(13) });
  } else {
    Object.assign(state, { respawn: bits.bits(8), heading: bits.bits(16) });
  }
  state.team = bits.flag() ? bits.bits(1) : null;
  state.held = state.team === null ? 0 : timer(8);
  return state;
}

const point = (bits) => ({ x: (bits.bits(17) - 65536) / 2, y: (bits.bits(17) - 65536) / 2 });
const player = (bits) => bits.bits(13);
const EVENTS = [
  (b) => ({ kind: 'hit', at: point(b), shot: b.bits(16), target: player(b), by: player(b), on: b.bits(2) }),
  (b) => ({ kind: 'chipped', at: point(b), shot: b.bits(16) }),
  (b) => ({ kind: 'dealt', target: player(b), points: b.bits(8) }),
  (b) => ({ kind: 'sunk', at: point(b), victim: player(b) }),
  (b) => ({ kind: 'killFeed', victim: player(b), by: b.flag() ? player(b) : null, cause: b.bits(2) }),
  (b) => ({ kind: 'launched', at: point(b), player: player(b) }),
  (b) => ({ kind: 'picked', at: point(b), player: player(b), what: b.bits(2) }),
  (b) => (RAIL_EVENTS[b.bits(2)] ?? unknown)(b),
];
const RAIL_EVENTS = [
  (b) => ({ kind: 'pierced', at: point(b), target: player(b), by: player(b), on: b.bits(2) }),
  (b) => ({ kind: 'railed', target: player(b), points: b.bits(8), at: point(b), ago: b.bits(8) / 16 }),
  (b) => ({ kind: 'struck', by: player(b), at: point(b), now: point(b), ago: b.bits(8) / 16 }),
];
const unknown = () => {
  throw new WireError('unknown event');
};

/** The events of a snapshot in order, each with its age in ticks. */
export function readEvents(bits) {
  const count = bits.golomb(1);
  bits.align();
  return Array.from({ length: count }, () => {
    const event = { age: bits.bits(8), ...EVENTS[bits.bits(3)](bits) };
    bits.align();
    return event;
  });
}

export const BUTTONS = { engine: 1, reverse: 2, left: 4, right: 8, cannon: 16, rail: 32 };

/** Converts an aim from radians to the wire's unit, 1/65536 turn. */
export const aimOf = (radians) => Math.round((radians / (2 * Math.PI)) * 65536) & 65535;

/** Encodes an input packet: samples `{ aim, buttons }` for the tick `first` and those after it, the aim in radians from +x toward +y. */
export function encodeInput({ acked, first, lag = 0, samples }) {
  const bits = new BitWriter();
  bits.bits(2, 8); // frame kind
  bits.bits(acked, 32);
  bits.bits(first, 32);
  bits.golomb(lag, 8);
  bits.golomb(samples.length - 1, 1);
  samples.forEach((sample, at) => {
    const before = samples[at - 1];
    const same = before?.aim === sample.aim && before?.buttons === sample.buttons;
    if (before) bits.bits(same ? 1 : 0, 1);
    if (same) return;
    bits.bits(aimOf(sample.aim), 16);
    bits.bits(sample.buttons, 8);
  });
  return Uint8Array.from(bits.bytes);
}
