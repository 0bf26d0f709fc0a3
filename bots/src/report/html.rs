//! The report as one self-contained page: the numbers are embedded and its script draws the charts, without a network.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::model::Report;
use crate::load::run::MeasuredPhase;
use crate::load::timeline::RunSecond;

const PAGE: &str = include_str!("page.html");
/// The placeholder that the numbers replace.
const PLACEHOLDER: &str = "/*NUMBERS*/null";
/// Largest number of bars in a histogram.
const BARS_MAX: u64 = 60;

/// The data of the page.
#[derive(Serialize)]
struct Numbers<'a> {
    version: &'static str,
    target: String,
    report: &'a Report,
    rows: &'a [RunSecond],
    ages: Vec<HistogramBar>,
    gaps: Vec<HistogramBar>,
    joins: Vec<HistogramBar>,
}

/// A bar of a histogram: from and to in milliseconds, and the number of samples.
type HistogramBar = (f64, f64, u64);

/// Renders the page.
///
/// # Errors
/// Serialization failed, which this data cannot cause.
pub fn html_page(
    report: &Report,
    rows: &[RunSecond],
    histograms: &Histograms,
    target: &str,
) -> serde_json::Result<String> {
    let numbers = Numbers {
        version: env!("CARGO_PKG_VERSION"),
        target: target.to_owned(),
        report,
        rows,
        ages: histograms.ages.clone(),
        gaps: histograms.gaps.clone(),
        joins: histograms.joins.clone(),
    };
    // In HTML, `</` ends a script even inside a string.
    let numbers = serde_json::to_string(&numbers)?.replace("</", "<\\/");
    Ok(PAGE.replacen(PLACEHOLDER, &numbers, 1))
}

/// The histograms of a steady phase, as bars.
#[derive(Debug, Clone, Default)]
pub struct Histograms {
    ages: Vec<HistogramBar>,
    gaps: Vec<HistogramBar>,
    joins: Vec<HistogramBar>,
}

impl Histograms {
    /// The histograms of a steady phase.
    #[must_use]
    pub fn new(measured: &MeasuredPhase) -> Histograms {
        let window = &measured.window;
        Histograms { ages: bars(&window.ages), gaps: bars(&window.gaps), joins: bars(&measured.joins) }
    }
}

/// Bars of equal width from 0 to a little past the 99.9th percentile; the last holds everything above.
fn bars(times: &Histogram<u32>) -> Vec<HistogramBar> {
    if times.is_empty() {
        return Vec::new();
    }
    // A round number of milliseconds, so that bar edges match the axis labels.
    let most_ms = times.value_at_quantile(0.999) as f64 / 1000.0;
    let width_ms = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]
        .into_iter()
        .find(|width| most_ms / width < BARS_MAX as f64);
    let width_ms = width_ms.unwrap_or(1000.0);
    let count = (most_ms / width_ms) as usize + 1;
    let mut bars: Vec<HistogramBar> =
        (0..count).map(|at| (at as f64 * width_ms, (at + 1) as f64 * width_ms, 0)).collect();
    for value in times.iter_recorded() {
        let at = (value.value_iterated_to() as f64 / 1000.0 / width_ms) as usize;
        bars[at.min(count - 1)].2 += u64::from(value.count_at_value());
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::statistics::times;

    #[test]
    fn every_sample_is_in_a_bar() {
        let mut histogram = times();
        (1..=5000).for_each(|us| histogram.saturating_record(us * 17));
        let bars = bars(&histogram);
        assert!(bars.len() as u64 <= BARS_MAX, "{}", bars.len());
        assert_eq!(bars.iter().map(|bar| bar.2).sum::<u64>(), 5000);
        assert!(super::bars(&times()).is_empty());
    }

    #[test]
    fn the_page_has_a_placeholder_and_loads_nothing() {
        assert_eq!(PAGE.matches(PLACEHOLDER).count(), 1);
        for foreign in ["http://", "https://", "src=", "href=", "@import", "url("] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }
}
