//! The pure half of Broadside: the interface to a game, protocol, replication and the headless client.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`] | the numbers of rooms, seats and entities |
//! | [`game`] | [`game::Game`]: the only interface between the engine and a game |
//! | [`protocol`] | every message, its limits and its encoding |
//! | [`replication`] | world state to bytes and back: fields, cells, deltas, keyframes |
//! | [`trial`] | a world played by chance: whether two builds have the same rules |
//! | [`client`] | the headless client: clock sync, prediction, interpolation |
//! | [`saved`] | worlds as bytes, for checkpoints and recordings |
//! | [`recording`] | what a game was called with, tick by tick, and its replay |
//! | [`match_publisher`] | the match status that clients show, from the state that the game has |
//! | [`playback`] | a recorded match as it is watched |
//! | [`history`] | past positions of all players, for judging a shot as its shooter saw it |
//! | [`link`] | the simulated network link, in virtual time |
//! | [`operator`] | where a server stores the operator's token |
//! | [`time`], [`math`], [`hash`], [`sorted`] | ticks and clocks, portable trigonometry, world hashes, a small map |
//! | `toy` | a small game for tests, with the feature `testing` |
//!
//! Absent on purpose: sockets, clocks, threads, tasks, system randomness, hash maps, pixels. Time is always an
//! argument, chance is a seeded generator inside the world, and order is stated. Therefore the same code runs in the
//! server, in the browser and in a test in virtual time, and gives the same bits in all three.
//!
//! A module imports only from those before it in this list: `math`, `hash`, `sorted`, `time`, `ids`; `replication`; `protocol`;
//! `saved`; `history`; `game`; `trial`; `match_publisher`;
//! `recording`; `client`; `playback`. `link` uses `time` only. No game is in here: each is a crate under `games/`.

pub mod client;
pub mod game;
pub mod hash;
pub mod history;
pub mod ids;
pub mod link;
pub mod match_publisher;
pub mod math;
pub mod operator;
pub mod playback;
pub mod protocol;
pub mod recording;
pub mod replication;
pub mod saved;
pub mod sorted;
pub mod time;
#[cfg(any(test, feature = "testing"))]
pub mod toy;
pub mod trial;
