//! A server for one run: it starts on a free port and stops when the run ends, even if this program is killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};

use crate::guard;
use crate::socket::Target;
use crate::tls_verification::TlsVerification;

/// Flags that exempt this machine from the limits per address.
const LIMIT_EXEMPT: [&str; 2] = ["--limit-exempt", "127.0.0.0/8"];
/// Time the server has to shut down before it is killed.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Prefix of the folders' names; the process id and a timestamp follow.
const FOLDER_PREFIX: &str = "broadside-spawned";

/// The parameters of a server.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// The server's program; see [`server_program`].
    pub program: PathBuf,
    /// Ticks from one snapshot to the next.
    pub snapshot_every: u32,
    /// Seats per room.
    pub capacity: usize,
    /// Number of rooms.
    pub rooms: usize,
    /// Whether it serves wss with a self-signed certificate.
    pub tls: bool,
    /// Number of players up to which server bots fill a room.
    pub bots: usize,
    /// Limit of open connections; 0 is as many as the seats need.
    pub connections_max: usize,
    /// Length of the file `big.bin` next to its page, in bytes; 0 for none.
    pub big_file_bytes: usize,
    /// Limit of its open files; `None` inherits the limit of this program.
    pub files_max: Option<u64>,
    /// What happens to its log.
    pub log: Log,
    /// Whether the limits per address apply; a load tester connects from one address.
    pub limited: bool,
}

/// What happens to the server's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Log {
    /// Warnings go to this program's standard error, unless `RUST_LOG` is set.
    #[default]
    Warnings,
    /// The log is discarded.
    Silent,
    /// Debug level goes to a pipe, which [`Server::take_log`] gives.
    Piped,
}

