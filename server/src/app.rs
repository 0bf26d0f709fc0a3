//! The state that the threads and tasks of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use broadside_shared::game::{Game, ModeSpec};
use broadside_shared::protocol::room::ModeId;
use broadside_store::Store;
use broadside_store::accounts::AccountId;
use tokio::sync::{Notify, watch};

use crate::accounts::Accounts;
use crate::config::Config;
use crate::first_seen::FirstSeen;
use crate::limits::rates::{AddressRates, Rates};
use crate::lobby::LobbyState;
use crate::lobby::directory::Rooms;
use crate::metrics::Metrics;
use crate::operator::OperatorToken;
use crate::passed::PassedSockets;
use crate::recordings::Shelf;
use crate::store::StoreHealth;
use crate::vital::Supervisor;

/// What is served of a game whose type is not known.
#[derive(Debug, Clone, Copy)]
pub struct GameInfo {
    pub name: &'static str,
    /// Ticks per second.
    pub tick_hz: u32,
    /// Never empty.
    pub modes: &'static [ModeSpec],
    /// Whether players see different entities, so that nobody may see all of them while a room is played.
    pub hides: bool,
}

impl GameInfo {
    #[must_use]
    pub fn of<G: Game>() -> GameInfo {
        GameInfo { name: G::NAME, tick_hz: G::TICK_HZ, modes: G::MODES, hides: G::LAYERS > 1 }
    }

    /// See [`broadside_core::room::mode_name`].
    #[must_use]
    pub fn mode_name(&self, mode: ModeId) -> &'static str {
        self.modes.get(usize::from(mode.0)).map_or("", |mode| mode.name)
    }
}

/// How far a server is on its way to stand still for a successor.
#[derive(Debug, Default)]
pub struct StandingStill {
    /// Whether no connection is accepted any more.
    pub accepts_none: AtomicBool,
    /// How often shards have closed all their connections, in all.
    pub shards_closed: AtomicUsize,
    /// The connections with which the successor goes on.
    pub passed: PassedSockets,
}

/// The state that the threads and tasks of a server share.
pub struct App {
    pub game: GameInfo,
    pub config: Config,
    pub metrics: Arc<Metrics>,
    /// Sessions, topics, and the inboxes of the shards.
    pub lobby: Arc<LobbyState>,
    pub rooms: Arc<dyn Rooms>,
    /// Recordings, for those who watch them.
    pub shelf: Arc<Shelf>,
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
    /// Notified when the program is to end, as on SIGTERM.
    pub asked_to_end: Notify,
    /// Open connections, HTTP and WebSocket.
    pub connections: AtomicUsize,
    /// How far the server is on its way to stand still.
    pub standing_still: StandingStill,
    /// Limit of open connections: as configured, or as the limit of open files allows.
    pub connections_max: usize,
}

impl App {
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
