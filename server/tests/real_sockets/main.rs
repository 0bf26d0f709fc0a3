//! The server on real sockets, each scene on a port of its own that the system chose.
//!
//! | module | what it shows |
//! |---|---|
//! | [`play`] | players join, play, see each other and leave |
//! | [`limits`] | what one address may have, and how long anything over HTTP may take |
//! | [`slow`] | who does not read harms nobody |
//! | [`handshake`] | who is let in, and what the others are told |
//! | [`frames`] | frames by the book: what a conformance suite plays, and what the server answers |
//! | [`closing`] | every close code that a client can bring about, and the end of the server |
//! | [`doors`] | what every request passes and every answer carries |
//! | [`api`] | rooms over HTTP, and joins that refer to them |
//! | [`assets`] | files and figures over HTTP |
//! | [`bots`] | the server's own bots |
//! | [`sessions`] | a seat outlives its socket, and what players say to each other |
//! | [`names`] | a name is one player's, to the eye, and everywhere |
//! | [`tls`] | all that by TLS; certificates that change; who comes without TLS |
//! | [`proxy`] | who is believed about a client's address and scheme, and which pages may connect |
//! | [`metrics`] | what the server counts of itself, and whom it tells |
//! | [`vital`] | a part that is gone for good |
//!
//! Behaviour under load, loss and delay is shown in virtual time elsewhere; here it is about the sockets. Nothing sleeps to
//! give something time to happen: a scene waits for what it expects, up to a deadline far beyond what a busy machine needs.

mod api;
mod assets;
mod bots;
mod closing;
mod doors;
mod frames;
mod handshake;
mod http;
mod limits;
mod metrics;
mod names;
mod play;
mod proxy;
mod scene;
mod sessions;
mod slow;
mod tls;
mod vital;
