// Draws an address as a QR code (ISO/IEC 18004): bytes, error correction level M, versions 1 to 10, which hold 213 bytes.

// Per version: how many codewords there are, how many of each block correct errors, and how many blocks there are.
const TOTAL = [0, 26, 44, 70, 100, 134, 172, 196, 242, 292, 346];
const CORRECTION = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26];
const BLOCKS = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5];
// The level M in the format information.
const LEVEL = 0;

const MASKS = [
  (x, y) => (x + y) % 2,
  (x, y) => y % 2,
  (x, y) => x % 3,
  (x, y) => (x + y) % 3,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3),
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];

// ---- the field of 256 elements, by x^8 + x^4 + x^3 + x^2 + 1 ----

function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** The divisor of Reed-Solomon codes of this degree, without its leading 1. */
function divisorOf(degree) {
  const divisor = new Uint8Array(degree);
  divisor[degree - 1] = 1;
  let root = 1;
  for (let i = 0; i < degree; i += 1) {
    for (let j = 0; j < degree; j += 1) divisor[j] = times(divisor[j], root) ^ (divisor[j + 1] ?? 0);
    root = times(root, 2);
  }
  return divisor;
}

function remainder(data, divisor) {
  const rest = new Array(divisor.length).fill(0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((part, at) => (rest[at] ^= times(part, factor)));
  }
  return rest;
}

// ---- codewords ----

const headBits = (version) => 4 + (version < 10 ? 8 : 16);
const dataCodewords = (version) => TOTAL[version] - CORRECTION[version] * BLOCKS[version];

function versionFor(bytes) {
  const fits = (version) => headBits(version) + 8 * bytes.length <= 8 * dataCodewords(version);
  const version = TOTAL.findIndex((_, version) => version > 0 && fits(version));
  if (version < 0) throw new RangeError(`${bytes.length} bytes are too long for a QR code of version 10`);
  return version;
}

function dataOf(bytes, version) {
  const bits = [];
  const push = (value, length) => {
    for (let bit = length - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1);
  };
  push(4, 4);
  push(bytes.length, headBits(version) - 4);
  bytes.forEach((byte) => push(byte, 8));
  const whole = 8 * dataCodewords(version);
  push(0, Math.min(4, whole - bits.length));
  push(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < whole; pad ^= 0xec ^ 0x11) push(pad, 8);
  return Array.from({ length: whole / 8 }, (_, at) => bits.slice(8 * at, 8 * at + 8).reduce((byte, bit) => 2 * byte + bit, 0));
}

/** The data in blocks, each with its correction, interleaved as they are drawn. */
function codewordsOf(bytes, version) {
  const data = dataOf(bytes, version);
  const [count, divisor] = [BLOCKS[version], divisorOf(CORRECTION[version])];
  // The blocks at the end are one longer where it does not come out even.
  const short = Math.floor(data.length / count);
  const longer = data.length % count;
  const blocks = [];
  for (let at = 0, block = 0; block < count; block += 1) {
    const length = short + (block >= count - longer ? 1 : 0);
    const part = data.slice(at, at + length);
    blocks.push({ part, correction: remainder(part, divisor) });
    at += length;
  }
  const interleave = (of, length) => Array.from({ length }, (_, at) => blocks.map((block) => of(block)[at])).flat();
  const all = [...interleave((block) => block.part, short + 1), ...interleave((block) => block.correction, CORRECTION[version])];
  return all.filter((byte) => byte !== undefined);
}

// ---- modules ----

/** A square of modules: `dark` by row and column, and which are `fixed` by patterns. */
function squareOf(version) {
  const size = 17 + 4 * version;
  const rows = () => Array.from({ length: size }, () => new Array(size).fill(false));
  const square = { size, dark: rows(), fixed: rows() };
  square.set = (x, y, dark) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    square.dark[y][x] = Boolean(dark);
    square.fixed[y][x] = true;
  };
  return square;
}

function drawPatterns(square, version) {
  const { size, set } = square;
  for (let i = 0; i < size; i += 1) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    for (let y = -4; y <= 4; y += 1) {
      for (let x = -4; x <= 4; x += 1) {
        const ring = Math.max(Math.abs(x), Math.abs(y));
        set(cx + x, cy + y, ring !== 2 && ring !== 4);
      }
    }
  }
  for (const cx of alignmentsOf(version, size)) {
    for (const cy of alignmentsOf(version, size)) {
      // Three of the corners have a larger pattern.
      if ([[6, 6], [6, size - 7], [size - 7, 6]].some(([x, y]) => cx === x && cy === y)) continue;
      for (let y = -2; y <= 2; y += 1) {
        for (let x = -2; x <= 2; x += 1) set(cx + x, cy + y, Math.max(Math.abs(x), Math.abs(y)) !== 1);
      }
    }
  }
}

