//! One connection on its shard: the socket, the session that judges what comes, and where in the rooms it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_shared::game::Game;
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::header_bytes;
use broadside_shared::protocol::message::{Refusal, Request, Resume, RoomId, ServerMsg, ServerNotice};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::{FrameKind, codec};
use broadside_shared::time::{MonoTime, Tick};

use super::admission::Guard;
use super::conn::{Conn, HEADER_MAX, Incoming, Sent};
use super::counters::TrafficCounters;
use super::requests::{self, Asker, Effects, Subscriptions};
use super::shard::RoomFanouts;
use crate::App;
use crate::driver::{ConnectionId, JoinRequest, RoomCommand, RoomHandle, SeatAssignment};
use crate::limits::holds::Hold;
use crate::lobby::messages::{EncodedMessage, MessageQueue};
use crate::lobby::names::FitName;
use crate::lobby::sessions::{ParkedSession, SeatLocation, SessionId};
use crate::metrics::labels::{ByteClass, JoinResult};
use crate::session::{Session, SessionOutput};

/// Time a peer has to answer our close before the socket is dropped, in microseconds.
const CLOSING_US: u64 = 2_000_000;

/// One connection.
pub struct Connection<G: Game> {
    /// The socket.
    pub conn: Conn,
    session: Session<G>,
    membership: Membership<G>,
    /// The room was told, and this is when to drop the socket.
    drop_at: Option<MonoTime>,
    me: ConnectionId,
    /// The session it speaks for; 0 before the hello.
    session_id: SessionId,
    /// It came back and is to get its seat: the shard sees to it.
    pending_resume: Option<PendingResume>,
    subscriptions: Subscriptions,
    /// What rides in the next snapshots.
    messages: MessageQueue,
    address: SocketAddr,
    /// How it began, if that was kept.
    pub handshake: Option<Box<Handshake>>,
    /// Keeps its place in the count of open connections.
    _guard: Option<Arc<Guard<G>>>,
}

/// Someone who is back: where their seat is, and what they have.
pub struct PendingResume {
    /// The seat.
    pub seat: SeatLocation,
    /// What they showed.
    pub resume: Resume,
}

/// What becomes of the seat when a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// It is given up.
    Free,
    /// It is kept for a while.
    Keep,
}

/// Where in the rooms a connection is.
enum Membership<G: Game> {
    Nowhere,
    InQueue(Ask<G>),
    Seated(RoomId, SeatAssignment),
}

/// A seat that was asked for.
struct Ask<G: Game> {
    room: Arc<RoomHandle<G>>,
    role: Role,
    /// Whether the client knows that it stands in line.
    told: bool,
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// It does.
    On,
    /// It does, and there may be more to receive: look again, for the kernel will not say so twice.
    More,
    /// Nothing more can be done with it: drop it.
    Over,
}

/// What becomes of the seat of a connection that we close with this code: who may come back by themselves finds it kept.
fn seat_after(code: CloseCode) -> Seat {
    match code.retry() {
        Retry::ByItself => Seat::Keep,
        Retry::ByHand => Seat::Free,
    }
}

impl<G: Game> Connection<G> {
    /// A connection that was opened at `now`.
    pub fn new(conn: Conn, me: ConnectionId, address: SocketAddr, guard: Option<Arc<Guard<G>>>, now: MonoTime) -> Self {
        Connection {
            conn,
            session: Session::new(now),
            membership: Membership::Nowhere,
            drop_at: None,
            me,
            session_id: 0,
            pending_resume: None,
            subscriptions: Subscriptions::default(),
            messages: MessageQueue::default(),
            address,
            handshake: None,
            _guard: guard,
        }
    }

    /// What the rooms know it by.
    #[must_use]
    pub fn me(&self) -> ConnectionId {
        self.me
    }

    /// It is on another shard now.
    pub fn move_to(&mut self, me: ConnectionId) {
        self.me = me;
    }

    /// The session it speaks for; 0 before the hello.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// What it accepts_from of.
    #[must_use]
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// Someone who wants an earlier seat back, once.
    pub fn take_pending_resume(&mut self) -> Option<PendingResume> {
        // Whoever said more with the same breath, and is closed for it, takes nobody's seat.
        self.pending_resume.take().filter(|_| !self.is_closing())
    }

