//! What is worth a line in the log the first time in an hour, and only then.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use broadside_shared::time::MonoTime;

/// Texts remembered: whoever makes up more than these is not worth a line each.
const REMEMBERED_MAX: usize = 64;
/// Microseconds after which all is forgotten: made-up texts hide a real one for this long at most.
const FORGET_US: u64 = 3_600_000_000;

/// Texts that were met before; bounded, so that after 64 different ones no further one is told apart for the rest of an hour.
#[derive(Debug, Default)]
pub struct FirstSeen {
    seen: Mutex<(MonoTime, HashSet<String>)>,
}

impl FirstSeen {
    /// Whether this text is met for the first time in the hour and there is room to remember it.
    pub fn is_first(&self, text: &str, now: MonoTime) -> bool {
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
    fn each_text_is_first_once_and_after_many_none_is() {
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
