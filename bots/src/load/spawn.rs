//! A server for one run: started on a free port, and ended with the run however that ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The name of the server's program.
const PROGRAM: &str = if cfg!(windows) { "broadside-server.exe" } else { "broadside-server" };
/// Time the server has to end by itself.
const ENDING: Duration = Duration::from_secs(5);

/// What server to start.
#[derive(Debug, Clone)]
pub struct ServerPlan {
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
}

/// A running server; ends when dropped.
pub struct Server {
    child: Child,
    /// Gone when the server is.
    folder: Folder,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn start(plan: &ServerPlan) -> anyhow::Result<Server> {
        let program = match &plan.program {
            Some(program) => program.clone(),
            None => beside_us().unwrap_or_else(|| PathBuf::from(PROGRAM)),
        };
        let folder = Folder::new()?;
        let mut command = Command::new(&program);
        command
            .arg("--assets")
            .arg(folder.page())
            .args(["--host", "127.0.0.1", "--port", "0", "--bots", "0"])
            .args(["--snapshot-every", &plan.snapshot_every.to_string()])
            .args(["--capacity", &plan.capacity.to_string()])
            .args(["--max-connections", &(plan.capacity * plan.rooms + 256).min(100_000).to_string()])
            .args(["--limit-exempt", "127.0.0.0/8"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if plan.tls {
            command.arg("--tls-self-signed").arg(folder.tls());
        }
        if plan.rooms > 1 {
            command.args(["--rooms", &plan.rooms.to_string()]);
        }
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "warn");
        }
        detach(&mut command);
        let mut child = command.spawn().with_context(|| {
            format!(
                "cannot start {}: build it with `cargo build --release -p broadside-server`, or name it with --server PATH",
                program.display()
            )
        })?;
        let said = child.stdout.take().context("the server's output is not there")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line).context("cannot read what the server says")?;
        let address = line.trim().split_once("://").and_then(|(_, address)| address.parse().ok());
        // From here on it is ended when dropped.
        let mut server = Server { child, folder, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        match address {
            Some(address) => server.address = address,
            None => bail!("{} does not say where it listens: {:?}", program.display(), line.trim()),
        }
        Ok(server)
    }
}

impl Server {
    /// Its certificate, if it was started with one.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.tls().join("self-signed-cert.pem")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        ask_to_end(&self.child);
        let began = Instant::now();
        while began.elapsed() < ENDING {
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
/// apart from that its certificate.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Folder> {
        let folder = Folder(std::env::temp_dir().join(format!("broadside-load-{}", std::process::id())));
        let page = folder.page();
        std::fs::create_dir_all(&page).with_context(|| format!("cannot make the folder {}", page.display()))?;
        std::fs::write(page.join("index.html"), "<!doctype html><title>load</title>A server under load.\n")
            .with_context(|| format!("cannot write to the folder {}", page.display()))?;
        Ok(folder)
    }

    fn page(&self) -> PathBuf {
        self.0.join("page")
    }

    fn tls(&self) -> PathBuf {
        self.0.join("tls")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The server's program next to this one.
fn beside_us() -> Option<PathBuf> {
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
fn ask_to_end(child: &Child) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    if let Ok(id) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(_child: &Child) {}
