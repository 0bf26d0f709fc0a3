//! `broadside-server replay FILE --serve`: an ordinary server on this machine that keeps nothing, with one recording to watch.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use broadside_cli::REFUSED;
use broadside_shared::game::Game;

use super::SHUTDOWN_MAX;
use crate::config::{Config, DataFolder};
use crate::recordings::check;
use crate::{signals, start};

/// Serves the page that shows a recording until a signal. Prints its address, or one line that says why not.
pub(super) fn run<G: Game>(file: &Path, port: u16, assets: Option<PathBuf>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve::<G>(file, port, assets)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            broadside_cli::say(&format!("error: {why}"));
            REFUSED.into()
        }
    }
}

async fn serve<G: Game>(file: &Path, port: u16, assets: Option<PathBuf>) -> Result<(), String> {
    let (id, bytes) = check::shown::<G>(file)?;
    let mut signals = signals::listen().map_err(|error| format!("cannot start: {error}"))?;
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let config = Config { host, port, assets, data: DataFolder::Memory, bots: 0, rooms: 1, ..Config::default() };
    let running = start::<G>(config, G::Config::default()).await.map_err(|error| error.to_string())?;
    running.app().shelf.lend(id, bytes);
    println!("{} is shown at {}://{}/replay/{id}", file.display(), running.scheme(), running.address);
    tokio::select! {
        _ = signals.end() => {}
        part = running.gone() => return Err(format!("{part} is gone")),
    }
    // Connections that do not close in time end with the program.
    let _ = tokio::time::timeout(SHUTDOWN_MAX, running.end()).await;
    Ok(())
}
