//! Metrics of the server, in the OpenMetrics format that Prometheus reads.
//!
//! | module | what it holds |
//! |---|---|
//! | [`labels`] | closed sets of label values, and one metric per value |
//! | `log` | lost log lines |
//! | `process` | statistics of the process from the operating system |
//! | `cluster` | the engine of the cluster, and what is heard of other nodes |
//! | `store` | the database and the results on their way to it |
//!
//! Every metric is an atomic that all threads share. A hot loop nevertheless counts in a local integer and adds it once per tick: a shared
//! cache line costs more than the work it counts. `docs/OPERATIONS.md` says what to do about each metric.

mod cluster;
pub mod labels;
mod log;
mod process;
mod store;

use broadside_shared::protocol::close::CloseCode;
use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::clock::MonoClock;
use crate::peers::Peers;
use crate::store::StoreHealth;
use cluster::ClusterSight;
use labels::{AddressLimit, ByteClass, Closed, Direction, JoinResult, PerLabel, SignInResult, TickPhase};

/// Media type of [`Metrics::encode`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the buckets of all durations, in seconds: 0.1 ms to 1 s, each at most 1.5 times the one before, which bounds the error
/// of quantiles. They include a tick at 60 Hz and 50 ms, the target for the lateness of ticks.
const SECONDS: [f64; 32] = [
    0.0001, 0.00015, 0.0002, 0.0003, 0.0004, 0.0006, 0.0008, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.010,
    0.0125, 0.016667, 0.020, 0.025, 0.033333, 0.040, 0.050, 0.066667, 0.080, 0.100, 0.150, 0.200, 0.300, 0.400, 0.600,
    0.800, 1.0,
];

