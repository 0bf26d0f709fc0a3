//! Requests that the room answers: those of the game, read here, and that for its scores; they are refused here if the client leaves the room before.

use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::REQUEST_EVERY_MS;
use broadside_shared::protocol::message::{Outcome, Refusal};
use broadside_shared::protocol::room::Role;

use super::{Connection, Membership, Turn};
use crate::commands::{RoomCommand, SeatAssignment};
use crate::lobby::Lobby;

/// Most requests of the game that a connection may have waiting for the room; more are refused as too fast.
const UNANSWERED_MAX: usize = 32;

impl<G: Game> Connection<G> {
    /// The room answered a request of the game.
    pub(crate) fn handle_answered<L: Lobby<G>>(&mut self, id: u32, outcome: Outcome, turn: &mut Turn<'_, G, L>) {
        // Those that are not in the list were answered when the seat was given up.
        if let Some(at) = self.unanswered.iter().position(|unanswered| *unanswered == id) {
            self.unanswered.remove(at);
            self.reply(id, outcome, turn);
        }
    }

    /// Whether the room still has to answer a request of the game.
    #[must_use]
    pub fn awaits_answer(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// Passes a request of the game on to the room.
    pub(super) fn request_of_game<L: Lobby<G>>(&mut self, id: u32, body: &[u8], turn: &mut Turn<'_, G, L>) {
        let Ok(request) = codec::decode_value::<G::Request>(body) else {
            return self.protocol.handle_close(CloseCode::Malformed);
        };
        let connection = self.id;
        self.ask_room(
            id,
            |seat| seat.role == Role::Play,
            turn,
            |seat| RoomCommand::Request(seat, connection, id, request),
        );
    }

    /// Asks the room for its scores.
    pub(super) fn request_scores<L: Lobby<G>>(&mut self, id: u32, turn: &mut Turn<'_, G, L>) {
        let connection = self.id;
        self.ask_room(id, |_| true, turn, |seat| RoomCommand::Scores(seat, connection, id));
    }

    fn ask_room<L: Lobby<G>>(
        &mut self,
        id: u32,
        may_ask: impl Fn(SeatAssignment) -> bool,
        turn: &mut Turn<'_, G, L>,
        command: impl FnOnce(SeatAssignment) -> RoomCommand<G>,
    ) {
        let refusal = match self.membership {
            Membership::Seated(room, seat) if may_ask(seat) => {
                if self.unanswered.len() < UNANSWERED_MAX {
                    self.unanswered.push(id);
                    return turn.lobby.send(room, command(seat));
                }
                Refusal::TooFast { wait_ms: REQUEST_EVERY_MS }
            }
            Membership::Seated(..) | Membership::None | Membership::Queued { .. } => Refusal::NotInRoom,
        };
        self.reply(id, Outcome::Refused(refusal), turn);
    }

    /// Refuses what a room that it leaves has not answered.
    pub(super) fn drop_unanswered<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        for id in std::mem::take(&mut self.unanswered) {
            self.reply(id, Outcome::Refused(Refusal::NotInRoom), turn);
        }
    }
}
