//! One room with its game and its players. Inputs go in, a tick is stepped, one output for all recipients comes out.
//!
//! | module | what it holds |
//! |---|---|
//! | [`inputs`] | a player's inputs, queued until the tick they are for |
//! | `output` | what a tick hands to the shards |
//! | `phase` | on which ticks of an interval a seat's snapshots go out |
//! | `recorded` | what the room tells its recorder |
//! | [`recycle`] | outputs that are refilled once nothing holds them |
//! | `saved` | its seats as plain data, and the room that goes on from them |
//!
//! [`Room::step`] reads as the table of contents of a tick.

pub mod inputs;
mod output;
mod phase;
mod recorded;
pub mod recycle;
mod saved;
mod scores;

use broadside_shared::game::{
    AddressedEvent, Game, KillFeedEntry, MatchState, PlayerInput, Recipients, RefusedByGame, Standing, check_game,
    in_cell_units,
};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::match_publisher::MatchPublisher;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::limits::{BOARD_LINES_MAX, ROOM_STATE_MAX};
use broadside_shared::protocol::match_status::MatchStatus;
use broadside_shared::protocol::message::{Publication, Refusal, RoomUpdate};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::protocol::snapshot::{SnapshotHead, write_player_state};
use broadside_shared::recording::batch::Call;
use broadside_shared::recording::recorder::Recorder;
use broadside_shared::replication::bits::BitWriter;
use broadside_shared::replication::cells::{CellId, LayerSet};
use broadside_shared::replication::world::{Placement, WorldState};
use broadside_shared::time::{MonoTime, Tick, tick_us};
use glam::Vec2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use inputs::InputQueue;
use output::DueCapacity;
pub use output::{DueSnapshot, RoomOutput, StepPhase};
use phase::{PhaseLoad, SnapshotPhase};
use recorded::named;
use recycle::Recycled;
pub use saved::{SavedOccupant, SavedTime};
use scores::PingMeter;

/// Bytes of an event, approximately.
const EVENT_BYTES: usize = 12;
/// Seats per event for which buffers have capacity from the start, so that a busy tick allocates nothing: 3,000 players cause about a
/// hundred events in a tick, and a small room should hold little memory.
pub(crate) const SEATS_PER_EVENT: usize = 8;
/// The lowest level of service: a quarter of the snapshots, with fewer updates of far cells. Level 0 is full service.
pub const LEVEL_MAX: u8 = 4;
/// Maximum number of spectators in one room.
pub const SPECTATORS_MAX: u16 = 200;

/// How a room is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomConfig {
    /// Ticks from one snapshot to the next, 1..=12.
    pub snapshot_every: u32,
    /// Seats to play in; spectators come on top.
    pub capacity: u16,
    /// Seed of the world.
    pub seed: u64,
    pub mode: ModeId,
}

/// Most players in a room of a mode; of an unknown one, as many as anywhere.
#[must_use]
pub fn seats_max<G: Game>(mode: ModeId) -> u16 {
    G::MODES.get(usize::from(mode.0)).map_or(u16::MAX, |mode| mode.seats_max)
}

/// The name of a mode in addresses, flags and JSON.
#[must_use]
pub fn mode_name<G: Game>(mode: ModeId) -> &'static str {
    G::MODES.get(usize::from(mode.0)).map_or("", |mode| mode.name)
}

/// Every seat is taken; holds their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("room is full: {0} of {0} seats are taken")]
pub struct RoomFull(pub u16);

