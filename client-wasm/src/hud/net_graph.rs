//! The net graph: what the link does and how the client copes, drawn and in numbers. While it is closed, nothing is kept, drawn
//! or written.

use broadside_shared::client::stats::Stats;
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::link::LinkProfile;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Document, HtmlCanvasElement};

use super::dom::{Shown, element};
use crate::connection::NetGraphTap;

/// Milliseconds at the top of the graph.
const TOP_MS: f64 = 400.0;
/// Grid lines, in milliseconds.
const MARKS_MS: [f64; 3] = [100.0, 200.0, 300.0];
/// Snapshot ages from which on the curve is amber and red, in milliseconds.
const AGE_FAIR: f64 = 150.0;
const AGE_POOR: f64 = 250.0;
/// Columns per second, and the most in one image.
const COLUMNS_S: f64 = 60.0;
const COLUMNS_MAX: f64 = 60.0;
/// Milliseconds over which rates are measured, and between two updates of the text.
const RATES_MS: f64 = 1000.0;
const TEXT_MS: f64 = 250.0;

/// The statistics when rates were last measured.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    at_ms: f64,
    stats: Stats,
    header_bytes: u64,
}

/// Bytes and snapshots per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Rates {
    down: f64,
    up: f64,
    own: f64,
    cells: f64,
    /// Of the cells, those nearer to the edge of the view than to its middle.
    far: f64,
    events: f64,
    updates: f64,
    /// Everything outside of snapshots.
    control: f64,
    headers: f64,
    snapshots: f64,
}

/// The inputs of the graph that change with each image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GraphContext {
    /// Milliseconds of the page's clock.
    pub(crate) now_ms: f64,
    pub(crate) fps: f32,
    /// The simulated link.
    pub(crate) link: LinkProfile,
}

pub(crate) struct NetGraph {
    panel: Shown,
    canvas: HtmlCanvasElement,
    context: Option<CanvasRenderingContext2d>,
    text: Shown,
    before: Before,
    rates: Rates,
    gap_ms: (f64, f64),
    written_ms: f64,
    drawn_ms: f64,
    starved: u64,
}

impl NetGraph {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        Ok(NetGraph {
            panel: Shown::new(document, "net")?,
            canvas: element(document, "net-graph")?,
            context: None,
            text: Shown::new(document, "net-stats")?,
            before: Before::default(),
            rates: Rates::default(),
            gap_ms: (0.0, 0.0),
            written_ms: 0.0,
            drawn_ms: 0.0,
            starved: 0,
        })
    }

    pub(crate) fn open(&mut self, open: bool) {
        self.panel.visible(open);
        if open && self.context.is_none() {
            let context = self.canvas.get_context("2d").ok().flatten();
            self.context = context.and_then(|context| context.dyn_into().ok());
        }
        self.forget();
    }

    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        !self.panel.element.hidden()
    }

    /// Forgets the statistics of the previous connection.
    pub(crate) fn forget(&mut self) {
        self.before = Before::default();
        self.rates = Rates::default();
        self.gap_ms = (0.0, 0.0);
        self.written_ms = 0.0;
    }

    /// Adds one image to the graph and updates the text when it is due.
    pub(crate) fn show<G: Game>(&mut self, stats: &Stats, tap: &mut NetGraphTap, moment: GraphContext) {
        let mut newest_gap = None;
        for arrival in tap.arrivals.drain(..) {
            let gap = arrival.gap_us.map_or(0.0, |us| us as f64 / 1000.0);
            self.gap_ms.0 = self.gap_ms.0.max(gap);
            newest_gap = Some(newest_gap.map_or(gap, |before: f64| before.max(gap)));
        }
        self.draw(stats, newest_gap, moment.now_ms);
        let passed = moment.now_ms - self.before.at_ms;
        if passed >= RATES_MS {
            // The first measurement has nothing to compare with.
            if self.before.at_ms > 0.0 {
                self.rates = Rates::between(&self.before, stats, tap.header_bytes, passed);
            }
            self.before = Before { at_ms: moment.now_ms, stats: *stats, header_bytes: tap.header_bytes };
            self.gap_ms = (0.0, self.gap_ms.0);
        }
        if moment.now_ms - self.written_ms >= TEXT_MS {
            self.written_ms = moment.now_ms;
            let gap_ms = self.gap_ms.0.max(self.gap_ms.1);
            self.text.text(&stats_text::<G>(stats, self.rates, gap_ms, moment));
        }
    }

    /// Moves the graph to the left by the passed time and draws the new part: the age as a bar, the gap before a snapshot as a
    /// dot, an image without fresh snapshots as a red foot.
    fn draw(&mut self, stats: &Stats, gap_ms: Option<f64>, now_ms: f64) {
        let wide = ((now_ms - self.drawn_ms) * COLUMNS_S / 1000.0).round().clamp(1.0, COLUMNS_MAX);
        self.drawn_ms = now_ms;
        let starved = stats.starved_frames > self.starved;
        self.starved = stats.starved_frames;
        let Some(context) = &self.context else { return };
        let (width, height) = (f64::from(self.canvas.width()), f64::from(self.canvas.height()));
        let left = width - wide;
        let row = |ms: f64| height - (ms.clamp(0.0, TOP_MS) / TOP_MS * height).round();
        let fill = |color: &str, y: f64, high: f64| {
            context.set_fill_style_str(color);
            context.fill_rect(left, y, wide, high);
        };
        // The canvas is opaque where it was drawn on, so that the moved picture covers the old one. Only a canvas without pixels
        // fails.
        let _ = context.draw_image_with_html_canvas_element(&self.canvas, -wide, 0.0);
        fill("#070c1a", 0.0, height);
        for mark in MARKS_MS {
            fill("#1e2b44", row(mark), 1.0);
        }
        let color = match stats.snapshot_age_ms {
            age if age >= AGE_POOR => "#ff5468",
            age if age >= AGE_FAIR => "#ffb454",
            _ => "#2f9fc4",
        };
        let top = row(stats.snapshot_age_ms);
        fill(color, top, height - top);
        fill("#b79bff", row(stats.interpolation_ms), 1.0);
        if let Some(gap) = gap_ms {
            fill("#fff", (row(gap) - 1.0).max(0.0), 2.0);
        }
        if starved {
            fill("#f00", height - 5.0, 5.0);
        }
    }
}

