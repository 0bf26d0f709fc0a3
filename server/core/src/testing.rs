//! What the tests of several modules share: a lobby in ordered maps that records what is sent, and limits per address.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Publication, Refusal, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{ModeId, Role, RoomChoice};
use broadside_shared::protocol::token::{AccountToken, Token};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::{MonoTime, Tick};
use broadside_shared::toy::Toy;

use crate::commands::{
    AccountId, ConnectionId, Destination, Envelope, Hold, KeptMessages, RoomCommand, RoomInfo, SeatAssignment,
    SeatLocation, SenderId, SessionId, ShardCommand, TopicMessage, sender_of,
};
use crate::lobby::{AccountAdmission, AddressShare, DirectMessage, Join, Joining, Lobby, PlayerReport, SeatLimits};
use crate::messages::EncodedMessage;
use crate::room::RoomConfig;
use crate::subscriptions::{ParkedSession, Subscriptions};

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

/// A public room of 20 seats with a snapshot every second tick.
pub(crate) fn room_info(id: u32) -> RoomInfo {
    let config = RoomConfig { snapshot_every: 2, capacity: 20, seed: 5, mode: ModeId(0) };
    RoomInfo { id: RoomId(id), config, is_private: false }
}

/// The first number of rooms and sessions that are on another server.
pub(crate) const ELSEWHERE: RoomId = RoomId(1000);

/// Where such a room is.
pub(crate) fn elsewhere(room: RoomId) -> Destination {
    Destination { url: "wss://n2.example".to_owned(), choice: RoomChoice::Room(room) }
}

/// A command to a room, as far as tests compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    Join(ConnectionId, Role),
    CancelJoin(ConnectionId),
    Leave(SeatAssignment),
    Park(SeatAssignment),
    Resume(SeatAssignment, ConnectionId, Option<AccountId>),
    Rename(SeatAssignment, Name),
    RenameQueued(ConnectionId, Name),
    Follow(SeatAssignment, PlayerId),
    Look(SeatAssignment, (i32, i32)),
    /// With the client's number.
    Request(SeatAssignment, u32),
    /// Likewise.
    Scores(SeatAssignment, u32),
    /// With the tick of the first sample.
    Input(SeatAssignment, Tick),
}

impl From<RoomCommand<Toy>> for Sent {
    fn from(command: RoomCommand<Toy>) -> Self {
        match command {
            RoomCommand::Join(request) => Sent::Join(request.connection, request.role),
            RoomCommand::CancelJoin(connection) => Sent::CancelJoin(connection),
            RoomCommand::Leave(seat) => Sent::Leave(seat),
            RoomCommand::Park(seat) => Sent::Park(seat),
            RoomCommand::Resume(seat, connection, account) => Sent::Resume(seat, connection, account),
            RoomCommand::Rename(seat, name) => Sent::Rename(seat, name),
            RoomCommand::RenameQueued(connection, name) => Sent::RenameQueued(connection, name),
            RoomCommand::Follow(seat, player) => Sent::Follow(seat, player),
            RoomCommand::Look(seat, place) => Sent::Look(seat, place),
            RoomCommand::Request(seat, _, id, _) => Sent::Request(seat, id),
            RoomCommand::Scores(seat, _, id) => Sent::Scores(seat, id),
            RoomCommand::Input(seat, packet, _) => Sent::Input(seat, packet.first),
            RoomCommand::Reserve(..)
            | RoomCommand::KeepMinute(..)
            | RoomCommand::ShardLost(_)
            | RoomCommand::Retire
            | RoomCommand::Close => unreachable!("no shard sends this"),
        }
    }
}

/// Sessions, topics and rooms in ordered maps.
#[derive(Default)]
pub(crate) struct TestLobby {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<SessionId, Session>,
    opened: u64,
    rooms: BTreeMap<RoomId, RoomInfo>,
    kept: BTreeMap<Topic, Vec<Arc<TopicMessage>>>,
    now: MonoTime,
    published: u64,
    to_rooms: Vec<(RoomId, Sent)>,
    to_shards: Vec<(Option<usize>, ShardCommand)>,
    ticks_taken: u32,
    fanouts_skipped: u32,
    banned: Vec<AccountId>,
    muted: Vec<AccountId>,
    /// Whom accounts mute, for their next sessions.
    mutes: BTreeMap<AccountId, Vec<(SenderId, Name)>>,
    reports: Vec<(PlayerReport, Vec<Topic>)>,
}

