//! A room as others see it: its mailbox and its status.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::match_status::MatchStatus;
use broadside_shared::protocol::message::{Publication, RoomId, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomCode};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::{MonoTime, Tick};

use super::Driver;
use super::pool::Pool;
use crate::clock::MonoClock;
use crate::limits::holds::{AddressLimits, Hold, share};
use crate::lobby::sessions::SessionId;
use crate::lobby::topics::Topics;
use crate::metrics::Metrics;
use crate::metrics::labels::AddressLimit;
use crate::net::inbox::{Inbox, ShardCommand};
use crate::room::RoomConfig;
use crate::room::RoomOutput;

/// Inputs waiting for a room at the most: a second of 4,000 players. An input more is dropped, and the client is told as for any
/// other input that did not come. Joins are bounded by how often a connection may ask.
const MAILBOX_MAX: usize = 120_000;

/// What every room stands on.
pub struct ServerContext<G: Game> {
    /// The clock.
    pub clock: MonoClock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Those who tell the players.
    pub shards: Arc<[Inbox<G>]>,
    /// What each address holds.
    pub limits: Arc<AddressLimits>,
    /// What was published, as far as it is kept.
    pub topics: Arc<Topics>,
    /// The threads that run the rooms.
    pub pool: Arc<Pool<G>>,
    /// Seconds for which the seat of a lost connection is kept.
    pub grace_s: u32,
    /// Seconds after which a room ends that was opened on demand, whoever is in it.
    pub room_life_s: u32,
}

impl<G: Game> ServerContext<G> {
    /// Publishes something to everyone who has subscribed. Gives the moment it carries.
    pub fn publish(&self, topic: Topic, from: Option<SessionId>, publication: Publication) -> MonoTime {
        let now = self.clock.now();
        let message = self.topics.publish(topic, from, publication, now);
        for shard in self.shards.iter() {
            shard.send([ShardCommand::Published(Arc::clone(&message))]);
        }
        now
    }

    /// An address had, or asked for, more than one may: counts it, and tells the operator now and then.
    pub fn refused(&self, address: IpAddr, limit: AddressLimit) {
        self.metrics.address_refusals.of(limit).inc();
        if self.limits.is_news(self.clock.now()) {
            tracing::warn!(%address, ?limit, "address over its limit; --limit-per-address sets it, --limit-exempt lists load hosts, --trust-proxy names proxies");
        }
    }
}

impl<G: Game> Clone for ServerContext<G> {
    fn clone(&self) -> Self {
        ServerContext {
            clock: self.clock,
            metrics: Arc::clone(&self.metrics),
            shards: Arc::clone(&self.shards),
            limits: Arc::clone(&self.limits),
            topics: Arc::clone(&self.topics),
            pool: Arc::clone(&self.pool),
            grace_s: self.grace_s,
            room_life_s: self.room_life_s,
        }
    }
}

/// What the rooms know a connection by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId {
    /// The number of its shard.
    pub shard: usize,
    /// Its key there.
    pub key: usize,
    /// Tells it from whoever had that key before.
    pub serial: u64,
}

/// How somebody found a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinMethod {
    /// In the list of rooms, or by quick play.
    Public,
    /// By the code or the link of a private room.
    Code,
    /// By a seat that was kept for them.
    Reservation(u64),
}

/// A connection that wants a seat.
#[derive(Debug)]
pub struct JoinRequest {
    /// Under this name.
    pub name: Name,
    /// To do what.
    pub role: Role,
    /// How it found the room.
    pub by: JoinMethod,
    /// The connection.
    pub peer: ConnectionId,
    /// The session it speaks for.
    pub session: SessionId,
    /// Where it comes from; `None` for the server's own bots.
    pub address: Option<IpAddr>,
    /// Its address's place for the seat, from when the room has looked at it.
    pub hold: Hold,
    /// Its address's place in line, while it stands there.
    pub in_queue: Hold,
}

