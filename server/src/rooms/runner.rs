//! The shell of a room: hands it its commands, steps a tick, and passes the results on to shards, topics, status and metrics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_core::commands::{MinuteFor, RoomCommand, ShardCommand};
use broadside_core::results::ResultKey;
use broadside_core::room::StepPhase;
use broadside_core::room_loop::{Effects, RoomLoop, Stepped, Timing};
use broadside_shared::game::Game;
use broadside_shared::protocol::message::Publication;
use broadside_shared::recording::recorder::Recorded;
use broadside_shared::time::MonoTime;
use broadside_store::new_id;

use super::context::ServerContext;
use super::entry::RoomEntry;
use super::mailbox::Mailbox;
use super::status::RoomStatus;
use crate::checkpoints::{EVERY_US, SavedEntry, room_payload};
use crate::metrics::labels::{Direction, JoinResult, TickPhase};
use crate::recordings::RecordingId;
use crate::store::now_us;

/// The next turn of a room.
pub enum Next {
    /// Another turn, at this time.
    At(MonoTime),
    /// After the next command.
    Asleep,
    /// None: the room has ended.
    Over,
}

/// A room with its mailbox, its status and the server context.
pub struct RoomRunner<G: Game> {
    room: RoomLoop<G>,
    mailbox: Arc<Mailbox<G, RoomRunner<G>>>,
    entry: Arc<RoomEntry>,
    status: Arc<RoomStatus>,
    context: ServerContext,
    /// When the state is handed over next, for the server that goes on after a crash.
    checkpoint_at: MonoTime,
    commands: Vec<RoomCommand<G>>,
    /// This room's share of the server's gauges.
    exported: Exported,
    /// The recording under way.
    recording: Option<RecordingId>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Exported {
    players: i64,
    waiting: i64,
    level: i64,
}

impl<G: Game> RoomRunner<G> {
    pub(super) fn new(
        room: RoomLoop<G>,
        mailbox: Arc<Mailbox<G, RoomRunner<G>>>,
        entry: Arc<RoomEntry>,
        context: ServerContext,
    ) -> Self {
        let info = room.info();
        // Rooms take turns.
        let phase_us = EVERY_US * u64::from(info.id.0 % 64) / 64;
        let checkpoint_at = context.clock.now().plus_us(phase_us);
        tracing::debug!(room = %info.id, mode = broadside_core::room::mode_name::<G>(info.config.mode), capacity = info.config.capacity, "room opened");
        RoomRunner {
            room,
            mailbox,
            status: Arc::clone(&entry.status),
            entry,
            context,
            checkpoint_at,
            commands: Vec::new(),
            exported: Exported::default(),
            recording: None,
        }
    }

