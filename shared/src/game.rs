//! [`Game`]: the only interface between the engine (protocol, replication, client, room) and a game.
//!
//! The engine is generic over it and knows no game. A game brings rules and tables; it never sees a socket, a
//! clock or a client.

use arrayvec::ArrayVec;
use glam::Vec2;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

use crate::history::{History, Pose};
use crate::ids::{EntityId, PlayerId};
use crate::protocol::codec;
use crate::protocol::input::GameInput;
use crate::protocol::match_status::{MatchPhase, MatchStatus, TEAMS_MAX};
use crate::protocol::room::ModeId;
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::replication::cells::{CellId, LayerSet};
use crate::replication::fields::{KindSpec, Record};
use crate::replication::layout::Layout;
use crate::replication::replica::Replica;
use crate::replication::world::{Placement, WorldState};
use crate::time::{Tick, ViewTime};

pub use check::check_game;
pub use modes::{BotFill, ModeSpec, WhenFull};
pub use totals::PlayerTotals;

mod check;
mod modes;
mod totals;

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

/// Why the server's state differs from the predicted one: one of the engine's causes, or one of the game's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CorrectionCause(u8);

impl CorrectionCause {
    /// An input arrived too late or not at all, and the server used another.
    pub const INPUT: CorrectionCause = CorrectionCause(0);
    /// The player continues somewhere else on purpose: the end or the start of a life, or a teleport.
    pub const RESPAWN: CorrectionCause = CorrectionCause(1);
    /// None of these: a bug, and counted as one.
    pub const UNKNOWN: CorrectionCause = CorrectionCause(2);
    /// Most causes, those of the engine included.
    pub const COUNT_MAX: usize = 8;
    const ENGINE: [&'static str; 3] = ["input", "respawn", "unknown"];

    /// The game's cause with this index in [`Game::CORRECTION_CAUSES`].
    ///
    /// # Panics
    /// If the index is 5 or more; in a constant, at compile time.
    #[must_use]
    pub const fn of_game(index: u8) -> CorrectionCause {
        assert!((index as usize) < Self::COUNT_MAX - Self::ENGINE.len(), "a game has at most 5 causes");
        CorrectionCause(Self::ENGINE.len() as u8 + index)
    }

    /// Every cause of a game, the engine's first, in order of [`CorrectionCause::index`].
    pub fn all<G: Game>() -> impl Iterator<Item = CorrectionCause> {
        let count = Self::ENGINE.len() + G::CORRECTION_CAUSES.len().min(Self::COUNT_MAX - Self::ENGINE.len());
        (0..count).map(|index| CorrectionCause(index as u8))
    }

    /// Its position in arrays of [`CorrectionCause::COUNT_MAX`] causes.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The name in tables and panels.
    #[must_use]
    pub fn name<G: Game>(self) -> &'static str {
        let engine = Self::ENGINE.get(self.index());
        let name = engine.or_else(|| G::CORRECTION_CAUSES.get(self.index() - Self::ENGINE.len()));
        name.copied().unwrap_or("unknown")
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

/// An entity that is predicted along with a player, such as a puck that the player is about to hit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictedCompanion {
    /// Its number in the room.
    pub id: EntityId,
    /// Its position, in world units.
    pub at: Vec2,
    /// Whether it is drawn at the moment of the own player, ahead of the server, and not at that of all other entities:
    /// whenever the two may touch.
    pub is_near: bool,
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
/// [`MatchStatus`], with names instead of numbers. What a game's players
/// need beyond this head is its [`Game::RoomState`].
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub teams: ArrayVec<Team, TEAMS_MAX>,
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
/// The required items are the rules alone: who is in the world, what a tick does, what is replicated. Everything else
/// has a default and is opt-in:
///
/// | layer | items |
/// |---|---|
/// | prediction | [`Game::PREDICTS`], [`Game::predict`], [`Game::prediction_context`], [`Game::player_entity`], [`Game::companion`], [`Game::spawn_key`], [`Game::correction_cause`], [`Game::CORRECTION_CAUSES`] |
/// | lag compensation | [`Game::poses`], and the `history` of [`Game::step`] |
/// | hidden entities | [`Game::LAYERS`], [`Game::layer`], [`Game::layers_seen`] |
/// | modes and matches | [`Game::MODES`], [`Game::match_state`], [`Game::team`] |
/// | own messages | [`Game::handle_request`], [`Game::REFUSALS`], [`Game::room_state`] |
/// | kill feed, board, results | [`Game::kill_feed_entry`], [`Game::standings`], [`Game::totals`] |
/// | bots | [`Game::Bot`], [`Game::BOT_NAMES`] |
///
/// A world is saved and read back as a whole, for checkpoints and recordings: all of its state is in what it serializes, the place in a
/// sequence of random numbers included ([`saved::rng`](crate::saved::rng)).
///
/// Everything here is deterministic: equal config, mode, seed and calls give equal state, natively and in wasm.
pub trait Game: Sized + Send + Serialize + DeserializeOwned + 'static {
    /// A short name, shown in logs and in the room list, and part of storage keys: lower-case letters, digits, hyphens.
    const NAME: &'static str;
    /// Steps per second, 10..=120; part of the rules, sent to clients in the welcome.
    const TICK_HZ: u32 = 60;
    /// Ticks from one snapshot to the next, 1..=12, unless the operator configures another number. 30 snapshots per second,
    /// or as many as there are ticks.
    const SNAPSHOT_EVERY: u32 = if Self::TICK_HZ < 60 { 1 } else { Self::TICK_HZ / 30 };
    /// Every replicated kind, in the order of its number on the wire (at most 8).
    const KINDS: &'static [KindSpec];
    /// Width and height of the area of interest in world units; what a client may show. At most 6 [`Game::CELL`] each.
    const VIEW: Vec2;
    /// Width of a cell in world units, 1 to 65,536: the squares of which a client has those that its view touches. A view is
    /// best 2 to 4 cells wide. Also decides the precision of positions, a 2,048th of a cell, and the size of the world,
    /// 128 cells each way with the origin in the middle; entities beyond belong to the outermost cells.
    const CELL: f32 = CellId::SIZE;
    /// Layers of the world, 1 to 4: see [`Game::layer`]. The cells of a view, times the layers, are at most 64.
    const LAYERS: u8 = 1;
    /// The modes, in the order of their numbers on the wire, 1 to 16. Persistent rooms and plain quick play use the first.
    const MODES: &'static [ModeSpec] = &[ModeSpec::OPEN];
    /// The mode whose rules follow the date, if there is one: quick play there leads to rooms that were opened on the same day, by
    /// [`Game::on_day`].
    const DAILY: Option<ModeId> = None;
    /// Whether clients predict their own player with [`Game::predict`]. Otherwise they show it as the server sent it.
    const PREDICTS: bool = false;
    /// The game's own causes of corrections, at most 5; see [`CorrectionCause::of_game`].
    const CORRECTION_CAUSES: &'static [&'static str] = &[];
    /// Why [`Game::handle_request`] refuses: sentences for people, at most 256.
    const REFUSALS: &'static [&'static str] = &["This game has no requests."];
    /// Names of the server's own bots; a number is appended to a name that is taken.
    const BOT_NAMES: &'static [&'static str] = &["Ada", "Basil", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana"];

    /// The bits of [`Game::write_player_state`], for clients that do not share its code. A game that writes its own says here how.
    const PLAYER_STATE_LAYOUT: Layout = Layout::Codec;
    /// The bits of [`Game::write_event`], likewise.
    const EVENT_LAYOUT: Layout = Layout::Codec;

    /// What the operator may configure, read from a file at startup.
    type Config: Clone + Debug + Default + Send + Sync + DeserializeOwned;
    /// What a player asks for in one tick.
    type Input: GameInput;
    /// A player's exact private state: every value that [`Game::predict`] reads, unrounded.
    type LocalPlayerState: Clone + PartialEq + Debug + Send + Sync + Serialize + DeserializeOwned;
    /// Something that happened once.
    type Event: Clone + PartialEq + Debug + Send + Sync + Serialize + DeserializeOwned;
    /// The obstacles prediction needs, gathered from a client's replica: static, or a function of the tick. `()` for none.
    type PredictionContext: Default + Send;
    /// A player's request beyond inputs, such as buying an item: answered once. [`NoRequest`] for none.
    type Request: Clone + PartialEq + Debug + Send + Sync + Serialize + DeserializeOwned;
    /// State of the room that every client has, beyond scores: sent when it changes. `()` for none.
    type RoomState: Clone + PartialEq + Debug + Default + Send + Sync + Serialize + DeserializeOwned;
    /// The AI of the server's own bots, and of the programs `bot` and `load`. [`NoBot`] for none.
    type Bot: Bot<Self>;

    /// Checks what the operator configured, when the server starts.
    ///
    /// # Errors
    /// One line: the name of the value, the value and its limit.
    fn check_config(_config: &Self::Config) -> Result<(), String> {
        Ok(())
    }

    /// The configuration of a room that is opened on a day, counted from the first of 1970 in UTC. The date enters here and nowhere else.
    fn on_day(config: &Self::Config, _day: u32) -> Self::Config {
        config.clone()
    }

    /// Opens a world. Equal config, mode and seed give equal worlds.
    fn new(config: &Self::Config, mode: ModeId, seed: u64) -> Self;

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

    /// The exact private state of a seated player.
    fn player_state(&self, player: PlayerId) -> Option<&Self::LocalPlayerState>;

    /// The centre of a player's area of interest, in world units.
    fn focus(own: &Self::LocalPlayerState) -> Vec2;

    /// Appends every replicated entity with the point that decides its cell, in any order.
    fn replicate(&self, tick: Tick, out: &mut Vec<(Vec2, Record)>);

    /// The layer of a replicated entity, less than [`Game::LAYERS`]; not called if there is one layer. Layer 0 is sent to
    /// everyone, the others to those whose [`Game::layers_seen`] contains them: a team's own units in the fog, a cloaked
    /// unit. An entity may change its layer at any tick. What is encoded for a layer is shared by all who see it.
    fn layer(&self, _record: &Record) -> u8 {
        0
    }

    /// The layers that a player sees, and the spectators who follow that player.
    fn layers_seen(&self, _player: PlayerId) -> LayerSet {
        LayerSet::EVERYONE
    }

    /// Hash of the whole world: equal worlds have equal hashes on every machine.
    fn hash(&self) -> u64;

    /// Handles a request of a seated player, before `tick` is stepped. The player gets one answer: done or refused.
    ///
    /// # Errors
    /// Why the request is refused.
    fn handle_request(
        &mut self,
        _player: PlayerId,
        _request: &Self::Request,
        _tick: Tick,
        _events: &mut Vec<AddressedEvent<Self::Event>>,
    ) -> Result<(), RefusedByGame> {
        Err(RefusedByGame(0))
    }

    /// The state of the room beyond scores. It is compared after every tick, and sent when it has changed.
    fn room_state(&self) -> Self::RoomState {
        Self::RoomState::default()
    }

    /// Appends the pose of every player that can be hit, in order of player.
    fn poses(&self, _out: &mut Vec<Pose>) {}

    /// Steps a player's own state to `tick`. [`Game::step`] uses the same function, so that prediction and authority
    /// agree bit for bit unless something outside `context` interferes. It uses no randomness.
    fn predict(
        _own: &mut Self::LocalPlayerState,
        _input: &Self::Input,
        _tick: Tick,
        _context: &Self::PredictionContext,
        _spawned: &mut Vec<PredictedSpawn>,
    ) {
    }

    /// Collects from replicated records what prediction needs. Called after every snapshot.
    fn prediction_context<'a>(_records: impl Iterator<Item = &'a Record>, _out: &mut Self::PredictionContext) {}

    /// The key of the prediction that `record` confirms; `None` if `player` cannot have predicted it.
    fn spawn_key(_player: PlayerId, _record: &Record) -> Option<u32> {
        None
    }

    /// Why the server's state is `actual` where `predicted` was expected, judged from the two states alone. The engine
    /// itself knows of missing inputs.
    fn correction_cause(_predicted: &Self::LocalPlayerState, _actual: &Self::LocalPlayerState) -> CorrectionCause {
        CorrectionCause::UNKNOWN
    }

    /// The player's own entity, which their client draws from prediction and not from the replica; `None` to draw it
    /// like all others.
    fn player_entity(_own: &Self::LocalPlayerState) -> Option<EntityId> {
        None
    }

    /// The entity that [`Game::predict`] steps along with the player; `None` if there is none. Clients draw it from
    /// prediction while it is near, and correct it smoothly.
    fn companion(_own: &Self::LocalPlayerState) -> Option<PredictedCompanion> {
        None
    }

    /// Appends every seated player's score, best first; equal scores in order of player.
    fn standings(&self, _out: &mut Vec<Standing>) {}

    /// What a seated player has done since joining, or in the current match: kept when the player leaves and when the match
    /// ends, so it need not be fast. The default knows the score alone.
    fn totals(&self, player: PlayerId) -> PlayerTotals {
        let mut standings = Vec::new();
        self.standings(&mut standings);
        let own = standings.iter().find(|standing| standing.player == player);
        PlayerTotals { score: own.map_or(0, |own| own.score), ..PlayerTotals::default() }
    }

    /// A seated player's team, an index in [`MatchState::teams`]: it has won if that is the winner. `None` where everyone plays
    /// alone.
    fn team(&self, _player: PlayerId) -> Option<u8> {
        None
    }

    /// The kill-feed entry of an event; `None` for most events.
    fn kill_feed_entry(_event: &Self::Event) -> Option<KillFeedEntry> {
        None
    }

    /// The state of the match; `None` where there are no rounds.
    fn match_state(&self) -> Option<MatchState> {
        None
    }

    /// Distance from the origin to the end of the world, in world units, for spectators; 0 where the world has no end.
    fn extent(&self) -> u16 {
        0
    }

    /// Appends a player's exact private state. The default is as compact as the codec of control messages.
    fn write_player_state(own: &Self::LocalPlayerState, out: &mut BitWriter) {
        codec::write_value(own, out);
    }

    /// Reads what [`Game::write_player_state`] wrote.
    ///
    /// # Errors
    /// The reason the bits are not such a state.
    fn read_player_state(bits: &mut BitReader<'_>) -> Result<Self::LocalPlayerState, WireError> {
        codec::read_value(bits)
    }

    /// Appends an event. The default is as compact as the codec of control messages.
    fn write_event(event: &Self::Event, out: &mut BitWriter) {
        codec::write_value(event, out);
    }

    /// Reads what [`Game::write_event`] wrote.
    ///
    /// # Errors
    /// The reason the bits are not an event.
    fn read_event(bits: &mut BitReader<'_>) -> Result<Self::Event, WireError> {
        codec::read_value(bits)
    }
}