/// A game with its players and spectators.
pub struct Room<G: Game> {
    config: RoomConfig,
    game: G,
    /// When tick 0 was due.
    tick_zero: MonoTime,
    /// The newest tick stepped.
    tick: Tick,
    /// Number of ticks stepped. Unlike tick numbers, it has no gaps for dropped ticks.
    stepped: u32,
    /// By player number.
    seats: Vec<Option<Seat<G>>>,
    /// Players, without spectators.
    seated: u16,
    spectators: u16,
    /// Spectators with a new player to follow, and that player.
    following: Vec<(PlayerId, PlayerId)>,
    /// Entries of the newest tick.
    kill_feed: Vec<KillFeedEntry>,
    /// Events since the last step.
    events: Vec<AddressedEvent<G::Event>>,
    /// Changes of the roster since the last step.
    updates: Vec<RoomUpdate>,
    inputs: Vec<PlayerInput<G::Input>>,
    inputs_dropped: u64,
    standings: Vec<Standing>,
    match_publisher: MatchPublisher,
    /// The state of the room as last published, and its bytes; `None` while it is the default.
    room_state: (G::RoomState, Option<Vec<u8>>),
    /// For lag compensation: a shot is judged as its shooter saw it.
    history: History,
    /// The cell in which each entity was last.
    placement: Placement,
    worlds: Recycled<WorldState>,
    due_capacity: DueCapacity,
    /// Whether snapshots are staggered over the ticks of an interval.
    is_spread: bool,
    phase_load: PhaseLoad,
    /// `None` if nothing is recorded.
    recorder: Option<Recorder<G>>,
}

struct Seat<G: Game> {
    name: Name,
    /// `None` for a player.
    spectating: Option<Spectating>,
    /// The count of stepped ticks at which the connection was lost.
    away_since: Option<u32>,
    inputs: InputQueue<G::Input>,
    is_bot: bool,
    ping: PingMeter,
    phase: SnapshotPhase,
}

#[derive(Debug, Clone, Copy)]
struct Spectating {
    follows: Option<PlayerId>,
    /// Whether it looks at a place of its own, and follows nobody.
    is_free: bool,
    /// Centre of the area of interest, in cell units: where the followed player was last, or that place.
    focus: Vec2,
    /// The layers that the followed player sees.
    layers: LayerSet,
}

impl<G: Game> Room<G> {
    /// An empty room whose tick 0 is due at `tick_zero`.
    #[must_use]
    pub fn new(config: RoomConfig, game: &G::Config, tick_zero: MonoTime) -> Self {
        const { check_game::<G>() };
        let capacity = config.capacity.min(seats_max::<G>(config.mode));
        Room {
            config: RoomConfig { capacity, ..config },
            game: G::new(game, config.mode, config.seed),
            tick_zero,
            tick: Tick(0),
            stepped: 0,
            seats: Vec::new(),
            seated: 0,
            spectators: 0,
            following: Vec::new(),
            kill_feed: Vec::new(),
            events: Vec::new(),
            updates: Vec::new(),
            inputs: Vec::new(),
            inputs_dropped: 0,
            standings: Vec::new(),
            match_publisher: MatchPublisher::default(),
            room_state: (G::RoomState::default(), None),
            history: History::default(),
            placement: Placement::every(config.snapshot_every),
            worlds: Recycled::default(),
            due_capacity: DueCapacity::default(),
            is_spread: false,
            phase_load: PhaseLoad::default(),
            recorder: None,
        }
    }

    #[must_use]
    pub fn due_at(&self, tick: Tick) -> MonoTime {
        self.tick_zero.plus_us(tick_us(G::TICK_HZ, tick.0))
    }

    /// Seats a player from the next tick on, in the lowest free seat.
    ///
    /// # Errors
    /// [`RoomFull`] when no seat is free.
    pub fn join(&mut self, name: Name) -> Result<PlayerId, RoomFull> {
        if self.seated >= self.config.capacity {
            return Err(RoomFull(self.config.capacity));
        }
        let player = self.take_seat(name.clone(), None);
        self.seated += 1;
        self.note(|| Call::Join { player, name: name.clone() });
        self.game.join(player, self.tick.after(1), &mut self.events);
        self.updates.push(RoomUpdate::Named { player, name });
        Ok(player)
    }

