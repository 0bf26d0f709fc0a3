//! The server under attack: its process, its addresses and its resource usage.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use broadside_bots::socket::Target;
use broadside_bots::spawn::{Log, Server, ServerOptions};

/// Length of the file to download: more than the kernel buffers for an unread socket, and small enough that a server that keeps a
/// copy per download does not exhaust the machine.
const BIG_FILE_BYTES: usize = 1024 * 1024;
/// Limit of open files for [`TestbedKind::FewFiles`].
const FEW_FILES: u64 = 128;

/// The kind of server that an attack needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TestbedKind {
    /// A server without TLS.
    Plain,
    /// A server with TLS.
    Tls,
    /// A server with a low limit of open files.
    FewFiles,
    /// A server whose log goes to a pipe of this program.
    Logged,
}

/// Resource usage of a server process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProcessUsage {
    /// Resident memory, in MiB.
    pub(crate) memory_mib: f64,
    /// Open file descriptors.
    pub(crate) descriptors: usize,
}

/// A server under attack.
pub(crate) struct Testbed {
    server: Option<Server>,
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    pub(crate) kind: TestbedKind,
    /// Local address of a single attacker: another one for each attack, so that no attack inherits the limits of the one before.
    pub(crate) attacker_address: Ipv4Addr,
    /// Duration of an attack that the server does not end.
    pub(crate) length: Duration,
    /// The reading end of the server's log, if that is a pipe.
    pub(crate) log: std::sync::Mutex<Option<std::process::ChildStderr>>,
}

impl Testbed {
    /// Starts a server of this kind, filled with server bots.
    pub(crate) fn spawn(
        program: std::path::PathBuf,
        kind: TestbedKind,
        bots: usize,
        length: Duration,
    ) -> anyhow::Result<Testbed> {
        let few = kind == TestbedKind::FewFiles;
        let plan = ServerOptions {
            program,
            snapshot_every: 3,
            capacity: 100,
            rooms: 1,
            tls: kind == TestbedKind::Tls,
            bots,
            connections_max: if few { 100 } else { 2000 },
            big_file_bytes: BIG_FILE_BYTES,
            files_max: few.then_some(FEW_FILES),
            log: if kind == TestbedKind::Logged { Log::Piped } else { Log::Silent },
            limited: true,
        };
        let mut server = Server::start(&plan)?;
        let target = server.target().map_err(anyhow::Error::msg)?;
        let (address, log) = (server.address, server.take_log());
        let attacker_address = attacker_address(0);
        Ok(Testbed {
            server: Some(server),
            target,
            address,
            kind,
            attacker_address,
            length,
            log: std::sync::Mutex::new(log),
        })
    }

    /// A server that is already running.
    pub(crate) fn running(target: Target, address: SocketAddr, length: Duration) -> Testbed {
        let kind = if target.is_secure() { TestbedKind::Tls } else { TestbedKind::Plain };
        Testbed {
            server: None,
            target,
            address,
            kind,
            attacker_address: attacker_address(0),
            length,
            log: std::sync::Mutex::new(None),
        }
    }

    /// Process id of the server.
    ///
    /// # Errors
    /// This program did not start the server.
    pub(crate) fn process(&self) -> anyhow::Result<i32> {
        let server = self.server.as_ref().context("this program did not start the server")?;
        i32::try_from(server.process()).context("the process id does not fit")
    }

    /// Exit status of the server, if this program started it and it has ended.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.server.as_mut()?.ended().map(|status| status.to_string())
    }

    /// Resource usage of the server; `None` if this program did not start it or the system does not report it.
    #[cfg(target_os = "linux")]
    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        use procfs::WithCurrentSystemInfo;

        let process = procfs::process::Process::new(self.process().ok()?).ok()?;
        let memory_mib = process.stat().ok()?.rss_bytes().get() as f64 / 1_048_576.0;
        Some(ProcessUsage { memory_mib, descriptors: process.fd_count().ok()? })
    }

    /// This system does not report resource usage.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        None
    }
}

/// Local address of the single attacker of the attack with this index.
pub(crate) fn attacker_address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, (index / 200) as u8 + 1, (index % 200) as u8 + 1)
}

/// Local address of the attacker with this index, in attacks from many addresses.
pub(crate) fn pool_address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 1, (index / 200) as u8, (index % 200) as u8 + 1)
}
