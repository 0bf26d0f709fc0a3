// Snapshots and the client's copy of the world: section 8 of docs/PROTOCOL.md.

import { BitReader, WireError } from './wire.js';
import { KINDS, readEvents, readPlayerState } from './arena.js';
import { readUpdates } from './messages.js';

const CELL = 2048; // C: position steps per cell
const MARGIN = 1024; // M: how far outside its cell a local position may be
const TICKS = 2; // V: ticks in which a velocity of 1 moves an entity by one position step
const NEIGHBORS = [-129, -128, -127, -1, 1, 127, 128, 129]; // the cells around a cell, row by row

/** The client's copy of its room: apply each snapshot, then read the fields. */
export class World {
  tick = 0; // of the newest snapshot
  head = null;
  playerState = null; // exact; null for a spectator
  names = new Map(); // by player number
  away = new Set();
  board = { tick: 0, players: 0, extent: 0, lines: [] };
  matchStatus = null;
  /** By number: `{ tick, records }`; records in order of id, each `{ id, kind, values }`, values in steps. Replaced, never modified. */
  cells = new Map();

  /** Applies a snapshot; gives its events and the control messages in it. */
  apply(frame) {
    const bits = new BitReader(frame, 8);
    this.head = readHead(bits);
    this.tick = this.head.tick;
    this.playerState = bits.flag() ? readPlayerState(bits) : null;
    bits.align();
    this.#readCells(bits);
    const events = readEvents(bits);
    const updates = readUpdates(frame.subarray(bits.at / 8));
    updates.forEach((update) => this.#takeUpdate(update));
    return { events, messages: updates.filter(({ kind }) => kind === 'message').map(({ message }) => message) };
  }

  /** All known entities, in game units: `{ id, kind, team, x, y, owner, .. }`. */
  *entities() {
    for (const { records } of this.cells.values()) {
      for (const { id, kind, values } of records) {
        const fields = KINDS[kind].fields.map((field, at) => [field.name, values[at] * field.step]);
        yield { id, kind: KINDS[kind].name, team: KINDS[kind].team, ...Object.fromEntries(fields) };
      }
    }
  }

  /** The world's part of a resume: the known cells. Cells that are too old to be named in it are discarded. */
  resumption() {
    this.cells = new Map([...this.cells].filter(([, { tick }]) => tick !== null && this.tick - tick <= 255));
    return { have: this.tick, cells: [...this.cells].map(([cell, { tick }]) => ({ cell, behind: this.tick - tick })) };
  }

  #readCells(bits) {
    const numbers = [...this.cells.keys()];
    for (let left = bits.golomb(0), at = 0; left > 0; left--, at++) {
      at += bits.golomb(2);
      if (!this.cells.delete(numbers[at])) throw new WireError(`no cell ${at} to remove`);
    }
    for (let left = bits.golomb(0); left > 0; left--) this.cells.set(bits.bits(16), { tick: null, records: [] });
    const before = new Map([...this.cells].sort(([a], [b]) => a - b));
    const partial = bits.flag();
    const [due, present] = [[], []];
    for (const number of before.keys()) {
      if (partial && !bits.flag()) continue;
      due.push(number);
      if (bits.flag()) present.push(number);
    }
    bits.align();
    // Migrated records refer to the cells as they were before this snapshot: nothing is replaced until all cells are read.
    const after = new Map(before);
    for (const number of due) after.set(number, { tick: this.tick, records: before.get(number).records });
    for (const number of present) after.set(number, { tick: this.tick, records: this.#readEncodedCell(bits, number, before) });
    this.cells = after;
  }

  #readEncodedCell(bits, number, before) {
    const baseline = before.get(number);
    const ticks = this.tick - baseline.tick;
    let records = [];
    if (!bits.flag()) {
      if (baseline.tick === null) throw new WireError(`cell ${number} starts without a keyframe`);
      const [crossCell, anyRemoved] = [bits.flag(), bits.flag()];
      const retained = baseline.records.filter(() => !anyRemoved || bits.flag());
      records = retained.map((record) => updated(bits, record, ticks));
      for (let left = crossCell ? bits.golomb(0) : 0; left > 0; left--) {
        const from = before.get(number + NEIGHBORS[bits.bits(3)])?.records ?? [];
        const record = from[bits.bits(from.length ? 32 - Math.clz32(from.length - 1) : 0)];
        if (!record) throw new WireError(`no record migrates into cell ${number}`);
        records.push(updated(bits, record, ticks));
      }
    }
    for (let left = bits.golomb(0), id = 0; left > 0; left--, id++) {
      id += bits.golomb(13);
      records.push(readRecord(bits, id, number, this.tick));
    }
    bits.align();
    return records.sort((a, b) => a.id - b.id);
  }

  #takeUpdate(update) {
    if (update.kind === 'named') this.names.set(update.player, update.name);
    if (update.kind === 'left') this.names.delete(update.player);
    if (update.kind === 'away') this.away.add(update.player);
    if (['named', 'left', 'back'].includes(update.kind)) this.away.delete(update.player);
    if (update.kind === 'board') this.board = update;
    if (update.kind === 'match') this.matchStatus = update.matchStatus;
  }
}

function readHead(bits) {
  const [tick, consumed, early] = [bits.bits(32), bits.bits(32), bits.bits(16)];
  const signed = early < 32768 ? early : early - 65536;
  const [missing, dropped, budget] = [bits.bits(8), bits.bits(8), bits.bits(8)];
  return { tick, consumed, earlyMs: signed === -32768 ? null : signed / 10, missing, dropped, budget };
}

/** A record in full. */
function readRecord(bits, id, cell, tick) {
  const kind = bits.bits(3);
  if (!KINDS[kind]) throw new WireError(`no kind ${kind}`);
  const values = KINDS[kind].fields.map((field, at) => {
    const lowest = ((at === 0 ? cell % 128 : Math.floor(cell / 128) % 128) - 64) * CELL; // of x and y
    if (field.full === 'local') return bits.bits(12) + lowest - MARGIN;
    if (field.full === 'middle') return bits.signed(10) + lowest + CELL / 2;
    if (field.full === 'offset') return bits.bits(field.bits) - 2 ** (field.bits - 1);
    if (field.full === 'age') return tick - bits.bits(field.bits);
    return bits.bits(field.bits);
  });
  return { id, kind, values };
}

/** A record `ticks` later. */
function updated(bits, record, ticks) {
  const { moves, fields } = KINDS[record.kind];
  if (!moves) return record;
  const values = [...record.values];
  const change = (at) => (values[at] = inRange(fields[at], values[at] + bits.signed(fields[at].k)));
  const miss = [0, 0];
  if (!bits.flag()) {
    [2, 3].forEach(change); // vx, vy
    [0, 1].forEach((axis) => (miss[axis] = bits.signed(fields[axis].k)));
    fields.forEach((field, at) => field.angle && change(at));
    const restSame = bits.flag();
    fields.forEach((field, at) => restSame || at < 4 || field.angle || bits.flag() || change(at));
  }
  for (const axis of [0, 1]) {
    const distance = (record.values[2 + axis] + values[2 + axis]) * ticks;
    values[axis] = inRange(fields[axis], values[axis] + Math.floor((distance + TICKS) / (2 * TICKS)) + miss[axis]);
  }
  return { ...record, values };
}

function inRange(field, value) {
  const range = 2 ** field.bits;
  if (field.angle) return ((value % range) + range) % range;
  const low = field.full === 'plain' ? 0 : -range / 2;
  if (value < low || value >= low + range) throw new WireError(`${field.name} is ${value}`);
  return value;
}
