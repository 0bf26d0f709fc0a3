//! A client's choice of a room: by mode, by code or by reservation.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

use crate::ids::RoomId;

/// Number of one of the game's modes: its index in [`Game::MODES`](crate::game::Game::MODES). A client may send any
/// number, so the server checks it against the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ModeId(pub u8);

/// The code of a private room: [`RoomCode::LEN`] letters and digits, none of which looks like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomCode([u8; RoomCode::LEN]);

/// Text that is not a room code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a room code: it has {} letters and digits, such as K7QF2M", RoomCode::LEN)]
pub struct NoRoomCode;

impl RoomCode {
    /// Letters and digits in a code: 31^6 is about 900 million, so that guessing is hopeless under the request limits.
    pub const LEN: usize = 6;
    /// Without 0 and O, and without 1, I and L.
    pub const ALPHABET: &'static [u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

    /// The code of the letters at `pick(31)`, called once for each; `pick` gives numbers below 31.
    #[must_use]
    pub fn from_picks(mut pick: impl FnMut(usize) -> usize) -> RoomCode {
        RoomCode(std::array::from_fn(|_| Self::ALPHABET[pick(Self::ALPHABET.len()) % Self::ALPHABET.len()]))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for RoomCode {
    type Err = NoRoomCode;

    /// Accepts lower and upper case.
    fn from_str(text: &str) -> Result<Self, NoRoomCode> {
        let mut code = [0; Self::LEN];
        if text.len() != Self::LEN {
            return Err(NoRoomCode);
        }
        for (letter, byte) in code.iter_mut().zip(text.bytes()) {
            *letter = byte.to_ascii_uppercase();
            if !Self::ALPHABET.contains(letter) {
                return Err(NoRoomCode);
            }
        }
        Ok(RoomCode(code))
    }
}

impl From<RoomCode> for String {
    fn from(code: RoomCode) -> String {
        code.as_str().to_owned()
    }
}

impl TryFrom<String> for RoomCode {
    type Error = NoRoomCode;

    fn try_from(text: String) -> Result<Self, NoRoomCode> {
        text.parse()
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A code as typed by a person: any text decodes, since a typing mistake is not a malformed message, and [`None`]
/// stands for text that is not a code.
mod typed {
    use super::RoomCode;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(code: &Option<RoomCode>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(code.as_ref().map_or("", RoomCode::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RoomCode>, D::Error> {
        Ok(String::deserialize(from)?.parse().ok())
    }
}

/// The room a client asks for a seat in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RoomChoice {
    /// Any room, chosen by the server.
    #[default]
    Quick,
    /// The public room with this number.
    Room(RoomId),
    /// A room of this mode, chosen by the server, which opens one if none has a free seat.
    Mode(ModeId),
    /// The private room with this code; `None` if the typed text is not a code and so matches no room.
    Code(#[serde(with = "typed")] Option<RoomCode>),
    /// The room in which a seat was reserved over HTTP.
    Reserved {
        /// The room.
        room: RoomId,
        /// The number that `POST /api/quickplay` returned.
        reservation: u64,
    },
}

/// A client's role in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Role {
    /// Plays.
    #[default]
    Play,
    /// Spectates: it has a seat, and nothing in the world.
    Spectate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_either_case_and_other_text_is_refused() {
        let mut next = 0;
        let code = RoomCode::from_picks(|_| {
            next += 6;
            next
        });
        assert_eq!(code.to_string().parse(), Ok(code));
        assert_eq!(code.to_string().to_lowercase().parse(), Ok(code));
        for text in ["", "K7QF2", "K7QF2MM", "K7QF2O", "K7QF2é", "K7 F2M"] {
            assert_eq!(text.parse::<RoomCode>(), Err(NoRoomCode), "{text}");
        }
    }
}
