//! [`Game`]: the only interface between the engine (protocol, replication, client, room) and a game.
//!
//! The engine is generic over it and never names a ship. A game brings rules and tables; it never sees a socket, a
//! clock or a client.

use glam::Vec2;
use std::fmt::Debug;

use crate::history::{History, Pose};
use crate::ids::{EntityId, PlayerId};
use crate::protocol::input::GameInput;
use crate::protocol::match_status::{MatchPhase, TEAMS_MAX, Zone};
use crate::protocol::room::Mode;
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::replication::fields::{KindSpec, Record};
use crate::replication::world::{Placement, WorldState};
use crate::time::{Tick, ViewTime};

/// One player's input for the tick about to be stepped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlayerInput<I> {
    /// Whose input it is.
    pub player: PlayerId,
    /// What the player asks for.
    pub input: I,
    /// The moment the player saw when the input was sampled, clamped to what may be judged.
    pub view: ViewTime,
}

/// Why the server's state differs from the predicted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CorrectionCause {
    /// An input arrived too late or not at all, and the server used another.
    Input,
    /// Contact with another player, which prediction does not know of.
    Collision,
    /// A hit.
    Hit,
    /// A pickup.
    Pickup,
    /// The end or the start of a life.
    Respawn,
    /// None of these: a bug, and counted as one.
    Unknown,
}

impl CorrectionCause {
    /// Every cause, in order of number.
    pub const ALL: [CorrectionCause; 6] = [
        CorrectionCause::Input,
        CorrectionCause::Collision,
        CorrectionCause::Hit,
        CorrectionCause::Pickup,
        CorrectionCause::Respawn,
        CorrectionCause::Unknown,
    ];

    /// The name in tables and panels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CorrectionCause::Input => "input",
            CorrectionCause::Collision => "collision",
            CorrectionCause::Hit => "hit",
            CorrectionCause::Pickup => "pickup",
            CorrectionCause::Respawn => "respawn",
            CorrectionCause::Unknown => "unknown",
        }
    }
}

/// The recipients of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Recipients {
    /// Every player whose area of interest contains this point, in world units.
    Near(Vec2),
    /// One player.
    Player(PlayerId),
    /// Everyone in the room.
    Room,
}

/// An event and its recipients.
#[derive(Debug, Clone, PartialEq)]
pub struct AddressedEvent<E> {
    /// The recipients.
    pub recipients: Recipients,
    /// The event.
    pub event: E,
}

/// An entity that a client may show before the server confirms it, such as the player's own shot when the trigger is
/// pulled.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictedSpawn {
    /// Identifies a predicted entity among those of its player; equal to [`Game::spawn_key`] of the real one.
    pub key: u32,
    /// The tick of the input that spawned it: from a snapshot of that tick on, the real entity is known or was never
    /// spawned.
    pub tick: Tick,
    /// The entity as it would be replicated. Its id has no meaning.
    pub record: Record,
}

/// A player's entry in the standings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The player.
    pub player: PlayerId,
    /// The score.
    pub score: i32,
}

/// A kill-feed entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillFeedEntry {
    /// The player who did it; `None` if nobody did.
    pub by: Option<PlayerId>,
    /// The verb, such as `sank`.
    pub verb: &'static str,
    /// The player it was done to.
    pub of: PlayerId,
}

/// The state of a match as the game knows it. The room publishes it as a
/// [`MatchStatus`](crate::protocol::match_status::MatchStatus), with names instead of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchState {
    /// The phase.
    pub phase: MatchPhase,
    /// The round, from 1; 0 before the first.
    pub round: u8,
    /// Most rounds of the match.
    pub rounds: u8,
    /// The tick at which the phase ends automatically; `None` if it does not.
    pub ends: Option<Tick>,
    /// The teams.
    pub teams: [Team; TEAMS_MAX],
    /// The zone to hold; `None` in modes without one.
    pub zone: Option<Zone>,
    /// The winning team: of the round during a pause, of the match during the results.
    pub winner: Option<u8>,
}

/// A team of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Team {
    /// What it is called.
    pub label: TeamLabel,
    /// Points in this round.
    pub score: u32,
    /// Points that win the round.
    pub goal: u32,
    /// Rounds won.
    pub rounds: u8,
    /// Number of players.
    pub players: u16,
}

/// What a team is called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamLabel {
    /// A colour.
    Team(&'static str),
    /// Its only player; `None` if the team is empty.
    Player(Option<PlayerId>),
}