/// Why a game refuses a request: an index in [`Game::REFUSALS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedByGame(pub u8);

/// The request of a game that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum NoRequest {}

/// What a bot sees: what a client has, and nothing else.
#[derive(Debug)]
pub struct BotView<'a, G: Game> {
    /// The tick that the next input is for; the own state is predicted to it.
    pub tick: Tick,
    /// The tick of the newest snapshot, and so of `replica`.
    pub snapshot_tick: Tick,
    /// The bot's number in the room.
    pub player: PlayerId,
    /// The mode of the room.
    pub mode: ModeId,
    /// The own state.
    pub own: &'a G::LocalPlayerState,
    /// The entities of the cells around.
    pub replica: &'a Replica,
    /// The state of the match, if there is one.
    pub match_status: Option<&'a MatchStatus>,
    /// The newest state of the room.
    pub room_state: &'a G::RoomState,
}

/// An AI that plays a game through a client.
pub trait Bot<G: Game>: Sized + Send + 'static {
    /// An AI of a skill from 0 (harmless) to 1 (as good as it gets); equal seeds make equal AIs.
    fn new(seed: u64, skill: f32) -> Self;

    /// An AI for the thousands of players of a load test: it costs almost no CPU time, so it may ignore the world. Equal
    /// seeds make equal AIs. Its client predicts nothing: the own state that it sees is the server's newest.
    #[must_use]
    fn cheap(seed: u64) -> Self {
        Self::new(seed, 0.0)
    }

    /// What it asks the game for beside inputs; asked before each input. The server refuses more than a few per second.
    fn request(&mut self, _view: &BotView<'_, G>) -> Option<G::Request> {
        None
    }

    /// The input for the next tick. Called about once per tick.
    fn decide(&mut self, view: &BotView<'_, G>) -> G::Input;
}

