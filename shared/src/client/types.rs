//! What a client is made from, and what it gives.

use super::interpolation::InterpolatedEntity;
use super::requests::Answer;
use super::stats::SnapshotArrival;
use crate::game::Game;
use crate::ids::{PlayerId, RoomId};
use crate::protocol::message::{Publication, ServerNotice};
use crate::protocol::name::Name;
use crate::protocol::room::{Mode, Role, RoomChoice};
use crate::protocol::text::Text;
use crate::protocol::token::Token;
use crate::time::MonoTime;

/// TeamLabel a client is and how much it keeps.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The name to play under.
    pub name: Name,
    /// The program and its version, for the server's log.
    pub agent: String,
    /// The room to ask for; `None` stays in the lobby.
    pub room: Option<RoomChoice>,
    /// What to do there.
    pub role: Role,
    /// Whether anyone looks at the view.
    pub detail: Detail,
}

/// How much a client keeps of what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything: [`Client::view`](super::Client::view) can be drawn.
    View,
    /// The replica, the prediction and the figures, for bots; [`Client::view`](super::Client::view) shows nothing but the own ship.
    Replica,
    /// Decodes all that comes and keeps the replica and the figures, but predicts nothing: [`Client::own`](super::Client::own) is what the server
    /// last said, names and events are dropped. The cheapest player that a load test can have.
    Decode,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The socket is not open yet, or no welcome has come.
    Greeting,
    /// Welcomed, and in no room: chat and topics work.
    Lobby,
    /// Welcomed; waiting for a seat.
    Joining,
    /// Seated; snapshots come.
    Playing,
}

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Received {
    /// A control message.
    Control,
    /// A snapshot, with the figures of its arrival.
    Snapshot(SnapshotArrival),
}

/// Something that happened once.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent<G: Game> {
    /// The server gave us a seat.
    Joined {
        /// In this room.
        room: RoomId,
        /// With this number.
        player: PlayerId,
        /// The rules of the room.
        mode: Mode,
        /// What we do there.
        role: Role,
    },
    /// The server knows us by this token: to be kept where a reload does not reach.
    Welcomed(Token),
    /// What became of a request.
    Answered {
        /// Its number, as [`Client::request`](super::Client::request) gave it.
        id: u32,
        /// What became of it.
        answer: Answer,
    },
    /// Something was published in a topic we subscribed to.
    Published {
        /// The name of the topic.
        topic: String,
        /// When, by the server's clock: [`Client::age_ms_of`](super::Client::age_ms_of) says how long ago.
        at: MonoTime,
        /// What.
        publication: Publication,
    },
    /// A player said something to us alone.
    DirectMessage {
        /// TeamLabel.
        from: Name,
        /// What.
        text: Text,
    },
    /// The server said something to us alone.
    ServerNotice(ServerNotice),
    /// The game's event, given out when the view has come to its tick.
    Game(G::Event),
}

/// What to draw at one moment.
#[derive(Debug, Clone)]
pub struct View<G: Game> {
    /// The moment that `things` are drawn at, in ticks with a fraction; behind the server by the interpolation delay.
    pub tick: f64,
    /// The moment that the own ship is drawn at, in ticks with a fraction; ahead of the server by the input lead.
    pub own_tick: f64,
    /// The own state, if seated and told of it.
    pub own: Option<LocalPlayerView<G>>,
    /// Everything else in reach, in order of id.
    pub entities: Vec<InterpolatedEntity>,
    /// What the own player let loose: shown from the moment of the input, confirmed or withdrawn by the server. `InterpolatedEntity::tick`
    /// of each is the moment it is drawn at: its own at first, easing to `tick`, so that hits are seen where they are judged.
    pub predicted_spawns: Vec<InterpolatedEntity>,
}

/// The own state between two client ticks.
#[derive(Debug, Clone)]
pub struct LocalPlayerView<G: Game> {
    /// One tick before `current`.
    pub previous: G::LocalPlayerState,
    /// At the newest client tick.
    pub current: G::LocalPlayerState,
    /// How far the moment is from `previous` to `current`, 0..=1.
    pub alpha: f32,
    /// World units to add to the drawn position: what is left of past corrections.
    pub offset: glam::Vec2,
}
