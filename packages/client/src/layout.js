// Values as the schema lays them out: section 15 of docs/PROTOCOL.md.
//
// A codec is `{ read(reader), write(writer, value), zero }`. Values are plain: a structure is an object, a list or a tuple an array, bytes
// a Uint8Array, a map a Map, a number of 64 bits or more a BigInt. Variants that are all mere names are their names; otherwise a variant is
// `{ kind: 'name', ...fields }`, or `{ kind: 'name', value }` if its content is no structure.

import { ByteReader, ByteWriter, WireError } from './wire.js';

const fail = (what) => {
  throw new WireError(what);
};

/**
 * One of several variants: `number` codes the index, `table` is a list of `[name, codec]`, with null for a mere name. The fields of a
 * structure go beside `kind`.
 */
export function variants(table, number) {
  const names = table.map(([name]) => name);
  const namesOnly = table.every(([, codec]) => codec === null);
  const tagged = (at, part) => {
    const [kind, codec] = table[at];
    if (namesOnly) return kind;
    if (codec === null) return { kind };
    return codec.fieldsBeside ? { kind, ...part(codec) } : { kind, value: part(codec) };
  };
  return {
    read: (r) => {
      const at = number.read(r);
      return at in names ? tagged(at, (codec) => codec.read(r)) : fail(`no variant ${at}`);
    },
    write: (w, value) => {
      const kind = namesOnly ? value : value?.kind;
      const at = names.indexOf(kind);
      if (at < 0) fail(`no variant ${kind}; there are: ${names.join(', ')}`);
      number.write(w, at);
      const codec = table[at][1];
      codec?.write(w, codec.fieldsBeside ? value : value.value);
    },
    get zero() {
      return names.length ? tagged(0, (codec) => codec.zero) : null;
    },
  };
}

export const option = (of, flag) => ({
  read: (r) => (flag.read(r) ? of.read(r) : null),
  write: (w, value) => {
    const present = value !== null && value !== undefined;
    flag.write(w, present);
    if (present) of.write(w, value);
  },
  zero: null,
});

/** Fields one after the other: `fields` is a list of `[name, codec]`. */
export const struct = (fields) => ({
  fieldsBeside: fields.every(([name]) => name !== 'kind'),
  read: (r) => Object.fromEntries(fields.map(([name, codec]) => [name, codec.read(r)])),
  write: (w, value) => {
    for (const [name, codec] of fields) {
      if (value[name] === undefined) fail(`${name} is missing in ${show(value)}`);
      codec.write(w, value[name]);
    }
  },
  get zero() {
    return Object.fromEntries(fields.map(([name, codec]) => [name, codec.zero]));
  },
});

