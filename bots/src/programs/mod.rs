//! The programs `bot` and `load`, for any game.

mod bot;
mod gateway;
mod load;

pub use bot::bot;
pub use load::load;
