//! The server on real sockets, each scene on a port of its own that the system chose.
//!
//! | module | what it shows |
//! |---|---|
//! | [`play`] | players join, play, see each other and leave |
//! | [`slow`] | who does not read harms nobody |
//! | [`handshake`] | who is let in, and what the others are told |
//! | [`closing`] | every close code that a client can bring about, and the end of the server |
//! | [`api`] | rooms over HTTP, and joins that refer to them |
//! | [`assets`] | files and figures over HTTP |
//! | [`residents`] | the server's own bots |
//! | [`sessions`] | a seat outlives its socket, and what players say to each other |
//! | [`tls`] | all that by TLS; certificates that change; who comes without TLS |
//! | [`proxy`] | who is believed about a client's address and scheme, and which pages may connect |
//! | [`metrics`] | what the server counts of itself, and whom it tells |
//! | [`vital`] | a part that is gone for good |
//!
//! Behaviour under load, loss and delay is shown in virtual time elsewhere; here it is about the sockets. Nothing sleeps to
//! give something time to happen: a scene waits for what it expects, up to a deadline far beyond what a busy machine needs.

mod api;
mod assets;
mod closing;
mod handshake;
mod http;
mod metrics;
mod play;
mod proxy;
mod residents;
mod scene;
mod sessions;
mod slow;
mod tls;
mod vital;
