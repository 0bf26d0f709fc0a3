//! A whole server in virtual time, on one thread: the production lobby, rooms, topics and limits with a clock that is set from outside,
//! and shards whose sockets are simulated links. The caller decides in which order the threads of a real server would run.

use broadside_shared::protocol::room::ModeId;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use broadside_core::commands::{ConnectionId, SessionId, ShardCommand, TopicMessage};
use broadside_core::connection::{Connection, Origin, Output, PassedConnection};
use broadside_core::fanout::flow::SocketState;
use broadside_core::fanout::room_fanout::Sockets;
use broadside_core::results::RoomResult;
use broadside_core::room::RoomConfig;
use broadside_core::room_loop::{KeptRecordings, RecordingPolicy, RoomLoop};
use broadside_core::shard::ShardCore;
use broadside_server::checkpoints::segment::{Head, Segment};
use broadside_server::checkpoints::{CheckpointSink, Lasting};
use broadside_server::clock::MonoClock;
use broadside_server::inbox::{Inbox, Wakeup};
use broadside_server::limits::holds::{AddressLimits, Caps};
use broadside_server::lobby::account_tokens::AccountTokens;
use broadside_server::lobby::directory::Directory;
use broadside_server::lobby::sessions::Sessions;
use broadside_server::lobby::{LobbyState, ServerLobby};
use broadside_server::metrics::Metrics;
use broadside_server::recordings::{KeptMinutes, RecordingSink};
use broadside_server::recovery::{self, Predecessor};
use broadside_server::result_ids::ResultIds;
use broadside_server::rooms::context::ServerContext;
use broadside_server::rooms::pool::Pool;
use broadside_server::rooms::results::ResultSink;
use broadside_server::rooms::runner::{Next, RoomRunner};
use broadside_server::topics::Topics;
use broadside_shared::game::Game;
use broadside_shared::ids::{AccountId, RoomId};
use broadside_shared::link::Pipe;
use broadside_shared::protocol::FrameKind;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::token::AccountToken;
use broadside_shared::time::MonoTime;

/// The server's clock is this much ahead of the clients', in microseconds, so that mistaking one for the other breaks a test.
const SERVER_AHEAD_US: u64 = 3_600_000_000;
/// Time from a close until the socket is lost, in microseconds.
const CLOSING_US: u64 = 50_000;
const SESSION_KEY: [u8; 32] = [7; 32];
const ACCOUNT_KEY: [u8; 32] = [8; 32];

/// The server's time at a time of the clients' clock.
pub fn server_time(now: MonoTime) -> MonoTime {
    now.plus_us(SERVER_AHEAD_US)
}

/// The settings of the server.
#[derive(Debug, Clone)]
pub struct Setup {
    pub seed: u64,
    pub shards: usize,
    pub snapshot_every: u32,
    pub capacity: u16,
    pub max_rooms: usize,
    /// Seconds for which the seat of a lost connection is kept.
    pub grace_s: u32,
    /// Seconds after which an ephemeral room ends.
    pub room_life_s: u32,
    /// Whether addresses may hold only their share.
    pub is_limited: bool,
    /// The rules hash of recordings, if rooms are recorded.
    pub recorded_under: Option<u64>,
}

/// What passes between the server's threads and its links.
pub enum Tap {
    /// A frame reached the server over a link.
    Read(LinkId, Vec<u8>),
    /// A frame was put on a link, for this session; 0 before the hello.
    Wrote(LinkId, SessionId, Vec<u8>),
    /// The server closed a link.
    Closed(LinkId, CloseCode),
    /// A shard took a published message off its inbox.
    Published(Arc<TopicMessage>),
}

