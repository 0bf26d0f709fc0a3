//! The load tester: `load ws://127.0.0.1:8080/ws --players 200 --seconds 20 --json report.json`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use broadside_shared::game::Game;
use clap::Parser;

use crate::assertion::Assertions;
use crate::guard;
use crate::in_range;
use crate::knee_search::{self, KneeRange};
use crate::load::health;
use crate::load::metrics::operator_token;
use crate::load::mix::LinkMix;
use crate::load::plan::LoadPlan;
use crate::load::run::Run;
use crate::load::script;
use crate::load::timeline::RunSecond;
use crate::output::{ReportFile, print_error, print_line, refuse_same_path};
use crate::report::{Histograms, Report, html_page};
use crate::socket::{Target, connect};
use crate::spawn::{Server, ServerOptions, server_program};
use crate::tls_verification::TlsVerification;

/// Largest default number of worker threads.
const DEFAULT_THREADS_MAX: usize = 4;

/// Many simulated players from one process, and what they measure.
///
/// One player in --full-every predicts and has the game's AI, and the others a cheap one. Every player decodes everything it receives,
/// unless --decode-every says otherwise.
/// Sockets are polled about once per millisecond, so arrival times are up to 1 ms late. Exits with 0 if every player joined and
/// stayed, everything was measured and all assertions held, with 1 if not, with 2 if the flags are wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", version, about, max_term_width = 100)]
struct Args {
    /// Address of the server; of a cluster also those of other nodes: the players are spread over all, and the metrics are those of the first
    #[arg(value_name = "URL", default_value = "ws://127.0.0.1:8080/ws", value_delimiter = ',', value_parser = Target::parse)]
    targets: Vec<Target>,

    #[command(flatten)]
    tls_verification: TlsVerification,

    /// Players, 1 to 10000
    #[arg(long, default_value_t = 100, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=10_000, " players"))]
    players: usize,

    /// Seconds to measure after all players have joined, 1 to 86400; with --find-knee, per level
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 1..=86_400, " seconds"))]
    seconds: u64,

    /// Seconds between the last join and the measurement, 0 to 600: the players need time to spread out
    #[arg(long, default_value_t = 8.0, value_name = "SECONDS", value_parser = |text: &str| in_range::<f64>(text, 0.0..=600.0, " seconds"))]
    settle: f64,

    /// Joins per second, 1 to 5000
    #[arg(long, default_value_t = 200.0, value_name = "PER SECOND", value_parser = |text: &str| in_range::<f64>(text, 1.0..=5000.0, " per second"))]
    rate: f64,

    /// Rooms to spread the players over, 1 to 1000, numbered from 1; with 1 the server chooses the room
    #[arg(long, default_value_t = 1, value_name = "ROOMS", value_parser = |text: &str| in_range::<usize>(text, 1..=1000, " rooms"))]
    rooms: usize,

    /// Link to simulate: clean, cable, wifi, 4g, lte, far, 3g, jittery, very-bad, tab-freeze or stall; or a mix with weights, such as
    /// wifi:70,4g:25,3g:5
    #[arg(long, default_value = "clean", value_name = "PROFILE")]
    link: LinkMix,

    /// Share of the players that leave and reconnect each minute, 0 to 1000 percent
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", value_parser = |text: &str| in_range::<f64>(text, 0.0..=1000.0, " percent"))]
    churn: f64,

    /// One in this many players runs the full client and the AI, 1 to 10000; the others have the cheap AI
    #[arg(long, default_value_t = 16, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=10_000, " players"))]
    full_every: usize,

    /// One in this many of the other players decodes its snapshots, 1 to 10000; the rest read only their heads: one core drives thousands
    #[arg(long, default_value_t = 1, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=10_000, " players"))]
    decode_every: usize,

    /// Skill of the AIs, 0 to 1
    #[arg(long, default_value_t = 0.6, value_name = "SKILL", value_parser = |text: &str| in_range::<f32>(text, 0.0..=1.0, ""))]
    skill: f32,

    /// Play this recording of a match instead of AIs: each player does what one of its players did, again and again, in its mode
    #[arg(long, value_name = "FILE", conflicts_with = "skill")]
    from: Option<PathBuf>,

    /// Worker threads, 1 to 64 [default: one per core, at most 4]
    #[arg(long, value_name = "THREADS", value_parser = |text: &str| in_range::<usize>(text, 1..=64, " threads"))]
    threads: Option<usize>,

    /// Seed of AIs and simulated links, 0 to 18446744073709551615
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = |text: &str| in_range::<u64>(text, 0..=u64::MAX, ""))]
    seed: u64,

    /// Write the report to this file as JSON; `-` writes it to standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the report to this file as a self-contained HTML page with charts
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Assertions that must hold, such as 'age_p99<120ms,share>0.99'; the program exits with 1 if one does not. A wrong name lists all
    /// names
    #[arg(long, value_name = "ASSERTIONS")]
    assert: Option<Assertions>,

    /// Raise the number of players level by level until an assertion breaks, such as 100..3000 or 100..3000x1.5
    #[arg(long, value_name = "FROM..TO", conflicts_with = "players")]
    find_knee: Option<KneeRange>,

    /// File with the operator's token of the server, which its metrics require [default: the file that your server on this machine has
    /// written]
    #[arg(long, value_name = "FILE", conflicts_with = "spawn")]
    operator_token: Option<PathBuf>,

    /// Start a server for this run, on a free port; it stops when the run ends
    #[arg(long, conflicts_with = "targets")]
    spawn: bool,

    /// The server's program for --spawn [default: the game's, next to this program or on PATH]
    #[arg(long, value_name = "PATH", requires = "spawn")]
    server: Option<PathBuf>,

    /// Let the server started by --spawn serve wss with a self-signed certificate, which is accepted for this run
    #[arg(long, requires = "spawn", conflicts_with_all = ["ca", "insecure"])]
    tls: bool,

    /// Snapshots and input packets per second of the server started by --spawn: the game's tick rate divided by 1 to 12 [default: 20,
    /// or the nearest that the game has]
    #[arg(long, value_name = "HZ", value_parser = |text: &str| in_range::<u32>(text, 1..=120, " per second"))]
    hz: Option<u32>,

    /// Seats per room of the server started by --spawn, 1 to 7900 [default: enough for the players]
    #[arg(long, value_name = "PLAYERS", requires = "spawn", value_parser = |text: &str| in_range::<usize>(text, 1..=7900, " players"))]
    capacity: Option<usize>,
}

