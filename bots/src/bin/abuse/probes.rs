//! Probe clients: well-behaved players that measure the gaps between snapshots and the age of the newest one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broadside_bots::load::statistics::times;
use broadside_bots::player::{Player, Progress};
use broadside_bots::socket::{PlayError, Target};
use broadside_bots::tick_time;
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::game::{Bot as _, Game};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use hdrhistogram::Histogram;
use tokio::sync::watch;

/// Number of probe clients.
const PROBES: u8 = 4;
/// Pause before a probe client reconnects.
const RECONNECT_AFTER: Duration = Duration::from_millis(300);
/// Lost connections whose reasons are kept; the reasons of further ones are dropped.
const LOST_MAX: usize = 8;

/// What the probe clients measured in a period, in milliseconds; a gap still open at its end counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub(crate) struct ProbeStats {
    /// Time between two snapshots of a player, 99th percentile.
    pub(crate) gap_ms_p99: f64,
    /// Longest time between two snapshots of a player.
    pub(crate) gap_ms_max: f64,
    /// Age of the newest snapshot, 99th percentile.
    pub(crate) age_ms_p99: f64,
}

struct ProbeLog {
    gaps: Histogram<u32>,
    ages: Histogram<u32>,
    /// Arrival of the newest snapshot of each probe client that plays.
    newest: [Option<Instant>; PROBES as usize],
    lost: Vec<String>,
}

impl Default for ProbeLog {
    fn default() -> Self {
        ProbeLog { gaps: times(), ages: times(), newest: [None; PROBES as usize], lost: Vec::new() }
    }
}

/// The probe clients, in one thread. They reconnect after a loss and record its reason.
pub(crate) struct ProbeClients {
    log: Arc<Mutex<ProbeLog>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl ProbeClients {
    /// Starts the thread; the probe clients join from there.
    pub(crate) fn start<G: Game>(target: &Target) -> std::io::Result<ProbeClients> {
        let (stop, stopped) = watch::channel(false);
        let log = Arc::new(Mutex::new(ProbeLog::default()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (target, shared) = (target.clone(), Arc::clone(&log));
        let thread = std::thread::Builder::new().name("probes".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut all = tokio::task::JoinSet::new();
                for number in 0..PROBES {
                    all.spawn(probe::<G>(target.clone(), number, Arc::clone(&shared), stopped.clone()));
                }
                while all.join_next().await.is_some() {}
            });
        })?;
        Ok(ProbeClients { log, stop, thread: Some(thread) })
    }

    /// Waits until all probe clients play.
    ///
    /// # Errors
    /// Why one of them does not play within `patience`.
    pub(crate) fn wait(&self, patience: Duration) -> Result<(), String> {
        let until = Instant::now() + patience;
        loop {
            {
                let mut log = lock(&self.log);
                if log.newest.iter().all(Option::is_some) {
                    return Ok(());
                }
                if Instant::now() > until {
                    return Err(log.lost.pop().unwrap_or_else(|| "no seat in time".to_owned()));
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The measurements since the last call, and the reasons of lost connections.
    pub(crate) fn take(&self) -> (ProbeStats, Vec<String>) {
        let mut log = lock(&self.log);
        let newest = log.newest;
        let mut taken = std::mem::replace(&mut *log, ProbeLog { newest, ..ProbeLog::default() });
        drop(log);
        let longest_us = taken.gaps.max();
        for open in newest.iter().flatten().map(Instant::elapsed) {
            let open_us = open.as_micros() as u64;
            if open_us > longest_us {
                taken.gaps.saturating_record(open_us);
            }
        }
        let ms = |times: &Histogram<u32>, quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        let stats = ProbeStats {
            gap_ms_p99: ms(&taken.gaps, 0.99),
            gap_ms_max: ms(&taken.gaps, 1.0),
            age_ms_p99: ms(&taken.ages, 0.99),
        };
        (stats, taken.lost)
    }
}

impl Drop for ProbeClients {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(log: &Mutex<ProbeLog>) -> std::sync::MutexGuard<'_, ProbeLog> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn probe<G: Game>(target: Target, number: u8, log: Arc<Mutex<ProbeLog>>, mut stopped: watch::Receiver<bool>) {
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + number));
    let target = target.from_local_address(from);
    loop {
        let ended = tokio::select! {
            ended = play::<G>(&target, number, &log) => ended,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        {
            let mut log = lock(&log);
            // The gap that the loss leaves open counts.
            if let Some(newest) = log.newest[usize::from(number)].take() {
                log.gaps.saturating_record(newest.elapsed().as_micros() as u64);
            }
            if let (Err(error), true) = (ended, log.lost.len() < LOST_MAX) {
                log.lost.push(error.to_string());
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RECONNECT_AFTER) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Plays until the connection ends.
async fn play<G: Game>(target: &Target, number: u8, log: &Mutex<ProbeLog>) -> Result<(), PlayError> {
    let name = Name::new(&format!("Probe {number}")).map_err(|_| PlayError::Lost("no name".to_owned()))?;
    let agent = concat!("abuse ", env!("CARGO_PKG_VERSION")).to_owned();
    let config = ClientConfig { name, agent, room: Some(RoomChoice::Quick), role: Role::Play, detail: Detail::Replica };
    let mut player = Player::<G>::connect(target, config, G::Bot::cheap(u64::from(number))).await?;
    let mut act_at = Instant::now();
    loop {
        if let Progress::Snapshot(arrival) = player.step(act_at).await? {
            let mut log = lock(log);
            log.newest[usize::from(number)] = Some(Instant::now());
            if let Some(gap_us) = arrival.gap_us {
                log.gaps.saturating_record(gap_us);
            }
        }
        if Instant::now() >= act_at {
            player.act().await?;
            act_at = (act_at + tick_time::<G>()).max(Instant::now());
            if player.joined() {
                let age_us = (player.client().stats().snapshot_age_ms.max(0.0) * 1000.0) as u64;
                lock(log).ages.saturating_record(age_us);
            }
        }
    }
}
