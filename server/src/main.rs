//! The server program: flags, log, signals. Everything else is in the library.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use broadside_cli::{Environment, refuse};
use broadside_server::config::Config;
use broadside_server::files;
use broadside_server::log::{self, Filter};
use broadside_server::signals::{self, Asked, Signals};
use broadside_server::{Running, start};

/// The exit status of a server that cannot start, or cannot go on.
const FAILED: u8 = 1;
/// What is added to the number of the signal that ends at once, as shells do.
const SIGNALLED: u8 = 128;
/// Time that everything has to end. Sockets have 2 s each to answer a close; beyond this something hangs.
const END: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    bound_arenas();
    let (config, environment) = broadside_cli::parse::<Config>();
    let checked = config.check().and_then(|()| Filter::from_environment());
    let filter = checked.unwrap_or_else(|why| refuse(&environment.explain(&why)));
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
    let code = match runtime.block_on(run(config, &environment)) {
        Ok(code) => code,
        Err(error) => {
            log.error(&environment.explain(&format!("{error:#}")));
            FAILED
        }
    };
    // Nothing that hangs holds up the end.
    runtime.shutdown_background();
    drop(log);
    code.into()
}

/// Starts this program once more with a bound on what glibc reserves, unless the environment has one. It reserves 64 MiB of addresses for
/// each thread that allocates, which a limit of address space counts as if they were used, and reads the bound only at the start. A
/// steady tick allocates nothing, so that its threads share two of them costs nothing.
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
    // It comes back only where it cannot: then all is as the system has it.
    let _ = again.args(words).env(VARIABLE, "2").exec();
}

/// Elsewhere there is nothing to bound.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn bound_arenas() {}

/// Serves until a signal asks for the end. Gives the exit status.
async fn run(config: Config, environment: &Environment) -> anyhow::Result<u8> {
    let mut signals = signals::listen()?;
    for (variable, value) in environment.foreign() {
        tracing::warn!(
            variable,
            value,
            "ignored: Kubernetes sets this variable for a service of our name; see enableServiceLinks"
        );
    }
    // Every connection is a file.
    files::raise_limit();
    // As a task, so that a signal ends it also while it waits for a file.
    let running = tokio::select! {
        running = tokio::spawn(start(config)) => running??,
        (name, _) = signals.end() => {
            tracing::info!(signal = name, "ended before it was up");
            return Ok(0);
        }
    };
    // The one line on standard output, for scripts that asked for port 0.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on {}://{}", running.scheme(), running.address);
    let _ = stdout.flush();
    let code = until_the_end(&running, &mut signals).await;
    tokio::select! {
        () = running.end() => Ok(code),
        () = tokio::time::sleep(END) => anyhow::bail!("could not end within {} s", END.as_secs()),
        (name, number) = signals.end() => {
            tracing::warn!(signal = name, "ending at once");
            Ok(SIGNALLED + number)
        }
    }
}

/// Waits for the reason to end. Gives the exit status that it deserves.
async fn until_the_end(running: &Running, signals: &mut Signals) -> u8 {
    let mut ignored = BTreeSet::new();
    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            part = running.gone() => {
                tracing::error!(part, "ending, to be started again: closing every connection");
                return FAILED;
            }
        };
        match asked {
            Asked::End(name, _) => {
                tracing::info!(signal = name, "ending: closing every connection");
                return 0;
            }
            Asked::Renew(name) => {
                tracing::info!(signal = name, "reading anew what may have changed");
                // Files may be on a network, and take their time.
                tokio::select! {
                    () = running.renew() => {}
                    part = running.gone() => {
                        tracing::error!(part, "ending, to be started again: closing every connection");
                        return FAILED;
                    }
                    (name, _) = signals.end() => {
                        tracing::info!(signal = name, "ending: closing every connection");
                        return 0;
                    }
                }
            }
            Asked::Nothing(name) if ignored.insert(name) => {
                tracing::warn!(signal = name, "means nothing here, and is ignored from now on");
            }
            Asked::Nothing(_) => {}
        }
    }
}
