//! Every attack: what it does, and what must come of it.
//!
//! | module | what is attacked |
//! |---|---|
//! | `frames` | the rules of WebSocket |
//! | `messages` | the game's protocol, and the session behind it |
//! | `http` | the handshake and everything else over HTTP |
//! | `crowd` | what there is only so much of: connections, seats, rooms |
//! | `system` | the process: its files, its log, its time |

mod crowd;
mod frames;
mod http;
mod messages;
mod system;

use std::collections::BTreeMap;

use crate::offender::Met;
use crate::scene::{Kind, Scene};

/// An attack.
pub(crate) struct Attack {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// The server it needs.
    pub(crate) kind: Kind,
    /// What an offender may meet.
    pub(crate) may: &'static [Met],
    /// What at least one of them must meet; empty if any of the above will do.
    pub(crate) must: &'static [Met],
    /// Whether the server itself stands still meanwhile, so that others must feel it.
    pub(crate) stands_still: bool,
    /// Whether the short form plays it.
    pub(crate) short: bool,
    /// Plays it.
    pub(crate) run: fn(&Scene) -> anyhow::Result<Outcome>,
}

impl Attack {
    const fn new(
        name: &'static str,
        about: &'static str,
        may: &'static [Met],
        run: fn(&Scene) -> anyhow::Result<Outcome>,
    ) -> Attack {
        Attack { name, about, kind: Kind::Plain, may, must: &[], stands_still: false, short: false, run }
    }

    const fn on(self, kind: Kind) -> Attack {
        Attack { kind, ..self }
    }

    const fn must(self, must: &'static [Met]) -> Attack {
        Attack { must, ..self }
    }

    const fn short(self) -> Attack {
        Attack { short: true, ..self }
    }

    /// What is wrong with how it went for the offenders, if anything is.
    pub(crate) fn fault(&self, outcome: &Outcome) -> Option<String> {
        let list = |met: &[Met]| met.iter().map(Met::to_string).collect::<Vec<_>>().join(" or ");
        let wrong: Vec<Met> = outcome.met.keys().filter(|met| !self.may.contains(met)).copied().collect();
        if !wrong.is_empty() {
            return Some(format!("{} instead of {}", list(&wrong), list(self.may)));
        }
        let met = self.must.is_empty() || outcome.met.keys().any(|met| self.must.contains(met));
        (!met).then(|| format!("nobody met {}", list(self.must)))
    }
}

/// Every attack there is; those of a kind of server follow each other.
pub(crate) fn all() -> Vec<Attack> {
    let mut all: Vec<Attack> =
        [frames::attacks(), messages::attacks(), http::attacks(), crowd::attacks(), system::attacks()]
            .into_iter()
            .flatten()
            .collect();
    all.sort_by_key(|attack| attack.kind);
    all
}

/// How it went for the offenders of an attack.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many met what.
    pub(crate) met: BTreeMap<Met, usize>,
    /// What else is worth knowing.
    pub(crate) note: String,
}

impl Outcome {
    fn of(all: impl IntoIterator<Item = Met>) -> Outcome {
        let mut outcome = Outcome::default();
        all.into_iter().for_each(|met| *outcome.met.entry(met).or_default() += 1);
        outcome
    }

    fn noting(self, note: String) -> Outcome {
        Outcome { note, ..self }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: usize = self.met.values().sum();
        let parts =
            self.met.iter().map(|(met, count)| if all == 1 { met.to_string() } else { format!("{count} {met}") });
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// Plays `offender` so many times side by side.
fn side_by_side(count: usize, offender: impl Fn(usize) -> Met + Sync) -> Outcome {
    let offender = &offender;
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || offender(index))).collect();
        // One that panics is a fault of ours, and counts as something that nobody may meet.
        threads.into_iter().map(|thread| thread.join().unwrap_or(Met::Fooled)).collect::<Vec<_>>()
    });
    Outcome::of(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attack_has_a_name_of_its_own_and_something_to_meet() {
        let attacks = all();
        assert!(attacks.len() >= 45, "{}", attacks.len());
        for (at, attack) in attacks.iter().enumerate() {
            assert!(!attacks[at + 1..].iter().any(|other| other.name == attack.name), "{}", attack.name);
            assert!(
                !attack.may.is_empty() && attack.must.iter().all(|met| attack.may.contains(met)),
                "{}",
                attack.name
            );
        }
    }

    #[test]
    fn an_offender_that_meets_something_else_is_a_fault() {
        let attack = Attack::new("x", "", &[Met::Open, Met::Closed(4012)], |_| Ok(Outcome::default()));
        assert_eq!(attack.fault(&Outcome::of([Met::Open])), None);
        assert!(
            attack.fault(&Outcome::of([Met::Open, Met::Cut])).is_some_and(|fault| fault.starts_with("cut instead of"))
        );
        let attack = attack.must(&[Met::Closed(4012)]);
        assert_eq!(attack.fault(&Outcome::of([Met::Open])).as_deref(), Some("nobody met 4012"));
        assert_eq!(attack.fault(&Outcome::of([Met::Open, Met::Closed(4012)])), None);
    }
}
