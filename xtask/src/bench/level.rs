//! A whole server under N players for a number of seconds, and the floor for the same frames right after it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::plot::{Limit, Plot, Series, Tone};
use crate::table::Table;
use crate::workspace::program;

/// Longest measurement of the floor, in seconds: it is steadier than a server that is played on.
const FLOOR_SECONDS: u64 = 10;
/// Header and mask of a client's WebSocket frame of up to 125 bytes.
const INPUT_HEADER: f64 = 6.0;
/// The longest gap between two snapshots at the 99th percentile that counts as playable, in ms; from the same bar at which other
/// servers are compared.
const GAP_MS_MAX: f64 = 66.0;
/// The highest age of the picture at the 99th percentile that is aimed at, in ms.
const AGE_MS_MAX: f64 = 100.0;

/// How long a level is played.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    /// Seconds over which the players join. The arena grows as they come: were they all there at once, they would be measured in
    /// the crowd of the first moments and not as they play.
    pub(super) ramp_s: u64,
    /// Seconds measured.
    pub(super) measured_s: u64,
}

/// One level. `None` is a value that could not be measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Level {
    hz: u32,
    players: usize,
    joined: Option<f64>,
    in_view: Option<f64>,
    cpu_us: Option<f64>,
    cores: Option<f64>,
    rss_mb: Option<f64>,
    tick_p99_ms: Option<f64>,
    late_p99_ms: Option<f64>,
    missed: Option<f64>,
    age_p99_ms: Option<f64>,
    gap_p99_ms: Option<f64>,
    share: Option<f64>,
    payload_kbit: Option<f64>,
    load_late_p99_ms: Option<f64>,
    /// The players' side could not keep up: times are its fault.
    overloaded: bool,
    floor_us: Option<f64>,
    floor_gap_p99_ms: Option<f64>,
    /// Payload of a frame out and of an input in bytes, for the floor.
    frame_bytes: f64,
    input_bytes: f64,
}

/// Seconds between the last join and the measurement: the arena grows to its crowd, and the crowd spreads.
const SETTLE_S: &str = "8";
/// Every how many players one predicts and thinks; the others decode all and have the cheap AI.
const FULL_EVERY: &str = "32";

impl Level {
    /// Plays it. Reports are kept in `folder`.
    pub(super) fn measure(folder: &Path, hz: u32, players: usize, time: Time) -> Result<Level> {
        let (report, seconds) = (folder.join(format!("load-{hz}-{players}.json")), time.measured_s);
        let joins_per_s = (players as f64 / time.ramp_s as f64).max(1.0);
        let played = ask_program("load", &report, |load| {
            load.args(["--spawn", "--hz", &hz.to_string(), "--players", &players.to_string()]);
            load.args(["--seconds", &seconds.to_string(), "--rate", &joins_per_s.to_string(), "--settle", SETTLE_S]);
            load.args(["--full-every", FULL_EVERY]);
        })?;
        let mut level = Level::of_load(hz, players, &played);
        if level.frame_bytes < 1.0 {
            return Ok(level);
        }
        let report = folder.join(format!("floor-{hz}-{players}.json"));
        let floor = ask_program("floor", &report, |floor| {
            floor.args(["--players", &players.to_string(), "--hz", &hz.to_string()]);
            floor.args([
                "--seconds",
                &seconds.min(FLOOR_SECONDS).to_string(),
                "--bytes",
                &format!("{:.0}", level.frame_bytes),
            ]);
            floor.args(["--input-bytes", &format!("{:.0}", level.input_bytes.max(1.0))]);
        })?;
        level.floor_us = number(&floor, "/server/cpu_us_per_client_snapshot");
        level.floor_gap_p99_ms = number(&floor, "/gap_ms/p99");
        Ok(level)
    }

    fn of_load(hz: u32, players: usize, report: &Value) -> Level {
        let of = |path| number(report, path);
        let payload_kbit = of("/kbit_per_s/payload_down");
        let rate = of("/snapshot_rate_hz/p50").filter(|rate| *rate > 0.0);
        let frame_bytes = payload_kbit.zip(rate).map_or(0.0, |(kbit, rate)| kbit * 125.0 / rate);
        let input_bytes = of("/bytes_up_per_s/mean").map_or(0.0, |bytes| bytes / f64::from(hz) - INPUT_HEADER);
        Level {
            hz,
            players,
            joined: of("/joined"),
            in_view: of("/in_view/mean"),
            cpu_us: of("/server/cpu_us_per_client_snapshot"),
            cores: of("/server/cpu_cores"),
            rss_mb: of("/server/rss_mb"),
            tick_p99_ms: of("/server/tick_ms/p99"),
            late_p99_ms: of("/server/lateness_ms/p99"),
            missed: of("/server/missed_ticks"),
            age_p99_ms: of("/snapshot_age_ms/p99"),
            gap_p99_ms: of("/snapshot_gap_ms/p99"),
            share: of("/share_received/p50"),
            payload_kbit,
            load_late_p99_ms: of("/load/lateness_ms/p99"),
            overloaded: report.pointer("/load/overloaded").and_then(Value::as_bool).unwrap_or(false),
            frame_bytes,
            input_bytes,
            ..Level::default()
        }
    }

    /// Players, and how many of them got a seat if not all did.
    fn seated(&self) -> String {
        match self.joined {
            Some(joined) if joined < self.players as f64 => format!("{joined} of {}", self.players),
            Some(_) | None => self.players.to_string(),
        }
    }

    /// The server's CPU against the floor's, for the same frames.
    pub(super) fn ratio(&self) -> Option<f64> {
        let (server, floor) = self.cpu_us.zip(self.floor_us)?;
        (floor > 0.0).then(|| server / floor)
    }
}

