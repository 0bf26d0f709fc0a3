// Types of @broadside/client. What belongs to one game, such as its inputs, is a type of yours: `Client<MyGame>`.

/** What a game's values look like; the server's schema says so. Leave out what you do not use. */
export interface GameTypes {
  /** The input of one tick. */
  input?: unknown;
  /** The exact private state of the own player. */
  playerState?: unknown;
  /** Something that happened once. */
  event?: unknown;
  /** A request of the game. */
  request?: unknown;
  /** The game's state of a room. */
  roomState?: unknown;
}
/** The type of one of a game's values. */
export type Of<G extends GameTypes, K extends keyof GameTypes> = G extends Record<K, infer T> ? T : any;

/** Reads and writes a value. */
export interface Codec<T> {
  read(from: BitReader | ByteReader): T;
  write(to: BitWriter | ByteWriter, value: T): void;
  /** A value to begin with: zeros, no options, first variants. */
  readonly zero: T;
}
/** Reads and writes a control message as a frame of its own. */
export interface FrameCodec<T> {
  encode(message: T): Uint8Array;
  decode(frame: Uint8Array): T;
}

export interface Field {
  name: string;
  role: 'x' | 'y' | 'velocity' | 'angle' | 'plain' | 'signed' | 'start';
  bits: number;
  lowest: number;
  highest: number;
  step: number;
  k: number;
}
export interface Kind {
  name: string;
  moves: boolean;
  fields: Field[];
}
/** A layout as `GET /api/schema` has it; docs/PROTOCOL.md, section 15. */
export type Layout = string | { [key: string]: unknown };
export interface Encoded {
  encoding: 'bytes' | 'bits';
  layout: Layout | null;
}
/** What a close code means. */
export interface Close {
  code: number;
  reason: string;
  /** What to tell a person. */
  advice: string;
  /** Whether to connect again without being asked. */
  reconnect: boolean;
}
/** How a connection ended. */
export interface Closed extends Close {
  /** How long to wait before the next connection, in milliseconds. `reconnect` does. */
  pauseMs: number;
}
/** The answer of `GET /api/schema`. */
export interface SchemaJson {
  game: string;
  subprotocol: string;
  revision: number;
  tick_hz: number;
  snapshot_every: number;
  view: [number, number];
  predicts: boolean;
  cells: {
    columns: number;
    layers: number;
    steps: number;
    step: number;
    local_bits: number;
    margin: number;
    still_k: number;
    velocity_ticks: number;
  };
  modes: { name: string; title: string; summary: string; seats: number; teams: number }[];
  kinds: Kind[];
  input: Encoded;
  player_state: Encoded;
  event: Encoded;
  request: Encoded;
  room_state: Encoded;
  refusals: string[];
  correction_causes: string[];
  messages: { client: Encoded; server: Encoded; update: Encoded };
  close_codes: Close[];
  limits: {
    client_frame_bytes: number;
    server_frame_bytes: number;
    samples: number;
    input_ahead_ticks: number;
    lag: number;
    resumed_cells: number;
    game_request_bytes: number;
    room_state_bytes: number;
    silence_ms: number;
  };
}

/** The revision of the protocol that this client speaks. */
export const REVISION: number;

export interface Schema<G extends GameTypes = GameTypes> extends SchemaJson {}
/** A server's schema with the codecs that follow from it. */
export class Schema<G extends GameTypes = GameTypes> {
  /** Throws a `WireError` if the server speaks another revision. */
  constructor(json: SchemaJson);
  /** Fetches the schema of the server whose WebSocket is at `url`, such as `wss://example.org/ws`. */
  static fetch<G extends GameTypes = GameTypes>(url: string | URL): Promise<Schema<G>>;
  readonly modeNames: string[];
  readonly codecs: {
    input: Codec<Of<G, 'input'>>;
    playerState: Codec<Of<G, 'playerState'>>;
    event: Codec<Of<G, 'event'>>;
    roomState: Codec<Of<G, 'roomState'>>;
    client: FrameCodec<ClientMessage<G>>;
    server: FrameCodec<ServerMessage>;
    updates(bytes: Uint8Array): RoomUpdate<G>[];
  };
  /** What a close code means; any other code means that the connection was lost. */
  close(code: number): Close;
}

export type Role = 'play' | 'spectate';
export type RoomChoice =
  | { kind: 'quick' }
  | { kind: 'room'; room: number }
  | { kind: 'mode'; mode: string }
  | { kind: 'code'; code: string }
  | { kind: 'reserved'; room: number; reservation: bigint };
