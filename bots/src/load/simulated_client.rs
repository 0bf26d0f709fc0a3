//! A simulated player without its socket: client, AI and counters.

use broadside_shared::client::nodes::Arrival;
use broadside_shared::client::stats::{SnapshotArrival, Stats};
use broadside_shared::client::{Client, Phase, Received};
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::link::Stalls;
use broadside_shared::protocol::header_bytes;
use broadside_shared::time::MonoTime;
use glam::Vec2;

use super::frames::{Frame, Opcode, append_masked};
use super::script::SharedScript;
use super::statistics::{PlayerCounters, Window};
use crate::socket::{PlayError, closed_error};

/// One client tick, in microseconds: how often the age of the newest snapshot is sampled.
pub(crate) const fn tick_us<G: Game>() -> u64 {
    1_000_000_u64.div_ceil(G::TICK_HZ as u64)
}
/// Snapshots between two counts of the records in view.
const COUNT_VIEW_EVERY: u64 = 16;

/// What the worker lends a player for one call.
pub(crate) struct WorkerContext<'a> {
    pub(crate) now: MonoTime,
    /// The worker's counters.
    pub(crate) window: &'a mut Window,
    /// Buffer for frames to send.
    pub(crate) out: &'a mut Vec<u8>,
    /// Source of frame masks.
    pub(crate) rng: &'a mut fastrand::Rng,
}

impl WorkerContext<'_> {
    pub(crate) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        append_masked(opcode, payload, self.rng.u32(..).to_le_bytes(), self.out);
    }
}

pub(crate) struct SimulatedClient<G: Game> {
    client: Client<G>,
    bot: G::Bot,
    /// What it does in place of the AI.
    script: Option<SharedScript<G>>,
    full: bool,
    freezes: Option<Stalls>,
    began: MonoTime,
    /// End of a simulated freeze of the program, and the frames received during it. Bounded by the server, which sends at most 16
    /// unacknowledged snapshots.
    frozen_until: Option<MonoTime>,
    stash: Vec<Vec<u8>>,
    /// Arrival of the newest snapshot, and its age at that time in microseconds.
    newest: Option<(MonoTime, u64)>,
    sample_at: MonoTime,
    /// Counters of the current phase, and the client's statistics at its start.
    counters: PlayerCounters,
    base: Stats,
    counted_from: MonoTime,
}

impl<G: Game> SimulatedClient<G> {
    pub(crate) fn new(
        index: usize,
        client: Client<G>,
        (bot, script): (G::Bot, Option<SharedScript<G>>),
        full: bool,
        freezes: Option<Stalls>,
        began: MonoTime,
    ) -> SimulatedClient<G> {
        SimulatedClient {
            client,
            bot,
            script,
            full,
            freezes,
            began,
            frozen_until: None,
            stash: Vec::new(),
            newest: None,
            sample_at: began,
            counters: PlayerCounters { index, full, ..PlayerCounters::default() },
            base: Stats::default(),
            counted_from: began,
        }
    }

    pub(crate) fn client(&self) -> &Client<G> {
        &self.client
    }

    /// See [`Client::take_redirect`].
    pub(crate) fn take_redirect(&mut self) -> Option<String> {
        self.client.take_redirect()
    }

    /// Whether a snapshot has arrived.
    pub(crate) fn playing(&self) -> bool {
        self.newest.is_some()
    }

    /// Handles the open connection: sends the hello.
    pub(crate) fn open(&mut self, arrival: Arrival, context: &mut WorkerContext) {
        self.client.handle_open_at(context.now, arrival);
        self.poll(context);
    }

    /// Handles a frame.
    ///
    /// # Errors
    /// Why the connection ended, or what is wrong with the frame.
    pub(crate) fn take(&mut self, frame: Frame<'_>, context: &mut WorkerContext) -> Result<(), PlayError> {
        context.window.bytes_down += frame.bytes as u64;
        self.counters.down.headers += (frame.bytes - frame.payload.len()) as u64;
        match frame.opcode {
            Opcode::Binary if self.frozen_until.is_some() => {
                self.stash.push(frame.payload.to_vec());
                Ok(())
            }
            Opcode::Binary => self.take_message(frame.payload, context),
            Opcode::Ping => {
                context.send(Opcode::Pong, frame.payload);
                Ok(())
            }
            Opcode::Pong => Ok(()),
            Opcode::Close => Err(match frame.payload {
                [high, low, reason @ ..] => {
                    closed_error(u16::from_be_bytes([*high, *low]), &String::from_utf8_lossy(reason))
                }
                _ => PlayError::Lost("closed without a code".to_owned()),
            }),
        }
    }

    fn take_message(&mut self, payload: &[u8], context: &mut WorkerContext) -> Result<(), PlayError> {
        let respawns = self.respawns();
        if let Received::Snapshot(arrival) = self.client.handle_frame(context.now, payload)? {
            self.count(&arrival, context);
            // A respawn counts as a correction, but it cannot be predicted.
            if self.full && self.respawns() == respawns {
                context.window.errors.saturating_record((f64::from(arrival.corrected_units) * 1000.0) as u64);
            }
        }
        self.poll(context);
        Ok(())
    }

