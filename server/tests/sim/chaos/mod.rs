//! Chaos: random walks of the whole server from a seed, with what always holds checked after every step. A failing walk is shrunk to
//! the fewest events that still fail, and played once more with recordings of its rooms.

mod act;
mod checks;
mod plan;
mod results;
mod run;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use broadside_arena::input::ArenaInput;
use broadside_arena::{Arena, ArenaRequest, Craft};

use broadside_shared::toy::{Lamp, Push, Toy};
use plan::{Event, Plan};
pub(crate) use run::Seen;
use run::{ChaosGame, Run};

/// Every how many seeds the game is the arena, which costs more than the toy.
const ARENA_EVERY: u64 = 40;

impl ChaosGame for Toy {
    fn input(rng: &mut fastrand::Rng) -> Push {
        Push(rng.i8(-1..=1), rng.i8(-1..=1))
    }

    fn request(variant: u16) -> Option<Lamp> {
        Some(Lamp(variant))
    }
}

impl ChaosGame for Arena {
    fn input(rng: &mut fastrand::Rng) -> ArenaInput {
        ArenaInput::new(rng.f32() * 6.0, rng.u8(..4))
    }

    fn request(variant: u16) -> Option<ArenaRequest> {
        Some(ArenaRequest::Fly(Craft::of((variant % 4) as u8)))
    }
}

/// A seed that fails, and how.
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) why: String,
    /// The fewest events found that fail.
    pub(crate) events: Vec<Event>,
    pub(crate) of: usize,
    /// What is recorded of its rooms, by names for files.
    pub(crate) minutes: Vec<(String, Vec<u8>)>,
}

impl Failure {
    /// Writes the recordings into a folder of their own below this one. Gives a line for each: how it is replayed.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) fn keep(&self, below: &Path) -> std::io::Result<Vec<String>> {
        let folder = below.join(format!("seed-{}", self.seed));
        std::fs::create_dir_all(&folder)?;
        let program = if is_arena(self.seed) {
            "broadside-server replay"
        } else {
            "cargo run -p broadside-server --example chaos -- --replay"
        };
        let write = |(name, bytes): &(String, Vec<u8>)| {
            let file = folder.join(name).with_extension("bsr");
            std::fs::write(&file, bytes)?;
            Ok(format!("the last minute of a room: {program} {}", file.display()))
        };
        self.minutes.iter().map(write).collect()
    }
}

fn is_arena(seed: u64) -> bool {
    seed % ARENA_EVERY == 7
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {} fails: {}", self.seed, self.why)?;
        writeln!(f, "{} of its {} events are enough:", self.events.len(), self.of)?;
        for event in &self.events {
            writeln!(f, "  {:>6} ms  {:?}", event.at_ms, event.what)?;
        }
        let seed = self.seed;
        write!(f, "repeat it: cargo run -p broadside-server --example chaos -- --once --seed {seed}")
    }
}

/// Plays a seed.
///
/// # Errors
/// What does not hold, with the run shrunk within `shrink_for`.
pub(crate) fn play(seed: u64, shrink_for: Duration) -> Result<Seen, Box<Failure>> {
    let plan = Plan::draw(seed);
    let why = match attempt(&plan) {
        Ok(seen) => return Ok(seen),
        Err(why) => why,
    };
    let (events, why) = shrink(&plan, why, shrink_for);
    let of = plan.events.len();
    let fewest = Plan { events, ..plan };
    let minutes = if is_arena(seed) { Run::<Arena>::recorded(&fewest) } else { Run::<Toy>::recorded(&fewest) };
    Err(Box::new(Failure { seed, why, events: fewest.events, of, minutes }))
}

fn attempt(plan: &Plan) -> Result<Seen, String> {
    let run = || if is_arena(plan.seed) { Run::<Arena>::play(plan) } else { Run::<Toy>::play(plan) };
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().map_or("a panic without words", |text| text).to_owned(),
    })
}

/// Leaves out ever smaller parts of the events as long as what is left fails.
fn shrink(plan: &Plan, mut why: String, time: Duration) -> (Vec<Event>, String) {
    let until = Instant::now() + time;
    let mut events = plan.events.clone();
    let mut part = events.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        while from < events.len() && Instant::now() < until {
            let mut fewer = events.clone();
            fewer.drain(from..(from + part).min(events.len()));
            match attempt(&Plan { events: fewer.clone(), ..plan.clone() }) {
                Ok(_) => from += part,
                Err(other) => (events, why) = (fewer, other),
            }
        }
        part = if part == 1 { 0 } else { part.div_ceil(2) };
    }
    (events, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds() -> u64 {
        std::env::var("CHAOS_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(400)
    }

    #[test]
    fn what_always_holds_does_so_in_random_walks_of_the_whole_server() {
        for seed in 0..seeds() {
            if let Err(failure) = play(seed, Duration::from_secs(30)) {
                panic!("{failure}");
            }
        }
    }

    #[test]
    fn equal_seeds_see_the_same_in_every_frame() {
        for seed in [1, 2, 7] {
            let seen = || play(seed, Duration::ZERO).map_err(|failure| failure.to_string());
            assert_eq!(seen(), seen());
        }
    }
}

#[cfg(test)]
mod scenes;
