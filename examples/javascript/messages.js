// Control messages and room updates: section 6 of docs/PROTOCOL.md, and "Room updates" in section 8.
//
// A type is a pair of functions: `read(reader)` decodes a value, `write(writer, value)` encodes it. Values are plain: a structure is an
// object, a variant is `{ kind: 'name', ...fields }`, a 64-bit number is a BigInt.

import { ByteReader, ByteWriter, WireError } from './wire.js';

const u64 = { read: (r) => r.big(), write: (w, value) => w.big(BigInt(value)) };
const uint = { read: (r) => Number(r.big()), write: u64.write }; // u16, u32, and times, which stay below 2^53
const int = {
  read: (r) => ((zigzag) => (zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2))(uint.read(r)),
  write: (w, value) => uint.write(w, value < 0 ? -2 * value - 1 : 2 * value),
};
const u8 = { read: (r) => r.take(1)[0], write: (w, value) => w.put([value]) };
const bool = { read: (r) => u8.read(r) === 1, write: (w, value) => u8.write(w, value ? 1 : 0) };
const bytes = (count) => ({ read: (r) => Uint8Array.from(r.take(count)), write: (w, value) => w.put(value) });
const string = {
  read: (r) => new TextDecoder('utf-8', { fatal: true }).decode(r.take(uint.read(r))),
  write: (w, value) => {
    const encoded = new TextEncoder().encode(value);
    uint.write(w, encoded.length);
    w.put(encoded);
  },
};
const option = (of) => ({
  read: (r) => (bool.read(r) ? of.read(r) : null),
  write: (w, value) => {
    bool.write(w, value !== null);
    if (value !== null) of.write(w, value);
  },
});
const list = (of) => ({
  read: (r) => Array.from({ length: uint.read(r) }, () => of.read(r)),
  write: (w, values) => {
    uint.write(w, values.length);
    values.forEach((value) => of.write(w, value));
  },
});
const struct = (fields) => ({
  read: (r) => Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, type.read(r)])),
  write: (w, value) => Object.entries(fields).forEach(([name, type]) => type.write(w, value[name])),
});
/** Variants without fields: only the number of the variant is encoded. */
const enumeration = (...names) => ({
  read: (r) => names[uint.read(r)] ?? fail('no such variant'),
  write: (w, value) => uint.write(w, names.indexOf(value)),
});
const variants = (table) => {
  const [names, types] = [Object.keys(table), Object.values(table).map(struct)];
  return {
    read: (r) => {
      const number = uint.read(r);
      return { kind: names[number] ?? fail(`no variant ${number}`), ...types[number].read(r) };
    },
    write: (w, value) => {
      const number = names.indexOf(value.kind);
      if (number < 0) fail(`no variant ${value.kind}`);
      uint.write(w, number);
      types[number].write(w, value);
    },
  };
};
const fail = (what) => {
  throw new WireError(what);
};

const mode = enumeration('arena', 'teams', 'duel');
const role = enumeration('play', 'spectate');
const token = struct({ session: u64, signature: bytes(16) });
const choice = variants({
  quick: {},
  room: { room: uint },
  mode: { mode },
  code: { code: string },
  reserved: { room: uint, reservation: u64 },
});
const request = variants({
  setName: { name: string },
  subscribe: { topic: string },
  unsubscribe: { topic: string },
  say: { topic: string, text: string },
  directMessage: { to: string, text: string },
  mute: { name: string },
  unmute: { name: string },
  report: { name: string, text: string },
  exit: {},
  follow: { player: uint },
  handshake: {},
});
const team = struct({ name: string, score: uint, goal: uint, rounds: u8, players: uint });
const zone = struct({
  x: int, y: int, radius: uint, holder: option(u8), contested: bool, from: int, to: int, since: uint, full: uint,
});
const matchStatus = struct({
  mode,
  phase: enumeration('open', 'waiting', 'countdown', 'playing', 'pause', 'results'),
  round: u8,
  rounds: u8,
  tick: uint,
  ends: option(uint),
  teams: list(team),
  zone: option(zone),
  winner: option(u8),
});
const refusal = variants({
  noSuchTopic: {}, notAllowed: {}, tooFast: { wait_ms: uint }, badText: {}, badName: {}, noSuchPlayer: {}, tooMany: {},
  nameless: {}, notInRoom: {},
});
const publication = variants({
  said: { from: string, text: string },
  killFeed: { by: option(string), verb: string, of: string },
  leaders: { lines: list(struct({ name: string, room: uint, score: int })) },
  announcement: { text: string },
  match: { matchStatus },
});
const serverNotice = variants({
  muted: {},
  roomEnds: { seconds: uint },
  friendJoined: { name: string },
  renamed: { name: string },
  following: { player: uint },
  missed: { count: uint },
});
const header = struct({ name: string, value: string });

const fromClient = variants({
  hello: {
    revision: uint,
    agent: string,
    resume: option(struct({ token, have: uint, cells: list(struct({ cell: uint, behind: u8 })) })),
  },
  join: { name: string, room: choice, role },
  ping: { client_time: uint },
  leave: {},
  request: { id: uint, request },
});
const fromServer = variants({
  welcome: { revision: uint, server: string, token, resumed: bool },
  joined: { room: uint, player: uint, tick_hz: uint, snapshot_every: uint, tick_zero: uint, mode, role },
  pong: { client_time: uint, server_time: uint, tick_us: uint },
  queued: { position: uint },
  reply: { id: uint, outcome: variants({ done: {}, refused: { why: refusal } }) },
  published: { topic: string, at: uint, publication },
  directMessage: { from: string, text: string },
  serverNotice: { notice: serverNotice },
  handshake: { request: string, asked: list(header), response: string, answered: list(header) },
});
const roomUpdate = variants({
  named: { player: uint, name: string },
  left: { player: uint },
  board: { tick: uint, players: uint, extent: uint, lines: list(struct({ player: uint, score: int })) },
  away: { player: uint },
  back: { player: uint },
  match: { matchStatus },
  message: { message: fromServer },
});

const CONTROL = 1; // the first byte of a frame

const encode = (type) => (message) => {
  const writer = new ByteWriter();
  writer.put([CONTROL]);
  type.write(writer, message);
  return Uint8Array.from(writer.bytes);
};
const decode = (type) => (frame) => {
  const reader = new ByteReader(frame, 1);
  const message = type.read(reader);
  if (frame[0] !== CONTROL || !reader.done) fail('not one control message');
  return message;
};

export const encodeClient = encode(fromClient);
export const decodeClient = decode(fromClient);
export const encodeServer = encode(fromServer);
export const decodeServer = decode(fromServer);

/** The room updates at the end of a snapshot. */
export function readUpdates(bytes) {
  const [reader, updates] = [new ByteReader(bytes), []];
  while (!reader.done) updates.push(roomUpdate.read(reader));
  return updates;
}
