//! The built-in game: ships in a round arena full of rocks, with cannons.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rules`] | every tuning constant, with its unit and its reason |
//! | [`input`] | a player's input for one tick |
//! | [`craft`] | the three ships to choose from |
//! | [`ship`] | a player's exact state, and how it moves: the predicted part of the rules |
//! | `player_state` | that state on the wire |
//! | [`border`] | the edge of the arena, which follows the number of players |
//! | [`shot`], [`beam`], [`mine`], [`rock`], [`pickup`] | the other entities of the arena |
//! | [`credit`] | assists, and the bounty on the leader |
//! | `step` | the order of a tick; `combat` and `rail` decide hits, `stock` places rocks and pickups, `grid` finds nearby ships |
//! | [`twist`] | what the daily event changes |
//! | `modes` | teams, rounds and duels |
//! | [`event`] | events: what happens once |
//! | [`fields`] | the kinds of entities and their bits on the wire |
//! | [`record_view`] | what a client sees, typed |
//! | [`ai`] | the AI player: from what a client sees to an input |
//! | [`spar`] | AIs against AIs without a network, for tuning and tests |
//! | [`script`] | scripted players, for the test that native and wasm agree |

pub mod ai;
pub mod beam;
pub mod border;
mod combat;
pub mod craft;
pub mod credit;
pub mod event;
pub mod fields;
mod grid;
pub mod input;
pub mod mine;
pub mod modes;
pub mod pickup;
mod player_state;
mod rail;
pub mod record_view;
pub mod rock;
pub mod rules;
pub mod script;
pub mod ship;
pub mod shot;
pub mod spar;
mod step;
mod stock;
#[cfg(test)]
mod tests;
pub mod twist;

use fastrand::Rng;
use glam::Vec2;
use serde::{Deserialize, Serialize};

use broadside_shared::game::{
    AddressedEvent, CorrectionCause, Game, KillFeedEntry, MatchState, ModeSpec, PlayerInput, PlayerTotals,
    PredictedSpawn, RefusedByGame, Standing,
};
use broadside_shared::hash::WorldHash;
use broadside_shared::history::{History, Pose};
use broadside_shared::ids::{EntityId, EntityIds, PlayerId};
use broadside_shared::protocol::room::ModeId;
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::fields::{KindSpec, Record};
use broadside_shared::replication::layout::Layout;
use broadside_shared::time::Tick;

pub use beam::Beam;
pub use border::Border;
pub use craft::Craft;
pub use event::{ArenaEvent, Armour};
pub use input::ArenaInput;
pub use mine::Mine;
pub use pickup::{Boon, Pickup};
pub use record_view::{RecordView, ShipView};
pub use rock::{PredictionContext, Rock};
pub use ship::{Cause, LocalPlayerState};
pub use shot::Shot;
pub use twist::Twist;

use ai::player::AiPlayer;
use credit::Wounds;
use grid::Grid;
use modes::{MatchNews, Mode, Referee};
use rock::RockField;

/// How an arena is set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArenaConfig {
    /// Rocks per million square units, 0..=10: four or five in a view by default.
    pub rock_density: f32,
    /// The same in a duel, whose arena is small.
    pub duel_rock_density: f32,
    /// Pickups per player, 0..=2. A duel has none: its two players alone decide it.
    pub pickups_per_player: f32,
    /// What the daily event changes: `Drift`, `BigRocks` or `OneHit`; the one of the date, if it is not set.
    pub twist: Option<Twist>,
}

impl Default for ArenaConfig {
    fn default() -> Self {
        ArenaConfig { rock_density: 2.0, duel_rock_density: 4.0, pickups_per_player: 0.4, twist: None }
    }
}

/// The arena's world.
#[derive(Debug, Serialize, Deserialize)]
pub struct Arena {
    config: ArenaConfig,
    mode: Mode,
    twist: Twist,
    #[serde(with = "broadside_shared::saved::rng")]
    rng: Rng,
    tick: Tick,
    ids: EntityIds,
    border: Border,
    /// The player with a bounty, as of the last full second.
    bounty: Option<PlayerId>,
    /// Runs the match; `None` in modes without rounds.
    referee: Option<Referee>,
    /// By player number; `None` for a free seat.
    seats: Vec<Option<Seat>>,
    population: usize,
    shots: Vec<Shot>,
    /// In the order they were fired.
    beams: Vec<Beam>,
    /// In the order they were left.
    mines: Vec<Mine>,
    rocks: RockField,
    pickups: Vec<Pickup>,
    /// Ships by position, as of the middle of the last step.
    ships_near: Grid,
    /// Where ships were launched in this step.
    #[serde(skip)]
    launched_at: Vec<Vec2>,
    #[serde(skip)]
    spawned: Vec<PredictedSpawn>,
    /// The standings while the leader is looked for.
    #[serde(skip)]
    best: Vec<Standing>,
    /// Ships that a mine hits, and the damage, while it goes off.
    #[serde(skip)]
    struck: Vec<(PlayerId, u16)>,
}

