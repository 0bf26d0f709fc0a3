//! What a simulated player is apart from its socket: the client, the pilot, and what it counts.

use broadside_shared::arena::Arena;
use broadside_shared::client::stats::{SnapshotArrival, Stats};
use broadside_shared::client::{Client, Phase, Received};
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::link::Stalls;
use broadside_shared::protocol::header_bytes;
use broadside_shared::time::MonoTime;
use glam::Vec2;

use super::figures::{Tally, Window};
use super::wire::{Frame, Opcode, append_masked};
use crate::pilot::Pilot;
use crate::socket::{PlayError, closed};

/// One client tick, in microseconds: how often the age of the newest snapshot is sampled.
pub const TICK_US: u64 = 16_667;
/// Every how many snapshots the records in view are counted.
const LOOK_EVERY: u64 = 16;

/// What a player's thread lends it.
pub struct Around<'a> {
    /// Now.
    pub now: MonoTime,
    /// Where this thread counts.
    pub window: &'a mut Window,
    /// Frames to send gather here.
    pub out: &'a mut Vec<u8>,
    /// Masks are drawn from here.
    pub rng: &'a mut fastrand::Rng,
}

impl Around<'_> {
    /// Adds a frame to send.
    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        append_masked(opcode, payload, self.rng.u32(..).to_le_bytes(), self.out);
    }
}

/// The player apart from its socket.
pub struct Mind {
    client: Client<Arena>,
    pilot: Pilot,
    full: bool,
    freezes: Option<Stalls>,
    began: MonoTime,
    /// Until when its program stands still, and what came meanwhile. Bounded by the server, which sends no more than 16
    /// snapshots unacknowledged.
    frozen_until: Option<MonoTime>,
    stash: Vec<Vec<u8>>,
    /// Arrival of the newest snapshot and its age then, in microseconds.
    newest: Option<(MonoTime, u64)>,
    sample_at: MonoTime,
    /// What it counts, and the figures of its client when it began to.
    tally: Tally,
    base: Stats,
    counted_from: MonoTime,
}

impl Mind {
    /// A player whose connection began at `began`.
    #[must_use]
    pub fn new(
        index: usize,
        client: Client<Arena>,
        pilot: Pilot,
        full: bool,
        freezes: Option<Stalls>,
        began: MonoTime,
    ) -> Mind {
        Mind {
            client,
            pilot,
            full,
            freezes,
            began,
            frozen_until: None,
            stash: Vec::new(),
            newest: None,
            sample_at: began,
            tally: Tally { index, full, ..Tally::default() },
            base: Stats::default(),
            counted_from: began,
        }
    }

    /// Its client, to look at.
    #[must_use]
    pub fn client(&self) -> &Client<Arena> {
        &self.client
    }

    /// Whether snapshots come.
    #[must_use]
    pub fn playing(&self) -> bool {
        self.newest.is_some()
    }

