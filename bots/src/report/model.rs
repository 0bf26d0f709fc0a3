//! The results of a load run, with the keys of the JSON report.
//!
//! The JSON keys are stable: keys may be added, and none changes its meaning. A value that was not measured is null. Percentiles are
//! over all samples of all players; bytes are those of WebSocket frames, headers included unless the name says payload, without TCP
//! and IP.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judgement::Judgement;
use super::knee::Knee;
use crate::load::metrics::ServerStatistics;

/// The results of a load run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Requested number of players.
    pub(crate) players: usize,
    /// Players that got a seat.
    pub(crate) joined: usize,
    /// Players that could not join.
    pub(crate) refused: usize,
    /// Players in the join queue at the end.
    pub(crate) queued: usize,
    /// Players that lost their connection after joining; leaves on purpose are not counted.
    pub(crate) dropped: usize,
    /// Leaves on purpose, each followed by a reconnect.
    pub(crate) rejoined: u64,
    /// Players that were playing at the end of the steady phase.
    pub(crate) playing: usize,
    /// Snapshots received by all players in the steady phase.
    pub(crate) snapshots: u64,
    /// Length of the steady phase, in seconds.
    pub(crate) seconds: f64,
    /// Requested length of the steady phase, in seconds.
    pub(crate) seconds_asked: f64,
    /// Whether the run was stopped before everything was measured.
    pub(crate) interrupted: bool,
    /// Players that run the full client and the AI; the others have the cheap AI.
    pub(crate) ais: usize,
    /// One in this many players runs the full client.
    pub(crate) full_every: usize,
    /// One in this many players decodes its snapshots; the others read their heads.
    pub(crate) decode_every: usize,
    /// Rooms the players are spread over.
    pub(crate) rooms: usize,
    /// The link profiles of the players.
    pub(crate) link: String,
    /// Snapshots per second: the median player and the worst.
    pub(crate) snapshot_rate_hz: RateHz,
    /// Snapshots received as a share of those due at the room's nominal rate, 0 to 1.
    pub(crate) share_received: ShareReceived,
    /// Estimated server time minus the tick of the newest snapshot, at every client tick, in milliseconds.
    pub(crate) snapshot_age_ms: Times,
    /// Time from one snapshot to the next, in milliseconds.
    pub(crate) snapshot_gap_ms: Times,
    /// Time from the sampling of an input to the snapshot that acknowledges it, in milliseconds.
    pub(crate) input_to_ack_ms: Times,
    /// Time from the sampling of an input to the arrival of the snapshot that shows its effect, in milliseconds. The snapshot that
    /// acknowledges an input also shows its effect, so these times equal `input_to_ack_ms`.
    pub(crate) input_to_effect_ms: Times,
    /// Correction of the own position by full clients, over all their snapshots except respawns, in world units.
    pub(crate) prediction_error: PredictionError,
    /// Corrections per full client and minute.
    pub(crate) corrections_per_min: Option<f64>,
    /// `corrections_per_min` by cause: `input` (an input arrived too late or not at all), `respawn`, `unknown` (a bug), and the game's
    /// own causes.
    pub(crate) corrections_by_cause: BTreeMap<&'static str, Option<f64>>,
    /// Time from the start of a connection to its first snapshot, in milliseconds.
    pub(crate) join_ms: Times,
    /// Bits of cells per known record and snapshot, cell heads included.
    pub(crate) bits_per_record: MeanOnly,
    /// Records within a player's view.
    pub(crate) in_view: MeanOnly,
    /// Records a player knows.
    pub(crate) subscribed: MeanOnly,
    /// Bytes received per second and player.
    pub(crate) bytes_down_per_s: BytesDown,
    /// Bytes sent per second and player.
    pub(crate) bytes_up_per_s: MeanOnly,
    /// Bytes read and written by sockets per second and player, TLS records included, without TCP and IP.
    pub(crate) socket_bytes_per_s: BothWays,
    /// Bytes received per second and player, by purpose.
    pub(crate) bytes_by_class: BytesByClass,
    /// Data rates per player, in kbit/s.
    pub(crate) kbit_per_s: KbitPerS,
    /// Smoothed round trip time, in milliseconds.
    pub(crate) rtt_ms: RttMs,
    /// The player with the oldest snapshots, or null if no player got a seat.
    pub(crate) worst: Option<WorstPlayer>,
    /// The server's own metrics.
    pub(crate) server: ServerStatistics,
    /// Why the server's metrics are missing, or null.
    pub(crate) server_unavailable: Option<String>,
    /// The load tester itself.
    pub(crate) load: LoadHealth,
    /// The first error of a player, or null.
    pub(crate) first_error: Option<String>,
    /// The assertions and their outcomes.
    pub assertions: Vec<Judgement>,
    /// The result of the knee search, or null.
    pub knee: Option<Knee>,
}

