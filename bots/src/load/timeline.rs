//! One row of measurements per second of a run.

use serde::Serialize;

/// A second of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSecond {
    /// Its end, in seconds since the run began.
    pub at_s: f64,
    /// Ramp or steady.
    pub phase: &'static str,
    /// Players that play.
    pub playing: usize,
    /// Players in line for a seat.
    pub queued: usize,
    /// Players refused or dropped so far.
    pub lost: usize,
    /// Age of the newest snapshot, in milliseconds; null where there was none, as everywhere here.
    pub age_ms_p50: Option<f64>,
    /// See `age_ms_p50`.
    pub age_ms_p99: Option<f64>,
    /// Time between snapshots, in milliseconds.
    pub gap_ms_p99: Option<f64>,
    /// Longest time for which a player had waited for a snapshot at the end of this second, in milliseconds.
    pub open_gap_ms_max: f64,
    /// Snapshots received per second by all.
    pub snapshots_per_s: f64,
    /// Those as a share of the nominal rate of the players that play.
    pub share: Option<f64>,
    /// Bits received per second and player that plays, in thousands.
    pub kbit_per_s: f64,
    /// CPU cores the server used.
    pub server_cores: Option<f64>,
    /// CPU cores this process used.
    pub load_cores: Option<f64>,
    /// Lateness of this process' own loop, in milliseconds.
    pub lateness_ms_p99: Option<f64>,
}
