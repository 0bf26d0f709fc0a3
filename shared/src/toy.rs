//! A game of about 200 lines, which shows that the engine names no ship: dots that are pushed about and bump into each other.

use std::cell::Cell;

use crate::game::{
    AddressedEvent, CorrectionCause, Game, MatchState, PlayerInput, PredictedSpawn, Recipients, Standing, Team,
    TeamLabel,
};
use crate::hash::WorldHash;
use crate::history::{History, Pose};
use crate::ids::{EntityId, PlayerId};
use crate::protocol::input::GameInput;
use crate::protocol::match_status::{MatchPhase, TEAMS_MAX};
use crate::protocol::room::Mode;
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::replication::fields::{FieldSpec, KindSpec, Motion, Record, check_kinds, plain, velocity};
use crate::time::Tick;
use glam::Vec2;

thread_local! {
    /// The next step on this thread panics.
    pub static PANICS: Cell<bool> = const { Cell::new(false) };
}

/// Dots on a plane.
pub struct Toy {
    dots: Vec<Option<Dot>>,
    /// Waits forever; `None` in the open mode.
    match_state: Option<MatchState>,
}

/// A player's dot. All of it is local player state.
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    pub id: EntityId,
    pub at: Vec2,
    pub velocity: Vec2,
    pub bumps: u16,
}

/// The direction of the push, -1..=1 on each axis.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Push(pub i8, pub i8);

/// Two dots met here.
#[derive(Debug, Clone, PartialEq)]
pub struct Bump(pub u16);

const TICK_HZ: u32 = 60;
const KINDS: &[KindSpec] = &[KindSpec {
    name: "dot",
    motion: Motion::Moving,
    fields: &[
        FieldSpec::X,
        FieldSpec::Y,
        velocity("vx", 12, TICK_HZ),
        velocity("vy", 12, TICK_HZ),
        plain("owner", 8, 1.0),
    ],
}];
const _: () = check_kinds(KINDS);

impl GameInput for Push {
    fn write(&self, out: &mut BitWriter) {
        out.bits((self.0 + 1) as u32, 2);
        out.bits((self.1 + 1) as u32, 2);
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError> {
        let mut one = || match bits.bits(2)? {
            3 => Err(WireError::Range { what: "push", value: 3, limit: 2 }),
            n => Ok(n as i8 - 1),
        };
        Ok(Push(one()?, one()?))
    }

    fn idle(&self) -> Self {
        Push(0, 0)
    }
}

impl Game for Toy {
    const NAME: &'static str = "toy";
    const TICK_HZ: u32 = TICK_HZ;
    const KINDS: &'static [KindSpec] = KINDS;
    const VIEW: Vec2 = Vec2::new(1000.0, 1000.0);
    type Config = Mode;
    type Input = Push;
    type LocalPlayerState = Dot;
    type Event = Bump;
    type PredictionContext = ();

    fn config(mode: Mode) -> Mode {
        mode
    }

    fn new(mode: &Mode, _seed: u64) -> Self {
        let team = Team { label: TeamLabel::Player(None), score: 0, goal: 0, rounds: 0, players: 0 };
        let waiting = MatchState {
            phase: MatchPhase::Waiting,
            round: 0,
            rounds: 1,
            ends: None,
            teams: [team; TEAMS_MAX],
            zone: None,
            winner: None,
        };
        Toy { dots: Vec::new(), match_state: (*mode != Mode::Open).then_some(waiting) }
    }

    fn match_state(&self) -> Option<&MatchState> {
        self.match_state.as_ref()
    }

    fn join(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<Bump>>) {
        let at = usize::from(player.0);
        self.dots.resize(self.dots.len().max(at + 1), None);
        let dot = Dot {
            id: EntityId(player.0),
            at: Vec2::new(f32::from(player.0) * 100.0, 0.0),
            velocity: Vec2::ZERO,
            bumps: 0,
        };
        self.dots[at] = Some(dot);
    }

    fn leave(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<Bump>>) {
        self.dots[usize::from(player.0)] = None;
    }

