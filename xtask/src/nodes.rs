//! The nodes of a cluster that something happens to, and whether each shows the others and the same rooms.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::http;
use crate::link::Link;
use crate::process::{free_port, wait};
use crate::server::Server;
use crate::workspace::program;

/// How long a cluster may take until it is whole.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// Lines of a node's log that are shown after a fault that failed.
const LOG_LINES: usize = 20;
/// Bits of a room's number below those of its node.
const ROOM_BITS: u32 = 20;

/// What all nodes of a cluster have in common.
pub(crate) struct Common<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) key: &'a Path,
    pub(crate) database: &'a str,
    /// Flags beyond those of every run.
    pub(crate) flags: &'static [&'static str],
}

/// A node.
pub(crate) struct Node {
    pub(crate) number: u16,
    pub(crate) address: SocketAddr,
    /// Its link to NATS, if it reaches it through one.
    pub(crate) link: Option<Link>,
    /// The file with what its wall clock is ahead by, where that is faked.
    pub(crate) clock: PathBuf,
    pub(crate) server: Server,
    /// What it has logged.
    log: PathBuf,
    /// Whether it takes part: false once it was ended.
    is_living: bool,
}

impl Node {
    /// Starts the node with this number, with `wrapped` before its program and flags. `name` tells it from others with the same number.
    /// Gives it once it answers.
    pub(crate) fn start(
        common: &Common<'_>,
        (number, name): (u16, &str),
        nats: &str,
        link: Option<Link>,
        wrapped: &[String],
    ) -> Result<Node> {
        let folder = common.folder.join(name);
        fs::create_dir_all(&folder)?;
        // Not 0: one that hands over or starts again has to have the same one.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let server = program("release", "broadside-server").display().to_string();
        let words: Vec<&str> = wrapped.iter().map(String::as_str).chain([server.as_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["--port", &address.port().to_string(), "--bots", "0", "--capacity", "1000"]);
        command.args(["--limit-exempt", "127.0.0.1", "--metrics-allow", "127.0.0.1"]);
        command.args(["--database", common.database]).arg("--data").arg(folder.join("data"));
        command.args(["--cluster", nats, "--node-id", &number.to_string(), "--node-url", &format!("ws://{address}")]);
        command.arg("--cluster-key").arg(common.key).args(common.flags);
        let clock = folder.join("clock");
        fs::write(&clock, "+0")?;
        command.env("RUST_LOG", "warn").env("FAKETIME_TIMESTAMP_FILE", &clock);
        let log = folder.join("log");
        let mut server = Server::start(&format!("server of {name}"), &command, fs::File::create(&log)?.into())?;
        server.service.listening()?;
        Ok(Node { number, address, link, clock, server, log, is_living: true })
    }

    /// Kills it as a crash does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.is_living = false;
        self.server.kill()
    }

