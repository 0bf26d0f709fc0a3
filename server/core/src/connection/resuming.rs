//! A session that goes on over another connection.

use broadside_shared::game::Game;
use broadside_shared::protocol::message::Resume;
use broadside_shared::protocol::token::Token;
use broadside_shared::time::Tick;

use super::{Connection, Membership, Turn};
use crate::commands::{RoomInfo, SeatLocation};
use crate::lobby::Lobby;

/// A resume in progress: the location of the seat, and the client's message.
#[derive(Debug, Clone)]
pub struct PendingResume {
    pub location: SeatLocation,
    pub resume: Resume,
}

impl<G: Game> Connection<G> {
    /// Gives this connection the seat that it resumes.
    pub(crate) fn resume<L: Lobby<G>>(&mut self, room: &RoomInfo, pending: &PendingResume, turn: &mut Turn<'_, G, L>) {
        let (token, seat) = (pending.resume.token, pending.location.seat);
        tracing::info!(address = %self.origin, room = %room.id, player = %seat.player, "resumed");
        self.session = token.session;
        let parked = turn.lobby.unpark(token.session);
        (self.subscriptions, self.messages) = (parked.subscriptions, parked.messages);
        turn.counters.subscriptions_changed = true;
        self.membership = Membership::Seated(room.id, seat);
        let account = turn.lobby.account_of(token.session);
        self.protocol.handle_welcome(token, account, Some(&room.joined::<G>(seat)));
        self.tell_nodes(turn.lobby);
        self.drive(turn);
        // What was published meanwhile; after a reload, which leaves the client nothing, all that a new subscriber would get.
        let is_reloaded = pending.resume.have == Tick(0);
        if is_reloaded {
            self.messages.drop_published();
        }
        self.deliver_missed(is_reloaded, turn);
    }

    /// The session that another server left to this one goes on, without a seat.
    pub(super) fn welcome_back(&mut self, token: Token, lobby: &impl Lobby<G>) {
        self.session = token.session;
        self.account.into_iter().for_each(|account| lobby.set_account(token.session, account));
        self.protocol.handle_welcome(token, lobby.account_of(token.session), None);
        self.tell_nodes(lobby);
        let parked = lobby.unpark(token.session);
        (self.subscriptions, self.messages) = (parked.subscriptions, parked.messages);
        self.is_back = true;
    }

    /// Sends what waited for a session that goes on without a seat, behind the welcome.
    pub(super) fn catch_up<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        turn.counters.subscriptions_changed = true;
        while let Some(message) = self.messages.pop() {
            self.deliver(message, turn.outputs);
        }
        self.deliver_missed(false, turn);
    }

    /// Delivers what was published in the topics subscribed to since it was last received; all that is kept to a client that was reloaded.
    fn deliver_missed<L: Lobby<G>>(&mut self, is_reloaded: bool, turn: &mut Turn<'_, G, L>) {
        for topic in self.subscriptions.topics().collect::<Vec<_>>() {
            let received = if is_reloaded { 0 } else { self.subscriptions.received(topic) };
            let is_muted = |from| !self.subscriptions.accepts_from(Some(from));
            let missed = turn.lobby.kept_after(topic, received, &is_muted);
            self.subscriptions.mark_received(topic, missed.until);
            missed.messages.into_iter().for_each(|message| self.deliver_published(topic, message, turn.outputs));
        }
    }
}