/// What others say to a room.
pub enum RoomCommand<G: Game> {
    /// A connection asks for a seat.
    Join(JoinRequest),
    /// A connection that asked is gone before it was answered.
    Gone(ConnectionId),
    /// The player in this seat gives it up.
    Leave(SeatAssignment),
    /// The connection of the player in this seat is lost.
    Away(SeatAssignment),
    /// The player in this seat has a connection again: this one.
    Back(SeatAssignment, ConnectionId),
    /// The player in this seat has this name now.
    Renamed(SeatAssignment, Name),
    /// Whoever asked for a seat over this connection, and does not know of one yet, has this name now.
    RenamedInQueue(ConnectionId, Name),
    /// The spectator in this seat wants to look at this player.
    Follow(SeatAssignment, PlayerId),
    /// A seat is to be kept until this moment for whoever shows this number; it is a seat of the address that holds this.
    Reserve(u64, MonoTime, Hold),
    /// Inputs of the player in this seat came.
    Input(SeatAssignment, InputPacket<G::Input>, MonoTime),
    /// The shard with this number broke down, with every connection there.
    ShardLost(usize),
}

/// A seat that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatAssignment {
    /// The seat.
    pub player: PlayerId,
    /// When tick 0 of the room was due. A room that failed and began anew has another one, so that what was meant for the
    /// seats of the former is not taken for those of the new.
    pub tick_zero: MonoTime,
    /// The tick before which it was given: tells its holder from the next one.
    pub since: Tick,
    /// What its holder does.
    pub role: Role,
}

/// Where commands wait for a room. Its thread takes them all at once, before each tick.
pub struct Mailbox<G: Game> {
    inner: Mutex<Inner<G>>,
}

struct Inner<G: Game> {
    commands: Vec<RoomCommand<G>>,
    /// The room while it sleeps: nobody is in it, and whoever writes to it wakes it.
    asleep: Option<Box<Driver<G>>>,
    /// The room is over: nobody reads what is put in here.
    over: bool,
}

impl<G: Game> Mailbox<G> {
    /// Swaps what waits against the empty `commands`.
    pub(super) fn take(&self, commands: &mut Vec<RoomCommand<G>>) {
        std::mem::swap(commands, &mut self.lock().commands);
    }

    /// Forgets what waits; of that nobody is `coming` any more.
    pub(super) fn clear(&self, coming: &AtomicU32) {
        let mut inner = self.lock();
        inner.commands.clear();
        // While nobody can come: each join is counted under the lock, too.
        coming.store(0, Ordering::Relaxed);
    }

    /// Lays the room to sleep, unless somebody has written in the meantime: then it is given back.
    pub(super) fn lay_to_sleep(&self, room: Box<Driver<G>>) -> Option<Box<Driver<G>>> {
        let mut inner = self.lock();
        if inner.commands.is_empty() {
            inner.asleep = Some(room);
            return None;
        }
        Some(room)
    }

