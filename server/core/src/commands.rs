//! Ids, and the commands that rooms and shards exchange. Nothing here holds a socket.

use std::net::IpAddr;
use std::sync::Arc;

use broadside_shared::game::Game;
pub use broadside_shared::ids::AccountId;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{Outcome, RoomUpdate, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::{MonoTime, Tick};
use serde::{Deserialize, Serialize};

use crate::messages::EncodedMessage;
use crate::room::{RoomConfig, RoomOutput};

/// A session: a player's stay, which may outlive its connections. 0 stands for none.
pub type SessionId = u64;

/// Who says something, for those who mute it: an account, so that a mute holds in its next session too, or a session without one.
pub type SenderId = u64;

/// What an account is muted by: its random part, which no session has by chance.
#[must_use]
pub fn sender_of(account: AccountId) -> SenderId {
    let [.., a, b, c, d, e, f, g, h] = account.0;
    SenderId::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId {
    /// The shard that owns it.
    pub shard: usize,
    /// Its key there. Keys are reused.
    pub key: usize,
    /// Unique in the process: distinguishes it from earlier connections with the same key.
    pub serial: u64,
}

impl ConnectionId {
    /// No connection has this id.
    pub const NONE: ConnectionId = ConnectionId { shard: 0, key: usize::MAX, serial: u64::MAX };
}

/// What a shard knows of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomInfo {
    pub id: RoomId,
    pub config: RoomConfig,
    /// Whether it is found only by its code.
    pub is_private: bool,
}

impl RoomInfo {
    /// The message that gives a client its seat.
    #[must_use]
    pub fn joined<G: Game>(&self, seat: SeatAssignment) -> ServerMsg {
        ServerMsg::Joined {
            room: self.id,
            player: seat.player,
            tick_hz: G::TICK_HZ,
            snapshot_every: self.config.snapshot_every,
            tick_zero: seat.tick_zero,
            mode: self.config.mode,
            role: seat.role,
        }
    }
}

/// A seat given to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatAssignment {
    pub player: PlayerId,
    /// When tick 0 of the room was due. A restarted room has another one, so that commands for the seats of the failed room do not
    /// reach those of the new one.
    pub tick_zero: MonoTime,
    /// The last tick before the assignment: distinguishes the holder from the next holder of the same seat.
    pub since: Tick,
    pub role: Role,
}

/// Where a session has its seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatLocation {
    /// The shard that does the room's fan-out to it.
    pub shard: usize,
    pub room: RoomId,
    pub seat: SeatAssignment,
}

/// How a client found a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinMethod {
    /// In the list of rooms, or by quick play.
    Public,
    /// By the code or the invitation link of a private room.
    Code,
    /// With the reservation that has this number.
    Reservation(u64),
}

/// A connection's request for a seat.
#[derive(Debug)]
pub struct JoinRequest {
    pub name: Name,
    pub role: Role,
    pub method: JoinMethod,
    pub connection: ConnectionId,
    pub session: SessionId,
    /// The account that the result is for; `None` without one.
    pub account: Option<AccountId>,
    /// `None` for the server's own bots, which count towards no limit.
    pub address: Option<IpAddr>,
    /// The address's share of the room's seats; taken when the room handles the request.
    pub hold: Hold,
    /// The address's share of the join queue, while the request waits there.
    pub queue_hold: Hold,
}

/// A share of a limit, given back on drop. Empty for what is exempt.
#[derive(Default)]
pub struct Hold(Option<Box<dyn Send + Sync>>);

impl Hold {
    /// Holds `share` until it is dropped.
    pub fn new(share: impl Send + Sync + 'static) -> Self {
        Hold(Some(Box::new(share)))
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Hold(taken)" } else { "Hold(none)" })
    }
}

/// A command to a room.
pub enum RoomCommand<G: Game> {
    Join(JoinRequest),
    /// Withdraws the connection's join request: the connection is gone, or has made another request.
    CancelJoin(ConnectionId),
    /// The player gives up the seat.
    Leave(SeatAssignment),
    /// The player's connection is lost; the seat is kept for the grace period.
    Park(SeatAssignment),
    /// The player resumes the seat over this connection, with the account that the session has by now.
    Resume(SeatAssignment, ConnectionId, Option<AccountId>),
    Rename(SeatAssignment, Name),
    /// Renames the join request of this connection, or its seat if the assignment is still on its way.
    RenameQueued(ConnectionId, Name),
    /// The spectator follows this player.
    Follow(SeatAssignment, PlayerId),
    /// The spectator follows nobody, and looks at this place in world units.
    Look(SeatAssignment, (i32, i32)),
    /// Keeps a seat until this moment for the holder of this number.
    Reserve(u64, MonoTime, Hold),
    /// Inputs, and when they arrived.
    Input(SeatAssignment, InputPacket<G::Input>, MonoTime),
    /// A request of the game, over this connection, with the client's number for the answer.
    Request(SeatAssignment, ConnectionId, u32, G::Request),
    /// Asks for the scores of the room, over this connection, with the client's number for the answer.
    Scores(SeatAssignment, ConnectionId, u32),
    /// Keeps the last minute of the room under this id, if it is recorded.
    KeepMinute([u8; 16], MinuteFor),
    /// This shard failed: its connections and their seats are gone.
    ShardLost(usize),
    /// Ends the room if it has no players, reservations or queued joins, bots aside.
    Retire,
    /// Ends the room, whoever plays in it: a moderator closes it.
    Close,
}

