//! What the server counts of itself, as Prometheus reads it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`labels`] | the closed sets of label values, and a metric for each of them |
//! | `log` | log lines that were lost |
//! | `process` | what the operating system says of this process, read when somebody asks |
//!
//! Every figure is an atomic that many threads may add to. Even so a hot loop counts in a plain local number and adds it once
//! per tick: a shared cache line costs more than the work it would count. `docs/OPERATIONS.md` says what to do about each.

pub mod labels;
mod log;
mod process;

use broadside_shared::protocol::close::CloseCode;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use labels::{AddressLimit, ByteClass, Closed, Direction, JoinResult, PerLabel, TickPhase};

/// Media type of what [`Metrics::encode`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the buckets of every duration, in seconds: 0.1 ms to 1 s, each at most 1.5 times the one before, so that a
/// quantile read off them is off by less; among them a tick at 60 Hz and the 50 ms that no tick may be late.
const SECONDS: [f64; 32] = [
    0.0001, 0.00015, 0.0002, 0.0003, 0.0004, 0.0006, 0.0008, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.010,
    0.0125, 0.016667, 0.020, 0.025, 0.033333, 0.040, 0.050, 0.066667, 0.080, 0.100, 0.150, 0.200, 0.300, 0.400, 0.600,
    0.800, 1.0,
];

