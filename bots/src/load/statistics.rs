//! What is counted while players play: per worker and period, and per player and phase.

use broadside_shared::client::stats::Stats;
use broadside_shared::game::CorrectionCause;
use hdrhistogram::Histogram;

/// Longest time the histograms hold, in microseconds.
const TIME_MAX_US: u64 = 60_000_000;
/// Steps of an [`AgeHistogram`] per doubling of the age.
const STEPS_PER_OCTAVE: f64 = 8.0;
/// Smallest age that an [`AgeHistogram`] resolves, in microseconds.
const AGE_MIN_US: f64 = 8_000.0;

/// An empty histogram of times in microseconds, with three significant digits, up to 60 s.
///
/// # Panics
/// Never: the bounds are valid constants.
#[must_use]
pub fn times() -> Histogram<u32> {
    Histogram::new_with_bounds(1, TIME_MAX_US, 3).expect("the bounds are valid constants")
}

/// What the players of a worker experienced in a period.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Age of the newest snapshot, in microseconds; one sample per player and client tick.
    pub(crate) ages: Histogram<u32>,
    /// Time between snapshots, in microseconds. A gap still open at the end of a phase or at the loss of the connection counts with
    /// its length at that time.
    pub(crate) gaps: Histogram<u32>,
    /// Time from the sampling of an input to the snapshot that covers it, in microseconds.
    pub(crate) effects: Histogram<u32>,
    /// Time from the start of a connection to its first snapshot, in microseconds.
    pub(crate) joins: Histogram<u32>,
    /// Corrections of the own position by full clients, in thousandths of a world unit; 0 for a right prediction. Respawns are left
    /// out.
    pub(crate) errors: Histogram<u32>,
    /// How late the players' actions ran, in microseconds: the load tester's own lateness.
    pub(crate) lateness: Histogram<u32>,
    /// Snapshots received.
    pub(crate) snapshots: u64,
    /// Bytes received, WebSocket headers included.
    pub(crate) bytes_down: u64,
    /// Bytes sent, WebSocket headers included.
    pub(crate) bytes_up: u64,
    /// Bytes read from sockets, TLS records included.
    pub(crate) socket_down: u64,
    /// Bytes written to sockets, TLS records included.
    pub(crate) socket_up: u64,
    /// Records known to the players, summed over the snapshots that were decoded, and the number of those.
    pub(crate) records: (u64, u64),
    /// Records within the view, summed over a sample of the snapshots, and the size of that sample.
    pub(crate) in_view: (u64, u64),
    /// Corrections of full clients by cause, by [`CorrectionCause::index`].
    pub(crate) corrections: [u64; CorrectionCause::COUNT_MAX],
    /// Connections that failed or ended without a close frame.
    pub(crate) socket_errors: u64,
    /// Leaves on purpose, each followed by a reconnect.
    pub(crate) rejoined: u64,
}

impl Default for Window {
    fn default() -> Self {
        Window {
            ages: times(),
            gaps: times(),
            effects: times(),
            joins: times(),
            errors: times(),
            lateness: times(),
            snapshots: 0,
            bytes_down: 0,
            bytes_up: 0,
            socket_down: 0,
            socket_up: 0,
            records: (0, 0),
            in_view: (0, 0),
            corrections: [0; CorrectionCause::COUNT_MAX],
            socket_errors: 0,
            rejoined: 0,
        }
    }
}

impl Window {
    /// Adds another window.
    pub(crate) fn add(&mut self, other: &Window) {
        let pairs = [
            (&mut self.ages, &other.ages),
            (&mut self.gaps, &other.gaps),
            (&mut self.effects, &other.effects),
            (&mut self.joins, &other.joins),
            (&mut self.errors, &other.errors),
            (&mut self.lateness, &other.lateness),
        ];
        for (into, from) in pairs {
            // All were made by `times`, so their bounds are equal.
            let _ = into.add(from);
        }
        self.snapshots += other.snapshots;
        self.bytes_down += other.bytes_down;
        self.bytes_up += other.bytes_up;
        self.socket_down += other.socket_down;
        self.socket_up += other.socket_up;
        self.records = (self.records.0 + other.records.0, self.records.1 + other.records.1);
        self.in_view = (self.in_view.0 + other.in_view.0, self.in_view.1 + other.in_view.1);
        for (into, from) in self.corrections.iter_mut().zip(other.corrections) {
            *into += from;
        }
        self.socket_errors += other.socket_errors;
        self.rejoined += other.rejoined;
    }
}

/// Steps of an [`AgeHistogram`]: enough for 2 minutes.
const STEPS: usize = 112;

/// A small histogram of ages, one per player: steps of 9 % from 8 ms to 2 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgeHistogram([u32; STEPS]);

impl Default for AgeHistogram {
    fn default() -> Self {
        AgeHistogram([0; STEPS])
    }
}

impl AgeHistogram {
    /// Counts an age in microseconds.
    pub(crate) fn record(&mut self, age_us: u64) {
        let step = ((age_us as f64 / AGE_MIN_US).max(1.0).log2() * STEPS_PER_OCTAVE) as usize;
        self.0[step.min(STEPS - 1)] += 1;
    }

    /// Adds other samples.
    pub(crate) fn add(&mut self, other: &AgeHistogram) {
        for (into, from) in self.0.iter_mut().zip(other.0) {
            *into += from;
        }
    }

    /// A quantile, in milliseconds; `None` without samples.
    #[must_use]
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let wanted = (total as f64 * quantile).ceil();
        let mut seen = 0;
        let step = self.0.iter().position(|count| {
            seen += u64::from(*count);
            total > 0 && seen as f64 >= wanted
        });
        step.map(|step| AGE_MIN_US / 1000.0 * ((step as f64 + 1.0) / STEPS_PER_OCTAVE).exp2())
    }
}