    /// Frees a player's seat.
    pub fn leave(&mut self, player: PlayerId) {
        let Some(seat) = self.seats.get_mut(usize::from(player.0)) else { return };
        let Some(seat) = seat.take() else { return };
        self.phase_load.free(seat.phase);
        if seat.spectating.is_some() {
            self.spectators -= 1;
        } else {
            self.seated -= 1;
            self.note(|| Call::Leave { player });
            self.game.leave(player, self.tick.after(1), &mut self.events);
            self.updates.push(RoomUpdate::Left { player });
        }
    }

    /// Seats a spectator from the next tick on. A spectator has a seat but nothing in the world, and is not in the roster.
    ///
    /// # Errors
    /// [`RoomFull`] with [`SPECTATORS_MAX`] spectators.
    pub fn spectate(&mut self, name: Name) -> Result<PlayerId, RoomFull> {
        if self.spectators >= SPECTATORS_MAX {
            return Err(RoomFull(SPECTATORS_MAX));
        }
        self.spectators += 1;
        Ok(self.take_seat(
            name,
            Some(Spectating { follows: None, is_free: false, focus: Vec2::ZERO, layers: LayerSet::EVERYONE }),
        ))
    }

    /// The kill-feed entries of the newest tick, with names.
    #[must_use]
    pub fn kill_feed(&self) -> Vec<Publication> {
        let name = |player: PlayerId| self.name_of(player).cloned();
        let publication = |entry: &KillFeedEntry| {
            let of = name(entry.of)?;
            Some(Publication::KillFeed { by: entry.by.and_then(name), verb: entry.verb.to_owned(), of })
        };
        self.kill_feed.iter().filter_map(publication).collect()
    }

    /// Lets a spectator follow this player; ignored if no such player plays.
    pub fn follow(&mut self, spectator: PlayerId, player: PlayerId) {
        let plays = self.game.player_state(player).is_some();
        if let Some(Some(Seat { spectating: Some(spectating), .. })) = self.seats.get_mut(usize::from(spectator.0))
            && plays
        {
            (spectating.follows, spectating.is_free) = (Some(player), false);
            self.following.push((spectator, player));
        }
    }

    /// Lets a spectator follow nobody and look at a place in world units; a place beyond the world is one at its end.
    pub fn look(&mut self, spectator: PlayerId, (x, y): (i32, i32)) {
        if let Some(Some(Seat { spectating: Some(spectating), .. })) = self.seats.get_mut(usize::from(spectator.0)) {
            let most = CellId::SIZE * CellId::ROWS as f32 / 2.0;
            let focus = in_cell_units::<G>(Vec2::new(x as f32, y as f32)).clamp(Vec2::splat(-most), Vec2::splat(most));
            (spectating.follows, spectating.is_free, spectating.focus) = (None, true, focus);
        }
    }