/// The AI of a game without bots: it does nothing. In a load test it holds random inputs, so that something moves.
#[derive(Debug, Clone)]
pub struct NoBot {
    /// Whether it holds random inputs.
    restless: bool,
    rng: fastrand::Rng,
    /// The held input, read from random bytes; bytes that are no input mean none.
    bytes: [u8; 16],
    until: Tick,
}

impl NoBot {
    fn with(seed: u64, restless: bool) -> NoBot {
        NoBot { restless, rng: fastrand::Rng::with_seed(seed), bytes: [0; 16], until: Tick(0) }
    }
}

impl<G: Game> Bot<G> for NoBot {
    fn new(seed: u64, _skill: f32) -> Self {
        NoBot::with(seed, false)
    }

    fn cheap(seed: u64) -> Self {
        NoBot::with(seed, true)
    }

    fn decide(&mut self, view: &BotView<'_, G>) -> G::Input {
        if !self.restless {
            return G::Input::default();
        }
        if view.tick >= self.until {
            self.until = view.tick.after(self.rng.u32(20..100));
            self.rng.fill(&mut self.bytes);
        }
        G::Input::read(&mut BitReader::new(&self.bytes)).unwrap_or_default()
    }
}

impl WorldState {
    /// Takes the state of `game` at `tick`, reusing the buffers of the state that `self` held before.
    pub fn capture<G: Game>(&mut self, game: &G, tick: Tick, placement: &mut Placement) {
        let gather = |gathered: &mut Vec<(Vec2, Record)>, layers: &mut Vec<u8>| {
            game.replicate(tick, gathered);
            if G::LAYERS > 1 {
                layers.extend(gathered.iter().map(|(_, record)| game.layer(record)));
            }
            if G::CELL != CellId::SIZE {
                for (at, _) in gathered {
                    *at = in_cell_units::<G>(*at);
                }
            }
        };
        placement.set_layers(G::LAYERS);
        self.gather(tick, gather, placement);
    }
}

/// A point or a size of a game in cell units, in which every cell is [`CellId::SIZE`] wide: the replication and the fan-out
/// know no others.
#[must_use]
pub fn in_cell_units<G: Game>(world_units: Vec2) -> Vec2 {
    world_units * (CellId::SIZE / G::CELL)
}
