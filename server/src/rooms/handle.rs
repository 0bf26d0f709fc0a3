//! A room's handle for the rest of the server: its mailbox and its status.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_core::commands::{Hold, RoomCommand, RoomInfo};
use broadside_core::room::RoomConfig;
use broadside_core::room_loop::{Policy, RoomLoop, SavedRoom};
use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::room::RoomCode;
use broadside_shared::time::MonoTime;

use super::context::ServerContext;
use super::entry::{RoomEntry, seats_per_address};
use super::mailbox::{Mailbox, RoomOver};
use super::pool::Pool;
use super::runner::RoomRunner;
use super::status::RoomStatus;

/// A room's handle for the rest of the server.
pub struct RoomHandle<G: Game> {
    entry: Arc<RoomEntry>,
    /// The share of the address that opened it.
    _opener: Hold,
    mailbox: Arc<Mailbox<G, RoomRunner<G>>>,
    pool: Arc<Pool<G>>,
    context: ServerContext,
}

/// The specification of a room to open.
#[derive(Debug)]
pub struct RoomSpec {
    pub name: String,
    pub config: RoomConfig,
    /// The code to join it with, if it is private.
    pub code: Option<RoomCode>,
    /// Whether it ends when it was not played for a while.
    pub is_ephemeral: bool,
    /// The share of the address that opens it.
    pub opener: Hold,
}

impl RoomSpec {
    fn info(&self, id: RoomId) -> RoomInfo {
        RoomInfo { id, config: self.config, is_private: self.code.is_some() }
    }

    fn policy(&self, context: &ServerContext, now: MonoTime) -> Policy {
        Policy {
            seats_per_address: seats_per_address(self.is_ephemeral, self.config.capacity),
            grace_s: context.grace_s,
            ends_at: self.is_ephemeral.then(|| now.plus_us(u64::from(context.room_life_s) * 1_000_000)),
            recording: context.recording,
        }
    }
}

impl<G: Game> RoomHandle<G> {
    /// Opens a room and adds it to the pool.
    #[must_use]
    pub fn open(
        id: RoomId,
        spec: RoomSpec,
        game: &Arc<G::Config>,
        context: &ServerContext,
        pool: &Arc<Pool<G>>,
    ) -> Self {
        let now = context.clock.now();
        let (info, policy) = (spec.info(id), spec.policy(context, now));
        let room = RoomLoop::new(info, policy, game, context.shards.len(), now);
        RoomHandle::run(spec, room, context, pool)
    }

    /// Adds a room to the pool that goes on from a saved one. The first `sockets` of the shards have clients.
    #[must_use]
    pub fn restore(
        id: RoomId,
        spec: RoomSpec,
        saved: (SavedRoom, Option<G>),
        sockets: usize,
        game: &Arc<G::Config>,
        context: &ServerContext,
        pool: &Arc<Pool<G>>,
    ) -> Self {
        let now = context.clock.now();
        let (info, policy, shards) = (spec.info(id), spec.policy(context, now), context.shards.len());
        let room = RoomLoop::restored(info, policy, game, (shards, sockets), now, saved, context);
        RoomHandle::run(spec, room, context, pool)
    }

    fn run(spec: RoomSpec, room: RoomLoop<G>, context: &ServerContext, pool: &Arc<Pool<G>>) -> Self {
        let now = context.clock.now();
        let mailbox = Arc::new(Mailbox::new());
        let entry = Arc::new(RoomEntry {
            info: *room.info(),
            name: spec.name,
            status: Arc::new(RoomStatus::new(context.shards.len(), now)),
            day: context.clock.unix_day(),
            code: spec.code,
            is_ephemeral: spec.is_ephemeral,
        });
        let mut runner = RoomRunner::new(room, Arc::clone(&mailbox), Arc::clone(&entry), context.clone());
        // The shards know of restored seats before anyone can ask for one.
        runner.hand_over();
        runner.checkpoint(now);
        pool.add(Box::new(runner), now);
        RoomHandle { entry, _opener: spec.opener, mailbox, context: context.clone(), pool: Arc::clone(pool) }
    }

    /// What is known of the room, to share.
    #[must_use]
    pub fn entry(&self) -> Arc<RoomEntry> {
        Arc::clone(&self.entry)
    }

    /// Sends a command that is no input: it always finds space.
    ///
    /// # Errors
    /// When the room is over.
    pub fn send(&self, command: RoomCommand<G>) -> Result<(), RoomOver> {
        let woken = self.mailbox.send(command, &self.status)?;
        self.wake(woken);
        Ok(())
    }

    /// Sends commands, none of them a join or a reservation, and leaves `commands` empty. Inputs that find no space are dropped, and
    /// counted.
    pub fn send_all(&self, commands: &mut Vec<RoomCommand<G>>) {
        let (dropped, woken) = self.mailbox.send_all(commands);
        self.wake(woken);
        self.status.counters.inputs_dropped.fetch_add(dropped, Ordering::Relaxed);
        self.context.metrics.inputs_dropped.inc_by(dropped);
    }

    fn wake(&self, room: Option<Box<RoomRunner<G>>>) {
        if let Some(room) = room {
            self.pool.add(room, self.context.clock.now());
        }
    }

    /// Takes the room if it sleeps, for the server that goes on.
    pub fn take_asleep(&self) -> Option<Box<RoomRunner<G>>> {
        self.mailbox.take_asleep()
    }

    /// How many commands wait in the mailbox.
    #[must_use]
    pub fn mailbox_len(&self) -> usize {
        self.mailbox.len()
    }

    /// Ends the room, whoever plays in it.
    pub fn close(&self) {
        // An error means that it has ended already.
        let _ = self.send(RoomCommand::Close);
    }

    /// Ends the room if it is not played.
    pub fn retire(&self) {
        // An error means that it has ended already.
        let _ = self.send(RoomCommand::Retire);
    }
}

impl<G: Game> Deref for RoomHandle<G> {
    type Target = RoomEntry;

    fn deref(&self) -> &RoomEntry {
        &self.entry
    }
}
