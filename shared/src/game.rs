//! [`Game`]: the one line between the engine (protocol, replication, client, room) and a game.
//!
//! The engine is generic over it and never names a ship. A game brings rules and tables; it never sees a socket, a clock
//! or a client.

use glam::Vec2;
use std::fmt::Debug;

use crate::history::{History, Pose};
use crate::ids::{EntityId, PlayerId};
use crate::protocol::input::GameInput;
use crate::protocol::match_status::{MatchPhase, TEAMS_MAX, Zone};
use crate::protocol::room::Mode;
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::replication::fields::{KindSpec, Record};
use crate::replication::state::{Placement, WorldState};
use crate::time::{Tick, ViewTime};

/// One player's input for the tick about to be stepped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlayerInput<I> {
    /// Whose input it is.
    pub player: PlayerId,
    /// What they asked for.
    pub input: I,
    /// The moment they were looking at when they asked, within what may be judged.
    pub view: ViewTime,
}

/// Why a predicted own state was not what the server came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CorrectionCause {
    /// An input came too late or not at all, and the server used another.
    Input,
    /// Contact with something prediction does not know of: another player.
    Collision,
    /// A hit.
    Hit,
    /// Something picked up.
    Pickup,
    /// The end of a life, or the begin of one.
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

    /// A word for tables and panels.
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

/// TeamLabel is told of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Recipients {
    /// Everyone whose area of interest holds this point, in world units.
    Near(Vec2),
    /// One player.
    Player(PlayerId),
    /// Everyone in the room.
    Room,
}

/// An event and who is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AddressedEvent<E> {
    /// TeamLabel is told.
    pub recipients: Recipients,
    /// What happened.
    pub event: E,
}

/// Something a client may show before the server confirms it: an own shot at the moment the trigger is pulled.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictedSpawn {
    /// What tells one predicted thing of this player from another; equal to [`Game::spawn_key`] of the real one.
    pub key: u32,
    /// The tick of the input that let it loose: from a snapshot of that tick on, the real one is known or was never let loose.
    pub tick: Tick,
    /// The thing as it would be replicated. Its id means nothing.
    pub record: Record,
}

/// A player's line in the standings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whose score it is.
    pub player: PlayerId,
    /// The score, best first when listed.
    pub score: i32,
}

/// Somebody did something that is worth a line in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillFeedEntry {
    /// TeamLabel did it, if anyone.
    pub by: Option<PlayerId>,
    /// The verb, such as `sank`.
    pub verb: &'static str,
    /// To whom.
    pub of: PlayerId,
}

/// How a match stands, as the game knows it: the room turns numbers into names and tells everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchState {
    /// How far it is.
    pub phase: MatchPhase,
    /// The round, from 1; 0 before the first.
    pub round: u8,
    /// Rounds at the most.
    pub rounds: u8,
    /// The tick at which the phase ends by itself, if it does.
    pub ends: Option<Tick>,
    /// The teams.
    pub teams: [Team; TEAMS_MAX],
    /// The place to hold, if there is one.
    pub zone: Option<Zone>,
    /// The team that won: the round in a pause, the match among the results.
    pub winner: Option<u8>,
}

/// A team of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Team {
    /// What to call it.
    pub who: TeamLabel,
    /// Its points in this round.
    pub score: u32,
    /// Points that win the round.
    pub goal: u32,
    /// Rounds it has won.
    pub rounds: u8,
    /// How many play for it.
    pub players: u16,
}

/// What a team is called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamLabel {
    /// A colour.
    Team(&'static str),
    /// The one player of it; `None` if there is none, or not any more.
    Player(Option<PlayerId>),
}

