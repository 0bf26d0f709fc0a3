//! Sockets. The only place with tungstenite, which answers the handshake.
//!
//! | module | what it holds |
//! |---|---|
//! | [`accept`] | where connections come in, also when no more files can be opened |
//! | [`admission`] | who is let in, and what each request is told |
//! | [`listener`] | shakes hands by TLS, serves HTTP, ends connections |
//! | [`paced`] | a stream whose other end has to keep taking what is written |
//! | [`answers`] | what hyper answers by itself, completed |
//! | [`certificate`], [`self_signed`] | what the server shows who connects by TLS, from files that may change, or made by itself |
//! | [`redirect`] | the port in the clear that sends everyone to https |
//! | [`client`] | who asks: the address and the scheme, also through a proxy that is trusted |
//! | [`host`] | by which names the server is asked for |
//! | [`origin`] | which pages may connect |
//! | [`upgrade`] | the WebSocket handshake: who may, and what a plain GET is told |
//! | [`handshake`] | what is kept of a handshake for who asks |
//! | [`inbox`] | what others say to a shard, and where it waits |
//! | [`shard`] | a thread that owns some of the connections: reads them, and tells them of each tick |
//! | [`connection`] | one connection on its shard: socket, session, and where in the rooms it is |
//! | [`counters`] | what a shard counts, on its way to the metrics |
//! | [`requests`] | what a connection asks for besides playing: topics, chat, direct messages, mutes |
//! | [`tls`] | TLS between a WebSocket and its socket |
//! | [`frames`] | PURE. WebSocket frames out of a client's bytes, one at a time |
//! | [`wire`] | one socket: bounded reads, and the outbox that is the one way out |
//! | [`conn`] | one WebSocket: what comes in, frame by frame and so much per look, and what goes out |
//! | [`fanout`] | one room's part on one shard: assembles a frame per player and writes it |

pub mod accept;
pub mod admission;
pub mod answers;
pub mod arrivals;
pub mod certificate;
pub mod client;
pub mod conn;
pub mod counters;
pub mod frames;
pub mod handshake;
pub mod host;
pub mod listener;
pub mod origin;
pub mod paced;
pub mod redirect;
pub mod self_signed;
pub mod shard;
pub mod tls;
pub mod upgrade;
pub mod wire;
