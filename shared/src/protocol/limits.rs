//! Every bound on what the other end may send, and what happens at it.

/// Longest frame a server accepts, in bytes; a longer one ends the connection with
/// [`TooBig`](super::close::CloseCode::TooBig). The longest honest one is a message of 200 characters of four bytes each.
pub const CLIENT_FRAME_MAX: usize = 1024;
/// Longest frame a client accepts, in bytes. A snapshot of a view packed with things stays under a tenth of it.
pub const SERVER_FRAME_MAX: usize = 256 * 1024;
/// Longest decoded control message from a client, in bytes of memory (bincode counts decoded sizes).
pub const CLIENT_CONTROL_MAX: usize = 2048;
/// Longest decoded control message from a server, in bytes of memory.
pub const SERVER_CONTROL_MAX: usize = 64 * 1024;
/// Longest player name, in characters; the rest is refused by the name entry and by the server.
pub const NAME_CHARS_MAX: usize = 16;
/// Widest player name, in cells: what a Latin letter takes in a fixed font, of which others take two; a wider one is refused.
pub const NAME_CELLS_MAX: usize = 24;
/// Most combining marks on one letter, in names and in chat; those beyond are dropped.
pub const MARKS_MAX: usize = 2;
/// Longest line of chat, in characters; a longer one is refused.
pub const TEXT_CHARS_MAX: usize = 200;
/// Cells that a client that comes back may say it has; as many as a viewer can be subscribed to.
pub const RESUMED_CELLS_MAX: usize = 64;
/// Topics one connection may be subscribed to; one more is refused.
pub const SUBSCRIPTIONS_MAX: usize = 16;
/// Players one connection may mute; one more is refused.
pub const MUTED_MAX: usize = 64;
/// Lines one player may say at once, and how long it takes until they may say another, in milliseconds.
pub const SAID_BURST: u32 = 5;
/// See [`SAID_BURST`].
pub const SAID_EVERY_MS: u32 = 1_000;
/// Requests of other kinds: at once, and how long until the next, in milliseconds.
pub const REQUESTS_BURST: u32 = 20;
/// See [`REQUESTS_BURST`].
pub const REQUEST_EVERY_MS: u32 = 100;
/// Lines of a chat that who subscribes later still hears.
pub const CHAT_KEPT: usize = 20;
/// Messages waiting to ride in one client's snapshots; the oldest are dropped first, and the client is told how many.
pub const MESSAGES_WAITING_MAX: usize = 64;
/// Most bytes of messages in one snapshot; the rest follows in the next ones.
pub const MESSAGES_BYTES_MAX: usize = 512;
/// Time a seat is kept for a connection that was lost, in seconds, unless the operator says otherwise.
pub const GRACE_S: u32 = 60;
/// Longest name of a client program, in bytes; a longer one is refused as malformed.
pub const AGENT_BYTES_MAX: usize = 64;
/// Most input samples in one packet; a client that has more sends them in several.
pub const SAMPLES_MAX: usize = 12;
/// Longest time between the picture a player sees and the tick an input is for, in sixteenths of a tick: a sender says this when
/// it is longer, a receiver refuses more.
pub const LAG_MAX: u32 = 65_535;
/// Furthest in the future an input may be, in ticks; one further is dropped and counted. Two seconds at 60 Hz, which is more
/// than a playable line needs.
pub const INPUT_AHEAD_MAX: u32 = 120;
/// Most events in one snapshot; the oldest are left out first.
pub const EVENTS_MAX: usize = 64;
/// Most bytes of updates (names, standings) in one snapshot; the rest follows in the next ones.
pub const UPDATES_BYTES_MAX: usize = 768;
/// Lines of the standings that are sent.
pub const BOARD_LINES_MAX: usize = 10;
/// Time a new connection has to say hello, in microseconds; then it is closed.
pub const GREETING_US: u64 = 10_000_000;
/// Time without a byte from the other end after which it counts as dead, in microseconds.
pub const SILENCE_US: u64 = 10_000_000;
/// Time between the server's pings to a silent connection, in microseconds.
pub const PING_EVERY_US: u64 = 3_000_000;
/// Most WebSocket fragments of one message from a client; one more ends the connection with
/// [`TooManyFrames`](super::close::CloseCode::TooManyFrames). No library cuts a message of at most 1 KiB without being told to.
pub const FRAGMENTS_MAX: u32 = 8;
/// Joins and requests that a client may send behind its hello before it is welcomed; one more ends the connection with
/// [`TooManyFrames`](super::close::CloseCode::TooManyFrames).
pub const DEFERRED_MAX: usize = 16;
/// Frames per second a client may send in the long run: every WebSocket frame counts, also fragments, pings and pongs. Input packets at the highest rate, pings and requests together stay
/// under a third of it.
pub const FRAMES_PER_S: u32 = 240;
/// Frames a client may send at once: what a line that stood still for 10 s delivers in one burst.
pub const FRAMES_BURST: u32 = 1200;

/// Bytes per second a client may send in the long run, with the headers of WebSocket and what TLS adds. Input packets at the highest rate
/// stay under a quarter of it.
pub const BYTES_PER_S: u32 = 32 * 1024;
/// Bytes a client may send at once: like [`FRAMES_BURST`], and then some.
pub const BYTES_BURST: u32 = 256 * 1024;

const _: () = assert!(PING_EVERY_US * 3 < SILENCE_US, "a peer gets three chances to answer before it counts as dead");
const _: () = assert!(FRAMES_BURST as u64 >= 60 * SILENCE_US / 1_000_000, "a burst after a stall is not abuse");
const _: () = assert!(BYTES_BURST as u64 >= BYTES_PER_S as u64 / 4 * SILENCE_US / 1_000_000, "nor are its bytes");
