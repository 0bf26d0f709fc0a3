//! The title of the browser's tab. While the page is hidden it says what the player would come back for; all its texts are here.

use broadside_shared::protocol::match_status::MatchPhase;
use web_sys::Document;

use crate::flow::state::PageState;
use crate::words::{say, say_count};

/// What the page knows at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TabFacts {
    pub(crate) state: PageState,
    /// The phase and the round of the match, if the player plays in one.
    pub(crate) match_phase: Option<(MatchPhase, u8)>,
    /// What the game says about the own player, such as "sunk".
    pub(crate) own: Option<&'static str>,
    /// Messages of others so far.
    pub(crate) messages: u32,
}

pub(crate) struct TabTitle {
    document: Document,
    /// The title of the page while it is seen.
    plain: String,
    shown: String,
    /// What was known when the page was last seen; `None` while it is.
    seen: Option<TabFacts>,
    /// The last thing that happened to the own player since.
    own: Option<&'static str>,
}

impl TabTitle {
    pub(crate) fn new(document: &Document) -> Self {
        let plain = document.title();
        TabTitle { document: document.clone(), shown: plain.clone(), plain, seen: None, own: None }
    }

    /// The page was hidden, knowing this, or is seen again.
    pub(crate) fn handle_visibility(&mut self, seen: Option<TabFacts>) {
        (self.seen, self.own) = (seen, None);
        self.set(self.plain.clone());
    }

    /// Shows what has happened since the page was hidden; nothing while it is seen.
    pub(crate) fn show(&mut self, now: TabFacts) {
        let Some(seen) = self.seen else { return };
        self.own = now.own.or(self.own);
        let news = news(seen, TabFacts { own: self.own, ..now });
        self.set(if news.is_empty() { self.plain.clone() } else { format!("{news} - {}", self.plain) });
    }

    fn set(&mut self, title: String) {
        if self.shown != title {
            self.document.set_title(&title);
            self.shown = title;
        }
    }
}

/// What happened between two moments, the most important first; empty for nothing.
fn news(before: TabFacts, now: TabFacts) -> String {
    let is_connecting = |state| matches!(state, PageState::Connecting { .. });
    let play = match (now.state, now.match_phase) {
        (PageState::Lost | PageState::Refused { .. }, _) => Some(say("news.lost")),
        (PageState::Title | PageState::Connecting { .. } | PageState::Replaying, _) => None,
        (PageState::Playing { .. }, Some((MatchPhase::Countdown, 0..=1))) => Some(say("news.match-starts")),
        (PageState::Playing { .. }, Some((MatchPhase::Countdown, _))) => Some(say("news.next-round")),
        (PageState::Playing { .. }, Some((MatchPhase::Results, _))) => Some(say("news.match-over")),
        (PageState::Playing { .. }, Some((MatchPhase::Playing, _)))
            if before.match_phase.is_some_and(|(phase, _)| phase == MatchPhase::Waiting) =>
        {
            Some(say("news.match-on"))
        }
        (PageState::Playing { .. }, _) if is_connecting(before.state) => Some(say("news.seat")),
        (PageState::Playing { .. }, _) => now.own,
    };
    let messages = match now.messages.saturating_sub(before.messages) {
        0 => String::new(),
        count => say_count("news.messages", count),
    };
    let between = if play.is_some() && !messages.is_empty() { ", " } else { "" };
    [play.unwrap_or_default(), between, &messages].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYING: PageState = PageState::Playing { spectating: false, resumed: false };

    fn facts(state: PageState, match_phase: Option<(MatchPhase, u8)>) -> TabFacts {
        TabFacts { state, match_phase, own: None, messages: 5 }
    }

    #[test]
    fn a_hidden_tab_says_what_happened_and_how_many_messages_came() {
        let before = facts(PLAYING, None);
        assert_eq!(news(before, before), "");
        assert_eq!(news(before, TabFacts { messages: 6, ..before }), "1 message");
        assert_eq!(news(before, TabFacts { own: Some("sunk"), ..before }), "sunk");
        assert_eq!(news(before, TabFacts { own: Some("sunk"), messages: 7, ..before }), "sunk, 2 messages");
        assert_eq!(news(before, TabFacts { own: Some("sunk"), state: PageState::Lost, ..before }), "connection lost");
    }

    #[test]
    fn a_hidden_tab_says_that_the_wait_is_over() {
        let queued = facts(PageState::Connecting { again: false }, None);
        assert_eq!(news(queued, facts(PLAYING, None)), "you have a seat");
        let waiting = facts(PLAYING, Some((MatchPhase::Waiting, 0)));
        for (phase, round, wanted) in [
            (MatchPhase::Waiting, 0, ""),
            (MatchPhase::Countdown, 1, "your turn: match starts"),
            (MatchPhase::Playing, 1, "your turn: match is on"),
            (MatchPhase::Countdown, 2, "next round starts"),
            (MatchPhase::Results, 3, "match over"),
        ] {
            assert_eq!(news(waiting, facts(PLAYING, Some((phase, round)))), wanted, "{phase:?} {round}");
        }
        let playing = facts(PLAYING, Some((MatchPhase::Playing, 1)));
        assert_eq!(news(playing, playing), "", "that is not new");
    }
}
