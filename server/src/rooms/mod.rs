//! Rooms on a few threads: the shells of the room loops.
//!
//! | module | what it holds |
//! |---|---|
//! | [`status`] | what a room tells about itself |
//! | [`runner`] | one room: commands in, a tick, results out |
//! | [`pool`] | the threads: each takes the room that is due next |
//! | [`handle`] | a room as others see it |
//! | [`context`] | what every room shares with the rest of the server |

pub mod context;
pub mod handle;
pub mod pool;
pub mod runner;
pub mod status;
