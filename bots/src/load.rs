//! Many players, measured: they join at a steady rate, play for the measured time, and leave.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broadside_shared::client::stats::Arrival;
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::link::{LinkProfile, Spells};
use broadside_shared::protocol::message::RoomChoice;
use broadside_shared::protocol::name::Name;
use broadside_shared::time::MonoTime;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::pilot::Pilot;
use crate::player::{Player, Progress};
use crate::socket::{PlayError, Target};

/// What to run.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// The server.
    pub target: Target,
    /// The line its players are on; `target` leads over it already.
    pub link: LinkProfile,
    /// How many players.
    pub players: usize,
    /// Joins per second.
    pub rate: f64,
    /// Length of the measured phase.
    pub steady: Duration,
    /// Every how many players one is flown by the brain; the others fly a pattern.
    pub brains_every: usize,
    /// Skill of the brains, 0 to 1.
    pub skill: f32,
    /// Seed of pilots.
    pub seed: u64,
}

/// Time a player has to get a seat.
const JOIN: Duration = Duration::from_secs(15);
/// Time between two decisions of a player: an input packet's worth of ticks.
const ACT_EVERY: Duration = Duration::from_millis(33);
/// Longest time the histograms hold, in microseconds.
const TIME_MAX_US: u64 = 60_000_000;

/// The phases, in order; what counts is counted in [`Phase::Steady`] only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Ramp,
    Steady,
    Drain,
}

/// Live figures, for a progress bar.
#[derive(Debug, Default)]
pub struct LoadProgress {
    phase: AtomicU8,
    /// Players that got a seat.
    pub joined: AtomicUsize,
    /// Players that could not join.
    pub refused: AtomicUsize,
    /// Players that lost their connection after they had joined.
    pub dropped: AtomicUsize,
    /// Snapshots received by all.
    pub snapshots: AtomicUsize,
    first_error: Mutex<Option<String>>,
}

impl LoadProgress {
    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Ramp,
            1 => Phase::Steady,
            _ => Phase::Drain,
        }
    }

    fn note(&self, error: &PlayError) {
        let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| error.to_string());
    }

    /// Why the first player that failed did.
    #[must_use]
    pub fn first_error(&self) -> Option<String> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What one player counted in the steady phase.
pub struct PlayerTally {
    /// Snapshots.
    pub snapshots: u64,
    /// Bytes received, WebSocket headers included.
    pub bytes_down: u64,
    /// Bytes sent, WebSocket headers included.
    pub bytes_up: u64,
    /// Seconds it was measured.
    pub seconds: f64,
    /// Round trip in milliseconds at the end.
    pub rtt_ms: f64,
    /// Whether it was flown by the brain.
    pub brain: bool,
    /// Times between snapshots in microseconds.
    pub gaps_us: Histogram<u32>,
    /// Times from an input to the snapshot that acknowledges it in microseconds.
    pub acks_us: Histogram<u32>,
}

/// What a run brought.
pub struct LoadOutcome {
    /// One per player that joined.
    pub tallies: Vec<PlayerTally>,
    /// Length of the steady phase.
    pub steady: Duration,
}

/// A histogram of times in microseconds, to three digits.
///
/// # Panics
/// Never: the bounds are constants that fit.
#[must_use]
pub fn times() -> Histogram<u32> {
    Histogram::new_with_bounds(1, TIME_MAX_US, 3).expect("constant bounds that fit")
}

