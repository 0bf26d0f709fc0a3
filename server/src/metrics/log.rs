//! The count of lost log lines, read from the log at each scrape.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;

#[derive(Debug)]
pub(super) struct Log;

impl Collector for Log {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let lost = ConstCounter::new(crate::log::lines_lost());
        let help = "Log lines lost because standard error did not accept them in time";
        lost.encode(encoder.encode_descriptor("broadside_log_lines_lost", help, None, lost.metric_type())?)
    }
}
