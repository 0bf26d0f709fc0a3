//! The status of a room, which its thread publishes to all others through atomics.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use broadside_core::room_loop::Occupancy;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus};
use broadside_shared::protocol::name::Name;
use broadside_shared::time::MonoTime;

use crate::recordings::RecordingId;

/// The status of a room as of its newest tick.
#[derive(Debug)]
pub struct RoomStatus {
    /// Players, including the server's own bots.
    pub players: AtomicU16,
    /// The server's own bots.
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
    /// Since when it has had no players, reservations or queued joins, spectators and bots aside, in microseconds of the server's
    /// clock; 0 while it has any.
    pub unplayed_since: AtomicU64,
    /// The best players, best first; at most as many as the leaderboard has lines.
    pub best: Mutex<Arc<[(Name, i32)]>>,
    /// The newest match status; `None` in modes without rounds.
    pub match_status: Mutex<Option<MatchStatus>>,
    /// The last match whose recording is whole.
    pub last_recording: Mutex<Option<RecordingId>>,
    pub counters: RoomCounters,
    pub recent: RecentTicks,
    /// Ticks with recipients that wait in the inbox of each shard.
    queued: Box<[AtomicU32]>,
    is_over: AtomicBool,
}

/// The counters of a room since it was opened.
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
    /// Times a connection was stepped down because of its link, and up again.
    pub budget_steps_down: AtomicU64,
    pub budget_steps_up: AtomicU64,
    /// Ticks whose fan-out a shard skipped because it was behind.
    pub fanouts_skipped: AtomicU64,
    /// Times the room failed and was restarted.
    pub failures: AtomicU64,
}

/// The last ticks, written by the room's thread and read by whoever looks.
#[derive(Debug)]
pub struct RecentTicks {
    /// How long each took and how late it began, in microseconds; 0 for none yet.
    ticks: [(AtomicU32, AtomicU32); RECENT_TICKS],
    next: AtomicU32,
}

/// A few seconds.
const RECENT_TICKS: usize = 256;

impl Default for RecentTicks {
    fn default() -> Self {
        RecentTicks { ticks: std::array::from_fn(|_| Default::default()), next: AtomicU32::new(0) }
    }
}

impl RecentTicks {
    pub(super) fn record(&self, took_us: u64, late_us: u64) {
        let at = self.next.fetch_add(1, Ordering::Relaxed) as usize % RECENT_TICKS;
        let (took, late) = &self.ticks[at];
        took.store(took_us.clamp(1, u32::MAX.into()) as u32, Ordering::Relaxed);
        late.store(late_us.min(u32::MAX.into()) as u32, Ordering::Relaxed);
    }

    /// Median and 99th percentile of the time that ticks took, in microseconds; 0 before the first.
    #[must_use]
    pub fn took_us(&self) -> (u32, u32) {
        self.percentiles(|took, _| took)
    }

    /// The same for the time from when a tick was due to its end, which is the age of its snapshots when they are handed over.
    #[must_use]
    pub fn age_us(&self) -> (u32, u32) {
        self.percentiles(u32::saturating_add)
    }

    fn percentiles(&self, of: impl Fn(u32, u32) -> u32) -> (u32, u32) {
        let ticks = self.ticks.iter().map(|(took, late)| (took.load(Ordering::Relaxed), late.load(Ordering::Relaxed)));
        let mut times: Vec<u32> = ticks.filter(|(took, _)| *took > 0).map(|(took, late)| of(took, late)).collect();
        times.sort_unstable();
        // Nearest rank.
        let at = |share: usize| times.get((times.len() * share).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0);
        (at(50), at(99))
    }
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
            // A new room does not count as hung.
            looked_at: AtomicU64::new(now.0),
            asleep_since: AtomicU64::new(0),
            unplayed_since: AtomicU64::new(now.0.max(1)),
            best: Mutex::new(Arc::new([])),
            match_status: Mutex::new(None),
            last_recording: Mutex::new(None),
            counters: RoomCounters::default(),
            recent: RecentTicks::default(),
            queued: (0..shards).map(|_| AtomicU32::new(0)).collect(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Whether the room has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    pub(super) fn set_over(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Ticks with recipients that wait in a shard's inbox.
    #[must_use]
    pub fn queued(&self, shard: usize) -> u32 {
        self.queued[shard].load(Ordering::Relaxed)
    }

    /// The same for all shards.
    #[must_use]
    pub fn queued_in_all(&self) -> u32 {
        self.queued.iter().map(|queued| queued.load(Ordering::Relaxed)).sum()
    }

    /// Counts ticks with recipients that were sent to a shard.
    pub(super) fn add_queued(&self, shard: usize, count: u32) {
        self.queued[shard].fetch_add(count, Ordering::Relaxed);
    }

    /// Counts a tick with recipients that a shard took from its inbox.
    pub fn tick_taken(&self, shard: usize) {
        let taken = |queued: u32| Some(queued.saturating_sub(1));
        let _ = self.queued[shard].fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
    }

    /// Resets the count for a shard: the shard or the room failed.
    pub(super) fn clear_queued(&self, shard: usize) {
        self.queued[shard].store(0, Ordering::Relaxed);
    }

    /// Publishes the occupancy; `handled` joins and reservations are no longer coming.
    pub(super) fn set_occupancy(&self, occupancy: Occupancy, handled: u32, now: MonoTime) {
        self.players.store(occupancy.players, Ordering::Relaxed);
        self.spectators.store(occupancy.spectators, Ordering::Relaxed);
        self.waiting.store(occupancy.queued, Ordering::Relaxed);
        self.reserved.store(occupancy.reserved, Ordering::Relaxed);
        // Last, and read first: who comes is counted twice for a moment, never not at all.
        self.coming.fetch_sub(handled, Ordering::Release);
        if occupancy.is_played {
            self.unplayed_since.store(0, Ordering::Relaxed);
        } else if self.unplayed_since.load(Ordering::Relaxed) == 0 {
            self.unplayed_since.store(now.0.max(1), Ordering::Relaxed);
        }
    }

    pub(super) fn set_last_recording(&self, id: RecordingId) {
        *self.last_recording.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    pub(super) fn set_best(&self, best: Arc<[(Name, i32)]>) {
        *self.best.lock().unwrap_or_else(PoisonError::into_inner) = best;
    }

    /// Whether a match is in progress.
    #[must_use]
    pub fn is_in_match(&self) -> bool {
        let status = self.match_status.lock().unwrap_or_else(PoisonError::into_inner);
        let phase = status.as_ref().map(|status| status.phase);
        matches!(phase, Some(MatchPhase::Countdown | MatchPhase::Playing | MatchPhase::Pause))
    }

    pub(super) fn set_match_status(&self, status: Option<MatchStatus>) {
        *self.match_status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_last_ticks() {
        let recent = RecentTicks::default();
        assert_eq!((recent.took_us(), recent.age_us()), ((0, 0), (0, 0)));
        recent.record(7, 3);
        assert_eq!((recent.took_us(), recent.age_us()), ((7, 7), (10, 10)));
        // 1 to 300: the first 45 are overwritten by the last.
        (1..=300).for_each(|us| recent.record(us, 1000));
        assert_eq!((recent.took_us(), recent.age_us()), ((172, 298), (1172, 1298)));
    }
}
