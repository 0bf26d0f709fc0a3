//! Sockets. The only place with tungstenite.
//!
//! | module | what it holds |
//! |---|---|
//! | [`listener`] | accepts connections, serves HTTP on them, ends them |
//! | [`upgrade`] | the WebSocket handshake: who may, and what a plain GET is told |
//! | [`reader`] | one connection's task: frames in, the session, the answers |
//! | [`conn`] | one connection's outbox: the one owner of what is written to its socket |
//! | [`sender`] | one room's thread: assembles a frame per connection and writes it |

pub mod conn;
pub mod listener;
pub mod reader;
pub mod sender;
pub mod upgrade;
