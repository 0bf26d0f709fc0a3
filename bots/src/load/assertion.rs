//! What a run must hold: `age_p99<120ms,share>0.99`.

use std::str::FromStr;

use crate::report::Report;

/// What a name is measured in, and so which units may follow its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Time, in milliseconds.
    Ms,
    /// Time, in microseconds.
    Us,
    /// A share, 0 to 1.
    Share,
    /// Thousands of bits per second.
    Kbit,
    /// A number of things, or a distance in world units.
    Plain,
}

impl Measure {
    /// The units that may be written, and what each is in the measure.
    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Measure::Ms => &[("ms", 1.0), ("us", 0.001), ("s", 1000.0), ("", 1.0)],
            Measure::Us => &[("us", 1.0), ("ms", 1000.0), ("s", 1e6), ("", 1.0)],
            Measure::Share => &[("", 1.0), ("%", 0.01)],
            Measure::Kbit => &[("kbit/s", 1.0), ("Mbit/s", 1000.0), ("", 1.0)],
            Measure::Plain => &[("", 1.0)],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Measure::Ms => "ms, us or s",
            Measure::Us => "us, ms or s",
            Measure::Share => "% or none",
            Measure::Kbit => "kbit/s, Mbit/s or none",
            Measure::Plain => "none",
        }
    }

    fn show(self, value: f64) -> String {
        let shown = format!("{value:.3}");
        let shown = if shown.contains('.') { shown.trim_end_matches('0').trim_end_matches('.') } else { &shown };
        match self {
            Measure::Ms => format!("{shown} ms"),
            Measure::Us => format!("{shown} us"),
            Measure::Kbit => format!("{shown} kbit/s"),
            Measure::Share | Measure::Plain => shown.to_owned(),
        }
    }
}

/// A figure that can be asserted. A value of `None` was not measured.
struct Figure {
    name: &'static str,
    measure: Measure,
    of: fn(&Report) -> Option<f64>,
    /// Whether it is the server that tells it, and one of them may not.
    told: bool,
}

const fn figure(name: &'static str, measure: Measure, of: fn(&Report) -> Option<f64>) -> Figure {
    Figure { name, measure, of, told: false }
}

const fn told(name: &'static str, measure: Measure, of: fn(&Report) -> Option<f64>) -> Figure {
    Figure { name, measure, of, told: true }
}