export interface Token {
  session: bigint;
  signature: Uint8Array;
}
export type Request<G extends GameTypes = GameTypes> =
  | { kind: 'setName'; name: string }
  | { kind: 'subscribe' | 'unsubscribe'; topic: string }
  | { kind: 'say'; topic: string; text: string }
  | { kind: 'directMessage'; to: string; text: string }
  | { kind: 'mute' | 'unmute'; name: string }
  | { kind: 'report'; name: string; text: string }
  | { kind: 'exit' | 'handshake' | 'scores' }
  | { kind: 'follow'; player: number }
  | { kind: 'game'; request: Of<G, 'request'> };
export type Refusal =
  | {
      kind:
        | 'noSuchTopic' | 'notAllowed' | 'badText' | 'badName' | 'noSuchPlayer' | 'tooMany' | 'nameless' | 'notInRoom' | 'muted';
    }
  | { kind: 'tooFast'; wait_ms: number }
  | { kind: 'byGame'; reason: number };
/** How a request ended; `lost`: the connection ended first. */
export type Outcome = { kind: 'done' } | { kind: 'refused'; why: Refusal } | { kind: 'lost' };

export interface Resume {
  token: Token;
  have: number;
  cells: { cell: number; behind: number }[];
}
/** Says whose account a connection plays for. */
export interface AccountToken {
  account: Uint8Array;
  /** In Unix seconds, by the server's clock. */
  expires_s: number;
  signature: Uint8Array;
}
export type ClientMessage<G extends GameTypes = GameTypes> =
  | { kind: 'hello'; revision: number; agent: string; resume: Resume | null; account: AccountToken | null }
  | { kind: 'join'; name: string; room: RoomChoice; role: Role }
  | { kind: 'ping'; client_time: number }
  | { kind: 'leave' }
  | { kind: 'request'; id: number; request: Request<G> };

export type Phase = 'open' | 'waiting' | 'countdown' | 'playing' | 'pause' | 'results';
export interface MatchStatus {
  mode: string;
  phase: Phase;
  round: number;
  rounds: number;
  tick: number;
  ends: number | null;
  teams: { name: string; score: number; goal: number; rounds: number; players: number }[];
  winner: number | null;
}
export type Publication =
  | { kind: 'said'; from: string; text: string }
  | { kind: 'killFeed'; by: string | null; verb: string; of: string }
  | { kind: 'leaders'; lines: { name: string; room: number; score: number }[] }
  | { kind: 'announcement'; text: string }
  | { kind: 'match'; matchStatus: MatchStatus };
export type Notice =
  | { kind: 'muted' }
  | { kind: 'roomEnds'; seconds: number }
  | { kind: 'friendJoined' | 'renamed'; name: string }
  | { kind: 'following'; player: number }
  | { kind: 'missed'; count: number };
export interface Header {
  name: string;
  value: string;
}
export interface Welcome {
  kind: 'welcome';
  revision: number;
  server: string;
  token: Token;
  resumed: boolean;
  /** The account that results count for: its 16 bytes. Null for a guest, also if the token of the hello was not valid. */
  account: Uint8Array | null;
}
export interface Joined {
  kind: 'joined';
  room: number;
  player: number;
  tick_hz: number;
  snapshot_every: number;
  tick_zero: number;
  mode: string;
  role: Role;
}
export interface Pong {
  kind: 'pong';
  client_time: number;
  server_time: number;
  tick_us: number;
}
export type ServerMessage =
  | Welcome
  | Joined
  | Pong
  | { kind: 'queued'; position: number }
  | { kind: 'reply'; id: number; outcome: Outcome }
  | { kind: 'published'; topic: string; at: number; publication: Publication }
  | { kind: 'directMessage'; from: string; text: string }
  | { kind: 'serverNotice'; notice: Notice }
  | { kind: 'handshake'; request: string; asked: Header[]; response: string; answered: Header[] }
  | { kind: 'redirect'; url: string; join: RoomChoice | null }
  | { kind: 'nodes'; urls: string[] }
  | { kind: 'scores'; lines: ScoreLine[] };
