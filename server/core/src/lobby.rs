//! What a core asks of the rest of the server.
//!
//! Calls are short, answer at once and never call back. In production they reach concurrent maps and the mailboxes of other threads;
//! the cores see only the answers.

use std::net::IpAddr;

use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Publication, Refusal, RoomId};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::protocol::topic::Topic;

use crate::commands::{
    ConnectionId, Envelope, Hold, Kept, RoomCommand, RoomInfo, SeatAssignment, SeatLocation, SessionId,
};
use crate::messages::EncodedMessage;
use crate::subscriptions::ParkedSession;

/// What a shard asks of sessions, directory and topics.
pub trait Lobby<G: Game> {
    /// Opens a session over this connection.
    fn open_session(&self, connection: ConnectionId) -> Token;
    /// The seat that a token gives back, if the token is valid and there still is one.
    fn seat_of(&self, token: &Token) -> Option<SeatLocation>;
    /// The session's connection, while it has one.
    fn connection_of(&self, session: SessionId) -> Option<ConnectionId>;
    /// The session goes on over this connection.
    fn attach(&self, session: SessionId, connection: ConnectionId);
    /// The connection is gone. A session without a seat ends with it.
    fn detach(&self, session: SessionId, connection: ConnectionId);
    /// Keeps what waits for the session until it is connected again.
    fn park(&self, session: SessionId, parked: ParkedSession);
    /// Takes back what [`Lobby::park`] kept.
    fn unpark(&self, session: SessionId) -> ParkedSession;
    /// The session has this seat, or none.
    fn set_seat(&self, session: SessionId, seat: Option<SeatLocation>);
    /// Clears the seat unless the session has since been given another.
    fn clear_seat(&self, session: SessionId, room: RoomId, seat: SeatAssignment);

    /// Gives the session this name, or where it is taken, one with a number behind it.
    ///
    /// # Errors
    /// When nobody may have the name.
    fn set_name(&self, session: SessionId, wanted: &Name) -> Result<Name, Refusal>;
    /// The same, with a guest's name where nobody may have the wanted one. Names of bots are marked as such.
    fn set_name_or_guest(&self, session: SessionId, wanted: &Name, is_bot: bool) -> Name;
    /// The session's name, once it has one.
    fn name_of(&self, session: SessionId) -> Option<Name>;
    /// The session with this name, or one that looks like it.
    fn session_named(&self, name: &Name) -> Option<SessionId>;
    /// Whether players would take one name for the other.
    fn looks_alike(&self, a: &Name, b: &Name) -> bool;

    /// Sends a message to one session, unless it mutes the sender; the message waits while the session has no connection.
    fn deliver(&self, to: SessionId, from: Option<SessionId>, message: EncodedMessage);
    /// Keeps a message for a session that has no connection, unless it mutes the sender, or sends it there if it has one by now.
    fn park_message(&self, to: SessionId, envelope: Envelope);
    /// Publishes to every subscriber of a topic.
    fn publish(&self, topic: Topic, from: Option<SessionId>, publication: Publication);
    /// What a topic keeps after message `number`, without the messages of muted sessions.
    fn kept_after(&self, topic: Topic, number: u64, is_muted: &dyn Fn(SessionId) -> bool) -> Kept;

    /// The room with this number, unless it is over.
    fn room(&self, room: RoomId) -> Option<RoomInfo>;
    /// Sends a command to a room; one that is over takes none.
    fn send(&self, room: RoomId, command: RoomCommand<G>);
    /// Sends commands to a room in one go, and leaves `commands` empty. Inputs for which the mailbox has no space are dropped and
    /// counted.
    fn send_all(&self, room: RoomId, commands: &mut Vec<RoomCommand<G>>);
    /// Finds the room that a client wants and asks it for a seat.
    ///
    /// # Errors
    /// The code to close the connection with when there is no such room, or none may be opened.
    fn join(&self, join: Join) -> Result<RoomInfo, CloseCode>;

    /// A shard took a tick of this room off its mailbox; it had recipients.
    fn tick_taken(&self, room: RoomId, shard: usize);
    /// A shard left out the fan-out of a tick of this room, because a newer tick came first.
    fn fanout_skipped(&self, room: RoomId);
}

/// What a connection asks for when it asks for a seat.
#[derive(Debug, Clone)]
pub struct Join {
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
    /// A seat to play in, of so many that one address may have in the room.
    Seat { room: RoomId, max: usize },
    /// A seat of a spectator.
    Spectator { room: RoomId },
    /// A place in the join queue.
    Queue { room: RoomId },
    /// A seat kept for a lost connection.
    Parked,
}

/// What a room asks of the limits per address.
pub trait SeatLimits {
    /// Why there is no more.
    type Over: Copy;
    /// Takes a share for an address.
    ///
    /// # Errors
    /// When the address has as much as it may.
    fn take(&self, address: IpAddr, share: AddressShare) -> Result<Hold, Self::Over>;
    /// Counts and logs a refusal.
    fn refused(&self, address: IpAddr, over: Self::Over);
    /// Counts and logs that a parked seat of this address was given up.
    fn gave_up_parked(&self, address: IpAddr);
    /// What an address is counted as: one customer may have many IPv6 addresses.
    fn counted_as(&self, address: IpAddr) -> IpAddr;
}
