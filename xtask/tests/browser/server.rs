//! Real servers and bots, as programs of their own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{DEADLINE, setup};

/// A program that ends with us even when we are killed.
fn guarded(program: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["guard", "--parent", &std::process::id().to_string(), "--"]).arg(program);
    if !cfg!(target_os = "linux") {
        command = Command::new(program);
    }
    command
}

/// A running server; it ends with this value.
pub(crate) struct Server {
    child: Child,
    scheme: &'static str,
    port: u16,
    /// What it says behind the port.
    path: String,
}

impl Server {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_on(0).await
    }

    /// Starts one on `port`, and waits until it listens.
    pub(crate) async fn start_on(port: u16) -> Self {
        Self::start_with("http", port, &setup::site(), &[]).await
    }

    /// Starts that of puck on a free port.
    pub(crate) async fn start_puck() -> Self {
        let program = setup::program("broadside-puck-server");
        Self::start_program(&program, "http", 0, &setup::puck_site(), &[]).await
    }

    /// Starts one with these flags on a free port.
    pub(crate) async fn start_with_flags(flags: &[&str]) -> Self {
        Self::start_with("http", 0, &setup::site(), flags).await
    }

    /// Starts one with these flags on `port`.
    pub(crate) async fn start_on_with_flags(port: u16, flags: &[&str]) -> Self {
        Self::start_with("http", port, &setup::site(), flags).await
    }

    /// Starts one that serves this folder, on a free port.
    pub(crate) async fn start_serving(site: &Path) -> Self {
        Self::start_with("http", 0, site, &[]).await
    }

    /// Starts one that speaks TLS, with a certificate of its own making.
    pub(crate) async fn start_secure() -> Self {
        let folder = format!("{}/tls-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        Self::start_with("https", 0, &setup::site(), &["--tls-self-signed", &folder]).await
    }

    /// Starts the command that shows a recording of puck.
    pub(crate) async fn start_replay_of_puck(file: &Path) -> Self {
        let mut command = guarded(&setup::program("broadside-puck-server"));
        command.arg("--assets").arg(setup::puck_site()).arg("replay").arg(file).arg("--serve");
        Self::spawn(command, "http", " is shown at http://127.0.0.1:").await
    }

    /// Where the command of [`Server::start_replay_of_puck`] shows the recording.
    pub(crate) fn shown(&self) -> String {
        self.url(&self.path)
    }

    async fn start_with(scheme: &'static str, port: u16, site: &Path, flags: &[&str]) -> Self {
        Self::start_program(&setup::program("broadside-server"), scheme, port, site, flags).await
    }

    async fn start_program(program: &Path, scheme: &'static str, port: u16, site: &Path, flags: &[&str]) -> Self {
        let mut command = guarded(program);
        command
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--limit-exempt", "127.0.0.1"])
            .arg("--assets")
            .arg(site);
        if !flags.contains(&"--bots") {
            command.args(["--bots", "0"]);
        }
        if !flags.contains(&"--data") {
            command.args(["--data", "memory"]);
        }
        command.args(flags);
        Self::spawn(command, scheme, &format!("listening on {scheme}://127.0.0.1:")).await
    }

    /// Waits until a program says `listens` and its port.
    async fn spawn(mut command: Command, scheme: &'static str, listens: &str) -> Self {
        command.env("RUST_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, stdout.read_line(&mut line)).await;
        read.expect("the server says where it listens").expect("its output can be read");
        let said = line.trim().split_once(listens).map_or("", |(_, said)| said);
        let (port, path) = said.split_once('/').unwrap_or((said, ""));
        let (port, path) = (port.parse().ok(), format!("/{path}"));
        let port = port.unwrap_or_else(|| panic!("the server said {line:?} and not where it listens"));
        Self { child, scheme, port, path }
    }

    /// The address of `path` on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// The address of `path` on it, by the name that passkeys are bound to.
    pub(crate) fn named_url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port)
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Waits until it has ended by itself, in good order.
    pub(crate) async fn has_ended(mut self, deadline: Duration) {
        let ended = tokio::time::timeout(deadline, self.child.wait()).await.expect("it ends");
        assert!(ended.expect("it is ours").success());
    }

    /// Ends it with no chance to say goodbye. Gives the port that it had.
    pub(crate) async fn kill(mut self) -> u16 {
        self.child.kill().await.expect("it runs");
        self.port
    }
}

/// Bots that play; they end with this value.
pub(crate) struct Bots {
    _child: Child,
}

impl Bots {
    /// Starts `count` of them on `server`.
    pub(crate) fn start(server: &Server, count: u32) -> Self {
        let mut command = guarded(&setup::program("bot"));
        command.args([&format!("ws://127.0.0.1:{}/ws", server.port), "--count", &count.to_string(), "--skill", "0.6"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        Self { _child: command.spawn().expect("the program `bot` was built") }
    }
}