#[derive(Default)]
struct Session {
    name: Option<Name>,
    account: Option<AccountId>,
    connection: Option<ConnectionId>,
    seat: Option<SeatLocation>,
    parked: ParkedSession,
}

impl TestLobby {
    pub(crate) fn open_room(&self, info: RoomInfo) {
        self.state.borrow_mut().rooms.insert(info.id, info);
    }

    pub(crate) fn set_time(&self, now: MonoTime) {
        self.state.borrow_mut().now = now;
    }

    /// Takes what was sent to rooms since the last call.
    pub(crate) fn take_sent(&self) -> Vec<(RoomId, Sent)> {
        std::mem::take(&mut self.state.borrow_mut().to_rooms)
    }

    /// Takes what was sent to shards since the last call; `None` stands for every shard.
    pub(crate) fn take_shard_commands(&self) -> Vec<(Option<usize>, ShardCommand)> {
        std::mem::take(&mut self.state.borrow_mut().to_shards)
    }

    pub(crate) fn ban(&self, account: AccountId) {
        self.state.borrow_mut().banned.push(account);
    }

    pub(crate) fn mute(&self, account: AccountId) {
        self.state.borrow_mut().muted.push(account);
    }

    pub(crate) fn take_reports(&self) -> Vec<(PlayerReport, Vec<Topic>)> {
        std::mem::take(&mut self.state.borrow_mut().reports)
    }

    pub(crate) fn has_session(&self, session: SessionId) -> bool {
        self.state.borrow().sessions.contains_key(&session)
    }

    pub(crate) fn ticks_taken(&self) -> u32 {
        self.state.borrow().ticks_taken
    }

    pub(crate) fn fanouts_skipped(&self) -> u32 {
        self.state.borrow().fanouts_skipped
    }

    fn with<T>(&self, session: SessionId, what: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut state = self.state.borrow_mut();
        let found = state.sessions.get_mut(&session)?;
        let result = what(found);
        if found.connection.is_none() && found.seat.is_none() {
            state.sessions.remove(&session);
        }
        Some(result)
    }
}

impl Lobby<Toy> for TestLobby {
    fn open_session(&self, connection: ConnectionId) -> Token {
        let mut state = self.state.borrow_mut();
        state.opened += 1;
        let session = state.opened;
        state.sessions.insert(session, Session { connection: Some(connection), ..Session::default() });
        self.token_of(session)
    }

    fn token_of(&self, session: SessionId) -> Token {
        Token { session, signature: [7; 16] }
    }

    fn seat_of(&self, token: &Token) -> Option<SeatLocation> {
        self.with(token.session, |found| found.seat).flatten()
    }

    /// Sessions from [`ELSEWHERE`] on are on another server.
    fn node_of(&self, token: &Token) -> Option<String> {
        (token.session >= ELSEWHERE.0.into()).then(|| elsewhere(ELSEWHERE).url)
    }

    fn nodes(&self) -> Option<EncodedMessage> {
        None
    }

    fn connection_of(&self, session: SessionId) -> Option<ConnectionId> {
        self.with(session, |found| found.connection).flatten()
    }

    /// A token with an odd signature is forged; the accounts of the lobby's bans are banned.
    fn admit(&self, token: &AccountToken) -> AccountAdmission {
        match (token.signature[0] % 2, self.state.borrow().banned.contains(&token.account)) {
            (0, true) => AccountAdmission::Banned,
            (0, false) => AccountAdmission::Accepted(token.account),
            (_, _) => AccountAdmission::Ignored,
        }
    }

    fn set_account(&self, session: SessionId, account: AccountId) {
        self.with(session, |found| found.account = found.account.or(Some(account)));
    }

    fn sender_of(&self, session: SessionId) -> SenderId {
        self.account_of(session).map_or(session, sender_of)
    }

    fn mutes_of(&self, account: AccountId) -> Vec<(SenderId, Name)> {
        self.state.borrow().mutes.get(&account).cloned().unwrap_or_default()
    }

    fn keep_mute(&self, session: SessionId, of: SenderId, name: &Name) {
        if let Some(account) = self.account_of(session) {
            self.state.borrow_mut().mutes.entry(account).or_default().push((of, name.clone()));
        }
    }

    fn forget_mute(&self, session: SessionId, of: SenderId) {
        if let Some(account) = self.account_of(session) {
            self.state.borrow_mut().mutes.entry(account).or_default().retain(|(muted, _)| *muted != of);
        }
    }

