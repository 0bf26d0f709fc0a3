//! The server as a program: flags, the game's configuration, log, signals. Everything else is in the rest of the library.

mod replay;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use broadside_cli::{Environment, REFUSED, refuse};
use broadside_shared::game::Game;
use clap::Parser;

use crate::commands::Command;
use crate::config::{Config, game as game_config};
use crate::log::{self, Filter};
use crate::signals::{self, SignalAction, Signals};
use crate::{Running, StartError, files, start};

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
    #[command(subcommand)]
    command: Option<Command>,
}

/// Runs a server of a game until a signal ends it; the whole of a game's program. Flags come from the command line and the environment.
#[must_use]
pub fn run<G: Game>() -> ExitCode {
    bound_arenas();
    let (Arguments { config, command }, environment) = broadside_cli::parse::<Arguments>();
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
    let code = match runtime.block_on(serve::<G>(config, game, &environment)) {
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

/// Re-executes this program with a limit on glibc's malloc arenas, unless the environment sets one. glibc reserves 64 MiB of address
/// space per allocating thread, which counts against a limit of address space, and reads the limit only at startup. A steady tick
/// allocates nothing, so sharing two arenas costs nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn bound_arenas() {
    use std::os::unix::process::CommandExt;
    const VARIABLE: &str = "MALLOC_ARENA_MAX";
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut words = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    // Returns only on failure; the system defaults then stay in effect.
    let _ = again.args(words).env(VARIABLE, "2").exec();
}

/// Other allocators need no limit.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn bound_arenas() {}

/// Serves until a signal ends the server. Returns the exit status.
async fn serve<G: Game>(config: Config, game: G::Config, environment: &Environment) -> anyhow::Result<u8> {
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
    // In a task, so that a signal can end it while it waits for a file.
    let running = tokio::select! {
        running = tokio::spawn(start::<G>(config, game)) => running??,
        (name, _) = signals.end() => {
            tracing::info!(signal = name, "ended during startup");
            return Ok(0);
        }
    };
    // The only line on standard output, for scripts that use port 0.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on {}://{}", running.scheme(), running.address);
    let _ = stdout.flush();
    let code = until_the_end(&running, &mut signals).await;
    if code == 0 && running.app().config.drain_wait > 0 {
        tokio::select! {
            () = running.drain() => {}
            part = running.gone() => tracing::error!(part, "draining ends"),
            (name, _) = signals.end() => tracing::info!(signal = name, "draining ends: matches are cut short"),
        }
    }
    tokio::select! {
        () = running.end() => Ok(code),
        () = tokio::time::sleep(SHUTDOWN_MAX) => anyhow::bail!("could not shut down within {} s", SHUTDOWN_MAX.as_secs()),
        (name, number) = signals.end() => {
            tracing::warn!(signal = name, "ending immediately");
            Ok(SIGNALLED + number)
        }
    }
}

/// Waits for a reason to end. Returns the exit status.
async fn until_the_end<G: Game>(running: &Running<G>, signals: &mut Signals) -> u8 {
    let mut ignored = BTreeSet::new();
    loop {
        let action = tokio::select! {
            action = signals.next() => action,
            part = running.gone() => {
                tracing::error!(part, "shutting down for a restart: closing every connection");
                return FAILED;
            }
        };
        match action {
            SignalAction::End(name, _) => {
                match running.app().config.drain_wait {
                    0 => tracing::info!(signal = name, "shutting down: closing every connection"),
                    _ => tracing::info!(signal = name, "shutting down: matches in progress end first"),
                }
                return 0;
            }
            SignalAction::Reload(name) => {
                tracing::info!(signal = name, "reloading the certificate");
                // The files may be on a network, and slow.
                tokio::select! {
                    () = running.renew() => {}
                    part = running.gone() => {
                        tracing::error!(part, "shutting down for a restart: closing every connection");
                        return FAILED;
                    }
                    (name, _) = signals.end() => {
                        tracing::info!(signal = name, "shutting down: closing every connection");
                        return 0;
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