impl Rates {
    fn between(before: &Before, stats: &Stats, header_bytes: u64, passed_ms: f64) -> Rates {
        let then = &before.stats;
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 * 1000.0 / passed_ms;
        let parts = |stats: &Stats| stats.bytes_own + stats.bytes_cells + stats.bytes_events + stats.bytes_updates;
        Rates {
            down: rate(stats.bytes_down, then.bytes_down),
            up: rate(stats.bytes_up, then.bytes_up),
            own: rate(stats.bytes_own, then.bytes_own),
            cells: rate(stats.bytes_cells, then.bytes_cells),
            far: rate(stats.bytes_cells_far, then.bytes_cells_far),
            events: rate(stats.bytes_events, then.bytes_events),
            updates: rate(stats.bytes_updates, then.bytes_updates),
            control: rate(stats.bytes_down - parts(stats), then.bytes_down - parts(then)),
            headers: rate(header_bytes, before.header_bytes),
            snapshots: rate(stats.snapshots, then.snapshots),
        }
    }
}

/// The statistics as text. Whole numbers only: the code that formats fractions would be a tenth of the download.
fn stats_text<G: Game>(stats: &Stats, rates: Rates, gap_ms: f64, moment: GraphContext) -> String {
    let mut text = format!("link    {}", moment.link.name);
    // A table of labels and numbers is much smaller than as many arguments of one `format!`.
    let parts = [
        ("  ", moment.link.delay_ms),
        (" ±", moment.link.jitter_ms),
        (" ms  fps ", f64::from(moment.fps)),
        ("\nrtt     ", stats.rtt_ms),
        (" ms  jitter ", stats.jitter_ms),
        (" ms  server tick us ", stats.server_tick_ms * 1000.0),
        ("\nage     ", stats.snapshot_age_ms),
        (" ms  gap ", gap_ms),
        ("  per s ", rates.snapshots),
        ("\ndelay   ", stats.interpolation_ms),
        (" ms  starved ", stats.starved_frames as f64),
        ("\nlead    ", stats.lead_ms),
        (" ms  inputs early ", stats.input_early_ms),
        ("\ninputs  missing ", stats.inputs_missing as f64),
        ("  dropped ", stats.inputs_dropped as f64),
        ("\nerror   last ", f64::from(stats.last_correction_units)),
        (" u  sum ", stats.corrected_units),
        ("\ndown    B/s ", rates.down),
        (" = own ", rates.own),
        (" + near ", rates.cells - rates.far),
        (" + far ", rates.far),
        ("\n        + events ", rates.events),
        (" + updates ", rates.updates),
        (" + pongs ", rates.control),
        ("\n        headers ", rates.headers),
        ("\nup      B/s ", rates.up),
        ("\nbudget  back ", f64::from(stats.budget)),
        ("  steps ", stats.budget_steps as f64),
        ("\nfixed   ", stats.corrections_total() as f64),
    ];
    for (before, number) in parts {
        text += before;
        text += &(number.round() as i32).to_string();
    }
    for (cause, count) in CorrectionCause::all::<G>().zip(stats.corrections).filter(|(_, count)| *count > 0) {
        for word in ["  ", cause.name::<G>(), " ", &count.to_string()] {
            text += word;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::toy::Toy;

    #[test]
    fn bytes_by_class_add_up_to_what_came() {
        let stats = Stats {
            bytes_down: 2_000,
            bytes_own: 300,
            bytes_cells: 1_200,
            bytes_events: 100,
            bytes_updates: 40,
            ..Stats::default()
        };
        let rates = Rates::between(&Before::default(), &stats, 88, 2_000.0);
        let classes = rates.own + rates.cells + rates.events + rates.updates + rates.control;
        assert!((rates.down - 1_000.0).abs() < 1e-9 && (classes - rates.down).abs() < 1e-9, "{rates:?}");
        assert!((rates.headers - 44.0).abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn corrections_are_named_by_their_cause() {
        let stats = Stats { corrections: [2, 0, 0, 1, 0, 0, 0, 0], rtt_ms: 121.4, ..Stats::default() };
        let moment = GraphContext { now_ms: 0.0, fps: 60.0, link: LinkProfile::CLEAN };
        let text = stats_text::<Toy>(&stats, Rates::default(), 0.0, moment);
        assert!(text.contains("fixed   3  input 2  bump 1"), "{text}");
        assert!(text.contains("rtt     121 ms"), "{text}");
    }
}