/// See [`Report::snapshot_rate_hz`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct RateHz {
    /// The median player.
    pub(crate) p50: Option<f64>,
    /// The worst player.
    pub(crate) min: Option<f64>,
}

/// See [`Report::share_received`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ShareReceived {
    /// The median player.
    pub(crate) p50: Option<f64>,
    /// The worst player.
    pub(crate) min: Option<f64>,
    /// All players together.
    pub(crate) all: Option<f64>,
}

/// Percentiles of times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Times {
    /// Median.
    pub(crate) p50: Option<f64>,
    /// 95th percentile.
    pub(crate) p95: Option<f64>,
    /// 99th percentile.
    pub(crate) p99: Option<f64>,
    /// Longest.
    pub(crate) max: Option<f64>,
}

/// See [`Report::prediction_error`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct PredictionError {
    /// Median.
    pub(crate) p50: Option<f64>,
    /// 99th percentile.
    pub(crate) p99: Option<f64>,
    /// Largest.
    pub(crate) max: Option<f64>,
}

/// A mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct MeanOnly {
    /// The mean.
    pub(crate) mean: Option<f64>,
}

/// See [`Report::bytes_down_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct BytesDown {
    /// Mean over the players.
    pub(crate) mean: Option<f64>,
    /// The player with the highest value.
    pub(crate) max: Option<f64>,
}

/// See [`Report::socket_bytes_per_s`]. Means over the players.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct BothWays {
    /// Received.
    pub(crate) down: Option<f64>,
    /// Sent.
    pub(crate) up: Option<f64>,
}

/// See [`Report::bytes_by_class`]. Means over the players.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct BytesByClass {
    /// Snapshot heads and local player states.
    pub(crate) local_player: Option<f64>,
    /// Cells near the middle of the view.
    pub(crate) cells_near: Option<f64>,
    /// The other cells.
    pub(crate) cells_far: Option<f64>,
    /// Events.
    pub(crate) events: Option<f64>,
    /// Room updates: names and standings.
    pub(crate) updates: Option<f64>,
    /// Control messages.
    pub(crate) control: Option<f64>,
    /// Snapshots behind the local player state, where they were not decoded.
    pub(crate) undecoded: Option<f64>,
    /// WebSocket headers.
    pub(crate) headers: Option<f64>,
}

/// See [`Report::kbit_per_s`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct KbitPerS {
    /// Received, without WebSocket headers; mean.
    pub(crate) payload_down: Option<f64>,
    /// Received, WebSocket headers included; mean.
    pub(crate) down: Option<f64>,
    /// `down` of the player with the highest rate.
    pub(crate) down_max: Option<f64>,
    /// Sent, WebSocket headers included; mean.
    pub(crate) up: Option<f64>,
}

/// See [`Report::rtt_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct RttMs {
    /// Median.
    pub(crate) p50: Option<f64>,
}

/// See [`Report::worst`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WorstPlayer {
    /// Its name in the game.
    pub(crate) player: String,
    /// Its link profile.
    pub(crate) link: &'static str,
    /// Age of its newest snapshot, 99th percentile, in milliseconds, exact to 10 %.
    pub(crate) age_ms_p99: Option<f64>,
    /// Longest gap between two of its snapshots in milliseconds.
    pub(crate) gap_ms_max: Option<f64>,
    /// Received snapshots as a share of those due, 0 to 1.
    pub(crate) share: Option<f64>,
}

/// See [`Report::load`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct LoadHealth {
    /// CPU cores used; null if the system does not report them.
    pub(crate) cpu_cores: Option<f64>,
    /// CPU time per snapshot received, sent inputs included, in microseconds.
    pub(crate) cpu_us_per_client_snapshot: Option<f64>,
    /// How late its players acted, in milliseconds.
    pub(crate) lateness_ms: Times,
    /// Threads that ran the players.
    pub(crate) threads: usize,
    /// Connections that failed or ended without a close frame.
    pub(crate) socket_errors: u64,
    /// Whether it was overloaded itself: the results then show its own limits and not the server's.
    pub(crate) overloaded: bool,
}
