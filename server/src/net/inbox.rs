//! What others say to a shard, and where it waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::message::{RoomId, RoomUpdate};
use bytes::Bytes;
use mio::{Poll, Token, Waker};

use super::admission::Guard;
use super::conn::Wire;
use super::connection::{Connection, PendingResume};
use crate::driver::{ConnectionId, SeatAssignment};
use crate::lobby::messages::EncodedMessage;
use crate::lobby::sessions::SessionId;
use crate::lobby::topics::TopicMessage;
use crate::room::RoomOutput;

/// The watch's own token, for being woken.
pub(super) const WOKEN: Token = Token(usize::MAX);

/// A WebSocket that has just been upgraded.
pub struct Upgraded<G: Game> {
    /// The socket, with its TLS.
    pub wire: Wire,
    /// Bytes that came right behind the handshake.
    pub early: Bytes,
    /// Where it comes from.
    pub address: std::net::SocketAddr,
    /// Its place in the count of open connections.
    pub guard: Option<Arc<Guard<G>>>,
    /// How it began, if it asked for that to be kept.
    pub handshake: Option<Box<Handshake>>,
    /// It was upgraded only to be closed with this code: a page reads no other refusal.
    pub refused_with: Option<CloseCode>,
}

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// TeamLabel wrote it, if it was a player: whoever mutes them does not get it.
    pub by: Option<SessionId>,
    /// What.
    pub message: EncodedMessage,
}

/// What others say to a shard.
pub enum ShardCommand<G: Game> {
    /// A new connection is yours.
    Connected(Upgraded<G>),
    /// A player of this room is about to be seated here, the first one; these are in it.
    Opened(RoomId, Vec<RoomUpdate>),
    /// The room gave a seat.
    Seated(ConnectionId, RoomId, SeatAssignment),
    /// The room keeps someone in line, at this place.
    Queued(ConnectionId, RoomId, u32),
    /// The room takes someone no more.
    Refused(ConnectionId, RoomId, CloseCode),
    /// Changes of the roster of ticks that were not handed over.
    Notes(RoomId, Vec<RoomUpdate>),
    /// A tick was stepped.
    Tick(RoomId, Arc<RoomOutput>),
    /// This player has no seat any more.
    Unseated(RoomId, PlayerId),
    /// Nobody of this room is here any more.
    Emptied(RoomId),
    /// This connection has its seat here: take it over.
    Migrated(Box<(Connection<G>, PendingResume)>),
    /// Something was published.
    Published(Arc<TopicMessage>),
    /// A message to one session, which had this connection when it was written.
    Deliver(ConnectionId, SessionId, Envelope),
    /// The room broke down.
    Failed(RoomId),
    /// The room is over: who was in it is in the lobby.
    Ended(RoomId),
    /// The server ends.
    End,
}

impl<G: Game> ShardCommand<G> {
    /// Whether it is a tick that somebody is told of.
    #[must_use]
    pub fn tells(&self) -> bool {
        matches!(self, ShardCommand::Tick(_, output) if !output.due.is_empty())
    }
}

/// A shard as others see it: its mailbox.
pub struct Inbox<G: Game> {
    /// Bounded by who writes: rooms leave a few ticks at the most, and one answer per join; the listener one command per connection.
    commands: Mutex<Vec<ShardCommand<G>>>,
    notified: AtomicBool,
    waker: Waker,
    thread: OnceLock<Thread>,
}

impl<G: Game> Inbox<G> {
    /// Leaves commands, and wakes the shard.
    pub fn send(&self, commands: impl IntoIterator<Item = ShardCommand<G>>) {
        self.lock().extend(commands);
        if !self.notified.swap(true, Ordering::AcqRel) {
            // One of the two does: it sleeps in the watch, or rests between two looks.
            let _ = self.waker.wake();
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }

    /// This thread reads it.
    pub(super) fn read_here(&self) {
        let _ = self.thread.set(std::thread::current());
    }

    /// Whether command has come since it was last taken.
    pub(super) fn has_commands(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// Swaps what came against the empty `commands`; false if nothing did.
    pub(super) fn take(&self, commands: &mut Vec<ShardCommand<G>>) -> bool {
        let came = self.notified.swap(false, Ordering::AcqRel);
        if came {
            std::mem::swap(commands, &mut *self.lock());
        }
        came
    }

    /// Hands what comes to `turn`, at least every `rest`, until it gives false. For whoever has no sockets to watch.
    pub fn wait_as(&self, rest: Duration, mut turn: impl FnMut(&mut Vec<ShardCommand<G>>) -> bool) {
        self.read_here();
        let mut commands = Vec::new();
        loop {
            if !self.notified.swap(false, Ordering::AcqRel) {
                std::thread::park_timeout(rest);
                self.notified.store(false, Ordering::Release);
            }
            std::mem::swap(&mut commands, &mut *self.lock());
            if !turn(&mut commands) {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ShardCommand<G>>> {
        // A panic elsewhere leaves whole commands behind.
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A shard before it runs: its watch.
pub struct Poller(pub(super) Poll);

/// A shard's mailbox and its watch.
///
/// # Errors
/// When the operating system gives no epoll.
pub fn prepare<G: Game>() -> std::io::Result<(Inbox<G>, Poller)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WOKEN)?;
    let inbox = Inbox { commands: Mutex::default(), notified: AtomicBool::new(false), waker, thread: OnceLock::new() };
    Ok((inbox, Poller(poll)))
}
