//! One connection on its shard: its protocol, its session, and its membership in a room. The shell owns the socket.
//!
//! | module | what it holds |
//! |---|---|
//! | [`protocol`] | hello, join, inputs, requests, pings, limits, close, as a state machine |
//! | `turn` | what a call into a connection is given, and where it leaves its effects |
//! | `requests` | requests besides playing: name, topics, chat, mutes |
//! | `resuming` | a session that goes on over another connection |
//! | `game_requests` | requests of the game, which the room answers |
//! | `elsewhere` | what is on another server of the cluster |
//! | `passed` | a connection that another server passes to this one, socket and all |

mod elsewhere;
mod game_requests;
mod passed;
pub mod protocol;
mod requests;
mod resuming;
mod turn;

use std::collections::VecDeque;

use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::codec;
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::message::{Outcome, Refusal, Request, Resume, ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Role;
use broadside_shared::protocol::token::AccountToken;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;

use crate::commands::{
    AccountId, ConnectionId, RoomCommand, RoomInfo, SeatAssignment, SeatLocation, SessionId, TopicMessage,
};
use crate::lobby::{AccountAdmission, Join, Joining, Lobby};
use crate::messages::{EncodedMessage, MessageQueue};
use crate::subscriptions::{ParkedSession, Subscriptions};
pub use passed::PassedConnection;
use protocol::{ConnectionProtocol, ProtocolOutput};
use requests::{Asker, Effects};
pub use resuming::PendingResume;
pub use turn::{Counters, Origin, Output, Turn};

pub struct Connection<G: Game> {
    id: ConnectionId,
    origin: Origin,
    protocol: ConnectionProtocol<G>,
    /// 0 before the hello.
    session: SessionId,
    /// The account that its hello named, if the token was valid.
    account: Option<AccountId>,
    membership: Membership,
    /// The join for which other servers are asked.
    asking: Option<Box<Join>>,
    /// How many joins were requested.
    joins: u32,
    /// The session was taken over from another server: what was published meanwhile is to be sent.
    is_back: bool,
    /// The close was output: from here on the session has no connection.
    is_closing: bool,
    /// The seat that the client resumes; see [`Connection::take_pending_resume`].
    pending_resume: Option<PendingResume>,
    subscriptions: Subscriptions,
    /// Messages for the next snapshots.
    messages: MessageQueue,
    /// The game's requests that the room has not answered, limited by [`game_requests`].
    unanswered: Vec<u32>,
    /// The handshake of the connection, if the client asked for it to be kept.
    handshake: Option<Box<Handshake>>,
}

/// A connection's membership in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Membership {
    /// In the lobby.
    None,
    /// It requested a seat; `is_notified` once the client was sent its position in the join queue.
    Queued {
        room: RoomInfo,
        role: Role,
        is_notified: bool,
    },
    Seated(RoomId, SeatAssignment),
}

/// What becomes of the seat when a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatOutcome {
    GivenUp,
    /// Kept for the grace period.
    Parked,
}

impl SeatOutcome {
    /// The seat is kept after codes after which clients reconnect automatically.
    fn after(code: CloseCode) -> SeatOutcome {
        match code.retry() {
            Retry::Automatic => SeatOutcome::Parked,
            Retry::Manual => SeatOutcome::GivenUp,
        }
    }
}

impl<G: Game> Connection<G> {
    /// A connection opened at `now`.
    pub fn new(id: ConnectionId, origin: Origin, handshake: Option<Box<Handshake>>, now: MonoTime) -> Self {
        Connection {
            id,
            origin,
            protocol: ConnectionProtocol::new(now),
            session: 0,
            account: None,
            membership: Membership::None,
            asking: None,
            joins: 0,
            is_back: false,
            is_closing: false,
            pending_resume: None,
            subscriptions: Subscriptions::default(),
            messages: MessageQueue::default(),
            unanswered: Vec::new(),
            handshake,
        }
    }

    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn move_to(&mut self, shard: usize, key: usize) {
        self.id = ConnectionId { shard, key, ..self.id };
    }

    /// The account that its hello named, if the token was valid.
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// The session it belongs to; 0 before the hello.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    #[must_use]
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// How many messages wait for its next snapshots.
    #[must_use]
    pub fn messages_waiting(&self) -> usize {
        self.messages.len()
    }

