//! Statistics of a client: latency, corrections, bytes.

use crate::game::CorrectionCause;
use crate::time::Tick;

/// Statistics of one snapshot's arrival.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SnapshotArrival {
    /// The snapshot's tick.
    pub tick: Tick,
    /// Length of its frame in bytes, without the WebSocket header.
    pub bytes: usize,
    /// Microseconds since the previous snapshot; `None` for the first.
    pub gap_us: Option<u64>,
    /// Age on arrival in milliseconds: estimated server time minus its tick.
    pub age_ms: f64,
    /// Microseconds from the sampling of the newest input it acknowledges; `None` if it acknowledges nothing new.
    pub input_to_ack_us: Option<u64>,
    /// Correction of the own position in world units; 0 if the prediction was right.
    pub corrected_units: f32,
}

/// Running statistics of one session.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Smoothed round trip time in milliseconds.
    pub rtt_ms: f64,
    /// Smoothed mean deviation of the round trip time in milliseconds.
    pub jitter_ms: f64,
    /// How long the newest tick of the room took the server, in milliseconds, as of the last ping.
    pub server_tick_ms: f64,
    /// Age of the newest snapshot in milliseconds: estimated server time minus its tick, as of the last client tick.
    pub snapshot_age_ms: f64,
    /// Interpolation delay: how far in the past other entities are drawn, in milliseconds.
    pub interpolation_ms: f64,
    /// Input lead: how far ahead of the server the own player runs, in milliseconds.
    pub lead_ms: f64,
    /// How early inputs last arrived, in milliseconds; negative is late.
    pub input_early_ms: f64,
    /// Snapshots applied.
    pub snapshots: u64,
    /// How far the server has reduced its sending rate for this client's link; see
    /// [`SnapshotHead::budget`](crate::protocol::snapshot::SnapshotHead::budget).
    pub budget: u8,
    /// Changes of `budget`.
    pub budget_steps: u64,
    /// Drawn frames for which the newest snapshot was too old.
    pub starved_frames: u64,
    /// Ticks that the server stepped without an input of this client.
    pub inputs_missing: u64,
    /// Inputs of this client that the server dropped as too late or too early.
    pub inputs_dropped: u64,
    /// Corrections of the own position by cause, by [`CorrectionCause::index`].
    pub corrections: [u64; CorrectionCause::COUNT_MAX],
    /// Sum of the corrections in world units.
    pub corrected_units: f64,
    /// The last correction in world units.
    pub last_correction_units: f32,
    /// The largest correction in world units, respawns excluded.
    pub largest_correction_units: f32,
    /// Payload bytes received, WebSocket headers excluded.
    pub bytes_down: u64,
    /// Payload bytes of snapshot heads and own states.
    pub bytes_own: u64,
    /// Payload bytes of cells.
    pub bytes_cells: u64,
    /// Of those, the bytes of cells nearer to the edge of the view than to its middle, and beyond.
    pub bytes_cells_far: u64,
    /// Payload bytes of events.
    pub bytes_events: u64,
    /// Payload bytes of room updates.
    pub bytes_updates: u64,
    /// Bytes of snapshots that were not read: [`Detail::Heads`](super::Detail::Heads).
    pub bytes_unread: u64,
    /// Payload bytes sent.
    pub bytes_up: u64,
}

impl Stats {
    /// Corrections of the own position by any cause.
    #[must_use]
    pub fn corrections_total(&self) -> u64 {
        self.corrections.iter().sum()
    }

    pub(super) fn count_correction(&mut self, distance: f32, cause: CorrectionCause) {
        self.corrections[cause.index()] += 1;
        self.corrected_units += f64::from(distance);
        self.last_correction_units = distance;
        if cause != CorrectionCause::RESPAWN {
            self.largest_correction_units = self.largest_correction_units.max(distance);
        }
    }
}
