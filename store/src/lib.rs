//! What a server keeps: accounts, results, leaderboards, friends, reports. In SQLite, embedded, or in PostgreSQL.
//!
//! | module | what it holds |
//! |---|---|
//! | [`accounts`] | accounts, their names and roles, browsers that are signed in, deletion and export |
//! | [`credentials`] | passwords, passkeys, identities at providers, recovery codes |
//! | [`entrance`] | changes of these that also sign browsers in and out |
//! | [`export`] | what only an export asks for |
//! | [`results`] | results of matches and stays, totals, ratings |
//! | [`boards`] | leaderboards, and a player's ranks |
//! | [`period`] | days, weeks and seasons |
//! | [`friends`] | friendships and requests |
//! | [`moderation`] | bans, mutes, reports, the audit log |
//! | [`settings`] | what players have set in the page |
//! | [`outbox`] | results on disk until the database has them |
//! | [`copy`] | moves everything from one database to another |
//! | `migrations` | the tables of every version |
//! | `engine` | the trait that both databases implement; `sqlite`, `postgres`: the two |
//!
//! Deliberately absent: the clock (times are arguments, in microseconds since 1970), names of a game, and whatever happens in a room. Secrets
//! arrive hashed.

pub mod accounts;
pub mod boards;
pub mod copy;
pub mod credentials;
mod engine;
pub mod entrance;
pub mod export;
pub mod friends;
mod migrations;
pub mod moderation;
pub mod outbox;
pub mod period;
mod postgres;
pub mod results;
pub mod settings;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::{Engine, Pending, Transaction};

pub use sqlite::{backup, restore};

/// Longest time that a statement may take, in seconds.
const STATEMENT_S: u64 = 5;

/// A database, shared by whoever holds a clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// SQLite in memory: gone with the process.
    Memory,
    /// SQLite, in the file `broadside.db` of this folder.
    Folder(PathBuf),
    /// PostgreSQL, at this URL.
    Postgres(String),
}

/// Why a database cannot be opened. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be created or written.
    #[error("--data {folder}: cannot be written ({reason}); name a folder that this user may write, or `memory`")]
    Unwritable {
        /// As given.
        folder: String,
        /// What the system says.
        reason: String,
    },
    /// Another server has the folder open.
    #[error("--data {0}: in use by another server; stop that one, or name another folder")]
    Locked(String),
    /// The file is no database, or is damaged.
    #[error(
        "{file}: damaged ({reason}); restore a backup with `broadside-server restore`, or name another folder with --data"
    )]
    Corrupt {
        /// The database's file.
        file: String,
        /// What SQLite says.
        reason: String,
    },
    /// A newer program has written it.
    #[error(
        "{0}: written by a newer version of this program; run that version, or restore a backup from before the upgrade"
    )]
    Newer(String),
    /// The library has a known fault.
    #[error("SQLite {0} can damage its files: 3.51.3 or newer is required")]
    OldSqlite(String),
    /// The URL cannot be read.
    #[error("--database {url}: {reason}; it must be like postgres://user:password@host:5432/name")]
    Url {
        /// Without its password.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The database does not answer, or refuses.
    #[error("--database {url}: {reason}")]
    Unreachable {
        /// Without its password.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A file exists that must not, or does not that must.
    #[error("{0}")]
    File(String),
}

/// Why a query failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database is gone, busy or full: the same query may succeed later.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// What was to be written is there already, or refers to what is not.
    #[error("the database refuses it: {0}")]
    Conflict(String),
    /// The query itself is wrong: a bug, or a damaged database.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl Store {
    /// Opens a database, creates what is missing and brings its tables to this version.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(location: &Location) -> Result<Store, OpenError> {
        let engine: Arc<dyn Engine> = match location {
            Location::Memory => Arc::new(sqlite::Sqlite::in_memory().await?),
            Location::Folder(folder) => Arc::new(sqlite::Sqlite::open(folder).await?),
            Location::Postgres(url) => Arc::new(postgres::Postgres::open(url).await?),
        };
        Ok(Store { engine })
    }

    /// Opens a database that a server may be using at the same time. A folder must have one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_beside(location: &Location) -> Result<Store, OpenError> {
        match location {
            Location::Folder(folder) => Ok(Store { engine: Arc::new(sqlite::Sqlite::open_beside(folder).await?) }),
            Location::Memory | Location::Postgres(_) => Store::open(location).await,
        }
    }

    /// `SQLite` or `PostgreSQL`.
    #[must_use]
    pub fn engine_name(&self) -> &'static str {
        self.engine.name()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut transaction = self.engine.read().await?;
        transaction.rows("SELECT CAST(1 AS BIGINT)", Vec::new()).await.map(drop)
    }

    /// Housekeeping, for a moment without work.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        self.engine.tidy().await
    }

    /// Closes every connection; queries fail from then on.
    pub async fn close(&self) {
        let _ = self.engine.close().await;
    }

    fn read(&self) -> Pending<'_, Box<dyn Transaction>> {
        self.engine.read()
    }

    fn write(&self) -> Pending<'_, Box<dyn Transaction>> {
        self.engine.write()
    }
}

/// A new id: 48 bits of milliseconds since 1970, 16 bits of microseconds within one, then chance, so that ids sort by time (as those of UUID
/// version 7 do, RFC 9562).
#[must_use]
pub fn new_id(now_us: i64) -> [u8; 16] {
    let mut id = [0; 16];
    getrandom::fill(&mut id[8..]).expect("the system has random numbers: the server draws some at its start");
    id[..6].copy_from_slice(&(now_us / 1000).to_be_bytes()[2..]);
    id[6..8].copy_from_slice(&((now_us % 1000) as u16).to_be_bytes());
    id
}

pub use sqlite::lock;

/// The database's file in a data folder.
#[must_use]
pub fn database_file(folder: &Path) -> PathBuf {
    folder.join("broadside.db")
}

/// A query's result, unless it takes longer than [`STATEMENT_S`].
async fn in_time<T>(query: impl Future<Output = T>) -> Result<T, StoreError> {
    tokio::time::timeout(Duration::from_secs(STATEMENT_S), query)
        .await
        .map_err(|_| StoreError::Unavailable(format!("no answer within {STATEMENT_S} s")))
}