    /// The connection is open: says hello.
    pub fn open(&mut self, around: &mut Around) {
        self.client.handle_open(around.now);
        self.poll(around);
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// Why the connection ended, or what is wrong with the frame.
    pub fn take(&mut self, frame: Frame<'_>, around: &mut Around) -> Result<(), PlayError> {
        around.window.bytes_down += frame.bytes as u64;
        self.tally.down.headers += (frame.bytes - frame.payload.len()) as u64;
        match frame.opcode {
            Opcode::Binary if self.frozen_until.is_some() => {
                self.stash.push(frame.payload.to_vec());
                Ok(())
            }
            Opcode::Binary => self.take_message(frame.payload, around),
            Opcode::Ping => {
                around.send(Opcode::Pong, frame.payload);
                Ok(())
            }
            Opcode::Pong => Ok(()),
            Opcode::Close => Err(match frame.payload {
                [high, low, reason @ ..] => closed(u16::from_be_bytes([*high, *low]), &String::from_utf8_lossy(reason)),
                _ => PlayError::Gone("closed without a code".to_owned()),
            }),
        }
    }

    fn take_message(&mut self, payload: &[u8], around: &mut Around) -> Result<(), PlayError> {
        let respawns = self.respawns();
        if let Received::Snapshot(arrival) = self.client.handle_frame(around.now, payload)? {
            self.count(&arrival, around);
            // A new ship elsewhere is counted as a correction, but nobody could have predicted it.
            if self.full && self.respawns() == respawns {
                around.window.errors.saturating_record((f64::from(arrival.corrected_units) * 1000.0) as u64);
            }
        }
        self.poll(around);
        Ok(())
    }

    /// Decides, runs the client's ticks that are due, and says what there is to say. Gives when to call it again.
    ///
    /// # Errors
    /// What is wrong with a frame that came while the player's program stood still.
    pub fn act(&mut self, offset_us: u64, around: &mut Around) -> Result<MonoTime, PlayError> {
        let since = MonoTime(around.now.us_since(self.began));
        if let Some(until) = self.freezes.as_mut().and_then(|stalls| stalls.stalled_until(since)) {
            // For a tenth of a second at a time, so as to see the end of the run.
            self.frozen_until = Some(around.now.plus_us(until.us_since(since).min(100_000)));
            return Ok(around.now.plus_us(until.us_since(since).min(100_000)));
        }
        self.frozen_until = None;
        for frame in std::mem::take(&mut self.stash) {
            self.take_message(&frame, around)?;
        }
        self.sample_ages(around);
        let input = self.pilot.decide(&self.client);
        self.client.advance(around.now, &input);
        self.poll(around);
        let next = self.client.next_input_at(around.now);
        let greeting_us = if self.client.phase() == Phase::Joining && self.client.queue_position().is_some() {
            500_000
        } else {
            60_000
        };
        Ok(next.map_or(around.now.plus_us(greeting_us), |at| at.plus_us(offset_us)))
    }

    fn poll(&mut self, around: &mut Around) {
        while let Some(frame) = self.client.poll_frame() {
            let bytes = frame.len() as u64 + header_bytes(frame.len()) + 4;
            around.window.bytes_up += bytes;
            self.tally.bytes_up += bytes;
            around.send(Opcode::Binary, &frame);
        }
        // Nobody looks at events here, and they must not pile up.
        while self.client.poll_event().is_some() {}
    }

    fn count(&mut self, arrival: &SnapshotArrival, around: &mut Around) {
        self.sample_ages(around);
        let now = around.now;
        if self.newest.is_none() {
            around.window.joins.saturating_record(now.us_since(self.began));
            // Somewhere in a tick, so that samples do not keep step with snapshots.
            self.sample_at = now.plus_us(around.rng.u64(0..TICK_US));
            self.counted_from = now;
        }
        self.newest = Some((now, (arrival.age_ms.max(0.0) * 1000.0) as u64));
        let window = &mut *around.window;
        window.snapshots += 1;
        self.tally.snapshots += 1;
        if let Some(gap_us) = arrival.gap_us {
            window.gaps.saturating_record(gap_us);
            self.tally.gap_max_us = self.tally.gap_max_us.max(gap_us);
        }
        if let Some(effect_us) = arrival.input_to_ack_us {
            window.effects.saturating_record(effect_us);
        }
        let records = self.client.replica().records();
        window.records += records.count() as u64;
        if self.client.stats().snapshots.is_multiple_of(LOOK_EVERY)
            && let Some(own) = self.client.authority()
        {
            window.in_view.0 += self.in_view(Arena::focus(own));
            window.in_view.1 += 1;
        }
    }

    fn respawns(&self) -> u64 {
        self.client.stats().corrections[CorrectionCause::Respawn as usize]
    }

    /// How many records lie within the view around a point.
    fn in_view(&self, centre: Vec2) -> u64 {
        let inside = self.client.replica().records().filter(|record| {
            let fields = Arena::KINDS[usize::from(record.kind)].fields;
            let at = Vec2::new(fields[0].unpack(record.values[0]), fields[1].unpack(record.values[1]));
            (at - centre).abs().cmple(Arena::VIEW * 0.5).all()
        });
        inside.count() as u64
    }

    /// Counts the age of the newest snapshot at each tick until now. Between two snapshots it grows as time goes, so that
    /// nobody has to be woken for it; of who hears nothing it grows all the same.
    pub fn sample_ages(&mut self, around: &mut Around) {
        let Some((at, age_us)) = self.newest else { return };
        while self.sample_at < around.now {
            let age_us = age_us + self.sample_at.us_since(at);
            around.window.ages.saturating_record(age_us);
            self.tally.ages.record(age_us);
            self.tally.age_max_us = self.tally.age_max_us.max(age_us);
            self.sample_at = self.sample_at.plus_us(TICK_US);
        }
    }

    /// How long ago the newest snapshot came, in microseconds; 0 before the first.
    #[must_use]
    pub fn open_gap_us(&self, now: MonoTime) -> u64 {
        self.newest.map_or(0, |(at, _)| now.us_since(at))
    }

    /// Counts the gap that is open now, if it is longer already than it should be: what did not come must not be missing in the
    /// figures as well.
    fn count_open_gap(&mut self, around: &mut Around) {
        let nominal_us =
            self.client.rates().map_or(0, |(hz, every)| 1_000_000 * u64::from(every) / u64::from(hz.max(1)));
        let open_us = self.open_gap_us(around.now);
        if open_us > nominal_us {
            around.window.gaps.saturating_record(open_us);
            self.tally.gap_max_us = self.tally.gap_max_us.max(open_us);
        }
    }

    /// What it counted until now; what comes from now on is counted anew.
    pub fn take_tally(&mut self, around: &mut Around) -> Tally {
        let stats = *self.client.stats();
        if self.playing() {
            self.sample_ages(around);
            self.count_open_gap(around);
            let played_us = around.now.us_since(self.counted_from);
            self.tally.played_us += played_us;
            if let Some((hz, every)) = self.client.rates() {
                self.tally.expected += played_us as f64 / 1e6 * f64::from(hz) / f64::from(every);
            }
            if self.full {
                let causes = self.base.corrections.iter().zip(stats.corrections);
                for (into, (before, after)) in around.window.corrections.iter_mut().zip(causes) {
                    *into += after - before;
                }
            }
        }
        self.tally.take(&self.base, &stats);
        let (index, full) = (self.tally.index, self.full);
        self.base = stats;
        self.counted_from = around.now;
        std::mem::replace(&mut self.tally, Tally { index, full, ..Tally::default() })
    }
}
