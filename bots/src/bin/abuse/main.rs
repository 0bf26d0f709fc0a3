//! The abuse kit: `abuse --spawn --all` plays every attack against a server full of bots, and says what became of the offender, of
//! the others and of the server.
//!
//! | module | what it holds |
//! |---|---|
//! | `attacks` | every attack, and what must come of it |
//! | `offender`, `line` | a connection of which every byte can be chosen |
//! | `witness` | well-behaved players who tell how it feels |
//! | `scene` | the server, and what it holds |
//! | `report` | the table, and the verdict |

mod attacks;
mod line;
mod offender;
mod report;
mod scene;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use attacks::Attack;
use broadside_bots::load::health;
use broadside_bots::output::{Reader, Sink, complain, say};
use broadside_bots::socket::Target;
use broadside_bots::trust::Trust;
use broadside_bots::{guard, in_range};
use clap::Parser;
use report::{HEAD, Limits, Row, Seen};
use scene::{Held, Scene};
use witness::Witnesses;

/// Files that the attacks need.
const FILES: usize = 1000;
/// Longest wait for the witnesses to play, and for a newcomer to get in.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time for the server to let go of what offenders left behind.
const SETTLE: Duration = Duration::from_secs(8);
/// Time between two looks at what the server holds.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Plays attacks against a server on this machine, and says what became of the offender, of the others and of the server.
///
/// It refuses servers elsewhere. Exits with 0 when every verdict is good, with 1 when one is bad, with 2 when the flags are wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "abuse", version, about, max_term_width = 100)]
struct Args {
    /// Address of a server on this machine that runs already, such as ws://127.0.0.1:8080/ws; attacks that need a server of their
    /// own are left out
    #[arg(value_name = "URL", value_parser = Target::parse, required_unless_present_any = ["spawn", "list"])]
    target: Option<Target>,

    #[command(flatten)]
    trust: Trust,

    /// Start servers for the run; they end with it
    #[arg(long, conflicts_with = "target")]
    spawn: bool,

    /// The server's program for --spawn [default: broadside-server next to this program, or on PATH]
    #[arg(long, value_name = "PATH", requires = "spawn")]
    server: Option<PathBuf>,

    /// Play every attack
    #[arg(long, conflicts_with_all = ["short", "only"])]
    all: bool,

    /// Play a dozen of them, briefly
    #[arg(long, conflicts_with = "only")]
    short: bool,

    /// Play these, by name; separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// Say which attacks there are
    #[arg(long)]
    list: bool,

    /// Write the table to this file as JSON; `-` writes it to standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Bots that the server of --spawn fills its room with, 0 to 80
    #[arg(long, default_value_t = 12, value_name = "BOTS", value_parser = |text: &str| in_range::<usize>(text, 0..=80, " bots"))]
    bots: usize,

    /// Seconds for which an attack goes on that nobody ends, 1 to 60 [default: 4, with --short 2]
    #[arg(long, value_name = "SECONDS", value_parser = |text: &str| in_range::<u64>(text, 1..=60, " seconds"))]
    seconds: Option<u64>,

    /// Gap between snapshots of the others at the 99th percentile above which a verdict is bad, 50 to 60000 milliseconds
    #[arg(long, default_value_t = 500.0, value_name = "MS", value_parser = |text: &str| in_range::<f64>(text, 50.0..=60_000.0, " ms"))]
    gap_limit: f64,

    /// Memory that an attack may cost the server, 1 to 10000 MiB
    #[arg(long, default_value_t = 64.0, value_name = "MIB", value_parser = |text: &str| in_range::<f64>(text, 1.0..=10_000.0, " MiB"))]
    memory_limit: f64,
}

