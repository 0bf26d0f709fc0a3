//! A room in time: one turn per tick takes what was written to it, steps it, and leaves the result with the shards, who tell the
//! players. The threads of the [`pool`] take the rooms in the order in which they are due.
//!
//! Ticks have absolute deadlines, so nothing drifts. One that starts late or runs long is counted as an overrun; if the room
//! falls behind by more than `CATCH_UP_TICKS`, the ticks in between are dropped and counted as missed. A room in which nobody is
//! sleeps, and costs nothing.

mod handle;
pub mod pool;
mod seats;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::message::{Publication, RoomId, RoomUpdate, ServerMsg, ServerNotice};
use broadside_shared::protocol::room::Role;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::{MonoTime, Tick, tick_us};

pub use handle::{
    ConnectionId, JoinMethod, JoinRequest, RoomCommand, RoomHandle, RoomOver, RoomSpec, RoomStatus, SeatAssignment,
    ServerContext,
};

use crate::limits::holds::Hold;
use crate::lobby::messages::EncodedMessage;
use crate::lobby::sessions::SessionId;
use crate::metrics::labels::{Direction, JoinResult, TickPhase};
use crate::net::inbox::{Envelope, ShardCommand};
use crate::room::governor::{BEHIND, Governor};
use crate::room::join_queue::JoinQueue;
use crate::room::recycle::Recycled;
use crate::room::reservations::Reservations;
use crate::room::{Room, RoomConfig, RoomOutput, StepPhase};
use handle::Mailbox;

/// Ticks a late room steps at once to catch up; beyond, they are dropped.
const CATCH_UP_TICKS: u32 = 4;
/// Time before its end at which a room says so, in microseconds.
const WARNED_US: u64 = 30_000_000;
/// Outputs that somebody is told of, waiting for a shard at the most; while so many wait, a tick is not handed to it.
const QUEUED_MAX: u32 = 4;

/// What becomes of a room after a turn.
pub enum Next {
    /// Another turn, at this moment.
    At(MonoTime),
    /// Nobody is in it: none until somebody writes to it.
    Asleep,
    /// It is over.
    Over,
}

/// A room, and what running it takes.
pub struct Driver<G: Game> {
    id: RoomId,
    config: RoomConfig,
    room: Room<G>,
    tick_zero: MonoTime,
    /// The next tick to step.
    tick: Tick,
    outputs: Recycled<RoomOutput>,
    queue: JoinQueue<JoinRequest>,
    reservations: Reservations<Hold>,
    /// Seats that one address may have here.
    seats_per_address: usize,
    governor: Governor,
    /// Where each player is, by number.
    seats: Vec<Option<Seat>>,
    /// How many play that are not bots of the server.
    people: u32,
    /// TeamLabel is told when a friend comes by the link: the first who came by it.
    host: Option<PlayerId>,
    /// By number of shard.
    links: Vec<Link<G>>,
    commands: Vec<RoomCommand<G>>,
    mailbox: Arc<Mailbox<G>>,
    status: Arc<RoomStatus>,
    context: ServerContext<G>,
    waiting: usize,
    /// Joins and reservations that were taken in since the status were written.
    came: u32,
    /// A shard had not taken the tick before when this one was stepped.
    behind: bool,
    /// Nobody was told of the newest tick.
    silent: bool,
    slept: bool,
    /// When it ends, whoever is in it.
    ends_at: Option<MonoTime>,
    warned: bool,
}

/// A seat that is taken.
#[derive(Debug)]
struct Seat {
    peer: ConnectionId,
    session: SessionId,
    seated: SeatAssignment,
    /// Where its holder came from; `None` for the server's own bots.
    address: Option<IpAddr>,
    _hold: Hold,
    /// Since when it is kept for a lost connection, and its address's place for that.
    kept: Option<(MonoTime, Hold)>,
}

impl Seat {
    /// A message to whoever sits there.
    fn message<G: Game>(&self, message: EncodedMessage) -> ShardCommand<G> {
        ShardCommand::Deliver(self.peer, self.session, Envelope { by: None, message })
    }
}

