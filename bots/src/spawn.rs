//! A server for one run: started on a free port, and ended with the run however that ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};

use crate::guard;
use crate::socket::Target;
use crate::tls_verification::TlsVerification;

/// The name of the server's program.
const PROGRAM: &str = if cfg!(windows) { "broadside-server.exe" } else { "broadside-server" };
/// What to do when it cannot be started.
const START_HINT: &str = "build it with `cargo build --release -p broadside-server`, or name it with --server PATH";
/// What takes the limits per address off this machine.
const LIMIT_EXEMPT: [&str; 2] = ["--limit-exempt", "127.0.0.0/8"];
/// Time the server has to end by itself.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Beginning of the names of our folders; the number of the process that made it and one more follow.
const FOLDER_PREFIX: &str = "broadside-spawned";

/// What server to start.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Its program, unless it is to be found.
    pub program: Option<PathBuf>,
    /// Ticks from one snapshot to the next.
    pub snapshot_every: u32,
    /// Players a room seats.
    pub capacity: usize,
    /// Rooms.
    pub rooms: usize,
    /// Whether it speaks wss, with a certificate of its own making.
    pub tls: bool,
    /// Players up to whom its own bots fill a room.
    pub bots: usize,
    /// Open connections at the most; 0 is as many as the seats need.
    pub connections_max: usize,
    /// Length of a file `big.bin` beside its page, in bytes; 0 is none.
    pub big_file_bytes: usize,
    /// Files that it may have open, if not as many as we may.
    pub files_max: Option<u64>,
    /// What it logs, unless the environment says so.
    pub log: Log,
    /// Whether what one address may have is limited as for anybody; a load tester is one address.
    pub limited: bool,
}

/// What becomes of what the server logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Log {
    /// Warnings, on our standard error.
    #[default]
    Warnings,
    /// Nothing.
    Silent,
    /// Everything, to a pipe that [`Server::take_log`] gives.
    Piped,
}

/// A running server; ends when dropped.
pub struct Server {
    child: Child,
    /// Gone when the server is, or as soon as it has been read.
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
        let program = match &plan.program {
            Some(program) => program.clone(),
            None => next_to_this_program().unwrap_or_else(|| PathBuf::from(PROGRAM)),
        };
        let folder = ServerFolder::new(plan.big_file_bytes)?;
        let connections_max = if plan.connections_max > 0 {
            plan.connections_max
        } else {
            (plan.capacity * plan.rooms + 256).min(100_000)
        };
        let mut command = guard::guarded(&program, plan.files_max)?;
        command
            .arg("--assets")
            .arg(folder.page())
            .args(["--host", "127.0.0.1", "--port", "0", "--bots", &plan.bots.to_string()])
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
        let mut child = command.spawn().with_context(|| format!("cannot start {}: {START_HINT}", program.display()))?;
        let said = child.stdout.take().context("the server's output is not there")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line).context("cannot read what the server says")?;
        let address = line.trim().split_once("://").and_then(|(_, address)| address.parse().ok());
        // From here on it is ended when dropped.
        let certificate = plan.tls.then(|| folder.tls().join("self-signed-cert.pem"));
        // Nobody looks at its page. With no certificate to watch and no file to serve it needs its folder no more, and what is gone
        // cannot be left behind.
        let folder = (plan.tls || plan.big_file_bytes > 0).then_some(folder);
        let mut server = Server { child, _folder: folder, certificate, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        match address {
            Some(address) => server.address = address,
            None if line.starts_with("cannot start ") => bail!("{}: {START_HINT}", line.trim()),
            None if line.starts_with("cannot ") => bail!("{}", line.trim()),
            None => bail!("{} does not say where it listens: {:?}", program.display(), line.trim()),
        }
        Ok(server)
    }
}

impl Server {
    /// Its WebSocket, by its own certificate if it speaks TLS.
    ///
    /// # Errors
    /// When that certificate cannot be read.
    pub fn target(&self) -> Result<Target, String> {
        match &self.certificate {
            None => Target::parse(&format!("ws://{}/ws", self.address)),
            Some(certificate) => {
                let verification = TlsVerification { ca: Some(certificate.clone()), insecure: false };
                Target::parse(&format!("wss://{}/ws", self.address))?.with_tls_verification(&verification)
            }
        }
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The other end of its standard error, if that is a pipe and was not taken before.
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

/// What a server that nobody looks at has on disk: the browser client, a page that says so, without which it does not start; and
/// apart from that its certificate. A program that was killed leaves its folder behind: the next one takes it away.
struct ServerFolder(PathBuf);

impl ServerFolder {
    fn new(big_file_bytes: usize) -> anyhow::Result<ServerFolder> {
        let all = std::env::temp_dir();
        remove_stale_folders(&all);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = format!("{FOLDER_PREFIX}-{}-{:x}", std::process::id(), now.as_nanos());
        let folder = ServerFolder(all.join(name));
        create_private_folder(&folder.0).with_context(|| format!("cannot make the folder {}", folder.0.display()))?;
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

/// A folder that only we can look into, at a place where none is.
fn create_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes away the folders of programs that are not there any more. Those of others than us refuse.
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
    let asked = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), None);
    process > 0 && asked == Err(nix::errno::Errno::ESRCH)
}

/// Without a way to ask, nobody's folder is taken.
#[cfg(not(unix))]
fn is_dead(_process: i32) -> bool {
    false
}

/// The server's program next to this one.
fn next_to_this_program() -> Option<PathBuf> {
    let us = std::env::current_exe().ok()?;
    // Tests run from a folder below.
    us.ancestors().skip(1).take(2).map(|folder| folder.join(PROGRAM)).find(|path: &PathBuf| Path::is_file(path))
}

/// A Ctrl-C at the terminal is for us: the server is ended when the run is.
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
