//! How much time has passed since the server that is gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use broadside_shared::time::MonoTime;

use crate::store::now_us;

/// A moment by every clock there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The server's own clock.
    pub now: MonoTime,
    /// The boot of the machine, and the time since then in microseconds, in which sleep counts. This clock never jumps.
    boot: String,
    since_boot_us: u64,
    unix_us: i64,
}

impl Moment {
    /// Now, at which the server's clock reads `now`.
    #[must_use]
    pub fn at(now: MonoTime) -> Moment {
        // Without it, every moment counts as one of another boot.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Moment { now, boot: boot.trim().to_owned(), since_boot_us: since_boot_us(), unix_us: now_us() }
    }

    /// Whether the machine has not been booted in between.
    #[must_use]
    pub fn is_same_boot(&self, other: &Moment) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }

    /// Microseconds from this moment to a later one. After a boot in between only the wall clock tells: `None` if it was set back.
    #[must_use]
    pub fn us_until(&self, later: &Moment) -> Option<u64> {
        if self.is_same_boot(later) {
            return later.since_boot_us.checked_sub(self.since_boot_us);
        }
        u64::try_from(later.unix_us - self.unix_us).ok()
    }
}

#[cfg(target_os = "linux")]
fn since_boot_us() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map_or_else(|_| Duration::ZERO, Into::into);
    time.as_micros() as u64
}

#[cfg(not(target_os = "linux"))]
fn since_boot_us() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(boot: &str, since_boot_us: u64, unix_us: i64) -> Moment {
        Moment { now: MonoTime(7), boot: boot.to_owned(), since_boot_us, unix_us }
    }

    #[test]
    fn the_clock_since_boot_counts_and_after_a_boot_that_on_the_wall() {
        let before = moment("a", 5_000_000, 1_000_000_000);
        // Somebody set the clock an hour back.
        assert_eq!(before.us_until(&moment("a", 7_000_000, -2_600_000_000)), Some(2_000_000));
        assert_eq!(before.us_until(&moment("b", 1_000_000, 1_030_000_000)), Some(30_000_000));
        assert_eq!(before.us_until(&moment("b", 1_000_000, 900_000_000)), None);
        assert_eq!(moment("", 1, 0).us_until(&moment("", 0, 9)), Some(9), "not Linux");
        let (now, later) = (Moment::at(MonoTime(0)), Moment::at(MonoTime(1)));
        assert!(now.us_until(&later).is_some_and(|us| us < 60_000_000));
    }
}
