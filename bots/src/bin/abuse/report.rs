//! The table of results, one row per attack: for a terminal and as JSON.

use std::fmt::{Display, Formatter};

use serde::Serialize;

use crate::attack::{Attack, Outcome};
use crate::probes::ProbeStats;
use crate::testbed::ProcessUsage;

/// Limits above which a verdict is bad.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VerdictLimits {
    /// Gap between snapshots of the other players, 99th percentile, in milliseconds. The longest gap may be four times as long.
    pub(crate) gap_ms: f64,
    /// Growth of the server's memory, in MiB.
    pub(crate) memory_mib: f64,
}

/// Descriptors that the server may have open in addition to those before the attack: new connections.
const DESCRIPTORS_SPARE: usize = 16;

/// Everything observed during and after an attack.
pub(crate) struct Observation<'a> {
    pub(crate) attack: &'a Attack,
    pub(crate) outcome: anyhow::Result<Outcome>,
    pub(crate) before: ProbeStats,
    pub(crate) during: ProbeStats,
    /// Why probe clients lost their connections.
    pub(crate) lost: Vec<String>,
    pub(crate) usage_before: Option<ProcessUsage>,
    /// Peak memory during the attack, and descriptors afterwards.
    pub(crate) usage: Option<ProcessUsage>,
    /// The reaction that a newcomer got afterwards, if it did not get in.
    pub(crate) newcomer: Option<String>,
    /// The server's exit status, if it ended.
    pub(crate) ended: Option<String>,
    pub(crate) seconds: f64,
}

/// A row of the table.
#[derive(Debug, Serialize)]
pub(crate) struct AttackRow {
    attack: &'static str,
    about: &'static str,
    /// The reactions that the attackers got.
    attacker: String,
    note: String,
    before: ProbeStats,
    during: ProbeStats,
    memory_mib_before: Option<f64>,
    memory_mib_most: Option<f64>,
    descriptors_before: Option<usize>,
    descriptors_after: Option<usize>,
    seconds: f64,
    /// Whether there are no faults.
    pub(crate) good: bool,
    faults: Vec<String>,
}

impl AttackRow {
    /// Judges an observation.
    pub(crate) fn new(observation: Observation<'_>, limits: VerdictLimits) -> AttackRow {
        let mut faults = Vec::new();
        faults.extend(observation.ended.as_ref().map(|how| format!("the server ended: {how}")));
        let outcome = match observation.outcome {
            Ok(outcome) => {
                faults.extend(observation.attack.fault(&outcome));
                outcome
            }
            Err(error) => {
                faults.push(format!("{error:#}"));
                Outcome::default()
            }
        };
        if !observation.attack.suspends_server {
            faults.extend(observation.lost.first().map(|why| {
                format!("{} other players lost their connections, the first: {why}", observation.lost.len())
            }));
            faults.extend(gap_fault(&observation.before, &observation.during, limits.gap_ms));
        }
        faults.extend(observation.newcomer.map(|why| format!("a newcomer got {why}")));
        if let (Some(before), Some(usage)) = (observation.usage_before, observation.usage) {
            let more = usage.memory_mib - before.memory_mib;
            if more > limits.memory_mib {
                faults.push(format!("{more:.0} MiB more memory"));
            }
            let more = usage.descriptors.saturating_sub(before.descriptors);
            if more > DESCRIPTORS_SPARE {
                faults.push(format!("{more} descriptors left open"));
            }
        }
        let rounded = |usage: Option<ProcessUsage>| usage.map(|usage| (usage.memory_mib * 10.0).round() / 10.0);
        AttackRow {
            attack: observation.attack.name,
            about: observation.attack.about,
            attacker: outcome.to_string(),
            note: outcome.note,
            before: observation.before,
            during: observation.during,
            memory_mib_before: rounded(observation.usage_before),
            memory_mib_most: rounded(observation.usage),
            descriptors_before: observation.usage_before.map(|usage| usage.descriptors),
            descriptors_after: observation.usage.map(|usage| usage.descriptors),
            seconds: (observation.seconds * 10.0).round() / 10.0,
            good: faults.is_empty(),
            faults,
        }
    }
}

/// The fault if the other players' gaps exceed both the limit and twice their value before the attack.
fn gap_fault(before: &ProbeStats, during: &ProbeStats, limit_ms: f64) -> Option<String> {
    let too_long = |was: f64, is: f64, limit: f64| is > limit && is > was * 2.0;
    if too_long(before.gap_ms_p99, during.gap_ms_p99, limit_ms) {
        return Some(format!("others' gap p99 {:.0} ms", during.gap_ms_p99));
    }
    let starved = too_long(before.gap_ms_max, during.gap_ms_max, limit_ms * 4.0);
    starved.then(|| format!("a player had no snapshot for {:.0} ms", during.gap_ms_max))
}

/// The header of the table, in Markdown, so that it can be pasted into a document.
pub(crate) const HEAD: &str = "| attack | reaction to the attacker | others' gap p99 before, during (longest) | age p99 before, during | memory MiB | descriptors | verdict |\n\
                               |---|---|---|---|---|---|---|";

impl Display for AttackRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let note = if self.note.is_empty() { String::new() } else { format!("; {}", self.note) };
        write!(f, "| {}: {} | {}{note} |", self.attack, self.about, self.attacker)?;
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
    fn a_gap_is_a_fault_above_the_limit_unless_it_was_there_before() {
        let stats = |gap_ms_p99: f64, gap_ms_max: f64| ProbeStats { gap_ms_p99, gap_ms_max, age_ms_p99: 0.0 };
        assert_eq!(gap_fault(&stats(60.0, 80.0), &stats(400.0, 1900.0), 500.0), None);
        assert!(
            gap_fault(&stats(60.0, 80.0), &stats(600.0, 700.0), 500.0).is_some_and(|fault| fault.contains("p99 600"))
        );
        assert!(gap_fault(&stats(60.0, 80.0), &stats(90.0, 2100.0), 500.0).is_some_and(|fault| fault.contains("2100")));
        assert_eq!(gap_fault(&stats(400.0, 800.0), &stats(600.0, 1500.0), 500.0), None, "it was slow before");
    }
}
