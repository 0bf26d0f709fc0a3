//! `cargo xtask faults`: what players feel while something breaks, one fault at a time, with a server and bots of this machine.
//!
//! A fault strikes some seconds after all bots have their seats. A row of the table says what the bots felt, from the last line that they
//! print, and whether everyone was in a seat again at the end; a fault that a machine or a user cannot bring about is left out, with the
//! reason.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::felt::{self, Bots, Felt};
use crate::http;
use crate::process::{self, Service, free_port, run, wait};
use crate::server::Server;
use crate::table::Table;
use crate::toolchain::find_program;
use crate::workspace::{cargo, program};

/// Time for which bots play before a fault, and after it.
pub(crate) const BEFORE: Duration = Duration::from_secs(4);
const AFTER: Duration = Duration::from_secs(8);
/// How long the server may take to seat everyone.
pub(crate) const SEATED_WITHIN: Duration = Duration::from_secs(30);
/// How long a duel may take: five rounds of a minute and a half at most, and what is between them.
const DUEL_WITHIN: Duration = Duration::from_secs(600);
/// Bots, if nobody says how many.
const PLAYERS: u32 = 30;
/// Where Debian's libfaketime is.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// File descriptors of a server that runs out of them: enough for the bots.
const FILES: usize = 256;

/// Arguments of `cargo xtask faults`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bots that play meanwhile [default: 30, with --cluster 60].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=900))]
    players: Option<u32>,
    /// Faults whose names contain this word.
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
    /// Break what a cluster of three servers is made of.
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Also cut a link for a whole minute.
    #[arg(long, requires = "cluster")]
    pub(crate) long: bool,
}

impl Args {
    /// Bots that play, if nobody says how many these.
    pub(crate) fn players(&self, default: u32) -> u32 {
        self.players.unwrap_or(default)
    }

    /// Whether the fault with this name is asked for.
    pub(crate) fn asks_for(&self, fault: &str) -> bool {
        self.only.as_deref().is_none_or(|word| fault.contains(word))
    }
}

/// What starts a server in another way than bare: words before its program and flags, or why the fault is left out.
pub(crate) type Wrapped = fn() -> Result<Vec<String>>;

/// What breaks.
struct Fault {
    name: &'static str,
    /// Flags of the server beyond those of every run.
    flags: &'static [&'static str],
    /// With `DATA` for the data folder.
    wrapped: Wrapped,
    strike: fn(&mut Scene) -> Result<()>,
}

const FAULTS: [Fault; 16] = [
    Fault { name: "nothing", flags: &[], wrapped: bare, strike: |_| Ok(()) },
    Fault { name: "kill -9, and a start 0.3 s later", flags: &[], wrapped: bare, strike: kill },
    Fault { name: "kill -9 three times, 2 to 3 s apart", flags: &[], wrapped: bare, strike: kill_thrice },
    Fault { name: "kill -9 in a match that is watched later", flags: &[], wrapped: bare, strike: kill_in_a_match },
    Fault { name: "hand-over (USR2)", flags: &[], wrapped: bare, strike: hand_over },
    Fault { name: "twenty hand-overs in a row", flags: &[], wrapped: bare, strike: hand_over_often },
    Fault { name: "stopped for 5 s (STOP, CONT)", flags: &[], wrapped: bare, strike: stop },
    Fault { name: "disk full", flags: &[], wrapped: small_disk, strike: fill_the_disk },
    Fault { name: "out of file descriptors", flags: &[], wrapped: few_files, strike: open_many },
    Fault {
        name: "the clock an hour ahead, then an hour back",
        flags: &[],
        wrapped: fake_time,
        strike: step_the_clock,
    },
    Fault { name: "300 MiB of address space", flags: &[], wrapped: little_memory, strike: |_| Ok(()) },
    Fault { name: "one core", flags: &[], wrapped: one_core, strike: |_| Ok(()) },
    Fault { name: "a second server on the same port", flags: &[], wrapped: bare, strike: same_port },
    Fault { name: "a second server on the same data", flags: &[], wrapped: bare, strike: same_data },
    Fault {
        name: "the certificate replaced by garbage",
        flags: &["--tls-cert", "DATA/../cert.pem", "--tls-key", "DATA/../key.pem"],
        wrapped: bare,
        strike: spoil_the_certificate,
    },
    Fault { name: "the reader of the log gone", flags: &[], wrapped: bare, strike: |scene| scene.lose_the_log() },
];

