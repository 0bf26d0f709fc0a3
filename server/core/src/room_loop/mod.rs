//! A room with its seats, tick by tick: commands in, a tick, commands to the shards out.
//!
//! The shell owns time and the mailboxes. Its contract:
//! - `now` never goes back.
//! - A turn is: [`RoomLoop::handle_command`] for every queued command, in the order of each sender; [`RoomLoop::step`]; then
//!   [`RoomLoop::poll_commands`] for every shard and [`RoomLoop::take_effects`]. If the step returned [`Stepped::Ticked`], the turn ends
//!   with [`RoomLoop::finish`], which returns when the next one is due.
//! - After [`Stepped::Asleep`] the next turn follows the next command; after [`Stepped::Ended`] there is none.
//!
//! Ticks have absolute deadlines, so nothing drifts. A tick that ends after the next one is due is an overrun; when the room is more
//! than [`CATCH_UP_TICKS`] behind, the ticks in between are dropped and counted as missed.

mod recording;
mod results;
mod saved;
mod scores;
mod seats;
mod turn;

use std::net::IpAddr;
use std::sync::Arc;

use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::match_status::MatchStatus;
use broadside_shared::protocol::message::{Outcome, Publication, Refusal, RoomUpdate, ServerMsg, ServerNotice};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::{MonoTime, Tick, tick_us};

use crate::admission::governor::{BEHIND, Governor};
use crate::admission::join_queue::JoinQueue;
use crate::admission::reservations::Reservations;
use crate::commands::{Hold, JoinRequest, RoomCommand, RoomInfo, ShardCommand};
use crate::lobby::SeatLimits;
use crate::messages::EncodedMessage;
use crate::room::recycle::Recycled;
use crate::room::{Room, RoomConfig, RoomOutput, StepPhase};
pub use recording::{KeptRecordings, RecordingPolicy};
use results::RunningMatch;
pub use saved::{SavedRoom, SavedSeat};
use seats::Seats;
pub use turn::{Effects, Occupancy, Stepped, Timing};

/// Ticks that a late room steps at once to catch up; when it is further behind, they are dropped.
pub const CATCH_UP_TICKS: u32 = 4;
/// How long before its end a room notifies its players, in microseconds.
const END_NOTICE_US: u64 = 30_000_000;
/// Ticks with recipients that may wait for a shard; while as many do, it is sent no further ones.
pub const QUEUED_MAX: u32 = 4;

/// The settings of a room besides its [`RoomConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Seats that one address may have.
    pub seats_per_address: usize,
    /// Seconds for which the seat of a lost connection is kept.
    pub grace_s: u32,
    /// When the room ends, even with players in it. `None` for a persistent room.
    pub ends_at: Option<MonoTime>,
    /// `None` to record nothing.
    pub recording: Option<RecordingPolicy>,
}

/// A room with its seats.
pub struct RoomLoop<G: Game> {
    info: RoomInfo,
    policy: Policy,
    /// For the room that replaces this one after a failure.
    game: Arc<G::Config>,
    room: Room<G>,
    tick_zero: MonoTime,
    /// The next tick to step.
    tick: Tick,
    outputs: Recycled<RoomOutput>,
    seats: Seats,
    queue: JoinQueue<JoinRequest>,
    reservations: Reservations<Hold>,
    governor: Governor,
    /// By shard number.
    links: Vec<ShardLink>,
    activity: Activity,
    end: End,
    lag: Lag,
    /// `None` between matches, and in modes without.
    running: Option<RunningMatch>,
    effects: Effects,
    /// The scores as last sent, and the tick that they are of.
    scores: Option<(Tick, EncodedMessage)>,
    /// How long the last tick took, in microseconds.
    tick_us: u32,
    /// The latest time handed in.
    now: MonoTime,
}

/// Whether ticks are stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Awake,
    /// The room is empty; ticks are left out.
    Asleep,
}

/// Whether the room is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// It ends with the next step if it is not played.
    Retiring,
    /// The players were notified of its end.
    Notified,
    /// The same, and it ends with the next step if it is not played.
    NotifiedRetiring,
}

/// Whether the shards keep up with the room. A room is behind if, when a tick was stepped, a shard had not taken the previous one. That
/// counts up to and including the next tick with recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lag {
    InTime,
    Behind,
    /// Behind, in this tick for the last time.
    BehindLast,
}

