//! A room's thread: it waits for each tick, steps the room, and leaves the result with the shards, who tell the players.
//!
//! Ticks have absolute deadlines, so nothing drifts. One that starts late or runs long is counted as an overrun; if the room
//! falls behind by more than `CATCH_UP_TICKS`, the ticks in between are dropped and counted as missed.

mod handle;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Note, RoomId};
use broadside_shared::time::{MonoTime, Tick, tick_us};

pub use handle::{Asking, Grounds, Mail, PeerRef, RoomFigures, RoomHandle, Seated};

use crate::metrics::labels::{Direction, JoinResult, TickPhase};
use crate::net::shard::ShardMail;
use crate::room::governor::{BEHIND, Governor};
use crate::room::line::Line;
use crate::room::recycle::Outputs;
use crate::room::{Phase, Room, RoomConfig, RoomOutput};
use handle::Mailbox;

/// Ticks a late room steps at once to catch up; beyond, they are dropped.
const CATCH_UP_TICKS: u32 = 4;
/// Outputs waiting for a shard at the most; while so many wait, a tick is not handed to it.
const QUEUED_MAX: u32 = 4;

/// Runs a room until it is told to end; one that panics is closed with a code and begins anew.
fn supervise<G: Game>(
    id: RoomId,
    config: RoomConfig,
    mailbox: &Mailbox<G>,
    figures: &Arc<RoomFigures>,
    grounds: &Grounds<G>,
) {
    let mut config = config;
    while !figures.is_ending() {
        let tick_zero = grounds.clock.now();
        let mut driver = Driver::new(id, config, tick_zero, figures, grounds);
        let run = std::panic::catch_unwind(AssertUnwindSafe(|| driver.run(mailbox)));
        driver.take_down();
        if run.is_ok() {
            return;
        }
        figures.failures.fetch_add(1, Ordering::Relaxed);
        grounds.metrics.room_failures.inc();
        tracing::error!(room = %id, seed = config.seed, tick = figures.tick.load(Ordering::Relaxed), "room failed; begins anew");
        config.seed = config.seed.wrapping_add(1);
        // What waited was meant for the room that failed; its connections are being closed.
        mailbox.clear();
        figures.queued.iter().for_each(|queued| queued.store(0, Ordering::Relaxed));
        for inbox in grounds.shards.iter() {
            inbox.post([ShardMail::Failed(id)]);
        }
    }
}

/// What a room's thread keeps besides the room.
struct Driver<'a, G: Game> {
    id: RoomId,
    room: Room<G>,
    tick_zero: MonoTime,
    capacity: u16,
    /// Ticks for which the seat of a lost connection is kept.
    grace: u32,
    outputs: Outputs,
    line: Line<Asking>,
    governor: Governor,
    /// Where each player is, by number.
    seats: Vec<Option<PeerRef>>,
    /// By number of shard.
    links: Vec<Link<G>>,
    mails: Vec<Mail<G>>,
    figures: &'a Arc<RoomFigures>,
    grounds: &'a Grounds<G>,
    waiting: usize,
    /// A shard had not taken the tick before when this one was stepped.
    behind: bool,
}

/// What a room owes a shard.
struct Link<G: Game> {
    /// Players there.
    seats: usize,
    /// What goes out with the next tick, answers before the tick itself.
    outgoing: Vec<ShardMail<G>>,
    /// Changes of the roster that the shard missed because it was behind.
    owed: Vec<Note>,
}

impl<'a, G: Game> Driver<'a, G> {
    fn new(
        id: RoomId,
        config: RoomConfig,
        tick_zero: MonoTime,
        figures: &'a Arc<RoomFigures>,
        grounds: &'a Grounds<G>,
    ) -> Self {
        let link = |_| Link { seats: 0, outgoing: Vec::new(), owed: Vec::new() };
        Driver {
            id,
            room: Room::new(config, &G::config(config.mode), tick_zero),
            tick_zero,
            capacity: config.capacity.min(G::seats_max(config.mode)),
            grace: grounds.grace_s * G::TICK_HZ,
            outputs: Outputs::default(),
            line: Line::default(),
            governor: Governor::default(),
            seats: Vec::new(),
            links: (0..grounds.shards.len()).map(link).collect(),
            mails: Vec::new(),
            figures,
            grounds,
            waiting: 0,
            behind: false,
        }
    }

    fn run(&mut self, mailbox: &Mailbox<G>) {
        tracing::info!(room = %self.id, capacity = self.capacity, "room open");
        let mut tick = Tick(1);
        while !self.figures.is_ending() {
            let due = self.room.due_at(tick);
            self.grounds.clock.sleep_until(due);
            let began = self.grounds.clock.now();
            self.take_mails(mailbox);
            self.free_seats();
            self.admit();
            self.step(tick, began);
            self.answer_those_in_line();
            self.hand_over();
            self.note_time(tick, due, began);
            tick = self.next_tick(tick);
        }
    }