impl<G: Game> RoomCommand<G> {
    /// Whether a full mailbox drops it. All other commands are bounded by the rate limits of the connections.
    #[must_use]
    pub fn is_droppable(&self) -> bool {
        matches!(self, RoomCommand::Input(..))
    }
}

/// Whom the last minute of a room is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinuteFor {
    /// Whoever watches it now.
    Viewers,
    /// Moderators, who look later.
    Moderators,
}

/// A command to a shard.
#[derive(Debug, Clone)]
pub enum ShardCommand {
    /// The room is about to seat its first recipient on this shard; the updates hold its roster.
    RoomOpened(RoomInfo, Vec<RoomUpdate>),
    /// The room gave the connection a seat.
    Seated(ConnectionId, RoomId, SeatAssignment),
    /// The room has restored this seat of a session, which has no connection.
    SeatRestored(RoomId, SessionId, SeatAssignment),
    /// The request waits in the join queue at this position, 1 being the next.
    Queued(ConnectionId, RoomId, u32),
    Refused(ConnectionId, RoomId, CloseCode),
    /// The room's answer to the game's request with this number.
    Answered(ConnectionId, u32, Outcome),
    /// Updates of ticks that were not sent to this shard because it was behind.
    Updates(RoomId, Vec<RoomUpdate>),
    /// The output of a tick.
    Tick(RoomId, Arc<RoomOutput>),
    /// The seat is free.
    Unseated(RoomId, PlayerId),
    /// The room has no recipients on this shard any longer.
    RoomEmptied(RoomId),
    Published(Arc<TopicMessage>),
    /// A message to one session, which had this connection when it was sent, or none and a seat on this shard. All messages to a session
    /// pass through the shard of its seat, so that they stay in order whatever becomes of the connection.
    Deliver(Option<ConnectionId>, SessionId, Envelope),
    /// What became of the search for a room on other servers that the connection's join with this number caused.
    Placed(ConnectionId, u32, Placement),
    /// The outcome of the connection's request with this number, on which another server had to be asked.
    Replied(ConnectionId, u32, Outcome),
    /// A message to every connection that was welcomed.
    Tell(EncodedMessage),
    /// Closes the connection of a session, which had this one when it was kicked.
    Kick(ConnectionId, SessionId, CloseCode),
    RoomFailed(RoomId),
    /// The room has ended: its players return to the lobby.
    RoomEnded(RoomId),
    /// Closes every connection with this code, and refuses further ones.
    Shutdown(CloseCode),
}

impl ShardCommand {
    /// Whether it is a tick with due snapshots.
    #[must_use]
    pub fn has_recipients(&self) -> bool {
        matches!(self, ShardCommand::Tick(_, output) if !output.due.is_empty())
    }
}

/// Where a client is to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// In a room of this server.
    Here,
    Elsewhere(Destination),
}

/// What a client is to ask for on another server of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// As in [`ServerMsg::Redirect`].
    pub url: String,
    pub choice: RoomChoice,
}

#[derive(Debug, Clone)]
pub struct Envelope {
    /// `None` for the server. A recipient that mutes the sender does not get the message.
    pub from: Option<SenderId>,
    pub message: EncodedMessage,
}

/// A message published in a topic.
#[derive(Debug, Clone)]
pub struct TopicMessage {
    /// Grows with each message of a topic.
    pub number: u64,
    pub topic: Topic,
    /// `None` for the server. Subscribers that mute the sender do not get the message.
    pub from: Option<SenderId>,
    pub message: EncodedMessage,
}

/// The messages that a topic keeps for new subscribers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeptMessages {
    /// Oldest first.
    pub messages: Vec<EncodedMessage>,
    /// The number of the newest message; a subscriber with these messages needs no message up to it again.
    pub until: u64,
}
