//! One row of measurements per second of a run.

use serde::Serialize;

/// One second of a run. A value that was not measured is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSecond {
    /// End of this second, in seconds since the start of the run.
    pub(crate) at_s: f64,
    /// `ramp` or `steady`.
    pub(crate) phase: &'static str,
    /// Players that are playing.
    pub(crate) playing: usize,
    /// Players in the join queue.
    pub(crate) queued: usize,
    /// Players refused or dropped so far.
    pub(crate) lost: usize,
    /// Median age of the newest snapshot, in milliseconds.
    pub(crate) age_ms_p50: Option<f64>,
    /// Its 99th percentile, in milliseconds.
    pub(crate) age_ms_p99: Option<f64>,
    /// Time between snapshots, 99th percentile, in milliseconds.
    pub(crate) gap_ms_p99: Option<f64>,
    /// Longest wait of a player for its next snapshot at the end of this second, in milliseconds.
    pub(crate) open_gap_ms_max: f64,
    /// Snapshots received per second, all players.
    pub(crate) snapshots_per_s: f64,
    /// `snapshots_per_s` as a share of the nominal rate of the playing players, 0 to 1.
    pub(crate) share: Option<f64>,
    /// Received per playing player, in kbit/s.
    pub(crate) kbit_per_s: f64,
    /// CPU cores the server used.
    pub(crate) server_cores: Option<f64>,
    /// CPU cores this process used.
    pub(crate) load_cores: Option<f64>,
    /// Lateness of this process's own loop, 99th percentile, in milliseconds.
    pub(crate) lateness_ms_p99: Option<f64>,
}
