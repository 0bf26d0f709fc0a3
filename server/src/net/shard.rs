//! The thread of a shard: the sockets of its connections, registered with one epoll. Received frames go to the [`ShardCore`], and the
//! frames that it outputs go to the sockets.
//!
//! Nothing is handed from thread to thread per client and snapshot: a room sends one shared output per tick and shard. Sockets are
//! looked at no more often than every [`READ_EVERY`]: what comes in the meantime is read in one go.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broadside_core::commands::{ConnectionId, ShardCommand};
use broadside_core::connection::{Connection, Origin, Output};
use broadside_core::fanout::flow::SocketState;
use broadside_core::fanout::room_fanout::{FanoutStats, Sockets};
use broadside_core::shard::ShardCore;
use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::{FrameKind, header_bytes};
use broadside_shared::time::MonoTime;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::arrivals::{Arrival, Shards, Socket, Upgraded};
use super::conn::{Conn, HEADER_MAX, Incoming, Readable, Sent};
use super::counters::TrafficCounters;
use crate::app::App;
use crate::awake::Awake;
use crate::inbox::Wakeup;
use crate::lobby::ServerLobby;
use crate::metrics::labels::{ByteClass, Direction};
use crate::passed::{About, PassedSocket};

/// Shortest time between two looks at the sockets. An input waits at most this much longer, and thousands of clients share the cost
/// of a look.
const READ_EVERY: Duration = Duration::from_millis(2);
/// Time between two looks at deadlines; also the longest sleep.
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// Longest time for which a look at deadlines is put off because not everything is read.
const SWEEP_LATE_MAX: Duration = Duration::from_secs(1);
/// Time between two looks at the sockets that counts in full towards deadlines, in microseconds. Beyond, the server stood still.
const GAP_US_MAX: u64 = 250_000;
/// Events taken from the kernel in one call.
const EVENTS_AT_ONCE: usize = 1024;
/// Time that open connections have to end at shutdown.
const DRAIN: Duration = Duration::from_secs(5);
/// Time that a peer has to answer our close before the socket is dropped, in microseconds.
const CLOSING_US: u64 = 2_000_000;
/// The epoll token of the waker.
const WOKEN: Token = Token(usize::MAX);
/// Numbers connections, so that one holder of a key is distinguished from the next, also after a shard restart.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A shard's epoll, made before its thread so that others can wake it from the start.
pub struct Poller {
    poll: Poll,
    wakeup: Arc<Wakeup>,
}

impl Poller {
    /// # Errors
    /// When the operating system gives no epoll.
    pub fn new() -> std::io::Result<Poller> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WOKEN)?;
        // A waker fails only when the shard that it wakes is gone.
        let wakeup = Wakeup::new(move || drop(waker.wake()));
        Ok(Poller { poll, wakeup })
    }

    /// The handle that wakes the shard.
    #[must_use]
    pub fn wakeup(&self) -> &Arc<Wakeup> {
        &self.wakeup
    }
}

/// Starts the thread of the shard with this number. A shard that panics is restarted without its connections.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn<G: Game>(
    app: Arc<App>,
    lobby: Arc<ServerLobby<G>>,
    shards: Arc<Shards<G>>,
    index: usize,
    mut poller: Poller,
) -> std::io::Result<JoinHandle<()>> {
    let name = format!("shard-{index}");
    let vital = app.supervisor.watch(name.as_str());
    std::thread::Builder::new().name(name).spawn(move || {
        let _vital = vital;
        poller.wakeup.read_here();
        loop {
            let run = || Shard::new(&app, &lobby, &shards, index, &mut poller).run();
            if std::panic::catch_unwind(AssertUnwindSafe(run)).is_ok() {
                return;
            }
            // Its sockets are closed by now.
            lobby.lose_shard(index);
            if app.is_ending() {
                // The shutdown may be among the commands that it lost.
                return;
            }
        }
    })
}

struct Shard<'a, G: Game> {
    app: &'a App,
    lobby: &'a ServerLobby<G>,
    shards: &'a Shards<G>,
    index: usize,
    poller: &'a mut Poller,
    core: ShardCore<G>,
    /// Under the keys of the core's connections.
    sockets: Slab<Socket>,
    commands: Vec<ShardCommand>,
    arrivals: Vec<Arrival<G>>,
    /// Keys of sockets that were not read to the end.
    pending_reads: Vec<usize>,
    /// A buffer for control frames.
    frame: Vec<u8>,
    counters: TrafficCounters,
    outbox_bytes: i64,
    ending_at: Option<Instant>,
    /// The server stands still for a successor: another shutdown comes behind whatever waits for parked sessions.
    awaits_last: bool,
}

