// Snapshots and the client's copy of the world: section 8 of docs/PROTOCOL.md.

import { BitReader, WireError } from './wire.js';

const NUMBER_BITS = 16; // of a cell

/** The client's copy of its room: apply each snapshot, then read the fields. */
export class World {
  tick = 0; // of the newest snapshot
  head = null;
  playerState = null; // exact; null for a spectator
  roomState; // the game's
  names = new Map(); // by player number
  away = new Set();
  bots = new Set();
  board = { tick: 0, players: 0, extent: 0, lines: [] };
  matchStatus = null;
  /** By number: `{ tick, records }`; records in order of id, each `{ id, kind, values }`, values in steps. Replaced, never modified. */
  cells = new Map();
  #schema;

  constructor(schema) {
    this.#schema = schema;
    this.roomState = schema.codecs.roomState.zero;
  }

  /** Applies a snapshot; gives its events, the room updates and the control messages in it, and the bytes of its parts. */
  apply(frame) {
    const bits = new BitReader(frame, 8);
    const { playerState, event } = this.#schema.codecs;
    const ends = [];
    const end = () => ends.push(bits.at / 8);
    this.head = readHead(bits);
    this.tick = this.head.tick;
    end();
    this.playerState = bits.flag() ? playerState.read(bits) : null;
    bits.align();
    end();
    this.#readCells(bits);
    end();
    const events = readEvents(bits, event);
    end();
    const updates = this.#schema.codecs.updates(frame.subarray(bits.at / 8));
    updates.forEach((update) => this.#takeUpdate(update));
    const [head, own, cells, happened] = ends;
    const parts = {
      head, player_state: own - head, cells: cells - own, events: happened - cells, updates: frame.length - happened,
    };
    return { events, updates, messages: updates.filter(({ kind }) => kind === 'message').map(({ message }) => message), parts };
  }

  /** All known entities in the game's units: `{ id, kind, x, y, .. }`, with the fields of the kind. */
  *entities() {
    for (const { records } of this.cells.values()) for (const record of records) yield this.#entity(record);
  }

  /** The known entity with this id, if there is one. */
  entity(id) {
    for (const { records } of this.cells.values()) {
      const record = records.find((record) => record.id === id);
      if (record) return this.#entity(record);
    }
    return undefined;
  }

  #entity({ id, kind, values }) {
    const { name, fields } = this.#schema.kinds[kind];
    return { ...Object.fromEntries(fields.map((field, at) => [field.name, values[at] * field.step])), id, kind: name };
  }

  /** Discards every cell: another server knows of none, and begins each with a keyframe. */
  forgetCells() {
    this.cells.clear();
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
    for (let left = bits.golomb(0); left > 0; left--) this.cells.set(bits.bits(NUMBER_BITS), { tick: null, records: [] });
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
      records = retained.map((record) => this.#updated(bits, record, ticks));
      for (let left = crossCell ? bits.golomb(0) : 0; left > 0; left--) {
        const from = before.get(number + this.#neighbor(bits.bits(3)))?.records ?? [];
        const record = from[bits.bits(from.length ? 32 - Math.clz32(from.length - 1) : 0)];
        if (!record) throw new WireError(`no record migrates into cell ${number}`);
        records.push(this.#updated(bits, record, ticks));
      }
    }
    for (let left = bits.golomb(0), id = 0; left > 0; left--, id++) {
      id += bits.golomb(13);
      records.push(this.#readRecord(bits, id, number));
    }
    bits.align();
    return records.sort((a, b) => a.id - b.id);
  }

  /** From a cell's number to that of a cell around it, row by row. */
  #neighbor(direction) {
    const at = direction < 4 ? direction : direction + 1; // the cell itself is the fifth of the nine
    return (Math.floor(at / 3) - 1) * this.#schema.cells.columns + (at % 3) - 1;
  }

  /** A record in full. */
  #readRecord(bits, id, cell) {
    const { columns, steps, margin, local_bits: localBits, still_k: stillK } = this.#schema.cells;
    const kind = bits.bits(3);
    const spec = this.#schema.kinds[kind];
    if (!spec) throw new WireError(`no kind ${kind}`);
    const lowestOf = (index) => (index - columns / 2) * steps; // of the cell's column or row
    const values = spec.fields.map(({ role, bits: width, lowest }) => {
      if (role === 'x' || role === 'y') {
        const square = cell % (columns * columns); // without the layer
        const corner = lowestOf(role === 'x' ? square % columns : Math.floor(square / columns));
        return spec.moves ? bits.bits(localBits) + corner - margin : bits.signed(stillK) + corner + steps / 2;
      }
      return role === 'start' ? this.tick - bits.bits(width) : bits.bits(width) + lowest;
    });
    return { id, kind, values };
  }

  /** A record `ticks` later. */
  #updated(bits, record, ticks) {
    const { moves, fields } = this.#schema.kinds[record.kind];
    if (!moves) return record;
    const perStep = this.#schema.cells.velocity_ticks;
    const values = [...record.values];
    const change = (at) => (values[at] = inRange(fields[at], values[at] + bits.signed(fields[at].k)));
    const turns = (field) => field.role === 'angle';
    const miss = [0, 0];
    if (!bits.flag()) {
      [2, 3].forEach(change); // vx, vy
      [0, 1].forEach((axis) => (miss[axis] = bits.signed(fields[axis].k)));
      fields.forEach((field, at) => turns(field) && change(at));
      const restSame = bits.flag();
      fields.forEach((field, at) => restSame || at < 4 || turns(field) || bits.flag() || change(at));
    }
    for (const axis of [0, 1]) {
      const distance = (record.values[2 + axis] + values[2 + axis]) * ticks;
      values[axis] = inRange(fields[axis], values[axis] + Math.floor((distance + perStep) / (2 * perStep)) + miss[axis]);
    }
    return { ...record, values };
  }

  #takeUpdate(update) {
    if (update.kind === 'named') this.names.set(update.player, update.name);
    if (update.kind === 'left') this.names.delete(update.player);
    if (update.kind === 'away') this.away.add(update.player);
    if (['named', 'left', 'back'].includes(update.kind)) this.away.delete(update.player);
    if (update.kind === 'bot') this.bots.add(update.player);
    if (['named', 'left'].includes(update.kind)) this.bots.delete(update.player);
    if (update.kind === 'board') this.board = update;
    if (update.kind === 'match') this.matchStatus = update.matchStatus;
    if (update.kind === 'state') this.roomState = update.state;
  }
}

function readHead(bits) {
  const [tick, consumed, early] = [bits.bits(32), bits.bits(32), bits.bits(16)];
  const signed = early < 32768 ? early : early - 65536;
  const [missing, dropped, budget] = [bits.bits(8), bits.bits(8), bits.bits(8)];
  return { tick, consumed, earlyMs: signed === -32768 ? null : signed / 10, missing, dropped, budget };
}

/** The events of a snapshot in order, each `{ age, event }` with its age in ticks. */
function readEvents(bits, codec) {
  const count = bits.golomb(1);
  bits.align();
  return Array.from({ length: count }, () => {
    const happened = { age: bits.bits(8), event: codec.read(bits) };
    bits.align();
    return happened;
  });
}

function inRange({ name, role, bits, lowest, highest }, value) {
  const range = 2 ** bits;
  if (role === 'angle') return ((value % range) + range) % range;
  if (value < lowest || value > highest) throw new WireError(`${name} is ${value}`);
  return value;
}