/// The room's state for one shard.
#[derive(Debug, Default)]
struct ShardLink {
    /// Number of seats there.
    seats: usize,
    /// Commands that go out with the next tick; answers precede the tick itself.
    outgoing: Vec<ShardCommand>,
    /// Updates of ticks that were not sent because the shard was behind.
    owed: Vec<RoomUpdate>,
}

impl<G: Game> RoomLoop<G> {
    /// An empty room whose tick 0 is due at `now`, for this many shards.
    #[must_use]
    pub fn new(info: RoomInfo, policy: Policy, game: &Arc<G::Config>, shards: usize, now: MonoTime) -> Self {
        let config: RoomConfig = info.config;
        let mut room = Room::new(config, game.as_ref(), now);
        if let Some(recording) = policy.recording {
            room.record(recording.rules, info.id, recording.players_max());
        }
        RoomLoop {
            info,
            policy,
            room,
            game: Arc::clone(game),
            tick_zero: now,
            tick: Tick(1),
            outputs: Recycled::default(),
            seats: Seats::default(),
            queue: JoinQueue::new(G::TICK_HZ),
            reservations: Reservations::default(),
            governor: Governor::new(G::TICK_HZ),
            links: (0..shards).map(|_| ShardLink::default()).collect(),
            activity: Activity::Awake,
            end: End::Open,
            lag: Lag::InTime,
            running: None,
            effects: Effects::default(),
            scores: None,
            tick_us: 0,
            now,
        }
    }

    /// The room that replaces this one after a failure: empty, with another seed.
    #[must_use]
    pub fn restarted(&self, now: MonoTime) -> Self {
        let config = RoomConfig { seed: self.info.config.seed.wrapping_add(1), ..self.info.config };
        RoomLoop::new(RoomInfo { config, ..self.info }, self.policy, &self.game, self.links.len(), now)
    }

    /// Handles a command.
    ///
    /// # Panics
    /// If time goes back, or the command names a shard that does not exist.
    pub fn handle_command(&mut self, now: MonoTime, command: RoomCommand<G>, limits: &impl SeatLimits) {
        self.advance_to(now);
        match command {
            RoomCommand::Join(request) => self.handle_join(request, limits),
            RoomCommand::CancelJoin(connection) => self.queue.remove(|request| request.connection == connection),
            RoomCommand::Leave(seat) if self.seats.is_current(seat) => self.leave(seat.player),
            RoomCommand::Park(seat) if self.seats.is_current(seat) => self.park(seat.player, limits),
            RoomCommand::Resume(seat, connection, account) if self.seats.is_current(seat) => {
                self.resume(seat, connection, account);
            }
            RoomCommand::Input(seat, packet, arrived) if self.seats.is_current(seat) => {
                self.room.input(seat.player, &packet, arrived);
            }
            RoomCommand::Request(seat, connection, id, request) => {
                let is_current = self.seats.is_current(seat);
                let result =
                    if is_current { self.room.request(seat.player, &request) } else { Err(Refusal::NotInRoom) };
                let outcome = result.map_or_else(Outcome::Refused, |()| Outcome::Done);
                self.links[connection.shard].outgoing.push(ShardCommand::Answered(connection, id, outcome));
            }
            RoomCommand::Scores(seat, connection, id) => self.send_scores(seat, connection, id),
            RoomCommand::Follow(seat, player) if self.seats.is_current(seat) => self.room.follow(seat.player, player),
            RoomCommand::Look(seat, place) if self.seats.is_current(seat) => self.room.look(seat.player, place),
            RoomCommand::Rename(seat, name) if self.seats.is_current(seat) => self.room.rename(seat.player, &name),
            RoomCommand::RenameQueued(connection, name) => self.rename_queued(connection, &name),
            RoomCommand::Reserve(number, until, hold) => self.reservations.keep(number, until, hold),
            // For a seat that was given up, or for the failed room that this one replaces.
            RoomCommand::Leave(_)
            | RoomCommand::Park(_)
            | RoomCommand::Resume(..)
            | RoomCommand::Input(..)
            | RoomCommand::Follow(..)
            | RoomCommand::Look(..)
            | RoomCommand::Rename(..) => {}
            RoomCommand::KeepMinute(id, whom) => self.keep_minute(id, whom),
            RoomCommand::ShardLost(shard) => self.lose_shard(shard),
            RoomCommand::Close => self.policy.ends_at = Some(self.now),
            RoomCommand::Retire => {
                self.end = match self.end {
                    End::Open | End::Retiring => End::Retiring,
                    End::Notified | End::NotifiedRetiring => End::NotifiedRetiring,
                };
            }
        }
    }

