//! The figures of a load run, as they stand in the JSON report.
//!
//! The JSON keys are stable: keys may be added, and none changes its meaning. A value that was not measured is null. Percentiles are
//! over all samples of all players; bytes are those of WebSocket frames, headers included unless the name says payload, without TCP
//! and IP.

use serde::Serialize;

use super::judgement::Judgement;
use super::knee::Knee;
use crate::load::metrics::ServerStatistics;

/// A load run's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Players asked for.
    pub players: usize,
    /// Players that got a seat.
    pub joined: usize,
    /// Players that could not join.
    pub refused: usize,
    /// Players that were still in line for a seat at the end.
    pub queued: usize,
    /// Players that lost their connection after they had joined; leaving on purpose is not that.
    pub dropped: usize,
    /// Times that a player left on purpose and came back.
    pub rejoined: u64,
    /// Players that played at the end of the measured phase.
    pub playing: usize,
    /// Snapshots received in it by all.
    pub snapshots: u64,
    /// Its length in seconds.
    pub seconds: f64,
    /// The length it was to have.
    pub seconds_asked: f64,
    /// Whether somebody ended the run before all was measured.
    pub interrupted: bool,
    /// Players that run the full client and the ai; the others decode everything and fly a pattern.
    pub ais: usize,
    /// Every how many players one is full.
    pub full_every: usize,
    /// Rooms the players are spread over.
    pub rooms: usize,
    /// The lines the players are on.
    pub link: String,
    /// Snapshots per second of each player: the median player and the worst.
    pub snapshot_rate_hz: RateHz,
    /// Snapshots received of those due at the room's nominal rate, 0 to 1.
    pub share_received: ShareReceived,
    /// Estimated server time minus the tick of the newest snapshot, at every client tick, in milliseconds.
    pub snapshot_age_ms: Times,
    /// Time from one snapshot to the next, in milliseconds.
    pub snapshot_gap_ms: Times,
    /// Time from the sampling of an input to the snapshot that acknowledges it, in milliseconds.
    pub input_to_ack_ms: Times,
    /// Time from the sampling of an input to the arrival of the snapshot in which it has had its effect, in milliseconds. What
    /// acknowledges an input shows its effect too, so these are the same times.
    pub input_to_effect_ms: Times,
    /// Distance by which full clients had to correct their own position, over all their snapshots but those that brought a new
    /// ship, in world units.
    pub prediction_error: PredictionError,
    /// Corrections per full client and minute.
    pub corrections_per_min: Option<f64>,
    /// Those by cause.
    pub corrections_by_cause: CorrectionsByCause,
    /// Time from the begin of a connection to its first snapshot, in milliseconds.
    pub join_ms: Times,
    /// Bits of cells per record known and snapshot, heads of cells included.
    pub bits_per_record: MeanOnly,
    /// Records within a player's view.
    pub in_view: MeanOnly,
    /// Records a player knows.
    pub subscribed: MeanOnly,
    /// Bytes received per second and player.
    pub bytes_down_per_s: BytesDown,
    /// Bytes sent per second and player.
    pub bytes_up_per_s: MeanOnly,
    /// Bytes that sockets moved per second and player: with TLS those of its records, too. Without TCP and IP.
    pub socket_bytes_per_s: BothWays,
    /// Bytes received per second and player, by what they are for.
    pub bytes_by_class: BytesByClass,
    /// Thousands of bits per second and player.
    pub kbit_per_s: KbitPerS,
    /// Median of the players' smoothed round trip times in milliseconds.
    pub rtt_ms: RttMs,
    /// The player with the oldest snapshots, or null if nobody played.
    pub worst: Option<WorstPlayer>,
    /// What the server says of itself.
    pub server: ServerStatistics,
    /// Why there is nothing from the server, or null.
    pub server_unavailable: Option<String>,
    /// The load tester itself.
    pub load: LoadHealth,
    /// Why the first player that failed did, or null.
    pub first_error: Option<String>,
    /// What had to hold, and whether it did.
    pub assertions: Vec<Judgement>,
    /// What the search for the knee found, or null.
    pub knee: Option<Knee>,
}

/// See [`Report::snapshot_rate_hz`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateHz {
    /// The median player.
    pub p50: Option<f64>,
    /// The worst player.
    pub min: Option<f64>,
}

/// See [`Report::share_received`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShareReceived {
    /// The median player.
    pub p50: Option<f64>,
    /// The worst player.
    pub min: Option<f64>,
    /// All players together.
    pub all: Option<f64>,
}

/// Percentiles of times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Times {
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Longest.
    pub max: Option<f64>,
}

/// See [`Report::prediction_error`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PredictionError {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// Corrections per full client and minute, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CorrectionsByCause {
    /// An input came too late or not at all.
    pub input: Option<f64>,
    /// Contact with another player.
    pub collision: Option<f64>,
    /// A hit.
    pub hit: Option<f64>,
    /// Something picked up.
    pub pickup: Option<f64>,
    /// The end of a life, or the begin of one.
    pub respawn: Option<f64>,
    /// None of these: a bug.
    pub unknown: Option<f64>,
}

/// A mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanOnly {
    /// The mean.
    pub mean: Option<f64>,
}

/// See [`Report::bytes_down_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BytesDown {
    /// MeanOnly over the players.
    pub mean: Option<f64>,
    /// The player with the most.
    pub max: Option<f64>,
}

/// See [`Report::socket_bytes_per_s`]. Means over the players.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BothWays {
    /// From the server.
    pub down: Option<f64>,
    /// To it.
    pub up: Option<f64>,
}

/// See [`Report::bytes_by_class`]. Means over the players.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BytesByClass {
    /// Snapshot heads and own states.
    pub own: Option<f64>,
    /// Cells near the middle of the view.
    pub cells_near: Option<f64>,
    /// The other cells.
    pub cells_far: Option<f64>,
    /// Events.
    pub events: Option<f64>,
    /// Names and standings.
    pub notes: Option<f64>,
    /// Control messages.
    pub control: Option<f64>,
    /// WebSocket headers.
    pub headers: Option<f64>,
}

/// See [`Report::kbit_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KbitPerS {
    /// Received, WebSocket headers left out; mean.
    pub payload_down: Option<f64>,
    /// Received, WebSocket headers included; mean.
    pub down: Option<f64>,
    /// The same of the player with the most.
    pub down_max: Option<f64>,
    /// Sent, WebSocket headers included; mean.
    pub up: Option<f64>,
}

/// See [`Report::rtt_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RttMs {
    /// Median.
    pub p50: Option<f64>,
}

/// See [`Report::worst`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorstPlayer {
    /// Its name in the game.
    pub player: String,
    /// Its line.
    pub link: &'static str,
    /// 99th percentile of the age of its newest snapshot in milliseconds, to a tenth of its value.
    pub age_ms_p99: Option<f64>,
    /// Longest gap between two of its snapshots in milliseconds.
    pub gap_ms_max: Option<f64>,
    /// ShareReceived of its snapshots it received.
    pub share: Option<f64>,
}

/// See [`Report::load`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LoadHealth {
    /// CPU cores it used; null where the system does not say.
    pub cpu_cores: Option<f64>,
    /// Its CPU time per snapshot received, inputs sent included, in microseconds.
    pub cpu_us_per_client_snapshot: Option<f64>,
    /// How late players acted because it was busy, in milliseconds.
    pub lateness_ms: Times,
    /// Threads that ran the players.
    pub threads: usize,
    /// Connections that failed or broke other than by the server closing them.
    pub socket_errors: u64,
    /// Whether it was too slow itself: the figures are then its own and not the server's.
    pub overloaded: bool,
}
