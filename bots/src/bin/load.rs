//! The load tester: `load ws://127.0.0.1:8080/ws --players 200 --seconds 20 --json report.json`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use broadside_bots::assertion::Assertion;
use broadside_bots::guard;
use broadside_bots::in_range;
use broadside_bots::knee_search::{self, KneeRange};
use broadside_bots::load::health;
use broadside_bots::load::metrics::operator_token;
use broadside_bots::load::mix::LinkMix;
use broadside_bots::load::plan::LoadPlan;
use broadside_bots::load::run::Run;
use broadside_bots::load::timeline::RunSecond;
use broadside_bots::output::{ReportFile, print_error, print_line, refuse_same_path};
use broadside_bots::report::{Histograms, Report, html_page};
use broadside_bots::socket::{Target, connect};
use broadside_bots::spawn::{Server, ServerOptions};
use broadside_bots::tls_verification::TlsVerification;
use clap::Parser;

/// Thousands of clients allocate all the time; this allocator is quicker at it than most systems' own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads of players at the most, unless more are asked for.
const THREADS: usize = 4;

/// Many simulated players from one process, and what they feel.
///
/// Every player decodes everything it is sent; every k-th also predicts its own ship, and is flown by the arena's ai. Sockets
/// are looked at about once a millisecond, so times of arrival are up to a millisecond too late. Exits with 0 when every
/// player joined and stayed, all was measured and all assertions held, with 1 when not, with 2 when the flags are wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", version, about, max_term_width = 100)]
struct Args {
    /// Address of the server
    #[arg(value_name = "URL", default_value = "ws://127.0.0.1:8080/ws", value_parser = Target::parse)]
    target: Target,

    #[command(flatten)]
    tls_verification: TlsVerification,

    /// Players, 1 to 10000
    #[arg(long, default_value_t = 100, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=10_000, " players"))]
    players: usize,

    /// Seconds to measure once all have joined, 1 to 86400; with --find-knee, for each level
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 1..=86_400, " seconds"))]
    seconds: u64,

    /// Seconds between the last join and the measuring, 0 to 600: the arena grows with its players, and they need time to spread
    #[arg(long, default_value_t = 8.0, value_name = "SECONDS", value_parser = |text: &str| in_range::<f64>(text, 0.0..=600.0, " seconds"))]
    settle: f64,

    /// Joins per second, 1 to 5000
    #[arg(long, default_value_t = 200.0, value_name = "PER SECOND", value_parser = |text: &str| in_range::<f64>(text, 1.0..=5000.0, " per second"))]
    rate: f64,

    /// Rooms to spread the players over, 1 to 1000; they are numbered from 1. With 1 the server chooses
    #[arg(long, default_value_t = 1, value_name = "ROOMS", value_parser = |text: &str| in_range::<usize>(text, 1..=1000, " rooms"))]
    rooms: usize,

    /// The line to play over: clean, cable, wifi, 4g, lte, far, 3g, jittery, very-bad, tab-freeze or stall; or a mix with
    /// weights, such as wifi:70,4g:25,3g:5
    #[arg(long, default_value = "clean", value_name = "PROFILE")]
    link: LinkMix,

    /// Share of the players that leave and come back each minute, 0 to 1000 percent
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", value_parser = |text: &str| in_range::<f64>(text, 0.0..=1000.0, " percent"))]
    churn: f64,

    /// Every how many players one runs the full client and the ai, 1 to 10000; the others decode all and fly a pattern
    #[arg(long, alias = "ais-every", default_value_t = 16, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=10_000, " players"))]
    full_every: usize,

    /// Skill of the AIs, 0 to 1
    #[arg(long, default_value_t = 0.6, value_name = "SKILL", value_parser = |text: &str| in_range::<f32>(text, 0.0..=1.0, ""))]
    skill: f32,

    /// Threads that run the players, 1 to 64 [default: one per core, at most 4]
    #[arg(long, value_name = "THREADS", value_parser = |text: &str| in_range::<usize>(text, 1..=64, " threads"))]
    threads: Option<usize>,

    /// Seed of pilots and lines, 0 to 18446744073709551615
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = |text: &str| in_range::<u64>(text, 0..=u64::MAX, ""))]
    seed: u64,

    /// Write the report to this file as JSON; `-` writes it to standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the report to this file as a page with plots; it opens without a network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// What must hold, such as 'age_p99<120ms,share>0.99'; exits with 1 if it does not. A wrong name lists all there are
    #[arg(long, value_name = "CLAIMS")]
    assert: Option<Assertion>,

    /// Raise the players level by level until an assertion breaks, such as 100..3000 or 100..3000x1.5
    #[arg(long, value_name = "FROM..TO", conflicts_with = "players")]
    find_knee: Option<KneeRange>,

    /// File with the operator's token of the server, which its metrics ask for [default: what a server of yours on this machine has left]
    #[arg(long, value_name = "FILE", conflicts_with = "spawn")]
    operator_token: Option<PathBuf>,

    /// Start a server for this run, on a free port; it ends with the run
    #[arg(long, conflicts_with = "target")]
    spawn: bool,

    /// The server's program for --spawn [default: broadside-server next to this program, or on PATH]
    #[arg(long, value_name = "PATH", requires = "spawn")]
    server: Option<PathBuf>,

    /// Let the server that --spawn starts speak wss, with a certificate of its own making that is trusted for this run
    #[arg(long, requires = "spawn", conflicts_with_all = ["ca", "insecure"])]
    tls: bool,

    /// Snapshots and input packets per second of the server that --spawn starts, 20 or 30 [default: 20]
    #[arg(long, value_name = "HZ", value_parser = hz)]
    hz: Option<u32>,

    /// Players that a room of the server that --spawn starts seats, 1 to 7900 [default: as many as will come]
    #[arg(long, value_name = "PLAYERS", requires = "spawn", value_parser = |text: &str| in_range::<usize>(text, 1..=7900, " players"))]
    capacity: Option<usize>,
}

