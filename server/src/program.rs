//! The server as a program: flags, the game's configuration, log, signals. Everything else is in the rest of the library.

mod replay;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use broadside_cli::{Environment, REFUSED, refuse};
use broadside_shared::game::Game;
use broadside_shared::trial::rules_hash;
use clap::Parser;

use crate::commands::Command;
use crate::config::{Config, game as game_config};
use crate::hand_over::{self, Hello, Successor};
use crate::log::{self, Filter};
use crate::running::{Home, Still};
use crate::signals::{self, SignalAction, Signals};
use crate::{Beginning, Running, StartError, files, start_with, systemd};

/// Threads wait for each other in musl's own allocator.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit status of a server that cannot start or cannot continue.
const FAILED: u8 = 1;
/// Added to the signal number for the exit status after a second signal, as shells do.
const SIGNALLED: u8 = 128;
/// Time limit of the shutdown. Each socket has 2 s to answer its close frame; beyond this limit something hangs.
const SHUTDOWN_MAX: Duration = Duration::from_secs(15);

/// The program's arguments: flags of a server, or a command.
#[derive(Debug, Parser)]
#[command(name = "broadside-server", version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    config: Config,

    /// Take over from the server that runs with the same --data: its port, players and rooms. It ends; players notice a short pause
    #[arg(long)]
    take_over: bool,

    /// With --take-over: also if the rules of the game are others; players keep their seats, and worlds begin anew
    #[arg(long, requires = "take_over")]
    allow_migration: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

/// Runs a server of a game until a signal ends it; the whole of a game's program. Flags come from the command line and the environment.
#[must_use]
pub fn run<G: Game>() -> ExitCode {
    bound_arenas();
    let program = std::env::current_exe();
    let (Arguments { config, take_over, allow_migration, command }, environment) = broadside_cli::parse::<Arguments>();
    match command {
        Some(Command::Replay { file, serve: true, port }) => return replay::run::<G>(&file, port, config.assets),
        Some(command) => return command.run::<G>(&config),
        None => {}
    }
    let checked = config.check().and_then(|()| Filter::from_environment());
    let filter = checked.unwrap_or_else(|why| refuse(&environment.explain(&why)));
    let game = game_config::read::<G>(config.game_config.as_deref(), &config.set);
    let game = game.unwrap_or_else(|why| refuse(&environment.explain(&why)));
    signals::write_from_background();
    let log = match log::start(config.log_format, filter) {
        Ok(log) => log,
        Err(error) => {
            broadside_cli::say(&format!("error: cannot start the log: {error}"));
            return FAILED.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log.error(&format!("cannot start: {error}"));
            return FAILED.into();
        }
    };
    let hello =
        take_over.then(|| Hello { game: G::NAME.to_owned(), rules: rules_hash::<G>(), may_migrate: allow_migration });
    let code = match runtime.block_on(serve::<G>(config, game, hello, program.ok(), &environment)) {
        Ok(code) => code,
        Err(error) => {
            log.error(&environment.explain(&format!("{error:#}")));
            match error.downcast_ref::<StartError>() {
                // A flag names what cannot be used.
                Some(StartError::Store(_)) => REFUSED,
                Some(_) | None => FAILED,
            }
        }
    };
    // Does not wait for tasks that hang.
    runtime.shutdown_background();
    drop(log);
    code.into()
}

