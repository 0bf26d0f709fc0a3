//! Well-behaved players who tell how it feels: the gaps between their snapshots, and how old the newest one is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broadside_bots::load::times;
use broadside_bots::pilot::Pilot;
use broadside_bots::player::{Player, Progress};
use broadside_bots::socket::{PlayError, Target};
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use hdrhistogram::Histogram;
use tokio::sync::watch;

/// How many there are.
const WITNESSES: u8 = 4;
/// Time between two decisions: a tick of the arena.
const ACT_EVERY: Duration = Duration::from_micros(16_667);
/// Time between two tries to come back.
const AGAIN: Duration = Duration::from_millis(300);
/// Losses that are told; of more it is only known that there were more.
const LOST_MAX: usize = 8;

/// What the witnesses felt in a stretch of time, in milliseconds; a gap that is open at its end counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub(crate) struct Felt {
    /// Time between two snapshots of a player, 99th percentile.
    pub(crate) gap_ms_p99: f64,
    /// The longest.
    pub(crate) gap_ms_max: f64,
    /// Age of the newest snapshot, 99th percentile.
    pub(crate) age_ms_p99: f64,
}

struct Book {
    gaps: Histogram<u32>,
    ages: Histogram<u32>,
    /// When each that plays got its newest snapshot.
    newest: [Option<Instant>; WITNESSES as usize],
    lost: Vec<String>,
}

impl Default for Book {
    fn default() -> Self {
        Book { gaps: times(), ages: times(), newest: [None; WITNESSES as usize], lost: Vec::new() }
    }
}

/// The witnesses, in a thread of their own. They come back when they are closed, and note why they were.
pub(crate) struct Witnesses {
    book: Arc<Mutex<Book>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Witnesses {
    /// Lets them join.
    pub(crate) fn start(target: &Target) -> std::io::Result<Witnesses> {
        let (stop, stopped) = watch::channel(false);
        let book = Arc::new(Mutex::new(Book::default()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (target, shared) = (target.clone(), Arc::clone(&book));
        let thread = std::thread::Builder::new().name("witnesses".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut all = tokio::task::JoinSet::new();
                for number in 0..WITNESSES {
                    all.spawn(witness(target.clone(), number, Arc::clone(&shared), stopped.clone()));
                }
                while all.join_next().await.is_some() {}
            });
        })?;
        Ok(Witnesses { book, stop, thread: Some(thread) })
    }

    /// Waits until all play.
    ///
    /// # Errors
    /// Why the first that does not does not.
    pub(crate) fn wait(&self, patience: Duration) -> Result<(), String> {
        let until = Instant::now() + patience;
        loop {
            {
                let mut book = lock(&self.book);
                if book.newest.iter().all(Option::is_some) {
                    return Ok(());
                }
                if Instant::now() > until {
                    return Err(book.lost.pop().unwrap_or_else(|| "no seat in time".to_owned()));
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What they felt since the last call, and why they lost their connections, if they did.
    pub(crate) fn take(&self) -> (Felt, Vec<String>) {
        let mut book = lock(&self.book);
        let newest = book.newest;
        let mut taken = std::mem::replace(&mut *book, Book { newest, ..Book::default() });
        drop(book);
        let longest_us = taken.gaps.max();
        for open in newest.iter().flatten().map(Instant::elapsed) {
            let open_us = open.as_micros() as u64;
            if open_us > longest_us {
                taken.gaps.saturating_record(open_us);
            }
        }
        let ms = |times: &Histogram<u32>, quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        let felt = Felt {
            gap_ms_p99: ms(&taken.gaps, 0.99),
            gap_ms_max: ms(&taken.gaps, 1.0),
            age_ms_p99: ms(&taken.ages, 0.99),
        };
        (felt, taken.lost)
    }
}

impl Drop for Witnesses {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(book: &Mutex<Book>) -> std::sync::MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn witness(target: Target, number: u8, book: Arc<Mutex<Book>>, mut stopped: watch::Receiver<bool>) {
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + number));
    let target = target.speaking_from(from);
    loop {
        let ended = tokio::select! {
            ended = play(&target, number, &book) => ended,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        {
            let mut book = lock(&book);
            // The gap that this leaves is one too.
            if let Some(newest) = book.newest[usize::from(number)].take() {
                book.gaps.saturating_record(newest.elapsed().as_micros() as u64);
            }
            if let (Err(error), true) = (ended, book.lost.len() < LOST_MAX) {
                book.lost.push(error.to_string());
            }
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Plays until the connection ends.
async fn play(target: &Target, number: u8, book: &Mutex<Book>) -> Result<(), PlayError> {
    let name = Name::new(&format!("Witness {number}")).map_err(|_| PlayError::Gone("no name".to_owned()))?;
    let agent = concat!("abuse ", env!("CARGO_PKG_VERSION")).to_owned();
    let config = ClientConfig { name, agent, room: Some(RoomChoice::Quick), role: Role::Play, detail: Detail::Replica };
    let mut player = Player::connect(target, config, Pilot::pattern(u64::from(number))).await?;
    let mut act_at = Instant::now();
    loop {
        if let Progress::Snapshot(arrival) = player.step(act_at).await? {
            let mut book = lock(book);
            book.newest[usize::from(number)] = Some(Instant::now());
            if let Some(gap_us) = arrival.gap_us {
                book.gaps.saturating_record(gap_us);
            }
        }
        if Instant::now() >= act_at {
            player.act().await?;
            act_at = (act_at + ACT_EVERY).max(Instant::now());
            if player.joined() {
                let age_us = (player.client().stats().snapshot_age_ms.max(0.0) * 1000.0) as u64;
                lock(book).ages.saturating_record(age_us);
            }
        }
    }
}