    /// Does one turn. A room that panics is restarted, and its connections are closed with a code.
    pub fn turn(&mut self) -> Next {
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.tick())) {
            Ok(next) => next,
            Err(_) => self.restart(),
        }
    }

    /// Moves the room into its mailbox until the next command. Returns it if one has arrived already.
    pub fn lay_to_sleep(room: Box<Self>) -> Option<Box<Self>> {
        let mailbox = Arc::clone(&room.mailbox);
        mailbox.lay_to_sleep(room)
    }

    pub fn room(&self) -> &RoomLoop<G> {
        &self.room
    }

    /// The room as bytes, from which another server goes on.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let RoomEntry { info, name, code, is_ephemeral, .. } = &*self.entry;
        let entry = SavedEntry {
            id: info.id,
            name: name.clone(),
            config: info.config,
            code: *code,
            is_ephemeral: *is_ephemeral,
        };
        room_payload(&entry, &self.room.save())
    }

    /// Handles what has arrived, and gives the room as bytes: its thread has ended, and another server goes on.
    #[must_use]
    pub fn stand_still(mut self) -> Option<Vec<u8>> {
        // A room that fails now is lost, as it would be had it failed before.
        std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.handle_commands(self.context.clock.now());
            self.carry_out_effects();
            self.hand_over();
            self.save()
        }))
        .ok()
    }

    pub(super) fn checkpoint(&mut self, now: MonoTime) {
        if self.context.checkpoints.is_open() {
            self.checkpoint_at = now.plus_us(EVERY_US);
            let began = self.context.clock.now();
            self.context.checkpoints.room(self.entry.info.id, self.save());
            let took_us = self.context.clock.now().us_since(began);
            self.context.metrics.checkpoint_seconds.observe(took_us as f64 / 1e6);
        }
    }

    /// Ends the room because the server shuts down: everyone in it leaves a result.
    pub fn end(self) {
        let (pending, key) = (self.room.results_pending(), self.room.match_key());
        let RoomRunner { room, context, mut recording, .. } = self;
        match std::panic::catch_unwind(AssertUnwindSafe(|| room.end())) {
            Ok(effects) => drop(keep::<G>(effects, key, &mut recording, &context)),
            // The other rooms still have theirs to keep.
            Err(_) => {
                context.metrics.results_lost.inc_by(pending as u64);
            }
        }
    }

    fn tick(&mut self) -> Next {
        let began = self.context.clock.now();
        self.status.looked_at.store(began.0, Ordering::Relaxed);
        self.status.asleep_since.store(0, Ordering::Relaxed);
        let handled = self.handle_commands(began);
        let (clock, metrics) = (&self.context.clock, &self.context.metrics);
        let mut phase_from = began;
        let phase_done = |phase: StepPhase| {
            let now = clock.now();
            metrics.tick_phase_seconds.of(label(phase)).observe(now.us_since(phase_from) as f64 / 1e6);
            phase_from = now;
        };
        let status = &self.status;
        let tick = self.room.tick();
        let stepped = self.room.step(began, |shard| status.queued(shard), phase_done);
        if stepped == Stepped::Ended {
            self.close_mailbox();
        }
        self.carry_out_effects();
        self.hand_over();
        let has_checkpoint = self.context.checkpoints.is_open() && began >= self.checkpoint_at;
        if stepped == Stepped::Asleep || stepped == Stepped::Ticked && has_checkpoint {
            self.checkpoint(began);
        }
        let now = self.context.clock.now();
        match stepped {
            Stepped::Ticked => {
                let timing = self.room.finish(began, now);
                self.status.set_occupancy(self.room.occupancy(), handled, now);
                self.status.tick.store(tick.0, Ordering::Relaxed);
                self.export_timing(&timing);
                self.context.metrics.checkpoint_overruns.inc_by((timing.is_overrun && has_checkpoint).into());
                self.export_gauges();
                Next::At(timing.next)
            }
            Stepped::Asleep => {
                self.status.set_occupancy(self.room.occupancy(), handled, now);
                self.export_gauges();
                // Without players the match is over and the leaderboard entries of the room go.
                self.context.topics.forget_match(self.room.info().id);
                self.status.set_match_status(None);
                self.status.set_best(Arc::new([]));
                self.status.tick_us.store(0, Ordering::Relaxed);
                self.status.asleep_since.store(now.0.max(1), Ordering::Relaxed);
                Next::Asleep
            }
            Stepped::Ended => {
                self.withdraw();
                self.context.topics.forget_room(self.room.info().id);
                self.context.checkpoints.gone(self.room.info().id);
                self.status.set_over();
                tracing::debug!(room = %self.room.info().id, "room ended");
                Next::Over
            }
        }
    }

    /// Hands the queued commands to the room. Returns how many of them were joins and reservations.
    fn handle_commands(&mut self, now: MonoTime) -> u32 {
        self.mailbox.take(&mut self.commands);
        self.context.metrics.mailbox_depth.set(self.commands.len() as i64);
        let mut handled = 0;
        for command in self.commands.drain(..) {
            handled += u32::from(matches!(command, RoomCommand::Join(_) | RoomCommand::Reserve(..)));
            if let RoomCommand::ShardLost(shard) = &command {
                self.status.clear_queued(*shard);
            }
            self.room.handle_command(now, command, &self.context);
        }
        handled
    }

    /// Sends each shard its commands in one batch.
    pub(super) fn hand_over(&mut self) {
        for (shard, inbox) in self.context.shards.iter().enumerate() {
            if let Some(commands) = self.room.poll_commands(shard) {
                let ticks = commands.as_slice().iter().filter(|command| command.has_recipients()).count();
                self.status.add_queued(shard, ticks as u32);
                inbox.send(commands);
            }
        }
    }

    fn carry_out_effects(&mut self) {
        let mut effects = self.room.take_effects();
        let metrics = &self.context.metrics;
        metrics.joins.of(JoinResult::Seated).inc_by(effects.seated);
        metrics.joins.of(JoinResult::Refused).inc_by(effects.refused);
        metrics.joins.of(JoinResult::Queued).inc_by(effects.queued);
        metrics.leaves.inc_by(effects.left);
        metrics.inputs_dropped.inc_by(effects.inputs_dropped);
        if let Some(board) = effects.board.take() {
            self.status.set_best(board.into());
        }
        let published = std::mem::take(&mut effects.published);
        let whole = keep::<G>(effects, self.room.match_key(), &mut self.recording, &self.context);
        whole.into_iter().for_each(|id| self.status.set_last_recording(id));
        for (topic, publication) in published {
            if let Publication::Match(status) = &publication {
                self.status.set_match_status(Some(status.clone()));
            }
            self.context.publish(topic, None, publication);
        }
    }

    fn export_timing(&self, timing: &Timing) {
        let (metrics, counters) = (&self.context.metrics, &self.status.counters);
        metrics.ticks.inc();
        metrics.outputs_queued.set(self.status.queued_in_all().into());
        metrics.tick_seconds.observe(timing.took_us as f64 / 1e6);
        metrics.tick_lateness_seconds.observe(timing.late_us as f64 / 1e6);
        self.status.tick_us.store(timing.took_us as u32, Ordering::Relaxed);
        self.status.recent.record(timing.took_us, timing.late_us);
        let room = self.room.info().id;
        if timing.is_overrun {
            counters.overruns.fetch_add(1, Ordering::Relaxed);
            metrics.tick_overruns.inc();
        }
        if timing.missed > 0 {
            counters.missed.fetch_add(timing.missed.into(), Ordering::Relaxed);
            metrics.ticks_missed.inc_by(timing.missed.into());
            tracing::warn!(%room, next = %self.room.tick(), missed = timing.missed, "ticks missed");
        }
        if timing.steps_down + timing.steps_up > 0 {
            metrics.governor_steps.of(Direction::Down).inc_by(timing.steps_down);
            metrics.governor_steps.of(Direction::Up).inc_by(timing.steps_up);
            tracing::info!(%room, level = self.room.level(), "governor: the machine is short of time, or has some to spare again");
        }
        self.status.level.store(self.room.level(), Ordering::Relaxed);
    }

    fn export_gauges(&mut self) {
        let occupancy = self.room.occupancy();
        self.export(Exported {
            players: occupancy.players.into(),
            waiting: occupancy.queued.into(),
            level: self.room.level().into(),
        });
    }

    fn export(&mut self, new: Exported) {
        let (metrics, old) = (&self.context.metrics, std::mem::replace(&mut self.exported, new));
        metrics.players.inc_by(new.players - old.players);
        metrics.join_queue.inc_by(new.waiting - old.waiting);
        metrics.governor_level.inc_by(new.level - old.level);
    }

    /// Withdraws this room's share from gauges and status.
    fn withdraw(&mut self) {
        self.export(Exported::default());
        self.status.set_best(Arc::new([]));
        for count in [&self.status.players, &self.status.spectators, &self.status.reserved] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Refuses further commands, and counts queued joins as refused.
    fn close_mailbox(&mut self) {
        let commands = self.mailbox.close();
        let joins = commands.iter().filter(|command| matches!(command, RoomCommand::Join(_))).count();
        self.context.metrics.joins.of(JoinResult::Refused).inc_by(joins as u64);
    }

    /// Restarts the room after a failure: its connections are closed, and it continues empty, with another seed.
    fn restart(&mut self) -> Next {
        // Counted first, logged last: no later failure can hide it.
        self.status.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.context.metrics.room_failures.inc();
        // The world that broke is none to go on from.
        self.context.checkpoints.gone(self.entry.info.id);
        let (id, seed, tick) = (self.room.info().id, self.room.info().config.seed, self.room.tick());
        self.withdraw();
        // What had ended before the failure is kept. What had not is lost: its numbers are in a world that broke.
        let effects = self.room.take_effects();
        keep::<G>(effects, self.room.match_key(), &mut self.recording, &self.context);
        self.recording.take().into_iter().for_each(|id| self.context.recordings.cut(id));
        if let Some(minute) = self.room.room().last_minute() {
            self.context.recordings.keep_minute(format!("failed-{}-{id}-{tick}", self.context.clock.unix_s()), minute);
        }
        self.context.metrics.results_lost.inc_by(self.room.results_pending() as u64);
        // The queued commands were for the failed room, whose connections are being closed.
        self.commands.clear();
        self.mailbox.clear(&self.status);
        for (shard, inbox) in self.context.shards.iter().enumerate() {
            self.status.clear_queued(shard);
            inbox.send([ShardCommand::RoomFailed(id)]);
        }
        let now = self.context.clock.now();
        self.room = self.room.restarted(now);
        tracing::error!(room = %id, seed, %tick, "room failed and was restarted");
        // Not before its first tick is due: a room that fails again and again does so at most once per tick.
        Next::At(self.room.room().due_at(self.room.tick()))
    }
}

