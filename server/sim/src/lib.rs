//! A whole server and its clients in virtual time, joined by simulated links, on one thread, from a seed. Nothing here sleeps; a minute of
//! play takes as long as it takes to compute, and equal seeds give equal runs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`server`] | the production lobby, rooms, topics and shards, with a clock that is set from outside |
//! | `harness` | [`Sim`]: one room, and clients over links |
//!
//! ```
//! use broadside_shared::link::LinkProfile;
//! use broadside_shared::toy::{Push, Toy};
//! use broadside_sim::Sim;
//!
//! let mut sim = Sim::<Toy>::new(1, 2);
//! sim.connect(&LinkProfile::named("far").expect("a known link"));
//! sim.run(5.0, &mut |_, _| Push(1, 0));
//! assert!(sim.all_play());
//! ```
//!
//! Absent on purpose: faults beyond those of a link; `server/tests/sim/chaos/` has them.

mod harness;
pub mod server;

pub use harness::{Drive, Host, Sim, SimClient};