/// All metrics. Prometheus sees the field names with the prefix `broadside_`, and counters with the suffix `_total`.
pub struct Metrics {
    /// Duration of a room's step in seconds, from the first command taken to the result sent; one per tick.
    pub tick_seconds: Histogram,
    /// Seconds from the due time of a tick to its start; one per tick.
    pub tick_lateness_seconds: Histogram,
    /// Seconds in which a shard assembled and wrote the frames of a tick; one per shard and tick.
    pub fanout_seconds: Histogram,
    /// Duration of each phase of a tick in seconds; one per phase and tick.
    pub tick_phase_seconds: PerLabel<TickPhase, Histogram>,
    /// Ticks stepped, in all rooms.
    pub ticks: Counter,
    /// Ticks that ended after the next one was due: started late or ran long.
    pub tick_overruns: Counter,
    /// Ticks dropped because a room was too far behind to catch up.
    pub ticks_missed: Counter,
    /// Snapshots written to sockets.
    pub snapshots_written: Counter,
    /// Snapshots due but skipped because the client had not received the earlier ones; it gets a newer one later.
    pub snapshots_skipped: Counter,
    /// Times the update rate of a connection changed because of its own link.
    pub budget_steps: PerLabel<Direction, Counter>,
    /// Times the governor of a room changed the update rate of all connections because of long ticks.
    pub governor_steps: PerLabel<Direction, Counter>,
    /// Ticks whose fan-out a shard skipped because it was still sending an earlier one.
    pub fanouts_skipped: Counter,
    /// Bytes written to sockets, before TLS and TCP, by content.
    pub bytes_out: PerLabel<ByteClass, Counter>,
    /// Bytes read from WebSocket connections, headers included.
    pub bytes_in: Counter,
    /// WebSocket frames read.
    pub frames_in: Counter,
    /// Input samples read and sent to rooms: about one per player and tick.
    pub inputs_read: Counter,
    /// Input packets dropped because the mailbox of their room was full.
    pub inputs_dropped: Counter,
    /// Join requests, by result.
    pub joins: PerLabel<JoinResult, Counter>,
    /// Players who left their seat, for any reason.
    pub leaves: Counter,
    /// Players' results lost because the room failed while they played.
    pub results_lost: Counter,
    /// Recordings written, whole or cut off.
    pub recordings_kept: Counter,
    /// Recordings that ended early or were lost because the disk failed.
    pub recordings_failed: Counter,
    /// Seconds in which a room's thread made a checkpoint: part of its tick.
    pub checkpoint_seconds: Histogram,
    /// Ticks with a checkpoint that ended after the next one was due.
    pub checkpoint_overruns: Counter,
    /// Bytes of checkpoints written.
    pub checkpoint_bytes: Counter,
    /// Writes of checkpoints that failed.
    pub checkpoints_failed: Counter,
    /// Reports of players that were lost because too many waited. They are in the log.
    pub reports_dropped: Counter,
    /// WebSockets that ended, by close code; use [`Metrics::closed`] and [`Metrics::torn`].
    pub closes: Family<Closed, Counter>,
    /// WebSocket handshakes refused because of the page's origin.
    pub origin_refusals: Counter,
    /// Room failures; the room restarts after each.
    pub room_failures: Counter,
    /// Server bots that could not decode what the server sent.
    pub bot_failures: Counter,
    /// Shard failures; the connections of the shard are closed.
    pub shard_failures: Counter,
    /// Refusals because an address exceeded a limit.
    pub address_refusals: PerLabel<AddressLimit, Counter>,
    /// Attempts to sign in, to confirm or to recover.
    pub sign_ins: PerLabel<SignInResult, Counter>,
    /// HTTP responses refused because too many bytes of responses were in flight.
    pub answers_refused: Counter,
    /// Write system calls on WebSockets.
    pub socket_writes: Counter,
    /// Read system calls on WebSockets.
    pub socket_reads: Counter,
    /// Seated players in all rooms.
    pub players: Gauge,
    /// Open rooms.
    pub rooms: Gauge,
    /// Open connections, HTTP and WebSocket.
    pub connections: Gauge,
    /// Players in the join queues of all rooms.
    pub join_queue: Gauge,
    /// Sum of the governor levels of all rooms; 0 if no update rate is lowered.
    pub governor_level: Gauge,
    /// Commands in the mailbox of a room at its newest tick.
    pub mailbox_depth: Gauge,
    /// Outputs of ticks that shards have not taken yet.
    pub outputs_queued: Gauge,
    /// Bytes pending in the outboxes of all connections.
    pub outbox_bytes: Gauge,
    store: Arc<OnceLock<StoreHealth>>,
    cluster: Arc<OnceLock<ClusterSight>>,
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at 0. Every label value exists from the start, so that a rate over it is never "no data".
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        registry.register_collector(Box::new(log::Log));
        let store = Arc::new(OnceLock::new());
        registry.register_collector(Box::new(store::StoreCollector(Arc::clone(&store))));
        let cluster = Arc::new(OnceLock::new());
        registry.register_collector(Box::new(cluster::ClusterCollector(Arc::clone(&cluster))));
        let mut metrics = Metrics {
            tick_seconds: Histogram::new(SECONDS),
            tick_lateness_seconds: Histogram::new(SECONDS),
            fanout_seconds: Histogram::new(SECONDS),
            tick_phase_seconds: PerLabel::new(|| Histogram::new(SECONDS)),
            ticks: Counter::default(),
            tick_overruns: Counter::default(),
            ticks_missed: Counter::default(),
            snapshots_written: Counter::default(),
            snapshots_skipped: Counter::default(),
            budget_steps: PerLabel::new(Counter::default),
            governor_steps: PerLabel::new(Counter::default),
            fanouts_skipped: Counter::default(),
            bytes_out: PerLabel::new(Counter::default),
            bytes_in: Counter::default(),
            frames_in: Counter::default(),
            inputs_read: Counter::default(),
            inputs_dropped: Counter::default(),
            joins: PerLabel::new(Counter::default),
            leaves: Counter::default(),
            results_lost: Counter::default(),
            recordings_kept: Counter::default(),
            recordings_failed: Counter::default(),
            checkpoint_seconds: Histogram::new(SECONDS),
            checkpoint_overruns: Counter::default(),
            checkpoint_bytes: Counter::default(),
            checkpoints_failed: Counter::default(),
            reports_dropped: Counter::default(),
            closes: Family::default(),
            origin_refusals: Counter::default(),
            room_failures: Counter::default(),
            bot_failures: Counter::default(),
            shard_failures: Counter::default(),
            address_refusals: PerLabel::new(Counter::default),
            sign_ins: PerLabel::new(Counter::default),
            answers_refused: Counter::default(),
            socket_writes: Counter::default(),
            socket_reads: Counter::default(),
            players: Gauge::default(),
            rooms: Gauge::default(),
            connections: Gauge::default(),
            join_queue: Gauge::default(),
            governor_level: Gauge::default(),
            mailbox_depth: Gauge::default(),
            outputs_queued: Gauge::default(),
            outbox_bytes: Gauge::default(),
            store,
            cluster,
            registry: Registry::default(),
        };
        for code in CloseCode::ALL {
            drop(metrics.closes.get_or_create(&Closed::with(code)));
        }
        drop(metrics.closes.get_or_create(&Closed::TORN));
        let namespace = registry.sub_registry_with_prefix("broadside");
        metrics.register_times(namespace);
        metrics.register_counters(namespace);
        metrics.register_gauges(namespace);
        metrics.registry = registry;
        metrics
    }

    /// Adds the metrics of the store.
    pub fn watch(&self, store: StoreHealth) {
        // There is one store for the life of the metrics.
        let _ = self.store.set(store);
    }

    /// Adds the metrics of the cluster.
    pub fn watch_cluster(&self, peers: Arc<Peers>, clock: MonoClock) {
        // A server is a node of one cluster.
        let _ = self.cluster.set(ClusterSight { peers, clock });
    }

    /// Counts a WebSocket that ended with a close code, from either side.
    pub fn closed(&self, code: CloseCode) {
        self.closes.get_or_create(&Closed::with(code)).inc();
    }

    /// Counts a WebSocket that ended without a close frame: its connection was lost.
    pub fn torn(&self) {
        self.closes.get_or_create(&Closed::TORN).inc();
    }

    /// All metrics in the OpenMetrics text format, including current statistics of the process.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        text::encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }

    fn register_times(&self, to: &mut Registry) {
        add(to, "tick_seconds", "Duration of the step of a room", &self.tick_seconds);
        let lateness = "Time from the due time of a tick to its start";
        add(to, "tick_lateness_seconds", lateness, &self.tick_lateness_seconds);
        let fanout = "Time in which a shard assembled and wrote the frames of a tick";
        add(to, "fanout_seconds", fanout, &self.fanout_seconds);
        add(to, "tick_phase_seconds", "Duration of each phase of a tick", self.tick_phase_seconds.family());
        let checkpoint = "Time in which the thread of a room made a checkpoint";
        add(to, "checkpoint_seconds", checkpoint, &self.checkpoint_seconds);
    }

    fn register_counters(&self, to: &mut Registry) {
        add(to, "ticks", "Ticks stepped", &self.ticks);
        add(to, "tick_overruns", "Ticks that ended after the next one was due", &self.tick_overruns);
        add(to, "ticks_missed", "Ticks dropped because a room was too far behind", &self.ticks_missed);
        add(to, "snapshots_written", "Snapshots written to sockets", &self.snapshots_written);
        let skipped = "Snapshots due but skipped because the client had not received the earlier ones";
        add(to, "snapshots_skipped", skipped, &self.snapshots_skipped);
        let budget = "Changes of the update rate of a connection because of its link";
        add(to, "budget_steps", budget, self.budget_steps.family());
        let governor = "Changes of the update rate of a whole room because of its tick times";
        add(to, "governor_steps", governor, self.governor_steps.family());
        let fanouts = "Ticks whose fan-out a shard skipped because it was still sending an earlier one";
        add(to, "fanouts_skipped", fanouts, &self.fanouts_skipped);
        add(to, "bytes_out", "Bytes written to sockets, by content", self.bytes_out.family());
        add(to, "bytes_in", "Bytes read from WebSocket connections", &self.bytes_in);
        add(to, "frames_in", "WebSocket frames read", &self.frames_in);
        add(to, "inputs_read", "Input samples read and sent to rooms", &self.inputs_read);
        add(
            to,
            "inputs_dropped",
            "Inputs received but not used: too late, too early, or the mailbox was full",
            &self.inputs_dropped,
        );
        add(to, "joins", "Join requests, by result", self.joins.family());
        add(to, "leaves", "Players who left their seat", &self.leaves);
        add(to, "results_lost", "Players' results lost because their room failed", &self.results_lost);
        add(to, "recordings_kept", "Recordings written", &self.recordings_kept);
        add(to, "recordings_failed", "Recordings cut off or lost because the disk failed", &self.recordings_failed);
        let overruns = "Ticks with a checkpoint that ended after the next one was due";
        add(to, "checkpoint_overruns", overruns, &self.checkpoint_overruns);
        add(to, "checkpoint_bytes", "Bytes of checkpoints written", &self.checkpoint_bytes);
        add(to, "checkpoints_failed", "Writes of checkpoints that failed", &self.checkpoints_failed);
        add(to, "reports_dropped", "Reports of players dropped because too many waited", &self.reports_dropped);
        add(to, "closes", "Ended WebSockets, by close code; 1006 is a lost connection", &self.closes);
        add(
            to,
            "origin_refusals",
            "WebSocket handshakes refused because of the origin of the page",
            &self.origin_refusals,
        );
        add(to, "bot_failures", "Server bots that could not decode what the server sent", &self.bot_failures);
        add(to, "room_failures", "Room failures, after each of which the room restarted", &self.room_failures);
        add(to, "shard_failures", "Shard failures", &self.shard_failures);
        let addresses = "Refusals because an address exceeded a limit, by limit";
        add(to, "address_refusals", addresses, self.address_refusals.family());
        let sign_ins = "Attempts to sign in, to confirm or to recover, by result";
        add(to, "sign_ins", sign_ins, self.sign_ins.family());
        let answers = "HTTP responses refused because too many bytes of responses were in flight";
        add(to, "answers_refused", answers, &self.answers_refused);
        add(to, "socket_writes", "Write system calls on WebSockets", &self.socket_writes);
        add(to, "socket_reads", "Read system calls on WebSockets", &self.socket_reads);
    }

    fn register_gauges(&self, to: &mut Registry) {
        add(to, "players", "Seated players", &self.players);
        add(to, "rooms", "Open rooms", &self.rooms);
        add(to, "connections", "Open connections, HTTP and WebSocket", &self.connections);
        add(to, "join_queue", "Players in join queues", &self.join_queue);
        let level = "Sum of the governor levels of all rooms; 0 if no update rate is lowered";
        add(to, "governor_level", level, &self.governor_level);
        add(to, "mailbox_depth", "Commands in the mailbox of a room at its newest tick", &self.mailbox_depth);
        add(
            to,
            "outputs_queued",
            "Outputs of ticks that the shards of the most recently ticked room have not taken yet",
            &self.outputs_queued,
        );
        add(to, "outbox_bytes", "Bytes pending in outboxes", &self.outbox_bytes);
        to.register("build", "Version of the server", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }
}

