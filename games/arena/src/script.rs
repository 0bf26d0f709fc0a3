//! Scripted players: a whole match from a seed, to compare machines by.

use fastrand::Rng;

use super::rules::TICK_HZ;
use super::{Arena, ArenaConfig, ArenaInput, ArenaRequest, Craft};
use broadside_shared::game::{Game, PlayerInput};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::time::{Tick, ViewTime};

/// The match by which all machines are compared: seed, ticks, and ticks between two hashes.
pub const REFERENCE: (u64, u32, u32) = (2024, 10_000, 1_000);

/// The hashes of [`REFERENCE`], natively and in wasm. They change with the rules, and only with them.
pub const REFERENCE_HASHES: [u64; 10] = [
    0xf529_86cc_1b8b_075e,
    0x095c_13d6_addc_be64,
    0xeb02_e45a_1c9b_7441,
    0x8a78_1794_be4d_4385,
    0x5b58_1e5e_ed1a_35bb,
    0xe6ec_f1f3_db4f_fd63,
    0x5766_dfa8_5de8_662b,
    0x72c7_4298_3bc7_2cdd,
    0xf0b6_d4a8_727d_9782,
    0x3329_df8a_9ffa_e5d8,
];

/// Most players that the script seats at once: enough for the border to grow.
const SEATS: u16 = 48;

/// Plays a scripted match and gives the world's hash every `every` ticks, up to `ticks`. The seed decides when players
/// join, steer, fire, collect, sink and leave; the same seed gives the same hashes natively and in wasm.
///
/// # Panics
/// If `every` is 0.
#[must_use]
pub fn world_hashes(seed: u64, ticks: u32, every: u32) -> Vec<u64> {
    let mut arena = Arena::new(&ArenaConfig::default(), Default::default(), seed);
    let mut hashes = Vec::new();
    let mut script = Script::new(seed);
    let mut events = Vec::new();
    let mut history = History::default();
    for tick in (1..=ticks).map(Tick) {
        script.play(&mut arena, tick);
        arena.step(tick, &script.inputs, &history, &mut events);
        history.record(tick, |poses| arena.poses(poses));
        events.clear();
        if tick.0.is_multiple_of(every) {
            hashes.push(arena.hash());
        }
    }
    hashes
}

/// The seated players, and each one's behaviour.
#[derive(Debug)]
struct Script {
    rng: Rng,
    inputs: Vec<PlayerInput<ArenaInput>>,
}

impl Script {
    fn new(seed: u64) -> Script {
        Script { rng: Rng::with_seed(seed ^ 0x005c_2197), inputs: Vec::new() }
    }

    /// Changes the players and their inputs, before `tick` is stepped.
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
                    self.inputs
                        .insert(at, PlayerInput { player, input: ArenaInput::default(), view: ViewTime::default() });
                    arena.join(player, tick, &mut events);
                    let craft = Craft::of(self.rng.u8(0..3));
                    let _ = arena.handle_request(player, &ArenaRequest::Fly(craft), tick, &mut events);
                }
            }
        }
        for PlayerInput { player, input, view } in &mut self.inputs {
            // Each sees another moment of the past, some further back than is judged.
            *view = ViewTime(ViewTime::of(tick).0.saturating_sub(u64::from(player.0) * 7)).judged_at(tick, TICK_HZ);
            if self.rng.u32(0..20) == 0 {
                input.buttons = self.rng.u8(..);
                // Fire and thrust more often than not: a lively match covers more of the rules.
                if self.rng.bool() {
                    input.buttons |= ArenaInput::FIRE | ArenaInput::THRUST;
                }
            }
            if self.rng.u32(0..10) == 0 {
                input.aim = input.aim.wrapping_add(self.rng.u16(0..16_384)).wrapping_sub(8_192);
            }
            if self.rng.u32(0..90) == 0
                && let Some(own) = arena.player_state(*player)
            {
                // Sometimes toward the centre, or all would end up at the border.
                input.aim = super::input::turn_of(broadside_shared::math::angle_of(-own.position));
            }
        }
    }
}
