//! The threads that run the players: each owns its share of them and one readiness queue, and looks at both about once a
//! millisecond.
//!
//! That millisecond is what makes thousands of players cheap: frames that come within it are read in one go, with one wake.
//! The price is that an arrival is noticed up to a millisecond late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use broadside_shared::client::{Client, ClientConfig, Detail};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::time::MonoTime;
use mio::{Events, Poll, Token};

use super::LoadPlan;
use super::figures::{Tally, Window};
use super::mind::{Around, Mind};
use super::peer::{Peer, Stage};
use crate::pilot::Pilot;
use crate::socket::PlayError;

/// Shortest time from one look at the sockets to the next.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Longest time from one look at the orders to the next.
const IDLE: Duration = Duration::from_millis(10);
/// Time between two counts of who is where, in microseconds.
const GAUGE_US: u64 = 100_000;
/// Bytes read at once.
const BUFFER: usize = 64 * 1024;
/// Sockets told of at once.
const EVENTS: usize = 4096;

/// What all threads of a run share: orders one way, figures the other.
pub struct Shared {
    /// What to run.
    pub plan: LoadPlan,
    /// The server's address.
    pub address: SocketAddr,
    /// When the run began; the zero of all its times.
    pub began: Instant,
    /// How many players there should be by now.
    pub wanted: AtomicUsize,
    /// Number of the phase: when it changes, threads deliver what they counted.
    pub epoch: AtomicU32,
    /// Whether players come and go.
    pub churning: AtomicBool,
    /// Whether all shall leave.
    pub over: AtomicBool,
    /// Players that got a seat, each once.
    pub joined: AtomicUsize,
    /// Players that could not join.
    pub refused: AtomicUsize,
    /// Players that lost their connection, or could not come back.
    pub dropped: AtomicUsize,
    /// Why the first player that failed did.
    pub first_error: Mutex<Option<String>>,
    /// One per thread.
    pub desks: Vec<Desk>,
}

/// Where a thread leaves what it counts.
#[derive(Default)]
pub struct Desk {
    /// Since it was last taken.
    pub window: Mutex<Window>,
    /// What was counted in phases that are over.
    pub delivered: Mutex<Vec<Delivery>>,
    /// Players that play.
    pub playing: AtomicUsize,
    /// Players that are in line for a seat.
    pub in_line: AtomicUsize,
    /// Longest time for which a player with a seat has waited for a snapshot by now, in microseconds.
    pub open_gap_us: AtomicU64,
}

/// What a thread counted in a phase.
pub struct Delivery {
    /// The phase.
    pub epoch: u32,
    /// Its last stretch.
    pub window: Window,
    /// One per player that played.
    pub tallies: Vec<Tally>,
}

/// Locks; what a thread that panicked has left is as good as any count.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Microseconds since the run began.
    #[must_use]
    pub fn now(&self) -> MonoTime {
        MonoTime(self.began.elapsed().as_micros() as u64)
    }

    /// A sum over the threads.
    #[must_use]
    pub fn sum(&self, of: fn(&Desk) -> &AtomicUsize) -> usize {
        self.desks.iter().map(|desk| of(desk).load(Ordering::Relaxed)).sum()
    }
}

/// A player of a thread.
#[derive(Default)]
struct Slot {
    peer: Option<Peer>,
    /// Who lost the connection with a seat, and goes on missing snapshots.
    gone: Option<Mind>,
    joined: bool,
    /// When it comes back, while it is away on purpose.
    back_at: Option<MonoTime>,
    wake_at: MonoTime,
    past: Tally,
}

impl Slot {
    /// See [`Desk::open_gap_us`].
    fn open_gap_us(&self, now: MonoTime) -> u64 {
        let playing = self.peer.as_ref().filter(|peer| peer.stage() == Stage::Playing).map(Peer::mind);
        playing.or(self.gone.as_ref()).map_or(0, |mind| mind.open_gap_us(now))
    }
}

/// One thread's players.
pub struct Engine {
    shared: Arc<Shared>,
    number: usize,
    poll: Poll,
    slots: Vec<Slot>,
    /// When which slot wants to be looked at. Entries that are no longer a slot's `wake_at` mean nothing.
    schedule: BinaryHeap<Reverse<(MonoTime, usize)>>,
    epoch: u32,
    rng: fastrand::Rng,
    buffer: Vec<u8>,
    out: Vec<u8>,
    gauge_at: MonoTime,
    /// Players that should have left by now and have not, and since when that is known.
    churn: (f64, MonoTime),
}

