//! Assertions about a run: `age_p99<120ms,share>0.99`.

use std::str::FromStr;

use crate::report::{Judgement, Report};

/// The dimension of a metric, which decides the units that may follow a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Time, in milliseconds.
    Ms,
    /// Time, in microseconds.
    Us,
    /// A share, 0 to 1.
    Share,
    /// Data rate, in kbit/s.
    Kbit,
    /// A count, or a distance in world units.
    Plain,
}

impl Measure {
    /// The accepted units with their factors.
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

/// A metric that an assertion can name. A value of `None` was not measured.
struct Metric {
    name: &'static str,
    measure: Measure,
    of: fn(&Report) -> Option<f64>,
    /// Whether the value comes from the server's own metrics, which may lack it.
    from_server: bool,
}

const fn metric(name: &'static str, measure: Measure, of: fn(&Report) -> Option<f64>) -> Metric {
    Metric { name, measure, of, from_server: false }
}

const fn server_metric(name: &'static str, measure: Measure, of: fn(&Report) -> Option<f64>) -> Metric {
    Metric { name, measure, of, from_server: true }
}

const METRICS: [Metric; 47] = [
    metric("age_p50", Measure::Ms, |r| r.snapshot_age_ms.p50),
    metric("age_p95", Measure::Ms, |r| r.snapshot_age_ms.p95),
    metric("age_p99", Measure::Ms, |r| r.snapshot_age_ms.p99),
    metric("age_max", Measure::Ms, |r| r.snapshot_age_ms.max),
    metric("age_worst", Measure::Ms, |r| r.worst.as_ref()?.age_ms_p99),
    metric("gap_p50", Measure::Ms, |r| r.snapshot_gap_ms.p50),
    metric("gap_p95", Measure::Ms, |r| r.snapshot_gap_ms.p95),
    metric("gap_p99", Measure::Ms, |r| r.snapshot_gap_ms.p99),
    metric("gap_max", Measure::Ms, |r| r.snapshot_gap_ms.max),
    metric("share", Measure::Share, |r| r.share_received.p50),
    metric("share_min", Measure::Share, |r| r.share_received.min),
    metric("share_all", Measure::Share, |r| r.share_received.all),
    metric("effect_p50", Measure::Ms, |r| r.input_to_effect_ms.p50),
    metric("effect_p95", Measure::Ms, |r| r.input_to_effect_ms.p95),
    metric("effect_p99", Measure::Ms, |r| r.input_to_effect_ms.p99),
    metric("effect_max", Measure::Ms, |r| r.input_to_effect_ms.max),
    metric("error_p50", Measure::Plain, |r| r.prediction_error.p50),
    metric("error_p99", Measure::Plain, |r| r.prediction_error.p99),
    metric("error_max", Measure::Plain, |r| r.prediction_error.max),
    metric("corrections", Measure::Plain, |r| r.corrections_per_min),
    metric("corrections_unknown", Measure::Plain, |r| *r.corrections_by_cause.get("unknown")?),
    metric("join_p50", Measure::Ms, |r| r.join_ms.p50),
    metric("join_p99", Measure::Ms, |r| r.join_ms.p99),
    metric("join_max", Measure::Ms, |r| r.join_ms.max),
    metric("rtt_p50", Measure::Ms, |r| r.rtt_ms.p50),
    metric("joined", Measure::Plain, |r| Some(r.joined as f64)),
    metric("playing", Measure::Plain, |r| Some(r.playing as f64)),
    metric("refused", Measure::Plain, |r| Some(r.refused as f64)),
    metric("dropped", Measure::Plain, |r| Some(r.dropped as f64)),
    metric("kbit_s", Measure::Kbit, |r| r.kbit_per_s.payload_down),
    metric("kbit_s_max", Measure::Kbit, |r| r.kbit_per_s.down_max),
    metric("kbit_s_up", Measure::Kbit, |r| r.kbit_per_s.up),
    metric("bits_per_record", Measure::Plain, |r| r.bits_per_record.mean),
    server_metric("cpu_us", Measure::Us, |r| r.server.cpu_us_per_client_snapshot),
    server_metric("cpu_cores", Measure::Plain, |r| r.server.cpu_cores),
    server_metric("rss_mb", Measure::Plain, |r| r.server.rss_mb),
    server_metric("tick_p50", Measure::Ms, |r| r.server.tick_ms.p50),
    server_metric("tick_p99", Measure::Ms, |r| r.server.tick_ms.p99),
    server_metric("tick_lateness_p99", Measure::Ms, |r| r.server.lateness_ms.p99),
    server_metric("missed_ticks", Measure::Plain, |r| r.server.missed_ticks),
    server_metric("missed_share", Measure::Share, |r| r.server.missed_share),
    server_metric("overruns", Measure::Plain, |r| r.server.overruns),
    server_metric("skips", Measure::Plain, |r| r.server.skips),
    server_metric("budget_steps", Measure::Plain, |r| r.server.budget_steps),
    server_metric("governor_level", Measure::Plain, |r| r.server.governor_level),
    metric("lateness_p99", Measure::Ms, |r| r.load.lateness_ms.p99),
    metric("load_cores", Measure::Plain, |r| r.load.cpu_cores),
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
struct Assertion {
    /// Index into [`METRICS`].
    metric: usize,
    operator: Operator,
    limit: f64,
}

/// Assertions that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertions {
    assertions: Vec<(String, Assertion)>,
}

impl Assertions {
    /// Judges every assertion.
    #[must_use]
    pub fn judge(&self, report: &Report) -> Vec<Judgement> {
        let cut_short = report.cut_short();
        let judge = |(text, assertion): &(String, Assertion)| {
            let metric = &METRICS[assertion.metric];
            let value = (metric.of)(report);
            let shown = match (value, &cut_short, &report.server.unavailable) {
                (Some(value), None, _) => metric.measure.show(value),
                (Some(value), Some(why), _) => {
                    format!("not measured: {why}; {} until then", metric.measure.show(value))
                }
                (None, Some(why), _) => format!("not measured: {why}"),
                (None, None, Some(why)) if metric.from_server => format!("not measured: {why}"),
                (None, None, None) if metric.from_server => "not measured: the server does not export it".to_owned(),
                (None, None, _) => "not measured: no data arrived".to_owned(),
            };
            // An assertion about something that was not measured does not hold.
            let held =
                cut_short.is_none() && value.is_some_and(|value| assertion.operator.holds(value, assertion.limit));
            Judgement { assertion: text.clone(), held, value: shown }
        };
        self.assertions.iter().map(judge).collect()
    }