/// A game: its rules, and the tables from which the engine replicates, predicts and draws areas of interest.
///
/// Everything here is deterministic: equal seed and equal calls give equal state, natively and in wasm.
pub trait Game: Sized + Send + 'static {
    /// A short name, shown in logs and in the room list.
    const NAME: &'static str;
    /// Steps per second; part of the rules, told to clients in the welcome.
    const TICK_HZ: u32;
    /// Every replicated kind, in the order of its number on the wire (at most 8).
    const KINDS: &'static [KindSpec];
    /// Width and height of the area of interest in world units; what a client may show.
    const VIEW: Vec2;

    /// What a room of this game can be told when it opens.
    type Config: Clone + Debug + Default + Send;
    /// What a player asks for in one tick.
    type Input: GameInput;
    /// A player's own exact state: every value that [`Game::predict`] reads, unrounded.
    type LocalPlayerState: Clone + PartialEq + Debug + Send + Sync;
    /// A thing that happened once.
    type Event: Clone + PartialEq + Debug + Send + Sync;
    /// The obstacles prediction needs, gathered from a client's replica: static, or a function of the tick.
    type PredictionContext: Default + Send;

    /// What a room of a mode opens with.
    #[must_use]
    fn config(_mode: Mode) -> Self::Config {
        Self::Config::default()
    }

    /// The most who can play in a room of a mode.
    #[must_use]
    fn seats_max(_mode: Mode) -> u16 {
        u16::MAX
    }

    /// Opens a world. Equal config and seed give equal worlds.
    fn new(config: &Self::Config, seed: u64) -> Self;

    /// Seats a player before `tick` is stepped.
    fn join(&mut self, player: PlayerId, tick: Tick, events: &mut Vec<AddressedEvent<Self::Event>>);

    /// Takes a player out before `tick` is stepped.
    fn leave(&mut self, player: PlayerId, tick: Tick, events: &mut Vec<AddressedEvent<Self::Event>>);

    /// Steps the world to `tick`. `inputs` holds one input for every seated player, in order of player; `history` the poses
    /// of the ticks before.
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

    /// Steps a player's own state to `tick`: the very function [`Game::step`] uses for it, so that prediction and authority
    /// agree bit for bit unless something outside `context` interferes. Draws no chance.
    fn predict(
        own: &mut Self::LocalPlayerState,
        input: &Self::Input,
        tick: Tick,
        context: &Self::PredictionContext,
        spawned: &mut Vec<PredictedSpawn>,
    );

    /// Gathers from replicated records what prediction needs. Called after every snapshot.
    fn prediction_context<'a>(records: impl Iterator<Item = &'a Record>, out: &mut Self::PredictionContext);

    /// The key of the prediction that `record` confirms, if `player` could have predicted it.
    fn spawn_key(player: PlayerId, record: &Record) -> Option<u32>;

    /// Why the server came to `actual` where `predicted` was expected, judged from the two states alone; inputs gone missing
    /// are the engine's to know.
    fn correction_cause(predicted: &Self::LocalPlayerState, actual: &Self::LocalPlayerState) -> CorrectionCause;

    /// The centre of a player's area of interest in world units.
    fn focus(own: &Self::LocalPlayerState) -> Vec2;

    /// The player's own entity, which their client draws from prediction and not from the replica.
    fn player_entity(own: &Self::LocalPlayerState) -> Option<EntityId>;

    /// Appends every replicated thing with the point that decides its cell. Order does not matter.
    fn replicate(&self, tick: Tick, out: &mut Vec<(Vec2, Record)>);

    /// Appends every seated player's score, best first; equal scores in order of player.
    fn standings(&self, out: &mut Vec<Standing>);

    /// What an event says to those who read the feed of a room; `None` for most.
    fn kill_feed_entry(_event: &Self::Event) -> Option<KillFeedEntry> {
        None
    }

    /// How the match stands, where there are rounds.
    fn match_state(&self) -> Option<&MatchState> {
        None
    }

    /// Distance from the origin to where the world ends, in world units, for those who watch; 0 where it does not end.
    fn extent(&self) -> u16 {
        0
    }

    /// Hash of the whole world: equal worlds, equal hashes, on every machine.
    fn hash(&self) -> u64;

    /// Appends an exact private state.
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
