//! What lies between the rooms: the directory of rooms, sessions, names, the leaderboard.
//!
//! | module | what it holds |
//! |---|---|
//! | [`names`] | which names may be given out, and which of them look alike |
//! | [`reserved_names`] | names that belong to accounts |
//! | [`account_tokens`] | what shows in a hello whose account it is |
//! | [`restrictions`] | banned and muted accounts |
//! | [`mutes`] | whom accounts mute |
//! | [`reports`] | reports of players, with what was said around them |
//! | [`sessions`] | who is connected or may come back, and the names players find each other by |
//! | `elsewhere` | what is on other nodes of the cluster |
//! | [`directory`] | the rooms: opened, found, reserved in, retired |
//! | [`board`] | the leaderboard of all rooms, once a second |

pub mod account_tokens;
pub mod board;
pub mod directory;
mod elsewhere;
pub mod mutes;
pub mod names;
pub mod reports;
pub mod reserved_names;
pub mod restrictions;
pub mod sessions;

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_core::commands::{
    AccountId, ConnectionId, Envelope, Hold, JoinRequest, KeptMessages, RoomCommand, RoomInfo, SeatAssignment,
    SeatLocation, SenderId, SessionId, ShardCommand, sender_of,
};
use broadside_core::lobby::{AccountAdmission, DirectMessage, Join, Joining, Lobby, PlayerReport};
use broadside_core::messages::EncodedMessage;
use broadside_core::subscriptions::{ParkedSession, Subscriptions};
use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::message::{Publication, Refusal};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::RoomChoice;
use broadside_shared::protocol::token::{AccountToken, Token};
use broadside_shared::protocol::topic::Topic;

use crate::limits::holds::TooMuch;
use crate::limits::rates::{AddressRates, Rate};
use crate::metrics::labels::{AddressLimit, JoinResult};
use crate::peers::Peers;
use crate::rooms::context::ServerContext;
use account_tokens::AccountTokens;
use board::Leaderboard;
use directory::{Directory, Rooms};
use mutes::Mutes;
use names::{FitName, Looks};
use reports::Reports;
use restrictions::Restrictions;
use sessions::Sessions;

/// Everything between the rooms, whatever game is played in them.
pub struct LobbyState {
    pub context: ServerContext,
    pub sessions: Sessions,
    pub account_tokens: AccountTokens,
    pub restrictions: Restrictions,
    /// Reports of players, for whoever keeps them.
    pub reports: Reports,
    pub mutes: Mutes,
    pub leaderboard: Leaderboard,
    /// Which addresses opened rooms lately.
    pub room_creations: AddressRates,
    /// The other nodes of the cluster; `None` if the server is alone.
    pub peers: Option<Arc<Peers>>,
}

/// The lobby, shared by all threads: what lies between the rooms, and the rooms.
pub struct ServerLobby<G: Game> {
    pub state: Arc<LobbyState>,
    pub directory: Arc<Directory<G>>,
}

impl LobbyState {
    /// A lobby without sessions.
    #[must_use]
    pub fn new(
        context: ServerContext,
        sessions: Sessions,
        account_tokens: AccountTokens,
        peers: Option<Arc<Peers>>,
    ) -> Self {
        LobbyState {
            context,
            sessions,
            account_tokens,
            restrictions: Restrictions::default(),
            reports: Reports::default(),
            mutes: Mutes::default(),
            leaderboard: Leaderboard::default(),
            room_creations: AddressRates::new(Rate::ROOM_CREATIONS),
            peers,
        }
    }

    /// Ends every session of an account; see [`Lobby::kick`].
    pub fn kick_account(&self, account: AccountId, code: CloseCode, rooms: &dyn Rooms) {
        self.sessions.of_account(account).into_iter().for_each(|session| self.kick(session, code, rooms));
    }

    /// See [`Lobby::kick`].
    pub fn kick(&self, session: SessionId, code: CloseCode, rooms: &dyn Rooms) {
        assert_eq!(code.retry(), Retry::Manual, "after {code:?} a client comes back, and its seat is kept");
        match self.sessions.whereabouts(session) {
            (Some(id), _) => self.context.shards[id.shard].send([ShardCommand::Kick(id, session, code)]),
            (None, Some(seat)) => rooms.leave(seat),
            // It has ended.
            (None, None) => {}
        }
    }

