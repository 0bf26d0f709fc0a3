//! The load tester: thousands of players from one process, and what they measure.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | what a run does |
//! | [`run`] | a run from ramp to drain, as the main thread sees it |
//! | [`worker`] | the threads that run the players |
//! | [`connection`] | one player's connection |
//! | [`endpoint`] | the nodes they connect to |
//! | [`simulated_client`] | the player without its socket: client, AI and counters |
//! | [`script`] | what the players of a recorded match did |
//! | [`frames`], [`handshake`] | WebSocket frames and the opening handshake |
//! | [`channel`], [`link`] | optional TLS over an optional simulated link over a socket |
//! | [`statistics`], [`timeline`] | what is counted per worker, per player and per second |
//! | [`mix`] | which link profiles the players use |
//! | [`metrics`] | the server's own metrics |
//! | [`health`] | the load tester's own CPU time and file limit |
//! | [`progress_bar`] | the progress bar |
//!
//! Absent on purpose: reports and assertions, which are built from a finished run.

pub(crate) mod channel;
pub(crate) mod connection;
pub(crate) mod endpoint;
pub mod frames;
pub mod handshake;
pub mod health;
pub(crate) mod link;
pub mod metrics;
pub mod mix;
pub mod plan;
pub(crate) mod progress_bar;
pub mod run;
pub(crate) mod script;
pub(crate) mod simulated_client;
pub mod statistics;
pub mod timeline;
pub(crate) mod worker;

pub(crate) use simulated_client::tick_us;