pub struct SimServer<G: Game> {
    clock_us: Arc<AtomicU64>,
    /// By the clients' clock.
    now: MonoTime,
    pub lobby: ServerLobby<G>,
    pub shards: Vec<SimShard<G>>,
    /// Rooms that are awake, and when their next tick is due.
    rooms: Vec<(MonoTime, Box<RoomRunner<G>>)>,
    pub links: BTreeMap<LinkId, Link>,
    opened: u32,
    results: Arc<Mutex<Vec<RoomResult>>>,
    minutes: KeptMinutes,
    /// Snapshots skipped by flow control.
    pub skipped: u64,
    /// What passed since the owner last took it, if the owner wants to know.
    pub taps: Option<Vec<Tap>>,
}

/// Identifies a simulated link; never reused.
pub type LinkId = u32;

/// A simulated link to a client.
pub struct Link {
    pub up: Pipe,
    pub down: Pipe,
    /// Nothing moves either way, and pings are not answered.
    pub is_cut: bool,
    /// The code with which the server closed it.
    pub closed: Option<CloseCode>,
    drop_at: Option<MonoTime>,
    /// Shard and key; `None` while it migrates from one shard to another.
    pub owner: Option<(usize, usize)>,
}

/// A link with an open connection, on its way from one server to the next.
pub struct PassedLink {
    pub link: LinkId,
    pub connection: PassedConnection,
    pipes: Link,
}

/// A shard without a thread.
pub struct SimShard<G: Game> {
    pub core: ShardCore<G>,
    keys: BTreeMap<usize, LinkId>,
    /// Taken from the inbox, and not handled yet.
    commands: VecDeque<ShardCommand>,
    arrivals: VecDeque<(LinkId, Box<Connection<G>>)>,
}

impl<G: Game> SimServer<G> {
    /// Takes the results that rooms left since the last call.
    ///
    /// # Panics
    /// If a thread panicked while it left one.
    pub fn take_results(&self) -> Vec<RoomResult> {
        std::mem::take(&mut *self.results.lock().expect("no thread panicked"))
    }

    /// What is recorded of the last minute of each room that is awake, and of those that have failed since the last call: by names for files.
    pub fn last_minutes(&self) -> Vec<(String, Vec<u8>)> {
        let minute = |room: &RoomLoop<G>| Some((format!("room-{}", room.info().id), room.room().last_minute()?));
        self.minutes.take().into_iter().chain(self.awake().filter_map(minute)).collect()
    }

    /// A server without rooms.
    pub fn new(setup: &Setup) -> Self {
        let clock_us = Arc::new(AtomicU64::new(SERVER_AHEAD_US));
        let clock = MonoClock::manual(Arc::clone(&clock_us));
        let caps = Caps::new(10_000, 100_000, setup.max_rooms);
        let everyone = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
        let exempt = if setup.is_limited { Vec::new() } else { everyone.to_vec() };
        let (sink, results) = ResultSink::list();
        let (recordings, minutes) = RecordingSink::list();
        let context = ServerContext {
            clock: clock.clone(),
            metrics: Arc::new(Metrics::new()),
            shards: (0..setup.shards).map(|_| Inbox::new(Wakeup::new(|| {}))).collect(),
            limits: Arc::new(AddressLimits::new(caps, exempt)),
            topics: Arc::new(Topics::new()),
            results: sink,
            recording: setup.recorded_under.map(|rules| RecordingPolicy { rules, keep: KeptRecordings::Matches }),
            recordings,
            checkpoints: CheckpointSink::default(),
            result_ids: ResultIds::new(MonoTime(0)),
            grace_s: setup.grace_s,
            room_life_s: setup.room_life_s,
        };
        let common = RoomConfig {
            snapshot_every: setup.snapshot_every,
            capacity: setup.capacity,
            seed: setup.seed,
            mode: ModeId(0),
        };
        let directory =
            Directory::new(context.clone(), Arc::new(Pool::new(clock)), Arc::default(), common, (setup.max_rooms, 0));
        let state = Arc::new(LobbyState::new(
            context,
            Sessions::new(&[SESSION_KEY], 0),
            AccountTokens::new(&[ACCOUNT_KEY]),
            None,
        ));
        let shard = |index| SimShard {
            core: ShardCore::new(index),
            keys: BTreeMap::new(),
            commands: VecDeque::new(),
            arrivals: VecDeque::new(),
        };
        SimServer {
            clock_us,
            now: MonoTime(0),
            lobby: ServerLobby { state, directory: Arc::new(directory) },
            shards: (0..setup.shards).map(shard).collect(),
            rooms: Vec::new(),
            links: BTreeMap::new(),
            opened: 0,
            results,
            minutes,
            skipped: 0,
            taps: None,
        }
    }

