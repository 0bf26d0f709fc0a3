//! When to reconnect: soon at first, later with each attempt, and not all clients at the same time.

use crate::protocol::close::CloseCode;

/// First pause in milliseconds.
const FIRST_MS: f64 = 500.0;
/// Longest pause in milliseconds before the first attempt when another server has taken over.
const SOON_MS: u32 = 40;
/// Longest pause in milliseconds.
const LONGEST_MS: f64 = 10_000.0;

/// Pauses between attempts: doubled each time up to 10 s, and each drawn from the upper half of its range, so that the
/// clients of a restarted server reconnect spread out.
#[derive(Debug, Clone)]
pub struct Backoff {
    attempts: u32,
    rng: fastrand::Rng,
}

impl Backoff {
    /// Pauses from a seed, which should differ between clients.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Backoff { attempts: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    /// The pause before the next attempt, in milliseconds.
    pub fn next_pause_ms(&mut self) -> u32 {
        let longest = (FIRST_MS * f64::from(1u32 << self.attempts.min(10))).min(LONGEST_MS);
        self.attempts += 1;
        (longest * (0.5 + 0.5 * self.rng.f64())) as u32
    }

    /// The pause before the next attempt after the server closed with this code, in milliseconds: hardly any before the first attempt if
    /// another server has taken over already.
    pub fn pause_after_ms(&mut self, code: Option<CloseCode>) -> u32 {
        let pause_ms = self.next_pause_ms();
        let is_soon = self.attempts == 1 && code == Some(CloseCode::Restarting);
        if is_soon { self.rng.u32(..SOON_MS) } else { pause_ms }
    }

    /// Attempts since the last success.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The connection succeeded: starts with short pauses again.
    pub fn reset(&mut self) {
        self.attempts = 0;
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
        a.reset();
        assert!(a.pause_after_ms(Some(CloseCode::Restarting)) < SOON_MS);
        assert!(a.pause_after_ms(Some(CloseCode::Restarting)) >= 500, "only the first attempt");
        b.reset();
        assert!(b.pause_after_ms(Some(CloseCode::GoingAway)) >= 250);
    }
}
