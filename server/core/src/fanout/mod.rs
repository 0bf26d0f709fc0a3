//! What one connection is sent, and when.
//!
//! | module | what it holds |
//! |---|---|
//! | [`flow`] | flow control: whether a connection gets the next snapshot or skips it |
//! | [`roster`] | names, board and match status, sent to each client once |
//! | `events` | the events of a tick, indexed by recipient |
//! | [`assembler`] | from the output of a tick to one frame per connection |
//! | [`room_fanout`] | one room's recipients on one shard, and the walk that sends them a tick |

pub mod assembler;
mod events;
pub mod flow;
pub mod room_fanout;
pub mod roster;
