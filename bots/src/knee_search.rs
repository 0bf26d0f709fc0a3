//! The search for the knee: the number of players rises level by level until an assertion breaks.

use std::str::FromStr;

use crate::assertion::Assertions;
use crate::load::plan::LoadPlan;
use crate::load::run::Run;
use crate::report::{Histograms, Judgement, Knee, KneeLevel, Report};

/// The assertions in force without `--assert`. Those about metrics that the server does not export are left out.
const DEFAULT: &str = "age_p99<120ms,share_min>0.9,share>0.99,dropped<=0,refused<=0,missed_share<=0.1%,governor_level<=0,lateness_p99<10ms";

/// The levels of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KneeRange {
    /// Players of the first level.
    pub(crate) start: usize,
    /// Players of the last level.
    pub end: usize,
    /// Growth from one level to the next.
    pub(crate) factor: f64,
}

impl KneeRange {
    /// The number of players of every level, ascending; the last one is `end`.
    #[must_use]
    pub fn levels(&self) -> Vec<usize> {
        let mut levels = vec![self.start];
        let mut level = self.start;
        while level < self.end {
            level = ((level as f64 * self.factor) as usize).max(level + 1).min(self.end);
            levels.push(level);
        }
        levels
    }
}

impl FromStr for KneeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: String| format!("{what}; levels look like 100..3000, or 100..3000x1.5 for steps of 50 %");
        let (range, factor) = match text.split_once('x') {
            Some((range, factor)) => (range, factor.parse().map_err(|_| wrong(format!("{factor:?} is not a number")))?),
            None => (text, 1.25),
        };
        let (start, end) = range.split_once("..").ok_or_else(|| wrong(format!("{range:?} has no ..")))?;
        let players = |text: &str| match text.trim().parse::<usize>() {
            Ok(players) if (1..=10_000).contains(&players) => Ok(players),
            Ok(_) | Err(_) => Err(wrong(format!("{:?} must be 1 to 10000 players", text.trim()))),
        };
        let (start, end) = (players(start)?, players(end)?);
        if start > end {
            return Err(wrong(format!("{start} is more than {end}")));
        }
        if !(1.01..=10.0).contains(&factor) {
            return Err(wrong(format!("factor {factor} must be 1.01 to 10")));
        }
        Ok(KneeRange { start, end, factor })
    }
}

/// Raises the number of players level by level until an assertion breaks. Gives the report of the last level that held, or of the first
/// level if none did; the report includes the search.
///
/// # Panics
/// Never: a range has a first level, and the default assertions parse.
pub fn search(
    run: &mut Run,
    range: KneeRange,
    plan: &LoadPlan,
    assertions: Option<&Assertions>,
) -> (Report, Histograms) {
    let default: Assertions = DEFAULT.parse().expect("the default assertions parse");
    let mut knee = Knee { players: None, assertion: assertions.unwrap_or(&default).text(), levels: Vec::new() };
    let mut best: Option<(Report, Histograms)> = None;
    for players in range.levels() {
        run.ramp(players);
        let measured = run.measure(plan.steady);
        let (reached, histograms) = (Report::new(plan, &measured), Histograms::new(&measured));
        if measured.interrupted {
            // The last level that held was measured completely, but the search was cut short.
            best.get_or_insert((reached, histograms)).0.interrupted = true;
            break;
        }
        let applicable = assertions.cloned().unwrap_or_else(|| default.available_in(&reached));
        let mut failed: Vec<Judgement> =
            applicable.judge(&reached).into_iter().filter(|judgement| !judgement.held).collect();
        if !reached.all_played() {
            failed.push(Judgement {
                assertion: "all players are playing".to_owned(),
                held: false,
                value: reached.missing(),
            });
        }
        let held = failed.is_empty();
        knee.levels.push(level(players, &reached, failed));
        if held {
            knee.players = Some(players);
            best = Some((reached, histograms));
        } else {
            best.get_or_insert((reached, histograms));
            break;
        }
    }
    let (mut report, histograms) = best.expect("a range has a first level");
    report.knee = Some(knee);
    (report, histograms)
}

fn level(players: usize, report: &Report, failed: Vec<Judgement>) -> KneeLevel {
    KneeLevel {
        players,
        held: failed.is_empty(),
        failed,
        age_ms_p99: report.snapshot_age_ms.p99,
        gap_ms_p99: report.snapshot_gap_ms.p99,
        share_min: report.share_received.min,
        cpu_us_per_client_snapshot: report.server.cpu_us_per_client_snapshot,
        server_cores: report.server.cpu_cores,
        tick_ms_p99: report.server.tick_ms.p99,
        kbit_per_s: report.kbit_per_s.payload_down,
        load_cores: report.load.cpu_cores,
        load_overloaded: report.load.overloaded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_to_the_last_and_wrong_ranges_are_refused() {
        let range: KneeRange = "100..300".parse().expect("levels");
        assert_eq!(range.levels(), [100, 125, 156, 195, 243, 300]);
        assert_eq!("10..10x2".parse::<KneeRange>().expect("levels").levels(), [10]);
        for (bad, says) in [
            ("100", "has no .."),
            ("0..10", "1 to 10000"),
            ("20..10", "20 is more than 10"),
            ("1..9x1", "1.01 to 10"),
            ("1..9xa", "not a number"),
        ] {
            let refusal = bad.parse::<KneeRange>().expect_err(bad);
            assert!(refusal.contains(says), "{bad}: {refusal}");
        }
        DEFAULT.parse::<Assertions>().expect("the default assertions parse");
    }
}