    /// Nothing more is taken in. Gives what waited.
    pub(super) fn close(&self) -> Vec<RoomCommand<G>> {
        let mut inner = self.lock();
        inner.over = true;
        std::mem::take(&mut inner.commands)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<G>> {
        // A panic elsewhere leaves whole commands behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room as others see it.
pub struct RoomHandle<G: Game> {
    /// Its number.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// How it was opened.
    pub config: RoomConfig,
    /// What it says of itself.
    pub status: Arc<RoomStatus>,
    /// What opens it, if it is private.
    pub code: Option<RoomCode>,
    /// Whether it ends when nobody has played in it for a while.
    pub ephemeral: bool,
    /// Its place among the rooms of the address that opened it.
    _opener: Hold,
    mailbox: Arc<Mailbox<G>>,
    context: ServerContext<G>,
}

/// A room's status, written by its threads, read by anyone.
#[derive(Debug)]
pub struct RoomStatus {
    /// How many play.
    pub players: AtomicU16,
    /// How many of the players are bots of the server.
    pub bots: AtomicU16,
    /// How many only watch.
    pub spectators: AtomicU16,
    /// How many wait in line for a seat.
    pub waiting: AtomicU32,
    /// Joins and reservations that the room has not looked at yet.
    pub coming: AtomicU32,
    /// When it was last run, in microseconds of the server's clock.
    pub looked_at: AtomicU64,
    /// Seats kept for those who were promised one.
    pub reserved: AtomicU16,
    /// The newest tick.
    pub tick: AtomicU32,
    /// How long the newest tick took, in microseconds.
    pub tick_us: AtomicU32,
    /// How far everyone is stepped down because the machine is short of time.
    pub level: AtomicU8,
    /// Ticks that started late or ran long: ended after the next one was due.
    pub overruns: AtomicU64,
    /// Ticks that were dropped.
    pub missed: AtomicU64,
    /// Inputs dropped because the mailbox was full.
    pub inputs_dropped: AtomicU64,
    /// Snapshots written.
    pub snapshots: AtomicU64,
    /// Snapshots superseded: skipped because the client had not taken the ones before.
    pub superseded: AtomicU64,
    /// Times a connection was given less, because its line did not take what it got.
    pub budget_steps_down: AtomicU64,
    /// Times a connection was given more again.
    pub budget_steps_up: AtomicU64,
    /// Ticks whose fan-out a shard left out because it was still at an earlier one.
    pub fanouts_skipped: AtomicU64,
    /// Times the room broke down and began anew.
    pub failures: AtomicU64,
    /// Outputs on their way to each shard that somebody is told of.
    pub(super) queued: Box<[AtomicU32]>,
    /// The best who play, best first; at most as many as the leaderboard has lines.
    pub best: Mutex<Arc<[(Name, i32)]>>,
    /// How the match stands, where there is one to speak of.
    pub match_status: Mutex<Option<MatchStatus>>,
    /// Since when it sleeps, in microseconds of the server's clock; 0 while it is awake.
    pub asleep_since: AtomicU64,
    /// Since when nobody plays in it or is about to, spectators and bots aside, in microseconds of the server's clock; 0 while somebody does.
    pub unplayed_since: AtomicU64,
    pub(super) retiring: AtomicBool,
    over: AtomicBool,
}

impl RoomStatus {
    fn new(shards: usize, now: MonoTime) -> Self {
        RoomStatus {
            players: AtomicU16::new(0),
            bots: AtomicU16::new(0),
            spectators: AtomicU16::new(0),
            waiting: AtomicU32::new(0),
            coming: AtomicU32::new(0),
            // A room that has just been opened does not hang.
            looked_at: AtomicU64::new(now.0),
            reserved: AtomicU16::new(0),
            tick: AtomicU32::new(0),
            tick_us: AtomicU32::new(0),
            level: AtomicU8::new(0),
            overruns: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            inputs_dropped: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            superseded: AtomicU64::new(0),
            budget_steps_down: AtomicU64::new(0),
            budget_steps_up: AtomicU64::new(0),
            fanouts_skipped: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            queued: (0..shards).map(|_| AtomicU32::new(0)).collect(),
            best: Mutex::new(Arc::new([])),
            match_status: Mutex::new(None),
            asleep_since: AtomicU64::new(0),
            unplayed_since: AtomicU64::new(now.0.max(1)),
            retiring: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// A shard took an output off its mailbox.
    pub fn taken(&self, shard: usize, output: &RoomOutput) {
        if output.due.is_empty() {
            return;
        }
        let taken = |queued: u32| Some(queued.saturating_sub(1));
        let _ = self.queued[shard].fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
    }

    pub(super) fn set_over(&self) {
        self.over.store(true, Ordering::Release);
    }
}

impl<G: Game> RoomHandle<G> {
    /// Opens a room; the pool runs it from now on.
    #[must_use]
    pub fn open(id: RoomId, opening: RoomSpec, context: &ServerContext<G>) -> Self {
        let inner = Inner { commands: Vec::new(), asleep: None, over: false };
        let mailbox = Arc::new(Mailbox { inner: Mutex::new(inner) });
        let status = Arc::new(RoomStatus::new(context.shards.len(), context.clock.now()));
        let RoomSpec { name, config, code, ephemeral, opener } = opening;
        let mut room = Driver::new(id, config, Arc::clone(&mailbox), Arc::clone(&status), context.clone());
        room.set_seats_per_address(seats_per_address(ephemeral, config.capacity));
        if ephemeral {
            room.ends_after(context.room_life_s);
        }
        context.pool.add(Box::new(room), context.clock.now());
        RoomHandle { id, name, config, status, code, ephemeral, _opener: opener, mailbox, context: context.clone() }
    }

    /// Seats in it that one address may have.
    #[must_use]
    pub fn seats_per_address(&self) -> usize {
        seats_per_address(self.ephemeral, self.config.capacity)
    }

    /// Puts a command into the room's mailbox. Joins and leaves always find room in it: a connection may ask for a few a second.
    ///
    /// # Errors
    /// When the room is over.
    pub fn send(&self, command: RoomCommand<G>) -> Result<(), RoomOver> {
        let mut inner = self.mailbox.lock();
        if inner.over {
            return Err(RoomOver);
        }
        if matches!(command, RoomCommand::Join(_) | RoomCommand::Reserve(..)) {
            self.status.coming.fetch_add(1, Ordering::Relaxed);
        }
        inner.commands.push(command);
        self.wake(inner);
        Ok(())
    }

    /// Puts commands, none of them a join or a reservation, into the room's mailbox and leaves `commands` empty. Inputs that find no room are dropped, and counted.
    pub fn send_all(&self, commands: &mut Vec<RoomCommand<G>>) {
        let mut inner = self.mailbox.lock();
        if inner.over {
            return commands.clear();
        }
        let free = MAILBOX_MAX.saturating_sub(inner.commands.len());
        if commands.len() <= free {
            inner.commands.append(commands);
            return self.wake(inner);
        }
        let before = commands.len();
        let mut left = free;
        inner.commands.extend(commands.drain(..).filter(|command| match command {
            RoomCommand::Input(..) if left == 0 => false,
            RoomCommand::Input(..) => {
                left -= 1;
                true
            }
            RoomCommand::Join(_)
            | RoomCommand::Gone(_)
            | RoomCommand::Leave(_)
            | RoomCommand::Away(_)
            | RoomCommand::Back(..)
            | RoomCommand::Follow(..)
            | RoomCommand::Renamed(..)
            | RoomCommand::RenamedInQueue(..)
            | RoomCommand::Reserve(..)
            | RoomCommand::ShardLost(_) => true,
        }));
        self.wake(inner);
        let dropped = (before - free) as u64;
        self.status.inputs_dropped.fetch_add(dropped, Ordering::Relaxed);
        self.context.metrics.inputs_dropped.inc_by(dropped);
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner<G>>) {
        let asleep = inner.asleep.take();
        drop(inner);
        if let Some(room) = asleep {
            self.context.pool.add(room, self.context.clock.now());
        }
    }

    /// The message that tells a client of its seat.
    #[must_use]
    pub fn joined(&self, seated: SeatAssignment) -> ServerMsg {
        ServerMsg::Joined {
            room: self.id,
            player: seated.player,
            tick_hz: G::TICK_HZ,
            snapshot_every: self.config.snapshot_every,
            tick_zero: seated.tick_zero,
            mode: self.config.mode,
            role: seated.role,
        }
    }

    /// Whether the room is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status.over.load(Ordering::Acquire)
    }

    /// Ends the room if nobody plays in it, or is about to.
    pub fn retire(&self) {
        self.status.retiring.store(true, Ordering::Relaxed);
        self.wake(self.mailbox.lock());
    }
}

/// A share of an arena. A room opened on demand may be that of one family or one school, and where its seats are taken another is opened:
/// how many rooms an address may open is the limit there.
fn seats_per_address(ephemeral: bool, capacity: u16) -> usize {
    if ephemeral { usize::from(capacity) } else { share(usize::from(capacity)) }
}

/// How a room is opened.
#[derive(Debug)]
pub struct RoomSpec {
    /// Its name.
    pub name: String,
    /// Its rules and sizes.
    pub config: RoomConfig,
    /// What opens it, if it is private.
    pub code: Option<RoomCode>,
    /// Whether it ends when nobody has played in it for a while.
    pub ephemeral: bool,
    /// Its place among the rooms of the address that opens it.
    pub opener: Hold,
}

/// The room is over: nobody reads what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomOver;