impl Engine {
    /// The engine of thread `number`.
    ///
    /// # Errors
    /// When the system has no readiness queue to give.
    pub fn new(shared: Arc<Shared>, number: usize) -> std::io::Result<Engine> {
        Ok(Engine {
            number,
            poll: Poll::new()?,
            slots: Vec::new(),
            schedule: BinaryHeap::new(),
            epoch: 0,
            rng: fastrand::Rng::with_seed(shared.plan.seed.wrapping_add(number as u64)),
            buffer: vec![0; BUFFER],
            out: Vec::new(),
            gauge_at: MonoTime(0),
            churn: (0.0, MonoTime(0)),
            shared,
        })
    }

    /// Runs until all have left.
    ///
    /// # Errors
    /// When the readiness queue fails.
    pub fn run(mut self) -> std::io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut leaving = false;
        let shared = Arc::clone(&self.shared);
        loop {
            let looked_at = Instant::now();
            {
                let mut window = lock(&shared.desks[self.number].window);
                for event in &events {
                    let readable = event.is_readable() || event.is_error() || event.is_read_closed();
                    self.visit(event.token().0, Some((readable, event.is_writable())), &mut window);
                }
                self.due(&mut window);
                self.orders(&mut window);
                if shared.over.load(Ordering::Relaxed) && !leaving {
                    leaving = true;
                    (0..self.slots.len()).for_each(|at| self.leave(at, &mut window));
                }
            }
            if leaving && self.slots.iter().all(|slot| slot.peer.is_none()) {
                return Ok(());
            }
            let busy = !events.is_empty();
            let next = self
                .schedule
                .peek()
                .map_or(IDLE, |Reverse((at, _))| Duration::from_micros(at.us_since(shared.now())).min(IDLE));
            let pause = LOOK_EVERY.saturating_sub(looked_at.elapsed());
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

    /// Everything whose time has come.
    fn due(&mut self, window: &mut Window) {
        let now = self.shared.now();
        while let Some(Reverse((at, slot))) = self.schedule.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.schedule.pop();
            if self.slots[slot].wake_at == at {
                self.slots[slot].wake_at = MonoTime(u64::MAX);
                self.visit(slot, None, window);
            }
        }
    }

    /// Looks at a player: its socket is ready (to read, to write), or its time has come.
    fn visit(&mut self, at: usize, ready: Option<(bool, bool)>, window: &mut Window) {
        let now = self.shared.now();
        let slot = &mut self.slots[at];
        let Some(peer) = &mut slot.peer else {
            if slot.back_at.is_some_and(|back| back <= now) {
                slot.back_at = None;
                self.connect(at, window);
            }
            return;
        };
        self.out.clear();
        let mut around = Around { now, window, out: &mut self.out, rng: &mut self.rng };
        let target = &self.shared.plan.target;
        let result = match ready {
            Some(ready) => peer.ready(target, ready, &mut self.buffer, &mut around),
            None => peer.wake(target, &mut self.buffer, &mut around),
        };
        if peer.stage() == Stage::Playing && !slot.joined {
            slot.joined = true;
            self.shared.joined.fetch_add(1, Ordering::Relaxed);
        }
        match result {
            Ok(()) => self.arm(at),
            Err(error) => self.lost(at, &error, window),
        }
    }

    fn arm(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        let wanted = match (&slot.peer, slot.back_at) {
            (Some(peer), _) => peer.next_at(),
            (None, Some(back)) => back,
            (None, None) => return,
        };
        if wanted < slot.wake_at {
            slot.wake_at = wanted;
            self.schedule.push(Reverse((wanted, at)));
        }
    }

    /// A connection is over, on purpose or not.
    fn lost(&mut self, at: usize, error: &PlayError, window: &mut Window) {
        let now = self.shared.now();
        let slot = &mut self.slots[at];
        let Some(peer) = slot.peer.take() else { return };
        slot.wake_at = MonoTime(u64::MAX);
        if peer.stage() == Stage::Leaving {
            if !self.shared.over.load(Ordering::Relaxed) {
                slot.back_at = Some(now.plus_us(self.rng.u64(200_000..1_000_000)));
                window.rejoined += 1;
                self.arm(at);
            }
            return;
        }
        if matches!(error, PlayError::Gone(_) | PlayError::Silent | PlayError::Unreachable { .. }) {
            window.socket_errors += 1;
        }
        // What it counted, and what it goes on missing, is taken with the others' at the end of the phase.
        slot.gone = Some(peer.into_mind()).filter(Mind::playing);
        let count = if slot.joined { &self.shared.dropped } else { &self.shared.refused };
        count.fetch_add(1, Ordering::Relaxed);
        lock(&self.shared.first_error).get_or_insert_with(|| error.to_string());
    }

