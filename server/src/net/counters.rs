//! What a shard counts in a few milliseconds, added to the metrics together.

use super::wire::Traffic;
use crate::metrics::Metrics;

/// Counts of a few milliseconds, added to the metrics together.
#[derive(Debug, Default)]
pub struct TrafficCounters {
    /// WebSocket frames read.
    pub frames_in: u64,
    /// Input samples read.
    pub inputs: u64,
    /// Somebody hears of other topics than before.
    pub subscriptions_changed: bool,
    traffic: Traffic,
}

impl TrafficCounters {
    /// Adds what a connection moved.
    pub fn add(&mut self, traffic: Traffic) {
        self.traffic.reads += traffic.reads;
        self.traffic.writes += traffic.writes;
        self.traffic.bytes_in += traffic.bytes_in;
    }

    /// Puts the counts into the metrics, and begins anew.
    pub fn count(&mut self, metrics: &Metrics) {
        let counted = std::mem::take(self);
        self.subscriptions_changed = counted.subscriptions_changed;
        metrics.frames_in.inc_by(counted.frames_in);
        metrics.inputs_read.inc_by(counted.inputs);
        metrics.socket_reads.inc_by(counted.traffic.reads);
        metrics.socket_writes.inc_by(counted.traffic.writes);
        metrics.bytes_in.inc_by(counted.traffic.bytes_in);
    }
}