/// A clone of a metric shares its value.
fn add(registry: &mut Registry, name: &str, help: &str, metric: &(impl Metric + Clone)) {
    registry.register(name, help, metric.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_every_label_from_the_start_and_ends_with_eof() {
        let text = Metrics::new().encode();
        for line in [
            "broadside_ticks_total 0",
            "broadside_bytes_out_total{class=\"cell_heads\"} 0",
            "broadside_bytes_out_total{class=\"ws_headers\"} 0",
            "broadside_budget_steps_total{direction=\"down\"} 0",
            "broadside_joins_total{result=\"queued\"} 0",
            "broadside_closes_total{code=\"4009\"} 0",
            "broadside_closes_total{code=\"1006\"} 0",
            "broadside_tick_phase_seconds_count{phase=\"capture\"} 0",
            "broadside_tick_lateness_seconds_bucket{le=\"0.05\"} 0",
            "broadside_players 0",
            "# TYPE broadside_log_lines_lost counter",
            concat!("broadside_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_scrape_shows_the_counts() {
        let metrics = Metrics::new();
        metrics.tick_seconds.observe(0.0021);
        metrics.bytes_out.of(ByteClass::PlayerState).inc_by(180);
        metrics.joins.of(JoinResult::Refused).inc();
        metrics.closed(CloseCode::Silent);
        metrics.torn();
        metrics.players.set(7);
        let text = metrics.encode();
        for line in [
            "broadside_tick_seconds_bucket{le=\"0.002\"} 0",
            "broadside_tick_seconds_bucket{le=\"0.003\"} 1",
            "broadside_bytes_out_total{class=\"player_state\"} 180",
            "broadside_joins_total{result=\"refused\"} 1",
            "broadside_closes_total{code=\"4005\"} 1",
            "broadside_closes_total{code=\"1006\"} 1",
            "broadside_players 7",
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_scrape_shows_memory_files_and_threads_of_the_process() {
        let text = Metrics::new().encode();
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_threads"] {
            let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
            let value: f64 = line.split(' ').nth(1).and_then(|v| v.parse().ok()).expect("a number follows the name");
            assert!(value >= 1.0, "{line}");
        }
        assert!(text.contains("process_cpu_seconds_total "), "{text}");
    }

    #[test]
    fn each_bucket_is_at_most_one_and_a_half_times_the_one_before() {
        assert!(SECONDS.windows(2).all(|pair| pair[0] < pair[1] && pair[1] / pair[0] < 1.501));
    }
}
