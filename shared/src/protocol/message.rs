//! Control messages: everything said now and then, coded by bincode. State and inputs, said many times a second, have their
//! own codes in [`super::snapshot`] and [`super::input`].
//!
//! The order of variants and fields is the wire: append, never reorder, and count the change in
//! [`REVISION`](super::REVISION).

use serde::{Deserialize, Serialize};

use super::handshake::Handshake;
use super::match_status::MatchStatus;
use super::name::Name;
use super::room::{Mode, Role, RoomChoice};
use super::text::Text;
use super::token::Token;
use crate::ids::{PlayerId, RoomId};
use crate::time::{MonoTime, Tick};

/// Client to server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMsg {
    /// The first message: who speaks, and which revision.
    Hello {
        /// [`REVISION`](super::REVISION) of the client.
        revision: u16,
        /// The program, such as `web 0.1.0`: at most [`AGENT_BYTES_MAX`](super::limits::AGENT_BYTES_MAX) bytes, for logs only.
        agent: String,
        /// The seat of an earlier connection, to be taken up again.
        resume: Option<Resume>,
    },
    /// Asks for a seat. Any time after the welcome; who has a seat gives it up with this.
    Join {
        /// The name to play under; if somebody on this server has it, a number is put behind it.
        name: Name,
        /// In which room.
        room: RoomChoice,
        /// To do what.
        role: Role,
    },
    /// Asks for the server's time. Any time after the hello, about twice a second.
    Ping {
        /// The client's own clock; comes back unread.
        client_time: MonoTime,
    },
    /// Gives up the seat and ends the connection.
    Leave,
    /// Asks for something that is answered with [`ServerMsg::Reply`].
    Request {
        /// Comes back in the reply. A client counts up.
        id: u32,
        /// What is asked for.
        request: Request,
    },
}

/// What a client that comes back shows and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The token of the last welcome.
    pub token: Token,
    /// The newest snapshot applied; tick 0 if nothing is left of it, as after a reload.
    pub have: Tick,
    /// Every subscribed cell with how many ticks its state is behind `have`, in order of cell; at most
    /// [`RESUMED_CELLS_MAX`](super::limits::RESUMED_CELLS_MAX).
    pub cells: Vec<(u16, u8)>,
}

/// What a client asks for besides playing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// To be known by this name. A join says the same.
    SetName {
        /// The name; if somebody on this server has it, a number is put behind it.
        name: String,
    },
    /// To hear of a topic.
    Subscribe {
        /// Its name, such as `lobby/chat`.
        topic: String,
    },
    /// To hear of it no more.
    Unsubscribe {
        /// Its name.
        topic: String,
    },
    /// To say something to everyone who has subscribed to a chat.
    Say {
        /// The name of the topic.
        topic: String,
        /// What to say.
        text: String,
    },
    /// To say something to one player, wherever they are.
    DirectMessage {
        /// Their name.
        to: String,
        /// What to say.
        text: String,
    },
    /// To hear nothing more of what this player says.
    Mute {
        /// Their name.
        name: String,
    },
    /// To hear them again.
    Unmute {
        /// Their name.
        name: String,
    },
    /// To tell the operator about a player.
    Report {
        /// Their name.
        name: String,
        /// What they did.
        text: String,
    },
    /// To give up the seat, or the place in line, and stay connected.
    Exit,
    /// TeamLabel spectates: to look at what this player does.
    Follow {
        /// Their number.
        player: PlayerId,
    },
    /// To be shown the handshake of this connection, if it was kept.
    Handshake,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not, and this is why.
    Refused(Refusal),
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No topic has this name.
    NoSuchTopic,
    /// One may not say this here, or not hear this from where one is.
    NotAllowed,
    /// Too much in a short time.
    TooFast {
        /// When it may be tried again, in milliseconds.
        wait_ms: u32,
    },
    /// The text is empty or too long.
    BadText,
    /// The name is empty, too long or too wide, or reserved.
    BadName,
    /// Nobody of this name is connected.
    NoSuchPlayer,
    /// As many as there may be are there already: subscriptions, or muted players.
    TooMany,
    /// One has no name yet: call, or join.
    Nameless,
    /// One is in no room.
    NotInRoom,
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
            Refusal::NoSuchPlayer => "Nobody of that name is here.",
            Refusal::TooMany => "That is the most there may be.",
            Refusal::Nameless => "Choose a name first.",
            Refusal::NotInRoom => "Join a battle first.",
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
        /// Shown in the hello of a later connection, it gives the seat back.
        token: Token,
        /// Whether the seat that the hello asked for was given back: then joined follows without a join.
        resumed: bool,
    },
    /// The answer to the join: you are seated, snapshots follow.
    Joined {
        /// Which room.
        room: RoomId,
        /// Your number in it.
        player: PlayerId,
        /// Steps per second of the game.
        tick_hz: u32,
        /// Ticks from one snapshot to the next, and from one input packet to the next.
        snapshot_every: u32,
        /// When tick 0 of the room was due, by the server's clock; tick `n` is due `n / tick_hz` seconds later.
        tick_zero: MonoTime,
        /// The rules of the room.
        mode: Mode,
        /// What you do there.
        role: Role,
    },
    /// The answer to a ping.
    Pong {
        /// What the ping carried.
        client_time: MonoTime,
        /// The server's clock when it was answered.
        server_time: MonoTime,
        /// How long your room's newest tick took, in microseconds; 0 before you have a seat.
        tick_us: u32,
    },
    /// You asked for a seat and are in line for it. Said at once, then about twice a second, until you are seated.
    Queued {
        /// How many are before you, and you: 1 is the next.
        position: u32,
    },
    /// How a request ended.
    Reply {
        /// Its number.
        id: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something was published in a topic you subscribed to.
    Published {
        /// The name of the topic.
        topic: String,
        /// When, by the server's clock: what was said before you subscribed is older.
        at: MonoTime,
        /// What.
        publication: Publication,
    },
    /// A player said something to you alone.
    DirectMessage {
        /// TeamLabel.
        from: Name,
        /// What.
        text: Text,
    },
    /// The server has something to say to you alone.
    ServerNotice(ServerNotice),
    /// How this connection began.
    Handshake(Handshake),
}