fn hz(text: &str) -> Result<u32, String> {
    match text {
        "20" => Ok(20),
        "30" => Ok(30),
        _ => Err("must be 20 or 30".to_owned()),
    }
}

fn main() -> ExitCode {
    if guard::took_over() {
        return ExitCode::FAILURE;
    }
    let (args, _) = broadside_cli::parse::<Args>();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print_error("load", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Where the reports go.
struct ReportFiles {
    json: Option<ReportFile>,
    html: Option<ReportFile>,
}

fn run(args: &Args) -> anyhow::Result<bool> {
    if let (Some(hz), false) = (args.hz, args.spawn) {
        bail!(
            "--hz {hz} is for the server that --spawn starts; a server that runs already has its own --snapshot-every"
        );
    }
    let players = args.find_knee.map_or(args.players, |range| range.most);
    health::make_room(players).map_err(anyhow::Error::msg)?;
    let stop = Arc::new(AtomicBool::new(false));
    let on_signal = Arc::clone(&stop);
    ctrlc::set_handler(move || on_signal.store(true, Ordering::Relaxed)).context("cannot listen for Ctrl-C")?;
    let open = |flag, path: &Option<PathBuf>| path.as_deref().map(|path| ReportFile::open(flag, path)).transpose();
    let files = ReportFiles { json: open("--json", &args.json)?, html: open("--html", &args.html)? };
    refuse_same_path(files.json.as_ref(), files.html.as_ref())?;
    // Lives until the end of the run, and ends then.
    let server = if args.spawn { Some(Server::start(&server_plan(args, players))?) } else { None };
    let target = match &server {
        Some(server) if args.tls => server.target(),
        Some(server) => server.target().and_then(|target| target.with_tls_verification(&args.tls_verification)),
        None => args.target.clone().with_tls_verification(&args.tls_verification),
    };
    let target = target.map_err(anyhow::Error::msg)?;
    say_hello(&target)?;
    let token = operator_token(args.operator_token.as_deref(), target.resolve()?)?;
    let plan = LoadPlan { operator_token: token, ..plan(args, target, players) };
    let outcome = play(args, &plan, stop)?;
    drop(server);
    tell(files, &plan, &outcome)
}

/// One connection first: a wrong address is one line and not a thousand.
fn say_hello(target: &Target) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(connect(target)).map(drop)?)
}

fn server_plan(args: &Args, players: usize) -> ServerOptions {
    ServerOptions {
        program: args.server.clone(),
        snapshot_every: if args.hz == Some(30) { 2 } else { 3 },
        capacity: args.capacity.unwrap_or(players.div_ceil(args.rooms)).clamp(1, 7900),
        rooms: args.rooms,
        tls: args.tls,
        ..ServerOptions::default()
    }
}

fn plan(args: &Args, target: Target, players: usize) -> LoadPlan {
    LoadPlan {
        target,
        operator_token: None,
        link: args.link.clone(),
        players,
        rate: args.rate,
        settle: Duration::from_secs_f64(args.settle),
        steady: Duration::from_secs(args.seconds),
        full_every: args.full_every,
        skill: args.skill,
        rooms: args.rooms,
        churn_percent: args.churn,
        threads: args.threads.unwrap_or_else(|| health::cores().min(THREADS)),
        seed: args.seed,
    }
}

/// What a run brought.
struct Outcome {
    report: Report,
    histograms: Histograms,
    rows: Vec<RunSecond>,
}

fn play(args: &Args, plan: &LoadPlan, stop: Arc<AtomicBool>) -> anyhow::Result<Outcome> {
    let ramp = (plan.players as f64 / plan.rate).ceil() as u64 + 1;
    let levels = args.find_knee.map_or(1, |range| range.levels().len() as u64);
    let mut run = Run::start(plan.clone(), stop, ramp + levels * (args.seconds + args.settle as u64))?;
    let (mut report, histograms) = match args.find_knee {
        None => {
            run.ramp(plan.players);
            let measured = run.measure(plan.steady);
            (Report::new(plan, &measured), Histograms::new(&measured))
        }
        Some(range) => knee_search::search(&mut run, range, plan, args.assert.as_ref()),
    };
    if let (Some(assertion), None) = (&args.assert, &report.knee) {
        report.assertions = assertion.judge(&report);
    }
    Ok(Outcome { report, histograms, rows: run.end()? })
}

/// Writes the reports, and says whether all went as it should.
fn tell(files: ReportFiles, plan: &LoadPlan, outcome: &Outcome) -> anyhow::Result<bool> {
    let Outcome { report, histograms, rows } = outcome;
    let to_stdout = [&files.json, &files.html].into_iter().flatten().any(ReportFile::is_stdout);
    // Who has gone does not read the report, and the exit status says the rest.
    if !to_stdout {
        print_line(report)?;
    }
    if let Some(json) = files.json {
        json.write(&serde_json::to_string_pretty(report)?)?;
    }
    if let Some(html) = files.html {
        html.write(&html_page(report, rows, histograms, &plan.target.to_string())?)?;
    }
    let faults = report.faults();
    for fault in &faults {
        print_error("load", fault);
    }
    Ok(faults.is_empty())
}

#[cfg(test)]
mod tests {
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
            ("--hz", "60", "20 or 30"),
        ] {
            let flag_value = format!("{flag}={value}");
            let refusal = Args::try_parse_from(["x", &flag_value]).expect_err("wrong").to_string();
            assert!(refusal.contains(flag) && refusal.contains(value) && refusal.contains(says), "{refusal}");
        }
    }
}
