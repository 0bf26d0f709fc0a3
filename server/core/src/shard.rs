//! A shard: a set of connections, whatever rooms they are in, and the fan-out of those rooms to them.
//!
//! The shell owns the sockets under the same keys as the connections here. Its contract:
//! - `now` never goes back.
//! - After every `handle_*` it drains [`ShardCore::poll_output`], in order, before the next call.
//! - A key is free until [`ShardCore::handle_connect`] or [`ShardCore::handle_migrated`], and again after
//!   [`ShardCore::handle_lost`] or [`Output::Migrate`].
//! - The frames of one read of a socket are handed in one by one; [`ShardCore::handle_read_end`] ends the read.
//! - After reading it calls [`ShardCore::flush_inputs`], after commands [`ShardCore::fan_out_next`] until that returns `None`.
//!
//! A broken contract panics; bytes from a remote never do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;

use crate::commands::{ConnectionId, Envelope, RoomCommand, SeatAssignment, SessionId, ShardCommand, TopicMessage};
use crate::connection::{Connection, Counters, Origin, Output, PassedConnection, PendingResume, Turn};
use crate::fanout::room_fanout::{FanoutStats, RoomFanout, RoomFanouts, Sockets};
use crate::lobby::Lobby;

/// A shard without its sockets.
pub struct ShardCore<G: Game> {
    index: usize,
    /// By the shell's keys.
    connections: Vec<Option<Connection<G>>>,
    open: usize,
    fanouts: RoomFanouts<G>,
    /// Rooms with a tick that was not sent yet, oldest first.
    fresh: VecDeque<RoomId>,
    /// Keys by topic, as of the newest publication; `Counters::subscriptions_changed` has them rebuilt before the next one.
    subscribers: BTreeMap<Topic, Vec<usize>>,
    outputs: VecDeque<Output<G>>,
    counters: Counters,
    /// With what code connections are closed once the server ends.
    shuts_down_with: Option<CloseCode>,
    /// A buffer to assemble frames in.
    frame: Vec<u8>,
    /// The latest time handed in.
    now: MonoTime,
}

