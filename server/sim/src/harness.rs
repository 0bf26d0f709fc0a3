//! Clients over simulated links, and a server with one shard and one room.

use broadside_core::commands::Hold;
use broadside_core::room::Room;
use broadside_core::room_loop::RoomLoop;
use broadside_server::checkpoints::segment::Segment;
use broadside_server::lobby::directory::Rooms as _;
use broadside_shared::client::stats::SnapshotArrival;
use broadside_shared::client::{Client, ClientConfig, ClientEvent, Detail, Phase, Received};
use broadside_shared::game::Game;
use broadside_shared::ids::{AccountId, RoomId};
use broadside_shared::link::{LinkProfile, Stalls};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{ModeId, Role, RoomChoice};
use broadside_shared::protocol::token::AccountToken;
use broadside_shared::time::MonoTime;

use crate::server::{LinkId, Setup, SimServer};

/// Step of virtual time, in microseconds.
const STEP_US: u64 = 1_000;
/// Interval between a client's drawn frames, in microseconds: 60 Hz.
const FRAME_US: u64 = 16_667;

/// The program around a client: how often it calls the client.
#[derive(Debug, Clone)]
pub struct Host {
    /// Range of the time between two calls, in microseconds; uniformly distributed.
    every_us: (u64, u64),
    /// Received frames wait for the next call, as when drawing blocks everything else.
    blocked: bool,
    rng: fastrand::Rng,
}

impl Host {
    /// A host that calls 60 times a second and handles frames as they arrive.
    pub fn smooth() -> Self {
        Host::every(FRAME_US, FRAME_US)
    }

    /// A host whose calls are `least_us` to `most_us` microseconds apart.
    pub fn every(least_us: u64, most_us: u64) -> Self {
        Host { every_us: (least_us, most_us), blocked: false, rng: fastrand::Rng::with_seed(least_us) }
    }

    /// Sets whether received frames wait for its calls.
    pub fn blocked(self, blocked: bool) -> Self {
        Host { blocked, ..self }
    }

    fn next_us(&mut self) -> u64 {
        self.rng.u64(self.every_us.0..=self.every_us.1)
    }
}

/// A server with one room, and its clients, in virtual time.
pub struct Sim<G: Game> {
    pub now: MonoTime,
    pub clients: Vec<SimClient<G>>,
    setup: Setup,
    server: SimServer<G>,
    room: RoomId,
    seed: u64,
}

/// A client and its link.
pub struct SimClient<G: Game> {
    pub client: Client<G>,
    pub events: Vec<ClientEvent<G>>,
    /// Every snapshot received.
    pub arrivals: Vec<SnapshotArrival>,
    /// Whether it drew in this step.
    pub drew: bool,
    pub closed: Option<CloseCode>,
    /// Until then the program is frozen: it neither reads nor acts.
    pub frozen_until: MonoTime,
    pub host: Host,
    freezes: Option<Stalls>,
    link: LinkId,
    next_frame_at: MonoTime,
}

/// Decides the inputs of a client, given its index.
pub type Drive<'a, G> = &'a mut dyn FnMut(usize, &Client<G>) -> <G as Game>::Input;

impl<G: Game<Config: Default>> Sim<G> {
    /// An empty room in the open mode.
    pub fn new(seed: u64, snapshot_every: u32) -> Self {
        Sim::of_mode(ModeId(0), seed, snapshot_every)
    }

    pub fn of_mode(mode: ModeId, seed: u64, snapshot_every: u32) -> Self {
        let setup = Setup {
            seed,
            shards: 1,
            snapshot_every,
            capacity: 1000,
            max_rooms: 1,
            grace_s: 60,
            room_life_s: 1_000_000,
            is_limited: false,
            recorded_under: None,
        };
        let server = SimServer::new(&setup);
        let opened = server.lobby.directory.open_ephemeral(mode, None, false, Hold::default()).expect("the first room");
        Sim { now: MonoTime(0), clients: Vec::new(), setup, server, room: opened.id(), seed }
    }

    pub fn room_loop(&self) -> &RoomLoop<G> {
        self.server.room(self.room).expect("the room is not empty")
    }

    pub fn server(&self) -> &SimServer<G> {
        &self.server
    }

    /// Snapshots skipped by flow control.
    pub fn skipped(&self) -> u64 {
        self.server.skipped
    }

    pub fn room(&self) -> &Room<G> {
        self.room_loop().room()
    }

    /// Connects a client over a link. Returns its index.
    pub fn connect(&mut self, profile: &LinkProfile) -> usize {
        self.connect_as(None, profile)
    }

    /// The same with a token of this account in the hello.
    pub fn connect_as(&mut self, account: Option<AccountId>, profile: &LinkProfile) -> usize {
        self.connect_client(account, Detail::View, profile)
    }

