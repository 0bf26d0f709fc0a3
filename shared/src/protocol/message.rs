//! Control messages, encoded by bincode. State and inputs, which are sent many times a second, have their own encodings
//! in [`super::snapshot`] and [`super::input`].
//!
//! The order of variants and fields is the wire format: append, never reorder, and count the change in
//! [`REVISION`](super::REVISION).

use serde::{Deserialize, Serialize};

use super::handshake::Handshake;
use super::match_status::MatchStatus;
use super::name::Name;
use super::room::{ModeId, Role, RoomChoice};
use super::text::Text;
use super::token::{AccountToken, Token};
use crate::ids::{AccountId, PlayerId, RoomId};
use crate::time::{MonoTime, Tick};

/// Client to server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMsg {
    /// The first message: the client's program and revision.
    Hello {
        /// [`REVISION`](super::REVISION) of the client.
        revision: u16,
        /// The program, such as `web 0.1.0`: at most [`AGENT_BYTES_MAX`](super::limits::AGENT_BYTES_MAX) bytes, for
        /// logs only.
        agent: String,
        /// The seat of an earlier connection, to be resumed.
        resume: Option<Resume>,
        /// The account to play for. One that is forged or expired is ignored, and never a reason to close; a resumed session keeps the
        /// account that it has.
        account: Option<AccountToken>,
    },
    /// Asks for a seat, at any time after the welcome. An earlier seat is given up.
    Join {
        /// The name to play under; if it is taken on this server, a number is appended.
        name: Name,
        /// The room.
        room: RoomChoice,
        /// The role in it.
        role: Role,
    },
    /// Asks for the server's time, at any time after the hello, about twice a second.
    Ping {
        /// The client's own clock; returned unread.
        client_time: MonoTime,
    },
    /// Gives up the seat and ends the session.
    Leave,
    /// A request, answered with [`ServerMsg::Reply`].
    Request {
        /// Returned in the reply. A client counts up.
        id: u32,
        /// The request.
        request: Request,
    },
}

/// A resuming client's token and the state it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The token of the last welcome.
    pub token: Token,
    /// The newest applied snapshot; tick 0 if the client has no state, as after a reload.
    pub have: Tick,
    /// Every subscribed cell with the number of ticks its state is behind `have`, in order of cell; at most
    /// [`RESUMED_CELLS_MAX`](super::limits::RESUMED_CELLS_MAX).
    pub cells: Vec<(u16, u8)>,
}

/// A client's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Sets the player's name, as a join does.
    SetName {
        /// The name; if it is taken on this server, a number is appended.
        name: String,
    },
    /// Subscribes to a topic.
    Subscribe {
        /// Name of the topic, such as `lobby/chat`.
        topic: String,
    },
    /// Unsubscribes from a topic.
    Unsubscribe {
        /// Name of the topic.
        topic: String,
    },
    /// Sends a chat message to a topic.
    Say {
        /// Name of the topic.
        topic: String,
        /// The text.
        text: String,
    },
    /// Sends a message to one player, in whatever room.
    DirectMessage {
        /// The player's name.
        to: String,
        /// The text.
        text: String,
    },
    /// Mutes a player.
    Mute {
        /// The player's name.
        name: String,
    },
    /// Unmutes a player.
    Unmute {
        /// The player's name.
        name: String,
    },
    /// Reports a player to the operator.
    Report {
        /// The player's name.
        name: String,
        /// What the player did.
        text: String,
    },
    /// Gives up the seat, or the position in the join queue, and stays connected.
    Exit,
    /// Follows a player; for spectators.
    Follow {
        /// The player's number.
        player: PlayerId,
    },
    /// Returns the handshake of this connection, if it was kept.
    Handshake,
    /// A request of the game, for the room that the player is seated in:
    /// [`Game::Request`](crate::game::Game::Request), encoded by [`codec::encode_value`](super::codec::encode_value).
    Game {
        /// At most [`GAME_REQUEST_MAX`](super::limits::GAME_REQUEST_MAX) bytes.
        body: Vec<u8>,
    },
    /// Returns the scores of the room of this connection, as [`ServerMsg::Scores`]: for players and spectators.
    Scores,
    /// Follows nobody and sees the surroundings of a place, in world units; for spectators.
    Look {
        /// Along x.
        x: i32,
        /// Along y.
        y: i32,
    },
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It was refused.
    Refused(Refusal),
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No topic has this name.
    NoSuchTopic,
    /// The connection may not publish to this topic, or not subscribe to it from its room.
    NotAllowed,
    /// Too many requests in a short time.
    TooFast {
        /// Time after which a new attempt succeeds, in milliseconds.
        wait_ms: u32,
    },
    /// The text is empty or too long.
    BadText,
    /// The name is empty, too long or too wide, or reserved.
    BadName,
    /// No connected player has this name.
    NoSuchPlayer,
    /// The limit of subscriptions or muted players is reached.
    TooMany,
    /// The player has no name yet: send `SetName` or a join first.
    Nameless,
    /// The connection is in no room, or only spectates.
    NotInRoom,
    /// The game refused it.
    ByGame {
        /// Why: an index in [`Game::REFUSALS`](crate::game::Game::REFUSALS).
        reason: u8,
    },
    /// A moderator has muted the player's account.
    Muted,
}