/// Runs the plan to its end. `progress` can be looked at meanwhile.
pub async fn run(plan: &LoadPlan, progress: &Arc<LoadProgress>) -> LoadOutcome {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for index in 0..plan.players {
        tokio::time::sleep_until((began + Duration::from_secs_f64(index as f64 / plan.rate)).into()).await;
        tasks.spawn(play(plan.clone(), index, Arc::clone(progress)));
    }
    let settled = || {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        count(&progress.joined) + count(&progress.refused) >= plan.players
    };
    let ramp_ends = Instant::now() + JOIN;
    while !settled() && Instant::now() < ramp_ends {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let steady_from = Instant::now();
    progress.phase.store(Phase::Steady as u8, Ordering::Relaxed);
    let ends_at = steady_from + plan.steady;
    while Instant::now() < ends_at && progress.joined.load(Ordering::Relaxed) > progress.dropped.load(Ordering::Relaxed)
    {
        let wait = ends_at.saturating_duration_since(Instant::now()).min(Duration::from_millis(100));
        tokio::time::sleep(wait).await;
    }
    let steady = steady_from.elapsed();
    progress.phase.store(Phase::Drain as u8, Ordering::Relaxed);
    let mut tallies = Vec::new();
    while let Some(result) = tasks.join_next().await {
        tallies.extend(result.ok().flatten());
    }
    LoadOutcome { tallies, steady }
}

/// One player from joining to leaving; `None` if it never joined.
async fn play(plan: LoadPlan, index: usize, progress: Arc<LoadProgress>) -> Option<PlayerTally> {
    let brain = index.is_multiple_of(plan.brains_every);
    let mut player = match tokio::time::timeout(JOIN, join(&plan, index, brain)).await {
        Ok(Ok(player)) => player,
        Ok(Err(error)) => {
            progress.note(&error);
            progress.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Err(_) => {
            progress.note(&PlayError::Gone(format!("no seat within {} s", JOIN.as_secs())));
            progress.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
    };
    progress.joined.fetch_add(1, Ordering::Relaxed);
    let mut tally = PlayerTally {
        snapshots: 0,
        bytes_down: 0,
        bytes_up: 0,
        seconds: 0.0,
        rtt_ms: 0.0,
        brain,
        gaps_us: times(),
        acks_us: times(),
    };
    let freezes = plan.link.freezes(plan.seed.wrapping_add(index as u64));
    match measure(&mut player, &mut tally, &progress, freezes).await {
        Ok(()) => player.leave().await,
        Err(error) => {
            progress.note(&error);
            progress.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
    Some(tally)
}

async fn join(plan: &LoadPlan, index: usize, brain: bool) -> Result<Player, PlayError> {
    let name = Name::new(&format!("load {index}")).expect("short and visible");
    let agent = concat!("load ", env!("CARGO_PKG_VERSION")).to_owned();
    let config = ClientConfig { name, agent, room: RoomChoice::Quick, detail: Detail::Replica };
    let seed = plan.seed.wrapping_add(index as u64);
    let pilot = if brain { Pilot::brain(seed, plan.skill) } else { Pilot::pattern(seed) };
    let mut player = Player::connect(&plan.target, config, pilot).await?;
    while !player.joined() {
        player.step(Instant::now() + ACT_EVERY).await?;
        player.act().await?;
    }
    Ok(player)
}

/// Plays until the drain, counting what comes in the steady phase.
async fn measure(
    player: &mut Player,
    tally: &mut PlayerTally,
    progress: &LoadProgress,
    mut freezes: Option<Spells>,
) -> Result<(), PlayError> {
    let began = Instant::now();
    let mut act_at = began + ACT_EVERY;
    let mut since: Option<(Instant, crate::player::FrameCount)> = None;
    let mut last: Option<Instant> = None;
    loop {
        let phase = progress.phase();
        if phase == Phase::Steady && since.is_none() {
            since = Some((Instant::now(), player.frames()));
        }
        if let Some((from, frames)) = since {
            tally.seconds = from.elapsed().as_secs_f64();
            tally.bytes_down = player.frames().bytes_down - frames.bytes_down;
            tally.bytes_up = player.frames().bytes_up - frames.bytes_up;
            tally.rtt_ms = player.client().stats().rtt_ms;
        }
        if phase == Phase::Drain {
            return Ok(());
        }
        if let Some(until) = freezes.as_mut().and_then(|f| f.stands_until(MonoTime(began.elapsed().as_micros() as u64)))
        {
            // For a tenth of a second at a time, so as to see the end of the run.
            let until = (began + Duration::from_micros(until.0)).min(Instant::now() + Duration::from_millis(100));
            player.stand_still(until).await;
            continue;
        }
        if let Progress::Snapshot(arrival) = player.step(act_at).await? {
            progress.snapshots.fetch_add(1, Ordering::Relaxed);
            let now = Instant::now();
            if since.is_some() {
                count(tally, &arrival, last.map(|last| now - last));
            }
            last = Some(now);
        }
        if Instant::now() >= act_at {
            player.act().await?;
            // A late player acts at once and then keeps the pace; it does not make up for lost time.
            act_at = (act_at + ACT_EVERY).max(Instant::now());
        }
    }
}

fn count(tally: &mut PlayerTally, arrival: &Arrival, gap: Option<Duration>) {
    tally.snapshots += 1;
    if let Some(gap) = gap {
        tally.gaps_us.saturating_record(gap.as_micros() as u64);
    }
    if let Some(ack_us) = arrival.input_to_ack_us {
        tally.acks_us.saturating_record(ack_us);
    }
}
