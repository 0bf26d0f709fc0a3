//! The server under attack: its process, what it holds, and whether a newcomer still gets in.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use broadside_bots::socket::Target;
use broadside_bots::spawn::{Log, Server, ServerPlan};

use crate::offender::{ANSWER, Met, Offender};

/// Where somebody comes from who has nothing to do with all this.
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// Bytes of the file that downloads ask for: more than the kernel holds for a socket that nobody reads from, and not so much that a
/// server that keeps a copy for each takes the machine down.
const BIG_FILE_BYTES: usize = 1024 * 1024;
/// Time between two looks for a snapshot.
const GLANCE: Duration = Duration::from_millis(20);
/// Files that a server may have open that is to run out of them.
const FEW_FILES: u64 = 128;

/// What kind of server an attack needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// One in the clear.
    Plain,
    /// One that speaks TLS.
    Tls,
    /// One that may have few files open.
    FewFiles,
    /// One whose log is read by nobody but us.
    Logged,
}

/// What a server's process holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    /// Resident memory, in MiB.
    pub(crate) memory_mib: f64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

/// A server and what attacks need to know.
pub(crate) struct Scene {
    server: Option<Server>,
    /// Its WebSocket.
    pub(crate) target: Target,
    /// Its address, of this machine.
    pub(crate) address: SocketAddr,
    /// What it is.
    pub(crate) kind: Kind,
    /// Where a lone offender speaks from: another address for each attack, so that none pays for the one before.
    pub(crate) rascal: Ipv4Addr,
    /// How long an attack that would go on for ever goes on.
    pub(crate) length: Duration,
    /// The other end of its log, if it is a pipe.
    pub(crate) log: std::sync::Mutex<Option<std::process::ChildStderr>>,
}

impl Scene {
    /// Starts a server of a kind, full of its own bots.
    pub(crate) fn spawn(
        program: Option<std::path::PathBuf>,
        kind: Kind,
        bots: usize,
        length: Duration,
    ) -> anyhow::Result<Scene> {
        let few = kind == Kind::FewFiles;
        let plan = ServerPlan {
            program,
            snapshot_every: 3,
            capacity: 100,
            rooms: 1,
            tls: kind == Kind::Tls,
            bots,
            connections_max: if few { 100 } else { 2000 },
            big_file_bytes: BIG_FILE_BYTES,
            files_max: few.then_some(FEW_FILES),
            log: if kind == Kind::Logged { Log::Piped } else { Log::Silent },
            limited: true,
        };
        let mut server = Server::start(&plan)?;
        let target = server.target().map_err(anyhow::Error::msg)?;
        let (address, log) = (server.address, server.take_log());
        let rascal = rascal_of(0);
        Ok(Scene { server: Some(server), target, address, kind, rascal, length, log: std::sync::Mutex::new(log) })
    }

    /// A server that runs already.
    pub(crate) fn running(target: Target, address: SocketAddr, length: Duration) -> Scene {
        let kind = if target.is_secure() { Kind::Tls } else { Kind::Plain };
        Scene { server: None, target, address, kind, rascal: rascal_of(0), length, log: std::sync::Mutex::new(None) }
    }

    /// The server's process, if it is ours.
    pub(crate) fn process(&self) -> anyhow::Result<i32> {
        let server = self.server.as_ref().context("the server is not ours")?;
        i32::try_from(server.process()).context("the number of its process is no number")
    }

    /// How the server ended, if it is ours and has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.server.as_mut()?.ended().map(|status| status.to_string())
    }

    /// What the server's process holds; `None` if it is not ours or the system does not say.
    #[cfg(target_os = "linux")]
    pub(crate) fn held(&self) -> Option<Held> {
        use procfs::WithCurrentSystemInfo;

        let process = procfs::process::Process::new(self.process().ok()?).ok()?;
        let memory_mib = process.stat().ok()?.rss_bytes().get() as f64 / 1_048_576.0;
        Some(Held { memory_mib, descriptors: process.fd_count().ok()? })
    }

    /// What the server's process holds: not told on this system.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn held(&self) -> Option<Held> {
        None
    }

    /// Whether somebody from another address gets a seat and a snapshot; why not, if not.
    pub(crate) fn lets_in_a_newcomer(&self, patience: Duration) -> Result<(), Met> {
        let until = Instant::now() + patience;
        loop {
            let entered = Offender::play(self, NEWCOMER).and_then(|mut player| {
                let until = Instant::now() + patience.min(ANSWER);
                while player.snapshots == 0 && player.listen(GLANCE) == Met::Open && Instant::now() < until {}
                let seen = player.snapshots > 0;
                // In good order, so that no seat is kept.
                let _ = player.leave();
                if seen { Ok(()) } else { Err(Met::Unanswered) }
            });
            match entered {
                Ok(()) => return Ok(()),
                Err(met) if Instant::now() > until => return Err(met),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}

/// The address of ours of the lone offender of the `index`-th attack.
pub(crate) fn rascal_of(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, (index / 200) as u8 + 1, (index % 200) as u8 + 1)
}

/// An address of ours for the `index`-th of many.
pub(crate) fn one_of_many(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 1, (index / 200) as u8, (index % 200) as u8 + 1)
}
