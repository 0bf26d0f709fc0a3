//! What a call into a connection is given, and where it leaves its effects.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::time::MonoTime;

use super::Connection;
use crate::fanout::room_fanout::RoomFanouts;
use crate::messages::EncodedMessage;

/// The origin of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A client at this address.
    Client(SocketAddr),
    /// One of the server's own bots: it counts towards no limit per address.
    Bot,
}

impl Origin {
    /// The address of a client; `None` for a bot.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Origin::Client(address) => Some(address.ip()),
            Origin::Bot => None,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Client(address) => address.fmt(f),
            Origin::Bot => f.write_str("bot"),
        }
    }
}

/// An instruction to the shell about one socket.
pub enum Output<G: Game> {
    /// Write this frame.
    Frame(usize, Vec<u8>),
    /// Write this message as a control frame.
    Message(usize, EncodedMessage),
    /// Send a WebSocket ping.
    Ping(usize),
    /// Close with this code. Nothing follows for this key; the shell ends the connection with `handle_lost`.
    Close(usize, CloseCode),
    /// Hand the socket with this key, and the connection, over to another shard. The key is free from here on.
    Migrate(usize, usize, Box<Connection<G>>),
}

/// The arguments of one call into a connection: its view of the server, and where it leaves its effects.
pub struct Turn<'a, G: Game, L> {
    pub now: MonoTime,
    pub lobby: &'a L,
    pub fanouts: &'a mut RoomFanouts<G>,
    pub outputs: &'a mut VecDeque<Output<G>>,
    pub counters: &'a mut Counters,
}

/// Traffic counters of a shard, for the shell to export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// WebSocket frames received.
    pub frames_in: u64,
    /// Input samples received.
    pub inputs: u64,
    /// Ticks whose fan-out was skipped because a newer tick arrived first.
    pub fanouts_skipped: u64,
    /// Whether any connection's subscriptions changed.
    pub(crate) subscriptions_changed: bool,
}