impl Refusal {
    /// A sentence for the player: what was wrong and what to do.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Refusal::NoSuchTopic => "There is no such topic.",
            Refusal::NotAllowed => "You cannot do that from here.",
            Refusal::TooFast { .. } => "Too fast. Wait a moment.",
            Refusal::BadText => "A message has 1 to 200 characters.",
            Refusal::BadName => "That name is empty, too long, or reserved.",
            Refusal::NoSuchPlayer => "Nobody of that name is connected.",
            Refusal::TooMany => "You have reached the limit.",
            Refusal::Nameless => "Choose a name first.",
            Refusal::NotInRoom => "Join a room first.",
            Refusal::ByGame { .. } => "The game does not allow that now.",
            Refusal::Muted => "A moderator has muted you.",
        }
    }
}

/// Server to client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMsg {
    /// The answer to the hello.
    Welcome {
        /// [`REVISION`](super::REVISION) of the server.
        revision: u16,
        /// The program, such as `broadside 0.1.0`.
        server: String,
        /// Resumes the session, in the hello of a later connection.
        token: Token,
        /// Whether the seat named in the hello was resumed: then `Joined` follows without a join.
        resumed: bool,
        /// The account that results of this session count for; `None` without one. A client that sent a token for another one
        /// gets a new token over HTTP for its next connection.
        account: Option<AccountId>,
    },
    /// The answer to the join: the client is seated, and snapshots follow.
    Joined {
        /// The room.
        room: RoomId,
        /// The player's number in it.
        player: PlayerId,
        /// Steps per second of the game.
        tick_hz: u32,
        /// Ticks from one snapshot to the next, and from one input packet to the next.
        snapshot_every: u32,
        /// When tick 0 of the room was due, by the server's clock; tick `n` is due `n / tick_hz` seconds later.
        tick_zero: MonoTime,
        /// The mode of the room.
        mode: ModeId,
        /// The role in it.
        role: Role,
    },
    /// The answer to a ping.
    Pong {
        /// What the ping carried.
        client_time: MonoTime,
        /// The server's clock when it was answered.
        server_time: MonoTime,
        /// How long the newest tick of the room took, in microseconds; 0 without a seat.
        tick_us: u32,
    },
    /// The client is in the join queue. Sent at once, then about twice a second until it is seated.
    Queued {
        /// Position in the queue; 1 is the next.
        position: u32,
    },
    /// The answer to a request.
    Reply {
        /// Number of the request.
        id: u32,
        /// The outcome.
        outcome: Outcome,
    },
    /// A publication in a subscribed topic.
    Published {
        /// Name of the topic.
        topic: String,
        /// When it was published, by the server's clock; before the subscription if it is an older one.
        at: MonoTime,
        /// The publication.
        publication: Publication,
    },
    /// A message from a player to this one.
    DirectMessage {
        /// The sender.
        from: Name,
        /// The text.
        text: Text,
    },
    /// A notice from the server to this client.
    ServerNotice(ServerNotice),
    /// The handshake of this connection.
    Handshake(Handshake),
    /// What the client wants is on another server of the cluster: this one closes the connection with 1012, and the client connects there
    /// at once, with the same name, role and account.
    Redirect {
        /// Where to connect, such as `wss://n2.example.org/game`: scheme, host, port if it is not the default, and base path without a
        /// final `/`. At most [`NODE_URL_MAX`](super::limits::NODE_URL_MAX) bytes.
        url: String,
        /// What to ask for there, in a new session, instead of what this connection asked for; `None` to resume the session there with
        /// the token that this connection showed. It holds for this once: whoever loses the seat there asks for what the player chose.
        join: Option<RoomChoice>,
    },
    /// The other servers of the cluster, after the welcome and when they change: whoever can no longer connect to this one tries them.
    Nodes {
        /// As in [`ServerMsg::Redirect`], at most [`NODES_TOLD_MAX`](super::limits::NODES_TOLD_MAX); none outside a cluster.
        urls: Vec<String>,
    },
    /// The scores of the room, after the reply to [`Request::Scores`].
    Scores {
        /// Best first, at most [`SCORE_LINES_MAX`](super::limits::SCORE_LINES_MAX): in a larger room the best.
        lines: Vec<ScoreLine>,
    },
}