/// Hands over what is left of a room's turn: results, and what was recorded of it. `match_key` is what the result of the match that is being
/// played will be known by. Gives the recording that is whole now.
fn keep<G: Game>(
    effects: Effects,
    match_key: Option<ResultKey>,
    recording: &mut Option<RecordingId>,
    context: &ServerContext,
) -> Option<RecordingId> {
    let mut whole = None;
    for part in effects.recorded {
        match part {
            Recorded::Begun(bytes) => {
                // The recording of a match has the id of its result.
                let id = match_key.map_or_else(|| new_id(now_us()), |key| context.result_ids.of::<G>(key));
                *recording = Some(RecordingId(id)).filter(|id| context.recordings.begin(*id, bytes));
            }
            Recorded::Continued(bytes) => *recording = recording.filter(|id| context.recordings.more(*id, bytes)),
            Recorded::Ended(bytes) => {
                if let Some(id) = recording.take() {
                    context.recordings.end(id, bytes);
                    whole = Some(id);
                }
            }
        }
    }
    for (whom, id, minute) in effects.minutes {
        let id = RecordingId(id);
        match whom {
            MinuteFor::Viewers => context.recordings.lend_minute(id, minute),
            MinuteFor::Moderators => {
                if context.recordings.begin(id, minute) {
                    context.recordings.end(id, Vec::new());
                }
            }
        }
    }
    effects.results.into_iter().for_each(|result| context.results.keep(result));
    whole
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