    /// Whether its close was output.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Its room and seat; `None` in the lobby and in the join queue.
    #[must_use]
    pub fn seat(&self) -> Option<(RoomId, SeatAssignment)> {
        match self.membership {
            Membership::Seated(room, seat) => Some((room, seat)),
            Membership::None | Membership::Queued { .. } => None,
        }
    }

    /// The room in which it has a seat or has requested one.
    #[must_use]
    pub fn room(&self) -> Option<RoomId> {
        match self.membership {
            Membership::None => None,
            Membership::Queued { room, .. } => Some(room.id),
            Membership::Seated(room, _) => Some(room),
        }
    }

    /// Whether it has requested a seat in this room.
    #[must_use]
    pub fn is_queued_for(&self, room: RoomId) -> bool {
        !self.is_closing && matches!(self.membership, Membership::Queued { room: queued, .. } if queued.id == room)
    }

    /// Whether it has requested this seat: the assignment for an earlier request with another role is no longer wanted.
    pub(crate) fn expects_seat(&self, room: RoomId, role: Role) -> bool {
        self.is_queued_for(room) && matches!(self.membership, Membership::Queued { role: asked, .. } if asked == role)
    }

    /// Takes the resume that the client requested. A client that is being closed for a frame of the same read resumes nothing.
    pub(crate) fn take_pending_resume(&mut self) -> Option<PendingResume> {
        self.pending_resume.take().filter(|_| !self.is_closing)
    }

    /// Carries the resume along to the shard that has the seat.
    pub(crate) fn set_pending_resume(&mut self, pending: PendingResume) {
        self.pending_resume = Some(pending);
    }

