//! Every limit on what the peer may send, and what happens when it is reached.

/// Longest frame a server accepts, in bytes; a longer one closes the connection with
/// [`TooBig`](super::close::CloseCode::TooBig). The longest valid one is a chat message of 200 characters of four bytes
/// each.
pub const CLIENT_FRAME_MAX: usize = 1024;
/// Longest frame a client accepts, in bytes. A snapshot of a crowded view stays under a tenth of it.
pub const SERVER_FRAME_MAX: usize = 256 * 1024;
/// Largest decoded control message from a client, in bytes of memory (bincode counts decoded sizes).
pub(crate) const CLIENT_CONTROL_MAX: usize = 2048;
/// Largest decoded control message from a server, in bytes of memory.
pub(crate) const SERVER_CONTROL_MAX: usize = 64 * 1024;
/// Longest player name, in characters; a longer one is refused by the name entry and by the server.
pub const NAME_CHARS_MAX: usize = 16;
/// Widest player name, in cells: a Latin letter of a fixed-width font takes one, a CJK character two. A wider one is
/// refused.
pub const NAME_CELLS_MAX: usize = 24;
/// Most combining marks on one letter, in names and in chat; further ones are dropped.
pub const MARKS_MAX: usize = 2;
/// Longest chat message, in characters; a longer one is refused.
pub const TEXT_CHARS_MAX: usize = 200;
/// Most cells that a resuming client may list; as many as a viewer can be subscribed to.
pub const RESUMED_CELLS_MAX: usize = 64;
/// Most topics that a connection may be subscribed to; a further subscription is refused.
pub const SUBSCRIPTIONS_MAX: usize = 16;
/// Most players that a connection may mute; a further one is refused.
pub const MUTED_MAX: usize = 64;
/// Chat messages that a player may send at once; then one every [`CHAT_EVERY_MS`] milliseconds.
pub const CHAT_BURST: u32 = 5;
/// See [`CHAT_BURST`].
pub const CHAT_EVERY_MS: u32 = 1_000;
/// Other requests that a connection may send at once; then one every [`REQUEST_EVERY_MS`] milliseconds.
pub const REQUESTS_BURST: u32 = 20;
/// See [`REQUESTS_BURST`].
pub const REQUEST_EVERY_MS: u32 = 100;
/// Past chat messages that a new subscriber receives.
pub const CHAT_KEPT: usize = 20;
/// Most messages queued for one client's snapshots; the oldest are dropped first, and the client receives their count.
pub const MESSAGES_WAITING_MAX: usize = 64;
/// Most bytes of messages in one snapshot; the rest follows in later ones.
pub const MESSAGES_BYTES_MAX: usize = 512;
/// Time a seat is kept for a lost connection, in seconds, by default.
pub const GRACE_S: u32 = 60;
/// Longest name of a client program, in bytes; a longer one is refused as malformed.
pub const AGENT_BYTES_MAX: usize = 64;
/// Most input samples in one packet; a client with more samples sends several packets.
pub const SAMPLES_MAX: usize = 12;
/// Longest age of the picture a player sees, before the tick of the input, in sixteenths of a tick. A sender clamps to
/// it, a receiver refuses more.
pub const LAG_MAX: u32 = 65_535;
/// Furthest in the future an input may be, in ticks; a later one is dropped and counted. Two seconds at 60 Hz, more
/// than a playable link needs.
pub const INPUT_AHEAD_MAX: u32 = 120;
/// Most events in one snapshot; the oldest are dropped first.
pub const EVENTS_MAX: usize = 64;
/// Most bytes of room updates (names, standings) in one snapshot; the rest follows in later ones.
pub const UPDATES_BYTES_MAX: usize = 768;
/// Most seats of a room, those of spectators included: every player number is below it.
pub const SEATS_MAX: u16 = 1 << 13;
/// Longest request of a game, in bytes; a longer one is refused as malformed.
pub const GAME_REQUEST_MAX: usize = 256;
/// Longest state of a room, [`Game::RoomState`](crate::game::Game::RoomState), in bytes. A game whose state is longer
/// panics, which ends the room: the game's bug.
pub const ROOM_STATE_MAX: usize = 512;
/// Entries of the standings that are sent.
pub const BOARD_LINES_MAX: usize = 10;
/// Most players in a room's scores, [`ServerMsg::Scores`](super::message::ServerMsg::Scores).
pub const SCORE_LINES_MAX: usize = 64;
/// Time a new connection has to send its hello, in microseconds; then it is closed.
pub const GREETING_US: u64 = 10_000_000;
/// Time without a byte from the peer after which it counts as dead, in microseconds.
pub const SILENCE_US: u64 = 10_000_000;
/// Time between the server's pings to a silent connection, in microseconds.
pub const PING_EVERY_US: u64 = 3_000_000;
/// Most WebSocket fragments of one message from a client; one more closes the connection with
/// [`TooManyFrames`](super::close::CloseCode::TooManyFrames). No library fragments a message of at most 1 KiB by
/// default.
pub const FRAGMENTS_MAX: u32 = 8;
/// Joins and requests that a client may send between its hello and the welcome; one more closes the connection with
/// [`TooManyFrames`](super::close::CloseCode::TooManyFrames).
pub const DEFERRED_MAX: usize = 16;
/// Frames per second a client may send on average. Every WebSocket frame counts, also fragments, pings and pongs. Input
/// packets at the highest rate, pings and requests together stay under a third of it.
pub const FRAMES_PER_S: u32 = 240;
/// Frames a client may send at once: those of a link that stalled for 10 s and delivers them in one burst.
pub const FRAMES_BURST: u32 = 1200;

/// Bytes per second a client may send on average, including WebSocket headers and TLS overhead. Input packets at the
/// highest rate stay under a quarter of it.
pub const BYTES_PER_S: u32 = 32 * 1024;
/// Bytes a client may send at once: those of [`FRAMES_BURST`], with a margin.
pub const BYTES_BURST: u32 = 256 * 1024;
/// Longest address of a node of a cluster, in bytes; the server refuses a longer one among its flags.
pub const NODE_URL_MAX: usize = 200;
/// Most other nodes that a server tells its clients of.
pub const NODES_TOLD_MAX: usize = 16;

const _: () = assert!(ROOM_STATE_MAX < UPDATES_BYTES_MAX, "the state of a room fits a snapshot's updates");
const _: () = assert!(PING_EVERY_US * 3 < SILENCE_US, "a peer gets three chances to answer before it counts as dead");
const _: () = assert!(FRAMES_BURST as u64 >= 60 * SILENCE_US / 1_000_000, "a burst after a stall is not abuse");
const _: () = assert!(BYTES_BURST as u64 >= BYTES_PER_S as u64 / 4 * SILENCE_US / 1_000_000, "nor are its bytes");
