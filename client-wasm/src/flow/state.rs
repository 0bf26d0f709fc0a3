//! The states of the page, and the sentences that explain them to the player.

use broadside_shared::protocol::close::{CloseCode, Retry};

use crate::fetch::unreachable_text;
use crate::words::{say, say_count, say_or, say_with};

/// Where the page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageState {
    /// At the title, with the lobby.
    Title,
    /// On the way into a room.
    Connecting {
        /// Whether a game was interrupted before.
        again: bool,
    },
    /// In a room.
    Playing {
        spectating: bool,
        /// Whether this continues an interrupted game.
        resumed: bool,
    },
    /// Watching a recorded match, without a connection.
    Replaying,
    /// The connection was lost in a room or on the way into one; the next attempt is scheduled.
    Lost,
    /// The connection was lost, and only the player can change why.
    Refused { remedy: Remedy },
}

impl PageState {
    /// The state's name for tests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PageState::Title => "menu",
            PageState::Connecting { again: false } => "connecting",
            PageState::Connecting { again: true } => "retrying",
            PageState::Playing { .. } => "playing",
            PageState::Replaying => "replay",
            PageState::Lost => "lost",
            PageState::Refused { .. } => "refused",
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// The socket was closed with this code.
    Closed(u16),
    /// The socket did not open in time, or the server was silent for too long.
    TimedOut,
    /// The server sent bytes that this page cannot decode.
    Malformed,
}

/// What helps after the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The page reconnects automatically.
    Wait,
    /// Back to the lobby, to choose another room.
    Lobby,
    /// The player may take the seat back from the other tab.
    PlayHere,
    Reload,
}

/// A panel over the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) title: &'static str,
    pub(crate) text: String,
    /// Whether the page is doing something about it: a wheel turns.
    pub(crate) busy: bool,
    /// The label of the first button, if there is one.
    pub(crate) now: Option<&'static str>,
    /// The label of the button that leads back to the title.
    pub(crate) back: &'static str,
}

impl Notice {
    pub(crate) fn connecting(again: bool) -> Notice {
        let title = if again { say("panel.reconnecting") } else { say("panel.joining") };
        Notice { title, text: say("panel.joining.text").to_owned(), busy: true, now: None, back: say("back-to-title") }
    }

    pub(crate) fn queued(text: String) -> Notice {
        Notice { title: say("panel.queue"), text, busy: true, now: None, back: say("panel.leave-queue") }
    }

    pub(crate) fn loading_replay() -> Notice {
        let text = say("panel.loading-replay").to_owned();
        Notice { title: say("panel.replay"), text, busy: true, now: None, back: say("back-to-title") }
    }

    /// Why a recorded match is not shown.
    pub(crate) fn no_replay(text: String) -> Notice {
        Notice { title: say("panel.no-replay"), text, busy: false, now: None, back: say("back-to-title") }
    }

    pub(crate) fn lost(text: String) -> Notice {
        Notice { title: say("panel.lost"), text, busy: true, now: Some(say("try-now")), back: say("back-to-title") }
    }

    pub(crate) fn refused(text: String, remedy: Remedy) -> Notice {
        let (title, now) = match remedy {
            Remedy::PlayHere => ("panel.elsewhere", "play-here"),
            Remedy::Wait | Remedy::Lobby => ("panel.lost", "try-now"),
            Remedy::Reload => ("panel.cannot-play", "reload"),
        };
        Notice { title: say(title), text, busy: false, now: Some(say(now)), back: say("back-to-title") }
    }
}

/// What to tell the player at the end of a connection, and what helps. `reason` is that of the server's close frame.
pub(crate) fn verdict(end: ConnectionEnd, reason: &str, was_playing: bool) -> (String, Remedy) {
    match end {
        ConnectionEnd::Closed(number) => match CloseCode::from_code(number) {
            Some(code) => (advice(code).to_owned(), remedy(code)),
            // A code of a server newer than this page.
            None if !reason.is_empty() => (say_with("end.server", &[("reason", reason)]), Remedy::Wait),
            None if was_playing => (say("end.lost").to_owned(), Remedy::Wait),
            None => (unreachable_text().to_owned(), Remedy::Wait),
        },
        ConnectionEnd::TimedOut => (say("end.no-answer").to_owned(), Remedy::Wait),
        ConnectionEnd::Malformed => (advice(CloseCode::Malformed).to_owned(), Remedy::Reload),
    }
}

