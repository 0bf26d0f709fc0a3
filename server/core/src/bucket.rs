//! The token bucket behind every rate limit.

use broadside_shared::time::MonoTime;

/// A token bucket: a burst of tokens at once, and one more per interval.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    every_us: u64,
    full_us: u64,
    /// The tokens left, as the time it takes to earn them.
    left_us: u64,
    filled_at: MonoTime,
}

impl Bucket {
    /// A full bucket of `burst` tokens, which earns one every `every_us` microseconds.
    #[must_use]
    pub fn new(burst: u32, every_us: u64, now: MonoTime) -> Self {
        let full_us = u64::from(burst) * every_us;
        Bucket { every_us, full_us, left_us: full_us, filled_at: now }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// The microseconds until there is one.
    pub fn take(&mut self, now: MonoTime) -> Result<(), u64> {
        self.take_many(1, now)
    }

    /// Takes `count` tokens together, or none.
    ///
    /// # Errors
    /// The microseconds until there are as many. They never come if `count` is more than the bucket holds.
    pub fn take_many(&mut self, count: u32, now: MonoTime) -> Result<(), u64> {
        let filled_us = self.left_us.saturating_add(now.us_since(self.filled_at)).min(self.full_us);
        // After `forgive` the bucket may hold more than a full one.
        self.left_us = self.left_us.max(filled_us);
        self.filled_at = now;
        let cost_us = u64::from(count) * self.every_us;
        match self.left_us.checked_sub(cost_us) {
            Some(left) => {
                self.left_us = left;
                Ok(())
            }
            None => Err(cost_us - self.left_us),
        }
    }

    /// Puts back `count` tokens that turned out not to be needed.
    pub fn put_back(&mut self, count: u32) {
        let refilled_us = self.left_us.saturating_add(u64::from(count) * self.every_us).min(self.full_us);
        self.left_us = self.left_us.max(refilled_us);
    }

    /// Adds the tokens of a pause of `us` microseconds, even beyond a full bucket: after a time in which the server read nothing, all that
    /// was sent meanwhile arrives at once.
    pub fn forgive(&mut self, us: u64) {
        // Consecutive pauses do not add up.
        self.left_us = self.left_us.saturating_add(us).min(self.full_us.saturating_add(us));
    }

    /// Whether the bucket is full again, and thus equal to a new one.
    #[must_use]
    pub fn is_full(&self, now: MonoTime) -> bool {
        self.left_us.saturating_add(now.us_since(self.filled_at)) >= self.full_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_then_what_it_earns_and_forgiven_tokens_on_top() {
        let mut bucket = Bucket::new(10, 100, MonoTime(0));
        assert_eq!(bucket.take_many(11, MonoTime(0)), Err(100), "all or none");
        assert_eq!(bucket.take_many(10, MonoTime(0)), Ok(()));
        assert_eq!(bucket.take(MonoTime(40)), Err(60));
        assert_eq!(bucket.take(MonoTime(100)), Ok(()));
        // Full again, and five more that are not lost as time goes on.
        bucket.forgive(1_500);
        assert_eq!(bucket.take_many(15, MonoTime(9_000)), Ok(()));
        assert_eq!(bucket.take(MonoTime(9_000)), Err(100));
        assert_eq!(bucket.take_many(11, MonoTime(90_000)), Err(100), "and then as before");
    }
}
