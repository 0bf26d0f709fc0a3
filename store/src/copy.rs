//! Copies everything from one database to another, such as from SQLite to PostgreSQL.

use crate::engine::{Row, Transaction, Value};
use crate::{Store, StoreError};

/// A table as it is copied.
struct Table {
    name: &'static str,
    first: &'static str,
    /// The rows behind those whose key has these values.
    after: &'static str,
    insert: &'static str,
    count: &'static str,
    /// How many columns make up the key; they come first.
    key: usize,
}

/// A table that was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// Its rows, on both sides.
    pub rows: u64,
}

/// Why a copy failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The target is in use.
    #[error("the target has {rows} rows in {table}; copy to an empty database")]
    NotEmpty {
        /// A table with rows.
        table: &'static str,
        /// How many.
        rows: u64,
    },
    /// The target has other rows than the source.
    #[error("{table}: {source_rows} rows to copy, but {target_rows} in the target; the target is not usable")]
    Counts {
        /// The table.
        table: &'static str,
        /// Rows of the source.
        source_rows: u64,
        /// Rows of the target.
        target_rows: u64,
    },
}

macro_rules! table {
    ($name:literal, key $key:literal of ($keys:literal, $places:literal), $columns:literal, $values:literal) => {
        Table {
            name: $name,
            first: concat!("SELECT ", $columns, " FROM ", $name, " ORDER BY ", $keys, " LIMIT 500"),
            after: concat!(
                "SELECT ",
                $columns,
                " FROM ",
                $name,
                " WHERE (",
                $keys,
                ") > (",
                $places,
                ") ORDER BY ",
                $keys,
                " LIMIT 500"
            ),
            insert: concat!("INSERT INTO ", $name, " (", $columns, ") VALUES (", $values, ")"),
            count: concat!("SELECT COUNT(*) FROM ", $name),
            key: $key,
        }
    };
}

/// Every table; one that refers to another comes after it. A test compares them with those of the database.
const TABLES: [Table; 17] = [
    table!("accounts", key 1 of ("id", "$1"), "id, name, keeps_name, role, created_us, seen_us", "$1, $2, $3, $4, $5, $6"),
    table!("name_looks", key 1 of ("look", "$1"), "look, account", "$1, $2"),
    table!("sign_ins", key 1 of ("secret_hash", "$1"), "secret_hash, account, created_us, used_us, expires_us", "$1, $2, $3, $4, $5"),
    table!("passwords", key 1 of ("account", "$1"), "account, hash, changed_us", "$1, $2, $3"),
    table!("passkeys", key 1 of ("credential", "$1"), "credential, account, body, label, created_us, used_us", "$1, $2, $3, $4, $5, $6"),
    table!("identities", key 2 of ("issuer, subject", "$1, $2"), "issuer, subject, account, created_us", "$1, $2, $3, $4"),
    table!("recovery_codes", key 1 of ("hash", "$1"), "hash, account, created_us", "$1, $2, $3"),
    table!(
        "results", key 2 of ("match_id, slot", "$1, $2"),
        "match_id, slot, account, name, game, mode, kind, outcome, score, kills, deaths, shots, hits, streak, played_ms, ended_us",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16"
    ),
    table!(
        "totals", key 3 of ("account, mode, period", "$1, $2, $3"),
        "account, mode, period, score, kills, deaths, shots, hits, streak, results, wins, played_ms",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12"
    ),
    table!(
        "ratings", key 2 of ("account, mode", "$1, $2"), "account, mode, rating, deviation, volatility, matches",
        "$1, $2, $3, $4, $5, $6"
    ),
    table!("settings", key 1 of ("account", "$1"), "account, body, changed_us", "$1, $2, $3"),
    table!("friends", key 2 of ("account, friend", "$1, $2"), "account, friend, requested_us, since_us", "$1, $2, $3, $4"),
    table!("friend_links", key 1 of ("account", "$1"), "account, code, expires_us", "$1, $2, $3"),
    table!(
        "restrictions", key 2 of ("account, kind", "$1, $2"), "account, kind, until_us, reason, imposed_by, imposed_us",
        "$1, $2, $3, $4, $5, $6"
    ),
    table!("mutes", key 2 of ("account, muted", "$1, $2"), "account, muted, muted_us", "$1, $2, $3"),
    table!(
        "reports", key 1 of ("id", "$1"),
        "id, reporter, reporter_name, subject, subject_name, body, chat, room, reported_us, handled_by, handled_us",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11"
    ),
    table!("audit", key 1 of ("id", "$1"), "id, actor, action, subject, detail, acted_us", "$1, $2, $3, $4, $5, $6"),
];

impl Store {
    /// Copies every row of `from` to this database, which must be empty, and compares the numbers of rows. It sees `from` as it is when the copy
    /// begins.
    ///
    /// # Errors
    /// See [`CopyError`].
    pub async fn copy_from(&self, from: &Store) -> Result<Vec<Copied>, CopyError> {
        let mut source = from.read().await?;
        for table in &TABLES {
            let rows = count(self.read().await?.as_mut(), table).await?;
            if rows > 0 {
                return Err(CopyError::NotEmpty { table: table.name, rows });
            }
        }
        let mut copied = Vec::new();
        for table in &TABLES {
            let mut page = source.rows(table.first, Vec::new()).await?;
            while let Some(last) = page.last() {
                let key: Vec<Value> = last.0[..table.key].to_vec();
                let mut target = self.write().await?;
                for Row(values) in page {
                    target.run(table.insert, values).await?;
                }
                target.commit().await?;
                page = source.rows(table.after, key).await?;
            }
            let source_rows = count(source.as_mut(), table).await?;
            let target_rows = count(self.read().await?.as_mut(), table).await?;
            if source_rows != target_rows {
                return Err(CopyError::Counts { table: table.name, source_rows, target_rows });
            }
            copied.push(Copied { table: table.name, rows: source_rows });
        }
        Ok(copied)
    }
}

async fn count(transaction: &mut dyn Transaction, table: &Table) -> Result<u64, StoreError> {
    let mut rows = transaction.rows(table.count, Vec::new()).await?;
    Ok(rows.first_mut().map_or(0, |row| row.take::<i64>(0) as u64))
}