impl<G: Game> ShardCore<G> {
    /// A shard without connections; `index` is its number among the shards.
    #[must_use]
    pub fn new(index: usize) -> Self {
        ShardCore {
            index,
            connections: Vec::new(),
            open: 0,
            fanouts: RoomFanouts::new(),
            fresh: VecDeque::new(),
            subscribers: BTreeMap::new(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            shuts_down_with: None,
            frame: Vec::new(),
            now: MonoTime(0),
        }
    }

    /// Adds a connection. `refused_with` closes it at once.
    ///
    /// # Panics
    /// If the key is taken, or the id belongs to another shard.
    pub fn handle_connect<L: Lobby<G>>(
        &mut self,
        now: MonoTime,
        id: ConnectionId,
        origin: Origin,
        handshake: Option<Box<Handshake>>,
        refused_with: Option<CloseCode>,
        lobby: &L,
    ) {
        self.insert(Connection::new(id, origin, handshake, now));
        let refused_with = refused_with.or(self.shuts_down_with);
        if let Some(code) = refused_with {
            self.on(now, id.key, lobby, |connection, turn| connection.close(code, turn));
        }
    }

    /// Adds a connection from another shard, which resumes its seat here.
    ///
    /// # Panics
    /// If the key is taken.
    pub fn handle_migrated<L: Lobby<G>>(
        &mut self,
        now: MonoTime,
        key: usize,
        mut connection: Box<Connection<G>>,
        lobby: &L,
    ) {
        connection.move_to(self.index, key);
        let pending = connection.take_pending_resume();
        self.insert(*connection);
        if let Some(code) = self.shuts_down_with {
            return self.on(now, key, lobby, |connection, turn| connection.close(code, turn));
        }
        if let Some(pending) = pending {
            self.resume(now, key, &pending, lobby);
        }
    }

    /// Takes out a connection that another server is to go on with: its session is as after a lost socket, and its key is free. `None` if
    /// it cannot be passed on; then it is as it was.
    pub fn pass_on<L: Lobby<G>>(&mut self, now: MonoTime, key: usize, lobby: &L) -> Option<PassedConnection> {
        let passed = self.connections.get_mut(key)?.as_mut()?.pass_on(&self.fanouts)?;
        self.handle_lost(now, key, lobby);
        Some(passed)
    }

    /// Adds a connection that another server has passed on.
    ///
    /// # Panics
    /// If the key is taken, or the id belongs to another shard.
    pub fn handle_passed<L: Lobby<G>>(
        &mut self,
        now: MonoTime,
        id: ConnectionId,
        mut passed: PassedConnection,
        lobby: &L,
    ) {
        self.insert(Connection::passed(id, &mut passed, now));
        if let Some(code) = self.shuts_down_with {
            return self.on(now, id.key, lobby, |connection, turn| connection.close(code, turn));
        }
        let PassedConnection { session, have, .. } = passed;
        self.on(now, id.key, lobby, |connection, turn| connection.go_on(session, have, turn));
        self.handle_read_end(now, id.key, 0, lobby);
    }

    /// A binary message arrived.
    pub fn handle_frame<L: Lobby<G>>(&mut self, now: MonoTime, key: usize, frame: &[u8], lobby: &L) {
        self.on(now, key, lobby, |connection, turn| connection.handle_frame(frame, turn));
    }

    /// Another WebSocket frame arrived: a ping, a pong, a fragment.
    pub fn handle_alive<L: Lobby<G>>(&mut self, now: MonoTime, key: usize, lobby: &L) {
        self.on(now, key, lobby, Connection::handle_alive);
    }

    /// Ends a read of a socket, which brought `bytes` bytes.
    pub fn handle_read_end<L: Lobby<G>>(&mut self, now: MonoTime, key: usize, bytes: usize, lobby: &L) {
        self.on(now, key, lobby, |connection, turn| connection.handle_bytes(bytes, turn));
        let Some(pending) = self.get(key).and_then(Connection::take_pending_resume) else { return };
        if pending.location.shard == self.index {
            return self.resume(now, key, &pending, lobby);
        }
        if let Some(mut connection) = self.remove(key) {
            let shard = pending.location.shard;
            connection.set_pending_resume(pending);
            self.outputs.push_back(Output::Migrate(key, shard, Box::new(connection)));
        }
    }

    /// Closes a connection whose bytes broke a rule, or whose outbox is full.
    pub fn handle_violation<L: Lobby<G>>(&mut self, now: MonoTime, key: usize, code: CloseCode, lobby: &L) {
        self.on(now, key, lobby, |connection, turn| connection.close(code, turn));
    }

    /// The socket is lost. Returns whether the connection was closed by this core before.
    pub fn handle_lost<L: Lobby<G>>(&mut self, now: MonoTime, key: usize, lobby: &L) -> bool {
        self.on(now, key, lobby, Connection::handle_lost);
        self.remove(key).is_some_and(|connection| connection.is_closing())
    }

    /// The server stood still for this many microseconds; the pause counts towards no timeout.
    pub fn handle_pause(&mut self, us: u64) {
        self.connections.iter_mut().flatten().for_each(|connection| connection.handle_pause(us));
    }

    /// Checks the deadlines of a connection. `as_of` may lie before the last call, as long as everything that arrived by then was handed
    /// in.
    pub fn handle_timeout<L: Lobby<G>>(&mut self, as_of: MonoTime, key: usize, lobby: &L) {
        self.on(self.now.max(as_of), key, lobby, |connection, turn| connection.handle_timeout(as_of, turn));
    }

    /// Handles a command. Commands of one sender must be handed in in the order in which they were sent.
    pub fn handle_command<L: Lobby<G>>(&mut self, now: MonoTime, command: ShardCommand, lobby: &L) {
        match command {
            ShardCommand::RoomOpened(room, updates) => {
                self.fanouts.insert(room.id, RoomFanout::new(room, &updates));
            }
            ShardCommand::SeatRestored(room, session, seat) => {
                if let Some(fanout) = self.fanouts.get_mut(&room) {
                    fanout.restore_seat(seat, session);
                }
            }
            ShardCommand::Seated(connection, room, seat) => self.seat(now, connection, room, seat, lobby),
            ShardCommand::Queued(id, room, position) => self.on_id(now, id, lobby, |connection, turn| {
                if connection.is_queued_for(room) {
                    connection.handle_queued(position, turn);
                }
            }),
            ShardCommand::Refused(id, room, code) => self.on_id(now, id, lobby, |connection, turn| {
                if connection.is_queued_for(room) {
                    connection.forget_room(turn);
                    connection.close(code, turn);
                }
            }),
            ShardCommand::Answered(id, request, outcome) => {
                self.on_id(now, id, lobby, |connection, turn| connection.handle_answered(request, outcome, turn));
            }
            ShardCommand::Updates(room, updates) => {
                if let Some(fanout) = self.fanouts.get_mut(&room) {
                    fanout.apply_updates(&updates);
                }
            }
            ShardCommand::Tick(room, output) => {
                if !output.due.is_empty() {
                    lobby.tick_taken(room, self.index);
                }
                if let Some(fanout) = self.fanouts.get_mut(&room) {
                    let was_fresh = fanout.push(output);
                    self.counters.fanouts_skipped += u64::from(was_fresh);
                    if was_fresh {
                        lobby.fanout_skipped(room);
                    } else if fanout.is_fresh() {
                        self.fresh.push_back(room);
                    }
                }
            }
            ShardCommand::Unseated(room, player) => self.unseat(now, room, player, lobby),
            ShardCommand::RoomEmptied(room) => drop(self.fanouts.remove(&room)),
            ShardCommand::Published(message) => self.publish(&message),
            ShardCommand::Deliver(to, session, envelope) => self.deliver(to, session, envelope, lobby),
            ShardCommand::Placed(id, join, placed) => {
                self.on_id(now, id, lobby, |connection, turn| connection.handle_placed(join, placed, turn));
            }
            ShardCommand::Replied(id, request, outcome) => {
                self.on_id(now, id, lobby, |connection, turn| connection.handle_replied(request, outcome, turn));
            }
            ShardCommand::Tell(message) => {
                for connection in self.connections.iter_mut().flatten() {
                    connection.tell(&message, &mut self.outputs);
                }
            }
            ShardCommand::Kick(id, session, code) => self.kick(now, id, session, code, lobby),
            ShardCommand::RoomFailed(room) => self.fail_room(now, room, lobby),
            ShardCommand::RoomEnded(room) => self.end_room(now, room, lobby),
            ShardCommand::Shutdown(code) => {
                self.shuts_down_with = Some(code);
                for key in 0..self.connections.len() {
                    self.on(now, key, lobby, |connection, turn| connection.close(code, turn));
                }
            }
        }
    }

    /// Sends the tick of the room that has waited longest to its recipients here. `None` once none waits.
    pub fn fan_out_next<S: Sockets>(&mut self, now: MonoTime, sockets: &mut S) -> Option<(RoomId, FanoutStats)> {
        loop {
            let room = self.fresh.pop_front()?;
            // A room that is gone, or was opened again, has nothing to send.
            let Some(fanout) = self.fanouts.get_mut(&room).filter(|fanout| fanout.is_fresh()) else { continue };
            let connections = &mut self.connections;
            let append = |key: usize, frame: &mut Vec<u8>| {
                connections[key].as_mut().map_or(0, |connection| connection.append_messages(frame))
            };
            return Some((room, fanout.fan_out(now, sockets, &mut self.frame, append)));
        }
    }

    /// Sends the received inputs to their rooms, one batch per room.
    pub fn flush_inputs<L: Lobby<G>>(&mut self, lobby: &L) {
        self.fanouts.values_mut().for_each(|fanout| fanout.flush_inputs(lobby));
    }

    /// The next instruction about a socket.
    pub fn poll_output(&mut self) -> Option<Output<G>> {
        self.outputs.pop_front()
    }

    /// Takes the counts since the last call.
    pub fn take_counters(&mut self) -> Counters {
        let subscriptions_changed = self.counters.subscriptions_changed;
        std::mem::replace(&mut self.counters, Counters { subscriptions_changed, ..Counters::default() })
    }

    pub fn connections(&self) -> impl Iterator<Item = &Connection<G>> {
        self.connections.iter().flatten()
    }

    /// The connection with this key.
    #[must_use]
    pub fn connection(&self, key: usize) -> Option<&Connection<G>> {
        self.connections.get(key)?.as_ref()
    }

    /// The fan-outs of the rooms that have recipients here.
    #[must_use]
    pub fn fanouts(&self) -> &RoomFanouts<G> {
        &self.fanouts
    }

    /// Number of open connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    fn insert(&mut self, connection: Connection<G>) {
        let id = connection.id();
        assert_eq!(id.shard, self.index, "a connection of another shard");
        if self.connections.len() <= id.key {
            self.connections.resize_with(id.key + 1, || None);
        }
        let free = &mut self.connections[id.key];
        assert!(free.is_none(), "key {} is taken", id.key);
        *free = Some(connection);
        self.open += 1;
        self.counters.subscriptions_changed = true;
    }

