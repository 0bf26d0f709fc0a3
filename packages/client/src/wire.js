// The two encodings of numbers: section 4 of docs/PROTOCOL.md. Readers and writers of bits also take whole bytes, at any bit.

/** The bytes cannot be decoded, or a value cannot be encoded. */
export class WireError extends Error {
  name = 'WireError';
}

const WIDTHS = { 251: 2, 252: 4, 253: 8 };

/** An unsigned integer of any width, as a BigInt, from what gives bytes. */
function readBig(reader) {
  const first = reader.take(1)[0];
  if (first <= 250) return BigInt(first);
  const width = WIDTHS[first];
  if (!width) throw new WireError(`${first} begins no integer`);
  return reader.take(width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function writeBig(writer, value) {
  if (value <= 250n) return writer.put([Number(value)]);
  const [first, width] = value < 1n << 16n ? [251, 2] : value < 1n << 32n ? [252, 4] : [253, 8];
  writer.put([first]);
  for (let at = 0; at < width; at++) writer.put([Number((value >> BigInt(8 * at)) & 255n)]);
}

/** Reads control messages and room updates, byte by byte. */
export class ByteReader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get done() {
    return this.at === this.bytes.length;
  }

  take(count) {
    if (this.at + count > this.bytes.length) throw new WireError(`${count} bytes are missing at ${this.at}`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  big() {
    return readBig(this);
  }
}

/** Writes control messages, byte by byte. */
export class ByteWriter {
  bytes = [];

  put(bytes) {
    this.bytes.push(...bytes);
  }

  big(value) {
    writeBig(this, value);
  }
}

/** Reads snapshots, bit by bit, the least significant bit of each byte first. */
export class BitReader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at; // in bits
  }

  bits(count) {
    if (this.at + count > this.bytes.length * 8) throw new WireError(`${count} bits are missing at ${this.at}`);
    let value = 0;
    for (let done = 0; done < count; ) {
      const offset = this.at & 7;
      const width = Math.min(8 - offset, count - done);
      value += ((this.bytes[this.at >> 3] >> offset) & ((1 << width) - 1)) * 2 ** done;
      this.at += width;
      done += width;
    }
    return value;
  }

  flag() {
    return this.bits(1) === 1;
  }

  f32() {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, this.bits(32));
    return view.getFloat32(0);
  }

  golomb(k) {
    let zeros = 0;
    while (!this.flag()) if (++zeros > 32) throw new WireError('more than 32 zeros begin no number');
    return (2 ** zeros + this.bits(zeros) - 1) * 2 ** k + this.bits(k);
  }

  signed(k) {
    const zigzag = this.golomb(k);
    return zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
  }

  take(count) {
    return Uint8Array.from({ length: count }, () => this.bits(8));
  }

  big() {
    return readBig(this);
  }

  /** Skips to the next whole byte; the remaining bits of this one must be zero. */
  align() {
    if (this.bits(-this.at & 7)) throw new WireError('padding is not zero');
  }
}

/** Writes input packets, bit by bit. */
export class BitWriter {
  bytes = [];
  count = 0;

  bits(value, count) {
    for (let bit = 0; bit < count; bit++, this.count++) {
      if (this.count % 8 === 0) this.bytes.push(0);
      if (Math.floor(value / 2 ** bit) % 2) this.bytes[this.count >> 3] |= 1 << this.count % 8;
    }
  }

  f32(value) {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, value);
    this.bits(view.getUint32(0), 32);
  }

  golomb(value, k) {
    const q = Math.floor(value / 2 ** k) + 1;
    const width = Math.floor(Math.log2(q)) + 1;
    this.bits(0, width - 1);
    this.bits(1, 1);
    this.bits(q, width - 1);
    this.bits(value, k);
  }

  signed(value, k) {
    this.golomb(value < 0 ? -2 * value - 1 : 2 * value, k);
  }

  put(bytes) {
    bytes.forEach((byte) => this.bits(byte, 8));
  }

  big(value) {
    writeBig(this, value);
  }
}
