//! A room as others see it: its mailbox and its figures.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{RoomId, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Role;
use broadside_shared::time::MonoTime;

use crate::clock::MonoClock;
use crate::metrics::Metrics;
use crate::net::shard::Inbox;
use crate::room::RoomConfig;

/// Inputs waiting for a room at the most: a second of 4,000 players. An input more is dropped, and the client is told as for any
/// other input that did not come. Joins are bounded by the connections there may be.
const MAILBOX: usize = 120_000;

/// What every room stands on.
pub struct Grounds<G: Game> {
    /// The clock.
    pub clock: MonoClock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Those who tell the players.
    pub shards: Arc<[Inbox<G>]>,
    /// Seconds for which the seat of a lost connection is kept.
    pub grace_s: u32,
}

impl<G: Game> Clone for Grounds<G> {
    fn clone(&self) -> Self {
        Grounds {
            clock: self.clock,
            metrics: Arc::clone(&self.metrics),
            shards: Arc::clone(&self.shards),
            grace_s: self.grace_s,
        }
    }
}

/// What the rooms know a connection by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRef {
    /// The number of its shard.
    pub shard: usize,
    /// Its key there.
    pub key: usize,
    /// Tells it from whoever had that key before.
    pub serial: u64,
}

/// A connection that wants a seat.
#[derive(Debug)]
pub struct Asking {
    /// Under this name.
    pub name: Name,
    /// The connection.
    pub peer: PeerRef,
}

/// What others say to a room.
pub enum Mail<G: Game> {
    /// A connection asks for a seat.
    Join(Asking),
    /// A connection that asked is gone before it was answered.
    Gone(PeerRef),
    /// The player in this seat gives it up.
    Leave(Seated),
    /// The connection of the player in this seat is lost.
    Away(Seated),
    /// The player in this seat has a connection again.
    Back(Seated),
    /// Inputs of the player in this seat came.
    Input(Seated, InputPacket<G::Input>, MonoTime),
    /// The shard with this number broke down, with every connection there.
    ShardLost(usize),
}

/// A seat that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seated {
    /// The seat.
    pub player: PlayerId,
    /// When tick 0 of the room was due. A room that failed and began anew has another one, so that what was meant for the
    /// seats of the former is not taken for those of the new.
    pub tick_zero: MonoTime,
}

/// Where mails wait for a room. Its thread takes them all at once, before each tick.
pub(super) struct Mailbox<G: Game> {
    mails: Mutex<Vec<Mail<G>>>,
}

impl<G: Game> Mailbox<G> {
    /// Swaps what waits against the empty `mails`.
    pub(super) fn take(&self, mails: &mut Vec<Mail<G>>) {
        std::mem::swap(mails, &mut *self.lock());
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Mail<G>>> {
        // A panic elsewhere leaves whole mails behind.
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub figures: Arc<RoomFigures>,
    mailbox: Arc<Mailbox<G>>,
    metrics: Arc<Metrics>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A room's figures, written by its threads, read by anyone.
#[derive(Debug)]
pub struct RoomFigures {
    /// How many play.
    pub players: AtomicU16,
    /// How many wait in line for a seat.
    pub waiting: AtomicU32,
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
    pub mails_dropped: AtomicU64,
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
    /// Outputs on their way to each shard.
    pub(super) queued: Box<[AtomicU32]>,
    ending: AtomicBool,
}

impl RoomFigures {
    fn new(shards: usize) -> Self {
        RoomFigures {
            players: AtomicU16::new(0),
            waiting: AtomicU32::new(0),
            tick: AtomicU32::new(0),
            tick_us: AtomicU32::new(0),
            level: AtomicU8::new(0),
            overruns: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            mails_dropped: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            superseded: AtomicU64::new(0),
            budget_steps_down: AtomicU64::new(0),
            budget_steps_up: AtomicU64::new(0),
            fanouts_skipped: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            queued: (0..shards).map(|_| AtomicU32::new(0)).collect(),
            ending: AtomicBool::new(false),
        }
    }

    /// A shard took an output off its mailbox.
    pub fn taken(&self, shard: usize) {
        let taken = |queued: u32| Some(queued.saturating_sub(1));
        let _ = self.queued[shard].fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
    }

    /// Whether the room is to end.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }
}

impl<G: Game> RoomHandle<G> {
    /// Opens a room with its thread.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn open(id: RoomId, name: &str, config: RoomConfig, grounds: &Grounds<G>) -> std::io::Result<Self> {
        let mailbox = Arc::new(Mailbox { mails: Mutex::default() });
        let figures = Arc::new(RoomFigures::new(grounds.shards.len()));
        let thread = super::spawn(id, config, Arc::clone(&mailbox), Arc::clone(&figures), grounds.clone())?;
        Ok(RoomHandle {
            id,
            name: name.to_owned(),
            config,
            figures,
            mailbox,
            metrics: Arc::clone(&grounds.metrics),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Puts a mail into the room's mailbox. Joins and leaves always find room in it: there is at most one per connection.
    pub fn send(&self, mail: Mail<G>) {
        self.mailbox.lock().push(mail);
    }

    /// Puts mails into the room's mailbox and leaves `mails` empty. Inputs that find no room are dropped, and counted.
    pub fn send_all(&self, mails: &mut Vec<Mail<G>>) {
        let mut mailbox = self.mailbox.lock();
        let free = MAILBOX.saturating_sub(mailbox.len());
        if mails.len() <= free {
            return mailbox.append(mails);
        }
        let before = mails.len();
        let mut left = free;
        mailbox.extend(mails.drain(..).filter(|mail| match mail {
            Mail::Input(..) if left == 0 => false,
            Mail::Input(..) => {
                left -= 1;
                true
            }
            Mail::Join(_) | Mail::Gone(_) | Mail::Leave(_) | Mail::Away(_) | Mail::Back(_) | Mail::ShardLost(_) => true,
        }));
        let dropped = (before - free) as u64;
        self.figures.mails_dropped.fetch_add(dropped, Ordering::Relaxed);
        self.metrics.inputs_dropped.inc_by(dropped);
    }

    /// The message that tells a client of its seat.
    #[must_use]
    pub fn joined(&self, seated: Seated) -> ServerMsg {
        ServerMsg::Joined {
            room: self.id,
            player: seated.player,
            tick_hz: G::TICK_HZ,
            snapshot_every: self.config.snapshot_every,
            tick_zero: seated.tick_zero,
            mode: self.config.mode,
            role: Role::Play,
        }
    }

    /// Whether the room's thread is gone.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.thread.lock().is_ok_and(|thread| thread.as_ref().is_none_or(JoinHandle::is_finished))
    }

    /// Ends the room's thread and waits for it.
    pub fn end(&self) {
        self.figures.ending.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
