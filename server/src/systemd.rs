//! What a service manager such as systemd wants to hear: that the server serves, that its rooms tick, that it ends; and the sockets that it
//! may listen on for the server. Without one, nothing here does anything.

use std::net::TcpListener;
use std::sync::Arc;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::app::{App, ended};
use crate::http;

/// Set for the process that the service manager has started, and wrong for its successors.
pub(crate) const STARTED_PROCESS: &str = "WATCHDOG_PID";

/// The sockets that the service manager has opened for this process, in the order of its configuration: for players, and the plain-HTTP
/// port. `None` in place of what it did not open.
///
/// # Errors
/// One of them is no TCP socket.
pub(crate) fn sockets() -> std::io::Result<(Option<TcpListener>, Option<TcpListener>)> {
    let mut passed = ListenFd::from_env();
    let mut take = |at| if at < passed.len() { passed.take_tcp_listener(at) } else { Ok(None) };
    Ok((take(0)?, take(1)?))
}

/// Says that this process serves: also in place of one that was started by the service manager, and ends.
pub(crate) fn serves() {
    say(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
}

/// Says that the server ends, once its matches have.
pub(crate) fn ends() {
    say(&[NotifyState::Stopping]);
}

/// Says that rooms tick, until they do not: the service manager then ends and restarts the process.
pub(crate) async fn feed_watchdog(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let Some(limit) = sd_notify::watchdog_enabled() else { return ended(&mut ending).await };
    let mut every = tokio::time::interval(limit / 3);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = ended(&mut ending) => return,
        }
        if http::api::health::rooms_tick(&app) {
            say(&[NotifyState::Watchdog]);
        }
    }
}

fn say(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
