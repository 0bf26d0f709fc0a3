//! The worker threads: each runs a share of the players with one readiness queue, which it polls about once per millisecond.
//!
//! The pause makes thousands of players cheap: all frames of a millisecond are read in one pass, with one wakeup. The price is that
//! an arrival is noticed up to 1 ms late.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use broadside_shared::client::{Client, ClientConfig, Phase};
use broadside_shared::game::{Bot, Game};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::time::MonoTime;
use mio::{Events, Poll, Token};

use super::connection::{ConnectionState, PlayerConnection};
use super::endpoint::{Endpoint, Route};
use super::plan::LoadPlan;
use super::script::{self, SharedScript};
use super::simulated_client::{SimulatedClient, WorkerContext};
use super::statistics::{PlayerCounters, Window};
use crate::socket::PlayError;

/// Shortest time between two polls of the sockets.
const POLL_EVERY: Duration = Duration::from_millis(1);
/// Longest time between two checks of [`RunState`].
const IDLE: Duration = Duration::from_millis(10);
/// Time between two updates of the gauges, in microseconds.
const GAUGE_US: u64 = 100_000;
/// Bytes read at once.
const BUFFER: usize = 64 * 1024;
/// Socket events per poll.
const EVENTS: usize = 4096;

/// State shared by all threads of a run: targets from the main thread, counters from the workers.
pub(crate) struct RunState {
    pub(crate) plan: LoadPlan,
    /// The nodes over which the players are spread, at least one.
    pub(crate) homes: Vec<Arc<Endpoint>>,
    /// Start of the run, from which all its times count.
    pub(crate) began: Instant,
    /// Number of players that should have been started by now.
    pub(crate) wanted: AtomicUsize,
    /// Number of the phase. When it changes, each worker delivers its counters of the phase before.
    pub(crate) epoch: AtomicU32,
    /// Whether players leave and come back (`--churn`).
    pub(crate) churning: AtomicBool,
    /// Whether all players must leave.
    pub(crate) draining: AtomicBool,
    /// Players that got a seat; each counts once.
    pub(crate) joined: AtomicUsize,
    /// Players that could not join.
    pub(crate) refused: AtomicUsize,
    /// Players that lost their connection or could not reconnect.
    pub(crate) dropped: AtomicUsize,
    /// The first error of a player.
    pub(crate) first_error: Mutex<Option<String>>,
    pub(crate) workers: Vec<WorkerCounters>,
}

/// The counters of one worker, read by the main thread.
#[derive(Default)]
pub(crate) struct WorkerCounters {
    /// What was counted since the main thread last took it.
    pub(crate) window: Mutex<Window>,
    /// Counters of finished phases that the main thread has not taken.
    pub(crate) delivered: Mutex<Vec<PhaseCounters>>,
    pub(crate) playing: AtomicUsize,
    /// Players in the join queue.
    pub(crate) queued: AtomicUsize,
    /// Longest current wait of a seated player for its next snapshot, in microseconds.
    pub(crate) open_gap_us: AtomicU64,
}

/// What a worker counted in one phase.
pub(crate) struct PhaseCounters {
    pub(crate) epoch: u32,
    /// What was counted since the last window was taken.
    pub(crate) window: Window,
    /// One per player that played.
    pub(crate) per_player: Vec<PlayerCounters>,
}

/// Locks a mutex, even a poisoned one: the counts of a worker that panicked are still valid.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunState {
    /// Time since the start of the run.
    pub(crate) fn now(&self) -> MonoTime {
        MonoTime(self.began.elapsed().as_micros() as u64)
    }

    pub(crate) fn sum(&self, of: fn(&WorkerCounters) -> &AtomicUsize) -> usize {
        self.workers.iter().map(|worker| of(worker).load(Ordering::Relaxed)).sum()
    }
}

/// One player of a worker.
struct PlayerSlot<G: Game> {
    connection: Option<PlayerConnection<G>>,
    route: Route,
    /// The client of a player that lost its connection while seated, or is on its way to another node. It goes on counting missing snapshots.
    lost: Option<SimulatedClient<G>>,
    joined: bool,
    /// When a player that left on purpose, or was sent to another node, reconnects.
    back_at: Option<MonoTime>,
    wake_at: MonoTime,
    earlier: PlayerCounters,
}

impl<G: Game> PlayerSlot<G> {
    fn new(route: Route) -> PlayerSlot<G> {
        PlayerSlot {
            connection: None,
            route,
            lost: None,
            joined: false,
            back_at: None,
            wake_at: MonoTime(u64::MAX),
            earlier: PlayerCounters::default(),
        }
    }

