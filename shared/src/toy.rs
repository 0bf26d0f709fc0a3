//! A small game for tests: dots that are pushed about and bump into each other, lamps that players switch, and duels of five seconds
//! that whoever gets further to the right wins.

use std::cell::Cell;

use crate::game::{
    AddressedEvent, CorrectionCause, Game, MatchState, ModeSpec, NoBot, PlayerInput, PlayerTotals, PredictedSpawn,
    Recipients, RefusedByGame, Standing, Team, TeamLabel, WhenFull,
};
use crate::hash::WorldHash;
use crate::history::{History, Pose};
use crate::ids::{EntityId, PlayerId};
use crate::protocol::input::GameInput;
use crate::protocol::match_status::MatchPhase;
use crate::protocol::room::ModeId;
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::replication::fields::{FieldSpec, KindSpec, Motion, Record, plain, velocity};
use crate::replication::layout::Layout;
use crate::time::Tick;
use glam::Vec2;
use serde::{Deserialize, Serialize};

thread_local! {
    /// The next step on this thread panics.
    pub static PANICS: Cell<bool> = const { Cell::new(false) };
}

/// Dots on a plane.
#[derive(Serialize, Deserialize)]
pub struct Toy {
    dots: Vec<Option<Dot>>,
    tick: Tick,
    /// When each dot came; see [`Toy::totals`].
    joined: Vec<Tick>,
    /// Only in the mode [`DUEL`].
    duel: Option<Duel>,
    /// One bit for each lamp that is on.
    lamps: u32,
}

/// A player's dot. All of it is local player state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dot {
    pub id: EntityId,
    pub at: Vec2,
    pub velocity: Vec2,
    pub bumps: u16,
}

/// The match of a room with the mode [`DUEL`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Duel {
    /// Of team 0 and of team 1.
    players: [Option<PlayerId>; 2],
    phase: MatchPhase,
    started: Tick,
    ends: Option<Tick>,
    winner: Option<u8>,
}

/// The direction of the push, -1..=1 on each axis.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Push(pub i8, pub i8);

/// Two dots met here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bump(pub u16);

/// Switches a lamp: the only request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lamp(pub u16);

/// The mode with matches.
pub const DUEL: ModeId = ModeId(1);
/// Ticks of a match, and of its results.
pub const MATCH: u32 = 300;
pub const RESULTS: u32 = 60;
/// The cause of a correction after a contact.
pub const BUMP: CorrectionCause = CorrectionCause::of_game(0);
const TICK_HZ: u32 = 60;
const PUSH: Layout = Layout::Scaled { bits: 2, lowest: -1, step: 1.0 };
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

impl GameInput for Push {
    const LAYOUT: Layout = Layout::Fields(&[("x", PUSH), ("y", PUSH)]);

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

impl Dot {
    fn start(player: PlayerId) -> Vec2 {
        Vec2::new(f32::from(player.0) * 100.0, 0.0)
    }
}

impl Duel {
    /// `moved` gives how far a player got to the right.
    fn step(&mut self, tick: Tick, moved: impl Fn(PlayerId) -> f32) {
        let is_due = self.ends.is_some_and(|ends| tick >= ends);
        match (self.phase, self.players) {
            (MatchPhase::Waiting, [Some(_), Some(_)]) => {
                (self.phase, self.started, self.ends) = (MatchPhase::Playing, tick, Some(tick.after(MATCH)));
                self.winner = None;
            }
            (MatchPhase::Playing, [Some(a), Some(b)]) if is_due => {
                let (a, b) = (moved(a), moved(b));
                self.end((a != b).then_some(u8::from(b > a)), tick);
            }
            (MatchPhase::Results, _) if is_due => (self.phase, self.ends) = (MatchPhase::Waiting, None),
            _ => {}
        }
    }

    /// Whoever is left has won.
    fn leave(&mut self, player: PlayerId, tick: Tick) {
        let Some(team) = self.players.iter().position(|of_team| *of_team == Some(player)) else { return };
        self.players[team] = None;
        if self.phase == MatchPhase::Playing {
            self.end(Some(1 - team as u8), tick);
        }
    }

    fn end(&mut self, winner: Option<u8>, tick: Tick) {
        (self.phase, self.winner, self.ends) = (MatchPhase::Results, winner, Some(tick.after(RESULTS)));
    }