    /// The seat it asked for is its own again.
    pub fn handle_resumed(
        &mut self,
        room: &RoomHandle<G>,
        pending_resume: &PendingResume,
        app: &App<G>,
        fanouts: &mut RoomFanouts<G>,
        counters: &mut TrafficCounters,
    ) {
        let (token, seated) = (pending_resume.resume.token, pending_resume.seat.seated);
        tracing::info!(address = %self.address, room = %room.id, player = %seated.player, "back");
        self.session_id = token.session;
        let parked = app.sessions.take_kept(token.session);
        (self.subscriptions, self.messages) = (parked.subscriptions, parked.messages);
        counters.subscriptions_changed = true;
        self.membership = Membership::Seated(room.id, seated);
        self.session.handle_welcome(token, Some(&room.joined(seated)));
        self.drive(app, fanouts, counters);
        // What was said meanwhile where it listens; all that a new subscriber would receive if it has nothing left, as after a reload.
        let since = if pending_resume.resume.have == Tick(0) { MonoTime(0) } else { parked.since };
        for topic in self.subscriptions.topics().collect::<Vec<_>>() {
            let missed =
                app.context.topics.kept_since(topic, since, |from| !self.subscriptions.accepts_from(Some(from)));
            self.subscriptions.heard(topic, missed.until);
            missed.messages.iter().for_each(|message| self.deliver(message, app));
        }
    }

    /// The seat it asked for is gone: it begins anew.
    pub fn handle_fresh(&mut self, app: &App<G>, fanouts: &mut RoomFanouts<G>, counters: &mut TrafficCounters) {
        self.greet(app);
        self.drive(app, fanouts, counters);
    }

    /// Brings it a message: with its next snapshot if it gets any, at once if not.
    pub fn deliver(&mut self, message: &EncodedMessage, app: &App<G>) {
        if self.is_closing() {
            return;
        }
        match self.membership {
            Membership::Seated(..) => self.messages.push(message.clone()),
            Membership::Nowhere | Membership::InQueue(_) => self.send_message(message.message(), app),
        }
    }

    /// Appends messages to a snapshot, as many as its fanout of bytes allows. Gives their bytes.
    pub fn append_messages(&mut self, frame: &mut Vec<u8>) -> u64 {
        self.messages.append(frame)
    }

    /// The socket has something: takes as much of it as one look may.
    pub fn handle_readable(
        &mut self,
        app: &App<G>,
        fanouts: &mut RoomFanouts<G>,
        counters: &mut TrafficCounters,
    ) -> ConnectionStatus {
        let now = app.clock.now();
        let status = loop {
            match self.conn.receive() {
                Incoming::Message => self.handle_message(now, fanouts, counters),
                Incoming::Frame => {
                    counters.frames_in += 1;
                    self.session.handle_alive(now);
                }
                Incoming::Refused(code) => self.session.handle_close(code),
                Incoming::Nothing => break ConnectionStatus::On,
                Incoming::Enough => break ConnectionStatus::More,
                Incoming::Ended => return ConnectionStatus::Over,
            }
            self.drive(app, fanouts, counters);
        };
        self.session.handle_bytes(now, self.conn.end_look());
        self.drive(app, fanouts, counters);
        if self.conn.wire.is_over() { ConnectionStatus::Over } else { status }
    }

    /// The socket may take more.
    pub fn handle_writable(&mut self) -> ConnectionStatus {
        match self.conn.flush() {
            Sent::Envelope => ConnectionStatus::On,
            Sent::Ended => ConnectionStatus::Over,
        }
    }

    /// The server stood still for so many microseconds.
    pub fn handle_pause(&mut self, us: u64) {
        self.session.handle_pause(us);
        self.drop_at = self.drop_at.map(|at| at.plus_us(us));
    }

