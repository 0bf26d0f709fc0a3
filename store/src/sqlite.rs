//! SQLite: one connection writes, a few read, all in one file of the data folder.
//!
//! The journal is a write-ahead log with `synchronous=FULL`, so a committed transaction survives loss of power. There is no memory map, since an
//! error of the disk would then be a signal that ends the process.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::engine::{Engine, Pending, Transaction, transaction};
use crate::migrations::{self, migrator};
use crate::{OpenError, StoreError, database_file, in_time};

/// The tables of this version.
pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(migrations::SQLITE));

/// Older versions can damage a database when the write-ahead log is reset (fixed in 3.51.3).
const VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

/// Connections that read.
const READERS: u32 = 3;

/// Largest database that is examined for damage at every start, in bytes: a quarter of a second from a cold disk.
const EXAMINED_BYTES_MAX: u64 = 64 << 20;

pub(crate) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Keeps other servers out of the folder.
    lock: Option<File>,
}

transaction!(SqliteTransaction, sqlx::Sqlite, SqliteRow, fault);

impl Sqlite {
    pub(crate) async fn in_memory() -> Result<Sqlite, OpenError> {
        // A database in memory belongs to its connection: one for everything, and never closed.
        let pool = PoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let pool = pool.connect_with(options).await.map_err(|error| opening(Path::new("memory"), &error))?;
        migrate(&MIGRATIONS, &pool, Path::new("memory")).await?;
        Ok(Sqlite { writer: pool.clone(), readers: pool, lock: None })
    }

    pub(crate) async fn open(folder: &Path) -> Result<Sqlite, OpenError> {
        let lock = lock(folder)?;
        let file = database_file(folder);
        examine(&file, &options(&file)).await?;
        Ok(Sqlite { lock: Some(lock), ..Sqlite::connect(&file, IfMissing::Create).await? })
    }

    /// Opens the database of a folder that another process may have open.
    pub(crate) async fn open_beside(folder: &Path) -> Result<Sqlite, OpenError> {
        let file = existing_database(folder)?;
        Sqlite::connect(&file, IfMissing::Refuse).await
    }

    async fn connect(file: &Path, if_missing: IfMissing) -> Result<Sqlite, OpenError> {
        let options = options(file).create_if_missing(if_missing == IfMissing::Create);
        let opening = |error: sqlx::Error| opening(file, &error);
        // The same connections for good: opening one costs a millisecond, and its cache.
        let pool = || {
            let options = PoolOptions::<sqlx::Sqlite>::new();
            options.idle_timeout(None).max_lifetime(None).acquire_timeout(ACQUIRE).before_acquire(|connection, _| {
                // SQLite itself rolls back when the disk is full or fails. Then sqlx, which cannot roll back once more, counts a transaction
                // for ever and begins no other: such a connection is replaced.
                let is_usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_usable) })
            })
        };
        let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(opening)?;
        check_version(&writer).await?;
        migrate(&MIGRATIONS, &writer, file).await?;
        let reading = options.pragma("query_only", "ON");
        let readers = pool().max_connections(READERS).connect_with(reading).await.map_err(opening)?;
        Ok(Sqlite { writer, readers, lock: None })
    }
}

/// What to do where there is no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IfMissing {
    Create,
    Refuse,
}

fn existing_database(folder: &Path) -> Result<PathBuf, OpenError> {
    let file = database_file(folder);
    if file.is_file() {
        return Ok(file);
    }
    Err(OpenError::File(format!("{}: no database there; name the --data folder of a server", folder.display())))
}

const ACQUIRE: Duration = Duration::from_secs(crate::STATEMENT_S);

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(ACQUIRE)
        .foreign_keys(true)
        .pragma("mmap_size", "0")
        // KiB for each connection, of which there are four: the system keeps the file in memory as well, and a server that plays for hours
        // is not to grow by 2 MiB for each.
        .pragma("cache_size", "-512")
        // Checkpoints belong to idle moments (`tidy`); this bounds the log where there is none: 4 MiB of pages of 4 KiB.
        .pragma("wal_autocheckpoint", "1000")
        .pragma("journal_size_limit", "4194304")
        .disable_statement_logging()
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn write(&self) -> Pending<'_, Box<dyn Transaction>> {
        Box::pin(async {
            // The busy timeout does not cover a transaction that reads first and then writes.
            let begun = in_time(self.writer.begin_with("BEGIN IMMEDIATE")).await?.map_err(fault)?;
            Ok(Box::new(SqliteTransaction(begun)) as Box<dyn Transaction>)
        })
    }

    fn read(&self) -> Pending<'_, Box<dyn Transaction>> {
        Box::pin(async {
            let begun = in_time(self.readers.begin()).await?.map_err(fault)?;
            Ok(Box::new(SqliteTransaction(begun)) as Box<dyn Transaction>)
        })
    }

    fn tidy(&self) -> Pending<'_, ()> {
        Box::pin(async {
            let truncated = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer);
            in_time(truncated).await?.map_err(fault)?;
            let optimized = sqlx::query("PRAGMA optimize").execute(&self.writer);
            in_time(optimized).await?.map(drop).map_err(fault)
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {
            self.readers.close().await;
            self.writer.close().await;
            if let Some(lock) = &self.lock {
                // Whoever still holds this store cannot use it, and another server may. An error means that it was given up already.
                let _ = lock.unlock();
            }
            Ok(())
        })
    }
}

