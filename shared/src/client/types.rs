//! Configuration, events and the view of a client.

use super::interpolation::InterpolatedEntity;
use super::requests::Answer;
use super::stats::SnapshotArrival;
use crate::game::Game;
use crate::ids::{PlayerId, RoomId};
use crate::protocol::message::{Publication, ServerNotice};
use crate::protocol::name::Name;
use crate::protocol::room::{ModeId, Role, RoomChoice};
use crate::protocol::text::Text;
use crate::protocol::token::Token;
use crate::time::MonoTime;

/// A client's identity, and how much it keeps.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The player's name.
    pub name: Name,
    /// The program and its version, for the server's log.
    pub agent: String,
    /// The room to ask for; `None` stays in the lobby.
    pub room: Option<RoomChoice>,
    /// The role in that room.
    pub role: Role,
    /// How much the client keeps.
    pub detail: Detail,
}

/// How much a client keeps of what it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything: [`Client::view`](super::Client::view) can be drawn.
    View,
    /// The replica, the prediction and the statistics, for bots. [`Client::view`](super::Client::view) shows nothing
    /// but the own player.
    Replica,
    /// Decodes everything, keeps the replica and the statistics, and predicts nothing:
    /// [`Client::local_player`](super::Client::local_player) is the server's newest state, and names and events are
    /// dropped. The cheapest client for a load test.
    Decode,
    /// As [`Detail::Decode`] until the server's clock is well known; from then on only the head and the own state of a snapshot are read, and
    /// [`Client::decodes`](super::Client::decodes) is false. Room updates and messages that come with snapshots are then lost, and nobody
    /// pings. For the many clients of a load test beside a few that decode.
    Heads,
}

impl Detail {
    /// Whether the client neither predicts nor shows anything.
    pub(super) fn is_for_load(self) -> bool {
        match self {
            Detail::View | Detail::Replica => false,
            Detail::Decode | Detail::Heads => true,
        }
    }
}

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The socket is not open yet, or the welcome has not arrived.
    Greeting,
    /// Welcomed, and in no room: chat and topics work.
    Lobby,
    /// Welcomed; waiting for a seat or in the join queue.
    Joining,
    /// Seated; snapshots arrive.
    Playing,
}

/// The kind of a received frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Received {
    /// A control message.
    Control,
    /// A snapshot, with the statistics of its arrival.
    Snapshot(SnapshotArrival),
}

/// An event that happened once.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent<G: Game> {
    /// The client has a seat.
    Joined {
        /// The room.
        room: RoomId,
        /// The player's number in it.
        player: PlayerId,
        /// The mode of the room.
        mode: ModeId,
        /// The role in it.
        role: Role,
    },
    /// The session has this token: store it where it survives a reload.
    Welcomed(Token),
    /// A request was answered or given up.
    Answered {
        /// Number of the request, as [`Client::request`](super::Client::request) returned it.
        id: u32,
        /// The answer.
        answer: Answer,
    },
    /// A publication in a subscribed topic.
    Published {
        /// Name of the topic.
        topic: String,
        /// When it was published, by the server's clock: see [`Client::age_ms_of`](super::Client::age_ms_of).
        at: MonoTime,
        /// The publication.
        publication: Publication,
    },
    /// A message from another player to this one.
    DirectMessage {
        /// The sender.
        from: Name,
        /// The text.
        text: Text,
    },
    /// A notice from the server to this client.
    ServerNotice(ServerNotice),
    /// An event of the game, given out when the view reaches its tick.
    Game(G::Event),
}

/// What to draw at one moment.
#[derive(Debug, Clone)]
pub struct View<G: Game> {
    /// The moment of `entities`, in ticks with a fraction; behind the server by the interpolation delay.
    pub tick: f64,
    /// The moment of the own player, in ticks with a fraction; ahead of the server by the input lead.
    pub own_tick: f64,
    /// The own state; `None` without a seat or before the first state arrives.
    pub own: Option<LocalPlayerView<G>>,
    /// All other known entities, in order of id.
    pub entities: Vec<InterpolatedEntity>,
    /// Spawns of the local player, shown from the moment of the input and confirmed or withdrawn by the server.
    /// `InterpolatedEntity::tick` is the moment each is drawn at: at first that of the own player, easing to `tick`, so
    /// that hits are seen where they are judged.
    pub predicted_spawns: Vec<InterpolatedEntity>,
}

/// The own state between two client ticks.
#[derive(Debug, Clone)]
pub struct LocalPlayerView<G: Game> {
    /// One tick before `current`.
    pub previous: G::LocalPlayerState,
    /// At the newest client tick.
    pub current: G::LocalPlayerState,
    /// Fraction of the way from `previous` to `current`, 0..=1.
    pub alpha: f32,
    /// World units to add to the drawn position: the rest of past corrections.
    pub offset: glam::Vec2,
}
