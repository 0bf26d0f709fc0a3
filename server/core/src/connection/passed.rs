//! A connection that another server passes to this one, socket and all: its session goes on, and the client is welcomed again over the same
//! socket.

use std::net::SocketAddr;

use broadside_shared::game::Game;
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::message::Resume;
use broadside_shared::time::{MonoTime, Tick};
use serde::{Deserialize, Serialize};

use super::protocol::ConnectionProtocol;
use super::{Connection, Origin, Turn};
use crate::commands::{ConnectionId, SessionId};
use crate::fanout::room_fanout::RoomFanouts;
use crate::lobby::Lobby;

/// What another server needs to go on with a connection, besides its session and its socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedConnection {
    pub session: SessionId,
    /// The newest snapshot that was written; tick 0 without one.
    pub have: Tick,
    pub address: SocketAddr,
    pub handshake: Option<Box<Handshake>>,
}

impl<G: Game> Connection<G> {
    /// A connection that another server has passed on.
    pub(crate) fn passed(id: ConnectionId, passed: &mut PassedConnection, now: MonoTime) -> Self {
        let connection = Connection::new(id, Origin::Client(passed.address), passed.handshake.take(), now);
        Connection { protocol: ConnectionProtocol::greeting(now), ..connection }
    }

    /// What another server goes on with; `None` for a connection without a session, and for one that is being closed.
    pub(crate) fn pass_on(&mut self, fanouts: &RoomFanouts<G>) -> Option<PassedConnection> {
        let Origin::Client(address) = self.origin else { return None };
        if self.session == 0 || self.is_closing {
            return None;
        }
        let have = self.seat().and_then(|(room, seat)| fanouts.get(&room)?.sent_tick(seat.player));
        let have = have.unwrap_or(Tick(0));
        Some(PassedConnection { session: self.session, have, address, handshake: self.handshake.take() })
    }

    /// Resumes the session as of the newest snapshot that the other server wrote. The client drops its cells at the welcome, so that each
    /// starts with a keyframe.
    pub(crate) fn go_on<L: Lobby<G>>(&mut self, session: SessionId, have: Tick, turn: &mut Turn<'_, G, L>) {
        let token = turn.lobby.token_of(session);
        self.greet(Some(Resume { token, have, cells: Vec::new() }), None, turn.lobby);
        self.drive(turn);
    }
}