    fn orders(&mut self, window: &mut Window) {
        let shared = Arc::clone(&self.shared);
        let threads = shared.desks.len();
        let wanted = (shared.wanted.load(Ordering::Relaxed) + threads - 1 - self.number) / threads;
        while self.slots.len() < wanted && !shared.over.load(Ordering::Relaxed) {
            self.slots.push(Slot { wake_at: MonoTime(u64::MAX), ..Slot::default() });
            self.connect(self.slots.len() - 1, window);
        }
        let epoch = shared.epoch.load(Ordering::Relaxed);
        if epoch != self.epoch {
            // How many play is asked for next.
            self.gauge(shared.now(), window);
            self.deliver(window);
            self.epoch = epoch;
        }
        let now = shared.now();
        if now >= self.gauge_at {
            self.gauge_at = now.plus_us(GAUGE_US);
            self.gauge(now, window);
            self.churn(now, window);
        }
    }

    fn gauge(&mut self, now: MonoTime, window: &mut Window) {
        for mind in self.slots.iter_mut().filter_map(|slot| slot.gone.as_mut()) {
            mind.sample_ages(&mut Around { now, window, out: &mut self.out, rng: &mut self.rng });
        }
        let peers = || self.slots.iter().filter_map(|slot| slot.peer.as_ref());
        let open_gap_us = self.slots.iter().map(|slot| slot.open_gap_us(now)).max().unwrap_or(0);
        let desk = &self.shared.desks[self.number];
        desk.open_gap_us.store(open_gap_us, Ordering::Relaxed);
        desk.playing.store(peers().filter(|peer| peer.stage() == Stage::Playing).count(), Ordering::Relaxed);
        desk.in_line.store(peers().filter(|peer| peer.in_line()).count(), Ordering::Relaxed);
    }

    /// Lets players leave at the pace asked for; each comes back within a second.
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
            if self.slots[at].peer.as_ref().is_some_and(|peer| peer.stage() == Stage::Playing) {
                self.leave(at, window);
            }
        }
    }

    fn leave(&mut self, at: usize, window: &mut Window) {
        let now = self.shared.now();
        let slot = &mut self.slots[at];
        slot.back_at = None;
        let Some(peer) = &mut slot.peer else { return };
        self.out.clear();
        let mut around = Around { now, window, out: &mut self.out, rng: &mut self.rng };
        // The tally ends here: what still comes while the server closes is nobody's.
        slot.past.absorb(&peer.take_tally(&mut around));
        // Who is not seated has nothing to give up.
        if peer.stage() != Stage::Playing || peer.leave(&mut around).is_err() {
            slot.peer = None;
            return;
        }
        self.arm(at);
    }

    fn deliver(&mut self, window: &mut Window) {
        let now = self.shared.now();
        let mut tallies = Vec::with_capacity(self.slots.len());
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let mut tally = std::mem::take(&mut slot.past);
            self.out.clear();
            let mut around = Around { now, window, out: &mut self.out, rng: &mut self.rng };
            if let Some(peer) = &mut slot.peer {
                tally.absorb(&peer.take_tally(&mut around));
            }
            if let Some(mind) = &mut slot.gone {
                tally.absorb(&mind.take_tally(&mut around));
            }
            tally.index = self.number + at * self.shared.desks.len();
            tally.full = self.shared.plan.is_full(tally.index);
            if tally.played_us > 0 {
                tallies.push(tally);
            }
        }
        let delivery = Delivery { epoch: self.epoch, window: std::mem::take(window), tallies };
        lock(&self.shared.desks[self.number].delivered).push(delivery);
    }

    fn connect(&mut self, at: usize, window: &mut Window) {
        let shared = Arc::clone(&self.shared);
        let (plan, now) = (&shared.plan, shared.now());
        let index = self.number + at * shared.desks.len();
        let seed = plan.seed.wrapping_add(index as u64);
        let profile = plan.link.pick(index);
        let mind = make(plan, index, now);
        let registry = self.poll.registry();
        let peer = Peer::connect(mind, (profile, seed), &plan.target, shared.address, (registry, Token(at)), now);
        match peer {
            Ok(peer) => {
                self.slots[at].peer = Some(peer);
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

/// A player that begins to join now.
fn make(plan: &LoadPlan, index: usize, now: MonoTime) -> Mind {
    let name = Name::new(&format!("load {index}")).expect("short and visible");
    let agent = concat!("load ", env!("CARGO_PKG_VERSION")).to_owned();
    let full = plan.is_full(index);
    let detail = if full { Detail::Replica } else { Detail::Decode };
    let room = match plan.rooms {
        1 => RoomChoice::Quick,
        rooms => RoomChoice::Room(RoomId((index % rooms) as u32 + 1)),
    };
    let client = Client::new(ClientConfig { name, agent, room: Some(room), role: Role::Play, detail });
    let seed = plan.seed.wrapping_add(index as u64);
    let pilot = if full { Pilot::ai(seed, plan.skill) } else { Pilot::pattern(seed) };
    Mind::new(index, client, pilot, full, plan.link.pick(index).freezes(seed), now)
}