/// A game: its rules, and the tables from which the engine replicates, predicts and draws areas of interest.
///
/// Everything here is deterministic: equal seed and equal calls give equal state, natively and in wasm.
pub trait Game: Sized + Send + 'static {
    /// A short name, shown in logs and in the room list.
    const NAME: &'static str;
    /// Steps per second; part of the rules, sent to clients in the welcome.
    const TICK_HZ: u32;
    /// Every replicated kind, in the order of its number on the wire (at most 8).
    const KINDS: &'static [KindSpec];
    /// Width and height of the area of interest in world units; what a client may show.
    const VIEW: Vec2;

    /// What a room of this game is opened with.
    type Config: Clone + Debug + Default + Send;
    /// What a player asks for in one tick.
    type Input: GameInput;
    /// A player's exact private state: every value that [`Game::predict`] reads, unrounded.
    type LocalPlayerState: Clone + PartialEq + Debug + Send + Sync;
    /// Something that happened once.
    type Event: Clone + PartialEq + Debug + Send + Sync;
    /// The obstacles prediction needs, gathered from a client's replica: static, or a function of the tick.
    type PredictionContext: Default + Send;

    /// The configuration of a room of `mode`.
    #[must_use]
    fn config(_mode: Mode) -> Self::Config {
        Self::Config::default()
    }

    /// Most players in a room of `mode`.
    #[must_use]
    fn seats_max(_mode: Mode) -> u16 {
        u16::MAX
    }

    /// Opens a world. Equal config and seed give equal worlds.
    fn new(config: &Self::Config, seed: u64) -> Self;

    /// Seats a player, before `tick` is stepped.
    fn join(&mut self, player: PlayerId, tick: Tick, events: &mut Vec<AddressedEvent<Self::Event>>);

    /// Removes a player, before `tick` is stepped.
    fn leave(&mut self, player: PlayerId, tick: Tick, events: &mut Vec<AddressedEvent<Self::Event>>);

    /// Steps the world to `tick`. `inputs` holds one input for every seated player, in order of player; `history` holds
    /// the poses of earlier ticks.
    fn step(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<Self::Input>],
        history: &History,
        events: &mut Vec<AddressedEvent<Self::Event>>,
    );

    /// Appends the pose of every player that can be hit, in order of player.
    fn poses(&self, out: &mut Vec<Pose>);

    /// The exact private state of a seated player.
    fn player_state(&self, player: PlayerId) -> Option<&Self::LocalPlayerState>;

    /// Steps a player's own state to `tick`. [`Game::step`] uses the same function, so that prediction and authority
    /// agree bit for bit unless something outside `context` interferes. It uses no randomness.
    fn predict(
        own: &mut Self::LocalPlayerState,
        input: &Self::Input,
        tick: Tick,
        context: &Self::PredictionContext,
        spawned: &mut Vec<PredictedSpawn>,
    );

    /// Collects from replicated records what prediction needs. Called after every snapshot.
    fn prediction_context<'a>(records: impl Iterator<Item = &'a Record>, out: &mut Self::PredictionContext);

    /// The key of the prediction that `record` confirms; `None` if `player` cannot have predicted it.
    fn spawn_key(player: PlayerId, record: &Record) -> Option<u32>;

    /// Why the server's state is `actual` where `predicted` was expected, judged from the two states alone. The engine
    /// itself knows of missing inputs.
    fn correction_cause(predicted: &Self::LocalPlayerState, actual: &Self::LocalPlayerState) -> CorrectionCause;

    /// The centre of a player's area of interest, in world units.
    fn focus(own: &Self::LocalPlayerState) -> Vec2;

    /// The player's own entity, which their client draws from prediction and not from the replica.
    fn player_entity(own: &Self::LocalPlayerState) -> Option<EntityId>;

    /// Appends every replicated entity with the point that decides its cell, in any order.
    fn replicate(&self, tick: Tick, out: &mut Vec<(Vec2, Record)>);

    /// Appends every seated player's score, best first; equal scores in order of player.
    fn standings(&self, out: &mut Vec<Standing>);

    /// The kill-feed entry of an event; `None` for most events.
    fn kill_feed_entry(_event: &Self::Event) -> Option<KillFeedEntry> {
        None
    }

    /// The state of the match; `None` where there are no rounds.
    fn match_state(&self) -> Option<&MatchState> {
        None
    }

    /// Distance from the origin to the end of the world, in world units, for spectators; 0 where the world has no end.
    fn extent(&self) -> u16 {
        0
    }

    /// Hash of the whole world: equal worlds have equal hashes on every machine.
    fn hash(&self) -> u64;

    /// Appends a player's exact private state.
    fn write_player_state(own: &Self::LocalPlayerState, out: &mut BitWriter);

    /// Reads what [`Game::write_player_state`] wrote.
    ///
    /// # Errors
    /// The reason the bits are not such a state.
    fn read_player_state(bits: &mut BitReader<'_>) -> Result<Self::LocalPlayerState, WireError>;

    /// Appends an event.
    fn write_event(event: &Self::Event, out: &mut BitWriter);

    /// Reads what [`Game::write_event`] wrote.
    ///
    /// # Errors
    /// The reason the bits are not an event.
    fn read_event(bits: &mut BitReader<'_>) -> Result<Self::Event, WireError>;
}

impl WorldState {
    /// Takes the state of `game` at `tick`, reusing the buffers of the state that `self` held before.
    pub fn capture<G: Game>(&mut self, game: &G, tick: Tick, placement: &mut Placement) {
        self.gather(tick, |gathered| game.replicate(tick, gathered), placement);
    }
}
