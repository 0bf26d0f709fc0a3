//! PostgreSQL: a pool of connections, each of which is opened again when it is lost.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgRow};
use sqlx::{ConnectOptions, Connection};

use crate::engine::{Engine, Pending, Transaction, transaction};
use crate::migrations::{self, migrator};
use crate::{OpenError, STATEMENT_S, StoreError, in_time};

/// The tables of this version.
pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(migrations::POSTGRES));

/// Connections of one server.
const CONNECTIONS: u32 = 8;

pub(crate) struct Postgres {
    pool: PgPool,
}

transaction!(PostgresTransaction, sqlx::Postgres, PgRow, fault);

impl Postgres {
    pub(crate) async fn open(url: &str) -> Result<Postgres, OpenError> {
        let shown = without_password(url);
        let refused = |reason: String| OpenError::Url { url: shown.clone(), reason };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(refused("not the URL of a PostgreSQL database".to_owned()));
        }
        let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| refused(error.to_string()))?;
        let limit_ms = (STATEMENT_S * 1000).to_string();
        let options = options
            .application_name("broadside-server")
            .options([
                ("statement_timeout", limit_ms.as_str()),
                ("lock_timeout", limit_ms.as_str()),
                ("idle_in_transaction_session_timeout", "30000"),
            ])
            .disable_statement_logging();
        // A pool tries again and again, and then says only that it took too long.
        let unreachable = |reason: String| OpenError::Unreachable { url: shown.clone(), reason };
        let first =
            in_time(options.connect()).await.map_err(|_| unreachable(format!("no answer within {STATEMENT_S} s")))?;
        let first = first.map_err(|error| match &error {
            // The system's own words leave out which file.
            sqlx::Error::Io(lacks) if lacks.kind() == std::io::ErrorKind::NotFound => {
                unreachable("a file that the URL names, such as its sslrootcert, does not exist".to_owned())
            }
            _ => unreachable(one_line(&error)),
        })?;
        let _ = first.close().await;
        let pool = PoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(STATEMENT_S))
            .idle_timeout(Duration::from_secs(300))
            .connect_with(options)
            .await
            .map_err(|error| unreachable(one_line(&error)))?;
        // An advisory lock keeps two servers from migrating at once.
        MIGRATIONS.run(&pool).await.map_err(|error| match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => OpenError::Newer(shown.clone()),
            other => unreachable(one_line(&other)),
        })?;
        Ok(Postgres { pool })
    }
}

impl Engine for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn write(&self) -> Pending<'_, Box<dyn Transaction>> {
        Box::pin(async {
            let begun = in_time(self.pool.begin()).await?.map_err(fault)?;
            Ok(Box::new(PostgresTransaction(begun)) as Box<dyn Transaction>)
        })
    }

    fn read(&self) -> Pending<'_, Box<dyn Transaction>> {
        Box::pin(async {
            let begin = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            let begun = in_time(begin).await?.map_err(fault)?;
            Ok(Box::new(PostgresTransaction(begun)) as Box<dyn Transaction>)
        })
    }

    fn tidy(&self) -> Pending<'_, ()> {
        // The server does it by itself.
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {
            self.pool.close().await;
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
        // Connection, transaction rollback (deadlock, serialization), insufficient resources, operator intervention, system error, and
        // a lock that was not available (appendix A of PostgreSQL's manual).
        sqlx::Error::Database(refused) => match refused.code().as_deref() {
            Some(code) if ["08", "40", "53", "57", "58", "55"].iter().any(|class| code.starts_with(class)) => {
                StoreError::Unavailable(said)
            }
            // The server accepts no writes: a standby, or one that is being moved.
            Some("25006") => StoreError::Unavailable(said),
            Some(_) | None => StoreError::Failed(said),
        },
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => StoreError::Unavailable(said),
        _ => StoreError::Failed(said),
    }
}

/// The URL as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = path.split('?').next().unwrap_or_default();
    let Some((user, host)) = authority.rsplit_once('@') else { return format!("{scheme}://{authority}{path}") };
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{host}{path}")
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://ann:se:cret@db:5432/game?sslmode=require", "postgres://ann@db:5432/game"),
            ("postgres://ann:p@ss@db/game", "postgres://ann@db/game"),
            ("postgres://db", "postgres://db"),
            ("postgres://db/game?password=secret", "postgres://db/game"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
