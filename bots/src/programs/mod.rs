//! The programs `bot` and `load`, for any game.

mod bot;
mod load;

use std::time::Duration;

use broadside_shared::game::Game;

pub use bot::bot;
pub use load::load;

/// One tick of a game: the time between two decisions of a player.
pub(crate) const fn tick_time<G: Game>() -> Duration {
    Duration::from_micros(crate::load::tick_us::<G>())
}