    fn is_muted(&self, session: SessionId) -> bool {
        self.account_of(session).is_some_and(|account| self.state.borrow().muted.contains(&account))
    }

    fn kick(&self, session: SessionId, code: CloseCode) {
        let (connection, seat) = self.with(session, |found| (found.connection, found.seat)).unwrap_or_default();
        match (connection, seat) {
            (Some(id), _) => {
                self.state.borrow_mut().to_shards.push((Some(id.shard), ShardCommand::Kick(id, session, code)));
            }
            (None, Some(seat)) => self.send(seat.room, RoomCommand::Leave(seat.seat)),
            (None, None) => {}
        }
    }

    fn report(&self, report: PlayerReport, topics: &[Topic]) {
        self.state.borrow_mut().reports.push((report, topics.to_vec()));
    }

    fn account_of(&self, session: SessionId) -> Option<AccountId> {
        self.with(session, |found| found.account).flatten()
    }

    fn attach(&self, session: SessionId, connection: ConnectionId) {
        self.with(session, |found| found.connection = Some(connection));
    }

    fn detach(&self, session: SessionId, connection: ConnectionId) {
        self.with(session, |found| found.connection = found.connection.filter(|current| *current != connection));
    }

    fn park(&self, session: SessionId, parked: ParkedSession) {
        self.with(session, |found| found.parked = parked);
    }

    fn keep_subscriptions(&self, _: SessionId, _: &Subscriptions) {}

    fn attach_restored(&self, _: &Token, _: ConnectionId) -> bool {
        false
    }

    fn unpark(&self, session: SessionId) -> ParkedSession {
        self.with(session, |found| std::mem::take(&mut found.parked)).unwrap_or_default()
    }

    fn set_seat(&self, session: SessionId, seat: Option<SeatLocation>) {
        self.with(session, |found| found.seat = seat);
    }

    fn clear_seat(&self, session: SessionId, room: RoomId, seat: SeatAssignment) {
        self.with(session, |found| found.seat = found.seat.filter(|at| (at.room, at.seat) != (room, seat)));
    }

    fn set_name(&self, session: SessionId, wanted: &Name) -> Result<Name, Refusal> {
        let is_taken = self.session_named(wanted).is_some_and(|holder| holder != session);
        let given = if is_taken { name(&format!("{wanted} 2")) } else { wanted.clone() };
        self.with(session, |found| found.name = Some(given.clone()));
        Ok(given)
    }

    fn set_name_or_guest(&self, session: SessionId, wanted: &Name, _is_bot: bool) -> Name {
        self.set_name(session, wanted).expect("every name is given")
    }

    fn name_of(&self, session: SessionId) -> Option<Name> {
        self.with(session, |found| found.name.clone()).flatten()
    }

    fn session_named(&self, name: &Name) -> Option<SessionId> {
        let state = self.state.borrow();
        let mut sessions = state.sessions.iter();
        sessions.find(|(_, session)| session.name.as_ref() == Some(name)).map(|(id, _)| *id)
    }

    fn speaker_named(&self, _: &Name) -> Option<SenderId> {
        None
    }

    /// Every name that nobody has here may be that of a player on another server.
    fn deliver_elsewhere(&self, _: (ConnectionId, u32), _: &Name, _: DirectMessage) -> bool {
        true
    }

    fn looks_alike(&self, a: &Name, b: &Name) -> bool {
        a == b
    }

    fn deliver(&self, to: SessionId, from: Option<SenderId>, message: EncodedMessage) {
        let connection = self.connection_of(to);
        let shard =
            connection.map(|id| id.shard).or(self.with(to, |found| found.seat.map(|seat| seat.shard)).flatten());
        if let Some(shard) = shard {
            let command = ShardCommand::Deliver(connection, to, Envelope { from, message });
            self.state.borrow_mut().to_shards.push((Some(shard), command));
        }
    }

    fn park_message(&self, to: SessionId, envelope: Envelope) {
        if self.connection_of(to).is_some() {
            return self.deliver(to, envelope.from, envelope.message);
        }
        self.with(to, |found| {
            if found.parked.subscriptions.accepts_from(envelope.from) {
                found.parked.messages.push(envelope.message);
            }
        });
    }

