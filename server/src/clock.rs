//! The one place where the server reads a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broadside_shared::time::MonoTime;

/// Microseconds since the server started, from the operating system or from a test.
#[derive(Debug, Clone)]
pub struct MonoClock {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    System {
        started: Instant,
    },
    /// Microseconds, set from outside.
    Manual(Arc<AtomicU64>),
}

impl MonoClock {
    /// A clock that reads 0 now.
    #[must_use]
    pub fn start() -> Self {
        MonoClock { source: Source::System { started: Instant::now() } }
    }

    /// A clock that shows what is stored in `us`, in microseconds: for a server in virtual time.
    #[must_use]
    pub fn manual(us: Arc<AtomicU64>) -> Self {
        MonoClock { source: Source::Manual(us) }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> MonoTime {
        match &self.source {
            Source::System { started } => MonoTime(started.elapsed().as_micros() as u64),
            Source::Manual(us) => MonoTime(us.load(Ordering::Relaxed)),
        }
    }

    /// How long it is until `time`; zero if it is past.
    #[must_use]
    pub fn until(&self, time: MonoTime) -> Duration {
        Duration::from_micros(time.us_since(self.now()))
    }
}
