//! `cargo xtask faults --cluster`: what players of a cluster feel while a part of it breaks, and how long its nodes need to agree again.
//!
//! Three nodes share a PostgreSQL server and one NATS server, or three, and each has its third of the bots. PostgreSQL runs throughout; what
//! a fault touches is fresh for each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::faults::{Args, BEFORE, SEATED_WITHIN, Wrapped, bare, build, fake_time, report};
use crate::felt::{self, Bots, Felt};
use crate::link::Link;
use crate::nats::Nats;
use crate::nodes::{Common, Node, Nodes, Recovery};
use crate::process::{self, Service, free_port, wait};
use crate::table::Table;
use crate::{play_cluster, postgres, toolchain};

/// Bots, if nobody says how many.
const PLAYERS: u32 = 60;
/// Nodes.
const NODES: u16 = 3;
/// Where in the list of nodes the one is to which something happens.
const STRUCK: usize = 1;
/// How long bots play after a fault, at least: for longer than a lease of 6 s, after which a node that fell silent is hidden.
const AFTER: Duration = Duration::from_secs(10);
/// For how long a node is stopped: longer than its lease.
const STOPPED: Duration = Duration::from_secs(9);
/// How often the bots are started until they are spread.
const SPREADS_MAX: usize = 3;
/// How long a bot tries to come back.
const RETRY_S: &str = "60";

/// What breaks.
struct Fault {
    name: &'static str,
    /// How many NATS servers there are; with one, each node reaches it through a link of its own.
    nats: NatsServers,
    /// Flags of the nodes beyond those of every run.
    flags: &'static [&'static str],
    /// Of the struck node.
    wrapped: Wrapped,
    strike: fn(&mut Scene<'_>) -> Result<()>,
}

#[derive(Clone, Copy)]
enum NatsServers {
    One,
    Three,
}

impl Fault {
    const fn of_nodes(name: &'static str, strike: fn(&mut Scene<'_>) -> Result<()>) -> Fault {
        Fault { name, nats: NatsServers::One, flags: &[], wrapped: bare, strike }
    }
}

const FAULTS: [Fault; 12] = [
    Fault::of_nodes("nothing", |_| Ok(())),
    Fault::of_nodes("kill -9 of a node", |scene| scene.struck().kill()),
    Fault::of_nodes("a node stopped for 9 s (STOP, CONT)", stop),
    Fault::of_nodes("the link of a node to NATS cut for 20 s", |scene| cut(scene, Duration::from_secs(20))),
    Fault::of_nodes("NATS killed, and started empty", start_nats_empty),
    Fault {
        nats: NatsServers::Three,
        ..Fault::of_nodes("one of three NATS servers killed", |scene| scene.kill_nats(0))
    },
    Fault {
        nats: NatsServers::Three,
        ..Fault::of_nodes("two of three NATS servers killed, back 10 s later", kill_two)
    },
    Fault::of_nodes("a fourth server with the number of the second", same_number),
    Fault {
        flags: &["--drain-wait", "5"],
        ..Fault::of_nodes("a node ended (TERM, --drain-wait 5)", |scene| scene.struck().end())
    },
    Fault::of_nodes("three hand-overs, one node after the other", hand_over_each),
    Fault::of_nodes("three nodes ended (TERM), each replaced by a new one", replace_each),
    Fault { wrapped: fake_time, ..Fault::of_nodes("the clock of a node an hour ahead", step_the_clock) },
];

/// With --long: a minute, in which the attempts to connect pile up.
const LONG: Fault =
    Fault::of_nodes("the link of a node to NATS cut for 60 s", |scene| cut(scene, Duration::from_secs(60)));

/// Runs the faults, and prints the table.
pub(crate) fn faults(args: &Args) -> Result<()> {
    process::catch_stop_signals()?;
    build()?;
    let nats = toolchain::ensure_nats()?;
    let programs = toolchain::ensure_postgres()?;
    let folder = std::env::temp_dir().join(format!("broadside-faults-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let done = postgres::start(&programs, &folder, free_port()?).and_then(|(postgres, database)| {
        let done =
            play_cluster::key(&folder).and_then(|key| Stage { args, nats, folder: &folder, key, database }.play_all());
        let ended = postgres::end(postgres);
        done.and(ended)
    });
    let removed = fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()));
    done.and(removed)
}

/// What all faults have in common.
struct Stage<'a> {
    args: &'a Args,
    /// The program.
    nats: PathBuf,
    folder: &'a Path,
    key: PathBuf,
    database: String,
}