export interface ScoreLine {
  player: number;
  score: number;
  kills: number;
  deaths: number;
  assists: number;
  /** 0 while it is not known, and for bots. */
  ping_ms: number;
}
export interface Board {
  tick: number;
  players: number;
  extent: number;
  lines: { player: number; score: number }[];
}
export type RoomUpdate<G extends GameTypes = GameTypes> =
  | { kind: 'named'; player: number; name: string }
  | { kind: 'left' | 'away' | 'back' | 'bot'; player: number }
  | ({ kind: 'board' } & Board)
  | { kind: 'match'; matchStatus: MatchStatus }
  | { kind: 'message'; message: ServerMessage }
  | { kind: 'state'; state: Of<G, 'roomState'> };

/** The start of a snapshot; docs/PROTOCOL.md, section 8. */
export interface Head {
  tick: number;
  consumed: number;
  /** How early inputs came, in milliseconds; null if none came. */
  earlyMs: number | null;
  missing: number;
  dropped: number;
  budget: number;
}
/** An entity in the game's units: its id, the name of its kind, and the fields of that kind. */
export interface Entity {
  id: number;
  kind: string;
  x: number;
  y: number;
  [field: string]: number | string;
}
/** Bytes of the parts of a snapshot. */
export interface Parts {
  head: number;
  player_state: number;
  cells: number;
  events: number;
  updates: number;
}
export interface Happened<G extends GameTypes = GameTypes> {
  /** Ticks before the snapshot. */
  age: number;
  event: Of<G, 'event'>;
}

/** The client's copy of its room. */
export class World<G extends GameTypes = GameTypes> {
  constructor(schema: Schema<G>);
  readonly tick: number;
  readonly head: Head | null;
  /** Exact; null for a spectator. */
  readonly playerState: Of<G, 'playerState'> | null;
  readonly roomState: Of<G, 'roomState'>;
  /** Names by number of player. */
  readonly names: Map<number, string>;
  /** Players whose connection is lost. */
  readonly away: Set<number>;
  /** Players who are the server's own bots. */
  readonly bots: Set<number>;
  readonly board: Board;
  readonly matchStatus: MatchStatus | null;
  readonly cells: Map<number, { tick: number | null; records: { id: number; kind: number; values: number[] }[] }>;
  /** All known entities. */
  entities(): Generator<Entity>;
  entity(id: number): Entity | undefined;
  /** Applies a snapshot; a `Client` does it by itself. */
  apply(frame: Uint8Array): { events: Happened<G>[]; updates: RoomUpdate<G>[]; messages: ServerMessage[]; parts: Parts };
}

/** Inputs for the tick `first` and those after it. */
export interface InputPacket<G extends GameTypes = GameTypes> {
  acked: number;
  first: number;
  lag?: number;
  samples: Of<G, 'input'>[];
}
export function encodeInput<T>(codec: Codec<T>, packet: InputPacket<{ input: T }>): Uint8Array;
export function decodeInput<T>(codec: Codec<T>, frame: Uint8Array): Required<InputPacket<{ input: T }>>;

/** A frame as it passed, `up` to the server or down to the client. */
export type Frame<G extends GameTypes = GameTypes> =
  | { up: true; frame: Uint8Array; kind: 'control'; message: ClientMessage<G> }
  | { up: false; frame: Uint8Array; kind: 'control'; message: ServerMessage }
  | ({ up: true; frame: Uint8Array; kind: 'input' } & InputPacket<G>)
  | { up: false; frame: Uint8Array; kind: 'snapshot'; head: Head; parts: Parts; events: Happened<G>[]; updates: RoomUpdate<G>[] };

/** What a client tells its listeners. */
export interface Events<G extends GameTypes = GameTypes> {
  message: ServerMessage;
  snapshot: World<G>;
  events: Happened<G>[];
  sent: InputPacket<G>;
  frame: Frame<G>;
  failed: Error;
  close: Closed;
}

/** What a client needs of a socket: that of a browser, of Node 22, or of the package ws. */
export interface Socket {
  binaryType: string;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(frame: any): void;
  close(): void;
}
export interface Options<G extends GameTypes = GameTypes> {
  /** The name of your program, for the server's log: at most 64 bytes. */
  agent?: string;
  /** A client whose connection was lost: its session is resumed and its world kept. Connect to its `nodes.url`. */
  former?: Client<G> | null;
  /** The account to play for: a token as the server writes it in JSON. It is short-lived: get one right before you connect. */
  accountToken?: string | null;
  /** Makes the socket: `new WebSocket(url, protocol)` unless told otherwise. */
  open?: (url: string | URL, protocol: string) => Socket;
}

/** Learns the game of the server at `url`, such as `wss://example.org/ws`, and connects to it. */
export function connect<G extends GameTypes = GameTypes>(
  url: string | URL,
  options?: Options<G> & { schema?: Schema<G> },
): Promise<Client<G>>;

