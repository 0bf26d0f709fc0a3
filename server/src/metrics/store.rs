//! How the store and the outbox are doing, read at each scrape.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::store::StoreHealth;

pub(super) struct StoreCollector(pub(super) Arc<OnceLock<StoreHealth>>);

impl fmt::Debug for StoreCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreCollector")
    }
}

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(store) = self.0.get() else { return Ok(()) };
        let status = store.outbox_status();
        let mut gauge = |name: &str, help: &str, value: u64| {
            let metric = ConstGauge::new(value as i64);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        gauge("broadside_store_up", "Whether the database answers", u64::from(store.is_up()))?;
        gauge("broadside_results_in_memory", "Players' results that a killed process would lose", status.in_memory)?;
        gauge("broadside_results_on_disk_bytes", "Bytes of results that wait for the database", status.on_disk_bytes)?;
        let mut counter = |name: &str, help: &str, value: u64| {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        counter("broadside_results_stored", "Players' results that the database took", status.delivered)?;
        counter("broadside_results_dropped", "Players' results dropped because too many waited", status.dropped)?;
        counter("broadside_results_damaged", "Results on disk that could not be read", status.damaged)?;
        counter("broadside_results_refused", "Matches that the database refused", status.refused)
    }
}
