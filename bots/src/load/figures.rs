//! What is counted while players play: by all of a thread together second by second, and by each player.

use broadside_shared::client::stats::Stats;
use broadside_shared::game::CorrectionCause;
use hdrhistogram::Histogram;

/// Longest time the histograms hold, in microseconds.
const TIME_MAX_US: u64 = 60_000_000;
/// Steps of an [`Ages`] to the double of an age.
const STEPS_PER_OCTAVE: f64 = 8.0;
/// Least age an [`Ages`] tells from less, in microseconds.
const AGE_MIN_US: f64 = 8_000.0;

/// A histogram of times in microseconds, to three digits, up to a minute.
///
/// # Panics
/// Never: the bounds are constants that fit.
#[must_use]
pub fn times() -> Histogram<u32> {
    Histogram::new_with_bounds(1, TIME_MAX_US, 3).expect("constant bounds that fit")
}

/// What the players of a thread met in a stretch of time.
#[derive(Debug, Clone)]
pub struct Window {
    /// Age of the newest snapshot in microseconds, one sample per player and client tick.
    pub ages: Histogram<u32>,
    /// Times between snapshots in microseconds; one that is still open at the end of a phase, or that the loss of the connection left
    /// open, counts with the length it had then.
    pub gaps: Histogram<u32>,
    /// Times from an input's sampling to the snapshot that covers it, in microseconds.
    pub effects: Histogram<u32>,
    /// Times from a connection's begin to its first snapshot, in microseconds.
    pub joins: Histogram<u32>,
    /// Distances by which full clients had to correct their own position other than for a new ship, in thousandths of a world
    /// unit; 0 where it was right.
    pub errors: Histogram<u32>,
    /// How late the players' acts ran, in microseconds: the load tester's own lateness.
    pub lateness: Histogram<u32>,
    /// Snapshots received.
    pub snapshots: u64,
    /// Bytes received, WebSocket headers included.
    pub bytes_down: u64,
    /// Bytes sent, WebSocket headers included.
    pub bytes_up: u64,
    /// Bytes that came from sockets: with TLS those of its records, too.
    pub socket_down: u64,
    /// Bytes that sockets took.
    pub socket_up: u64,
    /// Records known to the players, summed over snapshots.
    pub records: u64,
    /// Records within the view, summed over the snapshots that were looked at, and the number of those.
    pub in_view: (u64, u64),
    /// Corrections of full clients by cause, in the order of [`CorrectionCause::ALL`].
    pub corrections: [u64; CorrectionCause::ALL.len()],
    /// Errors of sockets: connections that failed or broke other than by a close frame.
    pub socket_errors: u64,
    /// Players that left on purpose and came back.
    pub rejoined: u64,
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
            records: 0,
            in_view: (0, 0),
            corrections: [0; CorrectionCause::ALL.len()],
            socket_errors: 0,
            rejoined: 0,
        }
    }
}

impl Window {
    /// Adds what another window counted.
    pub fn add(&mut self, other: &Window) {
        let pairs = [
            (&mut self.ages, &other.ages),
            (&mut self.gaps, &other.gaps),
            (&mut self.effects, &other.effects),
            (&mut self.joins, &other.joins),
            (&mut self.errors, &other.errors),
            (&mut self.lateness, &other.lateness),
        ];
        for (into, from) in pairs {
            // All were made by `times`, so that they fit each other.
            let _ = into.add(from);
        }
        self.snapshots += other.snapshots;
        self.bytes_down += other.bytes_down;
        self.bytes_up += other.bytes_up;
        self.socket_down += other.socket_down;
        self.socket_up += other.socket_up;
        self.records += other.records;
        self.in_view = (self.in_view.0 + other.in_view.0, self.in_view.1 + other.in_view.1);
        for (into, from) in self.corrections.iter_mut().zip(other.corrections) {
            *into += from;
        }
        self.socket_errors += other.socket_errors;
        self.rejoined += other.rejoined;
    }
}

/// Steps of an [`Ages`]: as many as lead to two minutes.
const STEPS: usize = 112;

/// A small histogram of ages, one per player: steps of 9 %, from 8 ms to 2 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages([u32; STEPS]);

impl Default for Ages {
    fn default() -> Self {
        Ages([0; STEPS])
    }
}

