// Snapshots, and the world they tell of: section 8 of docs/PROTOCOL.md.

import { BitReader, WireError } from './wire.js';
import { KINDS, readEvents, readOwn } from './arena.js';
import { readUpdates } from './messages.js';

const CELL = 2048; // C: position steps per cell
const MARGIN = 1024; // M: how far outside its cell a local position may be
const TICKS = 2; // V: ticks in which a velocity of 1 moves a thing by one position step
const AROUND = [-129, -128, -127, -1, 1, 127, 128, 129]; // the cells around a cell, row by row

/** What a client knows of its room: apply each snapshot, then look. */
export class World {
  tick = 0; // of the newest snapshot
  head = null;
  own = null; // our exact state; null for a spectator
  names = new Map(); // by player number
  away = new Set();
  board = { tick: 0, players: 0, extent: 0, lines: [] };
  matchStatus = null;
  /** By number: `{ tick, records }`; the records in order of id, each `{ id, kind, values }`, values in steps. Replaced, never changed. */
  cells = new Map();

  /** Takes a snapshot; gives what happened once, and the control messages that came with it. */
  apply(frame) {
    const bits = new BitReader(frame, 8);
    this.head = readHead(bits);
    this.tick = this.head.tick;
    this.own = bits.flag() ? readOwn(bits) : null;
    bits.align();
    this.#readCells(bits);
    const events = readEvents(bits);
    const updates = readUpdates(frame.subarray(bits.at / 8));
    updates.forEach((note) => this.#takeNote(note));
    return { events, messages: updates.filter(({ kind }) => kind === 'message').map(({ message }) => message) };
  }

  /** Everything known, in game units: `{ id, kind, side, x, y, owner, .. }`. */
  *things() {
    for (const { records } of this.cells.values()) {
      for (const { id, kind, values } of records) {
        const fields = KINDS[kind].fields.map((field, at) => [field.name, values[at] * field.step]);
        yield { id, kind: KINDS[kind].name, side: KINDS[kind].side, ...Object.fromEntries(fields) };
      }
    }
  }

  /** What a hello says to take up our seat again with what we have. What is too old to be said is forgotten. */
  resumption() {
    this.cells = new Map([...this.cells].filter(([, { tick }]) => tick !== null && this.tick - tick <= 255));
    return { have: this.tick, cells: [...this.cells].map(([cell, { tick }]) => ({ cell, behind: this.tick - tick })) };
  }

  #readCells(bits) {
    const numbers = [...this.cells.keys()];
    for (let left = bits.golomb(0), at = 0; left > 0; left--, at++) {
      at += bits.golomb(2);
      if (!this.cells.delete(numbers[at])) throw new WireError(`no cell ${at} to forget`);
    }
    for (let left = bits.golomb(0); left > 0; left--) this.cells.set(bits.bits(14), { tick: null, records: [] });
    const before = new Map([...this.cells].sort(([a], [b]) => a - b));
    const thinned = bits.flag();
    const [due, present] = [[], []];
    for (const number of before.keys()) {
      if (thinned && !bits.flag()) continue;
      due.push(number);
      if (bits.flag()) present.push(number);
    }
    bits.align();
    // What comes over from a cell is meant as that cell was before: nothing is put in place until all is read.
    const after = new Map(before);
    for (const number of due) after.set(number, { tick: this.tick, records: before.get(number).records });
    for (const number of present) after.set(number, { tick: this.tick, records: this.#readBlob(bits, number, before) });
    this.cells = after;
  }

  #readBlob(bits, number, before) {
    const baseline = before.get(number);
    const ticks = this.tick - baseline.tick;
    let records = [];
    if (!bits.flag()) {
      if (baseline.tick === null) throw new WireError(`cell ${number} begins without a keyframe`);
      const [linked, anyLeave] = [bits.flag(), bits.flag()];
      const staying = baseline.records.filter(() => !anyLeave || bits.flag());
      records = staying.map((record) => update(bits, record, ticks));
      for (let left = linked ? bits.golomb(0) : 0; left > 0; left--) {
        const from = before.get(number + AROUND[bits.bits(3)])?.records ?? [];
        const record = from[bits.bits(from.length ? 32 - Math.clz32(from.length - 1) : 0)];
        if (!record) throw new WireError(`nothing comes over into cell ${number}`);
        records.push(update(bits, record, ticks));
      }
    }
    for (let left = bits.golomb(0), id = 0; left > 0; left--, id++) {
      id += bits.golomb(13);
      records.push(readRecord(bits, id, number, this.tick));
    }
    bits.align();
    return records.sort((a, b) => a.id - b.id);
  }

  #takeNote(note) {
    if (note.kind === 'named') this.names.set(note.player, note.name);
    if (note.kind === 'left') this.names.delete(note.player);
    if (note.kind === 'away') this.away.add(note.player);
    if (['named', 'left', 'back'].includes(note.kind)) this.away.delete(note.player);
    if (note.kind === 'board') this.board = note;
    if (note.kind === 'match') this.matchStatus = note.matchStatus;
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
    const lowest = ((at === 0 ? cell % 128 : Math.floor(cell / 128)) - 64) * CELL; // of x and y
    if (field.full === 'local') return bits.bits(12) + lowest - MARGIN;
    if (field.full === 'middle') return bits.signed(10) + lowest + CELL / 2;
    if (field.full === 'offset') return bits.bits(field.bits) - 2 ** (field.bits - 1);
    if (field.full === 'age') return tick - bits.bits(field.bits);
    return bits.bits(field.bits);
  });
  return { id, kind, values };
}

/** A record some ticks later. */
function update(bits, record, ticks) {
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
    const way = (record.values[2 + axis] + values[2 + axis]) * ticks;
    values[axis] = inRange(fields[axis], values[axis] + Math.floor((way + TICKS) / (2 * TICKS)) + miss[axis]);
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