fn fault(error: sqlx::Error) -> StoreError {
    let said = error.to_string();
    match error {
        sqlx::Error::Database(refused) if refused.is_unique_violation() || refused.is_foreign_key_violation() => {
            StoreError::Conflict(said)
        }
        // Busy, locked, out of memory, read-only, interrupted, input or output, full, cannot open: the low byte of SQLite's result codes.
        sqlx::Error::Database(refused) => {
            match refused.code().and_then(|code| code.parse::<i32>().ok()).map(|c| c & 0xff) {
                Some(5..=10 | 13 | 14) => StoreError::Unavailable(said),
                Some(_) | None => StoreError::Failed(said),
            }
        }
        // The last two are about a connection, and not about what was to be done on it.
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::InvalidSavePointStatement => StoreError::Unavailable(said),
        _ => StoreError::Failed(said),
    }
}

/// Creates the folder if there is none, and keeps other servers out of it as long as the file is open.
///
/// # Errors
/// Another server has it, or it cannot be written.
pub fn lock(folder: &Path) -> Result<File, OpenError> {
    let unwritable = |error: std::io::Error| OpenError::Unwritable {
        folder: folder.display().to_string(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let file =
        File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.display().to_string())),
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

/// Looks for damage, as far as that is quick.
async fn examine(file: &Path, options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let length = match file.metadata() {
        Ok(found) => found.len(),
        Err(_) => return Ok(()),
    };
    let opening = |error: sqlx::Error| opening(file, &error);
    let mut connection = options.connect().await.map_err(opening)?;
    if length <= EXAMINED_BYTES_MAX {
        let found: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await.map_err(opening)?;
        if found != "ok" {
            return Err(OpenError::Corrupt { file: file.display().to_string(), reason: one_line(&found) });
        }
    }
    connection.close().await.map_err(opening)
}

async fn check_version(pool: &SqlitePool) -> Result<(), OpenError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(pool)
        .await
        .map_err(|error| OpenError::OldSqlite(error.to_string()))?;
    if is_sound(&version) { Ok(()) } else { Err(OpenError::OldSqlite(version)) }
}

fn is_sound(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= VERSION_MIN
}

pub(crate) async fn migrate(migrations: &Migrator, pool: &SqlitePool, file: &Path) -> Result<(), OpenError> {
    migrations.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
            OpenError::Newer(file.display().to_string())
        }
        MigrateError::Execute(error) => opening(file, &error),
        other => OpenError::Corrupt { file: file.display().to_string(), reason: one_line(&other.to_string()) },
    })
}

fn opening(file: &Path, error: &sqlx::Error) -> OpenError {
    let code = match error {
        sqlx::Error::Database(refused) => {
            refused.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff)
        }
        _ => None,
    };
    let (name, reason) = (file.display().to_string(), one_line(&error.to_string()));
    match code {
        // Damaged, or no database at all.
        Some(11 | 26) => OpenError::Corrupt { file: name, reason },
        Some(5 | 6) => OpenError::Locked(name),
        Some(_) | None => OpenError::Unwritable { folder: name, reason },
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes a copy of a data folder's database to a file, also while a server uses it.
///
/// # Errors
/// There is no database, the file exists, or it cannot be written.
pub async fn backup(folder: &Path, file: &Path) -> Result<(), OpenError> {
    let database = existing_database(folder)?;
    refuse_existing(file)?;
    let opening = |error: sqlx::Error| opening(&database, &error);
    let mut connection = options(&database).connect().await.map_err(opening)?;
    let name = file.to_str().ok_or_else(|| OpenError::File(format!("{}: the name must be UTF-8", file.display())))?;
    sqlx::query("VACUUM INTO $1").bind(name.to_owned()).execute(&mut connection).await.map_err(|error| {
        OpenError::File(format!("{}: cannot be written: {}", file.display(), one_line(&error.to_string())))
    })?;
    connection.close().await.map_err(opening)?;
    sync(file)
}

/// Makes a backup the database of a data folder that has none. What waits in the folder's outbox stays, and is written when a server starts.
///
/// # Errors
/// The backup is damaged or of a newer version, the folder has a database or is in use.
pub async fn restore(folder: &Path, file: &Path) -> Result<(), OpenError> {
    if !file.is_file() {
        return Err(OpenError::File(format!("{}: no such file", file.display())));
    }
    let _lock = lock(folder)?;
    let database = database_file(folder);
    if database.exists() {
        return Err(OpenError::File(format!(
            "{}: there is a database; move it away first, together with its -wal and -shm files",
            database.display()
        )));
    }
    let part = database.with_extension("db.part");
    let copied = std::fs::copy(file, &part);
    copied
        .map_err(|error| OpenError::Unwritable { folder: folder.display().to_string(), reason: error.to_string() })?;
    let is_good = async {
        examine(&part, &options(&part)).await?;
        let pool = SqlitePool::connect_with(options(&part)).await.map_err(|error| opening(file, &error))?;
        migrate(&MIGRATIONS, &pool, file).await?;
        pool.close().await;
        sync(&part)
    };
    if let Err(error) = is_good.await {
        let _ = std::fs::remove_file(&part);
        return Err(error);
    }
    std::fs::rename(&part, &database)
        .map_err(|error| OpenError::Unwritable { folder: folder.display().to_string(), reason: error.to_string() })
}

fn refuse_existing(file: &Path) -> Result<(), OpenError> {
    if file.exists() {
        return Err(OpenError::File(format!("{}: exists; name a new file", file.display())));
    }
    Ok(())
}

fn sync(file: &Path) -> Result<(), OpenError> {
    let synced = File::open(file).and_then(|file| file.sync_all());
    synced.map_err(|error| OpenError::File(format!("{}: {error}", file.display())))
}