/// Whether a connection goes on after a look at its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionStatus {
    Open,
    /// Not everything was read: look again, because the kernel reports an edge only once.
    HasMore,
    Over,
}

/// What the epoll reports about a socket.
#[derive(Debug, Clone, Copy)]
struct Readiness {
    readable: Option<Readable>,
    writable: bool,
}

impl Readiness {
    const MORE: Readiness = Readiness { readable: Some(Readable::More), writable: false };
}

impl<'a, G: Game> Shard<'a, G> {
    fn new(
        app: &'a App,
        lobby: &'a ServerLobby<G>,
        shards: &'a Shards<G>,
        index: usize,
        poller: &'a mut Poller,
    ) -> Self {
        Shard {
            app,
            lobby,
            shards,
            index,
            poller,
            core: ShardCore::new(index),
            sockets: Slab::new(),
            commands: Vec::new(),
            arrivals: Vec::new(),
            pending_reads: Vec::new(),
            frame: Vec::new(),
            counters: TrafficCounters::default(),
            outbox_bytes: 0,
            ending_at: None,
            awaits_last: false,
        }
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        let mut sweep_at = Instant::now() + SWEEP_EVERY;
        let mut awake = Awake::new(self.now(), GAP_US_MAX);
        // A shard that failed may have been woken for values that it did not take.
        self.handle_arrivals();
        self.handle_commands();
        loop {
            if self.poller.wakeup.take() {
                self.handle_arrivals();
                self.handle_commands();
            }
            self.fan_out();
            let is_done = self.sockets.is_empty() && !self.awaits_last;
            if self.ending_at.is_some_and(|at| is_done || at <= Instant::now()) {
                return self.export_counters();
            }
            let wait = match self.pending_reads[..] {
                [] => sweep_at.saturating_duration_since(Instant::now()).min(SWEEP_EVERY),
                [..] => Duration::ZERO,
            };
            let polled = self.poller.poll.poll(&mut events, Some(wait));
            if let Err(error) = &polled {
                // Interrupted by a signal: the next look sees what there is.
                tracing::debug!(%error, "epoll interrupted");
            }
            let (read_from, now) = (Instant::now(), self.now());
            let still_us = awake.look(now);
            if still_us > 0 {
                self.handle_pause(still_us);
            }
            // What was sent here before these bytes were written comes first: a message from someone muted, then the end of the mute.
            // The arrivals wait, so that no key of an event is given to another socket.
            if self.poller.wakeup.is_notified() {
                self.handle_commands();
            }
            self.read(&events);
            if read_from >= sweep_at {
                // A client does not count as silent while the epoll had no space, or no time, to report it.
                let is_all_read = polled.is_ok() && events.iter().count() < EVENTS_AT_ONCE;
                if is_all_read || read_from >= sweep_at + SWEEP_LATE_MAX {
                    self.sweep(now);
                    sweep_at = read_from + SWEEP_EVERY;
                }
            }
            self.rest(read_from + READ_EVERY);
        }
    }

    fn now(&self) -> MonoTime {
        self.app.lobby.context.clock.now()
    }

