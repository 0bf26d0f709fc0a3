//! What a search for the knee found, level by level.

use serde::Serialize;

use super::judgement::Judgement;

/// One level of the search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KneeLevel {
    /// Players.
    pub(crate) players: usize,
    /// Whether all assertions held.
    pub(crate) held: bool,
    /// The assertions that did not hold.
    pub(crate) failed: Vec<Judgement>,
    /// Age of the newest snapshot, 99th percentile, in milliseconds.
    pub(crate) age_ms_p99: Option<f64>,
    /// Gap between snapshots, 99th percentile, in milliseconds.
    pub(crate) gap_ms_p99: Option<f64>,
    /// Worst player's share of snapshots.
    pub(crate) share_min: Option<f64>,
    /// CPU time of the server per snapshot received by a client, in microseconds.
    pub(crate) cpu_us_per_client_snapshot: Option<f64>,
    /// CPU cores of the server.
    pub(crate) server_cores: Option<f64>,
    /// Duration of ticks, 99th percentile, in milliseconds.
    pub(crate) tick_ms_p99: Option<f64>,
    /// Payload received per player, in kbit/s.
    pub(crate) kbit_per_s: Option<f64>,
    /// CPU cores of the load tester.
    pub(crate) load_cores: Option<f64>,
    /// Whether the load tester itself was overloaded.
    pub(crate) load_overloaded: bool,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Knee {
    /// Players of the last level at which all assertions held; null if they did not hold at the first.
    pub(crate) players: Option<usize>,
    /// The assertions.
    pub(crate) assertion: String,
    /// Every measured level.
    pub(crate) levels: Vec<KneeLevel>,
}

impl std::fmt::Display for Knee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        writeln!(f, "players   age p99   gap p99  share min   us/snap   cores  tick p99   kbit/s   load")?;
        for level in &self.levels {
            let failed: Vec<String> = level
                .failed
                .iter()
                .map(|judgement| format!("{} (was {})", judgement.assertion, judgement.value))
                .collect();
            writeln!(
                f,
                "{:>7} {:>6} ms {:>6} ms {:>10} {:>9} {:>7} {:>6} ms {:>8} {:>6}  {}{}",
                level.players,
                or_dash(level.age_ms_p99),
                or_dash(level.gap_ms_p99),
                or_dash(level.share_min),
                or_dash(level.cpu_us_per_client_snapshot),
                or_dash(level.server_cores),
                or_dash(level.tick_ms_p99),
                or_dash(level.kbit_per_s),
                or_dash(level.load_cores),
                if level.held { "holds".to_owned() } else { format!("breaks {}", failed.join(", ")) },
                if level.load_overloaded { "; the load tester itself was overloaded" } else { "" },
            )?;
        }
        match self.players {
            Some(players) => write!(f, "knee: {players} players is the last level that held {}", self.assertion),
            None => write!(f, "knee: not even the first level held {}", self.assertion),
        }
    }
}
