//! The load tester: `load ws://127.0.0.1:8080/ws --players 200 --seconds 20 --json report.json`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broadside_bots::load::{self, LoadPlan, LoadProgress};
use broadside_bots::report::Report;
use broadside_bots::socket::{Target, connect};
use broadside_bots::{in_range, link};
use broadside_shared::link::LinkProfile;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Many simulated players from one process, and what they feel.
///
/// Exits with 0 when every player joined and stayed, with 1 when some did not, with 2 when the flags are wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", version, about, max_term_width = 100)]
struct Args {
    /// Address of the server
    #[arg(value_name = "URL", default_value = "ws://127.0.0.1:8080/ws", value_parser = Target::parse)]
    target: Target,

    /// Players, 1 to 10000
    #[arg(long, default_value_t = 100, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=10_000, " players"))]
    players: usize,

    /// Seconds to measure once all have joined, 1 to 86400
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 1..=86_400, " seconds"))]
    seconds: u64,

    /// Joins per second, 1 to 5000
    #[arg(long, default_value_t = 200.0, value_name = "PER SECOND", value_parser = |text: &str| in_range::<f64>(text, 1.0..=5000.0, " per second"))]
    rate: f64,

    /// Every how many players one is flown by the arena's brain, 1 to 10000; the others fly a cheap pattern
    #[arg(long, default_value_t = 8, value_name = "PLAYERS", value_parser = |text: &str| in_range::<usize>(text, 1..=10_000, " players"))]
    brains_every: usize,

    /// Skill of the brains, 0 to 1
    #[arg(long, default_value_t = 0.6, value_name = "SKILL", value_parser = |text: &str| in_range::<f32>(text, 0.0..=1.0, ""))]
    skill: f32,

    /// The line to play over: clean, cable, wifi, 4g, lte, far, 3g, jittery, very-bad, tab-freeze or stall
    #[arg(long, default_value = "clean", value_name = "PROFILE", value_parser = link)]
    link: LinkProfile,

    /// Seed of the pilots, 0 to 18446744073709551615
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,

    /// Write the report to this file as JSON; `-` writes it to standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(&args)));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<bool> {
    // One connection first: a wrong address is one line and not a thousand.
    drop(connect(&args.target).await?);
    // A clean line needs no proxy.
    let (target, _proxy) = if args.link == LinkProfile::CLEAN {
        (args.target.clone(), None)
    } else {
        let (target, proxy) = args.target.through(args.link, args.seed).await?;
        (target, Some(proxy))
    };
    let plan = LoadPlan {
        target,
        link: args.link,
        players: args.players,
        rate: args.rate,
        steady: Duration::from_secs(args.seconds),
        brains_every: args.brains_every,
        skill: args.skill,
        seed: args.seed,
    };
    let progress = Arc::new(LoadProgress::default());
    let bar = tokio::spawn(show(Arc::clone(&progress), args.players, expected_seconds(args)));
    let outcome = load::run(&plan, &progress).await;
    bar.abort();
    let _ = bar.await;
    let report = Report::new(args.players, &outcome, &progress);
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if !to_stdout {
        println!("{report}");
    }
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report)?;
        if to_stdout {
            println!("{json}");
        } else {
            std::fs::write(path, json + "\n")
                .map_err(|error| anyhow::anyhow!("cannot write --json {}: {error}", path.display()))?;
        }
    }
    if !report.all_played() {
        let why = report.first_error.as_deref().unwrap_or("no reason given");
        let (refused, dropped) = (report.players - report.joined, report.dropped);
        eprintln!("load: {refused} players could not join, {dropped} were dropped; the first: {why}");
    }
    Ok(report.all_played())
}

fn expected_seconds(args: &Args) -> u64 {
    args.seconds + (args.players as f64 / args.rate).ceil() as u64
}

/// A bar with live figures, where there is a terminal to draw it on.
async fn show(progress: Arc<LoadProgress>, players: usize, seconds: u64) {
    let bar = ProgressBar::new(seconds * 10);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} {bar:30} {msg}") {
        bar.set_style(style);
    }
    let mut before = 0;
    let mut tenth = tokio::time::interval(Duration::from_millis(100));
    for step in 0u64.. {
        tenth.tick().await;
        bar.inc(1);
        if step.is_multiple_of(10) {
            let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
            let snapshots = count(&progress.snapshots);
            let (joined, dropped) = (count(&progress.joined), count(&progress.dropped));
            bar.set_message(format!(
                "{joined}/{players} joined, {} refused, {dropped} dropped, {} snapshots/s",
                count(&progress.refused),
                snapshots - before,
            ));
            before = snapshots;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_command_line_is_fine_and_a_wrong_value_is_refused_with_its_range() {
        Args::try_parse_from(["x"]).expect("every flag has a default");
        let refusal = Args::try_parse_from(["x", "--skill", "7"]).expect_err("out of range").to_string();
        assert!(refusal.contains("--skill") && refusal.contains('7') && refusal.contains("0 to 1"), "{refusal}");
    }
}
