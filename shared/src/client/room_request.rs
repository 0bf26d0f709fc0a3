//! A room and a role that the player requests, as text, so that it survives a reload.

use crate::game::ModeSpec;
use crate::ids::RoomId;
use crate::protocol::room::{Role, RoomChoice};

/// Prefix of the path of a private room's link, relative to the page.
const LINK: &str = "r/";

/// A room and what to do in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomRequest {
    /// The room.
    pub room: RoomChoice,
    /// The role in it.
    pub role: Role,
}

impl RoomRequest {
    /// A request to play in a room.
    #[must_use]
    pub fn play(room: RoomChoice) -> RoomRequest {
        RoomRequest { room, role: Role::Play }
    }

    /// A request to spectate in a room.
    #[must_use]
    pub fn spectate(room: RoomChoice) -> RoomRequest {
        RoomRequest { room, role: Role::Spectate }
    }

    /// The request as one word: `quick`, `mode:NAME`, `room:7`, `code:K7QF2M`, with the prefix `watch:` for spectators.
    /// `modes` are those of the game.
    #[must_use]
    pub fn to_text(self, modes: &[ModeSpec]) -> String {
        let room = match self.room {
            // A reservation is valid once: a returning player takes any seat there.
            RoomChoice::Room(room) | RoomChoice::Reserved { room, .. } => format!("room:{room}"),
            RoomChoice::Quick => "quick".to_owned(),
            RoomChoice::Mode(mode) => {
                format!("mode:{}", modes.get(usize::from(mode.0)).map_or("", |mode| mode.name))
            }
            RoomChoice::Code(Some(code)) => format!("code:{code}"),
            RoomChoice::Code(None) => "code:".to_owned(),
        };
        match self.role {
            Role::Play => room,
            Role::Spectate => format!("watch:{room}"),
        }
    }

    /// Reads what [`RoomRequest::to_text`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str, modes: &[ModeSpec]) -> Option<RoomRequest> {
        let (role, room) = match text.strip_prefix("watch:") {
            Some(room) => (Role::Spectate, room),
            None => (Role::Play, text),
        };
        let room = match room.split_once(':') {
            None if room == "quick" => RoomChoice::Quick,
            Some(("mode", mode)) => RoomChoice::Mode(ModeSpec::named(modes, mode)?),
            Some(("room", id)) => RoomChoice::Room(RoomId(id.parse().ok()?)),
            Some(("code", code)) => RoomChoice::Code(Some(code.parse().ok()?)),
            Some(_) | None => return None,
        };
        Some(RoomRequest { room, role })
    }

    /// The request of a path relative to the page: the link of a private room.
    #[must_use]
    pub fn from_path(path: &str) -> Option<RoomRequest> {
        let code = path.strip_prefix(LINK)?;
        Some(RoomRequest::play(RoomChoice::Code(Some(code.trim_end_matches('/').parse().ok()?))))
    }

    /// The path of this request relative to the page: that of the private room's link, otherwise empty.
    #[must_use]
    pub fn path(self) -> String {
        match self.room {
            RoomChoice::Code(Some(code)) => format!("{LINK}{code}"),
            RoomChoice::Code(None)
            | RoomChoice::Quick
            | RoomChoice::Room(_)
            | RoomChoice::Mode(_)
            | RoomChoice::Reserved { .. } => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_a_reload_and_other_text_is_refused() {
        let modes = [ModeSpec::OPEN, ModeSpec { name: "duel", ..ModeSpec::OPEN }];
        for text in ["quick", "mode:open", "mode:duel", "room:7", "code:K7QF2M", "watch:room:7", "watch:code:K7QF2M"] {
            assert_eq!(
                RoomRequest::from_text(text, &modes).map(|request| request.to_text(&modes)).as_deref(),
                Some(text)
            );
        }
        for text in ["", "slow", "mode:brawl", "room:-1", "code:0", "watch:", "watch:watch:quick"] {
            assert_eq!(RoomRequest::from_text(text, &modes), None, "{text}");
        }
    }

    #[test]
    fn a_link_is_a_request_and_a_request_has_a_link() {
        let room_request = RoomRequest::from_path("r/k7qf2m/").expect("a valid link");
        assert_eq!(room_request.path(), "r/K7QF2M");
        assert_eq!(RoomRequest::play(RoomChoice::Quick).path(), "");
        for path in ["", "r/", "r/K7QF2", "x/K7QF2M", "r/K7QF2M/x", "/r/K7QF2M"] {
            assert_eq!(RoomRequest::from_path(path), None, "{path}");
        }
    }
}
