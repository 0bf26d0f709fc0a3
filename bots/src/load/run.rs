//! A run as the main thread sees it: players join, are measured, and leave.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use broadside_shared::game::{CorrectionCause, Game};

use super::endpoint::Endpoint;
use super::health;
use super::metrics::{Scrape, ServerStatistics};
use super::plan::LoadPlan;
use super::progress_bar::RunProgressBar;
use super::statistics::{PlayerCounters, Window, quantile_ms, round, times};
use super::timeline::RunSecond;
use super::worker::{RunState, Worker, WorkerCounters, lock};

/// Time without progress after which the ramp stops waiting for joins.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same when every player without a seat is in the join queue: the rooms are full.
const PATIENCE_QUEUED: Duration = Duration::from_secs(5);
/// Pause of the main thread's loop.
const POLL_EVERY: Duration = Duration::from_millis(2);
/// Shortest phase from which a rate is computed, in seconds.
const SECONDS_MIN: f64 = 0.1;

/// The measurements of a steady phase. `joined`, `refused`, `dropped`, `queued` and `playing` are counts at its end.
pub struct MeasuredPhase {
    /// Requested number of players.
    pub(crate) players: usize,
    /// Players that got a seat.
    pub(crate) joined: usize,
    /// Players that could not join.
    pub(crate) refused: usize,
    /// Players in the join queue.
    pub(crate) queued: usize,
    /// Players that lost their connection.
    pub(crate) dropped: usize,
    /// Players that are playing.
    pub(crate) playing: usize,
    /// Length of the phase, in seconds.
    pub(crate) seconds: f64,
    /// Requested length, in seconds.
    pub(crate) seconds_asked: f64,
    /// What all workers counted.
    pub(crate) window: Window,
    /// Times to join of all players that joined since the start of the run.
    pub(crate) joins: hdrhistogram::Histogram<u32>,
    /// Corrections of full clients by the name of their cause.
    pub(crate) corrections: BTreeMap<&'static str, u64>,
    /// What each player counted.
    pub(crate) per_player: Vec<PlayerCounters>,
    /// The server's own metrics.
    pub(crate) server: ServerStatistics,
    /// CPU cores this process used.
    pub(crate) load_cores: Option<f64>,
    /// The first error of a player.
    pub(crate) first_error: Option<String>,
    /// Whether the run was stopped before the end of the phase.
    pub(crate) interrupted: bool,
}

/// A run with its worker threads.
pub struct Run {
    shared: Arc<RunState>,
    threads: Vec<JoinHandle<std::io::Result<()>>>,
    stop: Arc<AtomicBool>,
    bar: RunProgressBar,
    /// The server's metrics before the first player connected.
    metrics_before: Result<Scrape, String>,
    /// Names of the causes of corrections, by [`CorrectionCause::index`].
    causes: Vec<&'static str>,
    phase: &'static str,
    /// Players of the current level.
    players: usize,
    /// Totals of the current phase.
    total: Window,
    /// What a phase that ended within the current second has delivered.
    carried: Window,
    joins: hdrhistogram::Histogram<u32>,
    rows: Vec<RunSecond>,
    second: (Instant, Option<f64>, Option<f64>),
    /// Nominal snapshots per second and player; 0 until known.
    nominal_hz: f64,
}

impl Run {
    /// Starts the threads, with players of the game `G`. `stop` ends the run early.
    ///
    /// # Errors
    /// The host has no address, or the system provides no thread or readiness queue.
    pub fn start<G: Game>(plan: LoadPlan, stop: Arc<AtomicBool>, seconds: u64) -> anyhow::Result<Run> {
        let targets = std::iter::once(&plan.target).chain(&plan.others);
        let homes = targets.map(|target| Endpoint::resolve(target.clone())).collect::<Result<Vec<_>, _>>()?;
        let address = homes[0].address;
        let metrics_before = Scrape::fetch(&plan.target, address, plan.operator_token.as_deref());
        let shared = Arc::new(RunState {
            homes,
            began: Instant::now(),
            wanted: AtomicUsize::new(0),
            epoch: AtomicU32::new(0),
            churning: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            joined: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            first_error: Mutex::new(None),
            workers: (0..plan.threads).map(|_| WorkerCounters::default()).collect(),
            plan,
        });
        let mut threads = Vec::new();
        for number in 0..shared.workers.len() {
            let worker = Worker::<G>::new(Arc::clone(&shared), number).context("cannot create a readiness queue")?;
            let thread = std::thread::Builder::new().name(format!("players {number}"));
            threads.push(thread.spawn(move || worker.run()).context("cannot start a thread")?);
        }
        let cpu = metrics_before.as_ref().ok().and_then(server_cpu);
        Ok(Run {
            shared,
            threads,
            stop,
            bar: RunProgressBar::new(seconds),
            metrics_before,
            causes: CorrectionCause::all::<G>().map(|cause| cause.name::<G>()).collect(),
            phase: "ramp",
            players: 0,
            total: Window::default(),
            carried: Window::default(),
            joins: times(),
            rows: Vec::new(),
            second: (Instant::now(), cpu, health::cpu_seconds()),
            nominal_hz: 0.0,
        })
    }

