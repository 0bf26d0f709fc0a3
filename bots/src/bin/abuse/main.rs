//! The abuse kit: `abuse --spawn --all` runs every attack against a server full of bots, and reports the effect on the attacker, on the
//! other players and on the server.
//!
//! | module | what it holds |
//! |---|---|
//! | `attack` | what an attack is, the allowed reactions and the outcome |
//! | `attacks` | every attack |
//! | `attacker`, `raw_connection` | a connection whose every byte can be chosen |
//! | `probes` | well-behaved players that measure what the others experience |
//! | `newcomer` | whether a new player still gets in |
//! | `testbed` | the server under attack and its resource usage |
//! | `report` | the table and the verdicts |

mod attack;
mod attacker;
mod attacks;
mod newcomer;
mod probes;
mod raw_connection;
mod report;
mod testbed;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use attack::Attack;
use broadside_arena::Arena;
use broadside_bots::load::health;
use broadside_bots::output::{ReportFile, StdoutState, print_error, print_line};
use broadside_bots::socket::Target;
use broadside_bots::spawn::server_program;
use broadside_bots::tls_verification::TlsVerification;
use broadside_bots::{guard, in_range};
use broadside_shared::game::Game;
use clap::Parser;
use probes::ProbeClients;
use report::{AttackRow, HEAD, Observation, VerdictLimits};
use testbed::{ProcessUsage, Testbed};

/// Open files that the attacks need.
const FILES: usize = 1000;
/// Longest wait for the probe clients to play, and for a newcomer to get in.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time the server has to release what attackers left behind.
const SETTLE: Duration = Duration::from_secs(8);
/// Pause between two readings of the server's resource usage.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// Runs attacks against a server on this machine and reports the effect on the attacker, on the other players and on the server.
///
/// Servers on other machines are refused. Exits with 0 if every verdict is good, with 1 if one is bad, with 2 if the flags are wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "abuse", version, about, max_term_width = 100)]
struct Args {
    /// Address of a running server on this machine, such as ws://127.0.0.1:8080/ws; attacks that need a server of their own are
    /// skipped
    #[arg(value_name = "URL", value_parser = Target::parse, required_unless_present_any = ["spawn", "list"])]
    target: Option<Target>,

    #[command(flatten)]
    tls_verification: TlsVerification,

    /// Start servers for this run; they stop when it ends
    #[arg(long, conflicts_with = "target")]
    spawn: bool,

    /// The server's program for --spawn [default: broadside-server next to this program, or on PATH]
    #[arg(long, value_name = "PATH", requires = "spawn")]
    server: Option<PathBuf>,

    /// Run every attack
    #[arg(long, conflicts_with_all = ["short", "only"])]
    all: bool,

    /// Run a dozen of the attacks, each for a shorter time
    #[arg(long, conflicts_with = "only")]
    short: bool,

    /// Run the attacks with these names, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// List the attacks
    #[arg(long)]
    list: bool,

    /// Write the table to this file as JSON; `-` writes it to standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Number of players up to which the server started by --spawn fills its room with bots, 0 to 80
    #[arg(long, default_value_t = 12, value_name = "BOTS", value_parser = |text: &str| in_range::<usize>(text, 0..=80, " bots"))]
    bots: usize,

    /// Duration of an attack that the server does not end, 1 to 60 seconds [default: 4, with --short 2]
    #[arg(long, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 1..=60, " seconds"))]
    seconds: Option<u64>,

    /// Limit for the other players' gap between snapshots at the 99th percentile, 50 to 60000 milliseconds; above it the verdict is bad
    #[arg(long, default_value_t = 500.0, value_name = "MS", value_parser = |text: &str| in_range::<f64>(text, 50.0..=60_000.0, " ms"))]
    gap_limit: f64,

    /// Limit for the server's memory growth during an attack, 1 to 10000 MiB; above it the verdict is bad
    #[arg(long, default_value_t = 64.0, value_name = "MIB", value_parser = |text: &str| in_range::<f64>(text, 1.0..=10_000.0, " MiB"))]
    memory_limit: f64,
}

fn main() -> ExitCode {
    abuse::<Arena>("broadside-server")
}