fn main() -> ExitCode {
    if guard::took_over() {
        return ExitCode::FAILURE;
    }
    let (args, _) = broadside_cli::parse::<Args>();
    let attacks = match chosen(&args) {
        Ok(attacks) => attacks,
        Err(error) => {
            complain("abuse", format_args!("{error:#}"));
            return ExitCode::from(2);
        }
    };
    let done = if args.list { list(&attacks) } else { run(&args, &attacks) };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain("abuse", format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The attacks that are asked for.
fn chosen(args: &Args) -> anyhow::Result<Vec<Attack>> {
    let mut attacks = attacks::all();
    if args.list || args.all {
        return Ok(attacks);
    }
    if args.short {
        attacks.retain(|attack| attack.short);
        return Ok(attacks);
    }
    ensure!(!args.only.is_empty(), "say which attacks: --all, --short, or --only NAME; --list says which there are");
    for name in &args.only {
        ensure!(
            attacks.iter().any(|attack| attack.name == name),
            "no attack is called {name:?}; --list says which there are"
        );
    }
    attacks.retain(|attack| args.only.iter().any(|name| name == attack.name));
    Ok(attacks)
}

fn list(attacks: &[Attack]) -> anyhow::Result<bool> {
    for attack in attacks {
        let short = if attack.short { "short" } else { "" };
        if say(format_args!("{:<20} {short:<5}  {}", attack.name, attack.about))? == Reader::Gone {
            break;
        }
    }
    Ok(true)
}

fn run(args: &Args, attacks: &[Attack]) -> anyhow::Result<bool> {
    health::make_room(FILES).map_err(anyhow::Error::msg)?;
    let sink = args.json.as_deref().map(|path| Sink::open("--json", path)).transpose()?;
    let shown = !sink.as_ref().is_some_and(Sink::is_stdout);
    if shown {
        say(HEAD)?;
    }
    let limits = Limits { gap_ms: args.gap_limit, memory_mib: args.memory_limit };
    let (mut rows, mut stage) = (Vec::new(), None);
    for (index, attack) in attacks.iter().enumerate() {
        let mut set = match stage.take().filter(|set: &Stage| set.scene.kind == attack.kind) {
            Some(set) => set,
            None => match Stage::new(args, attack)? {
                Some(set) => set,
                None => continue,
            },
        };
        set.scene.rascal = scene::rascal_of(index);
        let row = Row::new(set.play(args, attack)?, limits);
        if shown {
            say(&row)?;
        }
        // A server that suffered is no measure for the next attack.
        stage = Some(set).filter(|_| row.good || !args.spawn);
        rows.push(row);
    }
    drop(stage);
    ensure!(!rows.is_empty(), "none of these attacks can be played on a server that runs already: use --spawn");
    if let Some(sink) = sink {
        sink.write(&serde_json::to_string_pretty(&rows)?)?;
    }
    let bad = rows.iter().filter(|row| !row.good).count();
    if bad > 0 {
        complain("abuse", format_args!("{bad} of {} verdicts are bad", rows.len()));
    }
    Ok(bad == 0)
}

/// A server with its witnesses.
struct Stage {
    // Dropped first: to a witness a server that ends is an error.
    witnesses: Witnesses,
    scene: Scene,
}

impl Stage {
    /// Sets one up for an attack; `None` if that needs a server that we may not start.
    fn new(args: &Args, attack: &Attack) -> anyhow::Result<Option<Stage>> {
        let length = Duration::from_secs(args.seconds.unwrap_or(if args.short { 2 } else { 4 }));
        let scene = match &args.target {
            None => Scene::spawn(args.server.clone(), attack.kind, args.bots, length)?,
            Some(target) => {
                let target = target.clone().trusting(&args.trust).map_err(anyhow::Error::msg)?;
                let address = target.resolve()?;
                if !(address.ip().is_loopback() && address.is_ipv4()) {
                    bail!(
                        "{target} is at {}, must be in 127.0.0.0/8: abuse is for servers on this machine",
                        address.ip()
                    );
                }
                let scene = Scene::running(target, address, length);
                if scene.kind != attack.kind || attack.stands_still {
                    return Ok(None);
                }
                scene
            }
        };
        let witnesses = Witnesses::start(&scene.target).context("the system gives no thread for the witnesses")?;
        Ok(Some(Stage { witnesses, scene }))
    }

    /// Plays an attack.
    fn play<'a>(&mut self, args: &Args, attack: &'a Attack) -> anyhow::Result<Seen<'a>> {
        let quiet = Duration::from_millis(if args.short { 500 } else { 2000 });
        let playing = self.witnesses.wait(PATIENCE);
        let _ = self.witnesses.take();
        std::thread::sleep(quiet);
        let (before, _) = self.witnesses.take();
        let (held_before, began) = (self.scene.held(), Instant::now());
        let (outcome, most) = match playing {
            Ok(()) => self.attack(attack),
            Err(why) => (Err(anyhow::anyhow!("the witnesses do not play: {why}")), held_before),
        };
        let seconds = began.elapsed().as_secs_f64();
        let (during, lost) = self.witnesses.take();
        let newcomer = self.scene.lets_in_a_newcomer(PATIENCE).err().map(|met| met.to_string());
        let memory_mib = most.map_or(0.0, |most| most.memory_mib);
        let held = self.settled(held_before).map(|held| Held { memory_mib, ..held });
        let ended = self.scene.ended();
        Ok(Seen { attack, outcome, before, during, lost, held_before, held, newcomer, ended, seconds })
    }

    /// Runs it, and looks meanwhile at how much memory the server takes.
    fn attack(&self, attack: &Attack) -> (anyhow::Result<attacks::Outcome>, Option<Held>) {
        std::thread::scope(|scope| {
            let running = scope.spawn(|| (attack.run)(&self.scene));
            let mut most = self.scene.held();
            while !running.is_finished() {
                std::thread::sleep(LOOK_EVERY);
                let held = self.scene.held();
                most = [most, held].into_iter().flatten().max_by(|a, b| a.memory_mib.total_cmp(&b.memory_mib));
            }
            let outcome = running.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the attack itself broke down")));
            (outcome, most)
        })
    }

    /// What the server holds when it has let go of what offenders left behind, or after a while.
    fn settled(&self, before: Option<Held>) -> Option<Held> {
        let until = Instant::now() + SETTLE;
        loop {
            let held = self.scene.held();
            let done = held.zip(before).is_none_or(|(held, before)| held.descriptors <= before.descriptors);
            if done || Instant::now() > until {
                return held;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_say_what_to_play_and_against_whom() {
        Args::try_parse_from(["x", "--list"]).expect("it needs no server");
        assert!(Args::try_parse_from(["x", "--all"]).is_err(), "against whom?");
        let only = Args::try_parse_from(["x", "--spawn", "--only", "text,unmasked"]).expect("two attacks");
        assert_eq!(chosen(&only).expect("they are there").len(), 2);
        let short = Args::try_parse_from(["x", "--spawn", "--short"]).expect("the short form");
        assert!((10..=16).contains(&chosen(&short).expect("some").len()));
        let wrong = Args::try_parse_from(["x", "--spawn", "--only", "nothing"]).expect("a name");
        let refusal = chosen(&wrong).err().expect("no such attack").to_string();
        assert!(refusal.contains("\"nothing\"") && refusal.contains("--list"), "{refusal}");
    }
}
