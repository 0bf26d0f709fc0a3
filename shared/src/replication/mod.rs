//! Replication: world state to bytes and back.
//!
//! | module | what it holds |
//! |---|---|
//! | [`bits`] | reading and writing of bits, Golomb codes |
//! | [`layout`] | how the values of a game lie in their bits, as data |
//! | [`fields`] | one table per kind drives quantizing, writing, reading and diffing |
//! | [`cells`] | squares of the world, and which of them an area of interest touches |
//! | [`delta`] | the layout of one cell, as a delta or as a keyframe, and its decoding |
//! | `encode` | its encoding |
//! | `state` | the replicated world at one tick |
//! | [`world`] | the recent states, and the encoded cells that lead from each to the newest |
//! | `encoded_cells` | storage of encoded cells, shared between threads |
//! | [`viewer`] | one connection's subscriptions and baselines, and its next frame |
//! | [`replica`] | the receiving end: a client's copy of its cells |
//!
//! A cell's delta is encoded once per pair of tick and baseline tick in use, and all its subscribers share the bytes.
//! Therefore the cost of a snapshot does not grow with clients times entities.

pub mod bits;
pub mod cells;
pub mod delta;
mod encode;
mod encoded_cells;
pub mod fields;
pub mod layout;
pub mod replica;
mod state;
pub mod viewer;
pub mod world;