/**
 * Connects again after a `former` client has closed: after the pause that is due, to the same server or to another node of its cluster, with
 * the session and the world of the former one. Give a new `accountToken`, and add your listeners again.
 */
export function reconnect<G extends GameTypes = GameTypes>(former: Client<G>, options?: Options<G>): Promise<Client<G>>;

/** The nodes of a cluster as one client knows them, from connection to connection. A `Client` reports to it by itself. */
export class Nodes {
  /** Starts with the WebSocket at `home`. `random` gives numbers from 0 up to 1. */
  constructor(home: string | URL, random?: () => number);
  /** The address of the WebSocket to connect to, or of the open one. */
  readonly url: string;
  /** What a connection to it will be: to the node of the one before, to another one, or to where a redirect led. */
  readonly arrival: 'same' | 'other' | 'redirected';
  /** How long an attempt may take, in milliseconds. */
  readonly openTimeoutMs: number;
  handleOpen(): void;
  handleWaiting(): void;
  handleSeated(): void;
  handleNodes(urls: string[]): void;
  /** Gives null, or why the client does not go there. */
  handleRedirect(url: string): string | null;
  /** Gives the pause before the next attempt, in milliseconds. */
  handleEnd(code: number): number;
}

/** One connection. */
export class Client<G extends GameTypes = GameTypes> {
  constructor(url: string | URL, options: Options<G> & { schema: Schema<G> });
  readonly schema: Schema<G>;
  readonly world: World<G>;
  /** The server's clock and the shortest round trip of late, in milliseconds; null before the first pong. */
  readonly clock: { readonly now: number | null; readonly rttMs: number | null };
  readonly welcome: Welcome | null;
  /** The seat; null without one. */
  readonly joined: Joined | null;
  /** Position in the join queue, from 1; 0 outside it. */
  readonly position: number;
  /** Why the connection ended; null while it lasts. */
  readonly closed: Closed | null;
  /** Which servers there are, for this client and those that follow it. */
  readonly nodes: Nodes;
  /** Where the server has sent the client. `reconnect` goes there. */
  readonly redirect: { url: string; join: RoomChoice | null } | null;
  /** The input of each tick: assign it at any time. */
  input: Of<G, 'input'>;

  on<K extends keyof Events<G>>(kind: K, listener: (value: Events<G>[K]) => void): this;
  off<K extends keyof Events<G>>(kind: K, listener: (value: Events<G>[K]) => void): this;
  /** Asks for a seat. A message follows: `joined`, or `queued`. */
  join(name: string, room?: RoomChoice, role?: Role): void;
  /** Sends a request; resolves to its outcome. */
  request(request: Request<G>): Promise<Outcome>;
  /** Sends a request of the game. `schema.refusals` has the sentence of a refusal's `reason`. */
  requestGame(request: Of<G, 'request'>): Promise<Outcome>;
  /** Gives up the seat, and stays connected. */
  exit(): Promise<Outcome>;
  ping(): Promise<Pong & { rttMs: number }>;
  /** Gives up the seat and ends the session. */
  leave(): void;
  /** Ends the connection as a lost link would: the seat is kept for a while. */
  drop(): void;
  send(message: ClientMessage<G>): void;
  sendFrame(frame: Uint8Array): void;
}

/** The bytes cannot be decoded, or a value cannot be encoded. */
export class WireError extends Error {}
/** Reads control messages, byte by byte. */
export class ByteReader {
  constructor(bytes: Uint8Array, at?: number);
  at: number;
  readonly done: boolean;
  take(count: number): Uint8Array;
  big(): bigint;
}
/** Writes control messages, byte by byte. */
export class ByteWriter {
  bytes: number[];
  put(bytes: Iterable<number>): void;
  big(value: bigint): void;
}
/** Reads a stream of bits. */
export class BitReader {
  constructor(bytes: Uint8Array, at?: number);
  at: number;
  bits(count: number): number;
  flag(): boolean;
  f32(): number;
  golomb(k: number): number;
  signed(k: number): number;
  take(count: number): Uint8Array;
  big(): bigint;
  align(): void;
}
/** Writes a stream of bits. */
export class BitWriter {
  bytes: number[];
  count: number;
  bits(value: number, count: number): void;
  f32(value: number): void;
  golomb(value: number, k: number): void;
  signed(value: number, k: number): void;
  put(bytes: Iterable<number>): void;
  big(value: bigint): void;
}
