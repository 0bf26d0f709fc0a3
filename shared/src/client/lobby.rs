//! What a client that is welcomed wants besides a seat: another name, and who is there.

use super::{Client, Phase};
use crate::game::Game;
use crate::ids::PlayerId;
use crate::protocol::codec;
use crate::protocol::message::Request;
use crate::protocol::name::Name;
use crate::protocol::room::Mode;
use crate::protocol::token::Token;
use crate::time::MonoTime;

impl<G: Game> Client<G> {
    /// Wants to be known by another name: at once in the lobby, otherwise with the next seat.
    pub fn rename(&mut self, now: MonoTime, name: Name) {
        if self.config.name == name {
            return;
        }
        self.config.name = name;
        if self.phase == Phase::Lobby
            && let Some((_, msg)) =
                self.requests.send(now, Request::SetName { name: self.config.name.as_str().to_owned() })
        {
            self.send(codec::encode_client(&msg));
        }
    }

    /// The name that the server last knew us by, or was asked to.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.config.name
    }

    /// What gives the seat back over another connection, once welcomed.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        self.token
    }

    /// Everyone in the room whose name was told, in order of number.
    pub fn roster(&self) -> impl Iterator<Item = (PlayerId, &str)> {
        self.names.iter().map(|(player, name)| (*player, name.as_str()))
    }

    /// The rules of the room we are in.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.room().map(|(_, mode, _)| mode)
    }

    /// The server's clock at `now`, once a ping has come back.
    #[must_use]
    pub fn server_time(&self, now: MonoTime) -> Option<MonoTime> {
        self.clock.is_set().then(|| MonoTime(self.clock.server_us(now).max(0.0) as u64))
    }
}
