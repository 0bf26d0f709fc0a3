//! A row for each attack: for a terminal, and as JSON.

use std::fmt::{Display, Formatter};

use serde::Serialize;

use crate::attacks::{Attack, Outcome};
use crate::scene::Held;
use crate::witness::Felt;

/// What must not be exceeded, for the verdict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Gap between snapshots of the others, 99th percentile, in milliseconds; somebody may have nothing for four times as long.
    pub(crate) gap_ms: f64,
    /// Memory that the server takes more than before, in MiB.
    pub(crate) memory_mib: f64,
}

/// Descriptors that the server may have open more than before: who came meanwhile.
const DESCRIPTORS_SPARE: usize = 16;

/// Everything that was seen of an attack.
pub(crate) struct Seen<'a> {
    pub(crate) attack: &'a Attack,
    pub(crate) outcome: anyhow::Result<Outcome>,
    pub(crate) before: Felt,
    pub(crate) during: Felt,
    /// Why witnesses were closed meanwhile.
    pub(crate) lost: Vec<String>,
    pub(crate) held_before: Option<Held>,
    /// The most memory meanwhile, and the descriptors afterwards.
    pub(crate) held: Option<Held>,
    /// Why a newcomer did not get in afterwards.
    pub(crate) newcomer: Option<String>,
    /// How the server ended, if it did.
    pub(crate) ended: Option<String>,
    pub(crate) seconds: f64,
}

/// A row of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    attack: &'static str,
    about: &'static str,
    /// What the offenders met.
    offender: String,
    note: String,
    before: Felt,
    during: Felt,
    memory_mib_before: Option<f64>,
    memory_mib_most: Option<f64>,
    descriptors_before: Option<usize>,
    descriptors_after: Option<usize>,
    seconds: f64,
    /// Whether nothing is wrong.
    pub(crate) good: bool,
    /// What is.
    faults: Vec<String>,
}

impl Row {
    /// Judges what was seen.
    pub(crate) fn new(seen: Seen<'_>, limits: Limits) -> Row {
        let mut faults = Vec::new();
        faults.extend(seen.ended.as_ref().map(|how| format!("the server ended: {how}")));
        let outcome = match seen.outcome {
            Ok(outcome) => {
                faults.extend(seen.attack.fault(&outcome));
                outcome
            }
            Err(error) => {
                faults.push(format!("{error:#}"));
                Outcome::default()
            }
        };
        if !seen.attack.stands_still {
            faults.extend(seen.lost.first().map(|why| format!("{} others closed, the first: {why}", seen.lost.len())));
            faults.extend(slower(&seen.before, &seen.during, limits.gap_ms));
        }
        faults.extend(seen.newcomer.map(|why| format!("a newcomer met {why}")));
        if let (Some(before), Some(held)) = (seen.held_before, seen.held) {
            let more = held.memory_mib - before.memory_mib;
            if more > limits.memory_mib {
                faults.push(format!("{more:.0} MiB more memory"));
            }
            let more = held.descriptors.saturating_sub(before.descriptors);
            if more > DESCRIPTORS_SPARE {
                faults.push(format!("{more} descriptors left open"));
            }
        }
        let rounded = |held: Option<Held>| held.map(|held| (held.memory_mib * 10.0).round() / 10.0);
        Row {
            attack: seen.attack.name,
            about: seen.attack.about,
            offender: outcome.to_string(),
            note: outcome.note,
            before: seen.before,
            during: seen.during,
            memory_mib_before: rounded(seen.held_before),
            memory_mib_most: rounded(seen.held),
            descriptors_before: seen.held_before.map(|held| held.descriptors),
            descriptors_after: seen.held.map(|held| held.descriptors),
            seconds: (seen.seconds * 10.0).round() / 10.0,
            good: faults.is_empty(),
            faults,
        }
    }
}

/// What the others feel of an attack, if that is too much: more than the limit, and more than they felt before.
fn slower(before: &Felt, during: &Felt, limit_ms: f64) -> Option<String> {
    let too_long = |was: f64, is: f64, limit: f64| is > limit && is > was * 2.0;
    if too_long(before.gap_ms_p99, during.gap_ms_p99, limit_ms) {
        return Some(format!("others' gap p99 {:.0} ms", during.gap_ms_p99));
    }
    let starved = too_long(before.gap_ms_max, during.gap_ms_max, limit_ms * 4.0);
    starved.then(|| format!("somebody had nothing for {:.0} ms", during.gap_ms_max))
}

/// The head of the table. It is Markdown, so that it can be put into a document as it is.
pub(crate) const HEAD: &str = "| attack | offender closed with | others' gap p99 before, during (longest) | age p99 before, during | memory MiB | descriptors | verdict |\n\
                               |---|---|---|---|---|---|---|";

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let note = if self.note.is_empty() { String::new() } else { format!("; {}", self.note) };
        write!(f, "| {}: {} | {}{note} |", self.attack, self.about, self.offender)?;
        let (before, during) = (&self.before, &self.during);
        write!(f, " {:.0}, {:.0} ({:.0}) ms |", before.gap_ms_p99, during.gap_ms_p99, during.gap_ms_max)?;
        write!(f, " {:.0}, {:.0} ms |", before.age_ms_p99, during.age_ms_p99)?;
        match (self.memory_mib_before, self.memory_mib_most) {
            (Some(before), Some(most)) => write!(f, " {before:.0}, most {most:.0} |")?,
            (Some(_) | None, _) => f.write_str(" - |")?,
        }
        match (self.descriptors_before, self.descriptors_after) {
            (Some(before), Some(after)) => write!(f, " {before}, {after} |")?,
            (Some(_) | None, _) => f.write_str(" - |")?,
        }
        if self.good { f.write_str(" good |") } else { write!(f, " **BAD**: {} |", self.faults.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_may_feel_no_more_than_the_limit_unless_they_felt_it_before() {
        let felt = |gap_ms_p99: f64, gap_ms_max: f64| Felt { gap_ms_p99, gap_ms_max, age_ms_p99: 0.0 };
        assert_eq!(slower(&felt(60.0, 80.0), &felt(400.0, 1900.0), 500.0), None);
        assert!(slower(&felt(60.0, 80.0), &felt(600.0, 700.0), 500.0).is_some_and(|fault| fault.contains("p99 600")));
        assert!(slower(&felt(60.0, 80.0), &felt(90.0, 2100.0), 500.0).is_some_and(|fault| fault.contains("2100")));
        assert_eq!(slower(&felt(400.0, 800.0), &felt(600.0, 1500.0), 500.0), None, "it was slow before");
    }
}
