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
        self.left_us = self.left_us.saturating_add(now.us_since(self.filled_at)).min(self.full_us);
        self.filled_at = now;
        match self.left_us.checked_sub(self.every_us) {
            Some(left) => {
                self.left_us = left;
                Ok(())
            }
            None => Err(self.every_us - self.left_us),
        }
    }

    /// Whether it has filled up again: it is then like a new one.
    #[must_use]
    pub fn is_full(&self, now: MonoTime) -> bool {
        self.left_us.saturating_add(now.us_since(self.filled_at)) >= self.full_us
    }
}
