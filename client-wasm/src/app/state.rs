//! The states of the page, and what each tells the player.

use broadside_shared::protocol::close::{CloseCode, Retry};

use crate::session::Ending;

/// Where the page is.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// At the title.
    Menu,
    /// Connecting and joining.
    Connecting {
        /// Whether a game was under way before.
        again: bool,
    },
    /// In the arena.
    Playing,
    /// The connection is gone; the next attempt is due.
    Lost {
        /// When, milliseconds on the page's clock.
        until_ms: f64,
        /// What happened, for the player.
        why: String,
    },
    /// The connection is gone, and only the player can change why.
    Refused {
        /// What happened and what to do.
        why: String,
    },
}

impl State {
    /// The state's name for tests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            State::Menu => "menu",
            State::Connecting { again: false } => "connecting",
            State::Connecting { again: true } => "retrying",
            State::Playing => "playing",
            State::Lost { .. } => "lost",
            State::Refused { .. } => "refused",
        }
    }
}

/// What follows from the end of a connection: what to tell, and whether to come back without being asked.
#[must_use]
pub fn verdict(ending: Ending, was_playing: bool) -> (String, Retry) {
    match ending {
        Ending::Closed(number) => match CloseCode::from_code(number) {
            Some(code) => (code.advice().to_owned(), code.retry()),
            None if was_playing => ("The connection was lost.".to_owned(), Retry::ByItself),
            None => ("The server cannot be reached.".to_owned(), Retry::ByItself),
        },
        Ending::Silent => ("The server does not answer.".to_owned(), Retry::ByItself),
        Ending::Nonsense => (CloseCode::Malformed.advice().to_owned(), Retry::ByHand),
    }
}

/// The countdown to the next attempt, with `left_ms` to go.
#[must_use]
pub fn countdown(why: &str, left_ms: f64) -> String {
    let seconds = (left_ms / 1000.0).ceil().max(0.0) as u32;
    if seconds == 0 { format!("{why} Trying again.") } else { format!("{why} Trying again in {seconds} s.") }
}

/// What someone in line is told; 1 is the next.
#[must_use]
pub fn waiting(place: u32) -> String {
    match place {
        0 | 1 => "You are next.".to_owned(),
        2 => "One captain is before you.".to_owned(),
        place => format!("{} captains are before you.", place - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_waited_out_and_an_old_page_says_what_to_do() {
        let (why, retry) = verdict(Ending::Closed(CloseCode::GoingAway.code()), true);
        assert_eq!(retry, Retry::ByItself);
        assert!(countdown(&why, 2100.0).ends_with("Trying again in 3 s."), "{}", countdown(&why, 2100.0));
        let (why, retry) = verdict(Ending::Closed(CloseCode::WrongRevision.code()), false);
        assert_eq!(retry, Retry::ByHand);
        assert!(why.contains("Reload"), "{why}");
    }

    #[test]
    fn the_place_in_line_reads_as_how_many_are_before_you() {
        assert_eq!(waiting(1), "You are next.");
        assert_eq!(waiting(12), "11 captains are before you.");
    }

    #[test]
    fn a_cut_line_and_a_dead_server_read_differently() {
        assert_ne!(verdict(Ending::Closed(1006), true).0, verdict(Ending::Closed(1006), false).0);
        assert_eq!(verdict(Ending::Silent, true).1, Retry::ByItself);
    }
}
