//! The only place where the server reads a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broadside_shared::time::MonoTime;

/// A monotonic clock in microseconds since the server started, or since the first of those that it goes on from, from the operating system or from a test.
#[derive(Debug, Clone)]
pub struct MonoClock {
    source: ClockSource,
}

#[derive(Debug, Clone)]
enum ClockSource {
    System {
        started: Instant,
        /// What it read then.
        from: MonoTime,
    },
    /// Microseconds, set from outside.
    Manual(Arc<AtomicU64>),
}

impl MonoClock {
    /// A clock that reads 0 now.
    #[must_use]
    pub fn start() -> Self {
        MonoClock::start_at(MonoTime(0))
    }

    /// A clock that reads `now` now: it goes on from that of another process.
    #[must_use]
    pub fn start_at(now: MonoTime) -> Self {
        MonoClock { source: ClockSource::System { started: Instant::now(), from: now } }
    }

    /// A clock that reads `us`, in microseconds: for a server in virtual time.
    #[must_use]
    pub fn manual(us: Arc<AtomicU64>) -> Self {
        MonoClock { source: ClockSource::Manual(us) }
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> MonoTime {
        match &self.source {
            ClockSource::System { started, from } => from.plus_us(started.elapsed().as_micros() as u64),
            ClockSource::Manual(us) => MonoTime(us.load(Ordering::Relaxed)),
        }
    }

    /// Wall time in Unix seconds, for what outlives the process: it may jump, so nothing is timed by it. A clock set from outside counts
    /// from a fixed day in 2027.
    #[must_use]
    pub fn unix_s(&self) -> u64 {
        match &self.source {
            // A clock before 1970 is wrong; it counts as 1970.
            ClockSource::System { .. } => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
            }
            ClockSource::Manual(us) => 1_800_000_000 + us.load(Ordering::Relaxed) / 1_000_000,
        }
    }

    /// The day in UTC, counted from the first of 1970.
    #[must_use]
    pub fn unix_day(&self) -> u32 {
        (self.unix_s() / 86_400) as u32
    }

    /// Duration until `time`; zero if it is past.
    #[must_use]
    pub fn until(&self, time: MonoTime) -> Duration {
        Duration::from_micros(time.us_since(self.now()))
    }
}
