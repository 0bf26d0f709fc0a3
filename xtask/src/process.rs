//! Child programs: those that run to their end, and those that run until they are stopped.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::guard::{self, Owner};

/// How long a program may take from SIGTERM to its end before it is killed.
const GRACE: Duration = Duration::from_secs(8);
/// How long a server may take from its start to naming its address, or to its first answer.
const START_MAX: Duration = Duration::from_secs(20);
/// How often we look at a running program and at the stop signal.
pub(crate) const GLANCE: Duration = Duration::from_millis(30);

/// The first of the ports for programs that start again, and how many there are.
const PORT_MIN: u32 = 20_000;
const PORTS: u32 = 12_000;

static STOP_SIGNALS: AtomicU32 = AtomicU32::new(0);

/// A stop signal arrived while a program was waited for.
#[derive(Debug)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// A program that [`run`] waited for did not end well.
#[derive(Debug)]
pub(crate) struct Failed {
    command: String,
    status: String,
    /// Its exit code, unless a signal ended it.
    pub(crate) code: Option<i32>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed ({})", self.command, self.status)
    }
}

impl std::error::Error for Failed {}

/// From here on Ctrl-C, SIGTERM and a closed terminal are counted and end nothing automatically.
pub(crate) fn catch_stop_signals() -> Result<()> {
    ctrlc::set_handler(|| _ = STOP_SIGNALS.fetch_add(1, Ordering::Relaxed)).context("cannot catch Ctrl-C")
}

/// Number of stop signals so far.
pub(crate) fn stop_signals() -> u32 {
    STOP_SIGNALS.load(Ordering::Relaxed)
}

/// Runs `command` with our terminal and waits for it.
///
/// # Errors
/// It cannot be started, [`Failed`], or [`Stopped`].
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if stop_signals() > 0 {
            // Ctrl-C reached it as well, but a SIGTERM came to us alone.
            ask_to_end(&mut child);
            child.wait()?;
        }
        std::thread::sleep(GLANCE);
    };
    if stop_signals() > 0 {
        return Err(Stopped.into());
    }
    match status.code() {
        Some(0) => Ok(()),
        code => Err(Failed { command: shown, status: status.to_string(), code }.into()),
    }
}

/// Waits so long.
///
/// # Errors
/// [`Stopped`].
pub(crate) fn wait(time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        ensure!(stop_signals() == 0, Stopped);
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

/// A free port of 127.0.0.1, another one each time, that the system gives to nobody: it gives those from 32768 on to whoever connects.
/// While a program is dead, others try to reach its port, and one that was given the same port would be connected with itself and hold it.
///
/// # Errors
/// There is none.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Programs that run at the same time begin far from each other.
    let begin = std::process::id().wrapping_mul(97);
    let mut ports = (0..PORTS).map(|_| {
        let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        u16::try_from(PORT_MIN + next).expect("below 65536")
    });
    let free = ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.with_context(|| format!("no port of {PORT_MIN} to {} is free", PORT_MIN + PORTS - 1))
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A program that runs until it is stopped; it ends with this value, and with this process.
pub(crate) struct Service {
    name: String,
    child: Child,
}

impl Service {
    /// Starts `command` with no input and in a process group of its own: Ctrl-C then reaches us alone, and we
    /// decide the order in which things end.
    pub(crate) fn start(name: &str, command: &Command, stdout: Stdio, stderr: Stdio) -> Result<Self> {
        Self::start_as(None, name, command, stdout, stderr)
    }

    /// The same as another user.
    pub(crate) fn start_as(
        owner: Option<Owner>,
        name: &str,
        command: &Command,
        stdout: Stdio,
        stderr: Stdio,
    ) -> Result<Self> {
        let mut command = guard::guarded(command, owner);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The program's standard output, when it was piped and not taken before.
    pub(crate) fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// The program's standard error, when it was piped and not taken before.
    pub(crate) fn take_stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// Its number, which is also that of its process group.
    #[cfg(unix)]
    pub(crate) fn process(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id().cast_signed())
    }

    /// Where it listens, as a server says that in its first line.
    ///
    /// # Errors
    /// It says something else, or nothing for [`START_MAX`].
    pub(crate) fn listening(&mut self) -> Result<SocketAddr> {
        let stdout = self.take_stdout().context("its output was piped")?;
        let (line_out, line_in) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            _ = BufReader::new(stdout).read_line(&mut line);
            _ = line_out.send(line);
        });
        let line = line_in.recv_timeout(START_MAX).context("the server did not say where it listens")?;
        let url = line.trim().strip_prefix("listening on ").and_then(|url| url.split_once("://"));
        let address = url.and_then(|(_, address)| address.parse().ok());
        address.with_context(|| format!("the server said {:?} and not `listening on URL`", line.trim()))
    }

    /// How it ended, when it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until `is_up`, and says false when we were asked to stop before.
    ///
    /// # Errors
    /// It ended, or was not up within [`START_MAX`].
    pub(crate) fn wait_until(&mut self, is_up: impl Fn() -> bool) -> Result<bool> {
        let started_at = Instant::now();
        while stop_signals() == 0 {
            if is_up() {
                return Ok(true);
            }
            if let Some(status) = self.ended()? {
                bail!("the {} ended before it was up ({status})", self.name);
            }
            ensure!(started_at.elapsed() < START_MAX, "the {} did not answer within {START_MAX:?}", self.name);
            std::thread::sleep(GLANCE);
        }
        Ok(false)
    }

    /// Asks it to end and waits for that. A further stop signal, or [`GRACE`], kills it.
    ///
    /// # Errors
    /// It had to be killed, or its exit status is not 0.
    pub(crate) fn end(self) -> Result<()> {
        end_all(vec![self])
    }

    fn wait_for_end(mut self, asked_at: Instant, signals_before: u32) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success() || !cfg!(unix), "the {} ended with {status}", self.name);
                return Ok(());
            }
            ensure!(asked_at.elapsed() < GRACE, "the {} had to be killed: it did not end in {GRACE:?}", self.name);
            ensure!(stop_signals() == signals_before, "the {} was killed", self.name);
            std::thread::sleep(GLANCE);
        }
    }
}

/// Asks all of them to end before it waits for the first, so that together they take as long as the slowest; else as [`Service::end`].
///
/// # Errors
/// As [`Service::end`], for the first that did not end well.
pub(crate) fn end_all(mut services: Vec<Service>) -> Result<()> {
    let (asked_at, signals_before) = (Instant::now(), stop_signals());
    services.iter_mut().for_each(|service| ask_to_end(&mut service.child));
    let ended: Vec<Result<()>> =
        services.into_iter().map(|service| service.wait_for_end(asked_at, signals_before)).collect();
    ended.into_iter().collect()
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what we want.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[cfg(unix)]
fn ask_to_end(child: &mut Child) {
    use nix::sys::signal::{Signal, kill};
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    // It fails only when the program has ended already.
    _ = kill(pid, Signal::SIGTERM);
}

/// There is no signal to ask with, so this is the end at once.
#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) {
    _ = child.kill();
}