function alignmentsOf(version, size) {
  if (version === 1) return [];
  return version < 7 ? [6, size - 7] : [6, (size - 1) / 2, size - 7];
}

/** A number with the remainder of its division by `divisor`, as the format and the version are written. */
function withRemainder(value, bits, divisor) {
  let rest = value;
  for (let i = 0; i < bits; i += 1) rest = (rest << 1) ^ ((rest >> (bits - 1)) * divisor);
  return (value << bits) | rest;
}

function drawFormat({ size, set }, mask) {
  const format = withRemainder((LEVEL << 3) | mask, 10, 0x537) ^ 0x5412;
  const bit = (at) => (format >> at) & 1;
  for (let i = 0; i < 6; i += 1) set(8, i, bit(i));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let i = 9; i < 15; i += 1) set(14 - i, 8, bit(i));
  for (let i = 0; i < 8; i += 1) set(size - 1 - i, 8, bit(i));
  for (let i = 8; i < 15; i += 1) set(8, size - 15 + i, bit(i));
  set(8, size - 8, true);
}

function drawVersion({ size, set }, version) {
  if (version < 7) return;
  const bits = withRemainder(version, 12, 0x1f25);
  for (let i = 0; i < 18; i += 1) {
    const [far, near] = [size - 11 + (i % 3), Math.floor(i / 3)];
    set(far, near, (bits >> i) & 1);
    set(near, far, (bits >> i) & 1);
  }
}

/** The codewords from the lower right corner on, two columns at a time, up and down. */
function drawCodewords({ size, dark, fixed }, codewords) {
  let at = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    // The column of the timing pattern is left out.
    if (right === 6) right = 5;
    const up = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const y = up ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (fixed[y][x] || at >= 8 * codewords.length) continue;
        dark[y][x] = Boolean((codewords[at >> 3] >> (7 - (at & 7))) & 1);
        at += 1;
      }
    }
  }
}

/** How hard a square is to read: long runs, blocks, patterns like those of the corners, too much of one color. */
function penaltyOf({ size, dark }) {
  const lines = [...dark, ...dark.map((_, x) => dark.map((row) => row[x]))].map((line) => line.map(Number).join(""));
  let penalty = 0;
  for (const line of lines) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) penalty += run.length - 2;
    for (const _ of line.matchAll(/(?=10111010000)|(?=00001011101)/g)) penalty += 40;
  }
  for (let y = 1; y < size; y += 1) {
    for (let x = 1; x < size; x += 1) {
      if (new Set([dark[y][x], dark[y - 1][x], dark[y][x - 1], dark[y - 1][x - 1]]).size === 1) penalty += 3;
    }
  }
  const share = dark.flat().filter(Boolean).length / (size * size);
  return penalty + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}

/** The modules of the QR code of a text, by row and column: true is dark. */
export function modulesOf(text) {
  const bytes = Array.from(new TextEncoder().encode(text));
  const version = versionFor(bytes);
  const square = squareOf(version);
  drawPatterns(square, version);
  drawFormat(square, 0);
  drawVersion(square, version);
  drawCodewords(square, codewordsOf(bytes, version));
  let best = null;
  MASKS.forEach((covers, mask) => {
    const dark = square.dark.map((row, y) => row.map((was, x) => was !== (!square.fixed[y][x] && covers(x, y) === 0)));
    const masked = { ...square, dark };
    drawFormat({ size: square.size, set: (x, y, is) => (dark[y][x] = Boolean(is)) }, mask);
    const penalty = penaltyOf(masked);
    if (!best || penalty < best.penalty) best = { penalty, dark };
  });
  return best.dark;
}

/** Shows the QR code of a text below the row of a button, or hides it again. */
export function toggle(button, text) {
  const row = button.parentElement;
  const shown = row.nextElementSibling?.matches(".qr") ? row.nextElementSibling : null;
  button.setAttribute("aria-expanded", String(!shown));
  if (shown) {
    shown.remove();
    return;
  }
  const modules = modulesOf(text);
  // Four modules of light around it.
  const size = modules.length + 8;
  const path = modules.map((line, y) => line.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : "")).join("")).join("");
  const picture = document.createElement("div");
  picture.className = "qr";
  picture.innerHTML = `<svg viewBox="0 0 ${size} ${size}" role="img" shape-rendering="crispEdges"><rect width="${size}" height="${size}" fill="#fff"/><path d="${path}"/></svg>`;
  picture.firstChild.setAttribute("aria-label", `QR code of ${text}`);
  row.after(picture);
}