impl Ages {
    /// Counts an age in microseconds.
    pub fn record(&mut self, age_us: u64) {
        let step = ((age_us as f64 / AGE_MIN_US).max(1.0).log2() * STEPS_PER_OCTAVE) as usize;
        self.0[step.min(STEPS - 1)] += 1;
    }

    /// Adds other samples.
    pub fn add(&mut self, other: &Ages) {
        for (into, from) in self.0.iter_mut().zip(other.0) {
            *into += from;
        }
    }

    /// The age in milliseconds that a share of the samples is not above; `None` without samples.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
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

/// Payload bytes by what they were for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Classes {
    /// Snapshot heads and own states.
    pub own: u64,
    /// Cells near the middle of the view.
    pub cells_near: u64,
    /// The other cells.
    pub cells_far: u64,
    /// Events.
    pub events: u64,
    /// Names and standings.
    pub notes: u64,
    /// Control messages.
    pub control: u64,
    /// WebSocket headers.
    pub headers: u64,
}

impl Classes {
    /// The classes of what a client counted from `before` to `now`.
    fn between(before: &Stats, now: &Stats) -> Classes {
        let since = |of: fn(&Stats) -> u64| of(now).saturating_sub(of(before));
        let (own, cells) = (since(|s| s.bytes_own), since(|s| s.bytes_cells));
        let cells_far = since(|s| s.bytes_cells_far).min(cells);
        let (events, notes) = (since(|s| s.bytes_events), since(|s| s.bytes_updates));
        let control = since(|s| s.bytes_down).saturating_sub(own + cells + events + notes);
        Classes { own, cells_near: cells - cells_far, cells_far, events, notes, control, headers: 0 }
    }

    /// Adds other bytes.
    pub fn add(&mut self, other: &Classes) {
        self.own += other.own;
        self.cells_near += other.cells_near;
        self.cells_far += other.cells_far;
        self.events += other.events;
        self.notes += other.notes;
        self.control += other.control;
        self.headers += other.headers;
    }

    /// Everything but the WebSocket headers.
    #[must_use]
    pub fn payload(&self) -> u64 {
        self.own + self.cells_near + self.cells_far + self.events + self.notes + self.control
    }
}

/// What one player counted in a measured phase, over all its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// The player's number, from 0.
    pub index: usize,
    /// Whether it ran the full client and the ai.
    pub full: bool,
    /// Snapshots received.
    pub snapshots: u64,
    /// Time from its seat on, in microseconds; who loses the connection goes on missing snapshots.
    pub played_us: u64,
    /// Snapshots it should have got in that time at the room's nominal rate.
    pub expected: f64,
    /// Bytes received, by class.
    pub down: Classes,
    /// Bytes sent, WebSocket headers included.
    pub bytes_up: u64,
    /// Round trip in milliseconds at the end.
    pub rtt_ms: f64,
    /// Ages of its newest snapshot at its ticks.
    pub ages: Ages,
    /// Longest time between two snapshots, in microseconds.
    pub gap_max_us: u64,
    /// Oldest its newest snapshot got, in microseconds.
    pub age_max_us: u64,
    /// Changes of the budget the server gave it.
    pub budget_steps: u64,
}

impl Tally {
    /// Takes what a client counted from `before` to `now`.
    pub fn take(&mut self, before: &Stats, now: &Stats) {
        self.down.add(&Classes::between(before, now));
        self.budget_steps += now.budget_steps.saturating_sub(before.budget_steps);
        self.rtt_ms = now.rtt_ms;
    }

    /// Adds what the same player counted over another connection.
    pub fn absorb(&mut self, other: &Tally) {
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

    /// Share of the snapshots it should have got; `None` if it should have got none.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        // Whole snapshots against a fraction: one that falls on the edge of the phase is not one missed.
        (self.expected >= 1.0).then(|| (self.snapshots as f64 / self.expected.floor()).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_histogram_tells_ages_to_a_tenth() {
        let mut ages = Ages::default();
        assert_eq!(ages.quantile_ms(0.99), None, "of nothing");
        (1..=1000).for_each(|ms| ages.record(ms * 1000));
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0), (0.1, 100.0)] {
            let got = ages.quantile_ms(quantile).expect("it counted");
            assert!((got / expected - 1.0).abs() < 0.1, "{quantile}: {got}");
        }
        ages.record(0);
        ages.record(u64::MAX);
        let mut long = Ages::default();
        long.record(11_000_000);
        assert!(long.quantile_ms(0.5) > Some(10_000.0), "a server that was gone for a while is not two seconds old");
    }
}
