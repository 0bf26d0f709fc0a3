//! What the threads and tasks of a server share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use broadside_shared::game::Game;
use tokio::sync::watch;

use crate::config::Config;
use crate::first_seen::FirstSeen;
use crate::limits::rates::AddressRates;
use crate::lobby::ServerLobby;
use crate::metrics::Metrics;
use crate::operator::OperatorToken;
use crate::vital::Supervisor;

/// What the threads and tasks of a server share.
pub struct App<G: Game> {
    pub config: Config,
    pub metrics: Arc<Metrics>,
    /// Rooms, sessions, topics, and the inboxes of the shards.
    pub lobby: ServerLobby<G>,
    /// Which addresses asked for what over HTTP lately.
    pub requests: AddressRates,
    /// What the operator's requests must show.
    pub operator: OperatorToken,
    /// Host names that are not ours and by which somebody asked for us.
    pub foreign_hosts: FirstSeen,
    /// Origins that are not allowed and whose pages tried to connect.
    pub foreign_origins: FirstSeen,
    /// Turns true once, when the server is to end.
    pub ending: watch::Receiver<bool>,
    pub supervisor: Supervisor,
    /// Open connections, HTTP and WebSocket.
    pub connections: AtomicUsize,
    /// How many may be open: as configured, or as many as there are files for.
    pub connections_max: usize,
}

impl<G: Game> App<G> {
    /// Whether the server is ending.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }
}

/// Resolves when the server is ending.
pub async fn ended(ending: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = ending.wait_for(|ending| *ending).await;
}
