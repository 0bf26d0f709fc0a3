//! What an attack is: its server, the reactions it may get, and its outcome.

use std::collections::BTreeMap;

use crate::attacker::Reaction;
use crate::testbed::{Testbed, TestbedKind};

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// What it does, in a connection.
    pub(crate) about: &'static str,
    pub(crate) kind: TestbedKind,
    /// Reactions of the server that count as good.
    pub(crate) allowed: &'static [Reaction],
    /// Reactions of which at least one attacker must get one; a subset of `allowed`, or empty if any allowed reaction is enough.
    pub(crate) required: &'static [Reaction],
    /// Whether the attack suspends the server process, so that the other players are necessarily affected.
    pub(crate) suspends_server: bool,
    /// Whether `--short` includes it.
    pub(crate) short: bool,
    pub(crate) run: fn(&Testbed) -> anyhow::Result<Outcome>,
}

impl Attack {
    pub(crate) const fn new(
        name: &'static str,
        about: &'static str,
        allowed: &'static [Reaction],
        run: fn(&Testbed) -> anyhow::Result<Outcome>,
    ) -> Attack {
        Attack {
            name,
            about,
            kind: TestbedKind::Plain,
            allowed,
            required: &[],
            suspends_server: false,
            short: false,
            run,
        }
    }

    pub(crate) const fn on(self, kind: TestbedKind) -> Attack {
        Attack { kind, ..self }
    }

    pub(crate) const fn required(self, required: &'static [Reaction]) -> Attack {
        Attack { required, ..self }
    }

    pub(crate) const fn short(self) -> Attack {
        Attack { short: true, ..self }
    }

    /// Why the reactions are not good, if they are not.
    pub(crate) fn fault(&self, outcome: &Outcome) -> Option<String> {
        let list = |reactions: &[Reaction]| reactions.iter().map(Reaction::to_string).collect::<Vec<_>>().join(" or ");
        let wrong: Vec<Reaction> =
            outcome.reactions.keys().filter(|reaction| !self.allowed.contains(reaction)).copied().collect();
        if !wrong.is_empty() {
            return Some(format!("{} instead of {}", list(&wrong), list(self.allowed)));
        }
        let satisfied =
            self.required.is_empty() || outcome.reactions.keys().any(|reaction| self.required.contains(reaction));
        (!satisfied).then(|| format!("no attacker got {}", list(self.required)))
    }
}

/// The reactions that the attackers of an attack got.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many attackers got each reaction.
    pub(crate) reactions: BTreeMap<Reaction, usize>,
    /// Further results for the table, such as bytes or seconds.
    pub(crate) note: String,
}

impl Outcome {
    pub(crate) fn of(all: impl IntoIterator<Item = Reaction>) -> Outcome {
        let mut outcome = Outcome::default();
        all.into_iter().for_each(|reaction| *outcome.reactions.entry(reaction).or_default() += 1);
        outcome
    }

    pub(crate) fn noting(self, note: String) -> Outcome {
        Outcome { note, ..self }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: usize = self.reactions.values().sum();
        let parts = self
            .reactions
            .iter()
            .map(|(reaction, count)| if all == 1 { reaction.to_string() } else { format!("{count} {reaction}") });
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// Runs `attacker` `count` times in parallel; its argument is the index, from 0.
pub(crate) fn in_parallel(count: usize, attacker: impl Fn(usize) -> Reaction + Sync) -> Outcome {
    let attacker = &attacker;
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || attacker(index))).collect();
        // A panic is a fault of this program; no attack allows the reaction it is counted as.
        threads.into_iter().map(|thread| thread.join().unwrap_or(Reaction::Breached)).collect::<Vec<_>>()
    });
    Outcome::of(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reaction_that_is_not_allowed_is_a_fault() {
        let attack = Attack::new("x", "", &[Reaction::Open, Reaction::Closed(4012)], |_| Ok(Outcome::default()));
        assert_eq!(attack.fault(&Outcome::of([Reaction::Open])), None);
        assert!(
            attack
                .fault(&Outcome::of([Reaction::Open, Reaction::Cut]))
                .is_some_and(|fault| fault.starts_with("cut instead of"))
        );
        let attack = attack.required(&[Reaction::Closed(4012)]);
        assert_eq!(attack.fault(&Outcome::of([Reaction::Open])).as_deref(), Some("no attacker got 4012"));
        assert_eq!(attack.fault(&Outcome::of([Reaction::Open, Reaction::Closed(4012)])), None);
    }
}