    fn remove(&mut self, key: usize) -> Option<Connection<G>> {
        let connection = self.connections.get_mut(key)?.take()?;
        self.open -= 1;
        self.counters.subscriptions_changed = true;
        Some(connection)
    }

    fn get(&mut self, key: usize) -> Option<&mut Connection<G>> {
        self.connections.get_mut(key)?.as_mut()
    }

    /// The connection with this id, unless another one has its key by now.
    fn find(&self, id: ConnectionId) -> Option<&Connection<G>> {
        self.connection(id.key).filter(|connection| connection.id() == id)
    }

    /// Calls `act` on the connection with this key, if there is one.
    fn on<L: Lobby<G>>(
        &mut self,
        now: MonoTime,
        key: usize,
        lobby: &L,
        act: impl FnOnce(&mut Connection<G>, &mut Turn<'_, G, L>),
    ) {
        assert!(now >= self.now, "time goes back from {} to {}", self.now.0, now.0);
        self.now = now;
        let Some(Some(connection)) = self.connections.get_mut(key) else { return };
        let (fanouts, outputs, counters) = (&mut self.fanouts, &mut self.outputs, &mut self.counters);
        act(connection, &mut Turn { now, lobby, fanouts, outputs, counters });
    }

    /// The same for the connection with this id, unless another one has its key by now.
    fn on_id<L: Lobby<G>>(
        &mut self,
        now: MonoTime,
        id: ConnectionId,
        lobby: &L,
        act: impl FnOnce(&mut Connection<G>, &mut Turn<'_, G, L>),
    ) {
        if self.find(id).is_some() {
            self.on(now, id.key, lobby, act);
        }
    }

    /// Lets a connection resume its seat, or opens a new session if the seat is gone.
    fn resume<L: Lobby<G>>(&mut self, now: MonoTime, key: usize, pending: &PendingResume, lobby: &L) {
        let (room, seat) = (pending.location.room, pending.location.seat);
        let fanout = self.fanouts.get_mut(&room).filter(|fanout| fanout.tick_zero() == Some(seat.tick_zero));
        let found = fanout.and_then(|fanout| {
            let former = fanout.resume(seat, key, &pending.resume).ok()?;
            Some((former, *fanout.room()))
        });
        let Some((former, room)) = found else {
            return self.on(now, key, lobby, Connection::open_session);
        };
        if let Some(former) = former {
            self.on(now, former, lobby, |connection, turn| {
                connection.park(turn);
                connection.forget_room(turn);
                connection.close(CloseCode::TakenOver, turn);
            });
        }
        let Some((id, account)) = self.connection(key).map(|found| (found.id(), found.account())) else { return };
        let session = pending.resume.token.session;
        // A session without an account may get one, but keeps the one it has: a token must not move what was played to another account.
        if let Some(account) = account {
            lobby.set_account(session, account);
        }
        lobby.send(room.id, RoomCommand::Resume(seat, id, lobby.account_of(session)));
        lobby.attach(session, id);
        self.on(now, key, lobby, |connection, turn| connection.resume(&room, pending, turn));
    }

    fn seat<L: Lobby<G>>(&mut self, now: MonoTime, id: ConnectionId, room: RoomId, seat: SeatAssignment, lobby: &L) {
        let session = self.find(id).filter(|found| found.expects_seat(room, seat.role)).map(Connection::session);
        match (self.fanouts.get_mut(&room), session) {
            (Some(fanout), Some(session)) => {
                fanout.seat(seat, id.key, session);
                let room = *fanout.room();
                self.on(now, id.key, lobby, |connection, turn| connection.handle_seated(&room, seat, turn));
            }
            // The shard failed after the request, or the connection is gone or has made another request meanwhile.
            (_, _) => lobby.send(room, RoomCommand::Leave(seat)),
        }
    }

    fn unseat<L: Lobby<G>>(&mut self, now: MonoTime, room: RoomId, player: PlayerId, lobby: &L) {
        let gone = self.fanouts.get_mut(&room).and_then(|fanout| fanout.unseat(player));
        let Some((session, seat, connection)) = gone else { return };
        lobby.clear_seat(session, room, seat);
        // The client resumed just as its seat was given up.
        if let Some(key) = connection {
            self.on(now, key, lobby, Connection::handle_room_ended);
        }
    }

    fn deliver<L: Lobby<G>>(&mut self, to: Option<ConnectionId>, session: SessionId, envelope: Envelope, lobby: &L) {
        let is_open = |id: &ConnectionId| self.find(*id).is_some_and(|connection| !connection.is_closing());
        // It may have lost that connection by now, and may have another one.
        let Some(id) = to.filter(is_open).or_else(|| lobby.connection_of(session)) else {
            return lobby.park_message(session, envelope);
        };
        if id.shard != self.index {
            return lobby.deliver(session, envelope.from, envelope.message);
        }
        // Where there is none, this shard failed, and with it the connection.
        if let Some(Some(connection)) = self.connections.get_mut(id.key)
            && connection.id() == id
            && connection.subscriptions().accepts_from(envelope.from)
        {
            connection.deliver(envelope.message, &mut self.outputs);
        }
    }

    fn kick<L: Lobby<G>>(&mut self, now: MonoTime, id: ConnectionId, session: SessionId, code: CloseCode, lobby: &L) {
        if self.find(id).is_some_and(|connection| !connection.is_closing()) {
            self.on(now, id.key, lobby, |connection, turn| connection.close(code, turn));
        } else if lobby.connection_of(session) != Some(id) {
            // It has lost that connection, and may have another one, or its seat alone. Otherwise this shard failed, and both are gone.
            lobby.kick(session, code);
        }
    }

    fn publish(&mut self, message: &Arc<TopicMessage>) {
        if std::mem::take(&mut self.counters.subscriptions_changed) {
            self.subscribers.clear();
            for (key, connection) in self.connections.iter().enumerate() {
                for topic in connection.iter().flat_map(|connection| connection.subscriptions().topics()) {
                    self.subscribers.entry(topic).or_default().push(key);
                }
            }
        }
        for key in self.subscribers.get(&message.topic).into_iter().flatten() {
            // The list is as of the last change of a subscription by a client.
            if let Some(Some(connection)) = self.connections.get_mut(*key) {
                connection.receive(message, &mut self.outputs);
            }
        }
    }

    fn fail_room<L: Lobby<G>>(&mut self, now: MonoTime, room: RoomId, lobby: &L) {
        let fanout = self.fanouts.remove(&room);
        let mut affected = self.queued_for(room);
        for (session, seat, connection) in fanout.iter().flat_map(RoomFanout::recipients) {
            lobby.clear_seat(session, room, seat);
            affected.extend(connection);
        }
        for key in affected {
            self.on(now, key, lobby, |connection, turn| {
                connection.forget_room(turn);
                connection.close(CloseCode::RoomFailed, turn);
            });
        }
    }

    fn end_room<L: Lobby<G>>(&mut self, now: MonoTime, room: RoomId, lobby: &L) {
        for key in self.queued_for(room) {
            self.on(now, key, lobby, Connection::handle_queue_closed);
        }
        let Some(fanout) = self.fanouts.remove(&room) else { return };
        for (session, seat, _) in fanout.recipients() {
            lobby.clear_seat(session, room, seat);
        }
        for (_, _, connection) in fanout.recipients() {
            if let Some(key) = connection {
                self.on(now, key, lobby, Connection::handle_room_ended);
            }
        }
    }

    fn queued_for(&self, room: RoomId) -> Vec<usize> {
        let queued = self.connections().filter(|connection| connection.is_queued_for(room));
        queued.map(|connection| connection.id().key).collect()
    }
}

#[cfg(test)]
mod tests;