    /// The same with a client that reads less.
    pub fn connect_reading(&mut self, detail: Detail, profile: &LinkProfile) -> usize {
        self.connect_client(None, detail, profile)
    }

    fn connect_client(&mut self, account: Option<AccountId>, detail: Detail, profile: &LinkProfile) -> usize {
        let index = self.clients.len();
        let name = Name::new(&format!("sim {index}")).expect("a fine name");
        let mut client = Client::new(ClientConfig {
            name,
            agent: "sim".to_owned(),
            room: Some(RoomChoice::Room(self.room)),
            role: Role::Play,
            detail,
        });
        client.set_account(account.map(|account| self.sign(account)));
        client.handle_open(self.now);
        let seed = self.seed.wrapping_add(index as u64 * 977);
        let link = self.server.connect(profile.pipes(seed));
        self.clients.push(SimClient {
            client,
            events: Vec::new(),
            arrivals: Vec::new(),
            drew: false,
            closed: None,
            frozen_until: MonoTime(0),
            host: Host::smooth(),
            freezes: profile.freezes(seed),
            link,
            // The clients' frames are not in phase.
            next_frame_at: self.now.plus_us(index as u64 * 7919 % FRAME_US),
        });
        index
    }

    /// A token of this account, valid from now on.
    pub fn sign(&self, account: AccountId) -> AccountToken {
        self.server.sign(account)
    }

    /// Advances time by `seconds`.
    pub fn run(&mut self, seconds: f64, drive: Drive<G>) {
        self.run_observed(seconds, drive, &mut |_| {});
    }

    /// Advances time by `seconds`, and calls `observe` after every step in which the room is awake.
    pub fn run_observed(&mut self, seconds: f64, drive: Drive<G>, observe: &mut dyn FnMut(&mut Sim<G>)) {
        let end = self.now.plus_us((seconds * 1e6) as u64);
        while self.now < end {
            self.now = self.now.plus_us(STEP_US);
            self.server.set_time(self.now);
            self.server.run_all();
            for index in 0..self.clients.len() {
                self.run_client(index, drive);
            }
            // An empty room sleeps.
            if self.server.room(self.room).is_some() {
                observe(self);
            }
        }
    }

    /// Makes a client leave.
    pub fn drop_client(&mut self, index: usize) {
        self.server.inject(self.clients[index].link, &codec::encode_client(&ClientMsg::Leave));
    }

    /// The server is gone, and with it every socket; after `away_us` microseconds another one goes on from what it had saved.
    pub fn crash(&mut self, saved: &Segment, away_us: u64) {
        self.now = self.now.plus_us(away_us);
        self.server = self.server.go_on(&self.setup, saved, self.now);
    }

    /// Cuts a client's link: nothing moves either way.
    pub fn cut(&mut self, index: usize) {
        if let Some(link) = self.server.links.get_mut(&self.clients[index].link) {
            link.is_cut = true;
        }
    }

    /// Loses a client's socket and everything in flight on it; the seat is parked.
    pub fn lose_socket(&mut self, index: usize) {
        self.server.lose(self.clients[index].link);
    }

    /// Gives a client that lost its socket another one, over a link of this profile.
    pub fn reconnect(&mut self, index: usize, profile: &LinkProfile) {
        let c = &mut self.clients[index];
        c.link = self.server.connect(profile.pipes(self.seed.wrapping_add(index as u64 * 977 + 1)));
        c.closed = None;
        c.client.handle_open(self.now);
    }

    /// Whether every client is seated and has its local player state.
    pub fn all_play(&self) -> bool {
        self.clients.iter().all(|c| c.client.phase() == Phase::Playing && c.client.local_player().is_some())
    }

    fn run_client(&mut self, index: usize, drive: Drive<G>) {
        let now = self.now;
        let c = &mut self.clients[index];
        if let Some(until) = c.freezes.as_mut().and_then(|stalls| stalls.stalled_until(now)) {
            c.frozen_until = until;
        }
        let Some(link) = self.server.links.get_mut(&c.link) else { return };
        c.closed = link.closed;
        if now < c.frozen_until || link.is_cut {
            return;
        }
        c.drew = now >= c.next_frame_at;
        if c.host.blocked && !c.drew {
            return;
        }
        while let Some(frame) = link.down.receive(now) {
            let received = c.client.handle_frame(now, &frame).expect("the server's bytes are good");
            if let Received::Snapshot(arrival) = received {
                c.arrivals.push(arrival);
            }
        }
        if c.drew {
            c.next_frame_at = now.plus_us(c.host.next_us());
            let input = drive(index, &c.client);
            c.client.advance(now, &input);
            c.client.view(now);
            while let Some(event) = c.client.poll_event() {
                c.events.push(event);
            }
        }
        while let Some(frame) = c.client.poll_frame() {
            link.up.send(now, frame);
        }
    }
}