    /// See [`Lobby::deliver`].
    pub fn deliver(&self, to: SessionId, from: Option<SenderId>, message: EncodedMessage) {
        let (connection, seat) = self.sessions.whereabouts(to);
        match connection.map(|id| id.shard).or(seat.map(|seat| seat.shard)) {
            Some(shard) => {
                self.context.shards[shard].send([ShardCommand::Deliver(connection, to, Envelope { from, message })]);
            }
            // It has ended, or comes from another server and waits for a connection.
            None => drop(self.sessions.park_message(to, from, &message)),
        }
    }

    fn is_banned(&self, account: AccountId) -> bool {
        self.restrictions.is_banned(account, self.context.clock.unix_s())
    }

    /// Once a second: removes ended rooms and assembles the leaderboard. The server stood still for `still_us`
    /// microseconds since the last call.
    pub fn sweep(&self, still_us: u64, rooms: &dyn Rooms) {
        rooms.sweep(still_us);
        self.sessions.sweep(self.context.clock.now());
        self.mutes.sweep(self.context.clock.now(), |account| !self.sessions.of_account(account).is_empty());
        self.room_creations.forget(self.context.clock.now());
        let elsewhere = self.peers.as_ref().map(|peers| peers.leaders(self.context.clock.now()));
        self.leaderboard.renew(&rooms.all(), elsewhere.unwrap_or_default(), &self.context);
    }

    /// Whether a room may be opened for a client at this address: the address's share of the rooms.
    ///
    /// # Errors
    /// When the address has too many of them, or opens them too fast.
    pub fn may_open(&self, address: IpAddr) -> Result<Hold, CloseCode> {
        self.may_ask(address).map_err(|_| CloseCode::TooManyFromAddress)?;
        self.take_room(address).map_err(|_| CloseCode::TooManyFromAddress)
    }

    /// Whether a client at this address may ask for a room or a reservation now.
    ///
    /// # Errors
    /// In how many seconds it may.
    pub fn may_ask(&self, address: IpAddr) -> Result<(), u64> {
        let taken = self.room_creations.take(address, 1, self.context.clock.now());
        taken.inspect_err(|_| self.context.refused(address, AddressLimit::RoomCreations))
    }

    /// One more room of those that an address may have.
    ///
    /// # Errors
    /// When it has as many as it may.
    pub fn take_room(&self, address: IpAddr) -> Result<Hold, TooMuch> {
        let limits = &self.context.limits;
        let taken = limits.take(address, &[limits.caps().room()]);
        taken.inspect_err(|TooMuch(what)| self.context.refused(address, what.label()))
    }
}

impl<G: Game> Deref for ServerLobby<G> {
    type Target = LobbyState;

    fn deref(&self) -> &LobbyState {
        &self.state
    }
}

impl<G: Game> ServerLobby<G> {
    /// A shard failed: its connections are gone, and the rooms learn that the seats there are free.
    pub fn lose_shard(&self, shard: usize) {
        // Counted first, logged last: nothing that follows can hide it.
        self.context.metrics.shard_failures.inc();
        self.sessions.lose_shard(shard);
        for room in self.directory.all() {
            // An ended room has no players to lose.
            let _ = room.send(RoomCommand::ShardLost(shard));
        }
        tracing::error!(shard, "shard failed and was restarted");
    }

    fn ask(&self, join: &Join) -> Result<Joining, CloseCode> {
        match self.elsewhere(join)? {
            Some(elsewhere) => Ok(elsewhere),
            None => self.ask_here(join),
        }
    }