    fn step(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<Push>],
        _history: &History,
        events: &mut Vec<AddressedEvent<Bump>>,
    ) {
        assert!(!PANICS.take(), "the toy game panics on demand");
        for PlayerInput { player, input, .. } in inputs {
            if let Some(dot) = &mut self.dots[usize::from(player.0)] {
                Self::predict(dot, input, tick, &(), &mut Vec::new());
            }
        }
        for a in 0..self.dots.len() {
            for b in a + 1..self.dots.len() {
                let [Some(one), Some(other)] = self.dots.get_disjoint_mut([a, b]).expect("two different dots") else {
                    continue;
                };
                if one.at.distance(other.at) < 8.0 {
                    std::mem::swap(&mut one.velocity, &mut other.velocity);
                    one.bumps += 1;
                    other.bumps += 1;
                    events.push(AddressedEvent { recipients: Recipients::Near(one.at), event: Bump(one.id.0) });
                }
            }
        }
    }

    fn poses(&self, out: &mut Vec<Pose>) {
        let dots = self.dots.iter().flatten();
        out.extend(dots.map(|dot| Pose { player: PlayerId(dot.id.0), at: dot.at, life: 0 }));
    }

    fn correction_cause(predicted: &Dot, actual: &Dot) -> CorrectionCause {
        if predicted.bumps == actual.bumps { CorrectionCause::Unknown } else { CorrectionCause::Collision }
    }

    fn player_state(&self, player: PlayerId) -> Option<&Dot> {
        self.dots.get(usize::from(player.0))?.as_ref()
    }

    fn predict(own: &mut Dot, input: &Push, _tick: Tick, (): &(), _spawned: &mut Vec<PredictedSpawn>) {
        own.velocity = (own.velocity + Vec2::new(input.0.into(), input.1.into()) * 10.0) * 0.98;
        own.at += own.velocity / TICK_HZ as f32;
    }

    fn prediction_context<'a>(_records: impl Iterator<Item = &'a Record>, (): &mut ()) {}

    fn spawn_key(_player: PlayerId, _record: &Record) -> Option<u32> {
        None
    }

    fn focus(own: &Dot) -> Vec2 {
        own.at
    }

    fn player_entity(own: &Dot) -> Option<EntityId> {
        Some(own.id)
    }

    fn replicate(&self, _tick: Tick, out: &mut Vec<(Vec2, Record)>) {
        for dot in self.dots.iter().flatten() {
            let values = [dot.at.x, dot.at.y, dot.velocity.x, dot.velocity.y, f32::from(dot.id.0)];
            out.push((dot.at, Record::pack(dot.id, 0, &KINDS[0], &values)));
        }
    }

    fn standings(&self, out: &mut Vec<Standing>) {
        let dots = self.dots.iter().flatten();
        out.extend(dots.map(|dot| Standing { player: PlayerId(dot.id.0), score: i32::from(dot.bumps) }));
        out.sort_by_key(|standing| (-standing.score, standing.player));
    }

    fn hash(&self) -> u64 {
        let mut hash = WorldHash::default();
        for dot in self.dots.iter().flatten() {
            hash.vec2(dot.at);
            hash.vec2(dot.velocity);
        }
        hash.finish()
    }

    fn write_player_state(own: &Dot, out: &mut BitWriter) {
        out.bits(own.id.0.into(), 16);
        out.bits(own.bumps.into(), 16);
        for value in [own.at.x, own.at.y, own.velocity.x, own.velocity.y] {
            out.f32(value);
        }
    }

    fn read_player_state(bits: &mut BitReader<'_>) -> Result<Dot, WireError> {
        let (id, bumps) = (EntityId(bits.bits(16)? as u16), bits.bits(16)? as u16);
        let mut vec2 = |what| Ok(Vec2::new(bits.f32(what)?, bits.f32(what)?));
        Ok(Dot { id, bumps, at: vec2("position")?, velocity: vec2("velocity")? })
    }

    fn write_event(event: &Bump, out: &mut BitWriter) {
        out.bits(event.0.into(), 16);
    }

    fn read_event(bits: &mut BitReader<'_>) -> Result<Bump, WireError> {
        Ok(Bump(bits.bits(16)? as u16))
    }
}
