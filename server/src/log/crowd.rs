//! The bound on lines of one kind: when thousands come at once, a few are written and the rest are told as a number.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, callsite::Identifier};
use tracing_subscriber::layer::Context;

/// Lines of one kind, which is one place in the code, that are written in a second. Lines below `info` are not bounded: whoever asks for
/// those wants all.
const LINES_PER_SECOND_MAX: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);

/// What was written lately, by kind. Bounded by the places in the code that write lines.
#[derive(Default)]
pub struct Crowd(Mutex<Vec<Kind>>);

struct Kind {
    of: Identifier,
    second_began: Instant,
    written: u32,
    left_out: u64,
    /// What the lines say, without what differs.
    message: String,
}

impl Crowd {
    /// Whether this line is written.
    fn admits(&self, event: &Event<'_>, now: Instant) -> bool {
        let of = event.metadata().callsite();
        match self.judge(&of, now) {
            Verdict::Written => true,
            Verdict::LeftOut => false,
            Verdict::FirstLeftOut => {
                // Not while the lock is held: what formats itself might panic, and a panic is a line, too.
                let mut message = String::new();
                event.record(&mut Message(&mut message));
                if let Some(kind) = self.lock().iter_mut().find(|kind| kind.of == of) {
                    kind.message = message;
                }
                false
            }
        }
    }

    fn judge(&self, of: &Identifier, now: Instant) -> Verdict {
        let mut kinds = self.lock();
        let known = kinds.iter().position(|kind| kind.of == *of);
        let at = known.unwrap_or_else(|| {
            kinds.push(Kind { of: of.clone(), second_began: now, written: 0, left_out: 0, message: String::new() });
            kinds.len() - 1
        });
        let kind = &mut kinds[at];
        // What was left out is told first.
        if kind.left_out == 0 && now.duration_since(kind.second_began) >= SECOND {
            (kind.second_began, kind.written) = (now, 0);
        }
        if kind.written < LINES_PER_SECOND_MAX {
            kind.written += 1;
            return Verdict::Written;
        }
        kind.left_out += 1;
        if kind.left_out == 1 { Verdict::FirstLeftOut } else { Verdict::LeftOut }
    }

    /// Takes what was left out in seconds that are over.
    fn left_out(&self, now: Instant) -> Vec<(String, u64)> {
        let mut kinds = self.lock();
        let over = |kind: &&mut Kind| kind.left_out > 0 && now.duration_since(kind.second_began) >= SECOND;
        let take = |kind: &mut Kind| {
            (kind.second_began, kind.written) = (now, 0);
            (kind.message.clone(), std::mem::take(&mut kind.left_out))
        };
        kinds.iter_mut().filter(over).map(take).collect()
    }

    /// Tells what was left out in seconds that are over.
    pub fn tell(&self) {
        for (like, lines) in self.left_out(Instant::now()) {
            tracing::info!(like, lines, "more of the same");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kind>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a line.
enum Verdict {
    Written,
    /// What it says is kept, to tell of it and those that follow.
    FirstLeftOut,
    LeftOut,
}

/// Keeps lines out that are too many.
pub struct Layer(pub std::sync::Arc<Crowd>);

impl<S: Subscriber> tracing_subscriber::Layer<S> for Layer {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        *event.metadata().level() > Level::INFO || self.0.admits(event, Instant::now())
    }
}

/// Takes the message of an event.
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
    struct Incoming(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Incoming {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut message = String::new();
            event.record(&mut Message(&mut message));
            self.0.lock().expect("no test panics with it").push(message);
        }
    }

    #[test]
    fn a_rush_is_told_by_a_few_lines_and_a_number_and_hides_nothing_else() {
        let (crowd, heard) = (Arc::new(Crowd::default()), Incoming::default());
        let subscriber = tracing_subscriber::registry().with(Layer(Arc::clone(&crowd))).with(heard.clone());
        tracing::subscriber::with_default(subscriber, || {
            for player in 0..1000 {
                tracing::info!(player, "joined");
                tracing::debug!(player, "detail");
            }
            tracing::warn!("look");
        });
        let heard = heard.0.lock().expect("no test panics with it");
        let count = |message: &str| heard.iter().filter(|heard| *heard == message).count();
        // A test that is held up for a second in between may hear another few.
        assert!((50..=500).contains(&count("joined")), "{}", count("joined"));
        assert_eq!((count("detail"), count("look")), (1000, 1));
        let told = crowd.left_out(Instant::now() + SECOND);
        assert!(told.len() == 1 && told[0].0 == "joined" && told[0].1 >= 500, "{told:?}");
        assert!(crowd.left_out(Instant::now() + SECOND).is_empty());
    }
}