    /// The state of the server between two turns of its threads, from which another one can go on.
    pub fn save(&self) -> Segment {
        let lasting =
            Lasting { session_key: SESSION_KEY, account_key: ACCOUNT_KEY, result_ids: self.lobby.context.result_ids };
        Segment {
            head: Head { game: G::NAME.to_owned(), rules: 0, lasting },
            lobby: recovery::save_lobby(&self.lobby),
            rooms: self.rooms.iter().map(|(_, room)| (room.room().info().id, room.save())).collect(),
            is_torn: false,
        }
    }

    /// The state of the server once it has passed on or closed every connection for a successor, as a real one does. Passes on those whose
    /// links `is_passed` picks.
    pub fn stand_still(&mut self, is_passed: impl Fn(LinkId) -> bool) -> (Segment, Vec<PassedLink>) {
        self.lobby.sessions.keep_all();
        let (now, mut passed) = (server_time(self.now), Vec::new());
        for shard in 0..self.shards.len() {
            self.run_commands(shard, usize::MAX);
            for (key, link) in self.shards[shard].keys.clone() {
                if is_passed(link)
                    && let Some(connection) = self.shards[shard].core.pass_on(now, key, &self.lobby)
                {
                    self.drain(shard);
                    self.shards[shard].keys.remove(&key);
                    passed.extend(self.links.remove(&link).map(|pipes| PassedLink { link, pipes, connection }));
                }
            }
            let closing = ShardCommand::Shutdown(CloseCode::Restarting);
            self.shards[shard].core.handle_command(now, closing, &self.lobby);
            self.drain(shard);
        }
        let saved = self.save();
        let asleep = self.lobby.directory.save();
        let rooms = std::mem::take(&mut self.rooms).into_iter();
        let awake = rooms.filter_map(|(_, room)| Some((room.room().info().id, room.stand_still()?)));
        let rooms = asleep.into_iter().chain(awake).collect();
        (0..self.shards.len()).for_each(|shard| self.run_commands(shard, usize::MAX));
        (Segment { rooms, lobby: recovery::save_lobby(&self.lobby), ..saved }, passed)
    }

    /// Goes on with the connections that another server has passed on.
    pub fn take_over(&mut self, passed: Vec<PassedLink>) {
        for PassedLink { link, pipes, connection } in passed {
            let shard = link as usize % self.shards.len();
            let key = self.shards[shard].free_key();
            self.shards[shard].keys.insert(key, link);
            self.links.insert(link, Link { owner: Some((shard, key)), ..pipes });
            let id = ConnectionId { shard, key, serial: link.into() };
            self.shards[shard].core.handle_passed(server_time(self.now), id, connection, &self.lobby);
            self.drain(shard);
        }
    }

    /// A server that goes on from what this one saved, at a time of the clients' clock. Every link is lost that is not passed on. Rooms that slept are gone, but
    /// for persistent ones, which are new.
    ///
    /// # Panics
    /// If the state cannot be read.
    pub fn go_on(&self, setup: &Setup, saved: &Segment, now: MonoTime) -> Self {
        let mut next = SimServer::new(setup);
        (next.opened, next.skipped) = (self.opened, self.skipped);
        next.set_time(now);
        let predecessor = Predecessor::<G>::read(saved, 0).expect("what was saved can be read");
        predecessor.restore(&next.lobby, setup.shards);
        for room in self.lobby.directory.all().iter().filter(|room| !room.is_ephemeral) {
            if next.lobby.directory.get(room.id()).is_none() {
                next.lobby.directory.open_persistent(&room.name);
            }
        }
        // As real shards do before they read anything.
        (0..setup.shards).for_each(|shard| next.run_commands(shard, usize::MAX));
        next
    }

