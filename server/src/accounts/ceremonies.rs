//! What waits between two steps that a browser takes: bounded in number and time, and used once.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use broadside_shared::time::MonoTime;

use crate::secret::{base64url, bytes};

/// Most that wait. Beyond, the oldest is dropped: a browser takes its steps within seconds, and the limits per address make a thousand in
/// that time need dozens of addresses.
const WAITING_MAX: usize = 1024;

/// Second steps that are awaited, each under a number that only its browser knows.
#[derive(Debug)]
pub(crate) struct Ceremonies<T> {
    life_us: u64,
    waiting: Mutex<VecDeque<Waiting<T>>>,
}

#[derive(Debug)]
struct Waiting<T> {
    number: String,
    expires: MonoTime,
    state: T,
}

impl<T> Ceremonies<T> {
    /// None yet; each waits for `life_s` seconds.
    pub(crate) fn new(life_s: u64) -> Ceremonies<T> {
        Ceremonies { life_us: life_s * 1_000_000, waiting: Mutex::default() }
    }

    /// Keeps what the second step needs. Returns its number.
    pub(crate) fn begin(&self, state: T, now: MonoTime) -> String {
        let number = base64url(&bytes::<16>());
        self.keep(number.clone(), state, now);
        number
    }

    /// Keeps it under this number.
    pub(crate) fn keep(&self, number: String, state: T, now: MonoTime) {
        let mut waiting = self.lock();
        waiting.retain(|waiting| waiting.expires > now);
        if waiting.len() >= WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back(Waiting { number, expires: now.plus_us(self.life_us), state });
    }

    /// Takes what was kept under a number; `None` if it is unknown, used or expired.
    pub(crate) fn take(&self, number: &str, now: MonoTime) -> Option<T> {
        let mut waiting = self.lock();
        // Comparing takes as long as the beginnings agree, which nobody can measure through a network and a thousand others.
        let at = waiting.iter().position(|waiting| waiting.number == number)?;
        waiting.remove(at).filter(|found| found.expires > now).map(|found| found.state)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting<T>>> {
        // Nothing panics while the lock is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_taken_once_in_time_and_the_oldest_make_room() {
        let ceremonies = Ceremonies::new(300);
        let first = ceremonies.begin(0, MonoTime(0));
        assert_eq!(ceremonies.take("unknown", MonoTime(1)), None);
        assert_eq!(ceremonies.take(&first, MonoTime(299_999_999)), Some(0));
        assert_eq!(ceremonies.take(&first, MonoTime(299_999_999)), None, "once");
        let late = ceremonies.begin(1, MonoTime(0));
        assert_eq!(ceremonies.take(&late, MonoTime(300_000_000)), None, "too late");

        let numbers: Vec<String> = (0..=WAITING_MAX).map(|n| ceremonies.begin(n, MonoTime(1))).collect();
        assert_eq!(ceremonies.take(&numbers[0], MonoTime(2)), None, "the oldest");
        assert_eq!(ceremonies.take(&numbers[1], MonoTime(2)), Some(1));
        ceremonies.begin(7, MonoTime(300_000_001));
        assert_eq!(ceremonies.lock().len(), 1, "the expired take no memory");
    }
}