    fn take_mails(&mut self, mailbox: &Mailbox<G>) {
        let mut mails = std::mem::take(&mut self.mails);
        mailbox.take(&mut mails);
        self.grounds.metrics.mailbox_depth.set(mails.len() as i64);
        for mail in mails.drain(..) {
            self.take(mail);
        }
        self.mails = mails;
    }

    fn take(&mut self, mail: Mail<G>) {
        match mail {
            Mail::Join(asking) => {
                if let Err(asking) = self.line.push(asking) {
                    self.grounds.metrics.joins.of(JoinResult::Refused).inc();
                    self.answer(asking.peer, ShardMail::Refused(asking.peer, CloseCode::RoomFull));
                }
            }
            Mail::Gone(peer) => self.line.remove(|asking| asking.peer == peer),
            Mail::Leave(seated) if seated.tick_zero == self.tick_zero => self.leave(seated.player),
            Mail::Away(seated) if seated.tick_zero == self.tick_zero => self.room.away(seated.player),
            Mail::Back(seated) if seated.tick_zero == self.tick_zero => self.room.back(seated.player),
            Mail::Input(seated, packet, arrived) if seated.tick_zero == self.tick_zero => {
                self.room.input(seated.player, &packet, arrived);
            }
            // Meant for the room that failed before this one.
            Mail::Leave(_) | Mail::Away(_) | Mail::Back(_) | Mail::Input(..) => {}
            Mail::ShardLost(shard) => self.lose(shard),
        }
    }

    /// Frees the seats of those who did not come back in time.
    fn free_seats(&mut self) {
        while let Some(player) = self.room.gone_for(self.grace) {
            self.leave(player);
        }
    }

    /// Seats those whose turn it is.
    fn admit(&mut self) {
        let free = u32::from(self.capacity.saturating_sub(self.room.players()));
        let admitted = self.line.admitted(free, self.governor.level());
        for _ in 0..admitted {
            let Some(asking) = self.line.pop() else { break };
            match self.room.join(asking.name) {
                Ok(player) => self.seat(player, asking.peer),
                // The line and the room disagree on the free seats: keep them for the next tick.
                Err(_) => break,
            }
        }
    }

    fn seat(&mut self, player: PlayerId, peer: PeerRef) {
        let at = usize::from(player.0);
        if self.seats.len() <= at {
            self.seats.resize(at + 1, None);
        }
        self.seats[at] = Some(peer);
        if self.links[peer.shard].seats == 0 {
            let roster = self.room.roster();
            self.links[peer.shard].owed.clear();
            self.answer(peer, ShardMail::Opened(self.id, roster));
        }
        self.links[peer.shard].seats += 1;
        self.answer(peer, ShardMail::Seated(peer, self.id, Seated { player, tick_zero: self.tick_zero }));
        self.grounds.metrics.players.inc();
        self.grounds.metrics.joins.of(JoinResult::Seated).inc();
    }

    fn leave(&mut self, player: PlayerId) {
        let Some(peer) = self.seats.get_mut(usize::from(player.0)).and_then(Option::take) else { return };
        self.room.leave(player);
        self.answer(peer, ShardMail::Unseated(self.id, player));
        self.links[peer.shard].seats -= 1;
        if self.links[peer.shard].seats == 0 {
            self.answer(peer, ShardMail::Emptied(self.id));
        }
        self.grounds.metrics.players.dec();
        self.grounds.metrics.leaves.inc();
    }

    /// A shard broke down: whoever was there is gone.
    fn lose(&mut self, shard: usize) {
        self.line.remove(|asking| asking.peer.shard == shard);
        self.links[shard].outgoing.clear();
        for at in 0..self.seats.len() {
            if self.seats[at].is_some_and(|peer| peer.shard == shard) {
                self.leave(PlayerId(at as u16));
            }
        }
        self.figures.queued[shard].store(0, Ordering::Relaxed);
    }

    fn answer(&mut self, peer: PeerRef, mail: ShardMail<G>) {
        self.links[peer.shard].outgoing.push(mail);
    }

    fn answer_those_in_line(&mut self) {
        for (place, asking) in self.line.told() {
            self.links[asking.peer.shard].outgoing.push(ShardMail::Waiting(asking.peer, place));
        }
        self.grounds.metrics.joins.of(JoinResult::Waited).inc_by(self.line.mark_told() as u64);
        let waiting = self.line.len();
        self.grounds.metrics.waiting.inc_by(waiting as i64 - self.waiting as i64);
        self.waiting = waiting;
    }

    fn step(&mut self, tick: Tick, began: MonoTime) {
        let (clock, metrics) = (self.grounds.clock, &self.grounds.metrics);
        let mut phase_from = began;
        let watch = |phase: Phase| {
            let now = clock.now();
            metrics.tick_phase_seconds.of(label(phase)).observe(now.us_since(phase_from) as f64 / 1e6);
            phase_from = now;
        };
        let (room, level) = (&mut self.room, self.governor.level());
        let output = self.outputs.fill(|output| room.step(tick, level, output, watch));
        for (shard, link) in self.links.iter_mut().enumerate().filter(|(_, link)| link.seats > 0) {
            self.behind |= self.figures.queued[shard].load(Ordering::Relaxed) > 0;
            link.tell(self.id, &output, &self.figures.queued[shard]);
        }
    }