impl Stage<'_> {
    fn play_all(&self) -> Result<()> {
        let players = self.args.players(PLAYERS);
        let mut table = Table::new(&[felt::COLUMNS.as_slice(), &["whole again after s"]].concat());
        let (mut left_out, mut failed, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for fault in FAULTS.iter().chain(self.args.long.then_some(&LONG)).filter(|fault| self.args.asks_for(fault.name))
        {
            let wrapped = match (fault.wrapped)() {
                Ok(wrapped) => wrapped,
                Err(why) => {
                    left_out.push(format!("{}: {why:#}", fault.name));
                    continue;
                }
            };
            eprintln!("{}", fault.name);
            let wrong = match self.play(fault, &wrapped, players) {
                Ok(outcome) => {
                    let whole = [seconds(outcome.recovery.whole_after)];
                    table.row(outcome.felt.row(fault.name, outcome.back, players).into_iter().chain(whole));
                    if outcome.recovery.forgot_after.is_some() {
                        let after = seconds(outcome.recovery.forgot_after);
                        notes.push(format!("{}: its rooms were gone from every list after {after} s", fault.name));
                    }
                    outcome.wrong(players)
                }
                Err(error) if error.is::<process::Stopped>() => return Err(error),
                Err(error) => Some(format!("{error:#}")),
            };
            failed.extend(wrong.map(|wrong| format!("{}: {wrong}", fault.name)));
            ensure!(process::stop_signals() == 0, process::Stopped);
        }
        let reported = report(&table, &left_out, &failed);
        notes.iter().for_each(|note| println!("{note}"));
        reported
    }

    fn play(&self, fault: &Fault, wrapped: &[String], players: u32) -> Result<Outcome> {
        let folder = self.folder.join("fault");
        fs::create_dir_all(&folder)?;
        let mut scene = Scene { stage: self, folder: folder.clone(), fault, nodes: Nodes::default(), nats: Vec::new() };
        let played = scene.start(wrapped).and_then(|()| scene.run(players));
        let went_well = played.as_ref().is_ok_and(|outcome| outcome.wrong(players).is_none());
        if !went_well && process::stop_signals() == 0 {
            eprintln!("{}", scene.nodes.logs());
        }
        // Kills what still runs.
        drop(scene);
        let removed = fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()));
        played.and_then(|outcome| removed.map(|()| outcome))
    }
}

/// What came of a fault.
struct Outcome {
    felt: Felt,
    /// Bots in a seat at the end.
    back: u32,
    recovery: Recovery,
    /// Whether all programs ended well.
    ended: Result<()>,
}

impl Outcome {
    /// What must not be.
    fn wrong(&self, players: u32) -> Option<String> {
        let unseated = (self.back != players).then(|| format!("{} of {players} are in a seat", self.back));
        let ended = self.ended.as_ref().err().map(|error| format!("{error:#}"));
        let wrong: Vec<String> = unseated.into_iter().chain(self.recovery.wrong.clone()).chain(ended).collect();
        (!wrong.is_empty()).then(|| wrong.join(", "))
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64()))
}

/// A cluster with bots. Its parts end in this order.
struct Scene<'a> {
    nodes: Nodes,
    /// With what runs of each.
    nats: Vec<(Nats, Option<Service>)>,
    stage: &'a Stage<'a>,
    folder: PathBuf,
    fault: &'a Fault,
}

impl Scene<'_> {
    /// Starts NATS and the nodes, and waits until each sees the others.
    fn start(&mut self, wrapped: &[String]) -> Result<()> {
        let servers = match self.fault.nats {
            NatsServers::One => vec![Nats::alone(&self.stage.nats, &self.folder)?],
            NatsServers::Three => Nats::three(&self.stage.nats, &self.folder)?,
        };
        for nats in servers {
            let service = nats.start()?;
            self.nats.push((nats, Some(service)));
        }
        for number in 1..=NODES {
            let wrapped = if usize::from(number) == STRUCK + 1 { wrapped } else { &[] };
            let node = self.node(number, &format!("node-{number}"), wrapped)?;
            self.nodes.0.push(node);
        }
        self.nodes.until_whole()
    }

    fn node(&self, number: u16, name: &str, wrapped: &[String]) -> Result<Node> {
        let (nats, link) = match self.fault.nats {
            NatsServers::One => {
                let link = Link::before(self.nats[0].0.address())?;
                (format!("nats://{}", link.address()), Some(link))
            }
            NatsServers::Three => (self.nats.iter().map(|(nats, _)| nats.url()).collect::<Vec<_>>().join(","), None),
        };
        let Stage { key, database, .. } = self.stage;
        let common = Common { folder: &self.folder, key, database, flags: self.fault.flags };
        Node::start(&common, (number, name), &nats, link, wrapped)
    }

    fn run(&mut self, players: u32) -> Result<Outcome> {
        let bots = self.spread_bots(players)?;
        wait(BEFORE)?;
        (self.fault.strike)(self)?;
        let recovery = self.nodes.watch(AFTER)?;
        let back = self.nodes.seated()?;
        let (felt, bots_ended) = Bots::end_all(bots);
        let nodes_ended = self.nodes.end();
        let nats = std::mem::take(&mut self.nats).into_iter().filter_map(|(_, service)| service).collect();
        let ended = [bots_ended, nodes_ended, process::end_all(nats)].into_iter().collect();
        Ok(Outcome { felt: felt?, back, recovery, ended })
    }

    /// Starts the bots, until some of them are in a seat of each node: a node without players sends those who come first to one that has
    /// announced some already.
    fn spread_bots(&self, players: u32) -> Result<Vec<Bots>> {
        for _ in 0..SPREADS_MAX {
            let bots = self.start_bots(players)?;
            let seated = self.until_seated(|all| all >= players)?;
            if players < u32::from(NODES) || !seated.contains(&0) {
                return Ok(bots);
            }
            Bots::end_all(bots).1?;
            self.until_seated(|all| all == 0)?;
        }
        bail!("after {SPREADS_MAX} attempts the bots are not spread over the nodes");
    }

    /// For each node a process of bots that begin there and know the others.
    fn start_bots(&self, players: u32) -> Result<Vec<Bots>> {
        let urls: Vec<String> = self.nodes.0.iter().map(|node| format!("ws://{}/ws", node.address)).collect();
        let nodes = u32::from(NODES);
        let start = |node: u32| {
            let mut urls = urls.clone();
            urls.rotate_left(node as usize);
            let count = players / nodes + u32::from(node < players % nodes);
            let seed = (node * players + 1).to_string();
            Bots::start(count, &[&urls.join(","), "--retry", RETRY_S, "--seed", &seed])
        };
        (0..nodes).filter(|node| *node < players).map(start).collect()
    }

    /// Waits until as many as they should be are in a seat, and says how many on each node.
    fn until_seated(&self, should_be: impl Fn(u32) -> bool) -> Result<Vec<u32>> {
        let until = Instant::now() + SEATED_WITHIN;
        loop {
            let seated: Vec<u32> = self.nodes.living().map(Node::seated).collect::<Result<_>>()?;
            if should_be(seated.iter().sum()) {
                return Ok(seated);
            }
            ensure!(Instant::now() < until, "{seated:?} are in a seat after {SEATED_WITHIN:?}");
            wait(Duration::from_millis(100))?;
        }
    }

    fn struck(&mut self) -> &mut Node {
        &mut self.nodes.0[STRUCK]
    }

    fn kill_nats(&mut self, index: usize) -> Result<()> {
        // Its drop kills it and waits for that.
        self.nats[index].1.take().map(drop).context("it runs")
    }

    fn start_nats(&mut self, index: usize) -> Result<()> {
        let (nats, service) = &mut self.nats[index];
        *service = Some(nats.start()?);
        Ok(())
    }
}