/// Tells somebody that the room ends in so many seconds.
fn ends_in(seconds: u32) -> EncodedMessage {
    EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds }))
}

/// What a room owes a shard.
struct Link<G: Game> {
    /// Players there.
    seats: usize,
    /// What goes out with the next tick, answers before the tick itself.
    outgoing: Vec<ShardCommand<G>>,
    /// Changes of the roster that the shard missed because it was behind.
    owed: Vec<RoomUpdate>,
}

impl<G: Game> Driver<G> {
    pub(super) fn new(
        id: RoomId,
        config: RoomConfig,
        mailbox: Arc<Mailbox<G>>,
        status: Arc<RoomStatus>,
        context: ServerContext<G>,
    ) -> Self {
        tracing::debug!(room = %id, mode = %config.mode, capacity = config.capacity, "room open");
        let tick_zero = context.clock.now();
        let link = |_| Link { seats: 0, outgoing: Vec::new(), owed: Vec::new() };
        Driver {
            id,
            config,
            room: Room::new(config, &G::config(config.mode), tick_zero),
            tick_zero,
            tick: Tick(1),
            outputs: Recycled::default(),
            queue: JoinQueue::default(),
            reservations: Reservations::default(),
            governor: Governor::default(),
            seats_per_address: usize::from(config.capacity),
            seats: Vec::new(),
            people: 0,
            host: None,
            links: (0..context.shards.len()).map(link).collect(),
            commands: Vec::new(),
            mailbox,
            status,
            context,
            waiting: 0,
            came: 0,
            behind: false,
            silent: false,
            slept: false,
            ends_at: None,
            warned: false,
        }
    }

    /// One address may have as many of its seats.
    pub(super) fn set_seats_per_address(&mut self, seats: usize) {
        self.seats_per_address = seats;
    }

    /// It ends in this many seconds, whoever is in it.
    pub(super) fn ends_after(&mut self, seconds: u32) {
        self.ends_at = Some(self.tick_zero.plus_us(u64::from(seconds) * 1_000_000));
    }

