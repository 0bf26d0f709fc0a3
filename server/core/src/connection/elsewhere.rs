//! What is on another server of the cluster: the room of a join, the recipient of a direct message, and where to connect when this server
//! is gone.

use std::collections::VecDeque;

use broadside_shared::game::Game;
use broadside_shared::protocol::message::Outcome;

use super::{Connection, Output, Turn};
use crate::commands::Placement;
use crate::lobby::Lobby;
use crate::messages::EncodedMessage;

impl<G: Game> Connection<G> {
    /// Tells the client of the other servers, behind the welcome.
    pub(super) fn tell_nodes(&mut self, lobby: &impl Lobby<G>) {
        if let Some(nodes) = lobby.nodes() {
            self.protocol.handle_message(&nodes);
        }
    }

    /// Delivers a message that every connection gets which was welcomed, at once: the next snapshot may not come.
    pub(crate) fn tell(&mut self, message: &EncodedMessage, outputs: &mut VecDeque<Output<G>>) {
        if self.session != 0 && !self.is_closing {
            outputs.push_back(Output::Message(self.id.key, message.clone()));
        }
    }

    /// Other servers were asked for a room for the join with this number.
    pub(crate) fn handle_placed<L: Lobby<G>>(&mut self, number: u32, placed: Placement, turn: &mut Turn<'_, G, L>) {
        // The client may have asked for something else meanwhile, or have left.
        let Some(mut join) = self.asking.take_if(|join| join.number == number) else { return };
        match placed {
            Placement::Here => {
                join.is_placed = true;
                self.join(*join, turn);
            }
            Placement::Elsewhere(to) => self.protocol.handle_redirect(to.url, Some(to.choice)),
        }
        self.drive(turn);
    }

    /// Another server was asked on the request with this number.
    pub(crate) fn handle_replied<L: Lobby<G>>(&mut self, id: u32, outcome: Outcome, turn: &mut Turn<'_, G, L>) {
        self.reply(id, outcome, turn);
    }
}