    /// Steps one tick, unless the room is empty or ends. `queued` returns how many ticks with recipients wait for a shard; `phase_done` is
    /// called at the end of each phase of the step.
    ///
    /// # Panics
    /// If time goes back.
    pub fn step(&mut self, now: MonoTime, queued: impl Fn(usize) -> u32, phase_done: impl FnMut(StepPhase)) -> Stepped {
        self.advance_to(now);
        self.free_seats();
        self.admit();
        if self.is_ending() {
            self.end_room();
            return Stepped::Ended;
        }
        if self.is_empty() {
            self.room.end_recording();
            self.activity = Activity::Asleep;
            return Stepped::Asleep;
        }
        self.step_tick(queued, phase_done);
        self.notify_queue();
        self.notify_spectators();
        Stepped::Ticked
    }

    /// Ends the turn of a tick that started at `began` and ended at `now`: adapts the level of service and picks the next tick.
    ///
    /// # Panics
    /// If time goes back.
    pub fn finish(&mut self, began: MonoTime, now: MonoTime) -> Timing {
        self.advance_to(now);
        let due = self.room.due_at(self.tick);
        let (took_us, late_us) = (now.us_since(began), began.us_since(due));
        self.tick_us = u32::try_from(took_us).unwrap_or(u32::MAX);
        let busy = ((late_us + took_us) * 1000 / tick_us(G::TICK_HZ, 1).max(1)) as u32;
        let busy = if self.lag == Lag::InTime { busy } else { busy.max(BEHIND) };
        if self.lag == Lag::BehindLast {
            self.lag = Lag::InTime;
        }
        let (down, up) = self.governor.steps();
        self.governor.record(busy);
        let after = self.governor.steps();
        let (next, is_overrun, missed) = self.next_tick(now);
        self.tick = next;
        Timing {
            next: self.room.due_at(next),
            late_us,
            took_us,
            is_overrun,
            missed,
            steps_down: after.0 - down,
            steps_up: after.1 - up,
        }
    }

