//! The shells of the room loops: rooms on a few threads.
//!
//! | module | what it holds |
//! |---|---|
//! | [`status`] | the published status and counters of a room |
//! | [`entry`] | what the server knows of a room |
//! | [`mailbox`] | the queue of commands to a room |
//! | [`runner`] | one room: commands in, a tick, results out |
//! | [`pool`] | the threads: each takes the room that is due next |
//! | [`handle`] | a room's handle: its mailbox and its status |
//! | [`results`] | results on their way to whoever keeps them |
//! | [`context`] | the parts of the server that every room uses |

pub mod context;
pub mod entry;
pub mod handle;
pub mod mailbox;
pub mod pool;
pub mod results;
pub mod runner;
pub mod status;

#[cfg(test)]
mod tests;
