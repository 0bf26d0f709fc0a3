//! A room as others see it: its mailbox, and what it tells about itself.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadside_core::commands::{Hold, RoomCommand, RoomInfo};
use broadside_core::room::RoomConfig;
use broadside_core::room_loop::{Policy, RoomLoop};
use broadside_shared::game::Game;
use broadside_shared::protocol::message::RoomId;
use broadside_shared::protocol::room::RoomCode;

use super::context::ServerContext;
use super::runner::RoomRunner;
use super::status::RoomStatus;
use crate::limits::holds::share;

/// Commands that may wait for a room: a second of inputs of 4,000 players. Further inputs are dropped, and the client is told as for any
/// input that did not come. Everything else always finds space: a connection may ask only a few times a second.
pub const MAILBOX_MAX: usize = 120_000;

/// Where commands wait for a room, until its thread takes them all before a tick.
pub struct Mailbox<G: Game> {
    inner: Mutex<Inner<G>>,
}

struct Inner<G: Game> {
    commands: Vec<RoomCommand<G>>,
    /// The room while it sleeps: a command wakes it.
    asleep: Option<Box<RoomRunner<G>>>,
    /// The room is over: nobody reads any more commands.
    is_closed: bool,
}

impl<G: Game> Mailbox<G> {
    /// Swaps what waits against the empty `commands`.
    pub(super) fn take(&self, commands: &mut Vec<RoomCommand<G>>) {
        std::mem::swap(commands, &mut self.lock().commands);
    }

    /// Drops all queued commands and resets the count of pending joins.
    pub(super) fn clear(&self, status: &RoomStatus) {
        let mut inner = self.lock();
        inner.commands.clear();
        // Joins are counted under the lock, too.
        status.coming.store(0, Ordering::Relaxed);
    }

    /// Lays the room to sleep, unless a command has come in the meantime: then it is given back.
    pub(super) fn lay_to_sleep(&self, room: Box<RoomRunner<G>>) -> Option<Box<RoomRunner<G>>> {
        let mut inner = self.lock();
        if inner.commands.is_empty() {
            inner.asleep = Some(room);
            return None;
        }
        Some(room)
    }

    /// Takes in no more. Gives what waited.
    pub(super) fn close(&self) -> Vec<RoomCommand<G>> {
        let mut inner = self.lock();
        inner.is_closed = true;
        std::mem::take(&mut inner.commands)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<G>> {
        // A panic elsewhere leaves whole commands behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room as others see it.
pub struct RoomHandle<G: Game> {
    pub info: RoomInfo,
    pub name: String,
    pub status: Arc<RoomStatus>,
    /// What opens it, if it is private.
    pub code: Option<RoomCode>,
    /// Whether it ends when nobody has played in it for a while.
    pub is_ephemeral: bool,
    /// The share of the address that opened it.
    _opener: Hold,
    mailbox: Arc<Mailbox<G>>,
    context: ServerContext<G>,
}

/// How a room is opened.
#[derive(Debug)]
pub struct RoomSpec {
    pub name: String,
    pub config: RoomConfig,
    /// What opens it, if it is private.
    pub code: Option<RoomCode>,
    /// Whether it ends when nobody has played in it for a while.
    pub is_ephemeral: bool,
    /// The share of the address that opens it.
    pub opener: Hold,
}

/// The room is over: nobody reads what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomOver;

impl<G: Game> RoomHandle<G> {
    /// Opens a room; the pool runs it from now on.
    #[must_use]
    pub fn open(id: RoomId, spec: RoomSpec, context: &ServerContext<G>) -> Self {
        let now = context.clock.now();
        let RoomSpec { name, config, code, is_ephemeral, opener } = spec;
        let info = RoomInfo { id, config, is_private: code.is_some() };
        let inner = Inner { commands: Vec::new(), asleep: None, is_closed: false };
        let mailbox = Arc::new(Mailbox { inner: Mutex::new(inner) });
        let status = Arc::new(RoomStatus::new(context.shards.len(), now));
        let policy = Policy {
            seats_per_address: seats_per_address(is_ephemeral, config.capacity),
            grace_s: context.grace_s,
            ends_at: is_ephemeral.then(|| now.plus_us(u64::from(context.room_life_s) * 1_000_000)),
        };
        let room = RoomLoop::new(info, policy, context.shards.len(), now);
        let runner = RoomRunner::new(room, Arc::clone(&mailbox), Arc::clone(&status), context.clone());
        context.pool.add(Box::new(runner), now);
        RoomHandle { info, name, status, code, is_ephemeral, _opener: opener, mailbox, context: context.clone() }
    }

    #[must_use]
    pub fn id(&self) -> RoomId {
        self.info.id
    }

    /// Seats in it that one address may have.
    #[must_use]
    pub fn seats_per_address(&self) -> usize {
        seats_per_address(self.is_ephemeral, self.info.config.capacity)
    }

    /// Sends a command that is no input: it always finds space.
    ///
    /// # Errors
    /// When the room is over.
    pub fn send(&self, command: RoomCommand<G>) -> Result<(), RoomOver> {
        let mut inner = self.mailbox.lock();
        if inner.is_closed {
            return Err(RoomOver);
        }
        if matches!(command, RoomCommand::Join(_) | RoomCommand::Reserve(..)) {
            self.status.coming.fetch_add(1, Ordering::Relaxed);
        }
        inner.commands.push(command);
        self.wake(inner);
        Ok(())
    }

    /// Sends commands, none of them a join or a reservation, and leaves `commands` empty. Inputs that find no space are dropped, and
    /// counted.
    pub fn send_all(&self, commands: &mut Vec<RoomCommand<G>>) {
        let mut inner = self.mailbox.lock();
        if inner.is_closed {
            return commands.clear();
        }
        let mut space = MAILBOX_MAX.saturating_sub(inner.commands.len());
        if commands.len() <= space {
            inner.commands.append(commands);
            return self.wake(inner);
        }
        let mut dropped = 0;
        inner.commands.extend(commands.drain(..).filter(|command| {
            if !command.is_droppable() {
                return true;
            }
            let fits = space > 0;
            space = space.saturating_sub(1);
            dropped += u64::from(!fits);
            fits
        }));
        self.wake(inner);
        self.status.counters.inputs_dropped.fetch_add(dropped, Ordering::Relaxed);
        self.context.metrics.inputs_dropped.inc_by(dropped);
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner<G>>) {
        let asleep = inner.asleep.take();
        drop(inner);
        if let Some(room) = asleep {
            self.context.pool.add(room, self.context.clock.now());
        }
    }

    /// Whether the room is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status.is_over()
    }

    /// How many commands wait in the mailbox.
    #[must_use]
    pub fn mailbox_len(&self) -> usize {
        self.mailbox.lock().commands.len()
    }

    /// Ends the room if nobody plays in it or is about to.
    pub fn retire(&self) {
        // A room that is over has ended.
        let _ = self.send(RoomCommand::Retire);
    }
}

/// A share of a persistent room. An ephemeral one may be that of one family or one school, and where its seats are taken another is
/// opened: how many rooms an address may open is the limit there.
fn seats_per_address(is_ephemeral: bool, capacity: u16) -> usize {
    if is_ephemeral { usize::from(capacity) } else { share(usize::from(capacity)) }
}
