//! Scripted players: a whole match from a seed and nothing else, to compare machines by.

use fastrand::Rng;

use super::{Arena, ArenaConfig, ArenaInput};
use crate::game::{Game, PlayerId, PlayerInput};
use crate::time::Tick;

/// Most players the script seats at once.
const SEATS: u16 = 24;

/// Plays a scripted match and gives the world's hash every `every` ticks, up to `ticks`. Players come, steer, fire, collect,
/// sink and go as the seed says; the same seed gives the same hashes natively and in wasm.
///
/// # Panics
/// If `every` is 0.
#[must_use]
pub fn world_hashes(seed: u64, ticks: u32, every: u32) -> Vec<u64> {
    let mut arena = Arena::new(&ArenaConfig::default(), seed);
    let mut hashes = Vec::new();
    let mut script = Script::new(seed);
    let mut events = Vec::new();
    for tick in (1..=ticks).map(Tick) {
        script.play(&mut arena, tick);
        arena.step(tick, &script.inputs, &mut events);
        events.clear();
        if tick.0.is_multiple_of(every) {
            hashes.push(arena.hash());
        }
    }
    hashes
}

/// Who sits where, and what each of them does.
#[derive(Debug)]
struct Script {
    rng: Rng,
    inputs: Vec<PlayerInput<ArenaInput>>,
}

impl Script {
    fn new(seed: u64) -> Script {
        Script { rng: Rng::with_seed(seed ^ 0x005c_2197), inputs: Vec::new() }
    }

    /// Changes who plays and what they ask for, before `tick` is stepped.
    fn play(&mut self, arena: &mut Arena, tick: Tick) {
        let mut events = Vec::new();
        if self.rng.u32(0..40) == 0 {
            let player = PlayerId(self.rng.u16(0..SEATS));
            match self.inputs.binary_search_by_key(&player, |i| i.player) {
                // Leaves are rarer than joins, so that the arena is mostly full.
                Ok(at) if self.rng.u32(0..6) == 0 => {
                    self.inputs.remove(at);
                    arena.leave(player, tick, &mut events);
                }
                Ok(_) => {}
                Err(at) => {
                    self.inputs.insert(at, PlayerInput { player, input: ArenaInput::default() });
                    arena.join(player, tick, &mut events);
                }
            }
        }
        for PlayerInput { player, input } in &mut self.inputs {
            if self.rng.u32(0..20) == 0 {
                input.buttons = self.rng.u8(0..32);
                // Fire and thrust more often than not: a lively match reaches more of the rules.
                if self.rng.bool() {
                    input.buttons |= ArenaInput::FIRE | ArenaInput::THRUST;
                }
            }
            if self.rng.u32(0..10) == 0 {
                input.aim = input.aim.wrapping_add(self.rng.u16(0..16_384)).wrapping_sub(8_192);
            }
            if self.rng.u32(0..90) == 0
                && let Some(own) = arena.own(*player)
            {
                // Now and then toward the middle, or they would all end up at the border.
                input.aim = super::input::turn_of(crate::math::angle_of(-own.position));
            }
        }
    }
}
