//! The results, as text and as JSON.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::orders::ClientCounts;
use crate::plan::{Plan, TICK_HZ};
use crate::server::ServerRun;

/// The results of a run. Units are in the names.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    players: usize,
    hz: u32,
    seconds: f64,
    bytes: usize,
    input_bytes: usize,
    snapshots: u64,
    /// Frames received as a share of those due.
    share_received: FrameShare,
    server: ServerSide,
    clients: ClientSide,
    gap_ms: GapMs,
}

#[derive(Debug, Serialize)]
struct FrameShare {
    mean: f64,
    min: f64,
}

#[derive(Debug, Serialize)]
struct ServerSide {
    cpu_cores: f64,
    cpu_us_per_client_snapshot: f64,
    syscalls_per_client_snapshot: f64,
    writes_per_client_snapshot: f64,
    reads_per_client_snapshot: f64,
    epoll_waits: u64,
    sleeps: u64,
    bytes_in: u64,
    tick_ms: P50P99,
    lateness_ms: P50P99,
    missed_ticks: u64,
    skips: u64,
}

#[derive(Debug, Serialize)]
struct ClientSide {
    cpu_cores: f64,
    inputs: u64,
}

#[derive(Debug, Serialize)]
struct P50P99 {
    p50: f64,
    p99: f64,
}

#[derive(Debug, Serialize)]
struct GapMs {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Report {
    pub(crate) fn new(plan: &Plan, server_run: &ServerRun, client_counts: &ClientCounts) -> Report {
        let (counts, wall) = (server_run.counts, server_run.wall.as_secs_f64());
        let snapshots = counts.frames.max(1) as f64;
        let hz = TICK_HZ / plan.every;
        let due = wall * f64::from(hz);
        Report {
            players: plan.players,
            hz,
            seconds: round(wall),
            bytes: plan.bytes,
            input_bytes: plan.input_bytes,
            snapshots: counts.frames,
            share_received: FrameShare {
                mean: round(client_counts.frames as f64 / (due * plan.players as f64)),
                min: round(client_counts.frames_fewest as f64 / due),
            },
            server: ServerSide {
                cpu_cores: round(server_run.cpu.as_secs_f64() / wall),
                cpu_us_per_client_snapshot: round(server_run.cpu.as_secs_f64() * 1e6 / snapshots),
                syscalls_per_client_snapshot: round(
                    (counts.writes + counts.reads + counts.polls + counts.sleeps) as f64 / snapshots,
                ),
                writes_per_client_snapshot: round(counts.writes as f64 / snapshots),
                reads_per_client_snapshot: round(counts.reads as f64 / snapshots),
                epoll_waits: counts.polls,
                sleeps: counts.sleeps,
                bytes_in: counts.bytes_in,
                tick_ms: tail(&server_run.tick_us),
                lateness_ms: tail(&server_run.lateness_us),
                missed_ticks: counts.missed,
                skips: counts.skipped,
            },
            clients: ClientSide { cpu_cores: round(client_counts.cpu_s / wall), inputs: client_counts.inputs },
            gap_ms: GapMs {
                p50: round(client_counts.gap_ms[0]),
                p99: round(client_counts.gap_ms[1]),
                max: round(client_counts.gap_ms[2]),
            },
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, gap) = (&self.server, &self.gap_ms);
        writeln!(
            f,
            "floor            {} players at {} Hz, {} bytes out, {} in; {} s measured",
            self.players, self.hz, self.bytes, self.input_bytes, self.seconds
        )?;
        writeln!(
            f,
            "CPU              {} us per client and snapshot; {} cores for the server, {} for the clients",
            s.cpu_us_per_client_snapshot, s.cpu_cores, self.clients.cpu_cores
        )?;
        writeln!(
            f,
            "system calls     {} per client and snapshot ({} writes, {} reads)",
            s.syscalls_per_client_snapshot, s.writes_per_client_snapshot, s.reads_per_client_snapshot
        )?;
        writeln!(f, "frame gap        p50 {} ms, p99 {} ms, max {} ms", gap.p50, gap.p99, gap.max)?;
        writeln!(
            f,
            "frames received  {} of those due, worst client {}",
            self.share_received.mean, self.share_received.min
        )?;
        write!(
            f,
            "ticks            p99 {} ms long, {} ms late; {} missed, {} frames skipped",
            s.tick_ms.p99, s.lateness_ms.p99, s.missed_ticks, s.skips
        )
    }
}

fn tail(times_us: &Histogram<u32>) -> P50P99 {
    let ms = |quantile| round(times_us.value_at_quantile(quantile) as f64 / 1000.0);
    P50P99 { p50: ms(0.5), p99: ms(0.99) }
}

/// Rounds to three decimal places: the measurements are not more precise.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
