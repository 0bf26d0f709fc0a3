//! Whether a run succeeded, and why not.

use super::model::Report;

impl Report {
    /// Whether every player joined and stayed, and snapshots arrived.
    #[must_use]
    pub(crate) fn all_played(&self) -> bool {
        self.joined == self.players && self.dropped == 0 && self.snapshots > 0
    }

    /// Why less was measured than requested, if so.
    #[must_use]
    pub(crate) fn cut_short(&self) -> Option<String> {
        let after = format!("after {:.1} of {:.0} s", self.seconds, self.seconds_asked);
        match (self.interrupted, self.seconds < self.seconds_asked) {
            (false, false) => None,
            (false, true) => Some(format!("no player was left {after}")),
            (true, true) => Some(format!("interrupted {after}")),
            (true, false) => Some("interrupted during the knee search".to_owned()),
        }
    }

    /// The reasons for failure, one line each; empty if everything was measured, all players joined and stayed, and all assertions held.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(how) = self.cut_short().filter(|_| self.interrupted) {
            let (joined, players) = (self.joined, self.players);
            faults.push(format!(
                "{how}, with {joined} of {players} players joined: assertions about what was not measured do not hold"
            ));
        }
        if let Some(knee) = &self.knee {
            if knee.players.is_none() && !self.interrupted {
                faults.push("not even the first level held".to_owned());
            }
            return faults;
        }
        if !self.all_played() && !self.interrupted {
            faults.push(self.missing());
        }
        let broken = self.assertions.iter().filter(|judgement| !judgement.held);
        faults.extend(broken.map(|judgement| format!("{} does not hold: {}", judgement.assertion, judgement.value)));
        faults
    }

    /// How many players did not play, and the first reason.
    #[must_use]
    pub(crate) fn missing(&self) -> String {
        let (refused, dropped) = (self.players.saturating_sub(self.joined), self.dropped);
        let why = self.first_error.as_deref().unwrap_or(match self.snapshots {
            0 => "no snapshot arrived",
            _ => "no reason given",
        });
        format!("{refused} players could not join, {dropped} were dropped; the first: {why}")
    }
}
