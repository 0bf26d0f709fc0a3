// Input packets: section 7 of docs/PROTOCOL.md.

import { BitReader, BitWriter, WireError } from './wire.js';

const STATE = 2; // the first byte of a frame

/** Encodes an input packet: inputs for the tick `first` and those after it. */
export function encodeInput(codec, { acked, first, lag = 0, samples }) {
  const bits = new BitWriter();
  bits.bits(STATE, 8);
  bits.bits(acked, 32);
  bits.bits(first, 32);
  bits.golomb(lag, 8);
  bits.golomb(samples.length - 1, 1);
  let before = null;
  for (const sample of samples) {
    const own = new BitWriter();
    codec.write(own, sample);
    const same = before !== null && before.count === own.count && before.bytes.every((byte, at) => byte === own.bytes[at]);
    if (before) bits.bits(same ? 1 : 0, 1);
    if (!same) codec.write(bits, sample);
    before = own;
  }
  return Uint8Array.from(bits.bytes);
}

/** Decodes an input packet, as a server does. */
export function decodeInput(codec, frame) {
  const bits = new BitReader(frame, 8);
  const packet = { acked: bits.bits(32), first: bits.bits(32), lag: bits.golomb(8), samples: [] };
  for (let left = bits.golomb(1) + 1; left > 0; left--) {
    const before = packet.samples.at(-1);
    packet.samples.push(before !== undefined && bits.flag() ? before : codec.read(bits));
  }
  bits.align();
  if (bits.at !== frame.length * 8) throw new WireError('bytes are left over behind an input packet');
  return packet;
}
