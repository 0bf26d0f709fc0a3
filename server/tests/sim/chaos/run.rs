//! One chaos run: a plan played against the whole server, with a scheduler that draws from the same seed which thread runs next.

use broadside_server::checkpoints::segment::Segment;
use broadside_server::lobby::directory::Rooms as _;
use broadside_shared::protocol::room::ModeId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use broadside_core::commands::Hold;
use broadside_shared::client::{Client, ClientConfig, ClientEvent, Detail};
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::ids::RoomId;
use broadside_shared::link::{LinkProfile, Pause};
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::time::MonoTime;

use super::checks::Checks;
use super::plan::Plan;
use super::results::ResultChecks;
use broadside_shared::toy::PANICS;
use broadside_shared::trial::rules_hash;
use broadside_sim::server::{LinkId, Setup, SimServer, Tap};

/// Virtual time moves in steps of this many milliseconds.
const STEP_MS: u64 = 4;
/// The same when nobody is connected.
const LONG_STEP_MS: u64 = 50;
/// A client draws this often, in microseconds.
const FRAME_US: u64 = 16_667;
/// Time for which a socket that was given up for another stays open, in milliseconds.
pub(super) const STRAY_MS: u64 = 1_500;
/// Longest standstill of a shard that counts in full towards deadlines, in microseconds, as in production.
const GAP_US: u64 = 500_000;
/// Time that a client's clock and lead need to find their place in a room, in microseconds.
const FIND_PLACE_US: u64 = 3_000_000;
const ROOMS_MAX: usize = 12;

/// A game that can play itself.
pub(crate) trait ChaosGame: Game {
    fn input(rng: &mut fastrand::Rng) -> Self::Input;
    /// A request of the game; `None` for a game without.
    fn request(variant: u16) -> Option<Self::Request>;
}

/// What a run saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of every frame that the server wrote and every close, in order.
    pub(crate) hash: u64,
    /// Until all have left.
    pub(crate) virtual_ms: u64,
    pub(crate) events: usize,
}

/// A run.
pub(crate) struct Run<G: Game> {
    pub(crate) now: MonoTime,
    pub(super) setup: Setup,
    pub(crate) server: SimServer<G>,
    pub(crate) players: Vec<Player<G>>,
    pub(super) plan: Plan,
    pub(super) step: u64,
    /// Sockets that were given up for others, and when they close.
    pub(super) strays: Vec<(LinkId, MonoTime)>,
    pub(super) cut_until: BTreeMap<LinkId, MonoTime>,
    /// Since when and until when each shard stands still.
    pub(super) lagging: Vec<Option<(MonoTime, MonoTime)>>,
    pub(super) lagging_rooms: BTreeMap<RoomId, MonoTime>,
    pub(super) doomed: BTreeSet<RoomId>,
    pub(super) panics: u64,
    pub(super) said: u32,
    pub(super) swept_at: MonoTime,
    pub(super) checks: Checks,
    pub(super) results: ResultChecks,
    /// The newest checkpoint, and the number of the newest message as of then.
    pub(super) saved: Option<(Segment, u64)>,
    pub(super) hash: u64,
    pub(super) is_settling: bool,
    /// Clients read and say nothing.
    pub(super) is_quiet: bool,
}

/// A client, its page and its link.
pub(crate) struct Player<G: Game> {
    pub(crate) client: Client<G>,
    pub(crate) link: Option<LinkId>,
    /// It asked to be gone.
    pub(crate) has_left: bool,
    pub(super) address: IpAddr,
    pub(super) profile: LinkProfile,
    pub(super) request: (Option<RoomChoice>, Role),
    pub(super) names: u32,
    pub(super) connections: u32,
    /// The last close code of the current link.
    pub(super) code: Option<CloseCode>,
    pub(super) retry_at: Option<MonoTime>,
    pub(super) frozen_until: MonoTime,
    pub(super) ahead_us: u64,
    /// Something stood in the way of its inputs at some time: the cause of a correction is then a guess.
    pub(super) is_disturbed: bool,
    pub(super) joined_at: MonoTime,
    /// Corrections without a cause that do not count.
    pub(super) without_cause: u64,
    pub(super) next_frame_at: MonoTime,
    pub(super) rng: fastrand::Rng,
}

impl<G: ChaosGame> Run<G> {
    /// Plays a plan to its end.
    ///
    /// # Panics
    /// When something that always holds does not.
    pub(crate) fn play(plan: &Plan) -> Seen {
        Run::<G>::new(plan, None).walk()
    }