/// One line while the next level is being played.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:5} players at {} Hz: {} us per client and snapshot, floor {}, ratio {}; tick p99 {} ms, age p99 {} ms, gap p99 {} ms, \
             {} kbit/s, {} ticks missed",
            self.players,
            self.hz,
            shown(self.cpu_us, 1),
            shown(self.floor_us, 1),
            shown(self.ratio(), 2),
            shown(self.tick_p99_ms, 1),
            shown(self.age_p99_ms, 0),
            shown(self.gap_p99_ms, 0),
            shown(self.payload_kbit, 1),
            shown(self.missed, 0),
        )
    }
}

/// All levels of a rate.
pub(super) fn table(levels: &[Level]) -> String {
    let mut table = Table::new(&[
        "players",
        "in view",
        "CPU us per client and snapshot",
        "floor us",
        "ratio",
        "cores",
        "tick p99 ms",
        "late p99 ms",
        "missed ticks",
        "age p99 ms",
        "gap p99 ms",
        "floor gap p99 ms",
        "received",
        "payload kbit/s",
        "server MB",
        "load late p99 ms",
    ]);
    for level in levels {
        table.row([
            level.seated(),
            shown(level.in_view, 0),
            shown(level.cpu_us, 1),
            shown(level.floor_us, 1),
            shown(level.ratio(), 2),
            shown(level.cores, 2),
            shown(level.tick_p99_ms, 1),
            shown(level.late_p99_ms, 1),
            shown(level.missed, 0),
            shown(level.age_p99_ms, 0),
            shown(level.gap_p99_ms, 0),
            shown(level.floor_gap_p99_ms, 0),
            shown(level.share.map(|share| share * 100.0), 1) + " %",
            shown(level.payload_kbit, 1),
            shown(level.rss_mb, 0),
            shown(level.load_late_p99_ms, 1) + if level.overloaded { ", overloaded" } else { "" },
        ]);
    }
    table.to_string()
}

/// The drawings, by file name.
pub(super) fn plots(at_20: &[Level], at_30: &[Level]) -> Vec<(&'static str, String)> {
    let series = |name: &str, tone, levels: &[Level], of: fn(&Level) -> Option<f64>| {
        let points = levels.iter().filter_map(|level| Some((level.players as f64, of(level)?))).collect();
        Series { name: name.to_owned(), tone, points }
    };
    let both = |of: fn(&Level) -> Option<f64>| {
        let mut both = vec![series("20 Hz", Tone::Blue, at_20, of)];
        if !at_30.is_empty() {
            both.push(series("30 Hz", Tone::Orange, at_30, of));
        }
        both
    };
    let mut cpu = both(|level| level.cpu_us);
    cpu.push(series("floor, 20 Hz", Tone::Grey, at_20, |level| level.floor_us));
    let limit = |value, name: &str| Some(Limit { value, name: name.to_owned() });
    let plot = |title: &str, unit: &str, series, limit| Plot {
        title: title.to_owned(),
        unit: unit.to_owned(),
        across: ("players in one arena", "players"),
        series,
        limit,
    };
    vec![
        ("cpu.svg", plot("Server CPU per client and snapshot", "us", cpu, None).svg()),
        (
            "age.svg",
            plot("Age of the picture, p99", "ms", both(|level| level.age_p99_ms), limit(AGE_MS_MAX, "aim")).svg(),
        ),
        (
            "gap.svg",
            plot("Gap between snapshots, p99", "ms", both(|level| level.gap_p99_ms), limit(GAP_MS_MAX, "aim at 30 Hz"))
                .svg(),
        ),
        (
            "tick.svg",
            plot("Length of a tick, p99", "ms", both(|level| level.tick_p99_ms), limit(1000.0 / 60.0, "60 Hz")).svg(),
        ),
        ("payload.svg", plot("Payload per player", "kbit/s", both(|level| level.payload_kbit), None).svg()),
    ]
}

/// Runs a program of ours that writes its values to `report`. A program that failed in part still has values.
pub(super) fn ask_program(name: &str, report: &Path, flags: impl FnOnce(&mut Command)) -> Result<Value> {
    if report.exists() {
        fs::remove_file(report).with_context(|| format!("cannot remove the old {}", report.display()))?;
    }
    let mut command = Command::new(program("release", name));
    flags(&mut command);
    command.arg("--json").arg(report).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start `{name}`"))?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(report.exists(), "`{name}` wrote no values ({}): {}", output.status, words.trim());
    if !output.status.success() {
        println!("{}", words.trim());
    }
    let text = fs::read_to_string(report).with_context(|| format!("cannot read {}", report.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", report.display()))
}

pub(super) fn number(report: &Value, path: &str) -> Option<f64> {
    report.pointer(path).and_then(Value::as_f64)
}

/// A value, or a dash where there is none.
pub(super) fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_gives_the_frames_that_the_floor_is_to_push() {
        let report = json!({
            "joined": 100, "kbit_per_s": { "payload_down": 32.0 }, "snapshot_rate_hz": { "p50": 20.0 },
            "bytes_up_per_s": { "mean": 440.0 }, "server": { "cpu_us_per_client_snapshot": 12.0, "rss_mb": null },
        });
        let mut level = Level::of_load(20, 100, &report);
        assert_eq!((level.frame_bytes, level.input_bytes), (200.0, 16.0));
        assert_eq!((level.rss_mb, level.ratio()), (None, None));
        level.floor_us = Some(8.0);
        assert_eq!(level.ratio(), Some(1.5));
        assert!(table(&[level]).contains("| 100 | - | 12.0 | 8.0 | 1.50 | - |"));
    }
}