    /// Takes the spectators to notify: each with the player that it follows from now on.
    pub fn take_following(&mut self) -> impl Iterator<Item = (PlayerId, PlayerId)> + '_ {
        self.following.drain(..)
    }

    fn take_seat(&mut self, name: Name, spectating: Option<Spectating>) -> PlayerId {
        let free = self.seats.iter().position(Option::is_none).unwrap_or(self.seats.len());
        if free == self.seats.len() {
            self.seats.push(None);
        }
        let phase = self.phase_load.take(self.config.snapshot_every);
        self.seats[free] = Some(Seat::new(name, spectating, phase));
        PlayerId(free as u16)
    }

    /// A player's connection is lost: the seat is kept, the roster marks the player as away, and they idle for lack of inputs.
    pub fn away(&mut self, player: PlayerId) {
        if let Some(Some(seat)) = self.seats.get_mut(usize::from(player.0))
            && seat.away_since.is_none()
        {
            seat.away_since = Some(self.stepped);
            if seat.spectating.is_none() {
                self.updates.push(RoomUpdate::Away { player });
            }
        }
    }

    /// A player is connected again.
    pub fn back(&mut self, player: PlayerId) {
        let Some(Some(seat)) = self.seats.get_mut(usize::from(player.0)) else { return };
        let was_away = seat.away_since.take().is_some();
        match &seat.spectating {
            None if was_away => self.updates.push(RoomUpdate::Back { player }),
            None => {}
            // The new connection was not notified of the followed player.
            Some(spectating) => self.following.extend(spectating.follows.map(|followed| (player, followed))),
        }
    }

    /// A seat whose holder has been away for `grace` ticks, if there is one. Dropped ticks do not count: while the server stands still,
    /// no client can reconnect.
    #[must_use]
    pub fn expired_seat(&self, grace: u32) -> Option<PlayerId> {
        let has_expired = |seat: &Option<Seat<G>>| {
            seat.as_ref().and_then(|seat| seat.away_since).is_some_and(|since| self.stepped - since >= grace)
        };
        self.seats.iter().position(has_expired).map(|at| PlayerId(at as u16))
    }

    #[must_use]
    pub fn name_of(&self, player: PlayerId) -> Option<&Name> {
        self.seats.get(usize::from(player.0))?.as_ref().map(|seat| &seat.name)
    }

    /// Renames the holder of a seat. A player's new name goes into the roster; spectators are not in it.
    pub fn rename(&mut self, player: PlayerId, name: &Name) {
        let Some(Some(seat)) = self.seats.get_mut(usize::from(player.0)) else { return };
        if seat.name == *name {
            return;
        }
        seat.name = name.clone();
        if seat.spectating.is_none() {
            self.updates.push(RoomUpdate::Named { player, name: name.clone() });
            self.updates.extend(seat.is_bot.then_some(RoomUpdate::Bot { player }));
            self.note(|| Call::Rename { player, name: name.clone() });
        }
    }

    /// Queues a player's inputs, which arrived at `arrived`.
    pub fn input(&mut self, player: PlayerId, packet: &InputPacket<G::Input>, arrived: MonoTime) {
        let early_us = self.due_at(packet.first).0 as i64 - arrived.0 as i64;
        if let Some(Some(seat)) = self.seats.get_mut(usize::from(player.0)) {
            if seat.ping.is_due(packet.acked) {
                let snapshot_due = self.tick_zero.plus_us(tick_us(G::TICK_HZ, packet.acked.0));
                seat.ping.take(packet.acked, arrived.us_since(snapshot_due));
            }
            self.inputs_dropped += u64::from(seat.inputs.push(packet, self.tick, early_us));
            seat.phase.handle_input(arrived);
        }
    }

    /// Handles a player's request.
    ///
    /// # Errors
    /// The refusal to reply with.
    pub fn request(&mut self, player: PlayerId, request: &G::Request) -> Result<(), Refusal> {
        let is_player = |seat: &Option<Seat<G>>| seat.as_ref().is_some_and(|seat| seat.spectating.is_none());
        if !self.seats.get(usize::from(player.0)).is_some_and(is_player) {
            return Err(Refusal::NotInRoom);
        }
        self.note(|| Call::Request { player, request: request.clone() });
        let result = self.game.handle_request(player, request, self.tick.after(1), &mut self.events);
        result.map_err(|RefusedByGame(reason)| Refusal::ByGame { reason })
    }

    /// Takes the number of inputs that arrived too late or too early since the last call.
    pub fn take_inputs_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.inputs_dropped)
    }

    /// Steps the room to `tick` and overwrites `out`, whose buffers are reused. `level` is the level of service, 0 to [`LEVEL_MAX`].
    /// `phase_done` is called at the end of each phase.
    pub fn step(&mut self, tick: Tick, level: u8, out: &mut RoomOutput, mut phase_done: impl FnMut(StepPhase)) {
        self.tick = tick;
        self.stepped += 1;
        self.kill_feed.clear();
        self.placement.set_every(self.config.snapshot_every * SnapshotHead::every(level));
        self.take_inputs(tick);
        self.pick_followed();
        if let Some(recorder) = &mut self.recorder {
            recorder.stepping(tick, &self.inputs);
        }
        phase_done(StepPhase::Inputs);
        self.game.step(tick, &self.inputs, &self.history, &mut self.events);
        phase_done(StepPhase::Step);
        self.history.record(tick, |poses| self.game.poses(poses));
        if let Some(recorder) = &mut self.recorder {
            recorder.stepped(&self.game, &self.history, named(&self.seats));
        }
        phase_done(StepPhase::History);
        (out.tick, out.level) = (tick, level);
        self.spread();
        out.world = None;
        if (0..self.seats.len()).any(|at| self.is_due(at, tick, level)) {
            let (game, placement) = (&self.game, &mut self.placement);
            out.world = Some(self.worlds.fill(|world| world.capture(game, tick, placement)));
        }
        phase_done(StepPhase::Capture);
        self.write_due(tick, out);
        self.write_events(out);
        self.write_updates(tick, out);
        self.write_match_status(tick, out);
        self.write_room_state(out);
        phase_done(StepPhase::Outgoing);
    }

    /// The newest match status; `None` in modes without rounds.
    #[must_use]
    pub fn match_status(&self) -> Option<&MatchStatus> {
        self.match_publisher.newest()
    }

    /// The state of the match after the newest tick; `None` before the first one, and in modes without matches.
    #[must_use]
    pub fn match_state(&self) -> Option<&MatchState> {
        self.match_publisher.state()
    }

    /// Number of ticks stepped so far.
    #[must_use]
    pub fn stepped(&self) -> u32 {
        self.stepped
    }

    /// The updates that a new recipient needs: the players with their names, the match status and the state of the room.
    #[must_use]
    pub fn roster(&self) -> Vec<RoomUpdate> {
        let mut updates = Vec::new();
        for (player, seat) in (0..).map(PlayerId).zip(&self.seats) {
            let Some(seat) = seat.as_ref().filter(|seat| seat.spectating.is_none()) else { continue };
            updates.push(RoomUpdate::Named { player, name: seat.name.clone() });
            updates.extend(seat.is_bot.then_some(RoomUpdate::Bot { player }));
            if seat.away_since.is_some() {
                updates.push(RoomUpdate::Away { player });
            }
        }
        updates.extend(self.match_status().map(|match_status| RoomUpdate::Match(match_status.clone())));
        updates.extend(self.room_state.1.clone().map(RoomUpdate::State));
        updates
    }

    /// Number of players, without spectators.
    #[must_use]
    pub fn players(&self) -> u16 {
        self.seated
    }

    #[must_use]
    pub fn spectators(&self) -> u16 {
        self.spectators
    }

    #[must_use]
    pub fn game(&self) -> &G {
        &self.game
    }

    /// Lets each spectator whose player is gone, or who has not chosen one, follow the best player.
    fn pick_followed(&mut self) {
        if self.spectators == 0 {
            return;
        }
        for (at, seat) in self.seats.iter_mut().enumerate() {
            let Some(Seat { spectating: Some(spectating), .. }) = seat else { continue };
            let is_settled = spectating.follows.is_some_and(|player| self.game.player_state(player).is_some());
            if is_settled || spectating.is_free {
                continue;
            }
            self.standings.clear();
            self.game.standings(&mut self.standings);
            spectating.follows = self.standings.first().map(|standing| standing.player);
            self.following.extend(spectating.follows.map(|player| (PlayerId(at as u16), player)));
        }
    }

    fn take_inputs(&mut self, tick: Tick) {
        self.inputs.clear();
        for (at, seat) in self.seats.iter_mut().enumerate() {
            if let Some(seat) = seat.as_mut().filter(|seat| seat.spectating.is_none()) {
                let (input, view) = seat.inputs.take(tick);
                let view = view.judged_at(tick, G::TICK_HZ);
                self.inputs.push(PlayerInput { player: PlayerId(at as u16), input, view });
            }
        }
    }

    /// Writes the private part of each snapshot that is due.
    fn write_due(&mut self, tick: Tick, out: &mut RoomOutput) {
        out.clear_due(&mut self.due_capacity);
        for at in 0..self.seats.len() {
            if !self.is_due(at, tick, out.level) {
                continue;
            }
            let Some(seat) = &mut self.seats[at] else { continue };
            seat.phase.review(self.tick_zero, (G::TICK_HZ, self.config.snapshot_every), &mut self.phase_load);
            let player = PlayerId(at as u16);
            if let Some(spectating) = &mut seat.spectating {
                if let Some(follows) = spectating.follows
                    && let Some(followed) = self.game.player_state(follows)
                {
                    spectating.focus = in_cell_units::<G>(G::focus(followed));
                    spectating.layers = self.game.layers_seen(follows);
                }
                let Spectating { focus, layers, .. } = *spectating;
                let (head, from) = (seat.inputs.report(tick), out.player_state_bytes.len());
                write_player_state(None::<fn(&mut BitWriter)>, &mut out.player_state_bytes);
                let player_state = from..out.player_state_bytes.len();
                out.due.push(DueSnapshot { player, head, focus, layers, player_state });
                continue;
            }
            let Some(own) = self.game.player_state(player) else { continue };
            let from = out.player_state_bytes.len();
            let write = |bits: &mut BitWriter| G::write_player_state(own, bits);
            write_player_state(Some(write), &mut out.player_state_bytes);
            let range = from..out.player_state_bytes.len();
            out.due.push(DueSnapshot {
                player,
                head: seat.inputs.report(tick),
                focus: in_cell_units::<G>(G::focus(own)),
                layers: self.game.layers_seen(player),
                player_state: range,
            });
        }
    }

    fn write_events(&mut self, out: &mut RoomOutput) {
        out.events.clear();
        out.event_bytes.clear();
        // Enough capacity from the start that a busy tick allocates nothing.
        let events = usize::from(self.config.capacity) / SEATS_PER_EVENT;
        out.events.reserve(events);
        out.event_bytes.reserve(events * EVENT_BYTES);
        for event in self.events.drain(..) {
            self.kill_feed.extend(G::kill_feed_entry(&event.event));
            let from = out.event_bytes.len();
            let mut bits = BitWriter::new(&mut out.event_bytes);
            G::write_event(&event.event, &mut bits);
            bits.finish();
            let recipients = match event.recipients {
                Recipients::Near(at) => Recipients::Near(in_cell_units::<G>(at)),
                Recipients::Player(_) | Recipients::Room => event.recipients,
            };
            out.events.push((recipients, from..out.event_bytes.len()));
        }
    }

    /// Writes the changes of the roster and, once a second, the board.
    fn write_updates(&mut self, tick: Tick, out: &mut RoomOutput) {
        out.updates.clear();
        out.updates.append(&mut self.updates);
        if !tick.0.is_multiple_of(G::TICK_HZ) {
            return;
        }
        self.standings.clear();
        self.game.standings(&mut self.standings);
        let lines = self.standings.iter().take(BOARD_LINES_MAX).map(|s| (s.player, s.score)).collect();
        out.updates.push(RoomUpdate::Board { tick, players: self.seated, extent: self.game.extent(), lines });
    }

    fn write_match_status(&mut self, tick: Tick, out: &mut RoomOutput) {
        let Some(match_state) = self.game.match_state() else { return };
        let seats = &self.seats;
        let name_of = |player: PlayerId| seats.get(usize::from(player.0))?.as_ref().map(|seat| &seat.name);
        if let Some(match_status) =
            self.match_publisher.write(self.config.mode, match_state, (tick, G::TICK_HZ), name_of)
        {
            out.updates.push(RoomUpdate::Match(match_status.clone()));
        }
    }

    fn write_room_state(&mut self, out: &mut RoomOutput) {
        let state = self.game.room_state();
        if state == self.room_state.0 {
            return;
        }
        let bytes = codec::encode_value(&state);
        assert!(
            bytes.len() <= ROOM_STATE_MAX,
            "{}: a room state of {} bytes, most is {ROOM_STATE_MAX}",
            G::NAME,
            bytes.len()
        );
        out.updates.push(RoomUpdate::State(bytes.clone()));
        self.room_state = (state, Some(bytes));
    }
}

#[cfg(test)]
mod tests;
