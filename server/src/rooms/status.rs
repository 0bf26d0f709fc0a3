//! What a room's thread tells everyone else about the room, without a lock on its way.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use broadside_core::room_loop::Occupancy;
use broadside_shared::protocol::match_status::MatchStatus;
use broadside_shared::protocol::name::Name;
use broadside_shared::time::MonoTime;

/// How a room is, as of its newest tick.
#[derive(Debug)]
pub struct RoomStatus {
    /// Seats to play in that are taken.
    pub players: AtomicU16,
    /// How many of the players are bots of the server.
    pub bots: AtomicU16,
    pub spectators: AtomicU16,
    /// Requests in the join queue.
    pub waiting: AtomicU32,
    /// Joins and reservations that the room has not handled yet.
    pub coming: AtomicU32,
    pub reserved: AtomicU16,
    /// The newest tick.
    pub tick: AtomicU32,
    /// How long it took, in microseconds.
    pub tick_us: AtomicU32,
    /// The level of service, 0 being full.
    pub level: AtomicU8,
    /// When the room was last run, in microseconds of the server's clock.
    pub looked_at: AtomicU64,
    /// Since when it sleeps, in microseconds of the server's clock; 0 while it is awake.
    pub asleep_since: AtomicU64,
    /// Since when nobody plays in it or is about to, spectators and bots aside, in microseconds of the server's clock; 0 while
    /// somebody does.
    pub unplayed_since: AtomicU64,
    /// The best players, best first; at most as many as the leaderboard has lines.
    pub best: Mutex<Arc<[(Name, i32)]>>,
    /// How the match stands, where the mode has matches.
    pub match_status: Mutex<Option<MatchStatus>>,
    pub counters: RoomCounters,
    /// Ticks with recipients that wait for each shard.
    queued: Box<[AtomicU32]>,
    is_over: AtomicBool,
}

/// What happened in a room since it was opened.
#[derive(Debug, Default)]
pub struct RoomCounters {
    /// Ticks that ended after the next one was due.
    pub overruns: AtomicU64,
    /// Ticks that were dropped.
    pub missed: AtomicU64,
    /// Inputs dropped because the mailbox was full.
    pub inputs_dropped: AtomicU64,
    /// Snapshots written.
    pub snapshots: AtomicU64,
    /// Snapshots skipped because the client had not taken those before.
    pub superseded: AtomicU64,
    /// Times a connection was given less because of its link, and more again.
    pub budget_steps_down: AtomicU64,
    pub budget_steps_up: AtomicU64,
    /// Ticks whose fan-out a shard left out because it was behind.
    pub fanouts_skipped: AtomicU64,
    /// Times the room failed and was restarted.
    pub failures: AtomicU64,
}

impl RoomStatus {
    pub(super) fn new(shards: usize, now: MonoTime) -> Self {
        RoomStatus {
            players: AtomicU16::new(0),
            bots: AtomicU16::new(0),
            spectators: AtomicU16::new(0),
            waiting: AtomicU32::new(0),
            coming: AtomicU32::new(0),
            reserved: AtomicU16::new(0),
            tick: AtomicU32::new(0),
            tick_us: AtomicU32::new(0),
            level: AtomicU8::new(0),
            // A room that has just been opened does not hang.
            looked_at: AtomicU64::new(now.0),
            asleep_since: AtomicU64::new(0),
            unplayed_since: AtomicU64::new(now.0.max(1)),
            best: Mutex::new(Arc::new([])),
            match_status: Mutex::new(None),
            counters: RoomCounters::default(),
            queued: (0..shards).map(|_| AtomicU32::new(0)).collect(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Whether the room is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    pub(super) fn set_over(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Ticks with recipients that wait for a shard.
    #[must_use]
    pub fn queued(&self, shard: usize) -> u32 {
        self.queued[shard].load(Ordering::Relaxed)
    }

    /// The same for all shards.
    #[must_use]
    pub fn queued_in_all(&self) -> u32 {
        self.queued.iter().map(|queued| queued.load(Ordering::Relaxed)).sum()
    }

    /// Ticks with recipients were sent to a shard.
    pub(super) fn add_queued(&self, shard: usize, count: u32) {
        self.queued[shard].fetch_add(count, Ordering::Relaxed);
    }

    /// A shard took such a tick off its inbox.
    pub fn tick_taken(&self, shard: usize) {
        let taken = |queued: u32| Some(queued.saturating_sub(1));
        let _ = self.queued[shard].fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
    }

    /// What waited for a shard is gone: the shard or the room failed.
    pub(super) fn clear_queued(&self, shard: usize) {
        self.queued[shard].store(0, Ordering::Relaxed);
    }

    /// Notes who is in the room; `handled` joins and reservations are no longer coming.
    pub(super) fn note_occupancy(&self, occupancy: Occupancy, handled: u32, now: MonoTime) {
        self.coming.fetch_sub(handled, Ordering::Relaxed);
        self.players.store(occupancy.players, Ordering::Relaxed);
        self.spectators.store(occupancy.spectators, Ordering::Relaxed);
        self.waiting.store(occupancy.queued, Ordering::Relaxed);
        self.reserved.store(occupancy.reserved, Ordering::Relaxed);
        if occupancy.is_played {
            self.unplayed_since.store(0, Ordering::Relaxed);
        } else if self.unplayed_since.load(Ordering::Relaxed) == 0 {
            self.unplayed_since.store(now.0.max(1), Ordering::Relaxed);
        }
    }

    pub(super) fn set_best(&self, best: Arc<[(Name, i32)]>) {
        *self.best.lock().unwrap_or_else(PoisonError::into_inner) = best;
    }

    pub(super) fn set_match_status(&self, status: Option<MatchStatus>) {
        *self.match_status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}