    /// Plays a plan that fails, and gives what is recorded of its rooms by then: names for files, and recordings.
    pub(crate) fn recorded(plan: &Plan) -> Vec<(String, Vec<u8>)> {
        let mut run = Run::<G>::new(plan, Some(rules_hash::<G>()));
        match catch_unwind(AssertUnwindSafe(|| run.walk())) {
            Ok(_) => Vec::new(),
            Err(_) => run.server.last_minutes(),
        }
    }

    fn walk(&mut self) -> Seen {
        let plan = self.plan.clone();
        let mut events = plan.events.iter().peekable();
        while self.now.0 < plan.length_ms * 1000 {
            while let Some(event) = events.next_if(|event| event.at_ms * 1000 <= self.now.0) {
                self.act(event.what);
            }
            self.advance(STEP_MS);
        }
        self.settle();
        let virtual_ms = self.now.0 / 1000;
        self.leave();
        Seen { hash: self.hash, virtual_ms, events: plan.events.len() }
    }

    fn new(plan: &Plan, recorded_under: Option<u64>) -> Self {
        let setup = Setup {
            seed: plan.seed,
            shards: plan.shards,
            snapshot_every: plan.snapshot_every,
            capacity: plan.capacity,
            max_rooms: ROOMS_MAX,
            grace_s: plan.grace_s,
            room_life_s: plan.room_life_s,
            is_limited: true,
            recorded_under,
        };
        let mut server = SimServer::<G>::new(&setup);
        server.taps = Some(Vec::new());
        let directory = &server.lobby.directory;
        directory.open_persistent("one");
        directory.open_persistent("two");
        for (mode, is_private) in [(ModeId(1), false), (ModeId(1), false), (ModeId(0), true)] {
            directory.open_ephemeral(mode, None, is_private, Hold::default()).expect("few rooms");
        }
        let player = |index: usize| {
            let mut rng = fastrand::Rng::with_seed(plan.seed ^ (index as u64 + 1) << 40);
            let request = (None, Role::Play);
            let profile = plan.links[index];
            Player {
                client: client(index, 0, request),
                link: None,
                has_left: false,
                address: [10, 0, 0, 1 + (index % plan.addresses) as u8].into(),
                profile,
                is_disturbed: profile.loss > 0.0 || profile.pause != Pause::Never || profile.jitter_ms > 20.0,
                request,
                names: 0,
                connections: 0,
                joined_at: MonoTime(0),
                without_cause: 0,
                code: None,
                retry_at: None,
                frozen_until: MonoTime(0),
                ahead_us: rng.u64(..1_000_000_000),
                next_frame_at: MonoTime(index as u64 * 7919 % FRAME_US),
                rng,
            }
        };
        Run {
            now: MonoTime(0),
            setup,
            server,
            players: (0..plan.links.len()).map(player).collect(),
            plan: plan.clone(),
            step: 0,
            strays: Vec::new(),
            cut_until: BTreeMap::new(),
            lagging: vec![None; plan.shards],
            lagging_rooms: BTreeMap::new(),
            doomed: BTreeSet::new(),
            panics: 0,
            said: 0,
            swept_at: MonoTime(0),
            checks: Checks::default(),
            results: ResultChecks::default(),
            saved: None,
            hash: 0xcbf2_9ce4_8422_2325,
            is_settling: false,
            is_quiet: false,
        }
    }

    /// Lets time pass, and every thread run that the scheduler picks.
    fn advance(&mut self, ms: u64) {
        self.step += 1;
        self.now = self.now.plus_us(ms * 1000);
        self.server.set_time(self.now);
        self.heal();
        self.run_threads();
        if self.now.us_since(self.swept_at) >= 1_000_000 {
            self.swept_at = self.now;
            self.server.lobby.sweep(0, &*self.server.lobby.directory);
        }
        for index in 0..self.players.len() {
            self.run_player(index);
        }
        self.look();
    }