/// Received bytes by purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByteClasses {
    /// Snapshot heads and local player states.
    pub(crate) local_player: u64,
    /// Cells near the middle of the view.
    pub(crate) cells_near: u64,
    /// The other cells.
    pub(crate) cells_far: u64,
    /// Events.
    pub(crate) events: u64,
    /// Room updates: names and standings.
    pub(crate) updates: u64,
    /// Control messages.
    pub(crate) control: u64,
    /// Snapshots behind the local player state, where they were not decoded.
    pub(crate) undecoded: u64,
    /// WebSocket headers.
    pub(crate) headers: u64,
}

impl ByteClasses {
    /// The difference of a client's statistics from `before` to `now`.
    fn between(before: &Stats, now: &Stats) -> ByteClasses {
        let since = |of: fn(&Stats) -> u64| of(now).saturating_sub(of(before));
        let (local_player, cells) = (since(|s| s.bytes_own), since(|s| s.bytes_cells));
        let cells_far = since(|s| s.bytes_cells_far).min(cells);
        let (events, updates, undecoded) =
            (since(|s| s.bytes_events), since(|s| s.bytes_updates), since(|s| s.bytes_unread));
        let control = since(|s| s.bytes_down).saturating_sub(local_player + cells + events + updates + undecoded);
        ByteClasses {
            local_player,
            cells_near: cells - cells_far,
            cells_far,
            events,
            updates,
            control,
            undecoded,
            headers: 0,
        }
    }

    /// Adds other bytes.
    pub(crate) fn add(&mut self, other: &ByteClasses) {
        self.local_player += other.local_player;
        self.cells_near += other.cells_near;
        self.cells_far += other.cells_far;
        self.events += other.events;
        self.updates += other.updates;
        self.control += other.control;
        self.undecoded += other.undecoded;
        self.headers += other.headers;
    }

    /// Everything but the WebSocket headers.
    #[must_use]
    pub(crate) fn payload(&self) -> u64 {
        self.local_player
            + self.cells_near
            + self.cells_far
            + self.events
            + self.updates
            + self.control
            + self.undecoded
    }
}

/// What one player counted in a phase, over all its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct PlayerCounters {
    /// The player's number, from 0.
    pub(crate) index: usize,
    /// Whether it ran the full client and the AI.
    pub(crate) full: bool,
    /// Snapshots received.
    pub(crate) snapshots: u64,
    /// Time since it was seated, in microseconds. It goes on after the connection is lost, so that missing snapshots count.
    pub(crate) played_us: u64,
    /// Snapshots due in that time at the room's nominal rate.
    pub(crate) expected: f64,
    /// Bytes received, by class.
    pub(crate) down: ByteClasses,
    /// Bytes sent, WebSocket headers included.
    pub(crate) bytes_up: u64,
    /// Smoothed round trip time at the end, in milliseconds.
    pub(crate) rtt_ms: f64,
    /// Age of its newest snapshot, one sample per client tick.
    pub(crate) ages: AgeHistogram,
    /// Longest time between two snapshots, in microseconds.
    pub(crate) gap_max_us: u64,
    /// Greatest age of its newest snapshot, in microseconds.
    pub(crate) age_max_us: u64,
    /// Changes of the budget that the server gave it.
    pub(crate) budget_steps: u64,
}

impl PlayerCounters {
    /// Adds the difference of a client's statistics from `before` to `now`.
    pub(crate) fn take(&mut self, before: &Stats, now: &Stats) {
        self.down.add(&ByteClasses::between(before, now));
        self.budget_steps += now.budget_steps.saturating_sub(before.budget_steps);
        self.rtt_ms = now.rtt_ms;
    }

    /// Adds what the same player counted over another connection.
    pub(crate) fn merge(&mut self, other: &PlayerCounters) {
        self.snapshots += other.snapshots;
        self.played_us += other.played_us;
        self.expected += other.expected;
        self.down.add(&other.down);
        self.bytes_up += other.bytes_up;
        self.rtt_ms = other.rtt_ms;
        self.ages.add(&other.ages);
        self.gap_max_us = self.gap_max_us.max(other.gap_max_us);
        self.age_max_us = self.age_max_us.max(other.age_max_us);
        self.budget_steps += other.budget_steps;
    }

    /// Received snapshots as a share of those due, 0 to 1; `None` if none were due.
    #[must_use]
    pub(crate) fn share(&self) -> Option<f64> {
        // Rounded down: a snapshot due at the edge of the phase is not missing.
        (self.expected >= 1.0).then(|| (self.snapshots as f64 / self.expected.floor()).min(1.0))
    }
}

/// A quantile of a histogram of microseconds, in milliseconds; `None` without samples.
#[must_use]
pub(crate) fn quantile_ms(times: &Histogram<u32>, quantile: f64) -> Option<f64> {
    (!times.is_empty()).then(|| round(times.value_at_quantile(quantile) as f64 / 1000.0))
}

/// Rounds to three decimal places: the measurements are not more precise.
#[must_use]
pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_histogram_is_exact_to_a_tenth() {
        let mut ages = AgeHistogram::default();
        assert_eq!(ages.quantile_ms(0.99), None, "no samples");
        (1..=1000).for_each(|ms| ages.record(ms * 1000));
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0), (0.1, 100.0)] {
            let got = ages.quantile_ms(quantile).expect("samples were recorded");
            assert!((got / expected - 1.0).abs() < 0.1, "{quantile}: {got}");
        }
        ages.record(0);
        ages.record(u64::MAX);
        let mut long = AgeHistogram::default();
        long.record(11_000_000);
        assert!(long.quantile_ms(0.5) > Some(10_000.0), "ages above 10 s are resolved");
    }
}