    fn publish(&self, topic: Topic, from: Option<SenderId>, publication: Publication) {
        let mut state = self.state.borrow_mut();
        state.published += 1;
        let (number, at) = (state.published, state.now);
        let message = EncodedMessage::new(ServerMsg::Published { topic: topic.to_string(), at, publication });
        let message = Arc::new(TopicMessage { number, topic, from, message });
        state.kept.entry(topic).or_default().push(Arc::clone(&message));
        state.to_shards.push((None, ShardCommand::Published(message)));
    }

    fn kept_after(&self, topic: Topic, number: u64, is_muted: &dyn Fn(SenderId) -> bool) -> KeptMessages {
        let state = self.state.borrow();
        let kept = state.kept.get(&topic).map_or(&[][..], Vec::as_slice);
        let wanted = kept.iter().filter(|message| message.number > number && !message.from.is_some_and(is_muted));
        KeptMessages {
            messages: wanted.map(|message| message.message.clone()).collect(),
            until: kept.last().map_or(0, |message| message.number),
        }
    }

    fn room(&self, room: RoomId) -> Option<RoomInfo> {
        self.state.borrow().rooms.get(&room).copied()
    }

    fn send(&self, room: RoomId, command: RoomCommand<Toy>) {
        self.state.borrow_mut().to_rooms.push((room, command.into()));
    }

    fn send_all(&self, room: RoomId, commands: &mut Vec<RoomCommand<Toy>>) {
        commands.drain(..).for_each(|command| self.send(room, command));
    }

    /// Rooms from [`ELSEWHERE`] on are on another server; for quick play others are asked first.
    fn join(&self, join: &Join) -> Result<Joining, CloseCode> {
        let room = match join.choice {
            RoomChoice::Quick if !join.is_placed => return Ok(Joining::Asked),
            RoomChoice::Quick => RoomId(1),
            RoomChoice::Room(room) if room >= ELSEWHERE => return Ok(Joining::Elsewhere(elsewhere(room))),
            RoomChoice::Room(room) => room,
            RoomChoice::Mode(_) | RoomChoice::Code(_) | RoomChoice::Reserved { .. } => {
                return Err(CloseCode::NoSuchRoom);
            }
        };
        let info = self.room(room).ok_or(CloseCode::NoSuchRoom)?;
        self.state.borrow_mut().to_rooms.push((room, Sent::Join(join.connection, join.role)));
        Ok(Joining::Here(info))
    }

    fn tick_taken(&self, _room: RoomId, _shard: usize) {
        self.state.borrow_mut().ticks_taken += 1;
    }

    fn fanout_skipped(&self, _room: RoomId) {
        self.state.borrow_mut().fanouts_skipped += 1;
    }
}

/// Limits per address: so many shares of each kind, whatever the room.
pub(crate) struct TestLimits {
    pub(crate) seats_max: usize,
    pub(crate) parked_max: usize,
    taken: RefCell<BTreeMap<(IpAddr, &'static str), Arc<AtomicUsize>>>,
    /// Refusals, and parked seats given up.
    pub(crate) counted: RefCell<(u32, u32)>,
}

impl TestLimits {
    pub(crate) fn new(seats_max: usize, parked_max: usize) -> Self {
        TestLimits { seats_max, parked_max, taken: RefCell::default(), counted: RefCell::default() }
    }

    pub(crate) fn none() -> Self {
        TestLimits::new(usize::MAX, usize::MAX)
    }
}

struct Share(Arc<AtomicUsize>);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SeatLimits for TestLimits {
    type Over = ();

    fn take(&self, address: IpAddr, share: AddressShare) -> Result<Hold, ()> {
        let (kind, max) = match share {
            AddressShare::Seat { .. } => ("seat", self.seats_max),
            AddressShare::Parked => ("parked", self.parked_max),
            AddressShare::Spectator { .. } => ("spectator", usize::MAX),
            AddressShare::Queue { .. } => ("queue", usize::MAX),
        };
        let mut taken = self.taken.borrow_mut();
        let count = taken.entry((address, kind)).or_default();
        if count.load(Ordering::Relaxed) >= max {
            return Err(());
        }
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Hold::new(Share(Arc::clone(count))))
    }

    fn refused(&self, _address: IpAddr, (): ()) {
        self.counted.borrow_mut().0 += 1;
    }

    fn gave_up_parked(&self, _address: IpAddr) {
        self.counted.borrow_mut().1 += 1;
    }

    fn counted_as(&self, address: IpAddr) -> IpAddr {
        address
    }
}
