//! A shard: one thread that owns some of the connections, whatever room they are in. It reads them, judges what they say, and
//! tells them of each tick.
//!
//! Nothing is handed from thread to thread per client and snapshot: a room leaves one shared output per tick and shard, and the
//! shard walks its connections. Inputs go to the room in one batch per room and read. Sockets are watched by one epoll, looked at
//! no more than every `READ_EVERY`: what comes in the meantime is read in one go.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::RoomId;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::conn::{Conn, Readable};
use super::connection::{Connection, ConnectionStatus, PendingResume};
use super::counters::TrafficCounters;
use super::fanout::RoomFanout;
use super::inbox::{Envelope, Inbox, Poller, ShardCommand, Upgraded, WOKEN};
use crate::App;
use crate::awake::Awake;
use crate::driver::{ConnectionId, RoomCommand, SeatAssignment};
use crate::lobby::sessions::SessionId;
use crate::lobby::topics::TopicMessage;

/// Shortest time between two looks at the sockets. It adds at most this to the time an input takes, and lets thousands of
/// clients fanout the cost of a look.
const READ_EVERY: Duration = Duration::from_millis(2);
/// Time between two looks at who is silent, closing or over; also the longest sleep.
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// Longest time for which a look at who is silent is put off because not all is heard.
const SWEEP_LATE_MAX: Duration = Duration::from_secs(1);
/// Time between two looks at the sockets that counts in full when it is about who is silent, in microseconds. Beyond, we stood still.
const GAP_US_MAX: u64 = 250_000;
/// Events taken from the kernel at once.
const EVENTS_AT_ONCE: usize = 1024;
/// Time open connections have to end at shutdown.
const DRAIN: Duration = Duration::from_secs(5);
/// Numbers connections, so as to tell one holder of a key from the next, also after a shard began anew.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// The rooms that have players on a shard.
pub type RoomFanouts<G> = BTreeMap<RoomId, RoomFanout<G>>;

/// Starts the shard with this number.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn<G: Game>(app: Arc<App<G>>, index: usize, watch: Poller) -> std::io::Result<JoinHandle<()>> {
    let name = format!("shard-{index}");
    let vital = app.supervisor.watch(name.as_str());
    std::thread::Builder::new().name(name).spawn(move || {
        let _vital = vital;
        app.context.shards[index].read_here();
        let mut poll = watch.0;
        loop {
            let run = || Shard::new(&app, index, &mut poll).run();
            if std::panic::catch_unwind(AssertUnwindSafe(run)).is_ok() {
                return;
            }
            // Its sockets are closed by now.
            app.lose_shard(index);
            if app.is_ending() {
                // The word that it ends may be among the command that it lost.
                return;
            }
        }
    })
}

struct Shard<'a, G: Game> {
    app: &'a Arc<App<G>>,
    inbox: &'a Inbox<G>,
    index: usize,
    poll: &'a mut Poll,
    connections: Slab<Connection<G>>,
    fanouts: RoomFanouts<G>,
    commands: Vec<ShardCommand<G>>,
    /// TeamLabel has subscribed to what, as of the last change.
    listeners: BTreeMap<Topic, Vec<usize>>,
    /// Keys of connections that were not heard out.
    pending_reads: Vec<usize>,
    /// Room to assemble frames in.
    frame: Vec<u8>,
    counters: TrafficCounters,
    outbox_bytes: i64,
    ending_at: Option<Instant>,
}