/// Re-executes this program with settings for glibc's malloc, unless the environment has its own: they are read only at startup.
///
/// glibc reserves 64 MiB of address space per allocating thread, which counts against a limit of address space. A steady tick allocates
/// nothing, so sharing two arenas costs nothing. Blocks of 128 KiB, such as a checkpoint or the memory of what packs a recording, go back to the
/// system at once: by default glibc raises that limit with each such block, up to 32 MiB, and keeps those below it in pieces between others.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn bound_arenas() {
    use std::os::unix::process::CommandExt;
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    const SETTINGS: [(&str, &str); 3] =
        [(ARENAS, "2"), ("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];
    if std::env::var_os(ARENAS).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut words = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    // Returns only on failure; the system defaults then stay in effect.
    let _ = again.args(words).envs(SETTINGS).exec();
}

/// Other allocators need no limit.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn bound_arenas() {}

/// Serves until a signal ends the server, or another one takes over. Returns the exit status.
async fn serve<G: Game>(
    config: Config,
    game: G::Config,
    hello: Option<Hello>,
    program: Option<PathBuf>,
    environment: &Environment,
) -> anyhow::Result<u8> {
    let mut signals = signals::listen()?;
    for (variable, value) in environment.foreign() {
        tracing::warn!(
            variable,
            value,
            "ignored: Kubernetes sets this variable for a service of this name; see enableServiceLinks"
        );
    }
    // Every connection needs a file descriptor.
    files::raise_limit();
    let mut beginning = match hello {
        None => Beginning::Fresh,
        Some(hello) => {
            let data =
                config.data.path().context("--take-over needs the --data folder of the running server")?.to_owned();
            let asked = tokio::task::spawn_blocking(move || hand_over::ask(&data, &hello)).await?;
            Beginning::TakeOver(asked.map_err(anyhow::Error::msg)?)
        }
    };
    let mut is_ending = false;
    loop {
        let goes_on = matches!(beginning, Beginning::GoOn(..));
        // In a task, so that a signal can end it while it waits for a file; but not when only it knows of the players.
        let running = tokio::select! {
            running = tokio::spawn(start_with::<G>(config.clone(), game.clone(), beginning)) => running??,
            (name, _) = signals.end(), if !goes_on => {
                tracing::info!(signal = name, "ended during startup");
                return Ok(0);
            }
        };
        // The only line on standard output, for scripts that use port 0.
        let mut stdout = std::io::stdout();
        let _ = writeln!(stdout, "listening on {}://{}", running.scheme(), running.address);
        let _ = stdout.flush();
        systemd::serves();
        // Its rooms were to move to another node, which has failed.
        let why =
            if is_ending { End::Status(0) } else { until_the_end(&running, &mut signals, program.as_deref()).await };
        match why {
            End::Status(0) if !is_ending => {
                is_ending = true;
                match running.home().await {
                    None => return end(running, 0, &mut signals).await,
                    Some(home) => match move_away(running, home).await {
                        None => return Ok(0),
                        Some(again) => beginning = again,
                    },
                }
            }
            End::Status(code) => return end(running, code, &mut signals).await,
            End::Successor(successor) => match give(running, successor).await {
                None => return Ok(0),
                Some(again) => beginning = again,
            },
        }
    }
}

/// Lets matches end, if the flags say so, and ends the server.
async fn end<G: Game>(running: Running<G>, code: u8, signals: &mut Signals) -> anyhow::Result<u8> {
    systemd::ends();
    if code == 0 && running.app().config.drain_wait > 0 {
        tokio::select! {
            () = running.drain() => {}
            part = running.gone() => tracing::error!(part, "draining ends"),
            (name, _) = signals.end() => tracing::info!(signal = name, "draining ends: matches are cut short"),
        }
    }
    let ended = async { if code == FAILED { running.end_for_restart().await } else { running.end().await } };
    tokio::select! {
        () = ended => Ok(code),
        () = tokio::time::sleep(SHUTDOWN_MAX) => anyhow::bail!("could not shut down within {} s", SHUTDOWN_MAX.as_secs()),
        (name, number) = signals.end() => {
            tracing::warn!(signal = name, "ending immediately");
            Ok(SIGNALLED + number)
        }
    }
}

/// Moves the rooms to another node of the cluster. If that fails, returns what this server goes on from, until its matches have ended.
async fn move_away<G: Game>(running: Running<G>, home: Home) -> Option<Beginning> {
    systemd::ends();
    let still = running.move_to(home).await.err()?;
    go_on_from(still)
}

/// What a server goes on from whose state nobody has taken.
fn go_on_from(still: Still) -> Option<Beginning> {
    match still.sockets.again() {
        Ok(sockets) => Some(Beginning::GoOn(sockets, still.state, still.connections)),
        Err(error) => {
            tracing::error!(%error, "no descriptors are left to go on with");
            None
        }
    }
}

/// Hands over to a successor. If that fails, returns what this server goes on from.
async fn give<G: Game>(running: Running<G>, successor: Successor) -> Option<Beginning> {
    tracing::info!("handing over: connections go on at the successor");
    let stalled = Instant::now();
    let still = running.stand_still().await;
    let given = tokio::task::spawn_blocking(move || {
        let given = successor.give(&still.state, &still.connections);
        (given, still)
    });
    let (given, still) = match given.await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "nothing is left to go on with");
            return None;
        }
    };
    match given {
        Ok(()) => {
            tracing::info!(stall_ms = stalled.elapsed().as_millis() as u64, bytes = still.state.len(), "handed over");
            still.end().await;
            None
        }
        Err(error) => {
            tracing::error!(%error, "the successor failed: this server goes on");
            go_on_from(still)
        }
    }
}

