//! `cargo xtask soak`: a server with everything on under players who come and go, and what it takes of the machine minute by minute.
//!
//! Each minute a new crowd joins the arena over mixed links, some of it leaving and coming back, and leaves at its end; pairs play duels
//! meanwhile, each in a room of its own. Accounts, results, recordings of every room and checkpoints are kept on disk.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http;
use crate::plot::{Plot, Series, Tone};
use crate::process::{self, GLANCE, Service, run};
use crate::table::Table;
use crate::workspace::{cargo, program, short, target_dir};

/// Seconds that a crowd plays after its last join; with joining and leaving it takes about a minute.
const PLAYED: u64 = 45;
/// Bots that play duels, two in a room.
const DUELLISTS: &str = "20";

/// Arguments of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minutes to run.
    #[arg(long, value_name = "N", default_value_t = 30)]
    minutes: u32,
    /// Players in the arena.
    #[arg(long, value_name = "N", default_value_t = 500)]
    players: u32,
}

/// What the server took at the end of one crowd's minute.
struct Minute {
    at: f64,
    resident_mib: f64,
    files: f64,
    threads: f64,
    tick_p99_ms: Option<f64>,
    age_p99_ms: Option<f64>,
    rooms: f64,
    disk_mib: f64,
}

/// Runs it, prints the table, and draws two plots into `target/soak`.
pub(crate) fn soak(args: &Args) -> Result<()> {
    process::catch_stop_signals()?;
    run(&mut cargo("build --release --package broadside-server --package broadside-bots --bins"))?;
    let folder = target_dir().join("soak");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let data = folder.join("data");
    fs::create_dir_all(&data)?;
    let capacity = (args.players + 100).to_string();
    let mut command = Command::new(program("release", "broadside-server"));
    command.args(["--port", "0", "--bots", "0", "--record", "all", "--record-mb", "64", "--limit-exempt", "127.0.0.1"]);
    command.args(["--metrics-allow", "127.0.0.1", "--capacity", &capacity]).arg("--data").arg(&data);
    command.env("RUST_LOG", "warn");
    let mut server = Service::start("server", &command, Stdio::piped(), Stdio::inherit())?;
    let address = server.listening()?;
    let (began, mut minutes) = (Instant::now(), Vec::new());
    let mut buckets = Vec::new();
    while began.elapsed() < Duration::from_secs(u64::from(args.minutes) * 60) {
        let minute = one_minute(address, args.players, &folder, (began, &mut buckets))?;
        println!(
            "{:>5.1} min  {:>6.1} MiB  {:>4} files  {:>3} threads  {:>3} rooms  tick p99 {} ms  age p99 {} ms",
            minute.at,
            minute.resident_mib,
            minute.files,
            minute.threads,
            minute.rooms,
            shown(minute.tick_p99_ms),
            shown(minute.age_p99_ms)
        );
        minutes.push(minute);
    }
    server.end()?;
    println!("{}", table(&minutes));
    println!("{}", slope(&minutes));
    for (name, svg) in plots(&minutes) {
        let path = folder.join(name);
        fs::write(&path, svg)?;
        println!("{}", short(&path));
    }
    fs::remove_dir_all(&data)?;
    Ok(())
}

fn one_minute(
    address: SocketAddr,
    players: u32,
    folder: &Path,
    (began, before): (Instant, &mut Vec<(f64, f64)>),
) -> Result<Minute> {
    let url = format!("ws://{address}/ws");
    let report = folder.join("crowd.json");
    let mut duels = Command::new(program("release", "bot"));
    duels.arg(&url).args(["--count", DUELLISTS, "--mode", "duel"]);
    let duels = Service::start("duellists", &duels, Stdio::null(), Stdio::inherit())?;
    let mut crowd = Command::new(program("release", "load"));
    crowd.arg(&url).args(["--players", &players.to_string(), "--rate", "100", "--settle", "3"]);
    crowd.args(["--seconds", &PLAYED.to_string(), "--churn", "100", "--full-every", "16"]);
    crowd.args(["--link", "clean:40,wifi:40,4g:15,3g:5"]).arg("--json").arg(&report);
    let mut crowd = Service::start("crowd", &crowd, Stdio::null(), Stdio::null())?;
    let mut sample = None;
    let joined = Instant::now() + Duration::from_secs(u64::from(players) / 100 + 3);
    while crowd.ended()?.is_none() {
        ensure!(process::stop_signals() == 0, process::Stopped);
        // Before they leave.
        if sample.is_none() && Instant::now() > joined + Duration::from_secs(PLAYED - 5) {
            sample = Some(metrics(address)?);
        }
        std::thread::sleep(GLANCE);
    }
    duels.end()?;
    let text =
        fs::read_to_string(&report).context("the crowd left no report: see `cargo xtask bench` for what it needs")?;
    let report: Value = serde_json::from_str(&text)?;
    let sample = sample.context("the crowd left early")?;
    let value = |name: &str| http::metric(&sample, name);
    let now = buckets(&sample);
    let tick_p99_ms = p99(before, &now).map(|seconds| seconds * 1000.0);
    *before = now;
    Ok(Minute {
        at: began.elapsed().as_secs_f64() / 60.0,
        resident_mib: value("process_resident_memory_bytes")? / f64::from(1 << 20),
        files: value("process_open_fds")?,
        threads: value("process_threads")?,
        tick_p99_ms,
        age_p99_ms: report.pointer("/snapshot_age_ms/p99").and_then(Value::as_f64),
        rooms: value("broadside_rooms")?,
        disk_mib: bytes_below(&folder.join("data"))? as f64 / f64::from(1 << 20),
    })
}