    /// The commands to send to a shard now, in one batch. Ticks without recipients are held back and sent with the next tick that has one.
    pub fn poll_commands(&mut self, shard: usize) -> Option<std::vec::Drain<'_, ShardCommand>> {
        let outgoing = &mut self.links[shard].outgoing;
        let is_held_back =
            |command: &ShardCommand| matches!(command, ShardCommand::Tick(..)) && !command.has_recipients();
        (!outgoing.iter().all(is_held_back)).then(|| outgoing.drain(..))
    }

    /// The number of commands queued for a shard, and of updates held back for it.
    #[must_use]
    pub fn waiting_for(&self, shard: usize) -> (usize, usize) {
        (self.links[shard].outgoing.len(), self.links[shard].owed.len())
    }

    /// Takes the effects of the turn.
    pub fn take_effects(&mut self) -> Effects {
        self.effects.inputs_dropped += self.room.take_inputs_dropped();
        self.effects.recorded = self.room.take_recorded();
        std::mem::take(&mut self.effects)
    }

    #[must_use]
    pub fn info(&self) -> &RoomInfo {
        &self.info
    }

    /// The next tick to step.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The level of service, 0 (full) to [`LEVEL_MAX`](crate::room::LEVEL_MAX).
    #[must_use]
    pub fn level(&self) -> u8 {
        self.governor.level()
    }

    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            players: self.room.players(),
            spectators: self.room.spectators(),
            queued: self.queue.len() as u32,
            reserved: self.reservations.len() as u16,
            is_played: self.is_played(),
        }
    }

    #[must_use]
    pub fn room(&self) -> &Room<G> {
        &self.room
    }

    /// The seats that are taken, in order of player.
    pub fn seats(&self) -> impl Iterator<Item = &seats::Seat> {
        self.seats.iter()
    }

    /// The requests in the join queue, the next one first.
    pub fn queued(&self) -> impl Iterator<Item = &JoinRequest> {
        self.queue.iter()
    }

    /// Advances the time and wakes the room. The ticks that passed while it was asleep are left out and do not count as missed.
    fn advance_to(&mut self, now: MonoTime) {
        assert!(now >= self.now, "time goes back from {} to {}", self.now.0, now.0);
        self.now = now;
        if std::mem::replace(&mut self.activity, Activity::Awake) == Activity::Asleep {
            let passed = now.us_since(self.tick_zero) * u64::from(G::TICK_HZ) / 1_000_000;
            self.tick = self.tick.max(Tick(passed as u32));
        }
    }

    /// Whether its time is over, or it retires and is not played. Notifies the players half a minute before its time is over.
    fn is_ending(&mut self) -> bool {
        let left_us = self.policy.ends_at.map_or(u64::MAX, |at| at.us_since(self.now));
        let (is_retiring, is_notified) = match self.end {
            End::Open => (false, false),
            End::Retiring => (true, false),
            End::Notified => (false, true),
            End::NotifiedRetiring => (true, true),
        };
        if left_us <= END_NOTICE_US && !is_notified {
            let message = ends_in(self.seconds_left());
            self.notify_all(&message);
        }
        self.end = if is_notified || left_us <= END_NOTICE_US { End::Notified } else { End::Open };
        left_us == 0 || (is_retiring && !self.is_played())
    }

    /// Seconds until its end, at least 1.
    fn seconds_left(&self) -> u32 {
        let left_us = self.policy.ends_at.map_or(u64::MAX, |at| at.us_since(self.now));
        left_us.div_ceil(1_000_000).clamp(1, u64::from(u32::MAX)) as u32
    }

    fn is_played(&self) -> bool {
        self.seats.people() > 0 || !self.reservations.is_empty() || self.queue.any(|request| request.address.is_some())
    }

    fn is_empty(&self) -> bool {
        self.room.players() == 0 && self.room.spectators() == 0 && self.queue.is_empty() && self.reservations.is_empty()
    }

    /// Ends the room now, with the results of everyone in it: the server shuts down.
    pub fn end(mut self) -> Effects {
        self.end_room();
        self.take_effects()
    }

    /// Returns players and queue to the lobby.
    fn end_room(&mut self) {
        self.keep_all();
        self.room.end_recording();
        while self.queue.pop().is_some() {
            self.effects.refused += 1;
        }
        let room = self.info.id;
        for link in &mut self.links {
            link.outgoing.push(ShardCommand::RoomEnded(room));
        }
    }

    fn step_tick(&mut self, queued: impl Fn(usize) -> u32, phase_done: impl FnMut(StepPhase)) {
        let (room, level, tick, took_us) = (&mut self.room, self.governor.level(), self.tick, self.tick_us);
        let output = self.outputs.fill(|output| {
            room.step(tick, level, output, phase_done);
            output.tick_us = took_us;
        });
        self.publish(&output);
        self.follow_match();
        let id = self.info.id;
        let mut is_behind = self.lag == Lag::Behind;
        for (shard, link) in self.links.iter_mut().enumerate().filter(|(_, link)| link.seats > 0) {
            let queued = queued(shard);
            is_behind |= queued > 0;
            link.push_tick(id, &output, queued);
        }
        self.lag = match (is_behind, output.due.is_empty()) {
            (false, _) => Lag::InTime,
            (true, true) => Lag::Behind,
            (true, false) => Lag::BehindLast,
        };
    }

    /// Publishes kill feed, board and match status of a tick outside the room.
    fn publish(&mut self, output: &RoomOutput) {
        let id = self.info.id;
        for entry in self.room.kill_feed() {
            self.effects.published.push((Topic::RoomFeed(id), entry));
        }
        for update in &output.updates {
            match update {
                RoomUpdate::Board { lines, .. } => {
                    let named = |(player, score): &(PlayerId, i32)| Some((self.room.name_of(*player)?.clone(), *score));
                    self.effects.board = Some(lines.iter().filter_map(named).collect());
                }
                RoomUpdate::Match(status) => {
                    self.effects.published.push((Topic::RoomMatch(id), Publication::Match(status.clone())));
                }
                RoomUpdate::Named { .. }
                | RoomUpdate::Left { .. }
                | RoomUpdate::Away { .. }
                | RoomUpdate::Back { .. }
                | RoomUpdate::Bot { .. }
                | RoomUpdate::Message(_)
                | RoomUpdate::State(_) => {}
            }
        }
    }

    /// Notifies the join queue of its positions: new requests at once, all of them twice a second.
    fn notify_queue(&mut self) {
        for (position, request) in self.queue.to_notify() {
            let command = ShardCommand::Queued(request.connection, self.info.id, position);
            self.links[request.connection.shard].outgoing.push(command);
        }
        self.effects.queued += self.queue.mark_notified() as u64;
    }

    /// Notifies spectators of the player that they follow from now on.
    fn notify_spectators(&mut self) {
        for (spectator, player) in self.room.take_following() {
            let Some(seat) = self.seats.get(spectator) else { continue };
            let message = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Following { player }));
            self.links[seat.connection.shard].outgoing.push(seat.deliver(message));
        }
    }

    fn notify_all(&mut self, message: &EncodedMessage) {
        for seat in self.seats.iter() {
            self.links[seat.connection.shard].outgoing.push(seat.deliver(message.clone()));
        }
    }

    /// The tick to step next, whether this one was an overrun, and how many are dropped because the room is too far behind.
    fn next_tick(&mut self, now: MonoTime) -> (Tick, bool, u32) {
        let next = self.tick.after(1);
        if now < self.room.due_at(next) {
            return (next, false, 0);
        }
        let period_us = tick_us(G::TICK_HZ, 1).max(1);
        let behind = (now.us_since(self.room.due_at(next)) / period_us) as u32;
        if behind <= CATCH_UP_TICKS {
            return (next, true, 0);
        }
        self.reservations.prolong(u64::from(behind) * period_us);
        (next.after(behind), true, behind)
    }

    /// The newest match status; `None` in modes without rounds.
    #[must_use]
    pub fn match_status(&self) -> Option<&MatchStatus> {
        self.room.match_status()
    }
}