const show = (value) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}` : part));
const tuple = (codecs) => ({
  read: (r) => codecs.map((codec) => codec.read(r)),
  write: (w, values) => codecs.forEach((codec, at) => codec.write(w, values[at])),
  get zero() {
    return codecs.map((codec) => codec.zero);
  },
});
const unit = { read: () => null, write: () => {}, zero: null };
const namedUnless = (layout, codec) => (layout === 'unit' ? null : codec(layout));

// ---- values coded as control messages are ----

const unsigned = (bits) => ({
  read: (r) => bounded(r.big(), 0n, (1n << bits) - 1n),
  write: (w, value) => w.big(bounded(BigInt(value), 0n, (1n << bits) - 1n)),
  zero: 0n,
});
const signed = (bits) => ({
  read: (r) => bounded(((zigzag) => (zigzag >> 1n) ^ -(zigzag & 1n))(r.big()), -(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n),
  write: (w, value) => {
    const big = bounded(BigInt(value), -(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n);
    w.big(big < 0n ? -2n * big - 1n : 2n * big);
  },
  zero: 0n,
});
const bounded = (value, lowest, highest) =>
  value < lowest || value > highest ? fail(`${value} is not in ${lowest}..=${highest}`) : value;
const small = (codec) => ({ read: (r) => Number(codec.read(r)), write: codec.write, zero: 0 });
const byte = (lowest, highest) => ({
  read: (r) => ((value) => (value > highest ? value - 256 : value))(r.take(1)[0]),
  write: (w, value) => w.put([Number(bounded(Math.trunc(value), lowest, highest)) & 255]),
  zero: 0,
});
const float = (bytes, get, set) => ({
  read: (r) => new DataView(Uint8Array.from(r.take(bytes)).buffer)[get](0, true),
  write: (w, value) => {
    const view = new DataView(new ArrayBuffer(bytes));
    view[set](0, value, true);
    w.put(new Uint8Array(view.buffer));
  },
  zero: 0,
});
export const u8 = byte(0, 255);
export const u64 = unsigned(64n);
/** A u16, a u32, or a time, which stays below 2^53. */
export const uint = small(u64);
export const int = small(signed(64n));
export const bool = {
  read: (r) => ((value) => (value > 1 ? fail(`${value} is no bool`) : value === 1))(u8.read(r)),
  write: (w, value) => u8.write(w, value ? 1 : 0),
  zero: false,
};
export const bytes = {
  read: (r) => Uint8Array.from(r.take(uint.read(r))),
  write: (w, value) => {
    uint.write(w, value.length);
    w.put(value);
  },
  zero: new Uint8Array(0),
};
export const string = {
  read: (r) => new TextDecoder('utf-8', { fatal: true }).decode(r.take(uint.read(r))),
  write: (w, value) => bytes.write(w, new TextEncoder().encode(value)),
  zero: '',
};
const char = {
  read: (r) => {
    const [first] = r.take(1);
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from([first, ...r.take(more)]));
  },
  write: (w, value) => w.put(new TextEncoder().encode(value)),
  zero: ' ',
};
export const list = (of, count = uint) => ({
  read: (r) => {
    const values = [];
    for (let left = count.read(r); left > 0; left--) values.push(of.read(r));
    return values;
  },
  write: (w, values) => {
    count.write(w, values.length);
    values.forEach((value) => of.write(w, value));
  },
  zero: [],
});
const map = (entry) => ({
  read: (r) => new Map(list(entry).read(r)),
  write: (w, value) => list(entry).write(w, [...value]),
  get zero() {
    return new Map();
  },
});
/** A fixed number of bytes. */
export const fixedBytes = (count) => ({
  read: (r) => Uint8Array.from(r.take(count)),
  write: (w, value) => (value.length === count ? w.put(value) : fail(`${value.length} bytes are not ${count}`)),
  get zero() {
    return new Uint8Array(count);
  },
});

const PLAIN = {
  unit, bool, u8, i8: byte(-128, 127), string, bytes, char,
  u16: small(unsigned(16n)), u32: small(unsigned(32n)), u64, u128: unsigned(128n),
  i16: small(signed(16n)), i32: small(signed(32n)), i64: signed(64n), i128: signed(128n),
  f32: float(4, 'getFloat32', 'setFloat32'), f64: float(8, 'getFloat64', 'setFloat64'),
};

function byteCodec(layout) {
  if (typeof layout === 'string') return PLAIN[layout] ?? fail(`this client does not know the layout ${layout}`);
  if (layout.option) return option(byteCodec(layout.option), bool);
  if (layout.list) return layout.list === 'u8' ? bytes : list(byteCodec(layout.list));
  if (layout.map) return map(tuple([byteCodec(layout.map.key), byteCodec(layout.map.value)]));
  if (layout.tuple) return tuple(layout.tuple.map(byteCodec));
  if (layout.array) {
    const { of, length } = layout.array;
    return of === 'u8' ? fixedBytes(length) : tuple(Array(length).fill(byteCodec(of)));
  }
  if (layout.struct) return struct(layout.struct.map(({ name, layout: of }) => [name, byteCodec(of)]));
  if (layout.enum) return variants(layout.enum.map(({ name, layout: of }) => [name, namedUnless(of, byteCodec)]), PLAIN.u32);
  return fail(`this client does not know the layout ${JSON.stringify(layout)}`);
}

// ---- values in a stream of bits ----

const flag = { read: (r) => r.flag(), write: (w, value) => w.bits(value ? 1 : 0, 1), zero: false };
const golomb = (k) => ({ read: (r) => r.golomb(k), write: (w, value) => w.golomb(value, k), zero: 0 });
const f32 = { read: (r) => r.f32(), write: (w, value) => w.f32(value), zero: 0 };

function scaled({ bits, lowest = 0, step = 1 }) {
  const highest = lowest + 2 ** bits - 1;
  return {
    read: (r) => (r.bits(bits) + lowest) * step,
    write: (w, value) => w.bits(bounded(Math.round(value / step), lowest, highest) - lowest, bits),
    zero: Math.min(Math.max(0, lowest), highest) * step,
  };
}

function bitCodec(layout) {
  if (layout === 'unit') return unit;
  if (layout === 'bool') return flag;
  if (layout === 'f32') return f32;
  if (layout.enum) {
    return variants(layout.enum.map(({ name, layout: of }) => [name, namedUnless(of, bitCodec)]), scaled({ bits: layout.bits }));
  }
  if (layout.bits) return scaled(layout);
  if ('golomb' in layout) return golomb(layout.golomb);
  if ('signed' in layout) return { read: (r) => r.signed(layout.signed), write: (w, value) => w.signed(value, layout.signed), zero: 0 };
  if (layout.option) return option(bitCodec(layout.option), flag);
  if (layout.list) return list(bitCodec(layout.list), golomb(layout.k));
  if (layout.struct) return struct(layout.struct.map(({ name, layout: of }) => [name, bitCodec(of)]));
  return fail(`this client does not know the layout ${JSON.stringify(layout)}`);
}

// ---- what the schema describes ----

const undescribed = (what) => {
  const refuse = () => fail(`the server's schema does not describe the ${what}`);
  return { read: refuse, write: refuse, zero: null };
};

/** The codec of a described value, over bytes: for requests and room states. */
export const codecOfBytes = (what, { encoding, layout }) => {
  if (layout === null) return undescribed(what);
  return encoding === 'bytes' ? byteCodec(layout) : fail(`the ${what} is not coded in bytes`);
};

/** The codec of a described value, over bits: for inputs, player states and events. */
export const codecOfBits = (what, { encoding, layout }) => {
  if (layout === null) return undescribed(what);
  return encoding === 'bits' ? bitCodec(layout) : byteCodec(layout);
};

/** A value of a game inside a control message: a list of bytes, which hold it wholly. */
export const nested = (codec) => ({
  read: (r) => {
    const reader = new ByteReader(bytes.read(r));
    const value = codec.read(reader);
    if (!reader.done) fail('bytes are left over behind a value of the game');
    return value;
  },
  write: (w, value) => {
    const writer = new ByteWriter();
    codec.write(writer, value);
    bytes.write(w, writer.bytes);
  },
  get zero() {
    return codec.zero;
  },
});