impl<'a, G: Game> Shard<'a, G> {
    fn new(app: &'a Arc<App<G>>, index: usize, poll: &'a mut Poll) -> Self {
        Shard {
            app,
            inbox: &app.context.shards[index],
            index,
            poll,
            connections: Slab::new(),
            fanouts: RoomFanouts::new(),
            commands: Vec::new(),
            listeners: BTreeMap::new(),
            pending_reads: Vec::new(),
            frame: Vec::new(),
            counters: TrafficCounters::default(),
            outbox_bytes: 0,
            ending_at: None,
        }
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        let mut sweep_at = Instant::now() + SWEEP_EVERY;
        let mut awake = Awake::new(self.app.clock.now(), GAP_US_MAX);
        loop {
            self.take_commands();
            self.fan_out();
            if self.ending_at.is_some_and(|at| self.connections.is_empty() || at <= Instant::now()) {
                return self.counters.count(&self.app.metrics);
            }
            let wait = match self.pending_reads[..] {
                [] => sweep_at.saturating_duration_since(Instant::now()).min(SWEEP_EVERY),
                [..] => Duration::ZERO,
            };
            let watched = self.poll.poll(&mut events, Some(wait));
            if let Err(error) = &watched {
                // Interrupted by a signal: the next look sees what there is.
                tracing::debug!(%error, "watch interrupted");
            }
            let (read_from, now) = (Instant::now(), self.app.clock.now());
            let still_us = awake.look(now);
            if still_us > 0 {
                self.connections.iter_mut().for_each(|(_, peer)| peer.handle_pause(still_us));
            }
            self.read(&events);
            if read_from >= sweep_at {
                // Nobody is judged silent whom the watch had no room, or no time, to name.
                let all_heard = watched.is_ok() && events.iter().count() < EVENTS_AT_ONCE;
                if all_heard || read_from >= sweep_at + SWEEP_LATE_MAX {
                    self.sweep(now);
                    sweep_at = read_from + SWEEP_EVERY;
                }
            }
            self.rest(read_from + READ_EVERY);
        }
    }