    fn ask_here(&self, join: &Join) -> Result<Joining, CloseCode> {
        let is_quick = matches!(join.choice, RoomChoice::Quick | RoomChoice::Mode(_));
        let _taking = is_quick.then(|| self.directory.taking());
        let (room, method) = match join.address {
            Some(address) => self.directory.find(join.choice, address, || self.may_open(address))?,
            None => self.directory.find_for_bot(join.choice)?,
        };
        let Join { connection, session, address, ref name, role, number: _, is_placed: _, choice: _ } = *join;
        let request = JoinRequest {
            name: name.clone(),
            role,
            method,
            connection,
            session,
            account: self.sessions.account_of(session),
            address,
            hold: Hold::default(),
            queue_hold: Hold::default(),
        };
        room.send(RoomCommand::Join(request)).map_err(|_| CloseCode::NoSuchRoom)?;
        Ok(Joining::Here(room.info))
    }
}

impl<G: Game> Lobby<G> for ServerLobby<G> {
    fn open_session(&self, connection: ConnectionId) -> Token {
        self.sessions.open(connection)
    }

    fn token_of(&self, session: SessionId) -> Token {
        self.sessions.sign(session)
    }

    fn seat_of(&self, token: &Token) -> Option<SeatLocation> {
        let seat = self.sessions.seat_of(token)?;
        // The kick that comes with a ban may be on its way to it.
        let is_banned = self.sessions.account_of(token.session).is_some_and(|account| self.is_banned(account));
        (!is_banned).then_some(seat)
    }

    fn attach_restored(&self, token: &Token, connection: ConnectionId) -> bool {
        let is_banned = self.sessions.account_of(token.session).is_some_and(|account| self.is_banned(account));
        !is_banned && self.sessions.attach_restored(token, connection)
    }

    fn admit(&self, token: &AccountToken) -> AccountAdmission {
        match self.account_tokens.verify(token, self.context.clock.unix_s()) {
            Some(account) if self.is_banned(account) => AccountAdmission::Banned,
            Some(account) => AccountAdmission::Accepted(account),
            None => AccountAdmission::Ignored,
        }
    }

    fn set_account(&self, session: SessionId, account: AccountId) {
        self.sessions.set_account(session, account);
    }

    fn sender_of(&self, session: SessionId) -> SenderId {
        self.sessions.account_of(session).map_or(session, sender_of)
    }

    fn mutes_of(&self, account: AccountId) -> Vec<(SenderId, Name)> {
        self.mutes.of(account)
    }

    fn keep_mute(&self, session: SessionId, of: SenderId, name: &Name) {
        let muted = self.sessions.find(name).and_then(|muted| self.sessions.account_of(muted));
        let muted = muted.filter(|muted| sender_of(*muted) == of);
        if let (Some(account), Some(muted)) = (self.sessions.account_of(session), muted) {
            self.mutes.mute(account, muted, name, self.context.clock.now());
        }
    }

    fn forget_mute(&self, session: SessionId, of: SenderId) {
        if let Some(account) = self.sessions.account_of(session) {
            self.mutes.unmute(account, of);
        }
    }

    fn is_muted(&self, session: SessionId) -> bool {
        let account = self.sessions.account_of(session);
        account.is_some_and(|account| self.restrictions.is_muted(account, self.context.clock.unix_s()))
    }

    fn kick(&self, session: SessionId, code: CloseCode) {
        self.state.kick(session, code, &*self.directory);
    }

    fn report(&self, report: PlayerReport, topics: &[Topic]) {
        self.keep_report(report, topics);
    }

    fn node_of(&self, token: &Token) -> Option<String> {
        self.url_of_session(token)
    }

    fn nodes(&self) -> Option<EncodedMessage> {
        self.peers.as_ref()?.told(self.context.clock.now())
    }

    fn connection_of(&self, session: SessionId) -> Option<ConnectionId> {
        self.sessions.connection_of(session)
    }

    fn account_of(&self, session: SessionId) -> Option<AccountId> {
        self.sessions.account_of(session)
    }

    fn attach(&self, session: SessionId, connection: ConnectionId) {
        self.sessions.attach(session, connection);
    }

    fn detach(&self, session: SessionId, connection: ConnectionId) {
        self.sessions.detach(session, connection);
    }

    fn park(&self, session: SessionId, parked: ParkedSession) {
        self.sessions.park(session, parked);
    }

    fn keep_subscriptions(&self, session: SessionId, subscriptions: &Subscriptions) {
        self.sessions.keep_subscriptions(session, subscriptions);
    }

