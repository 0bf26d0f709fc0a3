//! Broadside's authoritative server.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | every flag: default, range, unit |
//! | [`room`] | PURE. One match: inputs in, a tick stepped, what to tell whom out |
//! | [`session`] | PURE. One connection as a state machine: hello, join, limits, close |
//! | [`lobby`] | the directory of rooms |
//! | [`driver`] | a room's thread: waits for each tick, steps the room, hands the result to the sender |
//! | [`net`] | listener, WebSocket upgrade, the connection and its outbox, the sender |
//! | [`http`] | assets, health, the room list |
//!
//! The way of a byte: `net::reader` -> `session` -> `driver` mailbox -> `room` -> `room::outgoing` -> `net::sender` -> `net::conn`.

pub mod clock;
pub mod config;
pub mod driver;
pub mod http;
pub mod lobby;
pub mod net;
pub mod room;
pub mod session;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use broadside_shared::arena::Arena;
use broadside_shared::game::Game;
use tokio::net::TcpListener;
use tokio::sync::watch;

use clock::MonoClock;
use config::Config;
use lobby::Directory;
use room::RoomConfig;

/// What every connection shares.
pub struct App<G: Game> {
    /// How the server was started.
    pub config: Config,
    /// The clock that every core is given.
    pub clock: MonoClock,
    /// The rooms.
    pub directory: Directory<G>,
    /// Turns true once, when the server is to end.
    pub ending: watch::Receiver<bool>,
    /// Open connections, HTTP and WebSocket.
    pub connections: std::sync::atomic::AtomicUsize,
}

/// Resolves when the app is ending.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // The sender going away without a word means the same.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// A server that listens and runs.
pub struct Running {
    /// The bound address; its port is a real one even if port 0 was asked for.
    pub address: SocketAddr,
    ending: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    rooms: Arc<App<Arena>>,
}

impl Running {
    /// Closes every socket with "going away", ends the rooms, and returns when all is done.
    pub async fn end(self) {
        let _ = self.ending.send(true);
        let _ = self.served.await;
        let rooms = self.rooms;
        // Room threads end at their next tick.
        let _ = tokio::task::spawn_blocking(move || rooms.directory.end()).await;
    }
}

/// Binds the port, opens the arena and begins to serve.
///
/// # Errors
/// When the address cannot be bound or the assets are not where the config says, with the way out.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    http::assets::check(&config)?;
    let address = SocketAddr::new(config.host, config.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another port with --port, or 0 for any"))?;
    let address = listener.local_addr().context("cannot read the bound address")?;
    let (ending, ending_seen) = watch::channel(false);
    let clock = MonoClock::start();
    let directory = Directory::new();
    let room = RoomConfig {
        snapshot_every: config.snapshot_every,
        capacity: config.capacity,
        seed: config.seed.unwrap_or_else(|| fastrand::u64(..)),
    };
    directory.open("arena", room, clock).context("cannot start the room's threads")?;
    let app = Arc::new(App {
        config,
        clock,
        directory,
        ending: ending_seen,
        connections: std::sync::atomic::AtomicUsize::new(0),
    });
    let served = tokio::spawn(net::listener::serve(listener, Arc::clone(&app)));
    tracing::info!(%address, game = Arena::NAME, "listening");
    Ok(Running { address, ending, served, rooms: app })
}
