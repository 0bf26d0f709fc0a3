//! The store of a server: opened at start, with the outbox that carries results to it.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broadside_store::outbox::{self, Outbox, Status};
use broadside_store::{OpenError, Store, StoreError};

use crate::config::Config;
use crate::vital::Supervisor;

/// How long the end of a server waits for results to reach the database. On disk they are safe; in memory, with `--data memory`, they are gone anyway.
const DELIVERED_WITHIN: Duration = Duration::from_secs(5);

/// How often what nobody needs is deleted.
const FORGETS_EVERY: Duration = Duration::from_secs(3600);
/// How long a guest without a result is kept after the last visit.
const GUEST_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How long the sums of a day or a week are kept.
const DAYS_KEPT: Duration = Duration::from_secs(400 * 86_400);
/// How often the database is asked whether it answers.
const CHECKED_EVERY: Duration = Duration::from_secs(2);

/// How the store is doing.
#[derive(Clone)]
pub struct StoreHealth {
    /// `SQLite` or `PostgreSQL`.
    pub engine: &'static str,
    outbox: Outbox,
    is_up: Arc<AtomicBool>,
}

/// What runs behind the store.
pub(crate) struct Kept {
    store: Store,
    pub(crate) health: StoreHealth,
    check: tokio::task::JoinHandle<()>,
    journal: Option<JoinHandle<()>>,
    delivery: tokio::task::JoinHandle<()>,
    /// Keeps other servers out of the data folder, unless the store does.
    lock: Option<File>,
}

/// Opens the database and the outbox that the flags name, and starts to deliver.
///
/// # Errors
/// See [`OpenError`].
pub(crate) async fn open(config: &Config, supervisor: &Supervisor) -> Result<(Store, Kept), OpenError> {
    let lock = match (config.data.path(), &config.database) {
        // SQLite locks the folder itself.
        (Some(data), Some(_)) => Some(broadside_store::lock(data)?),
        (Some(_) | None, _) => None,
    };
    let store = Store::open(&config.location()).await?;
    let (outbox, journal, delivery) = outbox::open(config.data.path())?;
    let journal = match journal {
        Some(journal) => {
            let thread = std::thread::Builder::new().name("outbox".to_owned());
            let vital = supervisor.watch("outbox");
            let started = thread.spawn(move || {
                let _vital = vital;
                journal.run();
            });
            Some(started.map_err(|error| OpenError::File(format!("cannot start the thread of the outbox: {error}")))?)
        }
        None => None,
    };
    let delivery = supervisor.spawn("delivery of results", delivery.run(store.clone(), config.season));
    tracing::info!(database = store.engine_name(), "store");
    let opened = store.clone();
    let is_up = Arc::new(AtomicBool::new(true));
    let health = StoreHealth { engine: store.engine_name(), outbox, is_up: Arc::clone(&is_up) };
    let check = tokio::spawn(async move {
        tokio::join!(check(store.clone(), is_up), forget(store));
    });
    Ok((opened.clone(), Kept { store: opened, health, check, journal, delivery, lock }))
}

/// Asks the database again and again whether it answers.
async fn check(store: Store, is_up: Arc<AtomicBool>) {
    let mut every = tokio::time::interval(CHECKED_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let answer = store.check().await;
        let was_up = is_up.swap(answer.is_ok(), Ordering::Relaxed);
        match answer {
            Ok(()) if !was_up => tracing::info!("the database answers again"),
            Err(error) if was_up => {
                tracing::error!(%error, "the database is down: results wait, and accounts cannot be used");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Every hour, forgets guests who left no result and have not been back, and sums of old days and weeks.
async fn forget(store: Store) {
    let mut every = tokio::time::interval(FORGETS_EVERY);
    loop {
        every.tick().await;
        let now = now_us();
        let (guests, days) = (before(now, GUEST_KEPT), before(now, DAYS_KEPT));
        let forgotten =
            async { Ok::<_, StoreError>((store.forget_unused(guests, now).await?, store.forget_days(days).await?)) };
        match forgotten.await {
            Ok((0, 0)) => {}
            Ok((guests, sums)) => tracing::info!(guests, sums, "forgot unused guests and old sums"),
            // The next hour will do.
            Err(error) => tracing::warn!(%error, "cannot forget unused guests"),
        }
    }
}

/// A moment before another one, in microseconds since 1970.
fn before(now_us: i64, how_long: Duration) -> i64 {
    now_us - how_long.as_micros() as i64
}

impl StoreHealth {
    /// Where rooms leave results.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Whether the database answered when it was last asked, and took the last results.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed) && !self.outbox.status().database_fails
    }

    /// How the outbox is doing.
    #[must_use]
    pub fn outbox_status(&self) -> Status {
        self.outbox.status()
    }
}

impl Kept {
    /// Writes what waits, and closes the database.
    pub(crate) async fn end(self) {
        self.check.abort();
        self.health.outbox.end();
        if let Some(journal) = self.journal {
            let _ = tokio::task::spawn_blocking(|| journal.join()).await;
        }
        let _ = tokio::time::timeout(DELIVERED_WITHIN, self.delivery).await;
        let status = self.health.outbox_status();
        if status.in_memory > 0 {
            tracing::error!(
                results = status.in_memory,
                "results are lost: neither the disk nor the database took them"
            );
        } else if status.on_disk_bytes > 0 {
            tracing::warn!(
                bytes = status.on_disk_bytes,
                "results wait on disk for the next start: the database did not take them"
            );
        }
        self.store.close().await;
        drop(self.lock);
    }
}

/// The time, in microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