fn metrics(address: SocketAddr) -> Result<String> {
    Ok(String::from_utf8_lossy(&http::get(address, "/metrics")?.body).into_owned())
}

/// Upper bounds of the lengths of ticks in seconds, and how many ticks were no longer.
fn buckets(metrics: &str) -> Vec<(f64, f64)> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix("broadside_tick_seconds_bucket{le=\""));
    let parsed = lines.filter_map(|line| {
        let (bound, count) = line.split_once("\"} ")?;
        Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().ok()?))
    });
    parsed.collect()
}

/// The bound below which 99 of 100 ticks are, of those since `before`.
fn p99(before: &[(f64, f64)], now: &[(f64, f64)]) -> Option<f64> {
    let since = |at: usize| now[at].1 - before.get(at).map_or(0.0, |(_, count)| *count);
    let all = since(now.len().checked_sub(1)?);
    (0..now.len()).find(|at| since(*at) >= all * 0.99).map(|at| now[at].0)
}

fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // A file may be gone by now.
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => bytes += data.len(),
                Err(_) => {}
            }
        }
    }
    Ok(bytes)
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

/// A row for about every fifth minute, and the last.
fn table(minutes: &[Minute]) -> Table {
    let mut table =
        Table::new(&["minute", "memory MiB", "files", "threads", "rooms", "tick p99 ms", "age p99 ms", "disk MiB"]);
    for (number, minute) in minutes.iter().enumerate() {
        if number % 5 == 0 || number + 1 == minutes.len() {
            table.row([
                format!("{:.0}", minute.at),
                format!("{:.1}", minute.resident_mib),
                minute.files.to_string(),
                minute.threads.to_string(),
                minute.rooms.to_string(),
                shown(minute.tick_p99_ms),
                shown(minute.age_p99_ms),
                format!("{:.1}", minute.disk_mib),
            ]);
        }
    }
    table
}

/// How fast the memory grows over the last two thirds, by least squares, and how far its values lie off that line.
fn slope(minutes: &[Minute]) -> String {
    let last = &minutes[minutes.len() / 3..];
    let count = last.len() as f64;
    let mean = |value: fn(&Minute) -> f64| last.iter().map(value).sum::<f64>() / count;
    let (x, y) = (mean(|minute| minute.at), mean(|minute| minute.resident_mib));
    let spread: f64 = last.iter().map(|minute| (minute.at - x).powi(2)).sum();
    let together: f64 = last.iter().map(|minute| (minute.at - x) * (minute.resident_mib - y)).sum();
    if spread == 0.0 {
        return "too few minutes for a slope".to_owned();
    }
    let slope = together / spread;
    let off: f64 = last.iter().map(|minute| (minute.resident_mib - y - slope * (minute.at - x)).powi(2)).sum();
    let deviation = (off / (count - 2.0).max(1.0)).sqrt();
    format!(
        "memory over the last {:.0} minutes: {:+.3} MiB a minute, standard error {:.3}; values lie {deviation:.2} MiB off that line",
        last[last.len() - 1].at - last[0].at,
        slope,
        deviation / spread.sqrt()
    )
}

fn plots(minutes: &[Minute]) -> [(&'static str, String); 2] {
    let curve = |name: &str, tone, value: fn(&Minute) -> Option<f64>| Series {
        name: name.to_owned(),
        tone,
        points: minutes.iter().filter_map(|minute| Some((minute.at, value(minute)?))).collect(),
    };
    let plot = |title: &str, unit: &str, series| Plot {
        title: title.to_owned(),
        unit: unit.to_owned(),
        across: ("minutes", "minutes"),
        series,
        limit: None,
    };
    let memory = vec![
        curve("memory, MiB", Tone::Blue, |minute| Some(minute.resident_mib)),
        curve("file descriptors / 10", Tone::Orange, |minute| Some(minute.files / 10.0)),
        curve("threads", Tone::Grey, |minute| Some(minute.threads)),
    ];
    let times = vec![
        curve("age of the picture", Tone::Blue, |minute| minute.age_p99_ms),
        curve("tick", Tone::Orange, |minute| minute.tick_p99_ms),
    ];
    [
        ("soak-memory.svg", plot("What the server takes", "see the names", memory).svg()),
        ("soak-times.svg", plot("p99 of each minute", "ms", times).svg()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_of_one_minute_are_those_since_the_last() {
        let page = |fast: u32, all: u32| {
            format!(
                "a 1\nbroadside_tick_seconds_bucket{{le=\"0.001\"}} {fast}\nbroadside_tick_seconds_bucket{{le=\"+Inf\"}} {all}\n"
            )
        };
        let (before, now) = (buckets(&page(10, 100)), buckets(&page(110, 200)));
        assert_eq!(p99(&before, &now), Some(0.001));
        assert_eq!(p99(&[], &now), Some(f64::INFINITY));
    }

    #[test]
    fn growing_memory_has_a_slope() {
        let minute = |at: u32| Minute {
            at: f64::from(at),
            resident_mib: 100.0 + 2.0 * f64::from(at),
            files: 0.0,
            threads: 0.0,
            tick_p99_ms: None,
            age_p99_ms: None,
            rooms: 0.0,
            disk_mib: 0.0,
        };
        let minutes: Vec<Minute> = (0..30).map(minute).collect();
        assert!(slope(&minutes).contains("+2.000 MiB a minute"), "{}", slope(&minutes));
    }
}