/// Runs the faults, and prints the table.
pub(crate) fn faults(args: &Args) -> Result<()> {
    process::catch_stop_signals()?;
    build()?;
    let players = args.players(PLAYERS);
    let mut table = Table::new(&felt::COLUMNS);
    let mut left_out = Vec::new();
    let mut failed = Vec::new();
    for fault in FAULTS.iter().filter(|fault| args.asks_for(fault.name)) {
        match (fault.wrapped)() {
            Err(why) => left_out.push(format!("{}: {why:#}", fault.name)),
            Ok(wrapped) => match Scene::play(fault, &wrapped, players) {
                Ok((felt, back)) => table.row(felt.row(fault.name, back, players)),
                Err(error) if error.is::<process::Stopped>() => return Err(error),
                Err(error) => failed.push(format!("{}: {error:#}", fault.name)),
            },
        }
        ensure!(process::stop_signals() == 0, process::Stopped);
    }
    report(&table, &left_out, &failed)
}

/// Builds the programs that take part.
pub(crate) fn build() -> Result<()> {
    run(&mut cargo("build --release --package broadside-server --package broadside-bots --bins"))
}

/// Prints the table, and what was left out.
///
/// # Errors
/// What failed.
pub(crate) fn report(table: &Table, left_out: &[String], failed: &[String]) -> Result<()> {
    println!("{table}");
    left_out.iter().for_each(|why| println!("left out: {why}"));
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// A server with bots.
struct Scene {
    folder: PathBuf,
    command: Command,
    server: Server,
    address: SocketAddr,
    secure: bool,
    /// The other end of the server's log.
    log: Option<std::process::ChildStderr>,
    /// Kept open until the end.
    held: Vec<TcpStream>,
}

impl Scene {
    fn play(fault: &Fault, wrapped: &[String], players: u32) -> Result<(Felt, u32)> {
        let folder = std::env::temp_dir().join(format!("broadside-faults-{}", std::process::id()));
        fs::create_dir_all(folder.join("data")).with_context(|| format!("cannot make {}", folder.display()))?;
        let played = Scene::start(&folder, fault, wrapped).and_then(|mut scene| scene.run(fault, players));
        let removed = fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()));
        played.and_then(|felt| removed.map(|()| felt))
    }

    fn start(folder: &Path, fault: &Fault, wrapped: &[String]) -> Result<Scene> {
        let data = folder.join("data").display().to_string();
        let secure = fault.flags.contains(&"--tls-cert");
        if secure {
            make_certificate(folder)?;
        }
        // Not 0: a server that starts again has to have the same one.
        let port = free_port()?.to_string();
        let server = program("release", "broadside-server").display().to_string();
        let plain = [
            "--port",
            &port,
            "--bots",
            "0",
            "--capacity",
            "1000",
            "--limit-exempt",
            "127.0.0.1",
            "--metrics-allow",
            "127.0.0.1",
            "--data",
            "DATA",
        ];
        let words =
            wrapped.iter().map(String::as_str).chain([server.as_str()]).chain(plain).chain(fault.flags.iter().copied());
        let words: Vec<String> = words.map(|word| word.replace("DATA", &data)).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("RUST_LOG", "info").env("FAKETIME_TIMESTAMP_FILE", folder.join("clock"));
        fs::write(folder.join("clock"), "+0")?;
        let mut server = Server::start("server", &command, Stdio::piped())?;
        let log = server.service.take_stderr();
        let address = server.service.listening()?;
        Ok(Scene { folder: folder.to_path_buf(), command, server, address, secure, log, held: Vec::new() })
    }

    fn run(&mut self, fault: &Fault, players: u32) -> Result<(Felt, u32)> {
        let scheme = if self.secure { "wss" } else { "ws" };
        let url = format!("{scheme}://{}/ws", self.address);
        let flags: &[&str] = if self.secure { &["--insecure"] } else { &[] };
        let bots = Bots::start(players, &[&[url.as_str()], flags].concat())?;
        self.until_seated(players)?;
        wait(BEFORE)?;
        (fault.strike)(self)?;
        wait(AFTER)?;
        let back = self.players();
        let (felt, ended) = Bots::end_all(vec![bots]);
        ended?;
        self.end()?;
        Ok((felt?, back?))
    }

    /// Waits until this many play.
    fn until_seated(&self, players: u32) -> Result<()> {
        let until = Instant::now() + SEATED_WITHIN;
        while self.players()? < players {
            ensure!(Instant::now() < until, "{} of {players} are seated after {SEATED_WITHIN:?}", self.players()?);
            wait(Duration::from_millis(100))?;
        }
        Ok(())
    }

    /// Those in a seat, with a connection or without.
    fn players(&self) -> Result<u32> {
        let body = if self.secure {
            let url = format!("https://{}/metrics", self.address);
            let output =
                Command::new("curl").args(["--silent", "--insecure", &url]).output().context("cannot start `curl`")?;
            output.stdout
        } else {
            http::get(self.address, "/metrics")?.body
        };
        Ok(http::metric(&String::from_utf8_lossy(&body), "broadside_players")? as u32)
    }

    /// The room of the duel, once this is true of it.
    fn duel_once(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let until = Instant::now() + DUEL_WITHIN;
        loop {
            let rooms: Vec<Value> = serde_json::from_slice(&http::get(self.address, "/api/rooms")?.body)?;
            match rooms.into_iter().find(|room| room["mode"] == "duel" && is_so(room)) {
                Some(room) => return Ok(room),
                None => wait(Duration::from_millis(200))?,
            }
            ensure!(Instant::now() < until, "no duel {what} within {DUEL_WITHIN:?}");
        }
    }

    /// Starts the server again, on the same port and data.
    fn start_again(&mut self) -> Result<()> {
        self.server = Server::start("server", &self.command, Stdio::piped())?;
        self.log = self.server.service.take_stderr();
        self.server.service.listening().map(drop)
    }

    /// The folder of data as the server sees it.
    fn data_of_the_server(&self) -> PathBuf {
        let data = self.folder.join("data");
        let inside = format!("/proc/{}/root{}", self.server.service.process(), data.display());
        PathBuf::from(inside)
    }

    /// Closes the pipe that the server writes its log to.
    fn lose_the_log(&mut self) -> Result<()> {
        drop(self.log.take());
        // Each of these is a line of the log, for nobody.
        for _ in 0..20 {
            self.server.signal(Signal::SIGUSR1)?;
            drop(http::get(self.address, "/nothing")?);
        }
        Ok(())
    }

    /// Ends the server, or its successor, which is in the same process group.
    fn end(&mut self) -> Result<()> {
        // Read to the end, so that no line waits for us.
        let log = self.log.take();
        std::thread::spawn(move || log.map(|mut log| log.read_to_end(&mut Vec::new())));
        self.server.end()
    }
}

