//! Admission to rooms: who gets a seat, and how fast.
//!
//! | module | what it holds |
//! |---|---|
//! | [`join_queue`] | join requests that wait for a seat |
//! | [`reservations`] | seats kept for a while for the holder of a number |
//! | [`matching`] | the room that quick play picks |
//! | [`governor`] | the room's level of service, lowered while the machine is short of time |

pub mod governor;
pub mod join_queue;
pub mod matching;
pub mod reservations;
