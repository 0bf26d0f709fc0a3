//! The scores of a room, for who asks.

use broadside_shared::game::Game;
use broadside_shared::protocol::message::{Outcome, Refusal, ServerMsg};

use super::RoomLoop;
use crate::commands::{ConnectionId, Envelope, SeatAssignment, ShardCommand};
use crate::messages::EncodedMessage;

impl<G: Game> RoomLoop<G> {
    /// Answers a request for the scores. They are gathered and encoded at most once a second, whoever asks: to sort 3,000 players for each
    /// of as many requests would take the time of the ticks.
    pub(super) fn send_scores(&mut self, seat: SeatAssignment, connection: ConnectionId, id: u32) {
        let asker = self.seats.get(seat.player).filter(|taken| taken.assignment == seat);
        let Some(session) = asker.map(|taken| taken.session) else {
            let outcome = Outcome::Refused(Refusal::NotInRoom);
            return self.links[connection.shard].outgoing.push(ShardCommand::Answered(connection, id, outcome));
        };
        let now = self.tick;
        let kept = self.scores.take().filter(|(of, _)| now.since(*of) < G::TICK_HZ);
        let scores = kept.unwrap_or_else(|| {
            let lines = self.room.score_lines();
            (now, EncodedMessage::new(ServerMsg::Scores { lines }))
        });
        let outgoing = &mut self.links[connection.shard].outgoing;
        outgoing.push(ShardCommand::Answered(connection, id, Outcome::Done));
        let envelope = Envelope { from: None, message: scores.1.clone() };
        outgoing.push(ShardCommand::Deliver(Some(connection), session, envelope));
        self.scores = Some(scores);
    }
}
