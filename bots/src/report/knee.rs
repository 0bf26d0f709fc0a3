//! What a search for the knee found, level by level.

use serde::Serialize;

use super::judgement::Judgement;

/// A level and how it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KneeLevel {
    /// Players.
    pub players: usize,
    /// Whether all claims held.
    pub held: bool,
    /// The claims that did not.
    pub failed: Vec<Judgement>,
    /// Age of the newest snapshot, 99th percentile, in milliseconds.
    pub age_ms_p99: Option<f64>,
    /// Gap between snapshots, 99th percentile, in milliseconds.
    pub gap_ms_p99: Option<f64>,
    /// Worst player's share of snapshots.
    pub share_min: Option<f64>,
    /// CPU time of the server per client and snapshot, in microseconds.
    pub cpu_us_per_client_snapshot: Option<f64>,
    /// CPU cores of the server.
    pub server_cores: Option<f64>,
    /// Length of ticks, 99th percentile, in milliseconds.
    pub tick_ms_p99: Option<f64>,
    /// Payload per player in kbit/s.
    pub kbit_per_s: Option<f64>,
    /// CPU cores of the load tester.
    pub load_cores: Option<f64>,
    /// Whether the load tester itself was too slow.
    pub load_overloaded: bool,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Knee {
    /// Most players with which all claims held; null if they did not with the fewest.
    pub players: Option<usize>,
    /// What had to hold.
    pub assertion: String,
    /// Every level that was measured.
    pub levels: Vec<KneeLevel>,
}

impl std::fmt::Display for Knee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        writeln!(f, "players   age p99   gap p99  share min   us/snap   cores  tick p99   kbit/s   load")?;
        for level in &self.levels {
            let failed: Vec<String> =
                level.failed.iter().map(|claim| format!("{} (was {})", claim.claim, claim.value)).collect();
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
                if level.load_overloaded { "; the load tester itself was late" } else { "" },
            )?;
        }
        match self.players {
            Some(players) => write!(f, "knee: {players} players is the last level that held {}", self.assertion),
            None => write!(f, "knee: not even the first level held {}", self.assertion),
        }
    }
}