    /// A token of this account, valid from now on.
    pub fn sign(&self, account: AccountId) -> AccountToken {
        self.lobby.account_tokens.sign(account, self.lobby.context.clock.unix_s())
    }

    /// Sets the time, by the clients' clock.
    pub fn set_time(&mut self, now: MonoTime) {
        self.now = now;
        self.clock_us.store(server_time(now).0, Ordering::Relaxed);
    }

    /// The room with this number while it is awake.
    pub fn room(&self, id: RoomId) -> Option<&RoomLoop<G>> {
        self.rooms.iter().map(|(_, runner)| runner.room()).find(|room| room.info().id == id)
    }

    /// Opens a connection over a link, on the next shard in turn, from an address of its own.
    pub fn connect(&mut self, pipes: (Pipe, Pipe)) -> LinkId {
        let link = self.opened;
        let address = [10, (link >> 16) as u8, (link >> 8) as u8, link as u8];
        self.connect_from(address.into(), pipes)
    }

    /// The same from this address.
    pub fn connect_from(&mut self, address: IpAddr, (down, up): (Pipe, Pipe)) -> LinkId {
        let (link, shard) = (self.opened, self.opened as usize % self.shards.len());
        self.opened += 1;
        let key = self.shards[shard].free_key();
        self.shards[shard].keys.insert(key, link);
        let owner = Some((shard, key));
        self.links.insert(link, Link { up, down, is_cut: false, closed: None, drop_at: None, owner });
        let id = ConnectionId { shard, key, serial: link.into() };
        let origin = Origin::Client(SocketAddr::new(address, 5000));
        self.shards[shard].core.handle_connect(server_time(self.now), id, origin, None, None, &self.lobby);
        self.drain(shard);
        link
    }

    /// Loses the socket of a link, and everything in flight on it.
    pub fn lose(&mut self, link: LinkId) {
        let Some(found) = self.links.get(&link) else { return };
        // During a migration no shard polls the socket, so the loss goes unnoticed.
        let Some((shard, key)) = found.owner else { return };
        self.shards[shard].core.handle_lost(server_time(self.now), key, &self.lobby);
        self.drain(shard);
        self.shards[shard].keys.remove(&key);
        self.links.remove(&link);
    }

    /// Delivers a client's message to the server at once.
    pub fn inject(&mut self, link: LinkId, frame: &[u8]) {
        let Some((shard, key)) = self.links.get(&link).and_then(|link| link.owner) else { return };
        self.shards[shard].core.handle_frame(server_time(self.now), key, frame, &self.lobby);
        self.drain(shard);
    }

    /// Lets a shard handle up to `count` of its queued commands and migrated connections.
    pub fn run_commands(&mut self, shard: usize, count: usize) {
        let mut taken = Vec::new();
        self.lobby.context.shards[shard].take(&mut taken);
        for command in &taken {
            if let (ShardCommand::Published(message), Some(taps)) = (command, &mut self.taps) {
                taps.push(Tap::Published(Arc::clone(message)));
            }
        }
        self.shards[shard].commands.extend(taken);
        let now = server_time(self.now);
        for _ in 0..count {
            if let Some((link, connection)) = self.shards[shard].arrivals.pop_front() {
                let key = self.shards[shard].free_key();
                self.shards[shard].keys.insert(key, link);
                if let Some(link) = self.links.get_mut(&link) {
                    link.owner = Some((shard, key));
                }
                self.shards[shard].core.handle_migrated(now, key, connection, &self.lobby);
            } else if let Some(command) = self.shards[shard].commands.pop_front() {
                self.shards[shard].core.handle_command(now, command, &self.lobby);
            } else {
                return;
            }
            self.drain(shard);
        }
    }