/// All of them. Fields are named as Prometheus names them, after `broadside_`; counters end in `_total` there.
#[derive(Debug)]
pub struct Metrics {
    /// Seconds that the step of a room took, from the first command taken to the result handed over; one per tick.
    pub tick_seconds: Histogram,
    /// Seconds from when a tick was due to when it began; one per tick.
    pub tick_lateness_seconds: Histogram,
    /// Seconds that a shard took to assemble and write the frames of a tick; one per shard and tick.
    pub fanout_seconds: Histogram,
    /// Seconds that each phase of a tick took; one per phase and tick.
    pub tick_phase_seconds: PerLabel<TickPhase, Histogram>,
    /// Ticks stepped, of all rooms.
    pub ticks: Counter,
    /// Ticks that ended after the next one was due: begun late or run long.
    pub tick_overruns: Counter,
    /// Ticks dropped, because a room was too far behind to catch up.
    pub ticks_missed: Counter,
    /// Snapshots written to sockets.
    pub snapshots_written: Counter,
    /// Snapshots that were due and not written, because the connection had not taken what came before; it got a newer one later.
    pub snapshots_skipped: Counter,
    /// Times a connection was given less, or more again, because of its own line.
    pub budget_steps: PerLabel<Direction, Counter>,
    /// Times a room gave everyone less, or more again, because its ticks ran long.
    pub governor_steps: PerLabel<Direction, Counter>,
    /// Ticks whose fan-out a shard left out because it was still at an earlier one.
    pub fanouts_skipped: Counter,
    /// Bytes given to sockets, before TCP and TLS, by what they are.
    pub bytes_out: PerLabel<ByteClass, Counter>,
    /// Bytes read from WebSocket connections, headers included.
    pub bytes_in: Counter,
    /// WebSocket frames read.
    pub frames_in: Counter,
    /// Input samples read and given to rooms: about one per player and tick.
    pub inputs_read: Counter,
    /// Input packets dropped because the mailbox of their room was full.
    pub inputs_dropped: Counter,
    /// Requests to join, by how they ended.
    pub joins: PerLabel<JoinResult, Counter>,
    /// Players that left their seat, for whatever reason.
    pub leaves: Counter,
    /// WebSockets that ended, by close code; use [`Metrics::closed`] and [`Metrics::torn`].
    pub closes: Family<Closed, Counter>,
    /// Requests for the WebSocket by pages of other origins.
    pub origin_refusals: Counter,
    /// Times a room broke down and began anew.
    pub room_failures: Counter,
    /// Bots of the server's own that did not understand it.
    pub bot_failures: Counter,
    /// Times a shard broke down and its connections were closed.
    pub shard_failures: Counter,
    /// Refusals of addresses that had, or asked for, more than one may.
    pub address_refusals: PerLabel<AddressLimit, Counter>,
    /// Answers over HTTP that were refused because too many bytes of others were on their way.
    pub answers_refused: Counter,
    /// Calls that wrote to a socket of a WebSocket.
    pub socket_writes: Counter,
    /// Calls that read from a socket of a WebSocket.
    pub socket_reads: Counter,
    /// Players seated, in all rooms.
    pub players: Gauge,
    /// Rooms open.
    pub rooms: Gauge,
    /// Connections open, HTTP and WebSocket.
    pub connections: Gauge,
    /// Players waiting in line for a seat.
    pub waiting: Gauge,
    /// How much rooms hold back because their ticks ran long, the sum of all rooms; 0 is nothing.
    pub governor_level: Gauge,
    /// Mails that a room found waiting at its newest tick.
    pub mailbox_depth: Gauge,
    /// Results of ticks that shards have not taken yet, of all rooms.
    pub outputs_queued: Gauge,
    /// Bytes waiting for sockets to take them, of all connections.
    pub outbox_bytes: Gauge,
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All status at 0; every label value is there from the start, so that a rate over it is never "no data".
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        registry.register_collector(Box::new(log::Log));
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
            closes: Family::default(),
            origin_refusals: Counter::default(),
            room_failures: Counter::default(),
            bot_failures: Counter::default(),
            shard_failures: Counter::default(),
            address_refusals: PerLabel::new(Counter::default),
            answers_refused: Counter::default(),
            socket_writes: Counter::default(),
            socket_reads: Counter::default(),
            players: Gauge::default(),
            rooms: Gauge::default(),
            connections: Gauge::default(),
            waiting: Gauge::default(),
            governor_level: Gauge::default(),
            mailbox_depth: Gauge::default(),
            outputs_queued: Gauge::default(),
            outbox_bytes: Gauge::default(),
            registry: Registry::default(),
        };
        for code in CloseCode::ALL {
            drop(metrics.closes.get_or_create(&Closed::with(code)));
        }
        drop(metrics.closes.get_or_create(&Closed::TORN));
        let ours = registry.sub_registry_with_prefix("broadside");
        metrics.register_times(ours);
        metrics.register_counters(ours);
        metrics.register_gauges(ours);
        metrics.registry = registry;
        metrics
    }

    /// Counts a WebSocket that ended with a close code, ours or the client's.
    pub fn closed(&self, code: CloseCode) {
        self.closes.get_or_create(&Closed::with(code)).inc();
    }

    /// Counts a WebSocket that ended without a close frame: its line went.
    pub fn torn(&self) {
        self.closes.get_or_create(&Closed::TORN).inc();
    }

    /// Everything in the OpenMetrics text format, with what the operating system says of the process at this moment.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        text::encode(&mut text, &self.registry).expect("a string takes all that is written to it");
        text
    }

    fn register_times(&self, to: &mut Registry) {
        add(to, "tick_seconds", "Time that the step of a room took", &self.tick_seconds);
        let lateness = "Time from when a tick was due to when it began";
        add(to, "tick_lateness_seconds", lateness, &self.tick_lateness_seconds);
        let fanout = "Time that a shard took to assemble and write the frames of a tick";
        add(to, "fanout_seconds", fanout, &self.fanout_seconds);
        add(to, "tick_phase_seconds", "Time that each phase of a tick took", self.tick_phase_seconds.family());
    }

    fn register_counters(&self, to: &mut Registry) {
        add(to, "ticks", "Ticks stepped", &self.ticks);
        add(to, "tick_overruns", "Ticks that ended after the next one was due", &self.tick_overruns);
        add(to, "ticks_missed", "Ticks dropped because a room was too far behind", &self.ticks_missed);
        add(to, "snapshots_written", "Snapshots written to sockets", &self.snapshots_written);
        let skipped = "Snapshots due and not written because the connection had not taken what came before";
        add(to, "snapshots_skipped", skipped, &self.snapshots_skipped);
        let budget = "Times a connection was given less or more because of its line";
        add(to, "budget_steps", budget, self.budget_steps.family());
        let governor = "Times a room gave everyone less or more because of its ticks";
        add(to, "governor_steps", governor, self.governor_steps.family());
        let fanouts = "Ticks whose fan-out a shard left out because it was still at an earlier one";
        add(to, "fanouts_skipped", fanouts, &self.fanouts_skipped);
        add(to, "bytes_out", "Bytes given to sockets by what they are", self.bytes_out.family());
        add(to, "bytes_in", "Bytes read from WebSocket connections", &self.bytes_in);
        add(to, "frames_in", "WebSocket frames read", &self.frames_in);
        add(to, "inputs_read", "Input samples read and given to rooms", &self.inputs_read);
        add(
            to,
            "inputs_dropped",
            "Inputs that came and were not used: too late, too early, or the mailbox was full",
            &self.inputs_dropped,
        );
        add(to, "joins", "Requests to join by how they ended", self.joins.family());
        add(to, "leaves", "Players that left their seat", &self.leaves);
        add(to, "closes", "WebSockets that ended by close code; 1006 is a line that went", &self.closes);
        add(to, "origin_refusals", "Requests for the WebSocket by pages of other origins", &self.origin_refusals);
        add(to, "bot_failures", "Bots of the server's own that did not understand it", &self.bot_failures);
        add(to, "room_failures", "Times a room broke down and began anew", &self.room_failures);
        add(to, "shard_failures", "Times a shard broke down", &self.shard_failures);
        let addresses = "Refusals of addresses that had, or asked for, more than one may";
        add(to, "address_refusals", addresses, self.address_refusals.family());
        let answers = "Answers over HTTP refused because too many bytes of others were on their way";
        add(to, "answers_refused", answers, &self.answers_refused);
        add(to, "socket_writes", "Calls that wrote to a socket of a WebSocket", &self.socket_writes);
        add(to, "socket_reads", "Calls that read from a socket of a WebSocket", &self.socket_reads);
    }

    fn register_gauges(&self, to: &mut Registry) {
        add(to, "players", "Players seated", &self.players);
        add(to, "rooms", "Rooms open", &self.rooms);
        add(to, "connections", "Connections open, HTTP and WebSocket", &self.connections);
        add(to, "waiting", "Players waiting in line for a seat", &self.waiting);
        let level = "How much rooms hold back because their ticks ran long; the sum of all rooms, 0 for nothing";
        add(to, "governor_level", level, &self.governor_level);
        add(to, "mailbox_depth", "Mails that a room found waiting at its newest tick", &self.mailbox_depth);
        add(
            to,
            "outputs_queued",
            "Results of ticks that the shards of the room that ticked last have not taken yet",
            &self.outputs_queued,
        );
        add(to, "outbox_bytes", "Bytes waiting for sockets to take them", &self.outbox_bytes);
        to.register("build", "Version of the server", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }
}