    /// Does one tick; a room that panics is closed with a code and begins anew.
    pub fn turn(&mut self) -> Next {
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.tick_once())) {
            Ok(next) => next,
            Err(_) => self.begin_anew(),
        }
    }

    /// Has the mailbox hold the room until somebody writes to it; gives it back if somebody has.
    pub fn lay_to_sleep(room: Box<Self>) -> Option<Box<Self>> {
        let mailbox = Arc::clone(&room.mailbox);
        mailbox.lay_to_sleep(room)
    }

    fn tick_once(&mut self) -> Next {
        let began = self.context.clock.now();
        self.status.looked_at.store(began.0, Ordering::Relaxed);
        if std::mem::take(&mut self.slept) {
            self.wake_up(began);
        }
        let tick = self.tick;
        self.take_commands();
        self.free_seats();
        self.admit();
        if self.is_ending(began) {
            return self.end();
        }
        if self.is_empty() {
            self.hand_over();
            return self.fall_asleep(began);
        }
        self.step(tick, began);
        self.notify_queue();
        self.tell_watchers();
        self.hand_over();
        self.note_time(tick, self.room.due_at(tick), began);
        self.tick = self.next_tick(tick);
        Next::At(self.room.due_at(self.tick))
    }

    /// Whether its time is over, or nobody has played in it for long and still does not. Says so half a minute before its time is over.
    fn is_ending(&mut self, now: MonoTime) -> bool {
        let retired = self.status.retiring.swap(false, Ordering::Relaxed);
        let left_us = self.ends_at.map_or(u64::MAX, |at| at.us_since(now));
        if left_us <= WARNED_US && !std::mem::replace(&mut self.warned, true) {
            let message = ends_in(self.seconds_left(now));
            for seat in self.seats.iter().flatten() {
                self.links[seat.peer.shard].outgoing.push(seat.message(message.clone()));
            }
        }
        left_us == 0 || (retired && !self.is_played())
    }

    /// Seconds until its end; 1 at least, since with 0 it is over.
    fn seconds_left(&self, now: MonoTime) -> u32 {
        let left_us = self.ends_at.map_or(u64::MAX, |at| at.us_since(now));
        left_us.div_ceil(1_000_000).clamp(1, u64::from(u32::MAX)) as u32
    }

    /// Whether somebody plays or is about to, bots of the server aside.
    fn is_played(&self) -> bool {
        self.people > 0 || !self.reservations.is_empty() || self.queue.any(|request| request.address.is_some())
    }

    fn is_empty(&self) -> bool {
        self.room.players() == 0
            && self.room.spectators() == 0
            && self.queue.is_empty()
            && self.reservations.is_empty()
            && self.waiting == 0
    }

    fn fall_asleep(&mut self, now: MonoTime) -> Next {
        self.slept = true;
        self.note_people();
        // A match that everyone left is over.
        self.context.topics.forget_match(self.id);
        *self.status.match_status.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.status.tick_us.store(0, Ordering::Relaxed);
        self.forget_best();
        self.status.asleep_since.store(now.0.max(1), Ordering::Relaxed);
        Next::Asleep
    }

    /// The ticks that were slept through are left out: nobody was there to miss them.
    fn wake_up(&mut self, now: MonoTime) {
        self.status.asleep_since.store(0, Ordering::Relaxed);
        let passed = now.us_since(self.tick_zero) * u64::from(G::TICK_HZ) / 1_000_000;
        self.tick = self.tick.max(Tick(passed as u32));
    }

    /// The room broke down: its connections are closed, and it begins anew with another seed.
    fn begin_anew(&mut self) -> Next {
        // Counted first, logged last: nothing that follows can hide it.
        self.status.failures.fetch_add(1, Ordering::Relaxed);
        self.context.metrics.room_failures.inc();
        let (seed, tick) = (self.config.seed, self.tick);
        self.take_down();
        // What waited was meant for the room that failed; its connections are being closed.
        self.mailbox.clear(&self.status.coming);
        self.status.queued.iter().for_each(|queued| queued.store(0, Ordering::Relaxed));
        for inbox in self.context.shards.iter() {
            inbox.send([ShardCommand::Failed(self.id)]);
        }
        let config = RoomConfig { seed: self.config.seed.wrapping_add(1), ..self.config };
        let (mailbox, status) = (Arc::clone(&self.mailbox), Arc::clone(&self.status));
        let (ends_at, seats_per_address) = (self.ends_at, self.seats_per_address);
        *self = Driver::new(self.id, config, mailbox, status, self.context.clone());
        (self.ends_at, self.seats_per_address) = (ends_at, seats_per_address);
        tracing::error!(room = %self.id, seed, %tick, "room failed; begins anew");
        Next::At(self.room.due_at(self.tick))
    }

    /// The room ends: who is in it or in its line goes back to the lobby, who comes is refused.
    fn end(&mut self) -> Next {
        for command in self.mailbox.close() {
            if let RoomCommand::Join(_) = command {
                self.context.metrics.joins.of(JoinResult::Refused).inc();
            }
        }
        while self.queue.pop().is_some() {
            self.context.metrics.joins.of(JoinResult::Refused).inc();
        }
        for link in &mut self.links {
            link.outgoing.push(ShardCommand::Ended(self.id));
        }
        self.hand_over();
        self.take_down();
        self.context.topics.forget_room(self.id);
        self.status.set_over();
        tracing::debug!(room = %self.id, "room over");
        Next::Over
    }

    fn answer(&mut self, peer: ConnectionId, command: ShardCommand<G>) {
        self.links[peer.shard].outgoing.push(command);
    }

    fn notify_queue(&mut self) {
        for (place, request) in self.queue.told() {
            self.links[request.peer.shard].outgoing.push(ShardCommand::Queued(request.peer, self.id, place));
        }
        self.context.metrics.joins.of(JoinResult::Waited).inc_by(self.queue.mark_told() as u64);
        let waiting = self.queue.len();
        self.context.metrics.waiting.inc_by(waiting as i64 - self.waiting as i64);
        self.waiting = waiting;
    }

    /// Tells those who watch whom they see now.
    fn tell_watchers(&mut self) {
        for (spectator, player) in self.room.take_following() {
            let Some(Some(seat)) = self.seats.get(usize::from(spectator.0)) else { continue };
            let message = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Following { player }));
            self.links[seat.peer.shard].outgoing.push(seat.message(message));
        }
    }

    fn step(&mut self, tick: Tick, began: MonoTime) {
        let (clock, metrics) = (self.context.clock, &self.context.metrics);
        let mut phase_from = began;
        let watch = |phase: StepPhase| {
            let now = clock.now();
            metrics.tick_phase_seconds.of(label(phase)).observe(now.us_since(phase_from) as f64 / 1e6);
            phase_from = now;
        };
        let (room, level) = (&mut self.room, self.governor.level());
        let output = self.outputs.fill(|output| room.step(tick, level, output, watch));
        self.publish(&output);
        self.silent = output.due.is_empty();
        for (shard, link) in self.links.iter_mut().enumerate().filter(|(_, link)| link.seats > 0) {
            let queued = self.status.queued[shard].load(Ordering::Relaxed);
            self.behind |= queued > 0;
            link.tell(self.id, &output, queued);
        }
    }

    /// Leaves everything for the shards, each in one go. What nobody is told of for now goes with the next that somebody is.
    fn hand_over(&mut self) {
        for (shard, link) in self.links.iter_mut().enumerate() {
            let silent = |command: &ShardCommand<G>| matches!(command, ShardCommand::Tick(..)) && !command.tells();
            if !link.outgoing.iter().all(silent) {
                let told = link.outgoing.iter().filter(|command| command.tells()).count();
                self.status.queued[shard].fetch_add(told as u32, Ordering::Relaxed);
                self.context.shards[shard].send(link.outgoing.drain(..));
            }
        }
    }

    fn note_time(&mut self, tick: Tick, due: MonoTime, began: MonoTime) {
        let now = self.context.clock.now();
        let (took_us, late_us) = (now.us_since(began), began.us_since(due));
        self.note_people();
        let metrics = &self.context.metrics;
        metrics.ticks.inc();
        metrics.inputs_dropped.inc_by(self.room.take_inputs_dropped());
        let queued = self.status.queued.iter().map(|queued| i64::from(queued.load(Ordering::Relaxed))).sum();
        metrics.outputs_queued.set(queued);
        metrics.tick_seconds.observe(took_us as f64 / 1e6);
        metrics.tick_lateness_seconds.observe(late_us as f64 / 1e6);
        let status = &self.status;
        status.tick.store(tick.0, Ordering::Relaxed);
        status.tick_us.store(took_us as u32, Ordering::Relaxed);
        let busy = ((late_us + took_us) * 1000 / tick_us(G::TICK_HZ, 1).max(1)) as u32;
        let busy = if self.behind { busy.max(BEHIND) } else { busy };
        // It shows in ticks that somebody is told of, and counts until the next of those.
        self.behind &= self.silent;
        let before = (self.governor.level(), self.governor.steps());
        self.governor.note(busy);
        if self.governor.level() != before.0 {
            let after = self.governor.steps();
            metrics.governor_steps.of(Direction::Down).inc_by(after.0 - before.1.0);
            metrics.governor_steps.of(Direction::Up).inc_by(after.1 - before.1.1);
            metrics.governor_level.inc_by(i64::from(self.governor.level()) - i64::from(before.0));
            tracing::info!(room = %self.id, level = self.governor.level(), "governor: the machine is short of time, or has some to spare again");
        }
        status.level.store(self.governor.level(), Ordering::Relaxed);
    }

    /// What a tick says to those who are not in the room.
    fn publish(&mut self, output: &RoomOutput) {
        for deed in self.room.kill_feed() {
            self.context.publish(Topic::RoomFeed(self.id), None, deed);
        }
        for note in &output.updates {
            match note {
                RoomUpdate::Board { lines, .. } => {
                    let named = |(player, score): &(PlayerId, i32)| Some((self.room.name_of(*player)?.clone(), *score));
                    let best = lines.iter().filter_map(named).collect();
                    *self.status.best.lock().unwrap_or_else(PoisonError::into_inner) = best;
                }
                RoomUpdate::Match(match_status) => {
                    *self.status.match_status.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(match_status.clone());
                    self.context.publish(Topic::RoomMatch(self.id), None, Publication::Match(match_status.clone()));
                }
                RoomUpdate::Named { .. }
                | RoomUpdate::Left { .. }
                | RoomUpdate::Away { .. }
                | RoomUpdate::Back { .. }
                | RoomUpdate::Message(_) => {}
            }
        }
    }

    fn note_people(&mut self) {
        let came = std::mem::take(&mut self.came);
        let status = &self.status;
        status.coming.fetch_sub(came, Ordering::Relaxed);
        status.players.store(self.room.players(), Ordering::Relaxed);
        status.spectators.store(self.room.spectators(), Ordering::Relaxed);
        status.waiting.store(self.queue.len() as u32, Ordering::Relaxed);
        status.reserved.store(self.reservations.len() as u16, Ordering::Relaxed);
        if self.is_played() {
            status.unplayed_since.store(0, Ordering::Relaxed);
        } else if status.unplayed_since.load(Ordering::Relaxed) == 0 {
            status.unplayed_since.store(self.context.clock.now().0.max(1), Ordering::Relaxed);
        }
    }

    /// The tick to step after `tick`: the next, unless the room is too far behind.
    fn next_tick(&mut self, tick: Tick) -> Tick {
        let (next, now) = (tick.after(1), self.context.clock.now());
        if now < self.room.due_at(next) {
            return next;
        }
        self.status.overruns.fetch_add(1, Ordering::Relaxed);
        self.context.metrics.tick_overruns.inc();
        let period_us = tick_us(G::TICK_HZ, 1).max(1);
        let behind = (now.us_since(self.room.due_at(next)) / period_us) as u32;
        if behind <= CATCH_UP_TICKS {
            return next;
        }
        self.status.missed.fetch_add(u64::from(behind), Ordering::Relaxed);
        self.context.metrics.ticks_missed.inc_by(u64::from(behind));
        tracing::warn!(room = %self.id, %tick, behind, "ticks missed");
        self.reservations.prolong(u64::from(behind) * period_us);
        next.after(behind)
    }

    /// Nobody plays: nobody leads.
    fn forget_best(&self) {
        *self.status.best.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new([]);
    }

    /// Takes what this run added to the gauges out of them again.
    fn take_down(&mut self) {
        self.forget_best();
        let metrics = &self.context.metrics;
        let seated = self.seats.iter().flatten().filter(|seat| seat.seated.role == Role::Play).count();
        metrics.players.dec_by(seated as i64);
        metrics.waiting.dec_by(self.waiting as i64);
        metrics.governor_level.dec_by(i64::from(self.governor.level()));
        for figure in [&self.status.players, &self.status.spectators, &self.status.reserved] {
            figure.store(0, Ordering::Relaxed);
        }
    }
}

impl<G: Game> Link<G> {
    /// Puts a tick behind the answers, unless the shard is too far behind: then what it must not miss goes with the next one.
    fn tell(&mut self, room: RoomId, output: &Arc<RoomOutput>, queued: u32) {
        if queued >= QUEUED_MAX {
            self.owed.retain(|note| !matches!(note, RoomUpdate::Board { .. } | RoomUpdate::Match(_)));
            self.owed.extend_from_slice(&output.updates);
            return;
        }
        if !self.owed.is_empty() {
            self.outgoing.push(ShardCommand::Notes(room, std::mem::take(&mut self.owed)));
        }
        self.outgoing.push(ShardCommand::Tick(room, Arc::clone(output)));
    }
}

fn label(phase: StepPhase) -> TickPhase {
    match phase {
        StepPhase::Inputs => TickPhase::Inputs,
        StepPhase::Step => TickPhase::Step,
        StepPhase::History => TickPhase::History,
        StepPhase::Capture => TickPhase::Capture,
        StepPhase::Outgoing => TickPhase::Outgoing,
    }
}