    /// See [`WorkerCounters::open_gap_us`].
    fn open_gap_us(&self, now: MonoTime) -> u64 {
        let playing = self
            .connection
            .as_ref()
            .filter(|connection| connection.state() == ConnectionState::Playing)
            .map(PlayerConnection::simulated_client);
        playing.or(self.lost.as_ref()).map_or(0, |simulated_client| simulated_client.open_gap_us(now))
    }
}

/// The players of one thread.
pub(crate) struct Worker<G: Game> {
    shared: Arc<RunState>,
    number: usize,
    poll: Poll,
    slots: Vec<PlayerSlot<G>>,
    /// Wakeup times by slot. An entry that differs from its slot's `wake_at` is stale.
    schedule: BinaryHeap<Reverse<(MonoTime, usize)>>,
    epoch: u32,
    rng: fastrand::Rng,
    buffer: Vec<u8>,
    out: Vec<u8>,
    gauge_at: MonoTime,
    /// Leaves that are due, with the fraction of the next one, and when they were last computed.
    churn: (f64, MonoTime),
    /// Where redirects have led, by address.
    endpoints: BTreeMap<String, Arc<Endpoint>>,
    /// What the players do, if they have no AI.
    script: Option<SharedScript<G>>,
}

impl<G: Game> Worker<G> {
    /// # Errors
    /// The system provides no readiness queue.
    pub(crate) fn new(shared: Arc<RunState>, number: usize) -> std::io::Result<Worker<G>> {
        let script = shared.plan.recording.as_deref().map(script::script::<G>).transpose();
        Ok(Worker {
            number,
            script: script.map_err(std::io::Error::other)?.map(Arc::new),
            poll: Poll::new()?,
            slots: Vec::new(),
            schedule: BinaryHeap::new(),
            epoch: 0,
            rng: fastrand::Rng::with_seed(shared.plan.seed.wrapping_add(number as u64)),
            buffer: vec![0; BUFFER],
            out: Vec::new(),
            gauge_at: MonoTime(0),
            churn: (0.0, MonoTime(0)),
            endpoints: BTreeMap::new(),
            shared,
        })
    }

    /// Runs until the run drains and all players have left.
    ///
    /// # Errors
    /// The readiness queue failed.
    pub(crate) fn run(mut self) -> std::io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut leaving = false;
        let shared = Arc::clone(&self.shared);
        loop {
            let polled_at = Instant::now();
            {
                let mut window = lock(&shared.workers[self.number].window);
                for event in &events {
                    let readable = event.is_readable() || event.is_error() || event.is_read_closed();
                    self.visit(event.token().0, Some((readable, event.is_writable())), &mut window);
                }
                self.run_due(&mut window);
                self.follow_run(&mut window);
                if shared.draining.load(Ordering::Relaxed) && !leaving {
                    leaving = true;
                    (0..self.slots.len()).for_each(|at| self.leave(at, &mut window));
                }
            }
            if leaving && self.slots.iter().all(|slot| slot.connection.is_none()) {
                return Ok(());
            }
            let busy = !events.is_empty();
            let next = self
                .schedule
                .peek()
                .map_or(IDLE, |Reverse((at, _))| Duration::from_micros(at.us_since(shared.now())).min(IDLE));
            let pause = POLL_EVERY.saturating_sub(polled_at.elapsed());
            let wait = if busy || next <= pause {
                std::thread::sleep(pause);
                Duration::ZERO
            } else {
                next
            };
            match self.poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Visits every slot whose wakeup time has passed.
    fn run_due(&mut self, window: &mut Window) {
        let now = self.shared.now();
        while let Some(Reverse((at, slot))) = self.schedule.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.schedule.pop();
            if self.slots[slot].wake_at == at {
                self.slots[slot].wake_at = MonoTime(u64::MAX);
                self.visit(slot, None, window);
            }
        }
    }

    /// Runs one player: `ready` says whether its socket is readable and writable; `None` is a timer.
    fn visit(&mut self, at: usize, ready: Option<(bool, bool)>, window: &mut Window) {
        let now = self.shared.now();
        let slot = &mut self.slots[at];
        let Some(connection) = &mut slot.connection else {
            if slot.back_at.is_some_and(|back| back <= now) {
                slot.back_at = None;
                self.connect(at, window);
            }
            return;
        };
        self.out.clear();
        let mut context = WorkerContext { now, window, out: &mut self.out, rng: &mut self.rng };
        let target = &slot.route.endpoint.target;
        let result = match ready {
            Some(ready) => connection.ready(target, ready, &mut self.buffer, &mut context),
            None => connection.wake(target, &mut self.buffer, &mut context),
        };
        if matches!(connection.state(), ConnectionState::Joining | ConnectionState::Playing) {
            slot.route.nodes.handle_open();
            if connection.simulated_client().client().phase() == Phase::Playing {
                slot.route.nodes.handle_seated();
            }
        }
        if connection.state() == ConnectionState::Playing && !slot.joined {
            slot.joined = true;
            self.shared.joined.fetch_add(1, Ordering::Relaxed);
        }
        match result {
            Ok(()) => self.arm(at),
            Err(error) => self.connection_ended(at, &error, window),
        }
    }