/// Runs attacks on servers of a game; `server` is the name of its server program.
fn abuse<G: Game>(server: &'static str) -> ExitCode {
    if guard::took_over() {
        return ExitCode::FAILURE;
    }
    let (args, _) = broadside_cli::parse::<Args>();
    let attacks = match selected::<G>(&args) {
        Ok(attacks) => attacks,
        Err(error) => {
            print_error("abuse", format_args!("{error:#}"));
            return ExitCode::from(2);
        }
    };
    let done = if args.list { list(&attacks) } else { run::<G>(&args, server, &attacks) };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print_error("abuse", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The attacks that the flags select.
fn selected<G: Game>(args: &Args) -> anyhow::Result<Vec<Attack>> {
    let mut attacks = attacks::all::<G>();
    if args.list || args.all {
        return Ok(attacks);
    }
    if args.short {
        attacks.retain(|attack| attack.short);
        return Ok(attacks);
    }
    ensure!(!args.only.is_empty(), "no attack selected: use --all, --short or --only NAME; --list prints the names");
    for name in &args.only {
        ensure!(
            attacks.iter().any(|attack| attack.name == name),
            "no attack is called {name:?}; --list prints the names"
        );
    }
    attacks.retain(|attack| args.only.iter().any(|name| name == attack.name));
    Ok(attacks)
}

fn list(attacks: &[Attack]) -> anyhow::Result<bool> {
    for attack in attacks {
        let short = if attack.short { "short" } else { "" };
        if print_line(format_args!("{:<20} {short:<5}  {}", attack.name, attack.about))? == StdoutState::Closed {
            break;
        }
    }
    Ok(true)
}

fn run<G: Game>(args: &Args, server: &str, attacks: &[Attack]) -> anyhow::Result<bool> {
    health::raise_file_limit(FILES).map_err(anyhow::Error::msg)?;
    let file = args.json.as_deref().map(|path| ReportFile::open("--json", path)).transpose()?;
    let shown = !file.as_ref().is_some_and(ReportFile::is_stdout);
    if shown {
        print_line(HEAD)?;
    }
    let limits = VerdictLimits { gap_ms: args.gap_limit, memory_mib: args.memory_limit };
    let (mut rows, mut kept) = (Vec::new(), None);
    for (index, attack) in attacks.iter().enumerate() {
        let mut monitored =
            match kept.take().filter(|monitored: &MonitoredTestbed| monitored.testbed.kind == attack.kind) {
                Some(monitored) => monitored,
                None => match MonitoredTestbed::new::<G>(args, server, attack)? {
                    Some(monitored) => monitored,
                    None => continue,
                },
            };
        monitored.testbed.attacker_address = testbed::attacker_address(index);
        let row = AttackRow::new(monitored.run(args, attack)?, limits);
        if shown {
            print_line(&row)?;
        }
        // After a bad verdict the next attack gets a fresh server.
        kept = Some(monitored).filter(|_| row.good || !args.spawn);
        rows.push(row);
    }
    drop(kept);
    ensure!(!rows.is_empty(), "none of these attacks can run against a server that is already running: use --spawn");
    if let Some(file) = file {
        file.write(&serde_json::to_string_pretty(&rows)?)?;
    }
    let bad = rows.iter().filter(|row| !row.good).count();
    if bad > 0 {
        print_error("abuse", format_args!("{bad} of {} verdicts are bad", rows.len()));
    }
    Ok(bad == 0)
}

/// A server with probe clients connected to it.
struct MonitoredTestbed {
    // Declared first, so dropped first: a probe client counts the end of its server as an error.
    probes: ProbeClients,
    testbed: Testbed,
}

impl MonitoredTestbed {
    /// Prepares the server that an attack needs; `None` if the attack needs a server of its own and a running one was given.
    fn new<G: Game>(args: &Args, server: &str, attack: &Attack) -> anyhow::Result<Option<MonitoredTestbed>> {
        let length = Duration::from_secs(args.seconds.unwrap_or(if args.short { 2 } else { 4 }));
        let testbed = match &args.target {
            None => {
                let program = args.server.clone().unwrap_or_else(|| server_program(server));
                Testbed::spawn(program, attack.kind, args.bots, length)?
            }
            Some(target) => {
                let target =
                    target.clone().with_tls_verification(&args.tls_verification).map_err(anyhow::Error::msg)?;
                let address = target.resolve()?;
                if !(address.ip().is_loopback() && address.is_ipv4()) {
                    bail!(
                        "{target} is at {}, must be in 127.0.0.0/8: abuse is only for servers on this machine",
                        address.ip()
                    );
                }
                let testbed = Testbed::running(target, address, length);
                if testbed.kind != attack.kind || attack.suspends_server {
                    return Ok(None);
                }
                testbed
            }
        };
        let probes =
            ProbeClients::start::<G>(&testbed.target).context("cannot start the thread of the probe clients")?;
        Ok(Some(MonitoredTestbed { probes, testbed }))
    }

    /// Runs an attack and observes its effects.
    fn run<'a>(&mut self, args: &Args, attack: &'a Attack) -> anyhow::Result<Observation<'a>> {
        let quiet = Duration::from_millis(if args.short { 500 } else { 2000 });
        let playing = self.probes.wait(PATIENCE);
        let _ = self.probes.take();
        std::thread::sleep(quiet);
        let (before, _) = self.probes.take();
        let (usage_before, began) = (self.testbed.usage(), Instant::now());
        let (outcome, peak) = match playing {
            Ok(()) => self.attack(attack),
            Err(why) => (Err(anyhow::anyhow!("the probe clients are not playing: {why}")), usage_before),
        };
        let seconds = began.elapsed().as_secs_f64();
        let (during, lost) = self.probes.take();
        let newcomer = newcomer::admit(&self.testbed, PATIENCE).err().map(|reaction| reaction.to_string());
        let memory_mib = peak.map_or(0.0, |peak| peak.memory_mib);
        let usage = self.settled(usage_before).map(|usage| ProcessUsage { memory_mib, ..usage });
        let ended = self.testbed.ended();
        Ok(Observation { attack, outcome, before, during, lost, usage_before, usage, newcomer, ended, seconds })
    }

    /// Runs the attack; also gives the server's usage at its memory peak.
    fn attack(&self, attack: &Attack) -> (anyhow::Result<attack::Outcome>, Option<ProcessUsage>) {
        std::thread::scope(|scope| {
            let running = scope.spawn(|| (attack.run)(&self.testbed));
            let mut peak = self.testbed.usage();
            while !running.is_finished() {
                std::thread::sleep(SAMPLE_EVERY);
                let usage = self.testbed.usage();
                peak = [peak, usage].into_iter().flatten().max_by(|a, b| a.memory_mib.total_cmp(&b.memory_mib));
            }
            let outcome = running.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the attack itself panicked")));
            (outcome, peak)
        })
    }

    /// The server's usage once its descriptors are back at `before`, or after [`SETTLE`].
    fn settled(&self, before: Option<ProcessUsage>) -> Option<ProcessUsage> {
        let until = Instant::now() + SETTLE;
        loop {
            let usage = self.testbed.usage();
            let done = usage.zip(before).is_none_or(|(usage, before)| usage.descriptors <= before.descriptors);
            if done || Instant::now() > until {
                return usage;
            }
            std::thread::sleep(SAMPLE_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_select_attacks_and_a_server() {
        Args::try_parse_from(["x", "--list"]).expect("--list needs no server");
        assert!(Args::try_parse_from(["x", "--all"]).is_err(), "no server was named");
        let only = Args::try_parse_from(["x", "--spawn", "--only", "text,unmasked"]).expect("two attacks");
        assert_eq!(selected::<Arena>(&only).expect("both exist").len(), 2);
        let short = Args::try_parse_from(["x", "--spawn", "--short"]).expect("a server and a selection");
        assert!((10..=16).contains(&selected::<Arena>(&short).expect("a selection").len()));
        let wrong = Args::try_parse_from(["x", "--spawn", "--only", "nothing"]).expect("a name");
        let refusal = selected::<Arena>(&wrong).err().expect("no such attack").to_string();
        assert!(refusal.contains("\"nothing\"") && refusal.contains("--list"), "{refusal}");
    }
}
