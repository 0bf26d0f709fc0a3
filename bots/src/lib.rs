//! Headless players: the browser's client over the same wire, without a screen.
//!
//! | module | what it holds |
//! |---|---|
//! | [`tls_verification`] | how a server's TLS certificate is verified |
//! | [`socket`] | opening a WebSocket, and connection errors as one line each |
//! | [`proxy`] | a TCP proxy that simulates a link over loopback |
//! | [`player`] | one headless player: socket, client and AI in one loop |
//! | [`mod@load`] | many players and their measurements: ramp, steady phase, drain |
//! | [`report`] | the results of a load run as text, as JSON and as a page |
//! | [`assertion`] | assertions about a report, such as `age_p99<120ms` |
//! | [`knee_search`] | raising the number of players until an assertion breaks |
//! | [`spawn`], [`guard`] | a server for one run, which cannot outlive the program that started it |
//! | [`output`] | standard output, error messages and report files |
//! | `programs` | the programs [`bot()`] and [`load()`] |
//!
//! All of it is generic over the game, which brings only its AI: a game's own `bot` is `fn main() -> ExitCode { broadside_bots::bot::<MyGame>() }`.
//! The programs of this crate play the arena, behind the feature `arena`; `floor` needs no game.

pub mod assertion;
pub mod guard;
pub mod knee_search;
pub mod load;
pub mod output;
pub mod player;
pub(crate) mod programs;
pub mod proxy;
pub mod report;
pub mod socket;
pub mod spawn;
pub mod tls_verification;

pub use broadside_cli::in_range;
pub use mimalloc::MiMalloc;
pub use programs::{bot, load};

use std::time::Duration;

use broadside_shared::game::Game;
use broadside_shared::link::LinkProfile;

/// One tick of a game: the time between two decisions of a player.
#[must_use]
pub const fn tick_time<G: Game>() -> Duration {
    Duration::from_micros(load::tick_us::<G>())
}

/// Parses the name of a link profile, for clap.
///
/// # Errors
/// The names of all profiles, for clap to show behind the flag and its value.
pub fn link_profile(name: &str) -> Result<LinkProfile, String> {
    LinkProfile::named(name).ok_or_else(|| format!("must be one of {}", LinkProfile::names()))
}