/// A clone of a metric is a second handle to the same status.
fn add(registry: &mut Registry, name: &str, help: &str, metric: &(impl Metric + Clone)) {
    registry.register(name, help, metric.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_holds_every_label_from_the_start_and_ends_as_the_format_demands() {
        let text = Metrics::new().encode();
        for line in [
            "broadside_ticks_total 0",
            "broadside_bytes_out_total{class=\"cell_heads\"} 0",
            "broadside_bytes_out_total{class=\"ws_headers\"} 0",
            "broadside_budget_steps_total{direction=\"down\"} 0",
            "broadside_joins_total{result=\"waited\"} 0",
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
    fn what_is_counted_is_what_a_scrape_says() {
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
    fn the_process_tells_its_memory_its_files_and_its_threads() {
        let text = Metrics::new().encode();
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_threads"] {
            let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
            let value: f64 = line.split(' ').nth(1).and_then(|v| v.parse().ok()).expect("a number follows the name");
            assert!(value >= 1.0, "{line}");
        }
        assert!(text.contains("process_cpu_seconds_total "), "{text}");
    }

    #[test]
    fn each_bucket_is_at_most_half_as_much_again_as_the_one_before() {
        assert!(SECONDS.windows(2).all(|pair| pair[0] < pair[1] && pair[1] / pair[0] < 1.501));
    }
}