    /// Time has passed, and what had come by `now` is read.
    pub fn handle_time(
        &mut self,
        now: MonoTime,
        app: &App<G>,
        fanouts: &mut RoomFanouts<G>,
        counters: &mut TrafficCounters,
    ) -> ConnectionStatus {
        if self.drop_at.is_some_and(|at| at <= now) {
            return ConnectionStatus::Over;
        }
        // TeamLabel has said more than one look takes is not silent.
        if !self.conn.has_more() && self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
            self.drive(app, fanouts, counters);
        }
        if self.conn.wire.is_over() { ConnectionStatus::Over } else { ConnectionStatus::On }
    }

    /// It is to be closed, for a reason that is not its own.
    pub fn close(
        &mut self,
        code: CloseCode,
        app: &App<G>,
        fanouts: &mut RoomFanouts<G>,
        counters: &mut TrafficCounters,
    ) {
        self.session.handle_close(code);
        self.drive(app, fanouts, counters);
    }

    /// The room gave a seat.
    pub fn handle_seated(
        &mut self,
        room: &RoomHandle<G>,
        seated: SeatAssignment,
        app: &App<G>,
        fanouts: &mut RoomFanouts<G>,
        counters: &mut TrafficCounters,
    ) {
        tracing::info!(address = %self.address, room = %room.id, player = %seated.player, agent = self.session.agent(), "joined");
        self.membership = Membership::Seated(room.id, seated);
        let seat = SeatLocation { shard: self.me.shard, room: room.id, seated };
        app.sessions.set_seat(self.session_id, Some(seat));
        // The answer is written before the first snapshot: both go out on this thread.
        self.session.handle_seated(&room.joined(seated));
        self.drive(app, fanouts, counters);
    }

    /// The room keeps it in line.
    pub fn handle_waiting(
        &mut self,
        place: u32,
        app: &App<G>,
        fanouts: &mut RoomFanouts<G>,
        counters: &mut TrafficCounters,
    ) {
        if let Membership::InQueue(ask) = &mut self.membership {
            ask.told = true;
        }
        self.session.handle_queued(place);
        self.drive(app, fanouts, counters);
    }

    /// The room is over: back to the lobby.
    pub fn handle_room_over(&mut self, app: &App<G>, fanouts: &mut RoomFanouts<G>, counters: &mut TrafficCounters) {
        self.forget_room(app);
        counters.subscriptions_changed = true;
        self.session.handle_exit();
        self.deliver(&EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds: 0 })), app);
        self.drive(app, fanouts, counters);
    }

    /// The room whose line it stands in is over: back to the lobby. Whoever does not know of a line yet looks for another room; told of
    /// an end, they might take it for that of the room they come from.
    pub fn handle_queue_closed(&mut self, app: &App<G>, fanouts: &mut RoomFanouts<G>, counters: &mut TrafficCounters) {
        if matches!(&self.membership, Membership::InQueue(ask) if ask.told) {
            self.handle_room_over(app, fanouts, counters);
        } else {
            self.forget_room(app);
            self.close(CloseCode::NoSuchRoom, app, fanouts, counters);
        }
    }

    /// Ends what it holds in the rooms.
    pub fn leave(&mut self, seat: Seat, app: &App<G>, fanouts: &mut RoomFanouts<G>) {
        match std::mem::replace(&mut self.membership, Membership::Nowhere) {
            Membership::Nowhere => {}
            // A room that is over has no line.
            Membership::InQueue(ask) => drop(ask.room.send(RoomCommand::Gone(self.me))),
            Membership::Seated(room, seated) => {
                if seat == Seat::Free {
                    app.sessions.set_seat(self.session_id, None);
                }
                if let Some(fanout) = fanouts.get_mut(&room) {
                    // Either way nothing more is sent; the room says when the seat is free.
                    fanout.away(seated.player, seat);
                    // After what it said last.
                    fanout.send();
                    let command = match seat {
                        Seat::Free => RoomCommand::Leave(seated),
                        Seat::Keep => RoomCommand::Away(seated),
                    };
                    let _ = fanout.room().send(command);
                }
            }
        }
        if seat == Seat::Free {
            self.leave_topics(app);
        }
    }

    /// The connection ends: its session goes on without it, if it has a seat.
    pub fn end(&mut self, app: &App<G>, fanouts: &mut RoomFanouts<G>) {
        self.keep(app);
        self.leave(Seat::Keep, app, fanouts);
        if self.session_id != 0 {
            app.sessions.detach(self.session_id, self.me);
        }
    }

    /// Another connection may take up its seat: what it accepts_from of, and has not heard yet, goes with that.
    pub fn keep(&mut self, app: &App<G>) {
        if matches!(self.membership, Membership::Seated(..)) {
            let (subscriptions, messages) =
                (std::mem::take(&mut self.subscriptions), std::mem::take(&mut self.messages));
            app.sessions.keep(self.session_id, ParkedSession { since: app.clock.now(), subscriptions, messages });
        }
    }

    /// Whether it stands in line for this room.
    #[must_use]
    pub fn awaits(&self, room: RoomId) -> bool {
        !self.is_closing() && matches!(&self.membership, Membership::InQueue(ask) if ask.room.id == room)
    }

    /// Whether it stands in line for this room to do this there: what an earlier room_request brought is not meant any more.
    #[must_use]
    pub fn awaits_as(&self, room: RoomId, role: Role) -> bool {
        self.awaits(room) && matches!(&self.membership, Membership::InQueue(ask) if ask.role == role)
    }

    /// Whether it was told why it ends.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.drop_at.is_some()
    }

    /// The room is gone: there is nothing to give up.
    pub fn forget_room(&mut self, app: &App<G>) {
        self.membership = Membership::Nowhere;
        self.leave_topics(app);
    }

    /// In no room any more: what waited for a snapshot goes out now, and what is for those in the room is heard no more.
    fn leave_topics(&mut self, app: &App<G>) {
        self.subscriptions.leave_room(|room| app.directory.get(room).is_none_or(|room| room.code.is_some()));
        while let Some(message) = self.messages.pop() {
            self.deliver(&message, app);
        }
    }

    fn handle_message(&mut self, now: MonoTime, fanouts: &RoomFanouts<G>, counters: &mut TrafficCounters) {
        counters.frames_in += 1;
        if let Membership::Seated(room, _) = &self.membership
            && let Some(fanout) = fanouts.get(room)
        {
            self.session.note_tick_us(fanout.room().status.tick_us.load(Ordering::Relaxed));
        }
        self.session.handle_frame(now, self.conn.message());
    }

    /// Does what the session asks for.
    fn drive(&mut self, app: &App<G>, fanouts: &mut RoomFanouts<G>, counters: &mut TrafficCounters) {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Send(payload) => self.send(&payload, app),
                SessionOutput::Ping => self.conn.send_ping(),
                SessionOutput::Hello(None) => self.greet(app),
                SessionOutput::Hello(Some(resume)) => match app.sessions.seat_of(&resume.token) {
                    Some(seat) => self.pending_resume = Some(PendingResume { seat, resume }),
                    None => self.greet(app),
                },
                SessionOutput::Join(name, choice, role) => {
                    counters.subscriptions_changed = true;
                    self.leave(Seat::Free, app, fanouts);
                    self.join(&name, choice, role, app);
                }
                SessionOutput::Request(id, request) => {
                    counters.subscriptions_changed |=
                        matches!(request, Request::Subscribe { .. } | Request::Unsubscribe { .. } | Request::Exit);
                    self.request(id, request, app, fanouts);
                }
                SessionOutput::Input(packet) => {
                    if let Membership::Seated(room, seated) = &self.membership
                        && let Some(fanout) = fanouts.get_mut(room)
                    {
                        counters.inputs += packet.samples.len() as u64;
                        fanout.input(*seated, packet, app.clock.now());
                    }
                }
                SessionOutput::Close(code) => {
                    tracing::debug!(address = %self.address, code = code.code(), reason = code.reason(), "closing");
                    app.metrics.closed(code);
                    let seat = seat_after(code);
                    if seat == Seat::Keep {
                        self.keep(app);
                    }
                    self.leave(seat, app, fanouts);
                    // From here on what is said to it waits for the next connection.
                    app.sessions.detach(self.session_id, self.me);
                    self.conn.send_close(code);
                    self.drop_at = Some(app.clock.now().plus_us(CLOSING_US));
                }
            }
        }
    }

    /// Welcomes it as a new session.
    fn greet(&mut self, app: &App<G>) {
        let token = app.sessions.open(self.me);
        self.session_id = token.session;
        self.session.handle_welcome(token, None);
    }

    fn request(&mut self, id: u32, request: Request, app: &App<G>, fanouts: &mut RoomFanouts<G>) {
        let room = match &self.membership {
            Membership::Nowhere => None,
            Membership::InQueue(ask) => Some(ask.room.id),
            Membership::Seated(room, _) => Some(*room),
        };
        let spectates = matches!(&self.membership, Membership::Seated(_, seated) if seated.role == Role::Spectate);
        let shown = self.handshake.as_deref();
        let asker = Asker { session: self.session_id, room, spectates, shown };
        let mut effects = Effects::default();
        let mut result = requests::answer(request, asker, &mut self.subscriptions, app, &mut effects);
        if effects.exits && room.is_some() {
            self.leave(Seat::Free, app, fanouts);
            self.session.handle_exit();
        }
        if let Some(name) = effects.called {
            self.rename(name, fanouts);
        }
        if let (Ok(()), Some(player), Membership::Seated(room, seated)) = (result, effects.follows, &self.membership)
            && let Some(fanout) = fanouts.get(room)
        {
            if fanout.has_player(player) {
                let _ = fanout.room().send(RoomCommand::Follow(*seated, player));
            } else {
                result = Err(Refusal::NoSuchPlayer);
            }
        }
        // The answer comes before what it brings.
        let reply = ServerMsg::Reply { id, outcome: requests::outcome(result) };
        self.send(&codec::encode_server(&reply), app);
        effects.messages.iter().for_each(|message| self.deliver(message, app));
    }

    /// Tells the room in which it plays or waits of its new name: it has one name everywhere.
    fn rename(&self, name: Name, fanouts: &RoomFanouts<G>) {
        // A room that is over calls nobody anything.
        match &self.membership {
            Membership::Nowhere => {}
            Membership::InQueue(ask) => drop(ask.room.send(RoomCommand::RenamedInQueue(self.me, name))),
            Membership::Seated(room, seated) => {
                if let Some(fanout) = fanouts.get(room) {
                    let _ = fanout.room().send(RoomCommand::Renamed(*seated, name));
                }
            }
        }
    }

    fn send_message(&mut self, message: &[u8], app: &App<G>) {
        let mut payload = Vec::with_capacity(1 + message.len());
        payload.push(FrameKind::Control as u8);
        payload.extend_from_slice(message);
        self.send(&payload, app);
    }

    fn send(&mut self, payload: &[u8], app: &App<G>) {
        let mut frame = vec![0; HEADER_MAX];
        frame.extend_from_slice(payload);
        if self.conn.send_framed(&mut frame) == Sent::Ended {
            // The end of the socket is noticed by whoever called; a backlog is the only case that has a code.
            self.session.handle_close(CloseCode::TooSlow);
            return;
        }
        app.metrics.bytes_out.of(ByteClass::Control).inc_by(payload.len() as u64);
        app.metrics.bytes_out.of(ByteClass::WsHeaders).inc_by(header_bytes(payload.len()));
    }

    fn join(&mut self, name: &Name, choice: RoomChoice, role: Role, app: &App<G>) {
        let wanted = FitName::new(name).unwrap_or_else(|_| FitName::guest());
        let called = app.sessions.call(self.session_id, &wanted);
        if called != *name {
            self.deliver(
                &EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Renamed { name: called.clone() })),
                app,
            );
        }
        let ask = |choice| {
            let address = self.address.ip();
            let (room, by) = app.directory.find(choice, address, || app.may_open(address))?;
            let (peer, session) = (self.me, self.session_id);
            let (hold, in_queue) = (Hold::default(), Hold::default());
            let (name, address) = (called.clone(), Some(address));
            let request = JoinRequest { name, role, by, peer, session, address, hold, in_queue };
            room.send(RoomCommand::Join(request)).map_err(|_| CloseCode::NoSuchRoom)?;
            Ok(room)
        };
        // A room that ended at this very moment is not the only one.
        let found = match choice {
            RoomChoice::Quick | RoomChoice::Mode(_) => ask(choice).or_else(|_| ask(choice)),
            RoomChoice::Room(_) | RoomChoice::Code(_) | RoomChoice::Reserved { .. } => ask(choice),
        };
        match found {
            Ok(room) => self.membership = Membership::InQueue(Ask { room, role, told: false }),
            Err(code) => {
                app.metrics.joins.of(JoinResult::Refused).inc();
                self.session.handle_close(code);
            }
        }
    }
}
