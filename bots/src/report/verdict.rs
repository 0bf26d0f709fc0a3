//! Whether a run went as it should, and what did not.

use super::model::Report;

impl Report {
    /// Whether every player joined and stayed, and something came.
    #[must_use]
    pub fn all_played(&self) -> bool {
        self.joined == self.players && self.dropped == 0 && self.snapshots > 0
    }

    /// Why less was measured than was asked for, if so.
    #[must_use]
    pub fn cut_short(&self) -> Option<String> {
        let after = format!("after {:.1} of {:.0} s", self.seconds, self.seconds_asked);
        match (self.interrupted, self.seconds < self.seconds_asked) {
            (false, false) => None,
            (false, true) => Some(format!("nobody was left to play {after}")),
            (true, true) => Some(format!("interrupted {after}")),
            (true, false) => Some("interrupted in the search for the knee".to_owned()),
        }
    }

    /// What did not go as it should, in a line each; nothing if all was measured, everybody played, and all claims held.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(how) = self.cut_short().filter(|_| self.interrupted) {
            let (joined, players) = (self.joined, self.players);
            faults.push(format!("{how}, with {joined} of {players} players in: what was not measured does not hold"));
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
        let broken = self.assertions.iter().filter(|claim| !claim.held);
        faults.extend(broken.map(|claim| format!("{} does not hold: {}", claim.claim, claim.value)));
        faults
    }

    /// Who did not play, and why.
    #[must_use]
    pub fn missing(&self) -> String {
        let (refused, dropped) = (self.players.saturating_sub(self.joined), self.dropped);
        let why = self.first_error.as_deref().unwrap_or(match self.snapshots {
            0 => "no snapshot came",
            _ => "no reason given",
        });
        format!("{refused} players could not join, {dropped} were dropped; the first: {why}")
    }
}
