//! What became of log lines: the process has one log, whoever counts.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;

/// Reads and encodes the count at every scrape.
#[derive(Debug)]
pub(super) struct Log;

impl Collector for Log {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let lost = ConstCounter::new(crate::log::lines_lost());
        let help = "Log lines that standard error did not take, or not in time";
        lost.encode(encoder.encode_descriptor("broadside_log_lines_lost", help, None, lost.metric_type())?)
    }
}
