//! The server program as its process manager sees it: its log, its signals, and its errors at startup.
#![cfg(unix)]

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use broadside_arena::Arena;
use broadside_bots::player;
use broadside_bots::socket::{PlayError, Target};
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::game::{Bot as _, Game};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

type Player = player::Player<Arena>;

/// Timeout of every wait: far more than a busy machine needs, since only a failure waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {} s in vain for {what}", PATIENCE.as_secs()),
    }
}

/// A temporary folder with a page, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("broadside-process-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the system has a temporary folder");
        std::fs::write(path.join("index.html"), "<!doctype html>").expect("the temporary folder takes a file");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program with a page and without the environment of this test.
fn program(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broadside-server"));
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BROADSIDE_")) {
        command.env_remove(variable);
    }
    command
        .env_remove("RUST_LOG")
        .env("RUST_BACKTRACE", "1")
        .env("BROADSIDE_ASSETS", &folder.0)
        .env("BROADSIDE_DATA", "memory");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A running server.
struct Server {
    child: Child,
    address: String,
    _folder: Folder,
}

impl Server {
    /// Starts on a free port with this log.
    async fn start(stderr: impl Into<Stdio>, change: impl FnOnce(&mut Command)) -> Server {
        let folder = Folder::new();
        let mut command = program(&folder);
        command.args(["--port", "0", "--shards", "2"]).stdout(Stdio::piped()).stderr(stderr);
        change(&mut command);
        let mut child = command.spawn().expect("the program is there");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let line = within("the address", lines.next_line()).await.expect("a pipe").expect("a line before it ends");
        let address = line.strip_prefix("listening on http://").expect("the address").to_owned();
        // Standard output is closed from here on, which must not end the server.
        Server { child, address, _folder: folder }
    }

    async fn healthz(&self) -> String {
        self.get("/healthz").await
    }

    async fn get(&self, path: &str) -> String {
        let answer = async {
            let mut stream = TcpStream::connect(&self.address).await?;
            let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map(|_| answer)
        };
        within(path, answer).await.expect("an answer")
    }

    async fn player(&self, name: &str) -> Player {
        let name = Name::new(name).expect("a fine name");
        let (agent, room) = ("test".to_owned(), Some(RoomChoice::Quick));
        let config = ClientConfig { name, agent, room, role: Role::Play, detail: Detail::Replica };
        let target = Target::parse(&format!("ws://{}/ws", self.address)).expect("a fine address");
        let bot = <Arena as Game>::Bot::cheap(1);
        let mut player = Player::connect(&target, config, bot).await.expect("the server lets us in");
        within("a seat", async {
            while !player.joined() {
                step(&mut player).await.expect("the server stays");
            }
        })
        .await;
        player
    }