    /// What is temporary ends.
    fn heal(&mut self) {
        let now = self.now;
        let healed: Vec<LinkId> =
            self.cut_until.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        for link in healed {
            self.cut_until.remove(&link);
            if let Some(link) = self.server.links.get_mut(&link) {
                link.is_cut = false;
            }
        }
        let (over, strays) = std::mem::take(&mut self.strays).into_iter().partition(|(_, until)| *until <= now);
        self.strays = strays;
        for (link, _) in Vec::from_iter(over) as Vec<(LinkId, MonoTime)> {
            self.server.lose(link);
        }
        for shard in 0..self.lagging.len() {
            if let Some((since, until)) = self.lagging[shard].filter(|(_, until)| *until <= now) {
                self.lagging[shard] = None;
                let still_us = until.us_since(since);
                if still_us > GAP_US {
                    self.server.shards[shard].core.handle_pause(still_us);
                }
            }
        }
        self.lagging_rooms.retain(|_, until| *until > now);
    }

    fn run_threads(&mut self) {
        let mut rng = fastrand::Rng::with_seed(self.plan.seed.rotate_left(32) ^ self.step);
        let mut threads = Vec::new();
        for shard in (0..self.lagging.len()).filter(|shard| self.lagging[*shard].is_none()) {
            threads.extend([Thread::Commands(shard), Thread::Reads(shard)]);
            if rng.u8(..40) == 0 {
                threads.push(Thread::Sweep(shard));
            }
        }
        let rooms = self.server.due_rooms();
        threads.extend(rooms.into_iter().filter(|id| !self.lagging_rooms.contains_key(id)).map(Thread::Room));
        rng.shuffle(&mut threads);
        for thread in threads {
            // Some do not get to run.
            if rng.u8(..8) == 0 && !self.is_settling {
                continue;
            }
            match thread {
                Thread::Commands(shard) => {
                    let count = if rng.bool() { usize::MAX } else { rng.usize(1..4) };
                    self.server.run_commands(shard, count);
                    self.server.run_fan_out(shard);
                }
                Thread::Reads(shard) => self.server.run_reads(shard),
                Thread::Sweep(shard) => {
                    // Nobody is silent whose bytes were not read.
                    self.server.run_reads(shard);
                    self.server.run_timeouts(shard);
                }
                Thread::Room(id) => self.run_room(id),
            }
        }
    }

    fn run_room(&mut self, id: RoomId) {
        let is_doomed = self.doomed.remove(&id);
        PANICS.set(is_doomed);
        self.server.run_room(id);
        self.panics += u64::from(is_doomed && !PANICS.take());
    }

    /// What passed since the last look, and what holds now.
    fn look(&mut self) {
        self.look_at_taps();
        self.checks.always(&self.server);
        self.results.look(&self.server);
        let failures = self.server.lobby.context.metrics.room_failures.get();
        assert_eq!(failures, self.panics, "a room failed that was not told to");
        for (index, player) in self.players.iter_mut().enumerate() {
            let stats = player.client.stats();
            let without_cause = stats.corrections[CorrectionCause::UNKNOWN.index()];
            if player.is_disturbed || self.now.us_since(player.joined_at) < FIND_PLACE_US {
                player.without_cause = without_cause;
            }
            assert_eq!(without_cause, player.without_cause, "client {index} was corrected without a cause: {stats:?}");
        }
    }

    pub(super) fn look_at_taps(&mut self) {
        let taps = self.server.taps.replace(Vec::new()).unwrap_or_default();
        for tap in &taps {
            match tap {
                // Tokens are drawn by the operating system.
                Tap::Wrote(link, _, frame) if !frame.starts_with(&[1, 0]) => {
                    self.hash_all(link.to_le_bytes().iter().chain(frame));
                }
                Tap::Closed(link, code) => self.hash_all(link.to_le_bytes().iter().chain(&code.code().to_le_bytes())),
                Tap::Wrote(..) | Tap::Read(..) | Tap::Published(_) => {}
            }
        }
        self.checks.observe(&self.server, &taps);
    }

