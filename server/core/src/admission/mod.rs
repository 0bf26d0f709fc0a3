//! Who may come into a room, and how fast.
//!
//! | module | what it holds |
//! |---|---|
//! | [`join_queue`] | who waits for a seat |
//! | [`reservations`] | seats kept for those who were promised one |
//! | [`matching`] | which room is best for a client that just wants to play |
//! | [`governor`] | how far everyone in a room is stepped down while the machine is short of time |

pub mod governor;
pub mod join_queue;
pub mod matching;
pub mod reservations;
