//! What the players of a load run felt, as text and as JSON.
//!
//! The JSON keys are stable: new ones may come, none changes its meaning. Percentiles are over all samples of all players
//! together; bytes are those of WebSocket frames, header included, without TCP and IP.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::{LoadOutcome, LoadProgress, PlayerTally, times};

/// A load run's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Players asked for.
    pub players: usize,
    /// Players that got a seat.
    pub joined: usize,
    /// Players that lost their connection after they had joined.
    pub dropped: usize,
    /// Length of the measured phase in seconds.
    pub seconds: f64,
    /// Players flown by the brain; the others fly a pattern.
    pub brains: usize,
    /// Snapshots per second of each player: the median player and the worst.
    pub snapshot_rate_hz: RateHz,
    /// Time from one snapshot to the next, in milliseconds.
    pub snapshot_gap_ms: GapMs,
    /// Time from the sampling of an input to the snapshot that acknowledges it, in milliseconds.
    pub input_to_ack_ms: AckMs,
    /// Bytes received per second and player.
    pub bytes_down_per_s: BytesDown,
    /// Bytes sent per second and player.
    pub bytes_up_per_s: BytesUp,
    /// Median of the players' smoothed round trip times in milliseconds.
    pub rtt_ms: RttMs,
    /// Why the first player that failed did, or null.
    pub first_error: Option<String>,
}

/// See [`Report::snapshot_rate_hz`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateHz {
    /// The median player.
    pub p50: f64,
    /// The worst player.
    pub min: f64,
}

/// See [`Report::snapshot_gap_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GapMs {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
}

/// See [`Report::input_to_ack_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AckMs {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// See [`Report::bytes_down_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BytesDown {
    /// Mean over the players.
    pub mean: f64,
    /// The player with the most.
    pub max: f64,
}

/// See [`Report::bytes_up_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BytesUp {
    /// Mean over the players.
    pub mean: f64,
}

/// See [`Report::rtt_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RttMs {
    /// Median.
    pub p50: f64,
}

impl Report {
    /// Sums up a run.
    #[must_use]
    pub fn new(players: usize, outcome: &LoadOutcome, progress: &LoadProgress) -> Report {
        let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(std::sync::atomic::Ordering::Relaxed);
        let tallies = &outcome.tallies;
        let (mut gaps, mut acks) = (times(), times());
        for tally in tallies {
            // Both were made by `times`, so that they fit each other.
            let _ = gaps.add(&tally.gaps_us);
            let _ = acks.add(&tally.acks_us);
        }
        let per_second = |of: fn(&PlayerTally) -> u64| -> Vec<f64> {
            let mut rates: Vec<f64> = tallies.iter().map(|t| of(t) as f64 / t.seconds.max(1e-3)).collect();
            rates.sort_by(f64::total_cmp);
            rates
        };
        let rates = per_second(|t| t.snapshots);
        let down = per_second(|t| t.bytes_down);
        let up = per_second(|t| t.bytes_up);
        let mut rtts: Vec<f64> = tallies.iter().map(|t| t.rtt_ms).collect();
        rtts.sort_by(f64::total_cmp);
        Report {
            players,
            joined: count(&progress.joined),
            dropped: count(&progress.dropped),
            seconds: round(outcome.steady.as_secs_f64()),
            brains: tallies.iter().filter(|t| t.brain).count(),
            snapshot_rate_hz: RateHz { p50: middle(&rates), min: round(rates.first().copied().unwrap_or(0.0)) },
            snapshot_gap_ms: GapMs { p50: ms(&gaps, 0.5), p99: ms(&gaps, 0.99), max: ms(&gaps, 1.0) },
            input_to_ack_ms: AckMs { p50: ms(&acks, 0.5), p99: ms(&acks, 0.99) },
            bytes_down_per_s: BytesDown { mean: mean(&down), max: round(down.last().copied().unwrap_or(0.0)) },
            bytes_up_per_s: BytesUp { mean: mean(&up) },
            rtt_ms: RttMs { p50: middle(&rtts) },
            first_error: progress.first_error(),
        }
    }

    /// Whether every player joined and stayed.
    #[must_use]
    pub fn all_played(&self) -> bool {
        self.joined == self.players && self.dropped == 0
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let r = self;
        let patterns = r.joined.saturating_sub(r.brains);
        writeln!(f, "players          {} of {} joined, {} dropped", r.joined, r.players, r.dropped)?;
        writeln!(
            f,
            "                 {} flown by the brain, {patterns} by a pattern; {} s measured",
            r.brains, r.seconds
        )?;
        writeln!(
            f,
            "snapshot rate    median {} Hz, worst player {} Hz",
            r.snapshot_rate_hz.p50, r.snapshot_rate_hz.min
        )?;
        let gap = r.snapshot_gap_ms;
        writeln!(f, "snapshot gap     p50 {} ms, p99 {} ms, max {} ms", gap.p50, gap.p99, gap.max)?;
        writeln!(f, "input to ack     p50 {} ms, p99 {} ms", r.input_to_ack_ms.p50, r.input_to_ack_ms.p99)?;
        let down = r.bytes_down_per_s;
        writeln!(f, "down per player  {:.0} B/s mean, {:.0} B/s most", down.mean, down.max)?;
        write!(f, "up per player    {:.0} B/s mean", r.bytes_up_per_s.mean)
    }
}

/// A quantile of a histogram of microseconds, in milliseconds; 0 without samples.
fn ms(times: &Histogram<u32>, quantile: f64) -> f64 {
    if times.is_empty() { 0.0 } else { round(times.value_at_quantile(quantile) as f64 / 1000.0) }
}

fn middle(sorted: &[f64]) -> f64 {
    round(sorted.get(sorted.len() / 2).copied().unwrap_or(0.0))
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { round(values.iter().sum::<f64>() / values.len() as f64) }
}

/// To three digits after the point: more would claim a precision that is not there.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