    /// Lets a shard read the frames that have arrived over its links, and send the inputs to their rooms.
    pub fn run_reads(&mut self, shard: usize) {
        let now = server_time(self.now);
        for (key, link) in self.shards[shard].keys.clone() {
            let mut bytes = 0;
            let arrived_by = self.now;
            let next = |found: &mut Link| if found.is_cut { None } else { found.up.receive(arrived_by) };
            while let Some(frame) = self.links.get_mut(&link).and_then(next) {
                bytes += frame.len();
                self.shards[shard].core.handle_frame(now, key, &frame, &self.lobby);
                if let Some(taps) = &mut self.taps {
                    taps.push(Tap::Read(link, frame));
                }
                self.drain(shard);
            }
            if bytes > 0 {
                self.shards[shard].core.handle_read_end(now, key, bytes, &self.lobby);
                self.drain(shard);
            }
        }
        self.shards[shard].core.flush_inputs(&self.lobby);
    }

    /// Lets a shard send the newest ticks.
    pub fn run_fan_out(&mut self, shard: usize) {
        let SimShard { core, keys, .. } = &mut self.shards[shard];
        // The core is borrowed while it writes.
        let sessions = match self.taps {
            Some(_) => core.connections().map(|connection| (connection.id().key, connection.session())).collect(),
            None => BTreeMap::new(),
        };
        let mut sockets = SimSockets { links: &mut self.links, keys, now: self.now, taps: &mut self.taps, sessions };
        while let Some((_, stats)) = core.fan_out_next(server_time(self.now), &mut sockets) {
            self.skipped += stats.skipped;
        }
    }

    /// Lets a shard check its deadlines.
    pub fn run_timeouts(&mut self, shard: usize) {
        let now = server_time(self.now);
        for (key, link) in self.shards[shard].keys.clone() {
            self.shards[shard].core.handle_timeout(now, key, &self.lobby);
            self.drain(shard);
            if self.links.get(&link).and_then(|link| link.drop_at).is_some_and(|at| at <= self.now) {
                self.lose(link);
            }
        }
    }

    /// The server stood still for this many microseconds, and notices.
    pub fn pause(&mut self, us: u64) {
        for shard in &mut self.shards {
            shard.core.handle_pause(us);
        }
        for link in self.links.values_mut() {
            link.drop_at = link.drop_at.map(|at| at.plus_us(us));
        }
    }

    /// A shard fails and is restarted: its sockets are gone, and the commands that it had taken off its inbox.
    pub fn fail_shard(&mut self, shard: usize) {
        for link in std::mem::take(&mut self.shards[shard].keys).into_values() {
            self.links.remove(&link);
        }
        self.shards[shard].commands.clear();
        self.shards[shard].core = ShardCore::new(shard);
        self.lobby.lose_shard(shard);
    }

    /// How many commands wait for a shard that it has taken off its inbox.
    pub fn commands_waiting(&self, shard: usize) -> usize {
        self.shards[shard].commands.len()
    }

    /// The rooms whose tick is due.
    pub fn due_rooms(&mut self) -> Vec<RoomId> {
        let now = server_time(self.now);
        while let Some(room) = self.lobby.directory.pool().take_due(now) {
            self.rooms.push((now, room));
        }
        self.rooms.sort_by_key(|(_, room)| room.room().info().id);
        self.rooms.iter().filter(|(due, _)| *due <= now).map(|(_, room)| room.room().info().id).collect()
    }

    /// Lets a room do a turn.
    pub fn run_room(&mut self, id: RoomId) {
        let Some(at) = self.rooms.iter().position(|(_, room)| room.room().info().id == id) else { return };
        let (_, mut room) = self.rooms.remove(at);
        match room.turn() {
            Next::At(due) => self.rooms.push((due, room)),
            Next::Asleep => {
                if let Some(room) = RoomRunner::lay_to_sleep(room) {
                    self.rooms.push((server_time(self.now), room));
                }
            }
            Next::Over => {}
        }
    }