    fn arm(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        let wanted = match (&slot.connection, slot.back_at) {
            (Some(connection), _) => connection.next_at(),
            (None, Some(back)) => back,
            (None, None) => return,
        };
        if wanted < slot.wake_at {
            slot.wake_at = wanted;
            self.schedule.push(Reverse((wanted, at)));
        }
    }

    /// Handles the end of a connection, intended or not.
    fn connection_ended(&mut self, at: usize, error: &PlayError, window: &mut Window) {
        let now = self.shared.now();
        let slot = &mut self.slots[at];
        let Some(mut connection) = slot.connection.take() else { return };
        slot.wake_at = MonoTime(u64::MAX);
        if connection.state() == ConnectionState::Leaving {
            if !self.shared.draining.load(Ordering::Relaxed) {
                slot.back_at = Some(now.plus_us(self.rng.u64(200_000..1_000_000)));
                window.rejoined += 1;
                self.arm(at);
            }
            return;
        }
        let redirect = connection.take_redirect();
        let followed = redirect.map(|url| slot.route.follow(&url, error.code(), &mut self.endpoints));
        if let Some(Ok(pause_ms)) = followed {
            slot.back_at = Some(now.plus_ms(pause_ms.into()));
            slot.lost = Some(connection.into_simulated_client());
            return self.arm(at);
        }
        if matches!(error, PlayError::Lost(_) | PlayError::Silent | PlayError::Unreachable { .. }) {
            window.socket_errors += 1;
        }
        // Its counters, and the snapshots it goes on missing, are delivered with the others' at the end of the phase.
        slot.lost = Some(connection.into_simulated_client()).filter(SimulatedClient::playing);
        let count = if slot.joined { &self.shared.dropped } else { &self.shared.refused };
        count.fetch_add(1, Ordering::Relaxed);
        let why = followed.and_then(Result::err);
        lock(&self.shared.first_error).get_or_insert_with(|| why.unwrap_or_else(|| error.to_string()));
    }

    fn follow_run(&mut self, window: &mut Window) {
        let shared = Arc::clone(&self.shared);
        let threads = shared.workers.len();
        let wanted = (shared.wanted.load(Ordering::Relaxed) + threads - 1 - self.number) / threads;
        while self.slots.len() < wanted && !shared.draining.load(Ordering::Relaxed) {
            let index = self.number + self.slots.len() * threads;
            self.slots.push(PlayerSlot::new(new_route(&shared, index)));
            self.connect(self.slots.len() - 1, window);
        }
        let epoch = shared.epoch.load(Ordering::Relaxed);
        if epoch != self.epoch {
            // The main thread reads the gauges right after the delivery.
            self.update_gauges(shared.now(), window);
            self.deliver(window);
            self.epoch = epoch;
        }
        let now = shared.now();
        if now >= self.gauge_at {
            self.gauge_at = now.plus_us(GAUGE_US);
            self.update_gauges(now, window);
            self.churn(now, window);
        }
    }

    fn update_gauges(&mut self, now: MonoTime, window: &mut Window) {
        for simulated_client in self.slots.iter_mut().filter_map(|slot| slot.lost.as_mut()) {
            simulated_client.sample_ages(&mut WorkerContext { now, window, out: &mut self.out, rng: &mut self.rng });
        }
        let connections = || self.slots.iter().filter_map(|slot| slot.connection.as_ref());
        let open_gap_us = self.slots.iter().map(|slot| slot.open_gap_us(now)).max().unwrap_or(0);
        let worker = &self.shared.workers[self.number];
        worker.open_gap_us.store(open_gap_us, Ordering::Relaxed);
        worker.playing.store(
            connections().filter(|connection| connection.state() == ConnectionState::Playing).count(),
            Ordering::Relaxed,
        );
        worker.queued.store(connections().filter(|connection| connection.queued()).count(), Ordering::Relaxed);
    }