    /// Waits until `until`, or until command comes.
    fn rest(&self, until: Instant) {
        while !self.inbox.has_commands() {
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return;
            }
            std::thread::park_timeout(wait);
        }
    }

    fn take_commands(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.inbox.take(&mut commands);
        for command in commands.drain(..) {
            self.take(command);
        }
        self.commands = commands;
    }

    fn take(&mut self, command: ShardCommand<G>) {
        match command {
            ShardCommand::Connected(upgraded) => self.connect(upgraded),
            ShardCommand::Opened(room, updates) => {
                if let Some(handle) = self.app.directory.get(room) {
                    self.fanouts.insert(room, RoomFanout::new(handle, &updates));
                }
            }
            ShardCommand::Seated(peer, room, seated) => self.seat(peer, room, seated),
            ShardCommand::Queued(peer, room, place) => {
                if let Some(found) = find(&mut self.connections, peer).filter(|found| found.awaits(room)) {
                    found.handle_waiting(place, self.app, &mut self.fanouts, &mut self.counters);
                }
            }
            ShardCommand::Refused(peer, room, code) => {
                if let Some(found) = find(&mut self.connections, peer).filter(|found| found.awaits(room)) {
                    found.forget_room(self.app);
                    found.close(code, self.app, &mut self.fanouts, &mut self.counters);
                }
            }
            ShardCommand::Notes(room, updates) => {
                if let Some(fanout) = self.fanouts.get_mut(&room) {
                    fanout.note(&updates);
                }
            }
            ShardCommand::Tick(room, output) => {
                if let Some(fanout) = self.fanouts.get_mut(&room) {
                    fanout.room().status.taken(self.index, &output);
                    if fanout.push(output) {
                        fanout.room().status.fanouts_skipped.fetch_add(1, Ordering::Relaxed);
                        self.app.metrics.fanouts_skipped.inc();
                    }
                }
            }
            ShardCommand::Unseated(room, player) => self.unseat(room, player),
            ShardCommand::Emptied(room) => drop(self.fanouts.remove(&room)),
            ShardCommand::Migrated(migrated) => {
                let (peer, resume) = *migrated;
                if let Some(key) = self.add(peer) {
                    self.resume(key, &resume);
                    self.read_one(key, Readiness { readable: Some(Readable::More), writable: false });
                }
            }
            ShardCommand::Published(message) => {
                self.publish(&message);
            }
            ShardCommand::Deliver(to, session, written) => self.deliver(to, session, written),
            ShardCommand::Failed(room) => self.fail(room),
            ShardCommand::Ended(room) => self.end_room(room),
            ShardCommand::End => {
                self.ending_at = Some(Instant::now() + DRAIN);
                self.close_where(CloseCode::GoingAway, |_| true);
            }
        }
    }

    fn deliver(&mut self, to: ConnectionId, session: SessionId, Envelope { by, message }: Envelope) {
        match find(&mut self.connections, to).filter(|found| !found.is_closing()) {
            Some(found) if found.subscriptions().accepts_from(by) => found.deliver(&message, self.app),
            Some(_) => {}
            // The session has lost that connection by now: it waits there, or goes to the next one.
            None if self.app.sessions.connection_of(session) != Some(to) => self.app.deliver(session, by, message),
            // This shard broke down, and with it the connection.
            None => {}
        }
    }

    fn publish(&mut self, message: &TopicMessage) {
        if std::mem::take(&mut self.counters.subscriptions_changed) {
            self.listeners.clear();
            for (key, peer) in &self.connections {
                for topic in peer.subscriptions().topics() {
                    self.listeners.entry(topic).or_default().push(key);
                }
            }
        }
        for key in self.listeners.get(&message.topic).into_iter().flatten() {
            // The list is as of the last change; who has left a room since then accepts_from no more of it.
            if let Some(peer) = self.connections.get_mut(*key).filter(|peer| peer.subscriptions().wants(message)) {
                peer.deliver(&message.message, self.app);
            }
        }
    }

    fn connect(&mut self, upgraded: Upgraded<G>) {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let me = ConnectionId { shard: self.index, key: 0, serial };
        let conn = Conn::new(upgraded.wire, &upgraded.early);
        let mut peer = Connection::new(conn, me, upgraded.address, upgraded.guard, self.app.clock.now());
        peer.handshake = upgraded.handshake;
        let Some(key) = self.add(peer) else { return };
        let over_full = self.app.connections.load(Ordering::Acquire) > self.app.connections_max;
        let refused_with = upgraded
            .refused_with
            .or(over_full.then_some(CloseCode::ServerFull))
            .or(self.ending_at.map(|_| CloseCode::GoingAway));
        if let Some(code) = refused_with {
            self.connections[key].close(code, self.app, &mut self.fanouts, &mut self.counters);
        }
        // What came with the handshake is not announced by the kernel.
        self.read_one(key, Readiness { readable: Some(Readable::More), writable: false });
    }

    /// Watches a connection from now on. Gives its key.
    fn add(&mut self, mut peer: Connection<G>) -> Option<usize> {
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        peer.move_to(ConnectionId { shard: self.index, key, ..peer.me() });
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(peer.conn.wire.stream(), Token(key), interest) {
            tracing::warn!(%error, "cannot watch a connection");
            return None;
        }
        entry.insert(peer);
        self.counters.subscriptions_changed = true;
        Some(key)
    }

    /// Someone is back: brings them to where their seat is, or gives it to them.
    fn migrate(&mut self, key: usize, resume: PendingResume) {
        let shard = resume.seat.shard;
        if shard == self.index {
            return self.resume(key, &resume);
        }
        let mut peer = self.connections.remove(key);
        // It is watched by the other shard from now on.
        let _ = self.poll.registry().deregister(peer.conn.wire.stream());
        self.app.context.shards[shard].send([ShardCommand::Migrated(Box::new((peer, resume)))]);
    }

    fn resume(&mut self, key: usize, resume: &PendingResume) {
        let (room, seated) = (resume.seat.room, resume.seat.seated);
        let fanout = self.fanouts.get_mut(&room).filter(|fanout| fanout.tick_zero() == Some(seated.tick_zero));
        let found = fanout.and_then(|fanout| {
            let former = fanout.resume(seated, key, &resume.resume).ok()?;
            Some((former, Arc::clone(fanout.room())))
        });
        let Some((former, room)) = found else {
            let peer = &mut self.connections[key];
            return peer.handle_fresh(self.app, &mut self.fanouts, &mut self.counters);
        };
        if let Some(former) = former.and_then(|former| self.connections.get_mut(former)) {
            former.keep(self.app);
            former.forget_room(self.app);
            former.close(CloseCode::TakenOver, self.app, &mut self.fanouts, &mut self.counters);
        }
        let peer = &mut self.connections[key];
        // The seat is there: so is the room, or it says soon that it is not.
        let _ = room.send(RoomCommand::Back(seated, peer.me()));
        self.app.sessions.attach(resume.resume.token.session, peer.me());
        peer.handle_resumed(&room, resume, self.app, &mut self.fanouts, &mut self.counters);
    }

    fn unseat(&mut self, room: RoomId, player: PlayerId) {
        let gone = self.fanouts.get_mut(&room).and_then(|fanout| fanout.unseat(player));
        let Some((session, seated, peer)) = gone else { return };
        self.app.sessions.clear_seat(session, room, seated);
        // It came back in the very moment in which its seat was given up.
        if let Some(peer) = peer.and_then(|key| self.connections.get_mut(key)) {
            peer.handle_room_over(self.app, &mut self.fanouts, &mut self.counters);
        }
    }

    fn seat(&mut self, peer: ConnectionId, room: RoomId, seated: SeatAssignment) {
        let Some(fanout) = self.fanouts.get_mut(&room) else {
            // This shard broke down after it had asked.
            if let Some(room) = self.app.directory.get(room) {
                let _ = room.send(RoomCommand::Leave(seated));
            }
            return;
        };
        let handle = Arc::clone(fanout.room());
        match find(&mut self.connections, peer).filter(|found| found.awaits_as(room, seated.role)) {
            Some(found) => {
                fanout.seat(seated, peer.key, found.session_id());
                found.handle_seated(&handle, seated, self.app, &mut self.fanouts, &mut self.counters);
            }
            // The connection, or its room_request, went while it waited.
            None => drop(handle.send(RoomCommand::Leave(seated))),
        }
    }

    fn fail(&mut self, room: RoomId) {
        let fanout = self.fanouts.remove(&room);
        for (session, seated) in fanout.iter().flat_map(RoomFanout::sessions) {
            self.app.sessions.clear_seat(session, room, seated);
        }
        let seated: Vec<usize> = fanout.iter().flat_map(RoomFanout::connections).collect();
        let in_queue = self.connections.iter().filter(|(_, peer)| peer.awaits(room)).map(|(key, _)| key);
        let concerned: Vec<usize> = in_queue.chain(seated).collect();
        for key in concerned {
            if let Some(peer) = self.connections.get_mut(key) {
                peer.forget_room(self.app);
                peer.close(CloseCode::RoomFailed, self.app, &mut self.fanouts, &mut self.counters);
            }
        }
    }

    fn end_room(&mut self, room: RoomId) {
        let in_queue = self.connections.iter().filter(|(_, peer)| peer.awaits(room)).map(|(key, _)| key);
        for key in in_queue.collect::<Vec<_>>() {
            self.connections[key].handle_queue_closed(self.app, &mut self.fanouts, &mut self.counters);
        }
        let Some(fanout) = self.fanouts.remove(&room) else { return };
        for (session, seated) in fanout.sessions() {
            self.app.sessions.clear_seat(session, room, seated);
        }
        for key in fanout.connections() {
            if let Some(peer) = self.connections.get_mut(key) {
                peer.handle_room_over(self.app, &mut self.fanouts, &mut self.counters);
            }
        }
    }

    fn close_where(&mut self, code: CloseCode, meant: impl Fn(&Connection<G>) -> bool) {
        for (_, peer) in self.connections.iter_mut().filter(|(_, peer)| meant(peer)) {
            peer.close(code, self.app, &mut self.fanouts, &mut self.counters);
        }
    }

    fn fan_out(&mut self) {
        for fanout in self.fanouts.values_mut() {
            fanout.fan_out(&mut self.connections, &mut self.frame, self.app.clock, &self.app.metrics);
        }
    }

    fn read(&mut self, events: &Events) {
        let mut again = std::mem::take(&mut self.pending_reads);
        again.sort_unstable();
        again.dedup();
        for key in &again {
            self.read_one(*key, Readiness { readable: Some(Readable::More), writable: false });
        }
        for event in events {
            if event.token() != WOKEN {
                let readable = if event.is_read_closed() || event.is_error() {
                    Some(Readable::ToTheEnd)
                } else {
                    event.is_readable().then_some(Readable::More)
                };
                let (key, writable) = (event.token().0, event.is_writable());
                if again.binary_search(&key).is_ok() {
                    // One look in a round: what this says is for the next one.
                    self.note(key, Readiness { readable, writable });
                } else {
                    self.read_one(key, Readiness { readable, writable });
                }
            }
        }
        for fanout in self.fanouts.values_mut() {
            fanout.send();
        }
        self.counters.count(&self.app.metrics);
    }

    fn note(&mut self, key: usize, readiness: Readiness) {
        if let (Some(peer), Some(readable)) = (self.connections.get_mut(key), readiness.readable) {
            peer.conn.wire.note(readable);
            self.pending_reads.push(key);
        }
        self.read_one(key, Readiness { readable: None, ..readiness });
    }

    fn read_one(&mut self, key: usize, readiness: Readiness) {
        let Some(peer) = self.connections.get_mut(key) else { return };
        let mut status = ConnectionStatus::On;
        if readiness.writable {
            status = peer.handle_writable();
        }
        if let (ConnectionStatus::On, Some(readable)) = (status, readiness.readable) {
            peer.conn.handle_readable(readable);
            status = peer.handle_readable(self.app, &mut self.fanouts, &mut self.counters);
        }
        self.counters.add(peer.conn.wire.take_traffic());
        if status != ConnectionStatus::Over
            && let Some(resume) = peer.take_pending_resume()
        {
            if status == ConnectionStatus::More && resume.seat.shard == self.index {
                self.pending_reads.push(key);
            }
            self.migrate(key, resume);
            return;
        }
        match status {
            ConnectionStatus::On => {}
            ConnectionStatus::More => self.pending_reads.push(key),
            ConnectionStatus::Over => self.drop_peer(key),
        }
    }

    fn drop_peer(&mut self, key: usize) {
        let mut peer = self.connections.remove(key);
        self.counters.subscriptions_changed = true;
        peer.end(self.app, &mut self.fanouts);
        self.counters.add(peer.conn.wire.take_traffic());
        if !peer.is_closing() {
            self.app.metrics.torn();
        }
        // Closing the socket takes it out of the watch, too; this is for systems where it does not.
        let _ = self.poll.registry().deregister(peer.conn.wire.stream());
    }

    /// Looks after who is silent, closing or over, as of `now`: all that had come by then is read.
    fn sweep(&mut self, now: MonoTime) {
        let mut over = Vec::new();
        let mut outbox_bytes = 0;
        for (key, peer) in &mut self.connections {
            if peer.handle_time(now, self.app, &mut self.fanouts, &mut self.counters) == ConnectionStatus::Over {
                over.push(key);
            }
            outbox_bytes += peer.conn.wire.waiting_bytes() as i64;
            self.counters.add(peer.conn.wire.take_traffic());
        }
        over.into_iter().for_each(|key| self.drop_peer(key));
        self.app.metrics.outbox_bytes.inc_by(outbox_bytes - self.outbox_bytes);
        self.outbox_bytes = outbox_bytes;
    }
}

/// What the watch says of a socket.
#[derive(Debug, Clone, Copy)]
struct Readiness {
    readable: Option<Readable>,
    writable: bool,
}

/// The connection that is meant, unless another one has its key by now.
fn find<G: Game>(connections: &mut Slab<Connection<G>>, meant: ConnectionId) -> Option<&mut Connection<G>> {
    connections.get_mut(meant.key).filter(|peer| peer.me() == meant)
}