    /// Runs a turn of every room that is due.
    pub fn run_rooms(&mut self) {
        loop {
            let due = self.due_rooms();
            if due.is_empty() {
                return;
            }
            due.into_iter().for_each(|id| self.run_room(id));
        }
    }

    /// The rooms that are awake.
    pub fn awake(&self) -> impl Iterator<Item = &RoomLoop<G>> {
        self.rooms.iter().map(|(_, runner)| runner.room())
    }

    /// Runs all shards and rooms in a fixed order. The shards run again after the rooms.
    pub fn run_all(&mut self) {
        for shard in 0..self.shards.len() {
            self.run_commands(shard, usize::MAX);
            self.run_fan_out(shard);
            self.run_reads(shard);
            self.run_timeouts(shard);
        }
        self.run_rooms();
        for shard in 0..self.shards.len() {
            self.run_commands(shard, usize::MAX);
            self.run_fan_out(shard);
        }
    }

    fn drain(&mut self, shard: usize) {
        while let Some(output) = self.shards[shard].core.poll_output() {
            let (Output::Frame(key, _)
            | Output::Message(key, _)
            | Output::Ping(key)
            | Output::Close(key, _)
            | Output::Migrate(key, ..)) = &output;
            let key = *key;
            let id = self.shards[shard].keys[&key];
            let Some(link) = self.links.get_mut(&id) else { continue };
            let output = match output {
                Output::Message(key, message) => {
                    Output::Frame(key, [&[FrameKind::Control as u8], message.message()].concat())
                }
                other => other,
            };
            if let Some(taps) = &mut self.taps {
                let session = self.shards[shard].core.connection(key).map_or(0, Connection::session);
                match &output {
                    Output::Frame(_, frame) => taps.push(Tap::Wrote(id, session, frame.clone())),
                    Output::Close(_, code) => taps.push(Tap::Closed(id, *code)),
                    Output::Message(..) | Output::Ping(_) | Output::Migrate(..) => {}
                }
            }
            match output {
                Output::Frame(_, frame) => link.down.send(self.now, frame),
                Output::Message(..) => unreachable!("made a frame above"),
                // A socket answers pings even if its program is frozen.
                Output::Ping(_) if link.is_cut => {}
                Output::Ping(_) => self.shards[shard].core.handle_alive(server_time(self.now), key, &self.lobby),
                Output::Close(_, code) => {
                    link.closed = Some(code);
                    link.drop_at = Some(self.now.plus_us(CLOSING_US));
                }
                Output::Migrate(_, to, connection) => {
                    link.owner = None;
                    self.shards[shard].keys.remove(&key);
                    self.shards[to].arrivals.push_back((id, connection));
                }
            }
        }
    }
}

impl<G: Game> SimShard<G> {
    fn free_key(&self) -> usize {
        (0..).find(|key| !self.keys.contains_key(key)).expect("keys are endless")
    }
}

struct SimSockets<'a> {
    links: &'a mut BTreeMap<LinkId, Link>,
    keys: &'a BTreeMap<usize, LinkId>,
    now: MonoTime,
    taps: &'a mut Option<Vec<Tap>>,
    /// By key.
    sessions: BTreeMap<usize, SessionId>,
}

impl Sockets for SimSockets<'_> {
    const HEADROOM: usize = 0;

    fn state(&self, key: usize) -> Option<SocketState> {
        let link = self.links.get(self.keys.get(&key)?)?;
        link.closed.is_none().then(|| SocketState::from_free(link.down.takes_more()))
    }

    fn write(&mut self, key: usize, frame: &mut [u8]) -> bool {
        let Some((id, link)) = self.keys.get(&key).and_then(|id| Some((*id, self.links.get_mut(id)?))) else {
            return false;
        };
        if let Some(taps) = self.taps {
            taps.push(Tap::Wrote(id, self.sessions.get(&key).copied().unwrap_or(0), frame.to_vec()));
        }
        link.down.send(self.now, frame.to_vec());
        true
    }
}
