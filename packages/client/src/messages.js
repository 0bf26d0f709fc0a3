// Control messages and room updates: section 6 of docs/PROTOCOL.md, and "Room updates" in section 8.

import { bool, fixedBytes, int, list, nested, option, string, struct as fieldsOf, u64, u8, uint, variants as variantsOf } from './layout.js';
import { ByteReader, ByteWriter, WireError } from './wire.js';

const CONTROL = 1; // the first byte of a frame
const NODES = 16; // how many nodes a server lists
const SCORE_LINES = 64; // of a room
const NODE_URL_BYTES = 200; // of the address of one

const struct = (fields) => fieldsOf(Object.entries(fields));
/** Variants with their fields; those without are written `{}`. */
const variants = (table) => variantsOf(Object.entries(table).map(([name, fields]) => [name, struct(fields)]), uint);
/** Variants that are mere names. */
const enumeration = (names, number = uint) => variantsOf(names.map((name) => [name, null]), number);

/** Refuses to read more than `limit`. */
const atMost = (limit, what, codec, sizeOf = ({ length }) => length) => ({
  ...codec,
  read: (reader) => {
    const value = codec.read(reader);
    if (sizeOf(value) > limit) throw new WireError(`${sizeOf(value)} ${what}; at most ${limit}`);
    return value;
  },
});
const nodeUrl = atMost(NODE_URL_BYTES, "bytes of a node's address", string, (text) => new TextEncoder().encode(text).length);

/** The codecs of all messages, for a game with these names of modes and these codecs of its requests and room states. */
export function messageCodecs({ modes, request: gameRequest, roomState }) {
  const mode = enumeration(modes, u8);
  const role = enumeration(['play', 'spectate']);
  const token = struct({ session: u64, signature: fixedBytes(16) });
  const accountToken = struct({ account: fixedBytes(16), expires_s: uint, signature: fixedBytes(16) });
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
    game: { request: nested(gameRequest) },
    scores: {},
    look: { x: int, y: int },
  });
  const team = struct({ name: string, score: uint, goal: uint, rounds: u8, players: uint });
  const matchStatus = struct({
    mode,
    phase: enumeration(['open', 'waiting', 'countdown', 'playing', 'pause', 'results']),
    round: u8,
    rounds: u8,
    tick: uint,
    ends: option(uint, bool),
    teams: list(team),
    winner: option(u8, bool),
  });
  const refusal = variants({
    noSuchTopic: {}, notAllowed: {}, tooFast: { wait_ms: uint }, badText: {}, badName: {}, noSuchPlayer: {}, tooMany: {},
    nameless: {}, notInRoom: {}, byGame: { reason: u8 }, muted: {},
  });
  const publication = variants({
    said: { from: string, text: string },
    killFeed: { by: option(string, bool), verb: string, of: string },
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
  const scoreLine = struct({ player: uint, score: int, kills: uint, deaths: uint, assists: uint, ping_ms: uint });
  const header = struct({ name: string, value: string });

  const client = variants({
    hello: {
      revision: uint,
      agent: string,
      resume: option(struct({ token, have: uint, cells: list(struct({ cell: uint, behind: u8 })) }), bool),
      account: option(accountToken, bool),
    },
    join: { name: string, room: choice, role },
    ping: { client_time: uint },
    leave: {},
    request: { id: uint, request },
  });
  const server = variants({
    welcome: { revision: uint, server: string, token, resumed: bool, account: option(fixedBytes(16), bool) },
    joined: { room: uint, player: uint, tick_hz: uint, snapshot_every: uint, tick_zero: uint, mode, role },
    pong: { client_time: uint, server_time: uint, tick_us: uint },
    queued: { position: uint },
    reply: { id: uint, outcome: variants({ done: {}, refused: { why: refusal } }) },
    published: { topic: string, at: uint, publication },
    directMessage: { from: string, text: string },
    serverNotice: { notice: serverNotice },
    handshake: { request: string, asked: list(header), response: string, answered: list(header) },
    redirect: { url: nodeUrl, join: option(choice, bool) },
    nodes: { urls: atMost(NODES, 'nodes of a cluster', list(nodeUrl)) },
    scores: { lines: atMost(SCORE_LINES, 'lines of the scores', list(scoreLine)) },
  });
  const update = variants({
    named: { player: uint, name: string },
    left: { player: uint },
    board: { tick: uint, players: uint, extent: uint, lines: list(struct({ player: uint, score: int })) },
    away: { player: uint },
    back: { player: uint },
    match: { matchStatus },
    message: { message: server },
    state: { state: nested(roomState) },
    bot: { player: uint },
  });
  return { client: framed(client), server: framed(server), updates: readAll(update) };
}

/** A message as a frame of its own. */
const framed = (codec) => ({
  encode: (message) => {
    const writer = new ByteWriter();
    writer.put([CONTROL]);
    codec.write(writer, message);
    return Uint8Array.from(writer.bytes);
  },
  decode: (frame) => {
    const reader = new ByteReader(frame, 1);
    const message = codec.read(reader);
    if (frame[0] !== CONTROL || !reader.done) throw new WireError('not one control message');
    return message;
  },
});

const readAll = (codec) => (part) => {
  const [reader, values] = [new ByteReader(part), []];
  while (!reader.done) values.push(codec.read(reader));
  return values;
};