    fn state(&self) -> MatchState {
        let Duel { players, phase, ends, winner, .. } = *self;
        let team = |player: Option<PlayerId>| {
            let label = TeamLabel::Player(player);
            Team { label, score: 0, goal: 0, rounds: 0, players: u16::from(player.is_some()) }
        };
        let round = u8::from(phase != MatchPhase::Waiting);
        MatchState { phase, round, rounds: 1, ends, teams: players.into_iter().map(team).collect(), winner }
    }
}

impl Game for Toy {
    const NAME: &'static str = "toy";
    const MODES: &'static [ModeSpec] = &[
        ModeSpec::OPEN,
        ModeSpec { name: "duel", seats_max: 2, teams: 2, when_full: WhenFull::OpenRoom, rated: true, ..ModeSpec::OPEN },
    ];
    const PREDICTS: bool = true;
    const CORRECTION_CAUSES: &'static [&'static str] = &["bump"];
    const REFUSALS: &'static [&'static str] = &["That lamp is not yours."];
    const KINDS: &'static [KindSpec] = KINDS;
    const VIEW: Vec2 = Vec2::new(1000.0, 1000.0);
    type Config = ();
    type Input = Push;
    type LocalPlayerState = Dot;
    type Event = Bump;
    type PredictionContext = ();
    type Request = Lamp;
    type RoomState = u32;
    type Bot = NoBot;

    fn new((): &(), mode: ModeId, _seed: u64) -> Self {
        let waiting =
            Duel { players: [None; 2], phase: MatchPhase::Waiting, started: Tick(0), ends: None, winner: None };
        let duel = (mode == DUEL).then_some(waiting);
        Toy { dots: Vec::new(), tick: Tick(0), joined: Vec::new(), duel, lamps: 0 }
    }

    fn match_state(&self) -> Option<MatchState> {
        self.duel.as_ref().map(Duel::state)
    }

    fn team(&self, player: PlayerId) -> Option<u8> {
        let duel = self.duel.as_ref()?;
        duel.players.iter().position(|of_team| *of_team == Some(player)).map(|team| team as u8)
    }

    /// A tick in the room, or in the match, after the first one is a point: so everyone who stays for two ticks leaves a result.
    fn totals(&self, player: PlayerId) -> PlayerTotals {
        let joined = self.joined.get(usize::from(player.0)).copied().unwrap_or(self.tick);
        let since = self.duel.as_ref().map_or(joined, |duel| joined.max(duel.started));
        PlayerTotals { score: self.tick.since(since) as i32, ..PlayerTotals::default() }
    }

    fn handle_request(
        &mut self,
        player: PlayerId,
        Lamp(lamp): &Lamp,
        _tick: Tick,
        _events: &mut Vec<AddressedEvent<Bump>>,
    ) -> Result<(), RefusedByGame> {
        // A player may switch the lamps up to their own number.
        if *lamp > player.0 || *lamp >= 32 {
            return Err(RefusedByGame(0));
        }
        self.lamps ^= 1 << lamp;
        Ok(())
    }

    fn room_state(&self) -> u32 {
        self.lamps
    }

    fn join(&mut self, player: PlayerId, tick: Tick, _events: &mut Vec<AddressedEvent<Bump>>) {
        let at = usize::from(player.0);
        self.dots.resize(self.dots.len().max(at + 1), None);
        let dot = Dot { id: EntityId(player.0), at: Dot::start(player), velocity: Vec2::ZERO, bumps: 0 };
        self.dots[at] = Some(dot);
        self.joined.resize(self.dots.len(), tick);
        self.joined[at] = tick;
        if let Some(free) = self.duel.iter_mut().flat_map(|duel| &mut duel.players).find(|player| player.is_none()) {
            *free = Some(player);
        }
    }

    fn leave(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<Bump>>) {
        self.dots[usize::from(player.0)] = None;
        if let Some(duel) = &mut self.duel {
            duel.leave(player, self.tick);
        }
    }

    fn step(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<Push>],
        _history: &History,
        events: &mut Vec<AddressedEvent<Bump>>,
    ) {
        assert!(!PANICS.take(), "the toy game panics on demand");
        self.tick = tick;
        if let Some(duel) = &mut self.duel {
            let moved = |player: PlayerId| {
                self.dots[usize::from(player.0)].as_ref().map_or(0.0, |dot| dot.at.x - Dot::start(player).x)
            };
            duel.step(tick, moved);
        }
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
        if predicted.bumps == actual.bumps { CorrectionCause::UNKNOWN } else { BUMP }
    }

    fn player_state(&self, player: PlayerId) -> Option<&Dot> {
        self.dots.get(usize::from(player.0))?.as_ref()
    }

    fn predict(own: &mut Dot, input: &Push, _tick: Tick, (): &(), _spawned: &mut Vec<PredictedSpawn>) {
        own.velocity = (own.velocity + Vec2::new(input.0.into(), input.1.into()) * 10.0) * 0.98;
        own.at += own.velocity / TICK_HZ as f32;
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
}
