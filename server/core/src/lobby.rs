//! The interface of the cores to the rest of the server.
//!
//! Calls are short, return at once and never call back. In production they reach concurrent maps and the mailboxes of other threads;
//! the cores see only the results.

use std::net::IpAddr;

use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Publication, Refusal};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::token::{AccountToken, Token};
use broadside_shared::protocol::topic::Topic;

use crate::commands::{
    AccountId, ConnectionId, Destination, Envelope, Hold, KeptMessages, RoomCommand, RoomInfo, SeatAssignment,
    SeatLocation, SenderId, SessionId,
};
use crate::messages::EncodedMessage;
use crate::subscriptions::{ParkedSession, Subscriptions};

/// Sessions, directory and topics, as a shard uses them.
pub trait Lobby<G: Game> {
    /// Opens a session over this connection.
    fn open_session(&self, connection: ConnectionId) -> Token;
    /// The token of a session.
    fn token_of(&self, session: SessionId) -> Token;
    /// The seat that a token resumes, if the token is valid and its session still has a seat.
    fn seat_of(&self, token: &Token) -> Option<SeatLocation>;
    /// Makes this the connection of a session without a seat that another server left to this one, if the token is that of one.
    fn attach_restored(&self, token: &Token, connection: ConnectionId) -> bool;
    /// The address of another server of the cluster that has the session of this token; `None` if the token is forged, or that server is
    /// gone.
    fn node_of(&self, token: &Token) -> Option<String>;
    /// What clients are told of the other servers of the cluster; `None` if there are none.
    fn nodes(&self) -> Option<EncodedMessage>;
    /// The session's connection, while it has one.
    fn connection_of(&self, session: SessionId) -> Option<ConnectionId>;
    /// What an account token is worth now.
    fn admit(&self, token: &AccountToken) -> AccountAdmission;
    /// Gives the session this account, unless it has one.
    fn set_account(&self, session: SessionId, account: AccountId);
    /// The session's account; `None` without one.
    fn account_of(&self, session: SessionId) -> Option<AccountId>;
    /// What others mute the session by.
    fn sender_of(&self, session: SessionId) -> SenderId;
    /// Whom an account mutes, with the names at the time, from its earlier sessions.
    fn mutes_of(&self, account: AccountId) -> Vec<(SenderId, Name)>;
    /// Remembers for later sessions that a session mutes a sender; forgotten unless both have accounts.
    fn keep_mute(&self, session: SessionId, of: SenderId, name: &Name);
    /// Forgets it again.
    fn forget_mute(&self, session: SessionId, of: SenderId);
    /// Whether a moderator has muted the session's account.
    fn is_muted(&self, session: SessionId) -> bool;
    /// Ends a session: closes its connection with this code, after which clients do not reconnect automatically, and gives up its seat.
    fn kick(&self, session: SessionId, code: CloseCode);
    /// Hands a report to the moderators, with what was said lately in the chats among these topics.
    fn report(&self, report: PlayerReport, topics: &[Topic]);
    /// Makes this the session's connection.
    fn attach(&self, session: SessionId, connection: ConnectionId);
    /// Ends the session's use of this connection. A session without a seat ends with it.
    fn detach(&self, session: SessionId, connection: ConnectionId);
    /// Keeps the session's subscriptions and messages until its next connection.
    fn park(&self, session: SessionId, parked: ParkedSession);
    /// Keeps a copy of the subscriptions of a session that has a connection, for the server that goes on after this one.
    fn keep_subscriptions(&self, session: SessionId, subscriptions: &Subscriptions);
    /// Takes what [`Lobby::park`] kept.
    fn unpark(&self, session: SessionId) -> ParkedSession;
    /// Sets or clears the session's seat.
    fn set_seat(&self, session: SessionId, seat: Option<SeatLocation>);
    /// Clears the seat unless the session has since been given another.
    fn clear_seat(&self, session: SessionId, room: RoomId, seat: SeatAssignment);

    /// Gives the session this name or, if that is taken, the name followed by a number.
    ///
    /// # Errors
    /// When the name rules forbid the name.
    fn set_name(&self, session: SessionId, wanted: &Name) -> Result<Name, Refusal>;
    /// The same, with a guest name in place of a forbidden one. Names of bots are marked as such.
    fn set_name_or_guest(&self, session: SessionId, wanted: &Name, is_bot: bool) -> Name;
    /// The session's name; `None` until it has set one.
    fn name_of(&self, session: SessionId) -> Option<Name>;
    /// The session with this name, or one that looks like it.
    fn session_named(&self, name: &Name) -> Option<SessionId>;
    /// What someone is muted by who has lately said something under this name in the lobby's chat, on whatever server.
    fn speaker_named(&self, name: &Name) -> Option<SenderId>;
    /// Whether players would take one name for the other.
    fn looks_alike(&self, a: &Name, b: &Name) -> bool;