    /// Starts players until there are `players`, waits until each is seated or refused, and then for the settle time.
    pub fn ramp(&mut self, players: usize) {
        self.phase = "ramp";
        self.players = players;
        let shared = Arc::clone(&self.shared);
        let (from, began) = (shared.wanted.load(Ordering::Relaxed), Instant::now());
        let mut last = (0, 0, Instant::now());
        loop {
            let wanted = from + (began.elapsed().as_secs_f64() * shared.plan.rate) as usize + 1;
            shared.wanted.store(wanted.min(players).max(from), Ordering::Relaxed);
            let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
            let now = (count(&shared.joined) + count(&shared.refused), shared.sum(|worker| &worker.queued));
            if now != (last.0, last.1) || wanted < players {
                last = (now.0, now.1, Instant::now());
            }
            let patience = if now.0 + now.1 >= players { PATIENCE_QUEUED } else { PATIENCE };
            if now.0 >= players || last.2.elapsed() > patience || self.stopped() {
                break;
            }
            self.poll();
        }
        let settled = Instant::now() + shared.plan.settle;
        while Instant::now() < settled && !self.stopped() && self.any_player_left() {
            self.poll();
        }
    }

    fn scrape(&self) -> Result<Scrape, String> {
        let plan = &self.shared.plan;
        Scrape::fetch(&plan.target, self.shared.homes[0].address, plan.operator_token.as_deref())
    }

    /// Runs and measures a steady phase.
    pub fn measure(&mut self, length: Duration) -> MeasuredPhase {
        self.next_phase("steady");
        self.total = Window::default();
        self.shared.churning.store(self.shared.plan.churn_percent > 0.0, Ordering::Relaxed);
        let before = self.scrape();
        let (began, cpu) = (Instant::now(), health::cpu_seconds());
        while began.elapsed() < length && !self.stopped() && self.any_player_left() {
            self.poll();
        }
        let seconds = began.elapsed().as_secs_f64();
        // Read now: the metrics request below may take a while, and that time is not part of the phase.
        let interrupted = self.stopped() && seconds < length.as_secs_f64();
        self.shared.churning.store(false, Ordering::Relaxed);
        let mut per_player = self.next_phase("ramp");
        let playing = self.shared.sum(|worker| &worker.playing);
        let after = self.scrape();
        let load_cores =
            health::cpu_seconds().zip(cpu).filter(|_| seconds > SECONDS_MIN).map(|(now, then)| (now - then) / seconds);
        let mut window = std::mem::take(&mut self.total);
        if seconds < SECONDS_MIN {
            // A phase that ended as soon as it began: one or two samples are no measurement.
            (window, per_player) = (Window::default(), Vec::new());
        }
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let joined = count(&self.shared.joined);
        let server = match (&before, &after) {
            (Ok(_), Ok(_)) if seconds < SECONDS_MIN => ServerStatistics::unavailable("nothing was measured".to_owned()),
            (Ok(before), Ok(after)) => ServerStatistics::between(
                self.metrics_before.as_ref().ok(),
                before,
                after,
                seconds,
                window.snapshots,
                joined,
            ),
            (Err(why), _) | (_, Err(why)) => ServerStatistics::unavailable(why.clone()),
        };
        let corrections = self.causes.iter().copied().zip(window.corrections).collect();
        MeasuredPhase {
            players: self.players,
            joined,
            refused: count(&self.shared.refused),
            queued: self.shared.sum(|worker| &worker.queued),
            dropped: count(&self.shared.dropped),
            playing,
            seconds,
            seconds_asked: length.as_secs_f64(),
            window,
            corrections,
            joins: self.joins.clone(),
            per_player,
            server,
            load_cores,
            first_error: lock(&self.shared.first_error).clone(),
            interrupted,
        }
    }

