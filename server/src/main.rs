//! The server program: flags, logs, signals. Everything else is in the library.

use std::io::{IsTerminal, Write};

use broadside_server::config::{Config, LogFormat};
use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    // Every connection is a file.
    broadside_server::files::raise_limit();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(config))
}

async fn run(config: Config) -> anyhow::Result<()> {
    let signal = ending_signal()?;
    let running = broadside_server::start(config).await?;
    // The one line on standard output, for scripts that asked for port 0.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on {}://{}", running.scheme(), running.address);
    let _ = stdout.flush();
    let name = signal.await;
    tracing::info!(signal = name, "ending: closing every connection");
    running.end().await;
    Ok(())
}

/// Resolves at the first signal that asks the program to end, with its name.
#[cfg(unix)]
fn ending_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "interrupt",
            _ = terminate.recv() => "terminate",
        }
    })
}

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
fn ending_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        "interrupt"
    })
}
