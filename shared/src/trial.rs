//! A world played by chance, in the same way on every machine: it tells whether two builds have the same rules.

use fastrand::Rng;

use crate::game::{Game, PlayerInput};
use crate::hash::WorldHash;
use crate::history::History;
use crate::ids::PlayerId;
use crate::protocol::input::GameInput;
use crate::protocol::room::ModeId;
use crate::replication::bits::BitReader;
use crate::saved;
use crate::time::{Tick, ViewTime};

/// Most players of a trial: enough to fill the teams of a match.
const PLAYERS: u16 = 6;
/// Ticks for which [`rules_hash`] plays each mode: ten seconds at 60 Hz, with a countdown and some fighting.
const RULES_TICKS: u32 = 600;

/// A world whose players hold random inputs, come and go.
struct Trial<G: Game> {
    world: G,
    history: History,
    tick: Tick,
    rng: Rng,
    /// By player number.
    inputs: Vec<Option<G::Input>>,
}

impl<G: Game> Trial<G> {
    /// A world without players.
    fn new(config: &G::Config, mode: ModeId, seed: u64) -> Self {
        let players = PLAYERS.min(G::MODES.get(usize::from(mode.0)).map_or(PLAYERS, |mode| mode.seats_max));
        Trial {
            world: G::new(config, mode, seed),
            history: History::default(),
            tick: Tick(0),
            rng: Rng::with_seed(seed),
            inputs: (0..players).map(|_| None).collect(),
        }
    }

    /// Steps the world.
    fn step(&mut self) {
        self.tick = self.tick.after(1);
        let mut events = Vec::new();
        for (player, input) in (0..).map(PlayerId).zip(&mut self.inputs) {
            match input {
                None if self.rng.u8(..) < 16 => {
                    self.world.join(player, self.tick, &mut events);
                    *input = Some(G::Input::default());
                }
                Some(_) if self.rng.u16(..) < 32 => {
                    self.world.leave(player, self.tick, &mut events);
                    *input = None;
                }
                Some(held) if self.rng.u8(..) < 16 => {
                    let mut bytes = [0; 16];
                    self.rng.fill(&mut bytes);
                    // Bytes that are no input mean none.
                    *held = G::Input::read(&mut BitReader::new(&bytes)).unwrap_or_default();
                }
                None | Some(_) => {}
            }
        }
        let view = ViewTime(ViewTime::of(self.tick).0.saturating_sub(u64::from(self.rng.u8(..))));
        let view = view.judged_at(self.tick, G::TICK_HZ);
        let seated = (0..).map(PlayerId).zip(&self.inputs);
        let inputs: Vec<_> =
            seated.filter_map(|(player, input)| Some(PlayerInput { player, input: (*input)?, view })).collect();
        self.world.step(self.tick, &inputs, &self.history, &mut events);
        self.history.record(self.tick, |poses| self.world.poses(poses));
    }
}

/// Tells builds apart whose worlds go different ways, or are saved in different bytes: a hash over a trial of each mode, as the default
/// configuration has it.
#[must_use]
pub fn rules_hash<G: Game>() -> u64 {
    let mut hash = WorldHash::default();
    hash.u64(G::TICK_HZ.into());
    for mode in (0..G::MODES.len()).map(|mode| ModeId(mode as u8)) {
        let mut trial = Trial::<G>::new(&G::Config::default(), mode, 1);
        for _ in 0..RULES_TICKS {
            trial.step();
            hash.u64(trial.world.hash());
        }
        saved::save(&(&trial.world, &trial.history)).into_iter().for_each(|byte| hash.u64(byte.into()));
    }
    hash.finish()
}

/// For the tests of a game: saves a world of each mode in the middle of a trial, and checks that the one read back goes on like the first.
///
/// # Panics
/// If it does not: some of its state is not in what it serializes.
pub fn assert_saved_worlds_go_on<G: Game>() {
    for mode in (0..G::MODES.len()).map(|mode| ModeId(mode as u8)) {
        let mut trial = Trial::<G>::new(&G::Config::default(), mode, 7);
        (0..900).for_each(|_| trial.step());
        let bytes = saved::save(&(&trial.world, &trial.history));
        let (world, history) = saved::load::<(G, History)>(&bytes).expect("what was saved can be read");
        let mut loaded =
            Trial { world, history, tick: trial.tick, rng: trial.rng.clone(), inputs: trial.inputs.clone() };
        assert!(
            saved::save(&(&loaded.world, &loaded.history)) == bytes,
            "a loaded world of mode {} is another",
            mode.0
        );
        for _ in 0..1000 {
            trial.step();
            loaded.step();
            assert_eq!(loaded.world.hash(), trial.world.hash(), "mode {}, tick {}", mode.0, trial.tick);
        }
        assert!(saved::save(&loaded.world) == saved::save(&trial.world), "mode {}", mode.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::Toy;

    #[test]
    fn a_saved_world_goes_on_as_it_would_have() {
        assert_saved_worlds_go_on::<Toy>();
    }
}
