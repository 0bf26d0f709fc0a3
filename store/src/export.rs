//! What the database has on one account and nothing else asks for; the rest of an export comes from the other modules.

use crate::accounts::AccountId;
use crate::engine::{Row, values};
use crate::moderation::{Report, report, report_select};
use crate::results::{Totals, read_totals, totals_columns};
use crate::{Store, StoreError};

/// A browser that is signed in, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserRecord {
    /// Microseconds since 1970.
    pub signed_in_us: i64,
    /// To within an hour, in microseconds since 1970.
    pub used_us: i64,
    /// Microseconds since 1970.
    pub expires_us: i64,
}

impl Store {
    /// The browsers that are signed in to an account, the oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn browsers(&self, account: AccountId) -> Result<Vec<BrowserRecord>, StoreError> {
        let sql =
            "SELECT created_us, used_us, expires_us FROM sign_ins WHERE account = $1 ORDER BY created_us LIMIT 100";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        let browser =
            |row: &mut Row| BrowserRecord { signed_in_us: row.take(0), used_us: row.take(1), expires_us: row.take(2) };
        Ok(rows.iter_mut().map(browser).collect())
    }

    /// When an account's password was last set, in microseconds since 1970; `None` without one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn password_changed(&self, account: AccountId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT changed_us FROM passwords WHERE account = $1";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        Ok(rows.first_mut().map(|row| row.take(0)))
    }

    /// An account's sums of every period and mode, at most 10,000.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn all_totals(&self, account: AccountId) -> Result<Vec<Totals>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", totals_columns!(), " FROM totals WHERE account = $1 ORDER BY period, mode LIMIT 10000");
        let mut rows = self.read().await?.rows(SQL, values![account]).await?;
        Ok(rows.iter_mut().map(read_totals).collect())
    }

    /// The reports that an account made, the newest first, at most 1,000.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn reports_by(&self, account: AccountId) -> Result<Vec<Report>, StoreError> {
        let sql = concat!(report_select!(), " WHERE reporter = $1 ORDER BY id DESC LIMIT 1000");
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        Ok(rows.iter_mut().map(report).collect())
    }
}