/// Most ticks from one snapshot to the next that a server accepts.
const SNAPSHOT_EVERY_MAX: u32 = 12;
/// Snapshots per second without `--hz`: what the figures of docs/BENCHMARKS.md are measured with.
const DEFAULT_HZ: u32 = 20;

/// Ticks from one snapshot to the next.
fn snapshot_every<G: Game>(hz: Option<u32>) -> Result<u32, String> {
    let rates = (1..=SNAPSHOT_EVERY_MAX).filter(|every| G::TICK_HZ.is_multiple_of(*every));
    match hz {
        Some(hz) => rates.clone().find(|every| G::TICK_HZ / every == hz).ok_or_else(|| {
            let rates: Vec<String> = rates.map(|every| (G::TICK_HZ / every).to_string()).collect();
            format!("--hz {hz}: must be one of {} for a game of {} ticks per second", rates.join(", "), G::TICK_HZ)
        }),
        None => Ok(rates.min_by_key(|every| (G::TICK_HZ / every).abs_diff(DEFAULT_HZ)).unwrap_or(1)),
    }
}

/// Runs the load tester with players of a game; the whole of a game's program `load`. Flags come from the command line. `server` is the
/// name of the game's server program, for `--spawn`.
#[must_use]
pub fn load<G: Game>(server: &str) -> ExitCode {
    if guard::took_over() {
        return ExitCode::FAILURE;
    }
    let (args, _) = broadside_cli::parse::<Args>();
    let every = snapshot_every::<G>(args.hz).unwrap_or_else(|why| broadside_cli::refuse(&why));
    match run::<G>(&args, server, every) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print_error("load", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The report files.
struct ReportFiles {
    json: Option<ReportFile>,
    html: Option<ReportFile>,
}

fn run<G: Game>(args: &Args, server: &str, every: u32) -> anyhow::Result<bool> {
    if let (Some(hz), false) = (args.hz, args.spawn) {
        bail!("--hz {hz} is for the server started by --spawn; a running server has its own --snapshot-every");
    }
    let recording = args.from.as_deref().map(script::read::<G>).transpose().map_err(anyhow::Error::msg)?;
    let players = args.find_knee.map_or(args.players, |range| range.end);
    health::raise_file_limit(players).map_err(anyhow::Error::msg)?;
    let stop = Arc::new(AtomicBool::new(false));
    let on_signal = Arc::clone(&stop);
    ctrlc::set_handler(move || on_signal.store(true, Ordering::Relaxed)).context("cannot listen for Ctrl-C")?;
    let open = |flag, path: &Option<PathBuf>| path.as_deref().map(|path| ReportFile::open(flag, path)).transpose();
    let files = ReportFiles { json: open("--json", &args.json)?, html: open("--html", &args.html)? };
    refuse_same_path(files.json.as_ref(), files.html.as_ref())?;
    // Stops when dropped at the end of the run.
    let server = if args.spawn { Some(Server::start(&server_plan(args, server, every, players))?) } else { None };
    let verified = |target: Target| target.with_tls_verification(&args.tls_verification);
    let targets = match &server {
        Some(server) if args.tls => server.target().map(|target| vec![target]),
        Some(server) => server.target().and_then(verified).map(|target| vec![target]),
        None => args.targets.iter().cloned().map(verified).collect(),
    };
    let mut targets: Vec<Target> = targets.map_err(anyhow::Error::msg)?;
    targets.iter().try_for_each(check_target)?;
    let target = targets.remove(0);
    let token = operator_token(args.operator_token.as_deref(), target.resolve()?)?;
    let plan = LoadPlan { operator_token: token, recording, ..plan(args, (target, targets), players) };
    let outcome = measure::<G>(args, &plan, stop)?;
    drop(server);
    write_reports(files, &plan, &outcome)
}

/// Connects once before the run, so that a wrong URL is one error and not a thousand.
fn check_target(target: &Target) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(connect(target)).map(drop)?)
}

