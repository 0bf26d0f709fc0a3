//! The button of the results that asks for another match with the same people, and its key.

use broadside_client::words::say_with;
use broadside_client::{Page, Shown};
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus};

pub(crate) struct Rematch {
    button: Shown,
    /// Whether results are shown to a player.
    offered: bool,
    /// Whether the key is down.
    held: bool,
    /// Whether the player has asked, and whether that is still to be sent.
    asked: bool,
    due: bool,
}

impl Rematch {
    pub(crate) fn new(page: &Page<'_>) -> Result<Self, String> {
        Ok(Rematch { button: page.element("rematch")?, offered: false, held: false, asked: false, due: false })
    }

    /// The key is down or not: a key that was down before the results asks for nothing.
    pub(crate) fn hold(&mut self, held: bool) {
        if held && !std::mem::replace(&mut self.held, held) {
            self.ask();
        }
        self.held = held;
    }

    /// The player wants to play again.
    pub(crate) fn ask(&mut self) {
        self.due |= self.offered && !self.asked;
        self.asked |= self.offered;
    }

    /// Whether the request is to be sent now.
    pub(crate) fn poll(&mut self) -> bool {
        std::mem::take(&mut self.due)
    }

    /// Shows the button beside the results, with how many want to play again.
    pub(crate) fn show(&mut self, match_status: Option<&MatchStatus>, again: u16) {
        let status = match_status.filter(|status| status.phase == MatchPhase::Results);
        self.offered = status.is_some();
        self.button.visible(self.offered);
        let Some(status) = status else {
            (self.asked, self.due) = (false, false);
            return;
        };
        let players: u16 = status.teams.iter().map(|team| team.players).sum();
        let key = if self.asked { "rematch.asked" } else { "rematch" };
        self.button.text(&say_with(key, &[("count", &again.to_string()), ("players", &players.to_string())]));
        self.button.class(if self.asked { "asked" } else { "" });
    }
}
