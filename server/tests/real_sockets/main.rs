//! The server on real sockets, each test on its own free port.
//!
//! | module | what it shows |
//! |---|---|
//! | [`play`] | players join, play, see each other and leave |
//! | [`limits`] | limits per address, and HTTP timeouts |
//! | [`slow`] | clients that do not read |
//! | [`handshake`] | the WebSocket handshake: accepted, refused, recorded |
//! | [`frames`] | the cases of a conformance suite, and the responses |
//! | [`admin`] | moderation |
//! | [`closing`] | every close code that a client can cause, and shutdown |
//! | [`drain`] | the end of a server while matches are in progress |
//! | [`doors`] | checks of every request, and headers of every response |
//! | [`api`] | rooms over HTTP, and joins that refer to them |
//! | [`accounts`] | accounts, and attacks on them |
//! | [`players`], [`leaderboards`], [`friends`] | what is kept, over HTTP |
//! | [`assets`] | files, health and rooms over HTTP |
//! | [`bots`] | server bots |
//! | [`sessions`] | resume and takeover, and chat |
//! | [`names`] | names are unique by appearance |
//! | [`tls`] | TLS, certificate reloads, plain-HTTP clients on a TLS port |
//! | [`proxy`] | trusted proxies and allowed origins |
//! | [`metrics`] | `/metrics`, and who may read it |
//! | [`failures`] | threads that panic: whose connections end, and that they serve again |
//! | [`vital`] | a server that has lost a vital part |
//!
//! Behavior under load, loss and delay is tested in virtual time elsewhere; these tests are about sockets. No test sleeps to give
//! something time to happen: it waits for what it expects, with a timeout far beyond what a busy machine needs.

mod accounts;
mod admin;
mod api;
mod assets;
mod bots;
mod closing;
mod doors;
mod drain;
mod failures;
mod frames;
mod framing;
mod friends;
mod handshake;
mod http;
mod leaderboards;
mod limits;
mod metrics;
mod names;
mod play;
mod players;
mod proxy;
mod recordings;
mod scene;
mod sessions;
mod slow;
mod tls;
mod vital;