    /// Sends a message to one session, unless it mutes the sender; the message waits while the session has no connection.
    fn deliver(&self, to: SessionId, from: Option<SenderId>, message: EncodedMessage);
    /// Sends a direct message to the player with this name on another server of the cluster. False if there is none; otherwise
    /// [`ShardCommand::Replied`](crate::commands::ShardCommand::Replied) tells the outcome of the connection's request.
    fn deliver_elsewhere(&self, asked_by: (ConnectionId, u32), to: &Name, direct: DirectMessage) -> bool;
    /// Keeps a message for a session that has no connection, unless it mutes the sender, or sends it there if it has one by now.
    fn park_message(&self, to: SessionId, envelope: Envelope);
    /// Publishes to every subscriber of a topic.
    fn publish(&self, topic: Topic, from: Option<SenderId>, publication: Publication);
    /// What a topic keeps after message `number`, without the messages of muted senders.
    fn kept_after(&self, topic: Topic, number: u64, is_muted: &dyn Fn(SenderId) -> bool) -> KeptMessages;

    /// The room with this number, unless it has ended.
    fn room(&self, room: RoomId) -> Option<RoomInfo>;
    /// Sends a command to a room; dropped if the room has ended.
    fn send(&self, room: RoomId, command: RoomCommand<G>);
    /// Sends commands to a room in one batch, and leaves `commands` empty. Inputs for which the mailbox has no space are dropped and
    /// counted.
    fn send_all(&self, room: RoomId, commands: &mut Vec<RoomCommand<G>>);
    /// Finds the room that a client requests, and sends it the join request.
    ///
    /// # Errors
    /// The code to close the connection with, when there is no such room or none may be opened.
    fn join(&self, join: &Join) -> Result<Joining, CloseCode>;

    /// A shard took a tick with recipients of this room from its inbox.
    fn tick_taken(&self, room: RoomId, shard: usize);
    /// A shard skipped the fan-out of a tick of this room, because a newer tick arrived first.
    fn fanout_skipped(&self, room: RoomId);
}

/// What an account token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountAdmission {
    Accepted(AccountId),
    /// Forged or expired: the client plays without an account.
    Ignored,
    /// The account is banned: the connection is to be closed.
    Banned,
}

/// A player's report of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerReport {
    pub by: SessionId,
    pub of: SessionId,
    pub text: Text,
}

/// A message from one player to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectMessage {
    pub from: Name,
    /// What the sender is muted by.
    pub sender: SenderId,
    pub text: Text,
}

/// What becomes of a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joining {
    /// This room was asked for a seat.
    Here(RoomInfo),
    /// The room is on another server.
    Elsewhere(Destination),
    /// Other servers were asked; [`ShardCommand::Placed`](crate::commands::ShardCommand::Placed) tells the answer.
    Asked,
}

/// A client's request to join a room.
#[derive(Debug, Clone)]
pub struct Join {
    /// Number of the join among those of the connection.
    pub number: u32,
    /// Whether other servers had no better room.
    pub is_placed: bool,
    pub connection: ConnectionId,
    pub session: SessionId,
    /// `None` for the server's own bots.
    pub address: Option<IpAddr>,
    pub name: Name,
    pub choice: RoomChoice,
    pub role: Role,
}

/// A limit on what one address holds in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressShare {
    /// A seat to play in; one address may have `max` of them in the room.
    Seat { room: RoomId, max: usize },
    /// A spectator's seat.
    Spectator { room: RoomId },
    /// A position in the join queue.
    Queue { room: RoomId },
    /// A seat kept for a lost connection.
    Parked,
}

/// The limits per address, as a room uses them.
pub trait SeatLimits {
    /// The limit that an address has reached.
    type Over: Copy;
    /// Takes a share for an address.
    ///
    /// # Errors
    /// When the address is at its limit.
    fn take(&self, address: IpAddr, share: AddressShare) -> Result<Hold, Self::Over>;
    /// Counts and logs a refusal.
    fn refused(&self, address: IpAddr, over: Self::Over);
    /// Counts and logs that a parked seat of this address was given up.
    fn gave_up_parked(&self, address: IpAddr);
    /// The address or network that an address counts towards: one customer may have many IPv6 addresses.
    fn counted_as(&self, address: IpAddr) -> IpAddr;
}
