//! The pure half of Broadside: game rules, protocol, replication and the headless client.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`] | the numbers of rooms, seats and entities |
//! | [`game`] | [`game::Game`]: the only interface between the engine and a game |
//! | [`arena`] | the built-in game: rules, replicated fields, bot AI |
//! | [`protocol`] | every message, its limits and its encoding |
//! | [`replication`] | world state to bytes and back: fields, cells, deltas, keyframes |
//! | [`client`] | the headless client: clock sync, prediction, interpolation |
//! | [`history`] | past positions of all players, for judging a shot as its shooter saw it |
//! | [`link`] | the simulated network link, in virtual time |
//! | [`operator`] | where a server stores the operator's token |
//! | [`time`], [`math`], [`hash`] | ticks and clocks, portable trigonometry, world hashes |
//!
//! Absent on purpose: sockets, clocks, threads, tasks, system randomness, hash maps, pixels. Time is always an
//! argument, chance is a seeded generator inside the world, and order is stated. Therefore the same code runs in the
//! server, in the browser and in a test in virtual time, and gives the same bits in all three.
//!
//! A module imports only from those before it in this list: `math`, `hash`, `time`, `ids`; `replication`; `protocol`;
//! `history`; `game`; `client`; `arena`. `link` uses `time` only. Outside tests, the engine never names the arena.

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
