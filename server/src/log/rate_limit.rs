//! Limits log lines of one kind: in a burst of thousands, the first are written and the rest are counted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, callsite::Identifier};
use tracing_subscriber::layer::Context;

/// Lines of one kind, which is one place in the code, written per second. Levels below `info` are not limited: they are off unless
/// requested, and then wanted in full.
const LINES_PER_SECOND_MAX: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);

/// Recent lines by kind; bounded by the number of log statements in the code.
#[derive(Default)]
pub(crate) struct LineLimiter(Mutex<Vec<Kind>>);

struct Kind {
    of: Identifier,
    second_started: Instant,
    written: u32,
    suppressed: u64,
    /// The message without its fields.
    message: String,
}

impl LineLimiter {
    /// Whether to write this line.
    fn admits(&self, event: &Event<'_>, now: Instant) -> bool {
        let of = event.metadata().callsite();
        match self.decide(&of, now) {
            Decision::Written => true,
            Decision::Suppressed => false,
            Decision::FirstSuppressed => {
                // Not while the lock is held: formatting may panic, and a panic logs a line.
                let mut message = String::new();
                event.record(&mut Message(&mut message));
                if let Some(kind) = self.lock().iter_mut().find(|kind| kind.of == of) {
                    kind.message = message;
                }
                false
            }
        }
    }

    fn decide(&self, of: &Identifier, now: Instant) -> Decision {
        let mut kinds = self.lock();
        let known = kinds.iter().position(|kind| kind.of == *of);
        let at = known.unwrap_or_else(|| {
            kinds.push(Kind { of: of.clone(), second_started: now, written: 0, suppressed: 0, message: String::new() });
            kinds.len() - 1
        });
        let kind = &mut kinds[at];
        // A new second starts only after the suppressed lines were reported.
        if kind.suppressed == 0 && now.duration_since(kind.second_started) >= SECOND {
            (kind.second_started, kind.written) = (now, 0);
        }
        if kind.written < LINES_PER_SECOND_MAX {
            kind.written += 1;
            return Decision::Written;
        }
        kind.suppressed += 1;
        if kind.suppressed == 1 { Decision::FirstSuppressed } else { Decision::Suppressed }
    }

    /// Takes the messages and numbers of lines suppressed in past seconds.
    fn suppressed(&self, now: Instant) -> Vec<(String, u64)> {
        let mut kinds = self.lock();
        let over = |kind: &&mut Kind| kind.suppressed > 0 && now.duration_since(kind.second_started) >= SECOND;
        let take = |kind: &mut Kind| {
            (kind.second_started, kind.written) = (now, 0);
            (kind.message.clone(), std::mem::take(&mut kind.suppressed))
        };
        kinds.iter_mut().filter(over).map(take).collect()
    }

    /// Logs the numbers of lines suppressed in past seconds.
    pub(crate) fn log_suppressed(&self) {
        for (like, lines) in self.suppressed(Instant::now()) {
            tracing::info!(like, lines, "similar lines suppressed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kind>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happens to a line.
enum Decision {
    Written,
    /// The message is kept for the summary.
    FirstSuppressed,
    Suppressed,
}

/// Suppresses lines beyond the limit.
pub(crate) struct Layer(pub std::sync::Arc<LineLimiter>);

impl<S: Subscriber> tracing_subscriber::Layer<S> for Layer {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        *event.metadata().level() > Level::INFO || self.0.admits(event, Instant::now())
    }
}

/// Extracts the message of an event.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Collects messages.
    #[derive(Clone, Default)]
    struct Collected(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Collected {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut message = String::new();
            event.record(&mut Message(&mut message));
            self.0.lock().expect("no test panics with it").push(message);
        }
    }

    #[test]
    fn a_burst_is_limited_and_counted_and_hides_no_other_line() {
        let (limiter, collected) = (Arc::new(LineLimiter::default()), Collected::default());
        let subscriber = tracing_subscriber::registry().with(Layer(Arc::clone(&limiter))).with(collected.clone());
        tracing::subscriber::with_default(subscriber, || {
            for player in 0..1000 {
                tracing::info!(player, "joined");
                tracing::debug!(player, "detail");
            }
            tracing::warn!("look");
        });
        let collected = collected.0.lock().expect("no test panics with it");
        let count = |message: &str| collected.iter().filter(|collected| *collected == message).count();
        // A test that is delayed for a second may collect a few more.
        assert!((50..=500).contains(&count("joined")), "{}", count("joined"));
        assert_eq!((count("detail"), count("look")), (1000, 1));
        let suppressed = limiter.suppressed(Instant::now() + SECOND);
        assert!(suppressed.len() == 1 && suppressed[0].0 == "joined" && suppressed[0].1 >= 500, "{suppressed:?}");
        assert!(limiter.suppressed(Instant::now() + SECOND).is_empty());
    }
}
