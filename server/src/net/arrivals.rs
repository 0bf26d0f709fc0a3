//! Connections on their way to a shard: new ones, and those whose seat is on another shard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broadside_core::connection::{Connection, PassedConnection};
use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::time::MonoTime;
use bytes::Bytes;

use super::admission::ConnectionGuard;
use super::conn::Conn;
use super::transport::Transport;
use crate::inbox::Inbox;

/// A connection for a shard.
pub enum Arrival<G: Game> {
    Upgraded(Upgraded),
    /// Its seat is on the shard, which takes it over.
    Migrated(Box<(Socket, Box<Connection<G>>)>),
    /// Another server has passed it on.
    Passed(Box<(Socket, PassedConnection)>),
}

/// A WebSocket that has just been upgraded.
pub struct Upgraded {
    /// The socket, with its TLS.
    pub transport: Transport,
    /// Bytes that came right behind the handshake.
    pub early: Bytes,
    pub address: SocketAddr,
    /// Its share of the open connections.
    pub guard: Option<Arc<ConnectionGuard>>,
    /// How it began, if the client asked for that to be kept.
    pub handshake: Option<Box<Handshake>>,
    /// It was upgraded only to be closed with this code: a page can read no other refusal.
    pub refused_with: Option<CloseCode>,
}

/// A WebSocket on its shard.
pub struct Socket {
    pub(super) conn: Conn,
    /// When it is dropped, once its close was sent.
    pub(super) drop_at: Option<MonoTime>,
    pub(super) _guard: Option<Arc<ConnectionGuard>>,
}

impl Socket {
    pub(super) fn new(conn: Conn, guard: Option<Arc<ConnectionGuard>>) -> Self {
        Socket { conn, drop_at: None, _guard: guard }
    }
}

/// The shards that own sockets, to hand connections to.
pub struct Shards<G: Game> {
    inboxes: Box<[Inbox<Arrival<G>>]>,
    next: AtomicUsize,
}

impl<G: Game> Shards<G> {
    /// By shard number.
    pub fn new(inboxes: impl IntoIterator<Item = Inbox<Arrival<G>>>) -> Self {
        Shards { inboxes: inboxes.into_iter().collect(), next: AtomicUsize::new(0) }
    }

    /// Hands a new connection to the next shard, in turn.
    pub fn send(&self, arrival: Arrival<G>) {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.inboxes.len();
        self.inboxes[next].send([arrival]);
    }

    /// The inbox of a shard.
    pub(super) fn inbox(&self, shard: usize) -> &Inbox<Arrival<G>> {
        &self.inboxes[shard]
    }
}