    /// Waits until `until`, or until a command comes.
    fn rest(&self, until: Instant) {
        while !self.poller.wakeup.is_notified() {
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return;
            }
            self.poller.wakeup.park(wait);
        }
    }

    fn handle_arrivals(&mut self) {
        let mut arrivals = std::mem::take(&mut self.arrivals);
        self.shards.inbox(self.index).take(&mut arrivals);
        for arrival in arrivals.drain(..) {
            match arrival {
                Arrival::Upgraded(upgraded) => self.connect(upgraded),
                Arrival::Passed(passed) => {
                    let (socket, connection) = *passed;
                    let Some(key) = self.register(socket) else { continue };
                    let now = self.now();
                    self.core.handle_passed(now, self.new_id(key), connection, self.lobby);
                    self.drain(now);
                    self.look(key, Readiness::MORE);
                }
                Arrival::Migrated(migrated) => {
                    let (socket, connection) = *migrated;
                    let now = self.now();
                    if let Some(key) = self.register(socket) {
                        self.core.handle_migrated(now, key, connection, self.lobby);
                        self.drain(now);
                        self.look(key, Readiness::MORE);
                    }
                }
            }
        }
        self.arrivals = arrivals;
    }

    fn handle_commands(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        self.app.lobby.context.shards[self.index].take(&mut commands);
        for command in commands.drain(..) {
            let shutdown = match command {
                ShardCommand::Shutdown(code) => Some(code),
                _ => None,
            };
            let now = self.now();
            if shutdown == Some(CloseCode::Restarting) {
                self.pass_on(now);
            }
            self.core.handle_command(now, command, self.lobby);
            self.drain(now);
            if let Some(code) = shutdown {
                self.awaits_last = code == CloseCode::Restarting && self.ending_at.is_none();
                self.ending_at = Some(Instant::now() + DRAIN);
                self.app.standing_still.shards_closed.fetch_add(1, Ordering::Release);
            }
        }
        self.commands = commands;
    }

    fn connect(&mut self, upgraded: Upgraded) {
        let Upgraded { transport, early, address, guard, handshake, refused_with } = upgraded;
        let socket = Socket::new(Conn::new(transport, &early), guard);
        let Some(key) = self.register(socket) else { return };
        let id = self.new_id(key);
        let is_over_full = self.app.connections.load(Ordering::Acquire) > self.app.connections_max;
        let refused_with = refused_with.or(is_over_full.then_some(CloseCode::ServerFull));
        let now = self.now();
        self.core.handle_connect(now, id, Origin::Client(address), handshake, refused_with, self.lobby);
        self.drain(now);
        // The kernel does not announce what came with the handshake.
        self.look(key, Readiness::MORE);
    }

    fn new_id(&self, key: usize) -> ConnectionId {
        ConnectionId { shard: self.index, key, serial: SERIAL.fetch_add(1, Ordering::Relaxed) }
    }

    /// Leaves the connections to the successor whose sockets can be passed on.
    fn pass_on(&mut self, now: MonoTime) {
        let passable = self.sockets.iter().filter(|(_, socket)| socket.conn.can_be_passed());
        for key in passable.map(|(key, _)| key).collect::<Vec<_>>() {
            let Some(connection) = self.core.pass_on(now, key, self.lobby) else { continue };
            self.drain(now);
            let mut socket = self.sockets.remove(key);
            self.counters.add(socket.conn.transport.take_traffic());
            // Closing it would not: it stays open.
            let _ = self.poller.poll.registry().deregister(socket.conn.transport.stream());
            match socket.conn.pass_on() {
                Ok((stream, unread, unsent)) => {
                    let about = About { connection, unread, unsent };
                    self.app.standing_still.passed.push(PassedSocket { stream, about });
                }
                // The client connects again.
                Err(error) => tracing::debug!(%error, "a connection cannot be passed on"),
            }
        }
    }

    /// Registers a socket with the epoll. Gives its key.
    fn register(&mut self, mut socket: Socket) -> Option<usize> {
        let entry = self.sockets.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poller.poll.registry().register(socket.conn.transport.stream(), Token(key), interest) {
            tracing::warn!(%error, "cannot register a connection with epoll");
            return None;
        }
        entry.insert(socket);
        Some(key)
    }

    fn handle_pause(&mut self, us: u64) {
        self.core.handle_pause(us);
        for (_, socket) in &mut self.sockets {
            socket.drop_at = socket.drop_at.map(|at| at.plus_us(us));
        }
    }

    /// Carries out the outputs of the core.
    fn drain(&mut self, now: MonoTime) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Frame(key, frame) => {
                    self.frame.resize(HEADER_MAX, 0);
                    self.frame.extend_from_slice(&frame);
                    self.write(now, key);
                }
                Output::Message(key, message) => {
                    self.frame.resize(HEADER_MAX, 0);
                    self.frame.push(FrameKind::Control as u8);
                    self.frame.extend_from_slice(message.message());
                    self.write(now, key);
                }
                Output::Ping(key) => self.sockets[key].conn.send_ping(),
                Output::Close(key, code) => {
                    self.app.metrics.closed(code);
                    let socket = &mut self.sockets[key];
                    socket.conn.send_close(code);
                    socket.drop_at = Some(now.plus_us(CLOSING_US));
                }
                Output::Migrate(key, shard, connection) => self.migrate(key, shard, connection),
            }
        }
    }

    /// Writes the control frame in `frame`.
    fn write(&mut self, now: MonoTime, key: usize) {
        let bytes = self.frame.len() - HEADER_MAX;
        let sent = self.sockets[key].conn.send_framed(&mut self.frame);
        self.frame.clear();
        if sent == Sent::Ended {
            // The look that comes next ends it; of the reasons, a full outbox is the only one that has a code.
            return self.core.handle_violation(now, key, CloseCode::TooSlow, self.lobby);
        }
        self.app.metrics.bytes_out.of(ByteClass::Control).inc_by(bytes as u64);
        self.app.metrics.bytes_out.of(ByteClass::WsHeaders).inc_by(header_bytes(bytes));
    }

    /// Hands a connection to the shard that has its seat.
    fn migrate(&mut self, key: usize, shard: usize, connection: Box<Connection<G>>) {
        let mut socket = self.sockets.remove(key);
        // It is registered with the epoll of the other shard next.
        let _ = self.poller.poll.registry().deregister(socket.conn.transport.stream());
        self.counters.add(socket.conn.transport.take_traffic());
        self.shards.inbox(shard).send([Arrival::Migrated(Box::new((socket, connection)))]);
    }

    fn fan_out(&mut self) {
        loop {
            let began = self.now();
            let Some((room, stats)) = self.core.fan_out_next(began, &mut WalkedSockets(&mut self.sockets)) else {
                return;
            };
            let took_us = self.now().us_since(began);
            self.app.metrics.fanout_seconds.observe(took_us as f64 / 1e6);
            self.export_fanout(room, &stats);
        }
    }

    fn read(&mut self, events: &Events) {
        let mut again = std::mem::take(&mut self.pending_reads);
        again.sort_unstable();
        again.dedup();
        for key in &again {
            self.look(*key, Readiness::MORE);
        }
        for event in events.iter().filter(|event| event.token() != WOKEN) {
            let readable = if event.is_read_closed() || event.is_error() {
                Some(Readable::ToTheEnd)
            } else {
                event.is_readable().then_some(Readable::More)
            };
            let (key, writable) = (event.token().0, event.is_writable());
            if again.binary_search(&key).is_ok() {
                // One look per round: what this says is for the next one.
                self.note(key, readable);
                self.look(key, Readiness { readable: None, writable });
            } else {
                self.look(key, Readiness { readable, writable });
            }
        }
        self.core.flush_inputs(self.lobby);
        self.export_counters();
    }

    fn note(&mut self, key: usize, readable: Option<Readable>) {
        if let (Some(socket), Some(readable)) = (self.sockets.get_mut(key), readable) {
            socket.conn.transport.mark_readable(readable);
            self.pending_reads.push(key);
        }
    }

    /// Looks at one socket: writes what waits for it, reads a bounded number of frames.
    fn look(&mut self, key: usize, readiness: Readiness) {
        let Some(socket) = self.sockets.get_mut(key) else { return };
        let mut status = ConnectionStatus::Open;
        if readiness.writable && socket.conn.flush() == Sent::Ended {
            status = ConnectionStatus::Over;
        }
        if let (ConnectionStatus::Open, Some(readable)) = (status, readiness.readable) {
            socket.conn.handle_readable(readable);
            status = self.read_frames(key);
        }
        // It may have migrated to another shard.
        let Some(socket) = self.sockets.get_mut(key) else { return };
        self.counters.add(socket.conn.transport.take_traffic());
        match status {
            ConnectionStatus::Open => {}
            ConnectionStatus::HasMore => self.pending_reads.push(key),
            ConnectionStatus::Over => self.lose(key),
        }
    }

    fn read_frames(&mut self, key: usize) -> ConnectionStatus {
        let now = self.now();
        let status = loop {
            match self.sockets[key].conn.receive() {
                Incoming::Message => self.core.handle_frame(now, key, self.sockets[key].conn.message(), self.lobby),
                Incoming::Frame => self.core.handle_alive(now, key, self.lobby),
                Incoming::Refused(code) => self.core.handle_violation(now, key, code, self.lobby),
                Incoming::Nothing => break ConnectionStatus::Open,
                Incoming::PollLimit => break ConnectionStatus::HasMore,
                Incoming::Ended => return ConnectionStatus::Over,
            }
            self.drain(now);
            if self.sockets[key].conn.transport.is_ended() {
                // Nothing can be answered any more.
                return ConnectionStatus::Over;
            }
        };
        let bytes = self.sockets[key].conn.end_poll();
        self.core.handle_read_end(now, key, bytes, self.lobby);
        self.drain(now);
        let is_over = self.sockets.get(key).is_some_and(|socket| socket.conn.transport.is_ended());
        if is_over { ConnectionStatus::Over } else { status }
    }

    /// The socket is gone.
    fn lose(&mut self, key: usize) {
        let now = self.now();
        let was_closed = self.core.handle_lost(now, key, self.lobby);
        self.drain(now);
        let mut socket = self.sockets.remove(key);
        self.counters.add(socket.conn.transport.take_traffic());
        if !was_closed {
            self.app.metrics.torn();
        }
        // Closing the socket removes it from the epoll, too; this is for systems where it does not.
        let _ = self.poller.poll.registry().deregister(socket.conn.transport.stream());
    }

    /// Looks after deadlines as of `now`: everything that had come by then is read.
    fn sweep(&mut self, now: MonoTime) {
        let keys: Vec<usize> = self.sockets.iter().map(|(key, _)| key).collect();
        let mut outbox_bytes = 0;
        for key in keys {
            let is_late = self.sockets[key].drop_at.is_some_and(|at| at <= now);
            // A client that sent more than one poll takes is not silent.
            if !is_late && !self.sockets[key].conn.has_more() {
                self.core.handle_timeout(now, key, self.lobby);
                self.drain(self.now());
            }
            let is_over = is_late || self.sockets[key].conn.transport.is_ended();
            let transport = &mut self.sockets[key].conn.transport;
            outbox_bytes += transport.waiting_bytes() as i64;
            self.counters.add(transport.take_traffic());
            if is_over {
                self.lose(key);
            }
        }
        self.app.metrics.outbox_bytes.inc_by(outbox_bytes - self.outbox_bytes);
        self.outbox_bytes = outbox_bytes;
    }

    fn export_counters(&mut self) {
        self.counters.export(self.core.take_counters(), &self.app.metrics);
    }

    fn export_fanout(&self, room: RoomId, stats: &FanoutStats) {
        let metrics = &self.app.metrics;
        if let Some(room) = self.lobby.directory.get(room) {
            let counters = &room.status.counters;
            counters.snapshots.fetch_add(stats.written, Ordering::Relaxed);
            counters.superseded.fetch_add(stats.skipped, Ordering::Relaxed);
            counters.budget_steps_down.fetch_add(stats.steps_down, Ordering::Relaxed);
            counters.budget_steps_up.fetch_add(stats.steps_up, Ordering::Relaxed);
        }
        metrics.snapshots_written.inc_by(stats.written);
        metrics.snapshots_skipped.inc_by(stats.skipped);
        metrics.budget_steps.of(Direction::Down).inc_by(stats.steps_down);
        metrics.budget_steps.of(Direction::Up).inc_by(stats.steps_up);
        metrics.bytes_out.of(ByteClass::PlayerState).inc_by(stats.bytes.player_state);
        metrics.bytes_out.of(ByteClass::CellHeads).inc_by(stats.bytes.cell_heads);
        metrics.bytes_out.of(ByteClass::Cells).inc_by(stats.bytes.cells);
        metrics.bytes_out.of(ByteClass::Events).inc_by(stats.bytes.events);
        metrics.bytes_out.of(ByteClass::Updates).inc_by(stats.bytes.updates);
        metrics.bytes_out.of(ByteClass::Control).inc_by(stats.message_bytes);
        metrics.bytes_out.of(ByteClass::WsHeaders).inc_by(stats.header_bytes);
    }
}

impl<G: Game> Drop for Shard<'_, G> {
    fn drop(&mut self) {
        // What a failed shard had in its outboxes is gone.
        self.app.metrics.outbox_bytes.dec_by(self.outbox_bytes);
    }
}

/// The sockets during a fan-out.
struct WalkedSockets<'a>(&'a mut Slab<Socket>);

impl Sockets for WalkedSockets<'_> {
    const HEADROOM: usize = HEADER_MAX;

    fn state(&self, key: usize) -> Option<SocketState> {
        let transport = &self.0.get(key)?.conn.transport;
        (!transport.is_ended()).then(|| SocketState::from_free(transport.is_free()))
    }

    fn write(&mut self, key: usize, frame: &mut [u8]) -> bool {
        self.0[key].conn.send_framed(frame) == Sent::Written
    }
}
