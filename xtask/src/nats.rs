//! NATS servers on ports of 127.0.0.1: one, or three that keep the same.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Service, Stopped, free_port};
use crate::workspace::short;

/// How long NATS may take to greet whoever connects; it is on this machine.
const GREETING_MAX: Duration = Duration::from_secs(1);

/// How a NATS server is started, also again.
pub(crate) struct Nats {
    program: PathBuf,
    /// Its data; its log is beside that.
    data: PathBuf,
    port: u16,
    /// The name, the port for the others and the routes to all; empty if it is alone.
    flags: Vec<String>,
}

impl Nats {
    /// A server that is alone, with its data and its log in `folder`.
    pub(crate) fn alone(program: &Path, folder: &Path) -> Result<Nats> {
        let data = folder.join("nats");
        Ok(Nats { program: program.to_path_buf(), data, port: free_port()?, flags: Vec::new() })
    }

    /// Three servers of a cluster, each of which may be named to clients.
    pub(crate) fn three(program: &Path, folder: &Path) -> Result<Vec<Nats>> {
        let ports = [free_port()?, free_port()?, free_port()?];
        let urls = ports.map(|port| format!("nats://127.0.0.1:{port}"));
        let servers = (1..).zip(&urls).map(|(number, url)| {
            let name = format!("nats-{number}");
            let flags = ["--name", &name, "--cluster_name", "faults", "--cluster", url, "--routes", &urls.join(",")];
            let flags = flags.map(str::to_owned).to_vec();
            Ok(Nats { program: program.to_path_buf(), data: folder.join(name), port: free_port()?, flags })
        });
        servers.collect()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What a server takes as --cluster.
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Starts it, with the data of its last run if there was one.
    ///
    /// # Errors
    /// It does not start, and the error names the log; or [`Stopped`].
    pub(crate) fn start(&self) -> Result<Service> {
        let log = self.data.with_extension("log");
        let mut command = Command::new(&self.program);
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"]).arg(&self.data);
        command.args(&self.flags);
        let mut nats = Service::start("NATS server", &command, Stdio::null(), File::create(&log)?.into())?;
        let is_up = nats.wait_until(|| self.greets());
        ensure!(is_up.with_context(|| format!("NATS does not start: see {}", short(&log)))?, Stopped);
        Ok(nats)
    }

    /// Removes what it has kept, while it does not run.
    pub(crate) fn forget(&self) -> Result<()> {
        fs::remove_dir_all(&self.data).with_context(|| format!("cannot remove {}", short(&self.data)))
    }

    /// Whether a NATS server listens there: it speaks first, in a line that begins with INFO.
    fn greets(&self) -> bool {
        let Ok(stream) = TcpStream::connect(self.address()) else { return false };
        let mut line = String::new();
        let read =
            stream.set_read_timeout(Some(GREETING_MAX)).and_then(|()| BufReader::new(stream).read_line(&mut line));
        read.is_ok() && line.starts_with("INFO ")
    }
}
