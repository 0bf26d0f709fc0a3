//! Deduplicates log lines: reports a text as new only once per hour.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use broadside_shared::time::MonoTime;

/// Texts remembered, so that made-up texts can neither grow the memory nor flood the log.
const REMEMBERED_MAX: usize = 64;
/// Microseconds after which all texts are forgotten: made-up texts hide a real one for at most this long.
const FORGET_US: u64 = 3_600_000_000;

/// Texts seen in the last hour. After 64 different ones, no further text counts as new for the rest of the hour.
#[derive(Debug, Default)]
pub struct FirstSeen {
    seen: Mutex<(MonoTime, HashSet<String>)>,
}

impl FirstSeen {
    /// Whether this text is new in this hour and the capacity is not used up.
    pub(crate) fn is_first(&self, text: &str, now: MonoTime) -> bool {
        let mut locked = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, seen) = &mut *locked;
        if now.us_since(*since) >= FORGET_US {
            *since = now;
            seen.clear();
        }
        seen.len() < REMEMBERED_MAX && !seen.contains(text) && seen.insert(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_new_once_and_none_is_beyond_the_capacity() {
        let (seen, now) = (FirstSeen::default(), MonoTime(7));
        assert!(seen.is_first("a", now));
        assert!(!seen.is_first("a", now));
        let firsts = (0..1000).filter(|n| seen.is_first(&n.to_string(), now)).count();
        assert_eq!(firsts, REMEMBERED_MAX - 1);
        assert!(!seen.is_first("a", now) && !seen.is_first("b", now));
        let later = now.plus_us(FORGET_US);
        assert!(seen.is_first("b", later) && !seen.is_first("b", later), "an hour later");
    }
}
