//! The state that the threads and tasks of a server share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use broadside_shared::game::Game;
use broadside_store::Store;
use broadside_store::accounts::AccountId;
use tokio::sync::watch;

use crate::accounts::Accounts;
use crate::config::Config;
use crate::first_seen::FirstSeen;
use crate::limits::rates::{AddressRates, Rates};
use crate::lobby::ServerLobby;
use crate::metrics::Metrics;
use crate::operator::OperatorToken;
use crate::store::StoreHealth;
use crate::vital::Supervisor;

/// The state that the threads and tasks of a server share.
pub struct App<G: Game> {
    pub config: Config,
    pub metrics: Arc<Metrics>,
    /// Rooms, sessions, topics, and the inboxes of the shards.
    pub lobby: ServerLobby<G>,
    /// Accounts, results, and what else is kept.
    pub store: Store,
    /// How it is doing, with the outbox of results.
    pub store_health: StoreHealth,
    /// Who browsers are signed in as.
    pub accounts: Accounts,
    /// Friendships asked for, per account.
    pub(crate) befriending: Rates<AccountId>,
    /// Rate limits of HTTP requests per address.
    pub requests: AddressRates,
    /// The token that the operator's requests must carry.
    pub operator: OperatorToken,
    /// Host names of refused requests that are not the server's.
    pub foreign_hosts: FirstSeen,
    /// Origins that are not allowed and whose pages tried to connect.
    pub foreign_origins: FirstSeen,
    /// Becomes true once, when the server shuts down.
    pub ending: watch::Receiver<bool>,
    pub supervisor: Supervisor,
    /// Open connections, HTTP and WebSocket.
    pub connections: AtomicUsize,
    /// Limit of open connections: as configured, or as the limit of open files allows.
    pub connections_max: usize,
}

impl<G: Game> App<G> {
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }
}

/// Resolves when the server shuts down.
pub async fn ended(ending: &mut watch::Receiver<bool>) {
    // A dropped sender means the same.
    let _ = ending.wait_for(|ending| *ending).await;
}
