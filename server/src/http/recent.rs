//! Answers of the database that are shared for a moment, so that a crowd that looks at the same page costs one query.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use broadside_shared::time::MonoTime;
use tokio::sync::OnceCell;

/// How long an answer is shared, in microseconds.
const SHARED_US: u64 = 1_000_000;
/// Most answers that are kept. Beyond it, a query is made for each request.
const KEPT_MAX: usize = 256;

/// The answers of the last second, by what was asked.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    kept: Mutex<HashMap<K, Kept<V>>>,
}

#[derive(Debug)]
struct Kept<V> {
    since: MonoTime,
    /// Empty until the query of the first who asked is done; the others wait for it.
    answer: Arc<OnceCell<V>>,
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    pub(crate) fn new() -> Recent<K, V> {
        Recent { kept: Mutex::default() }
    }

    /// The answer of the last second, or that of `query`.
    ///
    /// # Errors
    /// Those of `query`; they are not shared.
    pub(crate) async fn get<E>(
        &self,
        asked: K,
        now: MonoTime,
        query: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        match self.slot(asked, now) {
            Some(slot) => slot.get_or_try_init(|| query).await.cloned(),
            None => query.await,
        }
    }

    fn slot(&self, asked: K, now: MonoTime) -> Option<Arc<OnceCell<V>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |kept: &Kept<V>| now.us_since(kept.since) < SHARED_US;
        if let Some(found) = kept.get(&asked).filter(|found| is_recent(found)) {
            return Some(Arc::clone(&found.answer));
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, kept| is_recent(kept));
        }
        if kept.len() >= KEPT_MAX {
            return None;
        }
        let answer = Arc::default();
        kept.insert(asked, Kept { since: now, answer: Arc::clone(&answer) });
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_crowd_costs_one_query_a_second_and_a_failure_is_not_shared() {
        let (recent, queries) = (Recent::<u32, u32>::new(), AtomicU32::new(0));
        let ask = |asked, at| {
            recent.get(asked, MonoTime(at), async {
                tokio::task::yield_now().await;
                match queries.fetch_add(1, Ordering::Relaxed) {
                    0 => Err("down"),
                    number => Ok(number),
                }
            })
        };
        assert_eq!(ask(1, 0).await, Err("down"));
        assert_eq!(tokio::join!(ask(1, 0), ask(1, 5), ask(1, SHARED_US - 1)), (Ok(1), Ok(1), Ok(1)));
        assert_eq!(ask(2, 0).await, Ok(2), "another question");
        assert_eq!(ask(1, SHARED_US).await, Ok(3), "too old");
    }

    #[tokio::test]
    async fn answers_beyond_the_maximum_are_not_kept() {
        let recent = Recent::<usize, usize>::new();
        let ask = |asked, answer, at| recent.get(asked, MonoTime(at), async move { Ok::<_, ()>(answer) });
        for asked in 0..KEPT_MAX {
            assert_eq!(ask(asked, 1, 0).await, Ok(1));
        }
        assert_eq!(ask(KEPT_MAX, 1, 0).await, Ok(1));
        assert_eq!(ask(KEPT_MAX, 2, 0).await, Ok(2), "not kept");
        assert_eq!(ask(0, 2, 0).await, Ok(1), "kept");
        assert_eq!(ask(KEPT_MAX, 3, SHARED_US).await, Ok(3));
        assert_eq!(recent.kept.lock().expect("no panic").len(), 1, "what is old makes way");
    }
}