// What strikes.

fn stop(scene: &mut Scene<'_>) -> Result<()> {
    let server = &scene.nodes.0[STRUCK].server;
    server.signal(Signal::SIGSTOP)?;
    let hidden = wait(STOPPED).and_then(|()| scene.nodes.ensure_hidden(STRUCK));
    server.signal(Signal::SIGCONT)?;
    hidden
}

fn cut(scene: &mut Scene<'_>, time: Duration) -> Result<()> {
    let link = scene.nodes.0[STRUCK].link.as_ref().context("with one NATS server there are links")?;
    link.cut();
    wait(time)?;
    let hidden = scene.nodes.ensure_alone(STRUCK);
    link.heal();
    hidden
}

fn start_nats_empty(scene: &mut Scene<'_>) -> Result<()> {
    scene.kill_nats(0)?;
    scene.nats[0].0.forget()?;
    scene.start_nats(0)
}

/// With one of three left there is nobody who may decide: each node is alone, until two are back.
fn kill_two(scene: &mut Scene<'_>) -> Result<()> {
    scene.kill_nats(0)?;
    wait(AFTER)?;
    scene.kill_nats(1)?;
    wait(AFTER)?;
    for index in 0..scene.nodes.0.len() {
        scene.nodes.ensure_alone(index)?;
    }
    scene.start_nats(0)?;
    scene.start_nats(1)
}

/// Nobody learns of it, and it says why.
fn same_number(scene: &mut Scene<'_>) -> Result<()> {
    let number = scene.struck().number;
    let mut node = scene.node(number, "fourth", &[])?;
    let until = Instant::now() + AFTER;
    while node.standing()? != "duplicate" {
        ensure!(Instant::now() < until, "it says {:?} of itself, and not duplicate", node.standing()?);
        wait(Duration::from_millis(100))?;
    }
    wait(AFTER)?;
    ensure!(node.standing()? == "duplicate", "it has taken the number");
    node.end()
}

fn hand_over_each(scene: &mut Scene<'_>) -> Result<()> {
    for index in 0..scene.nodes.0.len() {
        scene.nodes.0[index].hand_over()?;
        // As an operator would: not before the cluster is well.
        scene.nodes.until_whole()?;
        wait(Duration::from_secs(2))?;
    }
    Ok(())
}

/// The rooms of each move to another node, and there is a new one for the next.
fn replace_each(scene: &mut Scene<'_>) -> Result<()> {
    for index in 0..scene.nodes.0.len() {
        let number = scene.nodes.0[index].number;
        scene.nodes.0[index].end()?;
        scene.nodes.0[index] = scene.node(number, &format!("new {number}"), &[])?;
        scene.nodes.until_whole()?;
        wait(Duration::from_secs(2))?;
    }
    Ok(())
}

fn step_the_clock(scene: &mut Scene<'_>) -> Result<()> {
    fs::write(&scene.struck().clock, "+3600")?;
    wait(Duration::from_secs(3))
}
