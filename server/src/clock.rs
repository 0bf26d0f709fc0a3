//! The one place where the server reads a clock.

use std::time::{Duration, Instant};

use broadside_shared::time::MonoTime;

/// Microseconds since the server began.
#[derive(Debug, Clone, Copy)]
pub struct MonoClock {
    began: Instant,
}

impl MonoClock {
    /// A clock that reads 0 now.
    #[must_use]
    pub fn start() -> Self {
        MonoClock { began: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> MonoTime {
        MonoTime(self.began.elapsed().as_micros() as u64)
    }

    /// The moment `time` as the operating system counts it.
    #[must_use]
    pub fn instant(&self, time: MonoTime) -> Instant {
        self.began + Duration::from_micros(time.0)
    }

    /// How long it is until `time`; zero if it is past.
    #[must_use]
    pub fn until(&self, time: MonoTime) -> Duration {
        self.instant(time).saturating_duration_since(Instant::now())
    }
}
