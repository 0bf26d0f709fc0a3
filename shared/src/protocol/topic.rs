//! Topics: named streams that clients subscribe to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::RoomId;

/// A named stream. On the wire it is its name, such as `room/7/chat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Topic {
    /// `room/ID/chat`: the chat of a room.
    RoomChat(RoomId),
    /// `room/ID/feed`: the kill feed of a room.
    RoomFeed(RoomId),
    /// `room/ID/match`: the state of a room's match. Retained: a new subscriber receives the last value.
    RoomMatch(RoomId),
    /// `lobby/chat`: the chat of the server.
    LobbyChat,
    /// `leaderboard`: the best players of all rooms. Retained.
    Leaderboard,
    /// `notices`: announcements of the operator. Retained.
    Notices,
}

/// Text that names no topic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "no topic has this name; there are room/ID/chat, room/ID/feed, room/ID/match, lobby/chat, leaderboard and notices"
)]
pub struct NoSuchTopic;

impl FromStr for Topic {
    type Err = NoSuchTopic;

    fn from_str(name: &str) -> Result<Self, NoSuchTopic> {
        let room = |id: &str| -> Result<RoomId, NoSuchTopic> {
            let canonical = !id.starts_with('0') && id.bytes().all(|b| b.is_ascii_digit());
            if canonical { id.parse().map(RoomId).map_err(|_| NoSuchTopic) } else { Err(NoSuchTopic) }
        };
        match name.split('/').collect::<Vec<_>>()[..] {
            ["room", id, "chat"] => room(id).map(Topic::RoomChat),
            ["room", id, "feed"] => room(id).map(Topic::RoomFeed),
            ["room", id, "match"] => room(id).map(Topic::RoomMatch),
            ["lobby", "chat"] => Ok(Topic::LobbyChat),
            ["leaderboard"] => Ok(Topic::Leaderboard),
            ["notices"] => Ok(Topic::Notices),
            _ => Err(NoSuchTopic),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::RoomChat(room) => write!(f, "room/{room}/chat"),
            Topic::RoomFeed(room) => write!(f, "room/{room}/feed"),
            Topic::RoomMatch(room) => write!(f, "room/{room}/match"),
            Topic::LobbyChat => f.write_str("lobby/chat"),
            Topic::Leaderboard => f.write_str("leaderboard"),
            Topic::Notices => f.write_str("notices"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_parses_from_its_name_and_other_names_are_refused() {
        let room = RoomId(7);
        for topic in [
            Topic::RoomChat(room),
            Topic::RoomFeed(room),
            Topic::RoomMatch(room),
            Topic::LobbyChat,
            Topic::Leaderboard,
            Topic::Notices,
        ] {
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        for name in [
            "",
            "room",
            "room//chat",
            "room/07/chat",
            "room/-1/chat",
            "room/99999999999/feed",
            "Notices",
            "lobby/chat/x",
        ] {
            assert_eq!(name.parse::<Topic>(), Err(NoSuchTopic), "{name}");
        }
    }
}