/// What a player asks for beside inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArenaRequest {
    /// This craft for the next ship; and for the current one, while it has done nothing yet.
    Fly(Craft),
    /// Another match with the same people, as soon as most want one.
    Rematch,
}

/// A seated player.
#[derive(Debug, Serialize, Deserialize)]
struct Seat {
    own: LocalPlayerState,
    /// The craft of the next ship.
    chosen: Craft,
    /// The input of the last step.
    input: ArenaInput,
    /// When the current ship, or the last one, was launched.
    launched: Tick,
    /// Whether the player wants to play again.
    again: bool,
    wounds: Wounds,
    counters: ResultCounters,
}

/// What results say of a player beyond the score board, since joining or since the match started. It decides nothing, so it is neither
/// replicated nor part of the world hash.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct ResultCounters {
    /// Shots and rails fired, and those of them that hit a ship, whatever protected it.
    shots: u32,
    hits: u32,
    /// Ships that others sank after this player had done much of the damage.
    assists: u32,
    /// Ships sunk in the life after this many deaths.
    run: (u16, u32),
    /// The longest run.
    streak: u32,
}

impl Arena {
    fn seat(&self, player: PlayerId) -> Option<&Seat> {
        self.seats.get(usize::from(player.0))?.as_ref()
    }

    fn seat_mut(&mut self, player: PlayerId) -> Option<&mut Seat> {
        self.seats.get_mut(usize::from(player.0))?.as_mut()
    }

    fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().flatten()
    }

    /// The edge of the arena, as announced so far.
    #[must_use]
    pub fn border(&self) -> Border {
        self.border
    }
}

