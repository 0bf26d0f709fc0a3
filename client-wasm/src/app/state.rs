//! The states of the page, and what each tells the player.

use broadside_shared::protocol::close::{CloseCode, Retry};

use crate::connection::ConnectionEnd;
use crate::fetch::UNREACHABLE;

/// Where the page is.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// At the title, with the lobby.
    Menu,
    /// On the way into a room.
    Connecting {
        /// Whether a game was under way before.
        again: bool,
    },
    /// In a room: playing, or spectating.
    Playing,
    /// The connection is gone in a room or on the way into one; the next attempt is due.
    Lost,
    /// The connection is gone, and only the player can change why.
    Refused {
        /// What happened and what to do.
        why: String,
        /// What the player can do about it.
        remedy: Remedy,
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
            State::Lost => "lost",
            State::Refused { .. } => "refused",
        }
    }
}

/// What helps after the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// To wait: the page tries again by itself.
    Wait,
    /// Another room: back to the lobby.
    Lobby,
    /// To take the seat back from the other tab, if that is wanted.
    PlayHere,
    /// To load the page anew.
    Reload,
}

/// A pause before the next attempt to connect.
#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    /// Until when, milliseconds on the page's clock.
    pub until_ms: f64,
    /// What happened, for the player.
    pub why: String,
}

/// What follows from the end of a connection: what to tell, and what helps. `reason` is what the server gave with its close.
#[must_use]
pub fn verdict(end: ConnectionEnd, reason: &str, was_playing: bool) -> (String, Remedy) {
    match end {
        ConnectionEnd::Closed(number) => match CloseCode::from_code(number) {
            Some(code) => (code.advice().to_owned(), remedy(code)),
            // Of a server newer than this page.
            None if !reason.is_empty() => (format!("The server ended the connection: {reason}."), Remedy::Wait),
            None if was_playing => ("The connection was lost.".to_owned(), Remedy::Wait),
            None => (UNREACHABLE.to_owned(), Remedy::Wait),
        },
        ConnectionEnd::TimedOut => ("The server does not answer.".to_owned(), Remedy::Wait),
        ConnectionEnd::Malformed => (CloseCode::Malformed.advice().to_owned(), Remedy::Reload),
    }
}

/// Why no socket opens, again and again, by what the server answers when it is asked over HTTP how it is: nothing where it cannot be
/// reached that way either.
#[must_use]
pub fn unreached(health: Result<(), &str>) -> Option<String> {
    match health {
        Ok(()) => Some(
            "The server answers, but no WebSocket gets through: a proxy, a firewall or an extension blocks it. \
             Tell the operator of the server, or try another network."
                .to_owned(),
        ),
        Err(UNREACHABLE) => None,
        Err(why) => Some(format!("The server does not let this page connect. {why}")),
    }
}

fn remedy(code: CloseCode) -> Remedy {
    match (code, code.retry()) {
        (CloseCode::TakenOver, _) => Remedy::PlayHere,
        (CloseCode::NoSuchRoom | CloseCode::Normal, _) => Remedy::Lobby,
        (_, Retry::ByItself) => Remedy::Wait,
        (_, Retry::ByHand) => Remedy::Reload,
    }
}

/// The title and the button of the notice that goes with a remedy.
#[must_use]
pub fn offer(remedy: Remedy) -> (&'static str, &'static str) {
    match remedy {
        Remedy::PlayHere => ("Playing elsewhere", "Play here"),
        Remedy::Wait | Remedy::Lobby => ("Connection lost", "Try now"),
        Remedy::Reload => ("Cannot play", "Reload"),
    }
}

/// The countdown to the next attempt, with `left_ms` to go.
#[must_use]
pub fn countdown(why: &str, left_ms: f64) -> String {
    let seconds = (left_ms / 1000.0).ceil().max(0.0) as u32;
    let then = if seconds == 0 { "Trying again.".to_owned() } else { format!("Trying again in {seconds} s.") };
    format!("{why} {then}").trim_start().to_owned()
}

/// What someone in line is told; 1 is the next.
#[must_use]
pub fn queue_text(position: u32) -> String {
    match position {
        0 | 1 => "Every seat is taken. You are next.".to_owned(),
        2 => "Every seat is taken. One captain is ahead of you.".to_owned(),
        position => format!("Every seat is taken. {} captains are ahead of you.", position - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_waited_out_and_an_old_page_says_what_to_do() {
        let (why, remedy) = verdict(ConnectionEnd::Closed(CloseCode::GoingAway.code()), "", true);
        assert_eq!(remedy, Remedy::Wait);
        assert!(countdown(&why, 2100.0).ends_with("Trying again in 3 s."), "{}", countdown(&why, 2100.0));
        let (why, remedy) = verdict(ConnectionEnd::Closed(CloseCode::WrongRevision.code()), "", false);
        assert_eq!(remedy, Remedy::Reload);
        assert!(why.contains("Reload"), "{why}");
    }

    #[test]
    fn a_seat_taken_by_another_tab_is_not_fought_for() {
        let (why, remedy) = verdict(ConnectionEnd::Closed(CloseCode::TakenOver.code()), "", true);
        assert_eq!(remedy, Remedy::PlayHere);
        assert!(why.contains("another tab"), "{why}");
        assert_eq!(offer(remedy).1, "Play here");
        assert_eq!(verdict(ConnectionEnd::Closed(CloseCode::NoSuchRoom.code()), "", true).1, Remedy::Lobby);
    }

    #[test]
    fn every_code_says_something_and_only_those_that_pass_are_waited_out() {
        for code in CloseCode::ALL {
            let (why, remedy) = verdict(ConnectionEnd::Closed(code.code()), "", true);
            assert!(why.ends_with('.'), "{why}");
            assert_eq!(remedy == Remedy::Wait, code.retry() == Retry::ByItself, "{code:?}");
        }
    }

    #[test]
    fn the_queue_position_reads_as_how_many_are_before_you() {
        assert!(queue_text(1).ends_with("You are next."));
        assert!(queue_text(12).ends_with("11 captains are ahead of you."));
    }

    #[test]
    fn a_code_that_this_page_does_not_know_is_told_by_the_servers_own_reason() {
        let (why, remedy) = verdict(ConnectionEnd::Closed(4999), "the moon is full", false);
        assert_eq!((why.as_str(), remedy), ("The server ended the connection: the moon is full.", Remedy::Wait));
    }

    #[test]
    fn a_server_that_answers_and_takes_no_socket_is_not_called_unreachable() {
        assert!(unreached(Ok(())).is_some_and(|why| why.contains("proxy") && why.contains("operator")));
        let refused = unreached(Err("Host is not this server; start it with --public-host."));
        assert!(refused.is_some_and(|why| why.contains("--public-host")));
        assert_eq!(unreached(Err(UNREACHABLE)), None);
    }

    #[test]
    fn a_cut_line_and_a_dead_server_read_differently() {
        assert_ne!(verdict(ConnectionEnd::Closed(1006), "", true).0, verdict(ConnectionEnd::Closed(1006), "", false).0);
        assert_eq!(verdict(ConnectionEnd::TimedOut, "", true).1, Remedy::Wait);
    }
}