    /// Ends it with SIGTERM, and waits for that.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.is_living = false;
        self.server.end()
    }

    /// Lets it hand over to a new process, and waits until the former one has ended.
    pub(crate) fn hand_over(&mut self) -> Result<()> {
        self.server.signal(Signal::SIGUSR2)?;
        let until = Instant::now() + WHOLE_WITHIN;
        while self.server.ended()?.is_none() {
            ensure!(Instant::now() < until, "node {} does not hand over", self.number);
            wait(LOOKS_EVERY)?;
        }
        Ok(())
    }

    /// What it says of how it stands with the others: ok, failing or duplicate.
    pub(crate) fn standing(&self) -> Result<String> {
        let health = get(self.address, "/healthz")?;
        Ok(health["cluster"]["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Those in a seat with a connection. A seat that its player has left for one on another node is kept here for a while, and a
    /// connection without a seat plays nothing.
    pub(crate) fn seated(&self) -> Result<u32> {
        let page = http::get(self.address, "/metrics")?.body;
        let page = String::from_utf8_lossy(&page);
        // The one that asks is a connection too.
        let connections = http::metric(&page, "broadside_connections")? - 1.0;
        Ok(http::metric(&page, "broadside_players")?.min(connections) as u32)
    }
}

/// The nodes of a cluster, also those that have ended.
#[derive(Default)]
pub(crate) struct Nodes(pub(crate) Vec<Node>);

/// What happened to the lists after a fault.
pub(crate) struct Recovery {
    /// When every living node showed those that live and no other, and all of them the same rooms; `None` if they did all the time.
    pub(crate) whole_after: Option<Duration>,
    /// When no list had a room of a node that is gone; `None` if none had all the time.
    pub(crate) forgot_after: Option<Duration>,
    /// What is wrong still.
    pub(crate) wrong: Option<String>,
}

/// What one node shows.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    there: BTreeSet<u64>,
    rooms: BTreeSet<u64>,
}

impl Shown {
    fn by(node: &Node) -> Result<Shown> {
        let (nodes, rooms) = (get(node.address, "/api/nodes")?, get(node.address, "/api/rooms")?);
        let numbers = |list: &Value, key: &str, is_shown: &dyn Fn(&Value) -> bool| -> Option<BTreeSet<u64>> {
            list.as_array()?.iter().filter(|entry| is_shown(entry)).map(|entry| entry[key].as_u64()).collect()
        };
        let there = numbers(&nodes, "node", &|node| node["there"] == true).context("/api/nodes has no numbers")?;
        let rooms = numbers(&rooms, "id", &|_| true).context("/api/rooms has no numbers")?;
        Ok(Shown { there, rooms })
    }
}

impl Nodes {
    pub(crate) fn living(&self) -> impl Iterator<Item = &Node> {
        self.0.iter().filter(|node| node.is_living)
    }

    /// Ends those that live, one after the other.
    pub(crate) fn end(&mut self) -> Result<()> {
        let ended: Vec<Result<()>> = self.0.iter_mut().filter(|node| node.is_living).map(Node::end).collect();
        ended.into_iter().collect()
    }

    /// The last lines that each has logged.
    pub(crate) fn logs(&self) -> String {
        let last = |node: &Node| {
            let log = fs::read_to_string(&node.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            format!("node {}:\n{}", node.number, lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"))
        };
        self.0.iter().map(last).collect::<Vec<_>>().join("\n")
    }

    /// Those in a seat of a living node.
    pub(crate) fn seated(&self) -> Result<u32> {
        self.living().map(Node::seated).sum()
    }

    /// Waits until the lists are whole.
    pub(crate) fn until_whole(&self) -> Result<()> {
        let until = Instant::now() + WHOLE_WITHIN;
        while let Some(wrong) = self.wrong().0 {
            ensure!(Instant::now() < until, "not whole after {WHOLE_WITHIN:?}: {wrong}");
            wait(LOOKS_EVERY)?;
        }
        Ok(())
    }

    /// That no other node shows this one as there, which proves that a fault struck.
    pub(crate) fn ensure_hidden(&self, index: usize) -> Result<()> {
        let hidden = u64::from(self.0[index].number);
        for node in self.living().filter(|node| node.number != self.0[index].number) {
            let shown = Shown::by(node)?;
            ensure!(!shown.there.contains(&hidden), "node {} still shows node {hidden} as there", node.number);
        }
        Ok(())
    }

    /// That none shows this one, and that it shows no other.
    pub(crate) fn ensure_alone(&self, index: usize) -> Result<()> {
        let Node { number, .. } = self.0[index];
        let shown = Shown::by(&self.0[index])?;
        ensure!(shown.there == BTreeSet::from([number.into()]), "node {number} is not alone, and shows {shown:?}");
        self.ensure_hidden(index)
    }

    /// Looks at the lists for so long, and on until they are whole: what was announced before a fault is forgotten only after it.
    pub(crate) fn watch(&self, at_least: Duration) -> Result<Recovery> {
        let began = Instant::now();
        let mut recovery = Recovery { whole_after: None, forgot_after: None, wrong: None };
        let mut listed_the_dead = false;
        loop {
            let (wrong, lists_the_dead) = self.wrong();
            let now = began.elapsed();
            if wrong.is_some() {
                recovery.whole_after = None;
            } else if recovery.wrong.is_some() {
                recovery.whole_after = Some(now);
            }
            if listed_the_dead && !lists_the_dead {
                recovery.forgot_after = Some(now);
            }
            (recovery.wrong, listed_the_dead) = (wrong, lists_the_dead);
            if now >= at_least && (recovery.wrong.is_none() || now >= WHOLE_WITHIN) {
                return Ok(recovery);
            }
            wait(LOOKS_EVERY)?;
        }
    }

    /// What is wrong with the lists, and whether one has rooms of a node that is gone.
    fn wrong(&self) -> (Option<String>, bool) {
        let shown: Result<Vec<Shown>> = self.living().map(Shown::by).collect();
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) => return (Some(format!("{error:#}")), false),
        };
        let living: BTreeSet<u64> = self.living().map(|node| u64::from(node.number)).collect();
        let lists_the_dead =
            shown.iter().flat_map(|shown| &shown.rooms).any(|room| !living.contains(&(room >> ROOM_BITS)));
        let is_whole = shown.iter().all(|one| one.there == living && one.rooms == shown[0].rooms);
        ((!is_whole || lists_the_dead).then(|| format!("nodes {living:?} live and show {shown:?}")), lists_the_dead)
    }
}

fn get(address: SocketAddr, path: &str) -> Result<Value> {
    let answer = http::get(address, path)?;
    serde_json::from_slice(&answer.body).with_context(|| format!("{path} of {address} answers {}", answer.status))
}
