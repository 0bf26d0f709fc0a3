//! When to reconnect: soon at first, later with each attempt, and not all clients at the same time.

/// First pause in milliseconds.
const FIRST_MS: f64 = 500.0;
/// Longest pauses in milliseconds where another server waits already: one that is not quite ready costs no second.
const SHORT_MS: [u32; 5] = [40, 80, 160, 320, 640];
/// Longest pause in milliseconds.
const LONGEST_MS: f64 = 10_000.0;

/// Pauses between attempts: doubled each time up to 10 s, and each drawn from the upper half of its range, so that the
/// clients of a restarted server reconnect spread out.
#[derive(Debug, Clone)]
pub struct Backoff {
    attempts: u32,
    /// The short pauses that are left; `None` before the first.
    short: Option<&'static [u32]>,
    rng: fastrand::Rng,
}

impl Backoff {
    /// Pauses from a seed, which should differ between clients.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Backoff { attempts: 0, short: None, rng: fastrand::Rng::with_seed(seed) }
    }

    /// The pause before the next attempt, in milliseconds. It ends the short ones.
    pub fn next_pause_ms(&mut self) -> u32 {
        self.short = Some(&[]);
        let longest = (FIRST_MS * f64::from(1u32 << self.attempts.min(10))).min(LONGEST_MS);
        self.attempts += 1;
        (longest * (0.5 + 0.5 * self.rng.f64())) as u32
    }

    /// A pause as long as the last one, in milliseconds: for an attempt at another server.
    pub fn same_pause_ms(&mut self) -> u32 {
        self.attempts = self.attempts.saturating_sub(1);
        self.next_pause_ms()
    }

    /// Starts a row of short pauses: another server waits already.
    pub fn start_short(&mut self) {
        self.short = Some(&SHORT_MS);
    }

    /// The next of the short pauses, in milliseconds; `None` if there are none, or no more.
    pub fn short_pause_ms(&mut self) -> Option<u32> {
        let (longest, left) = self.short?.split_first()?;
        self.short = Some(left);
        Some(self.rng.u32(..*longest))
    }

    /// Whether there was no pause since the last success.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.attempts == 0 && self.short.is_none()
    }

    /// Attempts since the last success, those after short pauses left out.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The connection succeeded: starts with short pauses again.
    pub fn reset(&mut self) {
        (self.attempts, self.short) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_seconds_and_differ_between_clients() {
        let (mut a, mut b) = (Backoff::new(1), Backoff::new(2));
        let pauses: Vec<u32> = (0..8).map(|_| a.next_pause_ms()).collect();
        assert!(pauses[0] >= 250 && pauses[0] <= 500, "{pauses:?}");
        assert!(pauses[7] >= 5_000 && pauses[7] <= 10_000, "{pauses:?}");
        assert_ne!(pauses, (0..8).map(|_| b.next_pause_ms()).collect::<Vec<_>>());
        a.reset();
        assert!(a.next_pause_ms() <= 500);
        assert!(a.same_pause_ms() <= 500, "no longer than the one before");
        assert!(a.next_pause_ms() >= 500);
    }

    #[test]
    fn a_row_of_short_pauses_comes_before_the_normal_ones() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed);
            assert!(backoff.is_fresh());
            assert_eq!(backoff.short_pause_ms(), None, "nobody has started them");
            backoff.start_short();
            for longest in SHORT_MS {
                assert!(!backoff.is_fresh());
                assert!(backoff.short_pause_ms().is_some_and(|pause| pause < longest), "{longest}");
            }
            assert_eq!((backoff.short_pause_ms(), backoff.attempts(), backoff.is_fresh()), (None, 0, false));
            assert!((250..=500).contains(&backoff.next_pause_ms()));
            backoff.reset();
            assert!(backoff.is_fresh());
            backoff.start_short();
            backoff.next_pause_ms();
            assert_eq!(backoff.short_pause_ms(), None, "a normal pause ends them");
        }
    }
}