    fn unpark(&self, session: SessionId) -> ParkedSession {
        self.sessions.unpark(session)
    }

    fn set_seat(&self, session: SessionId, seat: Option<SeatLocation>) {
        self.sessions.set_seat(session, seat);
    }

    fn clear_seat(&self, session: SessionId, room: RoomId, seat: SeatAssignment) {
        self.sessions.clear_seat(session, room, seat);
    }

    fn set_name(&self, session: SessionId, wanted: &Name) -> Result<Name, Refusal> {
        let fit = FitName::new(wanted).map_err(|_| Refusal::BadName)?;
        Ok(self.sessions.set_name(session, &fit))
    }

    fn set_name_or_guest(&self, session: SessionId, wanted: &Name, is_bot: bool) -> Name {
        let fit = if is_bot {
            FitName::of_bot(wanted.clone())
        } else {
            FitName::new(wanted).unwrap_or_else(|_| FitName::guest())
        };
        self.sessions.set_name(session, &fit)
    }

    fn name_of(&self, session: SessionId) -> Option<Name> {
        self.sessions.name_of(session)
    }

    fn session_named(&self, name: &Name) -> Option<SessionId> {
        self.sessions.find(name)
    }

    fn speaker_named(&self, name: &Name) -> Option<SenderId> {
        self.peers.as_ref()?;
        let looks = Looks::of(name);
        self.context.topics.last_speaker(Topic::LobbyChat, |from| Looks::of(from).meet(&looks))
    }

    fn deliver_elsewhere(&self, asked_by: (ConnectionId, u32), to: &Name, direct: DirectMessage) -> bool {
        self.send_direct(asked_by, to, direct)
    }

    fn looks_alike(&self, a: &Name, b: &Name) -> bool {
        Looks::of(a).meet(&Looks::of(b))
    }

    fn deliver(&self, to: SessionId, from: Option<SenderId>, message: EncodedMessage) {
        self.state.deliver(to, from, message);
    }

    fn park_message(&self, to: SessionId, Envelope { from, message }: Envelope) {
        if !self.sessions.park_message(to, from, &message) {
            self.deliver(to, from, message);
        }
    }

    fn publish(&self, topic: Topic, from: Option<SenderId>, publication: Publication) {
        self.say_elsewhere(topic, from, &publication);
        self.context.publish(topic, from, publication);
    }

    fn kept_after(&self, topic: Topic, number: u64, is_muted: &dyn Fn(SenderId) -> bool) -> KeptMessages {
        self.context.topics.kept_after(topic, number, is_muted)
    }

    fn room(&self, room: RoomId) -> Option<RoomInfo> {
        self.directory.get(room).map(|room| room.info)
    }

    fn send(&self, room: RoomId, command: RoomCommand<G>) {
        // An ended room ignores commands.
        let _ = self.directory.get(room).map(|room| room.send(command));
    }

    fn send_all(&self, room: RoomId, commands: &mut Vec<RoomCommand<G>>) {
        match self.directory.get(room) {
            Some(room) => room.send_all(commands),
            None => commands.clear(),
        }
    }

    fn join(&self, join: &Join) -> Result<Joining, CloseCode> {
        let found = match join.choice {
            // A room that ended at this moment is not the only one.
            RoomChoice::Quick | RoomChoice::Mode(_) => self.ask(join).or_else(|_| self.ask(join)),
            RoomChoice::Room(_) | RoomChoice::Code(_) | RoomChoice::Reserved { .. } => self.ask(join),
        };
        found.inspect_err(|_| {
            self.context.metrics.joins.of(JoinResult::Refused).inc();
        })
    }

    fn tick_taken(&self, room: RoomId, shard: usize) {
        if let Some(room) = self.directory.get(room) {
            room.status.tick_taken(shard);
        }
    }

    fn fanout_skipped(&self, room: RoomId) {
        if let Some(room) = self.directory.get(room) {
            room.status.counters.fanouts_skipped.fetch_add(1, Ordering::Relaxed);
        }
        self.context.metrics.fanouts_skipped.inc();
    }
}