    fn send(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs").cast_signed();
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    async fn ended(&mut self) -> ExitStatus {
        within("the server's end", self.child.wait()).await.expect("it is ours")
    }

    /// Ends the server and checks for a clean exit.
    async fn end(mut self) {
        self.send(Signal::SIGTERM);
        assert_eq!(self.ended().await.code(), Some(0));
    }
}

async fn step(player: &mut Player) -> Result<(), PlayError> {
    player.step(Instant::now() + Duration::from_millis(16)).await?;
    player.act().await
}

/// Plays until the server closes the connection; returns the code.
async fn close_code(player: &mut Player) -> u16 {
    within("a close", async {
        loop {
            match step(player).await {
                Ok(()) => {}
                Err(PlayError::Closed { code, .. }) => return code,
                Err(error) => panic!("a close was due, not {error}"),
            }
        }
    })
    .await
}

/// Checks that a server whose log goes nowhere works normally.
async fn serves(server: Server) {
    assert!(server.healthz().await.starts_with("HTTP/1.1 200"));
    let mut player = server.player("Ada").await;
    let mut other = server.player("Bea").await;
    step(&mut player).await.expect("the server stays");
    server.send(Signal::SIGTERM);
    assert_eq!((close_code(&mut player).await, close_code(&mut other).await), (1001, 1001));
    let mut server = server;
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_log_without_a_reader_loses_only_lines() {
    let (reader, writer) = std::io::pipe().expect("the system has pipes");
    drop(reader);
    serves(Server::start(writer, |_| {}).await).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_on_a_full_disk_loses_only_lines() {
    let full = || File::options().write(true).open("/dev/full").expect("Linux has it");
    serves(Server::start(full(), |_| {}).await).await;
    // A startup error cannot be logged, but shows in the exit status.
    for (flags, status) in [(["--port", "99999"], 2), (["--assets", "/nowhere"], 1)] {
        let folder = Folder::new();
        let mut command = program(&folder);
        let status_of = command.args(flags).stdout(full()).stderr(full()).status();
        assert_eq!(within("its end", status_of).await.expect("the program is there").code(), Some(status));
    }
}

#[tokio::test]
async fn a_stopped_reader_of_the_log_blocks_nothing() {
    let (mut reader, writer) = std::io::pipe().expect("the system has pipes");
    // More than a pipe holds: a blocking write would wait.
    let mut full = writer.try_clone().expect("one more file");
    let fill = std::thread::spawn(move || full.write_all(&[b'\n'; 1024 * 1024]));
    let mut server = Server::start(writer, |_| {}).await;
    assert!(server.healthz().await.starts_with("HTTP/1.1 200"));
    let mut player = server.player("Ada").await;
    server.send(Signal::SIGTERM);
    assert_eq!(close_code(&mut player).await, 1001);
    // The server ends even with unread lines.
    assert_eq!(server.ended().await.code(), Some(0));
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).expect("a pipe");
    fill.join().expect("it only writes").expect("somebody reads");
}

#[tokio::test]
async fn a_join_is_one_line() {
    let folder = Folder::new();
    let path = folder.0.join("log");
    let server = Server::start(File::create(&path).expect("our own folder"), |_| {}).await;
    let before = std::fs::read_to_string(&path).expect("our own file").lines().count();
    let players = (server.player("Ada").await, server.player("Bea").await);
    drop(players);
    server.end().await;
    let log = std::fs::read_to_string(&path).expect("our own file");
    let joined = log.lines().filter(|line| line.contains("joined")).count();
    let ending = log.lines().filter(|line| line.contains("shutting down: closing every connection")).count();
    assert_eq!((joined, ending, log.lines().count()), (2, 1, before + 3), "{log}");
}

/// The log of a server.
struct Log(tokio::io::Lines<BufReader<ChildStderr>>);

impl Log {
    fn of(server: &mut Server) -> Log {
        Log(BufReader::new(server.child.stderr.take().expect("it is piped")).lines())
    }

    /// Reads up to the first line that contains `words`.
    async fn until(&mut self, words: &str) -> String {
        within(words, async {
            loop {
                let line = self.0.next_line().await.expect("a pipe").expect("a line before it ends");
                if line.contains(words) {
                    return line;
                }
            }
        })
        .await
    }
}

#[tokio::test]
async fn a_signal_without_effect_is_logged_once() {
    let mut server = Server::start(Stdio::piped(), |_| {}).await;
    let mut log = Log::of(&mut server);
    let mut player = server.player("Ada").await;
    for signal in [Signal::SIGUSR1, Signal::SIGALRM, Signal::SIGPIPE, Signal::SIGXFSZ] {
        server.send(signal);
        log.until(&format!("further ones are not logged signal=\"{signal}\"")).await;
        server.send(signal);
    }
    if cfg!(target_os = "linux") {
        // Real-time signals have no names; this is the first that a program may use.
        let kill = format!("kill -34 {}", server.child.id().expect("it runs"));
        let sent = std::process::Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(sent.success());
        log.until("further ones are not logged signal=\"a real-time signal\"").await;
    }
    server.send(Signal::SIGHUP);
    let since = log.until("nothing to reload").await;
    assert!(!since.contains("no effect"));
    step(&mut player).await.expect("the server stays");
    assert!(server.healthz().await.starts_with("HTTP/1.1 200"));
    server.end().await;
}

#[tokio::test]
async fn a_hangup_reloads_the_certificate() {
    let folder = Folder::new();
    let folder_of_tls = folder.0.join("tls");
    let mut command = program(&folder);
    command.args(["--port", "0", "--tls-self-signed"]).arg(&folder_of_tls).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program is there");
    let mut server = Server { child, address: String::new(), _folder: folder };
    let mut log = Log::of(&mut server);
    log.until("listening").await;
    server.send(Signal::SIGHUP);
    log.until("certificate replaced").await;
    std::fs::write(folder_of_tls.join("self-signed-key.pem"), "no key").expect("our own folder");
    server.send(Signal::SIGHUP);
    log.until("new certificate is invalid").await;
    server.end().await;
}

#[tokio::test]
async fn ending_signals_close_with_going_away_and_a_second_one_ends_immediately() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        let mut server = Server::start(Stdio::null(), |_| {}).await;
        let mut player = server.player("Ada").await;
        server.send(signal);
        assert_eq!(close_code(&mut player).await, 1001, "{signal}");
        assert_eq!(server.ended().await.code(), Some(0), "{signal}");
    }
    let mut server = Server::start(Stdio::piped(), |_| {}).await;
    let mut log = Log::of(&mut server);
    // A client that does not answer the close, for which the server waits.
    let silent = server.player("Ada").await;
    server.send(Signal::SIGTERM);
    log.until("shutting down: closing every connection").await;
    server.send(Signal::SIGINT);
    assert_eq!(server.ended().await.code(), Some(128 + Signal::SIGINT as i32));
    drop(silent);
}