/// Starts this program again, from the file where it was, as its own successor.
fn start_successor(program: Option<&Path>) {
    let Some(program) = program else {
        return tracing::error!("the file of this program is unknown: it cannot be started again");
    };
    let words = std::env::args_os().skip(1).filter(|word| word != "--take-over");
    let mut command = tokio::process::Command::new(program);
    match command.args(words).arg("--take-over").env_remove(systemd::STARTED_PROCESS).spawn() {
        Ok(mut child) => {
            tracing::info!(program = %program.display(), process = child.id(), "starting a successor");
            tokio::spawn(async move {
                if let Ok(status) = child.wait().await {
                    tracing::warn!(%status, "the successor has ended");
                }
            });
        }
        Err(error) => {
            tracing::error!(program = %program.display(), %error, "cannot start a successor: this server goes on");
        }
    }
}

/// Why a server ends.
enum End {
    /// With this exit status.
    Status(u8),
    /// Another process is ready to take over.
    Successor(Successor),
}

/// Waits for a reason to end.
async fn until_the_end<G: Game>(running: &Running<G>, signals: &mut Signals, program: Option<&Path>) -> End {
    let mut ignored = BTreeSet::new();
    let successor = running.successor();
    tokio::pin!(successor);
    loop {
        let action = tokio::select! {
            action = signals.next() => action,
            successor = &mut successor => return End::Successor(successor),
            () = running.app().asked_to_end.notified() => {
                tracing::info!("an admin ends this node");
                return End::Status(0);
            }
            part = running.gone() => {
                tracing::error!(part, "shutting down for a restart: closing every connection");
                return End::Status(FAILED);
            }
        };
        match action {
            SignalAction::End(name, _) => {
                match running.app().config.drain_wait {
                    0 => tracing::info!(signal = name, "shutting down: closing every connection"),
                    _ => tracing::info!(signal = name, "shutting down: matches in progress end first"),
                }
                return End::Status(0);
            }
            SignalAction::HandOver(name) => {
                tracing::info!(signal = name, "handing over to a new process");
                start_successor(program);
            }
            SignalAction::Reload(name) => {
                tracing::info!(signal = name, "reloading the certificate");
                // The files may be on a network, and slow.
                tokio::select! {
                    () = running.renew() => {}
                    part = running.gone() => {
                        tracing::error!(part, "shutting down for a restart: closing every connection");
                        return End::Status(FAILED);
                    }
                    (name, _) = signals.end() => {
                        tracing::info!(signal = name, "shutting down: closing every connection");
                        return End::Status(0);
                    }
                }
            }
            SignalAction::Ignore(name) if ignored.insert(name) => {
                tracing::warn!(signal = name, "signal has no effect; further ones are not logged");
            }
            SignalAction::Ignore(_) => {}
        }
    }
}
