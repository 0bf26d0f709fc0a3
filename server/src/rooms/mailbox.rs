//! The queue of commands to a room.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use broadside_core::commands::RoomCommand;
use broadside_shared::game::Game;

use super::status::RoomStatus;

/// Capacity of a mailbox for inputs: a second of inputs of 4,000 players. Further inputs are dropped, and reported to the client like any
/// missing input. Other commands always find space: the rate limits of the connections bound them.
pub const MAILBOX_MAX: usize = 120_000;

/// The queue of commands to a room. The room's thread takes all of them before a tick. While the room sleeps, its mailbox holds it as an
/// `R`.
pub struct Mailbox<G: Game, R> {
    inner: Mutex<Inner<G, R>>,
}

struct Inner<G: Game, R> {
    commands: Vec<RoomCommand<G>>,
    /// The room while it sleeps: a command wakes it.
    asleep: Option<Box<R>>,
    /// The room has ended: commands are refused.
    is_closed: bool,
}

/// The room has ended and takes no commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomOver;

impl<G: Game, R> Mailbox<G, R> {
    pub(super) fn new() -> Self {
        Mailbox { inner: Mutex::new(Inner { commands: Vec::new(), asleep: None, is_closed: false }) }
    }

    /// Queues a command. Gives the room if it slept.
    pub(super) fn send(&self, command: RoomCommand<G>, status: &RoomStatus) -> Result<Option<Box<R>>, RoomOver> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Err(RoomOver);
        }
        if matches!(command, RoomCommand::Join(_) | RoomCommand::Reserve(..)) {
            status.coming.fetch_add(1, Ordering::Relaxed);
        }
        inner.commands.push(command);
        Ok(inner.asleep.take())
    }

    /// Queues commands and leaves `commands` empty. Gives how many inputs were dropped for want of space, and the room if it slept.
    pub(super) fn send_all(&self, commands: &mut Vec<RoomCommand<G>>) -> (u64, Option<Box<R>>) {
        let mut inner = self.lock();
        if inner.is_closed {
            commands.clear();
            return (0, None);
        }
        let mut space = MAILBOX_MAX.saturating_sub(inner.commands.len());
        if commands.len() <= space {
            inner.commands.append(commands);
            return (0, inner.asleep.take());
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
        (dropped, inner.asleep.take())
    }

    /// How many commands wait.
    pub(super) fn len(&self) -> usize {
        self.lock().commands.len()
    }

    /// Swaps the queued commands with the empty `commands`.
    pub(super) fn take(&self, commands: &mut Vec<RoomCommand<G>>) {
        std::mem::swap(commands, &mut self.lock().commands);
    }

    /// Drops all queued commands and resets the count of pending joins.
    pub(super) fn clear(&self, status: &RoomStatus) {
        let mut inner = self.lock();
        inner.commands.clear();
        // Joins are counted under the same lock.
        status.coming.store(0, Ordering::Relaxed);
    }

    /// Stores the room while it sleeps. Returns it if a command has arrived meanwhile.
    pub(super) fn lay_to_sleep(&self, room: Box<R>) -> Option<Box<R>> {
        let mut inner = self.lock();
        if inner.commands.is_empty() {
            inner.asleep = Some(room);
            return None;
        }
        Some(room)
    }

    /// Takes the room if it sleeps.
    pub(super) fn take_asleep(&self) -> Option<Box<R>> {
        self.lock().asleep.take()
    }

    /// Refuses further commands. Returns the queued ones.
    pub(super) fn close(&self) -> Vec<RoomCommand<G>> {
        let mut inner = self.lock();
        inner.is_closed = true;
        std::mem::take(&mut inner.commands)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<G, R>> {
        // A panic while the lock is held leaves no command half-written.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
