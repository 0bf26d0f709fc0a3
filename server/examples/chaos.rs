//! Chaos: random walks of the whole server in virtual time, seed after seed, with what always holds checked after every step.
//!
//! `cargo run -p broadside-server --example chaos -- [--minutes N] [--seed S] [--once] [--shrink SECONDS] [--replay FILE]`
//!
//! Runs the seeds from S on for N minutes on two threads; with `--once`, only seed S. A failing seed is shrunk to the fewest events that
//! still fail and printed with the command that repeats it; the exit code is then 1. The last minute of each of its rooms is written below
//! `target/chaos`, and `--replay` steps one of them again and checks every hash: `broadside-server replay` does for walks that play the arena.

#[path = "../tests/sim/chaos/mod.rs"]
mod chaos;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broadside_server::recordings::check;
use broadside_shared::toy::Toy;

/// Threads that run seeds.
const THREADS: usize = 2;
struct Args {
    minutes: u64,
    seed: u64,
    once: bool,
    /// Time for which a failing seed is shrunk.
    shrink_for: Duration,
    replay: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = match read_args() {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!(
                "chaos: {wrong}; usage: chaos [--minutes N] [--seed S] [--once] [--shrink SECONDS] [--replay FILE]"
            );
            return ExitCode::from(2);
        }
    };
    if let Some(file) = &args.replay {
        let replayed = check::replay::<Toy>(file);
        println!("{}", replayed.as_ref().unwrap_or_else(|why| why));
        return if replayed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    // Rooms panic on demand; what fails is printed below.
    std::panic::set_hook(Box::new(|_| {}));
    let until = Instant::now() + Duration::from_secs(args.minutes * 60);
    let next = AtomicU64::new(args.seed);
    let (virtual_ms, events, runs) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let has_failed = AtomicBool::new(false);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_over = if args.once { seed > args.seed } else { Instant::now() >= until };
            if is_over || has_failed.load(Ordering::Relaxed) {
                return;
            }
            match chaos::play(seed, args.shrink_for) {
                Ok(seen) => {
                    virtual_ms.fetch_add(seen.virtual_ms, Ordering::Relaxed);
                    events.fetch_add(seen.events as u64, Ordering::Relaxed);
                    runs.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => {
                    has_failed.store(true, Ordering::Relaxed);
                    println!("{failure}");
                    match failure.keep(Path::new("target/chaos")) {
                        Ok(lines) => lines.iter().for_each(|line| println!("{line}")),
                        Err(error) => println!("the last minutes of its rooms cannot be written: {error}"),
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (0..if args.once { 1 } else { THREADS }).for_each(|_| drop(scope.spawn(work)));
    });
    let (runs, events) = (runs.into_inner(), events.into_inner());
    println!("{runs} runs held: {} simulated minutes, {events} events", virtual_ms.into_inner() / 60_000);
    if has_failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn read_args() -> Result<Args, String> {
    let mut args = Args { minutes: 1, seed: 0, once: false, shrink_for: Duration::from_secs(60), replay: None };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut number = || {
            let text = given.next().ok_or_else(|| format!("{flag} needs a number"))?;
            text.parse::<u64>().map_err(|_| format!("`{text}` is no number"))
        };
        match flag.as_str() {
            "--minutes" => args.minutes = number()?,
            "--seed" => args.seed = number()?,
            "--shrink" => args.shrink_for = Duration::from_secs(number()?),
            "--once" => args.once = true,
            "--replay" => args.replay = Some(given.next().ok_or("--replay needs a file")?.into()),
            _ => return Err(format!("there is no `{flag}`")),
        }
    }
    Ok(args)
}
