//! How the node and its engine are doing, read at each scrape.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::clock::MonoClock;
use crate::peers::Peers;

/// The other nodes, and the clock by which they are there.
pub(super) struct ClusterSight {
    pub(super) peers: Arc<Peers>,
    pub(super) clock: MonoClock,
}

pub(super) struct ClusterCollector(pub(super) Arc<OnceLock<ClusterSight>>);

impl fmt::Debug for ClusterCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterCollector")
    }
}

impl Collector for ClusterCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(ClusterSight { peers, clock }) = self.0.get() else { return Ok(()) };
        let (nodes, rooms) = {
            let view = peers.view();
            (view.nodes(clock.now()).count(), view.room_count())
        };
        let standing = &peers.standing;
        let mut gauge = |name: &str, help: &str, value: u64| {
            let metric = ConstGauge::new(value as i64);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let is_up = standing.is_connected.load(Ordering::Relaxed);
        gauge("broadside_cluster_up", "Whether the cluster's NATS server answers", is_up.into())?;
        let is_duplicate = standing.is_duplicate.load(Ordering::Relaxed);
        gauge("broadside_cluster_duplicate", "Whether another node has this node's number", is_duplicate.into())?;
        gauge("broadside_cluster_nodes", "Other nodes that are there", nodes as u64)?;
        gauge("broadside_cluster_rooms", "Rooms of other nodes that are remembered", rooms as u64)?;
        let renewal = ConstGauge::new(peers.counts.renewal_us.load(Ordering::Relaxed) as f64 / 1e6);
        let help = "How long the NATS server took for the last renewal of the lease";
        renewal.encode(encoder.encode_descriptor(
            "broadside_cluster_renewal_seconds",
            help,
            None,
            renewal.metric_type(),
        )?)?;
        let mut counter = |name: &str, help: &str, value: &AtomicU64| {
            let metric = ConstCounter::new(value.load(Ordering::Relaxed));
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let counts = &peers.counts;
        counter(
            "broadside_cluster_connects",
            "Connections to the NATS server, the first one included",
            &counts.connects,
        )?;
        counter(
            "broadside_cluster_orders_dropped",
            "Requests to other nodes dropped because too many waited",
            &counts.orders_dropped,
        )?;
        counter(
            "broadside_cluster_received_dropped",
            "Chat of other nodes dropped because it came too fast",
            &counts.received_dropped,
        )?;
        counter(
            "broadside_cluster_slow",
            "Times that the NATS client dropped messages because this node was slow",
            &counts.slow,
        )
    }
}