/// A running server; stops when dropped.
pub struct Server {
    child: Child,
    /// Removed when the server stops, or right after the start if the server no longer needs it.
    _folder: Option<ServerFolder>,
    certificate: Option<PathBuf>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn start(plan: &ServerOptions) -> anyhow::Result<Server> {
        let program = &plan.program;
        let start_hint = || {
            let name = program.file_stem().unwrap_or_default().display();
            format!("build it with `cargo build --release --bin {name}`, or name it with --server PATH")
        };
        let folder = ServerFolder::new(plan.big_file_bytes)?;
        let connections_max = if plan.connections_max > 0 {
            plan.connections_max
        } else {
            (plan.capacity * plan.rooms + 256).min(100_000)
        };
        let mut command = guard::guarded(program, plan.files_max)?;
        command
            .arg("--assets")
            .arg(folder.page())
            .args(["--host", "127.0.0.1", "--port", "0", "--data", "memory", "--bots", &plan.bots.to_string()])
            .args(["--snapshot-every", &plan.snapshot_every.to_string()])
            .args(["--capacity", &plan.capacity.to_string()])
            .args(["--max-connections", &connections_max.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if !plan.limited {
            command.args(LIMIT_EXEMPT);
        }
        if plan.tls {
            command.arg("--tls-self-signed").arg(folder.tls());
        }
        if plan.rooms > 1 {
            command.args(["--rooms", &plan.rooms.to_string()]);
        }
        match plan.log {
            Log::Warnings if std::env::var_os("RUST_LOG").is_none() => drop(command.env("RUST_LOG", "warn")),
            Log::Warnings => {}
            Log::Silent => drop(command.stderr(Stdio::null())),
            Log::Piped => drop(command.env("RUST_LOG", "debug").stderr(Stdio::piped())),
        }
        detach(&mut command);
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}: {}", program.display(), start_hint()))?;
        let stdout = child.stdout.take().context("the server's standard output is not a pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("cannot read the server's standard output")?;
        let address = line.trim().split_once("://").and_then(|(_, address)| address.parse().ok());
        // From here on the server is stopped when dropped.
        let certificate = plan.tls.then(|| folder.tls().join("self-signed-cert.pem"));
        // Its page is never requested. Without a certificate to reload and a file to serve, the server no longer needs its folder, and a
        // folder that is removed now cannot be left behind.
        let folder = (plan.tls || plan.big_file_bytes > 0).then_some(folder);
        let mut server = Server { child, _folder: folder, certificate, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        match address {
            Some(address) => server.address = address,
            None if line.starts_with("cannot start ") => bail!("{}: {}", line.trim(), start_hint()),
            None if line.starts_with("cannot ") => bail!("{}", line.trim()),
            None => bail!("{} does not print its address: {:?}", program.display(), line.trim()),
        }
        Ok(server)
    }
}

impl Server {
    /// The URL of its WebSocket; with TLS, its certificate is pinned.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn target(&self) -> Result<Target, String> {
        match &self.certificate {
            None => Target::parse(&format!("ws://{}/ws", self.address)),
            Some(certificate) => {
                let verification = TlsVerification { ca: Some(certificate.clone()), insecure: false };
                Target::parse(&format!("wss://{}/ws", self.address))?.with_tls_verification(&verification)
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The reading end of its log; `None` if the log is not piped or was taken before.
    pub fn take_log(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        terminate(&self.child);
        let began = Instant::now();
        while began.elapsed() < SHUTDOWN_TIMEOUT {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files of a spawned server: a placeholder for the browser client, without which the server does not start, and its certificate.
/// A program that is killed leaves its folder behind; the next one removes it.
struct ServerFolder(PathBuf);

impl ServerFolder {
    fn new(big_file_bytes: usize) -> anyhow::Result<ServerFolder> {
        let all = std::env::temp_dir();
        remove_stale_folders(&all);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = format!("{FOLDER_PREFIX}-{}-{:x}", std::process::id(), now.as_nanos());
        let folder = ServerFolder(all.join(name));
        create_private_folder(&folder.0).with_context(|| format!("cannot create the folder {}", folder.0.display()))?;
        let page = folder.page();
        let fill = || {
            std::fs::create_dir(&page)?;
            std::fs::write(page.join("index.html"), "<!doctype html><title>load</title>A server under load.\n")?;
            if big_file_bytes > 0 {
                std::fs::write(page.join("big.bin"), vec![b'b'; big_file_bytes])?;
            }
            std::io::Result::Ok(())
        };
        fill().with_context(|| format!("cannot write to the folder {}", page.display()))?;
        Ok(folder)
    }

    fn page(&self) -> PathBuf {
        self.0.join("page")
    }

    fn tls(&self) -> PathBuf {
        self.0.join("tls")
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Creates a folder that only this user can access; fails if it exists.
fn create_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Removes folders of programs that no longer run. Folders of other users cannot be removed.
fn remove_stale_folders(all: &Path) {
    let folders = std::fs::read_dir(all).into_iter().flatten().flatten();
    for folder in folders {
        let name = folder.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)?.split('-').nth(1)?.parse().ok());
        if process.is_some_and(is_dead) {
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}

#[cfg(unix)]
fn is_dead(process: i32) -> bool {
    let result = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), None);
    process > 0 && result == Err(nix::errno::Errno::ESRCH)
}

/// Unknown on this system, so no folder is removed.
#[cfg(not(unix))]
fn is_dead(_process: i32) -> bool {
    false
}

/// A game's server program, by its name without an extension: in the folder of this program, or else wherever PATH has it.
#[must_use]
pub fn server_program(name: &str) -> PathBuf {
    let file = Path::new(name).with_extension(std::env::consts::EXE_EXTENSION);
    let us = std::env::current_exe().unwrap_or_default();
    // Tests run from a subfolder.
    us.ancestors().skip(1).take(2).map(|folder| folder.join(&file)).find(|path| path.is_file()).unwrap_or(file)
}

/// Moves the server to its own process group, so that Ctrl-C reaches only this program, which then stops the server.
#[cfg(unix)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn detach(_command: &mut Command) {}

#[cfg(unix)]
fn terminate(child: &Child) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    if let Ok(id) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
}

#[cfg(not(unix))]
fn terminate(_child: &Child) {}
