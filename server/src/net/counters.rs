//! What a shard counts in a few milliseconds, added to the metrics together.

use broadside_core::connection::Counters;

use super::transport::Traffic;
use crate::metrics::Metrics;

/// What the sockets of a shard moved since the last export.
#[derive(Debug, Default)]
pub struct TrafficCounters {
    traffic: Traffic,
}

impl TrafficCounters {
    /// Adds what a socket moved.
    pub fn add(&mut self, traffic: Traffic) {
        self.traffic.reads += traffic.reads;
        self.traffic.writes += traffic.writes;
        self.traffic.bytes_in += traffic.bytes_in;
    }

    /// Adds everything to the metrics, with what the core counted, and starts from zero.
    pub fn export(&mut self, core: Counters, metrics: &Metrics) {
        let traffic = std::mem::take(&mut self.traffic);
        metrics.frames_in.inc_by(core.frames_in);
        metrics.inputs_read.inc_by(core.inputs);
        metrics.socket_reads.inc_by(traffic.reads);
        metrics.socket_writes.inc_by(traffic.writes);
        metrics.bytes_in.inc_by(traffic.bytes_in);
    }
}