fn server_plan(args: &Args, server: &str, snapshot_every: u32, players: usize) -> ServerOptions {
    ServerOptions {
        program: args.server.clone().unwrap_or_else(|| server_program(server)),
        snapshot_every,
        capacity: args.capacity.unwrap_or(players.div_ceil(args.rooms)).clamp(1, 7900),
        rooms: args.rooms,
        tls: args.tls,
        ..ServerOptions::default()
    }
}

fn plan(args: &Args, (target, others): (Target, Vec<Target>), players: usize) -> LoadPlan {
    LoadPlan {
        target,
        others,
        operator_token: None,
        link: args.link.clone(),
        players,
        rate: args.rate,
        settle: Duration::from_secs_f64(args.settle),
        steady: Duration::from_secs(args.seconds),
        full_every: args.full_every,
        decode_every: args.decode_every,
        skill: args.skill,
        rooms: args.rooms,
        churn_percent: args.churn,
        threads: args.threads.unwrap_or_else(|| health::cores().min(DEFAULT_THREADS_MAX)),
        seed: args.seed,
        recording: None,
    }
}

/// The results of a run.
struct Outcome {
    report: Report,
    histograms: Histograms,
    rows: Vec<RunSecond>,
}

fn measure<G: Game>(args: &Args, plan: &LoadPlan, stop: Arc<AtomicBool>) -> anyhow::Result<Outcome> {
    let ramp = (plan.players as f64 / plan.rate).ceil() as u64 + 1;
    let levels = args.find_knee.map_or(1, |range| range.levels().len() as u64);
    let mut run = Run::start::<G>(plan.clone(), stop, ramp + levels * (args.seconds + args.settle as u64))?;
    let (mut report, histograms) = match args.find_knee {
        None => {
            run.ramp(plan.players);
            let measured = run.measure(plan.steady);
            (Report::new(plan, &measured), Histograms::new(&measured))
        }
        Some(range) => knee_search::search(&mut run, range, plan, args.assert.as_ref()),
    };
    if let (Some(assertions), None) = (&args.assert, &report.knee) {
        report.assertions = assertions.judge(&report);
    }
    Ok(Outcome { report, histograms, rows: run.end()? })
}

/// Writes the reports, and gives whether the run succeeded.
fn write_reports(files: ReportFiles, plan: &LoadPlan, outcome: &Outcome) -> anyhow::Result<bool> {
    let Outcome { report, histograms, rows } = outcome;
    let to_stdout = [&files.json, &files.html].into_iter().flatten().any(ReportFile::is_stdout);
    // A closed standard output is no error: the exit status remains.
    if !to_stdout {
        print_line(report)?;
    }
    if let Some(json) = files.json {
        json.write(&serde_json::to_string_pretty(report)?)?;
    }
    if let Some(html) = files.html {
        let targets: Vec<String> = std::iter::once(&plan.target).chain(&plan.others).map(Target::to_string).collect();
        html.write(&html_page(report, rows, histograms, &targets.join(", "))?)?;
    }
    let faults = report.faults();
    for fault in &faults {
        print_error("load", fault);
    }
    Ok(faults.is_empty())
}

#[cfg(test)]
mod tests {
    use broadside_shared::toy::Toy;

    use super::*;

    #[test]
    fn an_empty_command_line_is_fine_and_a_wrong_value_is_refused_with_its_range() {
        Args::try_parse_from(["x"]).expect("every flag has a default");
        for (flag, value, says) in [
            ("--skill", "7", "0 to 1"),
            ("--link", "wifi:70,5g:30", "must be one of clean"),
            ("--assert", "age<1ms", "must be one of age_p50"),
            ("--find-knee", "9..1", "9 is more than 1"),
            ("--churn", "-3", "0 to 1000 percent"),
            ("--hz", "0", "1 to 120 per second"),
        ] {
            let flag_value = format!("{flag}={value}");
            let refusal = Args::try_parse_from(["x", &flag_value]).expect_err("wrong").to_string();
            assert!(refusal.contains(flag) && refusal.contains(value) && refusal.contains(says), "{refusal}");
        }
    }

    #[test]
    fn the_snapshot_rate_divides_the_games_tick_rate() {
        assert_eq!([None, Some(20), Some(30), Some(5)].map(snapshot_every::<Toy>), [Ok(3), Ok(3), Ok(2), Ok(12)]);
        let refusal = snapshot_every::<Toy>(Some(25)).expect_err("60 is no multiple of it");
        assert!(refusal.contains("--hz 25: must be one of 60, 30, 20, 15, 12, 10, 6, 5"), "{refusal}");
    }
}