/// What can be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Publication {
    /// Somebody said something.
    Said {
        /// TeamLabel.
        from: Name,
        /// What.
        text: Text,
    },
    /// Somebody did something in a room.
    KillFeed {
        /// TeamLabel did it, if anyone.
        by: Option<Name>,
        /// The verb, such as `sank`.
        verb: String,
        /// To whom.
        of: Name,
    },
    /// The best of all rooms, best first, at most [`BOARD_LINES_MAX`](super::limits::BOARD_LINES_MAX).
    Leaders(Vec<Leader>),
    /// The operator's word.
    Announcement(Text),
    /// How the match of a room stands.
    Match(MatchStatus),
}

/// A line of the leaderboard of all rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// TeamLabel.
    pub name: Name,
    /// In which room.
    pub room: RoomId,
    /// With which score.
    pub score: i32,
}

/// What the server says to one player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerNotice {
    /// Somebody mutes you: they do not hear what you say.
    Muted,
    /// Your room ends.
    RoomEnds {
        /// In so many seconds.
        seconds: u32,
    },
    /// Somebody came by the link of your room.
    FriendJoined {
        /// TeamLabel.
        name: Name,
    },
    /// This is your name, and not quite what you asked for: that was taken or reserved, or is written otherwise.
    Renamed {
        /// The name.
        name: Name,
    },
    /// You watch, and see what this player sees.
    Following {
        /// Their number.
        player: PlayerId,
    },
    /// Messages were dropped, because your line did not take them.
    Missed {
        /// How many.
        count: u32,
    },
}

/// What a room tells everyone in it, in the updates of a snapshot: each encoded once for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomUpdate {
    /// From now on this number stands for this name.
    Named {
        /// The number.
        player: PlayerId,
        /// The name.
        name: Name,
    },
    /// The player with this number left.
    Left {
        /// The number.
        player: PlayerId,
    },
    /// The best scores, best first.
    Board {
        /// When they were taken.
        tick: Tick,
        /// How many play.
        players: u16,
        /// Distance from the origin to where the world ends, in world units; 0 where it does not.
        extent: u16,
        /// At most [`BOARD_LINES_MAX`](super::limits::BOARD_LINES_MAX) lines.
        lines: Vec<(PlayerId, i32)>,
    },
    /// The connection of the player with this number is lost; their seat is kept for a while.
    Away {
        /// The number.
        player: PlayerId,
    },
    /// They are back.
    Back {
        /// The number.
        player: PlayerId,
    },
    /// How the match stands: when it changed, and once a second where it has rounds.
    Match(MatchStatus),
    /// A message to you, in a snapshot instead of a frame of its own.
    Message(Box<ServerMsg>),
}
