//! What is on other nodes of the cluster: rooms, sessions, and whom players speak to.

use std::net::IpAddr;
use std::sync::Arc;

use broadside_core::commands::{AccountId, ConnectionId, Destination, SenderId, ShardCommand};
use broadside_core::lobby::{DirectMessage, Join, Joining};
use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::Publication;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{ModeId, Role, RoomChoice};
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::token::Token;
use broadside_shared::protocol::topic::Topic;

use super::directory::Rooms;
use super::{LobbyState, ServerLobby};
use crate::peers::records::Control;
use crate::peers::{Order, Peers, node_of_room, node_of_session};

impl LobbyState {
    /// Has every other node obey.
    pub fn tell_nodes(&self, control: Control) {
        if let Some(peers) = &self.peers {
            peers.order(Order::Control(control));
        }
    }

    /// Publishes an announcement, on every node.
    pub fn announce(&self, text: Text) {
        self.tell_nodes(Control::Announce { text: text.as_str().to_owned() });
        self.context.publish(Topic::Notices, None, Publication::Announcement(text));
    }

    /// Ends every session of an account, on whatever node; see [`Lobby::kick`](broadside_core::lobby::Lobby::kick).
    pub fn kick_account_everywhere(&self, account: AccountId, code: CloseCode, rooms: &dyn Rooms) {
        self.kick_account(account, code, rooms);
        self.tell_nodes(Control::KickAccount { account, code: code.code() });
    }

    /// The address of the node that has the session of a token, if it is another one.
    pub(super) fn url_of_session(&self, token: &Token) -> Option<String> {
        let peers = self.peers.as_ref()?;
        // The signature before the look-up: an address must not be had for a guess.
        let node = Some(node_of_session(token.session)).filter(|_| self.sessions.is_valid(token))?;
        peers.url_of(node, self.context.clock.now())
    }

    /// Passes on what somebody says in the lobby's chat.
    pub(super) fn say_elsewhere(&self, topic: Topic, from: Option<SenderId>, publication: &Publication) {
        if let (Some(peers), Topic::LobbyChat, Some(from)) = (&self.peers, topic, from) {
            peers.order(Order::Say(from, publication.clone()));
        }
    }

    /// Sends a direct message to a player on another node. The outcome comes as a command to the shard of the connection that asks.
    pub(super) fn send_direct(&self, (id, request): (ConnectionId, u32), to: &Name, direct: DirectMessage) -> bool {
        let Some(peers) = &self.peers else { return false };
        let shards = Arc::clone(&self.context.shards);
        let answer = Box::new(move |outcome| shards[id.shard].send([ShardCommand::Replied(id, request, outcome)]));
        peers.order(Order::Direct { to: to.clone(), direct, answer })
    }
}

impl<G: Game> ServerLobby<G> {
    /// What becomes of a join whose room is, or may be, on another node; `None` if it is for this one.
    ///
    /// # Errors
    /// The code to close the connection with.
    pub(super) fn elsewhere(&self, join: &Join) -> Result<Option<Joining>, CloseCode> {
        // The server's own bots play here.
        let (Some(peers), Some(address)) = (&self.peers, join.address) else { return Ok(None) };
        let now = self.context.clock.now();
        match join.choice {
            RoomChoice::Room(room) if self.directory.has_moved_here(room) => Ok(None),
            RoomChoice::Room(room) | RoomChoice::Reserved { room, .. } => match peers.url_of(node_of_room(room), now) {
                Some(url) => Ok(Some(Joining::Elsewhere(Destination { url, choice: join.choice }))),
                // Gone with its node: its players are seated here.
                None => match peers.mode_of_lost(room) {
                    Some(mode) => self.ask_here(&Join { choice: RoomChoice::Mode(mode), ..join.clone() }).map(Some),
                    None => Ok(None),
                },
            },
            RoomChoice::Code(Some(code)) if !self.directory.has_code(code) => {
                match self.directory.look_up(address, || peers.with_code(code, now)) {
                    Ok(Some(found)) => Ok(Some(Joining::Elsewhere(found))),
                    Ok(None) => Err(CloseCode::NoSuchRoom),
                    Err(_) => Err(CloseCode::TooManyFromAddress),
                }
            }
            RoomChoice::Code(_) => Ok(None),
            RoomChoice::Quick => Ok(self.quick_elsewhere(peers, ModeId(0), join, address)),
            RoomChoice::Mode(mode) => Ok(self.quick_elsewhere(peers, mode, join, address)),
        }
    }

    fn quick_elsewhere(&self, peers: &Peers, mode: ModeId, join: &Join, address: IpAddr) -> Option<Joining> {
        let now = self.context.clock.now();
        if self.directory.is_draining() {
            let url = peers.open(now).into_iter().next()?;
            return Some(Joining::Elsewhere(Destination { url, choice: join.choice }));
        }
        // Whoever watches needs no seat.
        if join.is_placed || join.role == Role::Spectate {
            return None;
        }
        let better = peers.better_rooms(mode, None, self.directory.best_fill(mode), now);
        if better.is_empty() {
            return None;
        }
        let (shards, id, number) = (Arc::clone(&self.context.shards), join.connection, join.number);
        let answer = Box::new(move |placed| shards[id.shard].send([ShardCommand::Placed(id, number, placed)]));
        let rooms: Vec<(RoomId, String)> = better.into_iter().map(|found| (found.room, found.url)).collect();
        peers.order(Order::Reserve { rooms, address, answer }).then_some(Joining::Asked)
    }
}
