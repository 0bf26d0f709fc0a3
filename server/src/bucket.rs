//! So many at once, and one more every so often. PURE.

use broadside_shared::time::MonoTime;

/// A token bucket: so many at once, and one more every so often.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    every_us: u64,
    full_us: u64,
    /// What is left, as the time it took to earn it.
    left_us: u64,
    filled_at: MonoTime,
}

impl Bucket {
    /// A full bucket: `burst` at once, and one more every `every_us` microseconds.
    #[must_use]
    pub fn new(burst: u32, every_us: u64, now: MonoTime) -> Self {
        let full_us = u64::from(burst) * every_us;
        Bucket { every_us, full_us, left_us: full_us, filled_at: now }
    }

    /// Takes one.
    ///
    /// # Errors
    /// In how many microseconds there will be one.
    pub fn take(&mut self, now: MonoTime) -> Result<(), u64> {
        self.take_many(1, now)
    }

    /// Takes `count`, or none.
    ///
    /// # Errors
    /// In how many microseconds there will be as many.
    pub fn take_many(&mut self, count: u32, now: MonoTime) -> Result<(), u64> {
        self.left_us = self.left_us.saturating_add(now.us_since(self.filled_at)).min(self.full_us);
        self.filled_at = now;
        let wanted_us = u64::from(count) * self.every_us;
        match self.left_us.checked_sub(wanted_us) {
            Some(left) => {
                self.left_us = left;
                Ok(())
            }
            None => Err(wanted_us - self.left_us),
        }
    }

    /// Puts back `count` that were taken for nothing.
    pub fn put_back(&mut self, count: u32) {
        self.left_us = self.left_us.saturating_add(u64::from(count) * self.every_us).min(self.full_us);
    }

    /// Whether it has filled up again: it is then like a new one.
    #[must_use]
    pub fn is_full(&self, now: MonoTime) -> bool {
        self.left_us.saturating_add(now.us_since(self.filled_at)) >= self.full_us
    }
}