/// What a close code means for the player.
fn advice(code: CloseCode) -> &'static str {
    say_or(&["close.", &code.code().to_string()].concat(), code.advice())
}

/// Why no socket opens, by the server's answer about its health over HTTP; `None` if that does not get through either.
pub(crate) fn unreached(health: Result<(), &str>) -> Option<String> {
    match health {
        Ok(()) => Some(say("end.no-socket").to_owned()),
        Err(why) if why == unreachable_text() => None,
        Err(why) => Some(say_with("end.health-refused", &[("reason", why)])),
    }
}

fn remedy(code: CloseCode) -> Remedy {
    match (code, code.retry()) {
        (CloseCode::TakenOver, _) => Remedy::PlayHere,
        (CloseCode::NoSuchRoom | CloseCode::Normal, _) => Remedy::Lobby,
        (_, Retry::Automatic) => Remedy::Wait,
        (_, Retry::Manual) => Remedy::Reload,
    }
}

/// The countdown to the next attempt, in `left_ms` milliseconds.
pub(crate) fn countdown(why: &str, left_ms: f64) -> String {
    let seconds = (left_ms / 1000.0).ceil().max(0.0) as u32;
    let then = match seconds {
        0 => say("trying-again").to_owned(),
        _ => say_with("trying-again-in", &[("count", &seconds.to_string())]),
    };
    format!("{why} {then}").trim_start().to_owned()
}

/// The text for a position in the join queue, from 1.
pub(crate) fn queue_text(position: u32) -> String {
    match position {
        0 | 1 => say("queue.next").to_owned(),
        position => say_count("queue.many", position - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_retried_and_an_outdated_page_asks_for_a_reload() {
        let (why, remedy) = verdict(ConnectionEnd::Closed(CloseCode::GoingAway.code()), "", true);
        assert_eq!(remedy, Remedy::Wait);
        assert!(countdown(&why, 2100.0).ends_with("Trying again in 3 s."), "{}", countdown(&why, 2100.0));
        let (why, remedy) = verdict(ConnectionEnd::Closed(CloseCode::WrongRevision.code()), "", false);
        assert_eq!(remedy, Remedy::Reload);
        assert!(why.contains("Reload"), "{why}");
    }

    #[test]
    fn a_seat_taken_over_by_another_tab_is_not_taken_back_automatically() {
        let (why, remedy) = verdict(ConnectionEnd::Closed(CloseCode::TakenOver.code()), "", true);
        assert_eq!(remedy, Remedy::PlayHere);
        assert!(why.contains("another tab"), "{why}");
        assert_eq!(Notice::refused(why, remedy).now, Some("Play here"));
        assert_eq!(verdict(ConnectionEnd::Closed(CloseCode::NoSuchRoom.code()), "", true).1, Remedy::Lobby);
    }

    #[test]
    fn every_code_has_a_sentence_and_only_temporary_ones_are_retried() {
        for code in CloseCode::ALL {
            let (why, remedy) = verdict(ConnectionEnd::Closed(code.code()), "", true);
            assert!(why.ends_with('.'), "{why}");
            assert_eq!(remedy == Remedy::Wait, code.retry() == Retry::Automatic, "{code:?}");
        }
    }

    #[test]
    fn the_queue_position_reads_as_the_number_of_players_ahead() {
        assert!(queue_text(1).ends_with("You are next."));
        assert!(queue_text(12).ends_with("11 players are ahead of you."));
    }

    #[test]
    fn an_unknown_close_code_is_explained_by_the_servers_reason() {
        let (why, remedy) = verdict(ConnectionEnd::Closed(4999), "the moon is full", false);
        assert_eq!((why.as_str(), remedy), ("The server ended the connection: the moon is full.", Remedy::Wait));
    }

    #[test]
    fn a_server_that_answers_http_but_opens_no_socket_is_not_called_unreachable() {
        assert!(unreached(Ok(())).is_some_and(|why| why.contains("proxy") && why.contains("operator")));
        let refused = unreached(Err("Host is not this server; start it with --public-host."));
        assert!(refused.is_some_and(|why| why.contains("--public-host")));
        assert_eq!(unreached(Err(unreachable_text())), None);
    }

    #[test]
    fn a_lost_link_and_a_dead_server_read_differently() {
        assert_ne!(verdict(ConnectionEnd::Closed(1006), "", true).0, verdict(ConnectionEnd::Closed(1006), "", false).0);
        assert_eq!(verdict(ConnectionEnd::TimedOut, "", true).1, Remedy::Wait);
    }
}
