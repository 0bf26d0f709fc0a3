//! Puck: small teams push a puck into the other's goal on a rink with rounded corners.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rules`] | every tuning constant, with its unit |
//! | [`input`] | a player's input for one tick |
//! | [`rink`] | boards, goals and posts |
//! | [`play`] | discs and puck, and their tick: the predicted part of the rules |
//! | [`own`] | a player's exact state, how it is predicted, and its bytes |
//! | [`event`] | events: what happens once |
//! | [`fields`] | the kinds of entities and their bits on the wire |
//! | [`modes`] | one, two or three players a side |
//! | [`referee`] | phases, clock and score of a match |
//! | [`world`] | the world: seats, places, goals |
//! | [`ai`] | the AI player: from what a client sees to an input |
//!
//! It shares no code with the arena.

pub mod ai;
pub mod event;
pub mod fields;
pub mod input;
mod modes;
pub mod own;
pub mod play;
mod referee;
pub mod rink;
pub mod rules;
#[cfg(test)]
mod tests;
mod world;

use broadside_shared::game::{
    AddressedEvent, CorrectionCause, Game, MatchState, ModeSpec, NoRequest, PlayerInput, PredictedCompanion,
    PredictedSpawn, Standing,
};
use broadside_shared::history::{History, Pose};
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::protocol::room::ModeId;
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::fields::{KindSpec, Record};
use broadside_shared::replication::layout::Layout;
use broadside_shared::time::Tick;
use glam::Vec2;
use serde::{Deserialize, Serialize};

pub use event::{Bounce, PuckEvent};
pub use fields::DiscView;
pub use input::PuckInput;
pub use modes::{DUEL, TEAMS_MODE};
pub use own::LocalPlayerState;
pub use referee::TEAMS;
pub use world::Puck;

use play::PuckState;
use rules::{DISC, GOAL_DEPTH, HALF_LENGTH, HALF_WIDTH};

/// How matches are played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PuckConfig {
    /// Goals that win a match, 1..=50.
    pub goals: u32,
    /// Seconds on the clock, 10..=3600.
    pub match_s: u32,
    /// Seconds of overtime after an equal score, 0..=3600; with 0 it is a draw at once.
    pub overtime_s: u32,
}

impl Default for PuckConfig {
    fn default() -> Self {
        PuckConfig { goals: 5, match_s: 180, overtime_s: 60 }
    }
}

/// What everyone in the room knows beyond the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoomState {
    /// The next goal wins.
    pub overtime: bool,
    /// Seconds on the clock, while it stands still.
    pub left_s: u16,
}

impl Game for Puck {
    const NAME: &'static str = "puck";
    const TICK_HZ: u32 = rules::TICK_HZ;
    const KINDS: &'static [KindSpec] = fields::KINDS;
    /// From wherever a player is, the whole rink is in it.
    const VIEW: Vec2 = Vec2::new(4.0 * HALF_LENGTH + 2.0 * (GOAL_DEPTH - DISC), 4.0 * HALF_WIDTH);
    const MODES: &'static [ModeSpec] = modes::MODES;
    const PREDICTS: bool = true;
    const CORRECTION_CAUSES: &'static [&'static str] = own::CAUSES;
    const PLAYER_STATE_LAYOUT: Layout = own::LAYOUT;
    const BOT_NAMES: &'static [&'static str] = &[
        "Bandy", "Biscuit", "Blitz", "Bruno", "Dash", "Deke", "Flip", "Gritty", "Hattie", "Icing", "Jolt", "Lefty",
        "Mitts", "Pogo", "Rink", "Sauce", "Slap", "Snipe", "Tilda", "Wraps", "Zamba",
    ];

    type Config = PuckConfig;
    type Input = PuckInput;
    type LocalPlayerState = LocalPlayerState;
    type Event = PuckEvent;
    type PredictionContext = ();
    type Request = NoRequest;
    type RoomState = RoomState;
    type Bot = ai::player::AiPlayer;

    fn check_config(config: &PuckConfig) -> Result<(), String> {
        for (name, value, least, most) in [
            ("goals", config.goals, 1, 50),
            ("match_s", config.match_s, 10, 3600),
            ("overtime_s", config.overtime_s, 0, 3600),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("{name} = {value}: must be {least} to {most}"));
            }
        }
        Ok(())
    }

    fn new(config: &PuckConfig, mode: ModeId, _seed: u64) -> Self {
        Puck::open(config, mode)
    }

    /// # Panics
    /// If a team has no place left: the modes have as many seats as there are places.
    fn join(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<PuckEvent>>) {
        self.seat(player);
    }

    fn leave(&mut self, player: PlayerId, tick: Tick, _events: &mut Vec<AddressedEvent<PuckEvent>>) {
        self.unseat(player, tick);
    }

    fn step(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<PuckInput>],
        _history: &History,
        events: &mut Vec<AddressedEvent<PuckEvent>>,
    ) {
        self.run_tick(tick, inputs, events);
    }

    fn player_state(&self, player: PlayerId) -> Option<&LocalPlayerState> {
        self.own(player)
    }

    fn focus(own: &LocalPlayerState) -> Vec2 {
        own.disc().at
    }

    fn replicate(&self, _tick: Tick, out: &mut Vec<(Vec2, Record)>) {
        let play = self.play();
        out.push((play.puck.at, play.puck.record()));
        out.extend(play.discs.iter().map(|disc| (disc.at, disc.record())));
    }

    fn hash(&self) -> u64 {
        self.hash_world()
    }

    fn poses(&self, out: &mut Vec<Pose>) {
        // The order of player is that of the discs; the entity stands for the life.
        out.extend(self.play().discs.iter().map(|disc| Pose { player: disc.player, at: disc.at, life: disc.id.0 }));
    }

    fn room_state(&self) -> RoomState {
        self.shared_state()
    }

    fn predict(
        own: &mut LocalPlayerState,
        input: &PuckInput,
        _tick: Tick,
        (): &(),
        _spawned: &mut Vec<PredictedSpawn>,
    ) {
        own.advance(input);
    }

    fn correction_cause(predicted: &LocalPlayerState, actual: &LocalPlayerState) -> CorrectionCause {
        own::correction_cause(predicted, actual)
    }

    fn player_entity(own: &LocalPlayerState) -> Option<EntityId> {
        Some(own.disc().id)
    }

    fn companion(own: &LocalPlayerState) -> Option<PredictedCompanion> {
        let PuckState { id, at, .. } = own.play.puck;
        Some(PredictedCompanion { id, at, is_near: own.is_puck_near() })
    }

    fn standings(&self, out: &mut Vec<Standing>) {
        self.list_standings(out);
    }

    fn team(&self, player: PlayerId) -> Option<u8> {
        self.play().disc(player).map(|disc| disc.team)
    }

    fn match_state(&self) -> Option<MatchState> {
        Some(self.published())
    }

    fn extent(&self) -> u16 {
        (HALF_LENGTH + GOAL_DEPTH) as u16
    }

    fn write_player_state(own: &LocalPlayerState, out: &mut BitWriter) {
        own::write(own, out);
    }

    fn read_player_state(bits: &mut BitReader<'_>) -> Result<LocalPlayerState, WireError> {
        own::read(bits)
    }
}
