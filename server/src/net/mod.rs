//! Sockets. The only place with tungstenite, which computes the handshake's accept key.
//!
//! | module | what it holds |
//! |---|---|
//! | [`bounds`] | bounds that several of these share |
//! | [`accept`] | accepts connections, also when the process is out of file descriptors |
//! | [`admission`] | counts connections per address, and decides on their requests |
//! | [`listener`] | TLS handshakes, HTTP connections, shutdown |
//! | [`redirect`] | the plain-HTTP port beside an https port |
//! | [`paced`] | a stream with write timeouts |
//! | `bare_responses` | completes the bare responses of hyper |
//! | [`certificate`], [`self_signed`] | the server's certificate, reloaded when its files change, or generated |
//! | [`upgrade`] | the WebSocket handshake |
//! | [`handshake`] | the record of a handshake |
//! | [`arrivals`] | connections on their way to a shard |
//! | [`passed`] | open connections on their way to the next server |
//! | [`shard`] | a thread that owns some of the connections |
//! | [`counters`] | what a shard counts, on its way to the metrics |
//! | [`conn`] | one WebSocket: bounded reads per poll, and writes |
//! | [`frames`] | PURE. Parses WebSocket frames of a client |
//! | [`transport`] | one socket: bounded reads, and the outbox |
//! | [`tls`] | TLS between a WebSocket and its socket |

pub mod accept;
pub mod admission;
pub mod arrivals;
pub(crate) mod bare_responses;
pub mod bounds;
pub mod certificate;
pub mod conn;
pub mod counters;
pub mod frames;
pub mod handshake;
pub mod listener;
pub mod paced;
pub mod passed;
pub mod redirect;
pub mod self_signed;
pub mod shard;
pub mod tls;
pub mod transport;
pub mod upgrade;