impl Game for Arena {
    const NAME: &'static str = "arena";
    const TICK_HZ: u32 = rules::TICK_HZ;
    const KINDS: &'static [KindSpec] = fields::KINDS;
    const VIEW: Vec2 = rules::VIEW;
    const MODES: &'static [ModeSpec] = modes::MODES;
    const DAILY: Option<ModeId> = Some(ModeId(Mode::Daily as u8));
    const PREDICTS: bool = true;
    const CORRECTION_CAUSES: &'static [&'static str] = &["collision", "hit", "pickup"];
    const PLAYER_STATE_LAYOUT: Layout = player_state::LAYOUT;
    const EVENT_LAYOUT: Layout = event::LAYOUT;
    const BOT_NAMES: &'static [&'static str] = &[
        "Marlin", "Osprey", "Kestrel", "Petrel", "Corsair", "Dorado", "Halyard", "Bowsprit", "Capstan", "Fathom",
        "Galley", "Gannet", "Grapnel", "Jib", "Lugger", "Mizzen", "Narwhal", "Orca", "Pelican", "Sextant", "Tern",
        "Trawler", "Wherry", "Zephyr",
    ];

    type Config = ArenaConfig;
    type Input = ArenaInput;
    type LocalPlayerState = LocalPlayerState;
    type Event = ArenaEvent;
    type PredictionContext = PredictionContext;
    type Request = ArenaRequest;
    type RoomState = MatchNews;
    type Bot = AiPlayer;

    fn check_config(config: &ArenaConfig) -> Result<(), String> {
        for (name, value, most) in [
            ("rock_density", config.rock_density, 10.0),
            ("duel_rock_density", config.duel_rock_density, 10.0),
            ("pickups_per_player", config.pickups_per_player, 2.0),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(format!("{name} = {value}: must be 0 to {most}"));
            }
        }
        Ok(())
    }

    fn on_day(config: &ArenaConfig, day: u32) -> ArenaConfig {
        ArenaConfig { twist: config.twist.or(Some(Twist::of_day(day))), ..config.clone() }
    }

    fn new(config: &ArenaConfig, mode: ModeId, seed: u64) -> Self {
        let mode = Mode::of(mode);
        // Without a date it is that of the first day, so that trials and tests meet a twist.
        let daily = config.twist.unwrap_or(Twist::of_day(0));
        let twist = if mode == Mode::Daily { daily } else { Twist::None };
        let mut arena = Arena {
            config: config.clone(),
            mode,
            twist,
            rng: Rng::with_seed(seed),
            tick: Tick(0),
            ids: EntityIds::default(),
            border: Border::resting(modes::ground::radius(mode), 0),
            bounty: None,
            referee: Referee::of(mode),
            seats: Vec::new(),
            population: 0,
            shots: Vec::new(),
            beams: Vec::new(),
            mines: Vec::new(),
            rocks: RockField::new(twist.rock_radius()),
            pickups: Vec::new(),
            ships_near: Grid::new(step::SHIP_CELL),
            launched_at: Vec::new(),
            spawned: Vec::new(),
            best: Vec::new(),
            struck: Vec::new(),
        };
        arena.furnish();
        arena
    }

    /// # Panics
    /// If the seat is taken, or its number is [`rules::PLAYERS_MAX`] or more.
    fn join(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        assert!(player.0 < rules::PLAYERS_MAX, "player {player}: an arena has {} seats", rules::PLAYERS_MAX);
        let index = usize::from(player.0);
        if self.seats.len() <= index {
            self.seats.resize_with(index + 1, || None);
        }
        assert!(self.seats[index].is_none(), "player {player} is already seated");
        let own = LocalPlayerState {
            team: self.enlist(),
            twist: self.twist,
            ..LocalPlayerState::ashore(player, self.border)
        };
        self.seats[index] = Some(Seat {
            own,
            chosen: Craft::default(),
            input: ArenaInput::default(),
            launched: Tick(0),
            again: false,
            wounds: Wounds::default(),
            counters: ResultCounters::default(),
        });
        self.population += 1;
    }

    fn leave(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let Some(seat) = self.seats.get_mut(usize::from(player.0)).and_then(Option::take) else { return };
        self.population -= 1;
        if self.population == 0 {
            // An empty room has no match: the next players start another one.
            self.referee = Referee::of(self.mode);
        } else if let Some(referee) = &mut self.referee {
            referee.note_left(player);
        }
        if let Some(entity) = seat.own.entity {
            self.ids.free(entity);
        }
        if self.bounty == Some(player) {
            self.bounty = None;
        }
        // The seat's next player must not score with a stranger's shots and damage.
        self.seats.iter_mut().flatten().for_each(|seat| seat.wounds.forget(player));
        let ids = &mut self.ids;
        self.shots.retain(|shot| {
            let keep = shot.owner != player;
            if !keep {
                ids.free(shot.id);
            }
            keep
        });
        self.beams.retain(|beam| {
            let keep = beam.owner != player;
            if !keep {
                ids.free(beam.id);
            }
            keep
        });
        self.mines.retain(|mine| {
            let keep = mine.owner != player;
            if !keep {
                ids.free(mine.id);
            }
            keep
        });
    }

    fn step(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<ArenaInput>],
        history: &History,
        events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) {
        self.run_tick(tick, inputs, history, events);
    }

    fn handle_request(
        &mut self,
        player: PlayerId,
        request: &ArenaRequest,
        _tick: Tick,
        _events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) -> Result<(), RefusedByGame> {
        match request {
            ArenaRequest::Fly(craft) => {
                if let Some(seat) = self.seat_mut(player) {
                    seat.chosen = *craft;
                    seat.own.refit(*craft);
                }
            }
            ArenaRequest::Rematch => self.vote_again(player),
        }
        Ok(())
    }

    fn poses(&self, out: &mut Vec<Pose>) {
        let afloat = self.seats().filter(|seat| seat.own.afloat());
        out.extend(afloat.map(|seat| Pose { player: seat.own.player, at: seat.own.position, life: seat.own.deaths }));
    }

    fn correction_cause(predicted: &LocalPlayerState, actual: &LocalPlayerState) -> CorrectionCause {
        ship::correction_cause(predicted, actual)
    }

    fn player_state(&self, player: PlayerId) -> Option<&LocalPlayerState> {
        self.seat(player).map(|seat| &seat.own)
    }

    fn predict(
        own: &mut LocalPlayerState,
        input: &ArenaInput,
        tick: Tick,
        around: &PredictionContext,
        spawned: &mut Vec<PredictedSpawn>,
    ) {
        let before = spawned.len();
        ship::advance(own, input, tick, around.rocks.iter(), spawned);
        for spawn in spawned[before..].iter_mut().filter(|spawn| spawn.record.kind == fields::BEAM) {
            let mut beam = Beam::read(&spawn.record);
            beam.stop_at(around.rocks.iter());
            spawn.record = beam.record();
        }
    }

    fn prediction_context<'a>(records: impl Iterator<Item = &'a Record>, out: &mut PredictionContext) {
        out.rocks.clear();
        out.rocks.extend(records.filter(|record| record.kind == fields::ROCK).map(Rock::read));
        out.rocks.sort_by_key(|rock| rock.id);
    }

    fn spawn_key(player: PlayerId, record: &Record) -> Option<u32> {
        let (owner, key) = match record.kind {
            fields::SHOT => {
                let shot = Shot::read(record);
                (shot.owner, ship::shot_key(shot.start))
            }
            fields::BEAM => {
                let beam = Beam::read(record);
                (beam.owner, ship::beam_key(beam.start))
            }
            fields::MINE => {
                let mine = Mine::read(record);
                (mine.owner, ship::mine_key(mine.start))
            }
            _ => return None,
        };
        (owner == player).then_some(key)
    }

    fn focus(own: &LocalPlayerState) -> Vec2 {
        own.position
    }

    fn player_entity(own: &LocalPlayerState) -> Option<EntityId> {
        own.entity
    }

    fn replicate(&self, tick: Tick, out: &mut Vec<(Vec2, Record)>) {
        for seat in self.seats() {
            if let Some(id) = seat.own.entity {
                out.push((seat.own.position, seat.own.record(id, seat.input)));
            }
        }
        out.extend(self.shots.iter().map(|shot| (shot.position_at(f64::from(tick.0)), shot.record())));
        out.extend(self.beams.iter().map(|beam| (beam.middle(), beam.record())));
        out.extend(self.mines.iter().map(|mine| (mine.at, mine.record())));
        out.extend(self.rocks.all().iter().map(|rock| (rock.at, rock.record())));
        out.extend(self.pickups.iter().map(|pickup| (pickup.at, pickup.record())));
    }

    fn standings(&self, out: &mut Vec<Standing>) {
        out.extend(self.seats().map(|seat| Standing { player: seat.own.player, score: seat.own.score }));
        out.sort_by_key(|standing| (std::cmp::Reverse(standing.score), standing.player));
    }

    fn totals(&self, player: PlayerId) -> PlayerTotals {
        let Some(Seat { own, counters, .. }) = self.seat(player) else { return PlayerTotals::default() };
        let (kills, deaths) = (own.kills.into(), own.deaths.into());
        let ResultCounters { shots, hits, streak, assists, .. } = *counters;
        PlayerTotals { score: own.score, kills, deaths, assists, shots, hits, streak }
    }

    fn team(&self, player: PlayerId) -> Option<u8> {
        self.team_of(player)
    }

    fn kill_feed_entry(event: &ArenaEvent) -> Option<KillFeedEntry> {
        match event {
            ArenaEvent::KillFeed { victim, by, cause, .. } => {
                let verb = if by.is_some() { cause.verb() } else { cause.verb_alone() };
                Some(KillFeedEntry { by: *by, verb, of: *victim })
            }
            _ => None,
        }
    }

    fn match_state(&self) -> Option<MatchState> {
        self.referee.as_ref().map(|referee| referee.match_state().state())
    }

    fn room_state(&self) -> MatchNews {
        let Some(referee) = &self.referee else { return MatchNews::default() };
        MatchNews { zone: referee.match_state().zone(), again: self.votes_again() }
    }

    fn extent(&self) -> u16 {
        self.border.radius_at(self.tick) as u16
    }

    fn hash(&self) -> u64 {
        let mut hash = WorldHash::default();
        hash.u64(u64::from(self.tick.0));
        hash.u64(self.rng.get_seed());
        hash.u64(self.bounty.map_or(u64::MAX, |player| u64::from(player.0)));
        self.border.hash(&mut hash);
        for seat in self.seats() {
            seat.own.hash(&mut hash);
            seat.wounds.hash(&mut hash);
            hash.u64(u64::from(seat.chosen.number()) << 1 | u64::from(seat.again));
            hash.u64(u64::from(seat.launched.0) << 24 | u64::from(seat.input.aim) << 8 | u64::from(seat.input.buttons));
        }
        for shot in &self.shots {
            shot.hash(&mut hash);
        }
        for beam in &self.beams {
            beam.hash(&mut hash);
        }
        for mine in &self.mines {
            mine.hash(&mut hash);
        }
        self.rocks.hash(&mut hash);
        for pickup in &self.pickups {
            pickup.hash(&mut hash);
        }
        if let Some(referee) = &self.referee {
            referee.hash(&mut hash);
        }
        hash.finish()
    }

    fn write_player_state(own: &LocalPlayerState, out: &mut BitWriter) {
        player_state::write(own, out);
    }

    fn read_player_state(bits: &mut BitReader<'_>) -> Result<LocalPlayerState, WireError> {
        player_state::read(bits)
    }

    fn write_event(event: &ArenaEvent, out: &mut BitWriter) {
        event::write(event, out);
    }

    fn read_event(bits: &mut BitReader<'_>) -> Result<ArenaEvent, WireError> {
        event::read(bits)
    }
}
