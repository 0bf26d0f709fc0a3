//! Broadside's pure half: what may be said, what is true, and how a player without a screen sees it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`game`] | [`game::Game`]: the one line between the engine and a game |
//! | [`arena`] | the built-in game: rules, replicated fields, bot ai |
//! | [`protocol`] | every message, its limits and its bytes |
//! | [`replication`] | world state to bytes and back: fields, cells, deltas, keyframes |
//! | [`client`] | clock sync, prediction, interpolation: a player without a screen |
//! | [`history`] | where everyone was, for judging a shot as its shooter saw it |
//! | [`link`] | the simulated network link, in virtual time |
//! | [`operator`] | where a server leaves the operator's token |
//! | [`time`], [`math`], [`hash`] | ticks and clocks, portable trigonometry, world hashes |
//!
//! Absent on purpose: sockets, clocks, threads, tasks, randomness of the machine, hash maps, pixels. Time is always an
//! argument, chance is a seeded generator inside the world, and order is stated. That is why the same code runs in the
//! server, in the browser and in a test in virtual time, and gives the same bits in all three.

pub mod arena;
pub mod client;
pub mod game;
pub mod hash;
pub mod history;
pub mod ids;
pub mod link;
pub mod math;
pub mod operator;
pub mod protocol;
pub mod replication;
pub mod time;
