//! Headless players: the same client as in the browser, over the same wire, without a screen.
//!
//! | module | what it holds |
//! |---|---|
//! | [`socket`] | opening a WebSocket, and what went wrong in one line |
//! | [`trust`] | which servers are believed when they say by TLS who they are |
//! | [`pilot`] | who decides what a headless player does: the arena's ai, or a cheap pattern |
//! | [`player`] | one headless player: socket, client and pilot in one loop |
//! | [`proxy`] | a TCP proxy that makes a line out of loopback |
//! | [`load`] | many players, measured: ramp, steady phase, drain |
//! | [`report`] | what they felt, as text, as JSON and as a page |
//! | [`spawn`] | a server for one run |
//! | [`guard`] | and how it ends with the program that started it, whatever becomes of that |
//! | [`output`] | what the programs say, and where their reports go |
//!
//! The programs `bot`, `load` and `abuse` are flags around these.

pub mod guard;
pub mod load;
pub mod output;
pub mod pilot;
pub mod player;
pub mod proxy;
pub mod report;
pub mod socket;
pub mod spawn;
pub mod trust;

pub use broadside_cli::in_range;
use broadside_shared::link::LinkProfile;

/// Parses the name of a line, or says which there are.
///
/// # Errors
/// The names, for clap to show behind the flag and its value.
pub fn link(name: &str) -> Result<LinkProfile, String> {
    LinkProfile::named(name).ok_or_else(|| format!("must be one of {}", LinkProfile::names()))
}