    /// Opens a new session: the client sent no token, or its seat is gone.
    pub(crate) fn open_session<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        self.welcome(turn.lobby);
        self.drive(turn);
    }

    fn welcome(&mut self, lobby: &impl Lobby<G>) {
        let token = lobby.open_session(self.id);
        self.session = token.session;
        if let Some(account) = self.account {
            lobby.set_account(self.session, account);
            for (sender, name) in lobby.mutes_of(account) {
                // Beyond the bound the rest is dropped, as it was when it was muted.
                let _ = self.subscriptions.mute(sender, name);
            }
            lobby.keep_subscriptions(self.session, &self.subscriptions);
        }
        self.protocol.handle_welcome(token, self.account, None);
        self.tell_nodes(lobby);
    }

    /// The client sent its hello.
    fn greet<L: Lobby<G>>(&mut self, resume: Option<Resume>, account: Option<AccountToken>, lobby: &L) {
        match account.map(|token| lobby.admit(&token)) {
            Some(AccountAdmission::Accepted(account)) => self.account = Some(account),
            Some(AccountAdmission::Ignored) | None => {}
            // Nothing has been touched yet: the seat that it would resume stays as it is.
            Some(AccountAdmission::Banned) => return self.protocol.handle_close(CloseCode::Banned),
        }
        let Some(resume) = resume else { return self.welcome(lobby) };
        match lobby.seat_of(&resume.token) {
            Some(location) => self.pending_resume = Some(PendingResume { location, resume }),
            None if lobby.attach_restored(&resume.token, self.id) => self.welcome_back(resume.token, lobby),
            None => match lobby.node_of(&resume.token) {
                Some(url) => self.protocol.handle_redirect(url, None),
                None => self.welcome(lobby),
            },
        }
    }

    /// Delivers a message: with the next snapshot in a room, at once otherwise.
    pub(crate) fn deliver(&mut self, message: EncodedMessage, outputs: &mut VecDeque<Output<G>>) {
        if self.is_closing {
            return;
        }
        match self.membership {
            Membership::Seated(..) => self.messages.push(message),
            Membership::None | Membership::Queued { .. } => outputs.push_back(Output::Message(self.id.key, message)),
        }
    }

    /// Delivers what was published in a topic, unless it was received before or comes from a muted sender.
    pub(crate) fn receive(&mut self, message: &TopicMessage, outputs: &mut VecDeque<Output<G>>) {
        if !self.is_closing && self.subscriptions.receive(message) {
            self.deliver_published(message.topic, message.message.clone(), outputs);
        }
    }

    fn deliver_published(&mut self, topic: Topic, message: EncodedMessage, outputs: &mut VecDeque<Output<G>>) {
        match self.membership {
            Membership::Seated(..) if !self.is_closing => self.messages.push_published(topic, message),
            Membership::Seated(..) | Membership::None | Membership::Queued { .. } => self.deliver(message, outputs),
        }
    }

    /// Appends queued messages to a snapshot, up to its share of bytes. Returns the bytes appended.
    pub(crate) fn append_messages(&mut self, frame: &mut Vec<u8>) -> u64 {
        self.messages.append(frame)
    }

    /// A binary message arrived.
    pub(crate) fn handle_frame<L: Lobby<G>>(&mut self, frame: &[u8], turn: &mut Turn<'_, G, L>) {
        turn.counters.frames_in += 1;
        if let Membership::Seated(room, _) = &self.membership
            && let Some(fanout) = turn.fanouts.get(room)
        {
            self.protocol.set_tick_us(fanout.tick_us());
        }
        self.protocol.handle_frame(turn.now, frame);
        self.drive(turn);
    }

    /// Another WebSocket frame arrived: a pong, a ping, a fragment.
    pub(crate) fn handle_alive<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        turn.counters.frames_in += 1;
        self.protocol.handle_alive(turn.now);
        self.drive(turn);
    }

    /// The shell read this many bytes.
    pub(crate) fn handle_bytes<L: Lobby<G>>(&mut self, count: usize, turn: &mut Turn<'_, G, L>) {
        self.protocol.handle_bytes(turn.now, count);
        self.drive(turn);
    }

    /// The server stood still for this many microseconds.
    pub(crate) fn handle_pause(&mut self, us: u64) {
        self.protocol.handle_pause(us);
    }

    pub(crate) fn handle_timeout<L: Lobby<G>>(&mut self, as_of: MonoTime, turn: &mut Turn<'_, G, L>) {
        if self.protocol.poll_timeout().is_some_and(|at| at <= as_of) {
            self.protocol.handle_timeout(as_of);
            self.drive(turn);
        }
    }

    /// When [`Connection::handle_timeout`] has something to do; `None` once it is closed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        self.protocol.poll_timeout()
    }

    /// Closes it, for a reason from outside.
    pub(crate) fn close<L: Lobby<G>>(&mut self, code: CloseCode, turn: &mut Turn<'_, G, L>) {
        self.protocol.handle_close(code);
        self.drive(turn);
    }

    /// The room gave the seat.
    pub(crate) fn handle_seated<L: Lobby<G>>(
        &mut self,
        room: &RoomInfo,
        seat: SeatAssignment,
        turn: &mut Turn<'_, G, L>,
    ) {
        // Bots come and go all the time.
        if self.origin != Origin::Bot {
            let agent = self.protocol.agent();
            tracing::info!(address = %self.origin, room = %room.id, player = %seat.player, agent, "joined");
        }
        self.membership = Membership::Seated(room.id, seat);
        let location = SeatLocation { shard: self.id.shard, room: room.id, seat };
        turn.lobby.set_seat(self.session, Some(location));
        turn.lobby.keep_subscriptions(self.session, &self.subscriptions);
        // The answer goes out before the first snapshot: both leave through this shard, in order.
        self.protocol.handle_seated(&room.joined::<G>(seat));
        self.drive(turn);
    }

    fn reply<L: Lobby<G>>(&mut self, id: u32, outcome: Outcome, turn: &mut Turn<'_, G, L>) {
        if !self.is_closing {
            let reply = ServerMsg::Reply { id, outcome };
            turn.outputs.push_back(Output::Frame(self.id.key, codec::encode_server(&reply)));
        }
    }

    /// The room keeps the request in its join queue.
    pub(crate) fn handle_queued<L: Lobby<G>>(&mut self, position: u32, turn: &mut Turn<'_, G, L>) {
        if let Membership::Queued { is_notified, .. } = &mut self.membership {
            *is_notified = true;
        }
        self.protocol.handle_queued(position);
        self.drive(turn);
    }

    /// The room has ended: back to the lobby.
    pub(crate) fn handle_room_ended<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        self.forget_room(turn);
        self.protocol.handle_exit();
        let notice = ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds: 0 });
        self.deliver(EncodedMessage::new(notice), turn.outputs);
        self.drive(turn);
    }

    /// The room whose join queue it is in has ended. A client that was not notified of its position is closed with
    /// [`CloseCode::NoSuchRoom`] and looks for another room: it might take a notice for the end of the room it came from.
    pub(crate) fn handle_queue_closed<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        if matches!(self.membership, Membership::Queued { is_notified: true, .. }) {
            self.handle_room_ended(turn);
        } else {
            self.forget_room(turn);
            self.close(CloseCode::NoSuchRoom, turn);
        }
    }

    /// The socket is lost. The session continues without a connection if it has a seat.
    pub(crate) fn handle_lost<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        turn.counters.subscriptions_changed = true;
        self.park(turn);
        self.leave(SeatOutcome::Parked, turn);
        if self.session != 0 {
            turn.lobby.detach(self.session, self.id);
        }
    }

    /// Keeps subscriptions and messages for the next connection of the session. One without a seat has none, unless another server goes on
    /// with it.
    pub(crate) fn park<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        // Not twice, and not over what the next connection has.
        if turn.lobby.connection_of(self.session) == Some(self.id) {
            turn.counters.subscriptions_changed = true;
            let (subscriptions, messages) =
                (std::mem::take(&mut self.subscriptions), std::mem::take(&mut self.messages));
            turn.lobby.park(self.session, ParkedSession { subscriptions, messages });
        }
    }

    /// The room is gone: there is nothing to give up.
    pub(crate) fn forget_room<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        self.membership = Membership::None;
        self.drop_unanswered(turn);
        self.leave_topics(turn);
    }

    /// Ends its membership.
    fn leave<L: Lobby<G>>(&mut self, outcome: SeatOutcome, turn: &mut Turn<'_, G, L>) {
        self.asking = None;
        self.drop_unanswered(turn);
        match std::mem::replace(&mut self.membership, Membership::None) {
            Membership::None => {}
            Membership::Queued { room, .. } => turn.lobby.send(room.id, RoomCommand::CancelJoin(self.id)),
            Membership::Seated(room, seat) => {
                if outcome == SeatOutcome::GivenUp {
                    turn.lobby.set_seat(self.session, None);
                }
                if let Some(fanout) = turn.fanouts.get_mut(&room) {
                    // Either way nothing more is sent; the room reports when the seat is free.
                    fanout.disconnect(seat.player, outcome == SeatOutcome::Parked);
                    // The command must not overtake earlier inputs.
                    fanout.flush_inputs(turn.lobby);
                    turn.lobby.send(
                        room,
                        match outcome {
                            SeatOutcome::GivenUp => RoomCommand::Leave(seat),
                            SeatOutcome::Parked => RoomCommand::Park(seat),
                        },
                    );
                }
            }
        }
        if outcome == SeatOutcome::GivenUp {
            self.leave_topics(turn);
        }
    }

    /// Ends the subscriptions reserved for those in the room, and sends the messages that waited for a snapshot.
    fn leave_topics<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        turn.counters.subscriptions_changed = true;
        self.subscriptions.leave_room(|room| turn.lobby.room(room).is_none_or(|room| room.is_private));
        while let Some(message) = self.messages.pop() {
            self.deliver(message, turn.outputs);
        }
    }

    /// Carries out the outputs of the protocol.
    fn drive<L: Lobby<G>>(&mut self, turn: &mut Turn<'_, G, L>) {
        while let Some(output) = self.protocol.poll_output() {
            match output {
                ProtocolOutput::Send(frame) => {
                    turn.outputs.push_back(Output::Frame(self.id.key, frame));
                    // That was the welcome.
                    if std::mem::take(&mut self.is_back) {
                        self.catch_up(turn);
                    }
                }
                ProtocolOutput::Ping => turn.outputs.push_back(Output::Ping(self.id.key)),
                ProtocolOutput::Hello(resume, account) => self.greet(resume, account, turn.lobby),
                ProtocolOutput::Join(name, choice, role) => {
                    self.leave(SeatOutcome::GivenUp, turn);
                    let name = self.rename_for(&name, turn);
                    self.joins = self.joins.wrapping_add(1);
                    let (session, address) = (self.session, self.origin.address());
                    let (number, connection) = (self.joins, self.id);
                    self.join(
                        Join { number, is_placed: false, connection, session, address, name, choice, role },
                        turn,
                    );
                }
                ProtocolOutput::Request(id, request) => self.request(id, request, turn),
                ProtocolOutput::Input(packet) => {
                    if let Membership::Seated(room, seat) = &self.membership
                        && let Some(fanout) = turn.fanouts.get_mut(room)
                    {
                        turn.counters.inputs += packet.samples.len() as u64;
                        fanout.input(*seat, packet, turn.now);
                    }
                }
                ProtocolOutput::Close(code) => {
                    tracing::debug!(address = %self.origin, code = code.code(), reason = code.reason(), "closing");
                    let outcome = match self.origin {
                        Origin::Client(_) => SeatOutcome::after(code),
                        // No bot comes back.
                        Origin::Bot => SeatOutcome::GivenUp,
                    };
                    if outcome == SeatOutcome::Parked {
                        self.park(turn);
                    }
                    self.leave(outcome, turn);
                    // From here on messages to the session wait for its next connection.
                    if self.session != 0 {
                        turn.lobby.detach(self.session, self.id);
                    }
                    turn.outputs.push_back(Output::Close(self.id.key, code));
                    self.is_closing = true;
                }
            }
        }
    }

    fn request<L: Lobby<G>>(&mut self, id: u32, request: Request, turn: &mut Turn<'_, G, L>) {
        if let Request::Game { body } = &request {
            return self.request_of_game(id, body, turn);
        }
        if request == Request::Scores {
            return self.request_scores(id, turn);
        }
        turn.counters.subscriptions_changed |=
            matches!(request, Request::Subscribe { .. } | Request::Unsubscribe { .. });
        let keeps = matches!(
            request,
            Request::Subscribe { .. } | Request::Unsubscribe { .. } | Request::Mute { .. } | Request::Unmute { .. }
        );
        let room = self.room();
        let is_spectator = matches!(self.membership, Membership::Seated(_, seat) if seat.role == Role::Spectate);
        let asker = Asker {
            session: self.session,
            request: (self.id, id),
            room,
            is_asking: self.asking.is_some(),
            is_spectator,
            handshake: self.handshake.as_deref(),
        };
        let mut effects = Effects::default();
        let mut result = requests::answer(request, asker, &mut self.subscriptions, turn.lobby, &mut effects);
        if keeps && result.is_ok() {
            turn.lobby.keep_subscriptions(self.session, &self.subscriptions);
        }
        if effects.exits && result.is_ok() {
            self.leave(SeatOutcome::GivenUp, turn);
            self.protocol.handle_exit();
        }
        if let Some(name) = effects.renamed {
            self.rename(name, turn.lobby);
        }
        if let (Ok(()), Some(player), Membership::Seated(room, seat)) = (result, effects.follows, &self.membership)
            && let Some(fanout) = turn.fanouts.get(room)
        {
            if fanout.has_player(player) {
                turn.lobby.send(*room, RoomCommand::Follow(*seat, player));
            } else {
                result = Err(Refusal::NoSuchPlayer);
            }
        }
        if let (Ok(()), Some(place), Membership::Seated(room, seat)) = (result, effects.looks_at, &self.membership) {
            turn.lobby.send(*room, RoomCommand::Look(*seat, place));
        }
        // The reply goes out before the messages that the request causes.
        if !effects.is_pending {
            self.reply(id, requests::outcome(result), turn);
        }
        effects.messages.into_iter().for_each(|message| self.deliver(message, turn.outputs));
        if let Some(topic) = effects.unsubscribed {
            self.messages.drop_of(topic);
        }
        for (topic, message) in effects.published {
            self.deliver_published(topic, message, turn.outputs);
        }
    }

    /// Passes a new name on to the room: a player has one name everywhere.
    fn rename<L: Lobby<G>>(&self, name: Name, lobby: &L) {
        match self.membership {
            Membership::None => {}
            Membership::Queued { room, .. } => lobby.send(room.id, RoomCommand::RenameQueued(self.id, name)),
            Membership::Seated(room, seat) => lobby.send(room, RoomCommand::Rename(seat, name)),
        }
    }

    /// Gives the session the name that it wants to play under, or one like it.
    fn rename_for<L: Lobby<G>>(&mut self, wanted: &Name, turn: &mut Turn<'_, G, L>) -> Name {
        let name = turn.lobby.set_name_or_guest(self.session, wanted, self.origin == Origin::Bot);
        if name != *wanted && self.origin != Origin::Bot {
            let notice = ServerMsg::ServerNotice(ServerNotice::Renamed { name: name.clone() });
            self.deliver(EncodedMessage::new(notice), turn.outputs);
        }
        name
    }

    fn join<L: Lobby<G>>(&mut self, join: Join, turn: &mut Turn<'_, G, L>) {
        match turn.lobby.join(&join) {
            Ok(Joining::Here(room)) => {
                self.membership = Membership::Queued { room, role: join.role, is_notified: false };
            }
            Ok(Joining::Elsewhere(to)) => self.protocol.handle_redirect(to.url, Some(to.choice)),
            Ok(Joining::Asked) => self.asking = Some(Box::new(join)),
            Err(code) => self.protocol.handle_close(code),
        }
    }
}
