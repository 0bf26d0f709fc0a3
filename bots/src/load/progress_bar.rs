//! The progress bar: the newest second of a run, drawn on standard error if that is a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::timeline::RunSecond;

pub(crate) struct RunProgressBar(ProgressBar);

impl RunProgressBar {
    /// A bar for a run of about `seconds`.
    pub(crate) fn new(seconds: u64) -> RunProgressBar {
        let bar = ProgressBar::new(seconds.max(1));
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} {bar:12} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        RunProgressBar(bar)
    }

    /// Shows a second of the run.
    pub(crate) fn show(&self, row: &RunSecond, players: usize) {
        self.0.inc(1);
        let digits = |value: Option<f64>, digits| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
        let queued = if row.queued > 0 { format!(", {} queued", row.queued) } else { String::new() };
        let lost = if row.lost > 0 { format!(", {} lost", row.lost) } else { String::new() };
        self.0.set_message(format!(
            "{} {}/{players}{queued}{lost}  {:.0}/s {} %  age p99 {} ms  cores: server {} load {}, {} ms late",
            row.phase,
            row.playing,
            row.snapshots_per_s,
            digits(row.share.map(|share| share * 100.0), 1),
            digits(row.age_ms_p99, 0),
            digits(row.server_cores, 2),
            digits(row.load_cores, 2),
            digits(row.lateness_ms_p99, 1),
        ));
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