/// Every figure that can be asserted.
const FIGURES: [Figure; 47] = [
    figure("age_p50", Measure::Ms, |r| r.snapshot_age_ms.p50),
    figure("age_p95", Measure::Ms, |r| r.snapshot_age_ms.p95),
    figure("age_p99", Measure::Ms, |r| r.snapshot_age_ms.p99),
    figure("age_max", Measure::Ms, |r| r.snapshot_age_ms.max),
    figure("age_worst", Measure::Ms, |r| r.worst.as_ref()?.age_ms_p99),
    figure("gap_p50", Measure::Ms, |r| r.snapshot_gap_ms.p50),
    figure("gap_p95", Measure::Ms, |r| r.snapshot_gap_ms.p95),
    figure("gap_p99", Measure::Ms, |r| r.snapshot_gap_ms.p99),
    figure("gap_max", Measure::Ms, |r| r.snapshot_gap_ms.max),
    figure("share", Measure::Share, |r| r.share_received.p50),
    figure("share_min", Measure::Share, |r| r.share_received.min),
    figure("share_all", Measure::Share, |r| r.share_received.all),
    figure("effect_p50", Measure::Ms, |r| r.input_to_effect_ms.p50),
    figure("effect_p95", Measure::Ms, |r| r.input_to_effect_ms.p95),
    figure("effect_p99", Measure::Ms, |r| r.input_to_effect_ms.p99),
    figure("effect_max", Measure::Ms, |r| r.input_to_effect_ms.max),
    figure("error_p50", Measure::Plain, |r| r.prediction_error.p50),
    figure("error_p99", Measure::Plain, |r| r.prediction_error.p99),
    figure("error_max", Measure::Plain, |r| r.prediction_error.max),
    figure("corrections", Measure::Plain, |r| r.corrections_per_min),
    figure("corrections_unknown", Measure::Plain, |r| r.corrections_by_cause.unknown),
    figure("join_p50", Measure::Ms, |r| r.join_ms.p50),
    figure("join_p99", Measure::Ms, |r| r.join_ms.p99),
    figure("join_max", Measure::Ms, |r| r.join_ms.max),
    figure("rtt_p50", Measure::Ms, |r| r.rtt_ms.p50),
    figure("joined", Measure::Plain, |r| Some(r.joined as f64)),
    figure("playing", Measure::Plain, |r| Some(r.playing as f64)),
    figure("refused", Measure::Plain, |r| Some(r.refused as f64)),
    figure("dropped", Measure::Plain, |r| Some(r.dropped as f64)),
    figure("kbit_s", Measure::Kbit, |r| r.kbit_per_s.payload_down),
    figure("kbit_s_max", Measure::Kbit, |r| r.kbit_per_s.down_max),
    figure("kbit_s_up", Measure::Kbit, |r| r.kbit_per_s.up),
    figure("bits_per_record", Measure::Plain, |r| r.bits_per_record.mean),
    told("cpu_us", Measure::Us, |r| r.server.cpu_us_per_client_snapshot),
    told("cpu_cores", Measure::Plain, |r| r.server.cpu_cores),
    told("rss_mb", Measure::Plain, |r| r.server.rss_mb),
    told("tick_p50", Measure::Ms, |r| r.server.tick_ms.p50),
    told("tick_p99", Measure::Ms, |r| r.server.tick_ms.p99),
    told("tick_lateness_p99", Measure::Ms, |r| r.server.lateness_ms.p99),
    told("missed_ticks", Measure::Plain, |r| r.server.missed_ticks),
    told("missed_share", Measure::Share, |r| r.server.missed_share),
    told("overruns", Measure::Plain, |r| r.server.overruns),
    told("skips", Measure::Plain, |r| r.server.skips),
    told("budget_steps", Measure::Plain, |r| r.server.budget_steps),
    told("governor_level", Measure::Plain, |r| r.server.governor_level),
    figure("lateness_p99", Measure::Ms, |r| r.load.lateness_ms.p99),
    figure("load_cores", Measure::Plain, |r| r.load.cpu_cores),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Operator {
    const ALL: [(&'static str, Operator); 4] =
        [("<=", Operator::AtMost), (">=", Operator::AtLeast), ("<", Operator::Below), (">", Operator::Above)];

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Operator::Below => value < limit,
            Operator::AtMost => value <= limit,
            Operator::Above => value > limit,
            Operator::AtLeast => value >= limit,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Claim {
    /// Index into [`FIGURES`].
    figure: usize,
    operator: Operator,
    limit: f64,
}

/// What a run must hold, all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    claims: Vec<(String, Claim)>,
}

/// One claim and how it went.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Judgement {
    /// As it was written.
    pub claim: String,
    /// Whether it held.
    pub held: bool,
    /// The value there was, with its unit.
    pub value: String,
}

impl Assertion {
    /// Judges a run.
    #[must_use]
    pub fn judge(&self, report: &Report) -> Vec<Judgement> {
        let cut_short = report.cut_short();
        let judge = |(text, claim): &(String, Claim)| {
            let figure = &FIGURES[claim.figure];
            let value = (figure.of)(report);
            let shown = match (value, &cut_short, &report.server.unavailable) {
                (Some(value), None, _) => figure.measure.show(value),
                (Some(value), Some(why), _) => {
                    format!("not measured: {why}; {} until then", figure.measure.show(value))
                }
                (None, Some(why), _) => format!("not measured: {why}"),
                (None, None, Some(why)) if figure.told => format!("not measured: {why}"),
                (None, None, None) if figure.told => "not measured: the server does not tell".to_owned(),
                (None, None, _) => "not measured: nothing came".to_owned(),
            };
            // What was not measured does not hold.
            let held = cut_short.is_none() && value.is_some_and(|value| claim.operator.holds(value, claim.limit));
            Judgement { claim: text.clone(), held, value: shown }
        };
        self.claims.iter().map(judge).collect()
    }

    /// The names that can be asserted, for help and messages.
    #[must_use]
    pub fn names() -> String {
        FIGURES.map(|figure| figure.name).join(", ")
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> String {
        self.claims.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Without the claims about what this report's server does not tell, so that a default one suits every server.
    #[must_use]
    pub fn told_in(&self, report: &Report) -> Assertion {
        let has = |(_, claim): &&(String, Claim)| {
            let figure = &FIGURES[claim.figure];
            !figure.told || (figure.of)(report).is_some()
        };
        Assertion { claims: self.claims.iter().filter(has).cloned().collect() }
    }
}

impl FromStr for Assertion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let claims: Result<Vec<_>, String> =
            text.split(',').map(str::trim).map(|part| Ok((part.to_owned(), claim(part)?))).collect();
        Ok(Assertion { claims: claims? })
    }
}

fn claim(part: &str) -> Result<Claim, String> {
    let found = Operator::ALL.into_iter().find_map(|(sign, operator)| Some((part.split_once(sign)?, operator)));
    let Some(((name, value), operator)) = found else {
        return Err(format!("{part:?} has no <, <=, > or >=: an assertion looks like age_p99<120ms,share>0.99"));
    };
    let (name, value) = (name.trim(), value.trim());
    let figure = FIGURES
        .iter()
        .position(|figure| figure.name == name)
        .ok_or_else(|| format!("no figure is called {name:?}: must be one of {}", Assertion::names()))?;
    let measure = FIGURES[figure].measure;
    let digits = value.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let number: f64 = number.parse().map_err(|_| format!("{value:?} behind {name} is no number with a unit"))?;
    let scale = measure
        .units()
        .iter()
        .find(|(known, _)| *known == unit.trim())
        .map(|(_, scale)| *scale)
        .ok_or_else(|| format!("unit {:?} of {name} must be {}", unit.trim(), measure.name()))?;
    Ok(Claim { figure, operator, limit: number * scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_read_with_its_units() {
        let read = |text: &str| {
            let assertion: Assertion = text.parse().expect(text);
            let claims: Vec<_> = assertion
                .claims
                .iter()
                .map(|(_, claim)| (FIGURES[claim.figure].name, claim.operator, claim.limit))
                .collect();
            claims
        };
        assert_eq!(
            read("age_p99<120ms, share>=99%"),
            [("age_p99", Operator::Below, 120.0), ("share", Operator::AtLeast, 0.99)]
        );
        assert_eq!(read("join_p99<=2s"), [("join_p99", Operator::AtMost, 2000.0)]);
        assert_eq!(read("gap_p99 < 66 ms"), [("gap_p99", Operator::Below, 66.0)]);
        assert_eq!(read("cpu_us<13"), [("cpu_us", Operator::Below, 13.0)]);
        assert_eq!(read("kbit_s<0.045Mbit/s"), [("kbit_s", Operator::Below, 45.0)]);
        assert_eq!(read("dropped<=0"), [("dropped", Operator::AtMost, 0.0)]);
    }

    #[test]
    fn a_wrong_assertion_is_refused_with_what_is_wrong_and_what_there_is() {
        for (bad, says) in [
            ("age_p98<1ms", "\"age_p98\": must be one of age_p50, age_p95"),
            ("age_p99=120ms", "has no <, <=, > or >="),
            ("age_p99<fast", "\"fast\" behind age_p99 is no number"),
            ("age_p99<120kbit/s", "unit \"kbit/s\" of age_p99 must be ms, us or s"),
            ("share>99ms", "must be % or none"),
            ("", "has no <"),
            ("share>0.9,", "\"\" has no <"),
        ] {
            let refusal = bad.parse::<Assertion>().expect_err(bad);
            assert!(refusal.contains(says), "{bad}: {refusal}");
        }
    }

    #[test]
    fn every_name_is_there_once() {
        for (at, figure) in FIGURES.iter().enumerate() {
            assert!(!FIGURES[at + 1..].iter().any(|other| other.name == figure.name), "{}", figure.name);
        }
    }
}
