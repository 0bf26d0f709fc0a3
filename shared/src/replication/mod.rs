//! World state to bytes and back.
//!
//! | module | what it holds |
//! |---|---|
//! | [`bits`] | reading and writing bits, prefix codes |
//! | [`fields`] | one table per kind drives quantizing, writing, reading and diffing |
//! | [`cells`] | squares of the world, and which of them an area of interest touches |
//! | [`delta`] | one cell against an earlier state of it, or against nothing (a keyframe): the layout, and reading it |
//! | [`encode`] | writing it |
//! | [`state`] | the replicated world at one tick |
//! | [`world`] | the recent past of it, and the encoded_cells that lead from it to the newest state |
//! | `encoded_cells` | where those are kept, and shared between threads |
//! | [`viewer`] | what one connection was last told, and the next thing to tell it |
//! | [`replica`] | the receiving end: a client's copy of its cells |
//!
//! A cell's delta is encoded once per (tick, baseline tick) in use and shared by every subscriber as the same bytes: the
//! cost of a snapshot is not clients times entities.

pub mod bits;
pub mod cells;
pub mod delta;
pub mod encode;
mod encoded_cells;
pub mod fields;
pub mod replica;
pub mod state;
pub mod viewer;
pub mod world;