    fn hash_all<'a>(&mut self, bytes: impl Iterator<Item = &'a u8>) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn run_player(&mut self, index: usize) {
        let now = self.now;
        let player = &mut self.players[index];
        let Some(link) = player.link else {
            if player.retry_at.is_some_and(|at| at <= now) {
                self.open(index);
            }
            return;
        };
        let Some(found) = self.server.links.get_mut(&link) else {
            player.link = None;
            match player.code.take() {
                Some(code) if code.retry() == Retry::Manual => {
                    assert!(code != CloseCode::Malformed || self.checks.sent_garbage(link), "client {index}: {code:?}");
                    player.client = client(index, player.names, player.request);
                    player.retry_at = self.is_settling.then_some(now.plus_ms(300)).filter(|_| !player.has_left);
                }
                Some(_) | None => {
                    player.retry_at = (!player.has_left).then(|| now.plus_ms(player.rng.u64(200..600)));
                }
            }
            return;
        };
        player.code = found.closed;
        if now < player.frozen_until || found.is_cut {
            return;
        }
        let local = now.plus_us(player.ahead_us);
        while let Some(frame) = found.down.receive(now) {
            if let Err(wrong) = player.client.handle_frame(local, &frame) {
                panic!("client {index} cannot read a frame of link {link}: {wrong}");
            }
            while let Some(event) = player.client.poll_event() {
                if let ClientEvent::Joined { .. } = event {
                    player.joined_at = now;
                }
            }
        }
        if self.is_quiet {
            return;
        }
        if now >= player.next_frame_at {
            player.next_frame_at = now.plus_us(FRAME_US);
            player.client.advance(local, &G::input(&mut player.rng));
            player.client.view(local);
            while player.client.poll_event().is_some() {}
        }
        while let Some(frame) = player.client.poll_frame() {
            found.up.send(now, frame);
        }
    }

    /// Everything heals, everybody is connected over a clean link, and whatever is on its way arrives: then all agree.
    fn settle(&mut self) {
        self.is_settling = true;
        self.players.iter_mut().for_each(|player| player.is_disturbed = true);
        self.cut_until.values_mut().for_each(|until| *until = MonoTime(0));
        self.lagging.iter_mut().flatten().for_each(|(_, until)| *until = (*until).min(self.now));
        self.lagging_rooms.clear();
        self.doomed.clear();
        for index in 0..self.players.len() {
            self.players[index].frozen_until = MonoTime(0);
            self.abandon(index);
            self.open(index);
        }
        for _ in 0..3_000 / STEP_MS {
            self.advance(STEP_MS);
        }
        // Nobody says anything while the last commands arrive.
        self.is_quiet = true;
        for _ in 0..20 {
            self.now = self.now.plus_ms(10);
            self.server.set_time(self.now);
            self.server.run_all();
            (0..self.players.len()).for_each(|index| self.run_player(index));
        }
        self.is_quiet = false;
        self.look();
        for (index, player) in self.players.iter().enumerate() {
            let owner = player.link.and_then(|link| self.server.links.get(&link)?.owner);
            let connection = owner.and_then(|(shard, key)| self.server.shards[shard].core.connection(key));
            let Some(connection) = connection.filter(|connection| !connection.is_closing()) else { continue };
            let seat = connection.seat().map(|(room, seat)| (room, seat.player));
            let shown = player.client.room().map(|(room, ..)| room).zip(player.client.player());
            assert_eq!(shown, seat, "client {index} ({:?}) shows another seat than it has", player.client.phase());
            let room = self.server.awake().find(|awake| seat.is_some_and(|(room, _)| awake.info().id == room));
            if let Some(room) = room {
                let state = room.room().game().room_state();
                assert_eq!(*player.client.room_state(), state, "client {index} has another state of its room");
            }
        }
        self.checks.quiet(&self.server);
        self.checks.messages(&self.server);
    }

    /// All leave, and nothing is left of them.
    fn leave(&mut self) {
        for player in &mut self.players {
            (player.has_left, player.retry_at) = (true, None);
            player.client.leave();
        }
        for _ in 0..500 / STEP_MS {
            self.advance(STEP_MS);
        }
        for link in self.server.links.keys().copied().collect::<Vec<_>>() {
            self.server.lose(link);
        }
        self.players.iter_mut().for_each(|player| player.link = None);
        // Until rooms without players end, and reservations that nobody showed.
        for _ in 0..60_000 / LONG_STEP_MS {
            self.advance(LONG_STEP_MS);
            self.server.run_rooms();
        }
        self.checks.empty(&self.server);
    }
}

enum Thread {
    Commands(usize),
    Reads(usize),
    Sweep(usize),
    Room(RoomId),
}

pub(super) fn name(index: usize, number: u32) -> Name {
    Name::new(&format!("c{index} v{number}")).expect("a fine name")
}

pub(super) fn client<G: Game>(index: usize, names: u32, (room, role): (Option<RoomChoice>, Role)) -> Client<G> {
    Client::new(ClientConfig { name: name(index, names), agent: "chaos".to_owned(), room, role, detail: Detail::View })
}
