//! `cargo xtask bench`: what the server costs on this machine, in one go, and a gate that holds on noisy machines.
//!
//! - `machine`: what it runs on, as the reports name it.
//! - `micro`: the parts without sockets, timed.
//! - `counts`: the same parts in instructions, which other load on the machine does not change.
//! - `level`: a whole server under N players, and the floor for the same frames right after it.
//! - `wss`: the same players in the clear and by TLS.
//! - `draw`: the page without a GPU, by either renderer, through `webdriver`.
//! - `visit`: a first visit over a slow line, through `webdriver`.
//! - [`page`]: where tables and drawings go in `docs/BENCHMARKS.md`.
//! - `gate`: the limits on cost.

mod counts;
mod draw;
mod gate;
mod level;
mod machine;
mod micro;
mod page;
mod programs;
mod visit;
mod wss;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::workspace::{root, short, target_dir};

pub(crate) use gate::check as check_counts;

/// Players of the room curves.
const PLAYERS: [usize; 8] = [100, 250, 500, 1000, 1500, 2000, 2500, 3000];
/// Those of `--quick`.
const PLAYERS_QUICK: [usize; 3] = [100, 500, 1500];
/// Most players of the curve at 30 Hz.
const PLAYERS_30_MAX: usize = 2000;
/// Seconds measured at each level.
const SECONDS: u64 = 10;
/// Those of `--quick`.
const SECONDS_QUICK: u64 = 5;

/// Seconds over which the players of a level join.
const RAMP_SECONDS: u64 = 20;
/// Those of `--quick`.
const RAMP_SECONDS_QUICK: u64 = 12;

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A few levels and a few seconds each, done within three minutes after the build; writes nothing unless --write.
    #[arg(long)]
    quick: bool,
    /// Levels of the room curves, 1 to 10000 players each.
    #[arg(long, value_name = "PLAYERS,..", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000))]
    players: Vec<u32>,
    /// Seconds measured at each level, 1 to 600.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// Write docs/BENCHMARKS.md and docs/bench/ after a quick run too.
    #[arg(long)]
    write: bool,
    /// Instead: the same players by ws and by wss in turns, done within a minute after the build, and written to docs/BENCHMARKS.md.
    #[arg(long, conflicts_with_all = ["quick", "players", "seconds", "write", "gate"])]
    wss: bool,
    /// Instead: images per second and script time of the page in headless Chromium without a GPU, beside 14 bots, done within two
    /// minutes after the build, and written to docs/BENCHMARKS.md.
    #[arg(long, conflicts_with_all = ["quick", "players", "seconds", "write", "gate", "wss"])]
    draw: bool,
    /// Measure only how long a visit takes over a line of 20 Mbit/s and 40 ms, and what it loads.
    #[arg(long)]
    visit: bool,
    /// Instead: check instruction counts and the ratio to the floor against xtask/bench-ceilings.txt.
    #[arg(long, conflicts_with_all = ["quick", "players", "seconds", "write"])]
    gate: bool,
    /// With --gate: replace the ceilings by the values measured now.
    #[arg(long, requires = "gate")]
    set_ceilings: bool,
}

/// Measures, prints, and writes what was asked for.
pub(crate) fn bench(args: &Args) -> Result<()> {
    if args.gate {
        return gate::gate(if args.set_ceilings { gate::Ceilings::Replace } else { gate::Ceilings::Hold });
    }
    if args.visit {
        let (times, sizes) = visit::measure()?;
        say("a first visit", &times);
        say("its parts", &sizes);
        return fill(&[("visit", times), ("visit-sizes", sizes)]);
    }
    if args.draw {
        let table = draw::measure()?;
        say("drawing without a GPU", &table);
        return fill(&[("draw", table)]);
    }
    programs::build()?;
    if args.wss {
        let table = wss::measure(&folder()?)?;
        say("ws and wss", &table);
        return fill(&[("wss", table)]);
    }
    let began = Instant::now();
    let players: Vec<usize> = match (args.players.is_empty(), args.quick) {
        (false, _) => args.players.iter().map(|players| *players as usize).collect(),
        (true, true) => PLAYERS_QUICK.to_vec(),
        (true, false) => PLAYERS.to_vec(),
    };
    let time = level::Time {
        ramp_s: if args.quick { RAMP_SECONDS_QUICK } else { RAMP_SECONDS },
        measured_s: args.seconds.unwrap_or(if args.quick { SECONDS_QUICK } else { SECONDS }),
    };
    let machine = machine::Machine::look()?;
    say("machine", &machine.paragraph());
    let ledger = micro::ledger(if args.quick { 10 } else { 60 })?;
    say("ledger", &ledger);
    let cost = micro::cost(if args.quick { 120 } else { 600 })?;
    say("room", &cost);
    let counts = counts::measure()?;
    say("instructions", &counts::table(counts.as_ref()));
    let at_20 = curve(20, &players, time)?;
    let within: Vec<usize> = players.iter().copied().filter(|players| *players <= PLAYERS_30_MAX).collect();
    let at_30 = if args.quick { Vec::new() } else { curve(30, &within, time)? };
    let wss = if args.quick { None } else { Some(wss::measure(&folder()?)?) };
    say("ws and wss", wss.as_deref().unwrap_or("Left out of a quick run."));
    println!("measured in {:.0} s", began.elapsed().as_secs_f64());
    if args.quick && !args.write {
        return Ok(());
    }
    let mut sections = vec![
        ("machine", machine.paragraph()),
        ("ledger", ledger),
        ("room", cost),
        ("counts", counts::table(counts.as_ref())),
        ("rooms-20", level::table(&at_20)),
    ];
    if !at_30.is_empty() {
        sections.push(("rooms-30", level::table(&at_30)));
    }
    sections.extend(wss.map(|table| ("wss", table)));
    write(&sections, &at_20, &at_30)
}

fn curve(hz: u32, players: &[usize], time: level::Time) -> Result<Vec<level::Level>> {
    let folder = folder()?;
    let mut levels = Vec::new();
    for players in players {
        let level = level::Level::measure(&folder, hz, *players, time)?;
        println!("{level}");
        levels.push(level);
    }
    say(&format!("rooms at {hz} Hz"), &level::table(&levels));
    Ok(levels)
}

/// Where reports are kept.
fn folder() -> Result<PathBuf> {
    let folder = target_dir().join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", short(&folder)))?;
    Ok(folder)
}

fn say(title: &str, text: &str) {
    println!("\n## {title}\n\n{text}");
}

fn write(sections: &[(&str, String)], at_20: &[level::Level], at_30: &[level::Level]) -> Result<()> {
    fill(sections)?;
    let folder = root().join("docs/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", short(&folder)))?;
    for (name, svg) in level::plots(at_20, at_30) {
        let path = folder.join(name);
        fs::write(&path, svg).with_context(|| format!("cannot write {}", short(&path)))?;
        println!("wrote {}", short(&path));
    }
    Ok(())
}

/// Puts texts into docs/BENCHMARKS.md.
fn fill(sections: &[(&str, String)]) -> Result<()> {
    let path = root().join("docs/BENCHMARKS.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", short(&path)))?;
    let text = page::fill(&text, sections)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", short(&path)))?;
    println!("wrote {}", short(&path));
    Ok(())
}
