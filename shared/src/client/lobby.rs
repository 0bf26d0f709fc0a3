//! What a client wants besides playing: into a room and out of it, another name, requests, who is there.

use super::{Client, Phase};
use crate::game::{Game, PlayerId};
use crate::protocol::codec;
use crate::protocol::message::{ClientMsg, Request};
use crate::protocol::name::Name;
use crate::protocol::room::{Mode, Role, RoomChoice};
use crate::protocol::token::Token;
use crate::time::MonoTime;

impl<G: Game> Client<G> {
    /// Asks the server for something; gives the number that its answer will carry, or `None` when too much is asked for at once.
    pub fn request(&mut self, now: MonoTime, request: Request) -> Option<u32> {
        let (id, msg) = self.requests.send(now, request)?;
        self.send(codec::encode_client(&msg));
        Some(id)
    }

    /// Asks for a seat in another room, and gives up the one there is; the connection stays.
    pub fn switch(&mut self, now: MonoTime, room: RoomChoice, role: Role) {
        (self.config.room, self.config.role) = (Some(room), role);
        if self.phase != Phase::Greeting {
            self.phase = Phase::Joining;
            self.ask_for_a_seat(now);
        }
    }

    /// Gives up the seat, or the place in line, and stays in the lobby.
    pub fn exit(&mut self, now: MonoTime) {
        self.config.room = None;
        if matches!(self.phase, Phase::Joining | Phase::Playing) {
            self.return_to_lobby();
            self.request(now, Request::Exit);
        }
    }

    pub(super) fn return_to_lobby(&mut self) {
        self.config.room = None;
        self.phase = Phase::Lobby;
        // What is known of the world stays until the next seat: snapshots that are on their way build on it.
        (self.seat, self.place) = (None, None);
    }

    /// Gives up the seat and ends the session: nothing may follow but the end of the socket.
    pub fn leave(&mut self) {
        self.token = None;
        self.send(codec::encode_client(&ClientMsg::Leave));
    }

    /// Wants to be known by another name: at once in the lobby, otherwise with the next seat.
    pub fn rename(&mut self, now: MonoTime, name: Name) {
        if self.config.name == name {
            return;
        }
        self.config.name = name;
        if self.phase == Phase::Lobby
            && let Some((_, msg)) =
                self.requests.send(now, Request::Call { name: self.config.name.as_str().to_owned() })
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

    pub(super) fn ask_for_a_seat(&mut self, now: MonoTime) {
        let name = self.config.name.clone();
        let msg = match self.config.room {
            Some(room) => ClientMsg::Join { name, room, role: self.config.role },
            // Who is in the lobby wants to be found by name, too.
            None => match self.requests.send(now, Request::Call { name: name.as_str().to_owned() }) {
                Some((_, msg)) => msg,
                None => return,
            },
        };
        self.send(codec::encode_client(&msg));
    }
}
