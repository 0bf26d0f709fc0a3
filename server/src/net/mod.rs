//! Sockets. The only place with tungstenite.
//!
//! | module | what it holds |
//! |---|---|
//! | [`listener`] | accepts connections, serves HTTP on them, ends them |
//! | [`upgrade`] | the WebSocket handshake: who may, and what a plain GET is told |
//! | [`handshake`] | what is kept of a handshake for who asks |
//! | [`shard`] | a thread that owns some of the connections: reads them, and tells them of each tick |
//! | [`peer`] | one connection on its shard: socket, session, and where in the rooms it is |
//! | [`requests`] | what a connection asks for besides playing: topics, chat, direct messages, mutes |
//! | [`conn`] | one socket: what comes in as messages, and the outbox that is the one way out |
//! | [`fanout`] | one room's part on one shard: assembles a frame per player and writes it |

pub mod conn;
pub mod fanout;
pub mod handshake;
pub mod listener;
pub mod peer;
pub mod requests;
pub mod shard;
pub mod upgrade;