/// The notice that the room ends.
fn ends_in(seconds: u32) -> EncodedMessage {
    EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds }))
}

/// Whether a client that gets the later update does not need the earlier one.
fn supersedes(later: &RoomUpdate, earlier: &RoomUpdate) -> bool {
    match (later, earlier) {
        (RoomUpdate::Board { .. }, RoomUpdate::Board { .. })
        | (RoomUpdate::Match(_), RoomUpdate::Match(_))
        | (RoomUpdate::State(_), RoomUpdate::State(_)) => true,
        (
            RoomUpdate::Named { player, .. } | RoomUpdate::Left { player },
            RoomUpdate::Named { player: of, .. }
            | RoomUpdate::Left { player: of }
            | RoomUpdate::Away { player: of }
            | RoomUpdate::Back { player: of }
            | RoomUpdate::Bot { player: of },
        )
        | (
            RoomUpdate::Away { player } | RoomUpdate::Back { player },
            RoomUpdate::Away { player: of } | RoomUpdate::Back { player: of },
        ) => player == of,
        _ => false,
    }
}

impl ShardLink {
    /// Appends a tick behind the answers. If the shard is too far behind, the tick is left out and its updates go with a later one.
    fn push_tick(&mut self, room: RoomId, output: &Arc<RoomOutput>, queued: u32) {
        if queued >= QUEUED_MAX {
            // Of each board, match status and player only the newest counts, so what is owed is bounded by the seats.
            for update in &output.updates {
                self.owed.retain(|owed| !supersedes(update, owed));
                self.owed.push(update.clone());
            }
            return;
        }
        if !self.owed.is_empty() {
            self.outgoing.push(ShardCommand::Updates(room, std::mem::take(&mut self.owed)));
        }
        self.outgoing.push(ShardCommand::Tick(room, Arc::clone(output)));
    }
}

/// Whether two addresses count as one, for the seats they hold.
fn is_same(limits: &impl SeatLimits, a: IpAddr, b: IpAddr) -> bool {
    limits.counted_as(a) == limits.counted_as(b)
}

#[cfg(test)]
mod tests;