/// Runs a server that cannot start. Returns its status and standard error.
async fn refused(flags: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = Folder::new();
    let mut command = program(&folder);
    command.args(flags).envs(variables.iter().copied());
    let output = within("its end", command.output()).await.expect("the program is there");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_startup_error_is_one_line_that_names_the_flag_or_the_variable() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("a bound address").port().to_string();
    let own_and_variable = "(--port is set by the environment variable BROADSIDE_PORT)";
    for (flags, variables, status, says) in [
        (&["--port", "-1"][..], &[][..], 2, &["invalid value '-1' for '--port <PORT>': must be 0 to 65535"][..]),
        (&["--seed", "-1"], &[], 2, &["'-1' for '--seed <NUMBER>': must be 0 to 18446744073709551615"]),
        (&["--rooms", "3", "--max-rooms", "2"], &[], 2, &["--rooms 3: more than --max-rooms 2 allows"]),
        (&["--tls-cert", "x"], &[], 2, &["add --tls-key FILE"]),
        (&[], &[("BROADSIDE_PORT", "http")], 2, &["'http'", "must be 0 to 65535", own_and_variable]),
        (&[], &[("BROADSIDE_PORT", "-1")], 2, &["'-1'", "must be 0 to 65535", own_and_variable]),
        (&[], &[("BROADSIDE_LOG_FORMAT", "xml")], 2, &["[possible values: text, json]", "BROADSIDE_LOG_FORMAT"]),
        (&[], &[("BROADSIDE_TLS_KEY", "x")], 2, &["add --tls-cert FILE", "variable BROADSIDE_TLS_KEY"]),
        (&["--max-rooms", "2"], &[("BROADSIDE_ROOMS", "3")], 2, &["--rooms 3: more", "variable BROADSIDE_ROOMS"]),
        (
            &[],
            &[("RUST_LOG", "info,verbos")],
            2,
            &["RUST_LOG", "\"verbos\" is not a valid filter", "error, warn, info"],
        ),
        (&["--port", &port], &[], 1, &["is taken", "choose another with --port"]),
        (&[], &[("BROADSIDE_PORT", &port)], 1, &["is taken", own_and_variable]),
        (
            &["--host", "192.0.2.1", "--port", "0"],
            &[],
            1,
            &["is no address of this machine: give --host one of its own"],
        ),
        (&["--port", "0", "--assets", "/nowhere"], &[], 1, &["/nowhere", "--assets"]),
        (
            &["--port", "0", "--tls-cert", "/no.pem", "--tls-key", "/no.key"],
            &[],
            1,
            &["certificate /no.pem: cannot be read"],
        ),
    ] {
        let (code, stderr) = refused(flags, variables).await;
        let lines: Vec<&str> = stderr.lines().collect();
        assert!(
            code == Some(status) && lines.len() == 1 && lines[0].starts_with("error: "),
            "{flags:?} {variables:?}: {code:?} {stderr}"
        );
        for part in says {
            assert!(stderr.contains(part), "{part}: {stderr}");
        }
    }
}

#[tokio::test]
async fn the_fatal_error_has_the_format_of_the_log_and_ignores_the_filter() {
    let flags = ["--host", "192.0.2.1", "--log-format", "json"];
    let (code, stderr) = refused(&flags, &[("RUST_LOG", "off")]).await;
    let line: serde_json::Value = serde_json::from_str(&stderr).expect("one object and nothing else");
    assert_eq!((code, line["level"].as_str()), (Some(1), Some("ERROR")));
    assert!(
        line["fields"]["message"].as_str().is_some_and(|text| text.contains("no address of this machine")),
        "{stderr}"
    );
    assert!(line["timestamp"].as_str().is_some_and(|at| at.starts_with("20")), "{stderr}");
}

#[tokio::test]
async fn variables_of_a_kubernetes_service_of_the_same_name_are_ignored() {
    let variables = [
        ("BROADSIDE_SERVICE_HOST", "10.96.0.12"),
        ("BROADSIDE_SERVICE_PORT", "8080"),
        ("BROADSIDE_PORT", "tcp://10.96.0.12:8080"),
        ("BROADSIDE_PORT_8080_TCP", "tcp://10.96.0.12:8080"),
        ("BROADSIDE_PORT_8080_TCP_ADDR", "10.96.0.12"),
        // What a compose file makes of an unset variable.
        ("BROADSIDE_ROOMS", ""),
        ("BROADSIDE_ALLOW_ORIGIN", ""),
        ("RUST_LOG", ""),
    ];
    // On the default port, which may be taken.
    let folder = Folder::new();
    let mut command = program(&folder);
    command.args(["--host", "192.0.2.1"]).envs(variables);
    let output = within("its end", command.output()).await.expect("the program is there");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("cannot listen on 192.0.2.1:8080"), "{stderr}");
    assert!(stderr.lines().any(|line| line.contains("WARN") && line.contains("BROADSIDE_PORT")), "{stderr}");
    let mut server = Server::start(Stdio::piped(), |command| _ = command.envs(variables)).await;
    let mut log = Log::of(&mut server);
    server.send(Signal::SIGTERM);
    log.until("shutting down: closing every connection").await;
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_clone_without_the_page_runs_and_says_how_to_build_it() {
    let empty = Folder::new();
    let mut server = Server::start(Stdio::piped(), |command| {
        command.env_remove("BROADSIDE_ASSETS").current_dir(&empty.0);
    })
    .await;
    let mut log = Log::of(&mut server);
    assert!(log.until("the page was not built yet").await.contains("`cargo xtask play`"));
    let page = server.get("/").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("cargo xtask play"), "{page}");
    server.end().await;
}