    /// Lets all players leave and gives the timeline of the run.
    ///
    /// # Errors
    /// The readiness queue of a worker failed, or a worker panicked.
    pub fn end(mut self) -> anyhow::Result<Vec<RunSecond>> {
        self.phase = "drain";
        self.shared.draining.store(true, Ordering::Relaxed);
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            self.poll();
        }
        self.bar.end();
        for thread in std::mem::take(&mut self.threads) {
            match thread.join() {
                Ok(result) => result.context("the readiness queue failed")?,
                Err(_) => anyhow::bail!("a worker thread panicked: its measurements are lost"),
            }
        }
        Ok(std::mem::take(&mut self.rows))
    }

    /// Whether the run was asked to stop.
    #[must_use]
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether any player has a seat or may still get one.
    fn any_player_left(&self) -> bool {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let shared = &self.shared;
        count(&shared.refused) + count(&shared.dropped) < count(&shared.wanted)
            && self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Starts the next phase and gives what each player counted in the previous one.
    fn next_phase(&mut self, phase: &'static str) -> Vec<PlayerCounters> {
        let ended = self.shared.epoch.fetch_add(1, Ordering::Relaxed);
        self.phase = phase;
        let mut per_player = Vec::new();
        for (worker, thread) in self.shared.workers.iter().zip(&self.threads) {
            loop {
                let mut delivered = lock(&worker.delivered);
                if let Some(at) = delivered.iter().position(|delivery| delivery.epoch == ended) {
                    let delivery = delivered.swap_remove(at);
                    per_player.extend(delivery.per_player);
                    let _ = self.joins.add(&delivery.window.joins);
                    self.total.add(&delivery.window);
                    self.carried.add(&delivery.window);
                    break;
                }
                drop(delivered);
                if thread.is_finished() {
                    break;
                }
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        if let Some(hz) = per_player.iter().map(|t| t.expected / (t.played_us as f64 / 1e6)).find(|hz| hz.is_finite()) {
            self.nominal_hz = hz;
        }
        per_player.sort_by_key(|counters| counters.index);
        per_player
    }

    /// Sleeps briefly; once per second appends to the timeline and updates the progress bar.
    fn poll(&mut self) {
        std::thread::sleep(POLL_EVERY);
        let seconds = self.second.0.elapsed().as_secs_f64();
        if seconds < 1.0 {
            return;
        }
        if self.phase == "drain" {
            return;
        }
        let mut window = Window::default();
        for worker in &self.shared.workers {
            window.add(&std::mem::take(&mut *lock(&worker.window)));
        }
        let _ = self.joins.add(&window.joins);
        self.total.add(&window);
        window.add(&std::mem::take(&mut self.carried));
        let server = self.metrics_before.as_ref().ok().and_then(|_| self.scrape().ok()).as_ref().and_then(server_cpu);
        let load = health::cpu_seconds();
        let cores =
            |now: Option<f64>, then: Option<f64>| now.zip(then).map(|(now, then)| round((now - then) / seconds));
        let playing = self.shared.sum(|worker| &worker.playing);
        let open_gaps = self.shared.workers.iter().map(|worker| worker.open_gap_us.load(Ordering::Relaxed));
        let open_gap_us = open_gaps.max().unwrap_or(0);
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let snapshots_per_s = window.snapshots as f64 / seconds;
        let nominal = self.nominal_hz * playing as f64;
        let row = RunSecond {
            at_s: round(self.shared.began.elapsed().as_secs_f64()),
            phase: self.phase,
            playing,
            queued: self.shared.sum(|worker| &worker.queued),
            lost: count(&self.shared.refused) + count(&self.shared.dropped),
            age_ms_p50: quantile_ms(&window.ages, 0.5),
            age_ms_p99: quantile_ms(&window.ages, 0.99),
            gap_ms_p99: quantile_ms(&window.gaps, 0.99),
            open_gap_ms_max: round(open_gap_us as f64 / 1000.0),
            snapshots_per_s: snapshots_per_s.round(),
            share: (nominal > 0.0).then(|| round((snapshots_per_s / nominal).min(1.0))),
            kbit_per_s: round(window.bytes_down as f64 * 8.0 / 1000.0 / seconds / (playing.max(1) as f64)),
            server_cores: cores(server, self.second.1),
            load_cores: cores(load, self.second.2),
            lateness_ms_p99: quantile_ms(&window.lateness, 0.99),
        };
        self.second = (Instant::now(), server, load);
        self.bar.show(&row, count(&self.shared.wanted));
        self.rows.push(row);
    }
}

fn server_cpu(scrape: &Scrape) -> Option<f64> {
    scrape.sum("process_cpu_seconds_total")
}