fn make_certificate(folder: &Path) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]);
    openssl.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("cert.pem"));
    let output = openssl.output().context("a certificate needs `openssl`")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

// How the server is started.

pub(crate) fn bare() -> Result<Vec<String>> {
    Ok(Vec::new())
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", &format!("{script} && exec \"$@\""), "sh"].map(str::to_owned).to_vec()
}

fn small_disk() -> Result<Vec<String>> {
    ensure!(nix::unistd::geteuid().is_root(), "a file system of its own needs root");
    let mount = "mount -t tmpfs -o size=24m tmpfs DATA && exec \"$@\"";
    Ok(["unshare", "--mount", "sh", "-c", mount, "sh"].map(str::to_owned).to_vec())
}

fn few_files() -> Result<Vec<String>> {
    Ok(shell(&format!("ulimit -n {FILES}")))
}

fn little_memory() -> Result<Vec<String>> {
    Ok(shell(&format!("ulimit -v {}", 300 * 1024)))
}

fn one_core() -> Result<Vec<String>> {
    ensure!(find_program("taskset").is_some(), "it needs `taskset`");
    Ok(["taskset", "--cpu-list", "0"].map(str::to_owned).to_vec())
}

/// The wall clock is read from a file: the machine's own is left alone.
pub(crate) fn fake_time() -> Result<Vec<String>> {
    ensure!(
        Path::new(FAKETIME).exists(),
        "it needs libfaketime: `apt-get install --no-install-recommends libfaketime`"
    );
    let preload = format!("LD_PRELOAD={FAKETIME}");
    Ok(["env", &preload, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"]
        .map(str::to_owned)
        .to_vec())
}

// What strikes.

fn kill(scene: &mut Scene) -> Result<()> {
    scene.server.kill()?;
    wait(Duration::from_millis(300))?;
    scene.start_again()
}

fn kill_thrice(scene: &mut Scene) -> Result<()> {
    for later_ms in [2_000, 2_700, 2_300] {
        kill(scene)?;
        wait(Duration::from_millis(later_ms))?;
    }
    Ok(())
}

/// Kills the server in the middle of a duel, and lets the duel end. Its one recording has to be there, and to replay from start to end.
fn kill_in_a_match(scene: &mut Scene) -> Result<()> {
    let mut bots = Command::new(program("release", "bot"));
    bots.arg(format!("ws://{}/ws", scene.address)).args(["--count", "2", "--mode", "duel"]);
    let bots = Service::start("duellists", &bots, Stdio::null(), Stdio::inherit())?;
    scene.duel_once("is played", |duel| duel["match"]["phase"] == "playing")?;
    wait(BEFORE)?;
    scene.server.kill()?;
    let recordings = scene.folder.join("data/recordings");
    let names = fs::read_dir(&recordings)?.map(|file| Ok(file?.file_name().to_string_lossy().into_owned()));
    let under_way: Vec<String> = names.collect::<Result<_>>()?;
    scene.start_again()?;
    let duel = scene.duel_once("has ended", |duel| duel["last_recording"].is_string())?;
    bots.end()?;
    let id = duel["last_recording"].as_str().context("it is a text")?;
    ensure!(under_way == [format!("{id}.part")], "{under_way:?} was recorded, and {id} is the match");
    let path = format!("/api/recordings/{id}");
    let until = Instant::now() + AFTER;
    while http::get(scene.address, &path)?.status != 200 {
        ensure!(Instant::now() < until, "GET {path} does not answer 200 within {AFTER:?}");
        wait(Duration::from_millis(100))?;
    }
    let file = recordings.join(id).with_extension("bsr");
    let replay = Command::new(program("release", "broadside-server")).arg("replay").arg(file).output()?;
    let words = String::from_utf8_lossy(&replay.stdout);
    ensure!(
        replay.status.success() && words.trim_end().ends_with("every hash agrees"),
        "the match cannot be watched: {words}{}",
        String::from_utf8_lossy(&replay.stderr)
    );
    eprintln!("{}", words.lines().skip(1).collect::<Vec<_>>().join("; "));
    Ok(())
}

fn hand_over(scene: &mut Scene) -> Result<()> {
    scene.server.signal(Signal::SIGUSR2)
}

fn hand_over_often(scene: &mut Scene) -> Result<()> {
    for _ in 0..20 {
        hand_over(scene)?;
        wait(Duration::from_secs(2))?;
        let _ = scene.server.ended()?;
    }
    Ok(())
}

fn stop(scene: &mut Scene) -> Result<()> {
    scene.server.signal(Signal::SIGSTOP)?;
    let waited = wait(Duration::from_secs(5));
    scene.server.signal(Signal::SIGCONT)?;
    waited
}

fn fill_the_disk(scene: &mut Scene) -> Result<()> {
    let path = scene.data_of_the_server().join("filler");
    let mut filler = fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    // Ends with an error: the disk is full.
    let filled = std::io::copy(&mut std::io::repeat(1).take(1 << 30), &mut filler);
    ensure!(filled.is_err(), "the disk is not full");
    wait(Duration::from_secs(6))?;
    Ok(fs::remove_file(path)?)
}

fn open_many(scene: &mut Scene) -> Result<()> {
    for _ in 0..FILES * 2 {
        scene.held.extend(TcpStream::connect_timeout(&scene.address, Duration::from_secs(1)));
    }
    wait(Duration::from_secs(3))?;
    scene.held.clear();
    Ok(())
}

fn step_the_clock(scene: &mut Scene) -> Result<()> {
    for step in ["+3600", "-3600", "+0"] {
        fs::write(scene.folder.join("clock"), step)?;
        wait(Duration::from_secs(3))?;
    }
    Ok(())
}

/// Starts another server with the flags of the running one, but for this one. It has to end by itself.
fn refused(scene: &mut Scene, flag: &str, value: &str) -> Result<()> {
    let mut command = Command::new(scene.command.get_program());
    let mut is_value = false;
    for word in scene.command.get_args() {
        command.arg(if is_value { value.as_ref() } else { word });
        is_value = word == flag;
    }
    let output = command.output()?;
    ensure!(!output.status.success(), "a second server was let in");
    let words = String::from_utf8_lossy(&output.stderr);
    eprintln!("it says: {}", words.lines().last().unwrap_or("nothing"));
    Ok(())
}

fn same_port(scene: &mut Scene) -> Result<()> {
    refused(scene, "--data", "memory")
}

fn same_data(scene: &mut Scene) -> Result<()> {
    refused(scene, "--port", "0")
}

fn spoil_the_certificate(scene: &mut Scene) -> Result<()> {
    fs::write(scene.folder.join("cert.pem"), "garbage")?;
    scene.server.signal(Signal::SIGHUP)?;
    wait(Duration::from_secs(2))?;
    // New connections get the old one.
    scene.players().map(drop)
}