    /// The names of all metrics, for help and messages.
    #[must_use]
    pub(crate) fn names() -> String {
        METRICS.map(|metric| metric.name).join(", ")
    }

    /// The assertions as they were written.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        self.assertions.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Without assertions about server metrics that this report lacks, so that the default ones fit every server.
    #[must_use]
    pub(crate) fn available_in(&self, report: &Report) -> Assertions {
        let has = |(_, assertion): &&(String, Assertion)| {
            let metric = &METRICS[assertion.metric];
            !metric.from_server || (metric.of)(report).is_some()
        };
        Assertions { assertions: self.assertions.iter().filter(has).cloned().collect() }
    }
}

impl FromStr for Assertions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let assertions: Result<Vec<_>, String> =
            text.split(',').map(str::trim).map(|part| Ok((part.to_owned(), assertion(part)?))).collect();
        Ok(Assertions { assertions: assertions? })
    }
}

fn assertion(part: &str) -> Result<Assertion, String> {
    let found = Operator::ALL.into_iter().find_map(|(sign, operator)| Some((part.split_once(sign)?, operator)));
    let Some(((name, value), operator)) = found else {
        return Err(format!("{part:?} has no <, <=, > or >=: an assertion looks like age_p99<120ms,share>0.99"));
    };
    let (name, value) = (name.trim(), value.trim());
    let metric = METRICS
        .iter()
        .position(|metric| metric.name == name)
        .ok_or_else(|| format!("no metric is called {name:?}: must be one of {}", Assertions::names()))?;
    let measure = METRICS[metric].measure;
    let digits = value.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let number: f64 = number.parse().map_err(|_| format!("{value:?} after {name} is not a number with a unit"))?;
    let scale = measure
        .units()
        .iter()
        .find(|(known, _)| *known == unit.trim())
        .map(|(_, scale)| *scale)
        .ok_or_else(|| format!("unit {:?} of {name} must be {}", unit.trim(), measure.name()))?;
    Ok(Assertion { metric, operator, limit: number * scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_parsed_with_its_units() {
        let read = |text: &str| {
            let parsed: Assertions = text.parse().expect(text);
            let assertions: Vec<_> = parsed
                .assertions
                .iter()
                .map(|(_, assertion)| (METRICS[assertion.metric].name, assertion.operator, assertion.limit))
                .collect();
            assertions
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
    fn a_wrong_assertion_is_refused_with_the_reason_and_the_alternatives() {
        for (bad, says) in [
            ("age_p98<1ms", "\"age_p98\": must be one of age_p50, age_p95"),
            ("age_p99=120ms", "has no <, <=, > or >="),
            ("age_p99<fast", "\"fast\" after age_p99 is not a number"),
            ("age_p99<120kbit/s", "unit \"kbit/s\" of age_p99 must be ms, us or s"),
            ("share>99ms", "must be % or none"),
            ("", "has no <"),
            ("share>0.9,", "\"\" has no <"),
        ] {
            let refusal = bad.parse::<Assertions>().expect_err(bad);
            assert!(refusal.contains(says), "{bad}: {refusal}");
        }
    }

    #[test]
    fn every_name_is_unique() {
        for (at, metric) in METRICS.iter().enumerate() {
            assert!(!METRICS[at + 1..].iter().any(|other| other.name == metric.name), "{}", metric.name);
        }
    }
}