    /// Leaves everything for the shards, each in one go.
    fn hand_over(&mut self) {
        for (link, inbox) in self.links.iter_mut().zip(self.grounds.shards.iter()) {
            if !link.outgoing.is_empty() {
                inbox.post(link.outgoing.drain(..));
            }
        }
    }

    fn note_time(&mut self, tick: Tick, due: MonoTime, began: MonoTime) {
        let now = self.grounds.clock.now();
        let (took_us, late_us) = (now.us_since(began), began.us_since(due));
        let metrics = &self.grounds.metrics;
        metrics.ticks.inc();
        metrics.inputs_dropped.inc_by(self.room.take_inputs_dropped());
        let queued = self.figures.queued.iter().map(|queued| i64::from(queued.load(Ordering::Relaxed))).sum();
        metrics.outputs_queued.set(queued);
        metrics.tick_seconds.observe(took_us as f64 / 1e6);
        metrics.tick_lateness_seconds.observe(late_us as f64 / 1e6);
        let figures = self.figures;
        figures.players.store(self.room.players(), Ordering::Relaxed);
        figures.waiting.store(self.line.len() as u32, Ordering::Relaxed);
        figures.tick.store(tick.0, Ordering::Relaxed);
        figures.tick_us.store(took_us as u32, Ordering::Relaxed);
        let busy = ((late_us + took_us) * 1000 / tick_us(G::TICK_HZ, 1).max(1)) as u32;
        let busy = if std::mem::take(&mut self.behind) { busy.max(BEHIND) } else { busy };
        let before = (self.governor.level(), self.governor.steps());
        self.governor.note(busy);
        if self.governor.level() != before.0 {
            let after = self.governor.steps();
            metrics.governor_steps.of(Direction::Down).inc_by(after.0 - before.1.0);
            metrics.governor_steps.of(Direction::Up).inc_by(after.1 - before.1.1);
            metrics.governor_level.inc_by(i64::from(self.governor.level()) - i64::from(before.0));
            tracing::info!(room = %self.id, level = self.governor.level(), "governor: the machine is short of time, or has some to spare again");
        }
        figures.level.store(self.governor.level(), Ordering::Relaxed);
    }

    /// The tick to step after `tick`: the next, unless the room is too far behind.
    fn next_tick(&self, tick: Tick) -> Tick {
        let (next, now) = (tick.after(1), self.grounds.clock.now());
        if now < self.room.due_at(next) {
            return next;
        }
        self.figures.overruns.fetch_add(1, Ordering::Relaxed);
        self.grounds.metrics.tick_overruns.inc();
        let period_us = tick_us(G::TICK_HZ, 1).max(1);
        let behind = (now.us_since(self.room.due_at(next)) / period_us) as u32;
        if behind <= CATCH_UP_TICKS {
            return next;
        }
        self.figures.missed.fetch_add(u64::from(behind), Ordering::Relaxed);
        self.grounds.metrics.ticks_missed.inc_by(u64::from(behind));
        tracing::warn!(room = %self.id, %tick, behind, "ticks missed");
        next.after(behind)
    }

    /// Takes what this run added to the gauges out of them again.
    fn take_down(&mut self) {
        let metrics = &self.grounds.metrics;
        let seated = self.seats.iter().flatten().count();
        metrics.players.dec_by(seated as i64);
        metrics.waiting.dec_by(self.waiting as i64);
        metrics.governor_level.dec_by(i64::from(self.governor.level()));
        self.figures.players.store(0, Ordering::Relaxed);
    }
}

impl<G: Game> Link<G> {
    /// Puts a tick behind the answers, unless the shard is too far behind: then what it must not miss goes with the next one.
    fn tell(&mut self, room: RoomId, output: &Arc<RoomOutput>, queued: &std::sync::atomic::AtomicU32) {
        if queued.load(Ordering::Relaxed) >= QUEUED_MAX {
            self.owed.retain(|note| !matches!(note, Note::Board { .. } | Note::Match(_)));
            self.owed.extend_from_slice(&output.notes);
            return;
        }
        if !self.owed.is_empty() {
            self.outgoing.push(ShardMail::Notes(room, std::mem::take(&mut self.owed)));
        }
        queued.fetch_add(1, Ordering::Relaxed);
        self.outgoing.push(ShardMail::Tick(room, Arc::clone(output)));
    }
}

fn label(phase: Phase) -> TickPhase {
    match phase {
        Phase::Inputs => TickPhase::Inputs,
        Phase::Step => TickPhase::Step,
        Phase::History => TickPhase::History,
        Phase::Capture => TickPhase::Capture,
        Phase::Outgoing => TickPhase::Outgoing,
    }
}

/// Starts a room's thread.
fn spawn<G: Game>(
    id: RoomId,
    config: RoomConfig,
    mailbox: Arc<Mailbox<G>>,
    figures: Arc<RoomFigures>,
    grounds: Grounds<G>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("room-{id}"))
        .spawn(move || supervise(id, config, &mailbox, &figures, &grounds))
}
