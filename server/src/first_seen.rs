//! What is worth a line in the log the first time, and only then.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Texts remembered: whoever makes up more than these is not worth a line each.
const REMEMBERED_MAX: usize = 64;

/// Texts that were met before; bounded, so that after [`REMEMBERED_MAX`] different ones no further one is told apart.
#[derive(Debug, Default)]
pub struct FirstSeen {
    seen: Mutex<HashSet<String>>,
}

impl FirstSeen {
    /// Whether this text is met for the first time and there is room to remember it.
    pub fn is_first(&self, text: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.len() < REMEMBERED_MAX && !seen.contains(text) && seen.insert(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_first_once_and_after_many_none_is() {
        let seen = FirstSeen::default();
        assert!(seen.is_first("a"));
        assert!(!seen.is_first("a"));
        let firsts = (0..1000).filter(|n| seen.is_first(&n.to_string())).count();
        assert_eq!(firsts, REMEMBERED_MAX - 1);
        assert!(!seen.is_first("a"));
    }
}