/// What the scores of a room say of a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreLine {
    /// The player.
    pub player: PlayerId,
    /// The score, as in the board.
    pub score: i32,
    /// Opponents beaten: ships sunk in the arena.
    pub kills: u32,
    /// Lives lost.
    pub deaths: u32,
    /// Opponents beaten by others to whom this player had done much of the damage.
    pub assists: u32,
    /// Round trip time in milliseconds, as the server measures it; 0 while it knows none, and for its own bots.
    pub ping_ms: u16,
}

/// What is published in a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Publication {
    /// A chat message.
    Said {
        /// The sender.
        from: Name,
        /// The text.
        text: Text,
    },
    /// A kill-feed entry of a room.
    KillFeed {
        /// The player who did it; `None` if nobody did.
        by: Option<Name>,
        /// The verb, such as `sank`.
        verb: String,
        /// The player it was done to.
        of: Name,
    },
    /// The best players of all rooms, best first, at most
    /// [`BOARD_LINES_MAX`](super::limits::BOARD_LINES_MAX).
    Leaders(Vec<Leader>),
    /// An announcement of the operator.
    Announcement(Text),
    /// The state of a room's match.
    Match(MatchStatus),
}

/// An entry of the leaderboard of all rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// The player.
    pub name: Name,
    /// The room.
    pub room: RoomId,
    /// The score.
    pub score: i32,
}

/// A notice from the server to one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerNotice {
    /// A player has muted this one, and does not receive its messages.
    Muted,
    /// The room ends.
    RoomEnds {
        /// Time until then, in seconds.
        seconds: u32,
    },
    /// A player joined by the room's link.
    FriendJoined {
        /// The player.
        name: Name,
    },
    /// The player's name, where it differs from the requested one: that was taken or reserved, or is written otherwise.
    Renamed {
        /// The name.
        name: Name,
    },
    /// The player that this spectator follows.
    Following {
        /// The player's number.
        player: PlayerId,
    },
    /// Messages were dropped, because the link was too slow for them.
    Missed {
        /// Number of dropped messages.
        count: u32,
    },
}

/// An update for everyone in a room, in the snapshots: encoded once for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomUpdate {
    /// Name of a player number, from now on.
    Named {
        /// The player's number.
        player: PlayerId,
        /// The name.
        name: Name,
    },
    /// A player left.
    Left {
        /// The player's number.
        player: PlayerId,
    },
    /// The best scores, best first.
    Board {
        /// The tick of the scores.
        tick: Tick,
        /// Number of players in the room.
        players: u16,
        /// Distance from the origin to the end of the world, in world units; 0 where the world has no end.
        extent: u16,
        /// At most [`BOARD_LINES_MAX`](super::limits::BOARD_LINES_MAX) lines.
        lines: Vec<(PlayerId, i32)>,
    },
    /// A player's connection is lost; the seat is kept for a while.
    Away {
        /// The player's number.
        player: PlayerId,
    },
    /// A player's connection is back.
    Back {
        /// The player's number.
        player: PlayerId,
    },
    /// The state of the match: when it changes, and once a second in modes with rounds.
    Match(MatchStatus),
    /// A message to this client, in a snapshot instead of a frame of its own.
    Message(Box<ServerMsg>),
    /// The game's own state of the room: [`Game::RoomState`](crate::game::Game::RoomState), encoded by
    /// [`codec::encode_value`](super::codec::encode_value), when it has changed. At most
    /// [`ROOM_STATE_MAX`](super::limits::ROOM_STATE_MAX) bytes.
    State(Vec<u8>),
    /// A player is one of the server's own bots.
    Bot {
        /// The player's number.
        player: PlayerId,
    },
}
