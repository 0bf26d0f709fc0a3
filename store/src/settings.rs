//! What players have set in the page: a text for each account, which the store does not read.

use crate::accounts::AccountId;
use crate::engine::values;
use crate::{Store, StoreError};

impl Store {
    /// The settings of an account, as [`Store::set_settings`] took them; `None` if it never did.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn settings(&self, account: AccountId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT body FROM settings WHERE account = $1";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        Ok(rows.first_mut().map(|row| row.take(0)))
    }

    /// Sets the settings of an account, at a moment in microseconds since 1970. The caller bounds their length.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] without such an account, or the database does not answer.
    pub async fn set_settings(&self, account: AccountId, body: &str, now_us: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO settings (account, body, changed_us) VALUES ($1, $2, $3) \
                   ON CONFLICT (account) DO UPDATE SET body = excluded.body, changed_us = excluded.changed_us";
        let mut transaction = self.write().await?;
        transaction.run(sql, values![account, body, now_us]).await?;
        transaction.commit().await
    }
}