    /// Lets players leave at the rate of `--churn`; each reconnects within 1 s.
    fn churn(&mut self, now: MonoTime, window: &mut Window) {
        let share_per_s = self.shared.plan.churn_percent / 100.0 / 60.0;
        let seconds = now.us_since(self.churn.1) as f64 / 1e6;
        self.churn.1 = now;
        if !self.shared.churning.load(Ordering::Relaxed) || self.slots.is_empty() {
            return;
        }
        self.churn.0 += share_per_s * seconds * self.slots.len() as f64;
        while self.churn.0 >= 1.0 {
            self.churn.0 -= 1.0;
            let at = self.rng.usize(0..self.slots.len());
            if self.slots[at]
                .connection
                .as_ref()
                .is_some_and(|connection| connection.state() == ConnectionState::Playing)
            {
                self.leave(at, window);
            }
        }
    }

    fn leave(&mut self, at: usize, window: &mut Window) {
        let now = self.shared.now();
        let slot = &mut self.slots[at];
        slot.back_at = None;
        let Some(connection) = &mut slot.connection else { return };
        self.out.clear();
        let mut context = WorkerContext { now, window, out: &mut self.out, rng: &mut self.rng };
        // Counting ends here: what arrives while the server closes the connection belongs to no phase.
        slot.earlier.merge(&connection.take_counters(&mut context));
        // Without a seat there is nothing to give up.
        if connection.state() != ConnectionState::Playing || connection.leave(&mut context).is_err() {
            slot.connection = None;
            return;
        }
        self.arm(at);
    }

    fn deliver(&mut self, window: &mut Window) {
        let now = self.shared.now();
        let mut per_player = Vec::with_capacity(self.slots.len());
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let mut counters = std::mem::take(&mut slot.earlier);
            self.out.clear();
            let mut context = WorkerContext { now, window, out: &mut self.out, rng: &mut self.rng };
            if let Some(connection) = &mut slot.connection {
                counters.merge(&connection.take_counters(&mut context));
            }
            if let Some(simulated_client) = &mut slot.lost {
                counters.merge(&simulated_client.take_counters(&mut context));
            }
            counters.index = self.number + at * self.shared.workers.len();
            counters.full = self.shared.plan.is_full(counters.index);
            if counters.played_us > 0 {
                per_player.push(counters);
            }
        }
        let delivery = PhaseCounters { epoch: self.epoch, window: std::mem::take(window), per_player };
        lock(&self.shared.workers[self.number].delivered).push(delivery);
    }

    fn connect(&mut self, at: usize, window: &mut Window) {
        let shared = Arc::clone(&self.shared);
        let (plan, now) = (&shared.plan, shared.now());
        let index = self.number + at * shared.workers.len();
        let seed = plan.seed.wrapping_add(index as u64);
        let profile = plan.link.pick(index);
        let simulated_client = self.slots[at].lost.take().unwrap_or_else(|| {
            self.slots[at].route = new_route(&shared, index);
            new_client(plan, index, self.script.clone(), now)
        });
        let registry = self.poll.registry();
        let connection = PlayerConnection::connect(
            simulated_client,
            (profile, seed),
            &self.slots[at].route,
            (registry, Token(at)),
            now,
        );
        match connection {
            Ok(connection) => {
                self.slots[at].connection = Some(connection);
                self.arm(at);
            }
            Err(error) => {
                window.socket_errors += 1;
                let count = if self.slots[at].joined { &shared.dropped } else { &shared.refused };
                count.fetch_add(1, Ordering::Relaxed);
                lock(&shared.first_error).get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// Players are spread over the nodes in turn.
fn new_route(shared: &RunState, index: usize) -> Route {
    Route::new(&shared.homes[index % shared.homes.len()], shared.plan.seed.wrapping_add(index as u64))
}

fn new_client<G: Game>(
    plan: &LoadPlan,
    index: usize,
    script: Option<SharedScript<G>>,
    now: MonoTime,
) -> SimulatedClient<G> {
    let name = Name::new(&format!("load {index}")).expect("the name is short and printable");
    let agent = concat!("load ", env!("CARGO_PKG_VERSION")).to_owned();
    let full = plan.is_full(index);
    let detail = plan.detail(index);
    let room = match (plan.rooms, &script) {
        (1, Some(script)) => RoomChoice::Mode(script.mode),
        (1, None) => RoomChoice::Quick,
        (rooms, _) => RoomChoice::Room(RoomId((index % rooms) as u32 + 1)),
    };
    let client = Client::new(ClientConfig { name, agent, room: Some(room), role: Role::Play, detail });
    let seed = plan.seed.wrapping_add(index as u64);
    let bot = if full { G::Bot::new(seed, plan.skill) } else { G::Bot::cheap(seed) };
    SimulatedClient::new(index, client, (bot, script), full, plan.link.pick(index).freezes(seed), now)
}