    /// Decides the input, runs the client's due ticks and sends what is queued. Gives the time of the next call.
    ///
    /// # Errors
    /// What is wrong with a frame that arrived during a freeze.
    pub(crate) fn act(&mut self, offset_us: u64, context: &mut WorkerContext) -> Result<MonoTime, PlayError> {
        let since = MonoTime(context.now.us_since(self.began));
        if let Some(until) = self.freezes.as_mut().and_then(|stalls| stalls.stalled_until(since)) {
            // At most 100 ms at a time, so that the end of the run is noticed.
            self.frozen_until = Some(context.now.plus_us(until.us_since(since).min(100_000)));
            return Ok(context.now.plus_us(until.us_since(since).min(100_000)));
        }
        self.frozen_until = None;
        for frame in std::mem::take(&mut self.stash) {
            self.take_message(&frame, context)?;
        }
        self.sample_ages(context);
        match &self.script {
            Some(script) => {
                let ticks = context.now.us_since(self.began) * u64::from(G::TICK_HZ) / 1_000_000;
                self.client.advance(context.now, &script.input(self.counters.index, ticks));
            }
            None => self.client.advance_bot(context.now, &mut self.bot),
        }
        self.poll(context);
        let next = self.client.next_input_at(context.now);
        let retry_us = if self.client.phase() == Phase::Joining && self.client.queue_position().is_some() {
            500_000
        } else {
            60_000
        };
        Ok(next.map_or(context.now.plus_us(retry_us), |at| at.plus_us(offset_us)))
    }

    fn poll(&mut self, context: &mut WorkerContext) {
        while let Some(frame) = self.client.poll_frame() {
            let bytes = frame.len() as u64 + header_bytes(frame.len()) + 4;
            context.window.bytes_up += bytes;
            self.counters.bytes_up += bytes;
            context.send(Opcode::Binary, &frame);
        }
        // Events are not used here and must not accumulate.
        while self.client.poll_event().is_some() {}
    }

    fn count(&mut self, arrival: &SnapshotArrival, context: &mut WorkerContext) {
        self.sample_ages(context);
        let now = context.now;
        if self.newest.is_none() {
            context.window.joins.saturating_record(now.us_since(self.began));
            // At a random offset within a tick, so that samples and snapshots are not in lockstep.
            self.sample_at = now.plus_us(context.rng.u64(0..tick_us::<G>()));
            self.counted_from = now;
        }
        self.newest = Some((now, (arrival.age_ms.max(0.0) * 1000.0) as u64));
        let window = &mut *context.window;
        window.snapshots += 1;
        self.counters.snapshots += 1;
        if let Some(gap_us) = arrival.gap_us {
            window.gaps.saturating_record(gap_us);
            self.counters.gap_max_us = self.counters.gap_max_us.max(gap_us);
        }
        if let Some(effect_us) = arrival.input_to_ack_us {
            window.effects.saturating_record(effect_us);
        }
        if !self.client.decodes() {
            return;
        }
        let records = self.client.replica().records();
        window.records = (window.records.0 + records.count() as u64, window.records.1 + 1);
        if self.client.stats().snapshots.is_multiple_of(COUNT_VIEW_EVERY)
            && let Some(own) = self.client.authority()
        {
            window.in_view.0 += self.in_view(G::focus(own));
            window.in_view.1 += 1;
        }
    }

    fn respawns(&self) -> u64 {
        self.client.stats().corrections[CorrectionCause::RESPAWN.index()]
    }

    /// Number of records within the view around `centre`.
    fn in_view(&self, centre: Vec2) -> u64 {
        let inside = self.client.replica().records().filter(|record| {
            let fields = G::KINDS[usize::from(record.kind)].fields;
            let at = Vec2::new(fields[0].unpack(record.values[0]), fields[1].unpack(record.values[1]));
            (at - centre).abs().cmple(G::VIEW * 0.5).all()
        });
        inside.count() as u64
    }

    /// Records the age of the newest snapshot at each tick until now. Between two snapshots the age grows with time, so no wakeup is
    /// needed; without snapshots it goes on growing.
    pub(crate) fn sample_ages(&mut self, context: &mut WorkerContext) {
        let Some((at, age_us)) = self.newest else { return };
        while self.sample_at < context.now {
            let age_us = age_us + self.sample_at.us_since(at);
            context.window.ages.saturating_record(age_us);
            self.counters.ages.record(age_us);
            self.counters.age_max_us = self.counters.age_max_us.max(age_us);
            self.sample_at = self.sample_at.plus_us(tick_us::<G>());
        }
    }

    /// Time since the newest snapshot, in microseconds; 0 before the first.
    pub(crate) fn open_gap_us(&self, now: MonoTime) -> u64 {
        self.newest.map_or(0, |(at, _)| now.us_since(at))
    }

    /// Records the open gap if it exceeds the nominal one: a missing snapshot must be visible in the statistics.
    fn count_open_gap(&mut self, context: &mut WorkerContext) {
        let nominal_us =
            self.client.rates().map_or(0, |(hz, every)| 1_000_000 * u64::from(every) / u64::from(hz.max(1)));
        let open_us = self.open_gap_us(context.now);
        if open_us > nominal_us {
            context.window.gaps.saturating_record(open_us);
            self.counters.gap_max_us = self.counters.gap_max_us.max(open_us);
        }
    }

    /// Takes the counters and resets them.
    pub(crate) fn take_counters(&mut self, context: &mut WorkerContext) -> PlayerCounters {
        let stats = *self.client.stats();
        if self.playing() {
            self.sample_ages(context);
            self.count_open_gap(context);
            let played_us = context.now.us_since(self.counted_from);
            self.counters.played_us += played_us;
            if let Some((hz, every)) = self.client.rates() {
                self.counters.expected += played_us as f64 / 1e6 * f64::from(hz) / f64::from(every);
            }
            if self.full {
                let causes = self.base.corrections.iter().zip(stats.corrections);
                for (into, (before, after)) in context.window.corrections.iter_mut().zip(causes) {
                    *into += after - before;
                }
            }
        }
        self.counters.take(&self.base, &stats);
        let (index, full) = (self.counters.index, self.full);
        self.base = stats;
        self.counted_from = context.now;
        std::mem::replace(&mut self.counters, PlayerCounters { index, full, ..PlayerCounters::default() })
    }
}
