//! What has to happen together: a way to sign in changes, and with it which browsers are signed in.

use crate::accounts::{Account, AccountId, Renewal, SignIn, account_columns, bytes, insert_sign_in, read};
use crate::credentials::{Identity, Passkey, insert_passkey, upsert_password};
use crate::engine::values;
use crate::{Store, StoreError};

/// An account's first way to sign in.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// The hash of a password.
    Password(&'a str),
    /// A passkey.
    Passkey(&'a Passkey),
    /// An identity at a provider.
    Identity(&'a Identity),
}

impl Store {
    /// Turns a guest into an account with a name and a way to sign in.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the account keeps a name already, a name of another account looks like it, or the credential belongs to an
    /// account; or the database does not answer.
    pub async fn claim_name(
        &self,
        account: AccountId,
        (name, looks): (&str, &[String]),
        credential: Credential<'_>,
        renewal: Renewal,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        for look in looks {
            let sql = "INSERT INTO name_looks (look, account) VALUES ($1, $2)";
            transaction.run(sql, values![look.clone(), account]).await?;
        }
        let sql = "UPDATE accounts SET name = $2, keeps_name = 1 WHERE id = $1 AND keeps_name = 0";
        if transaction.run(sql, values![account, name]).await? == 0 {
            return Err(StoreError::Conflict("the account keeps a name already".to_owned()));
        }
        match credential {
            Credential::Password(hash) => upsert_password(transaction.as_mut(), account, hash, now_us).await?,
            Credential::Passkey(passkey) => insert_passkey(transaction.as_mut(), account, passkey).await?,
            Credential::Identity(Identity { issuer, subject }) => {
                let sql = "INSERT INTO identities (issuer, subject, account, created_us) VALUES ($1, $2, $3, $4)";
                transaction.run(sql, values![issuer.clone(), subject.clone(), account, now_us]).await?;
            }
        }
        if let Some(replaced) = renewal.replaces {
            transaction.run("DELETE FROM sign_ins WHERE secret_hash = $1", values![replaced]).await?;
        }
        insert_sign_in(transaction.as_mut(), account, renewal.sign_in, now_us).await?;
        transaction.commit().await
    }

    /// Sets an account's password, by its hash, and signs every browser out but the one that asks.
    ///
    /// # Errors
    /// The database does not answer, or there is no such account.
    pub async fn change_password(
        &self,
        account: AccountId,
        hash: &str,
        sign_in: SignIn,
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        upsert_password(transaction.as_mut(), account, hash, now_us).await?;
        transaction.run("DELETE FROM sign_ins WHERE account = $1", values![account]).await?;
        insert_sign_in(transaction.as_mut(), account, sign_in, now_us).await?;
        transaction.commit().await
    }

    /// Uses up a recovery code to set a password, by its hash; signs every browser out but the one that asks. Returns the account, `None` if
    /// there is no such code. A code works once.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn recover(
        &self,
        code: [u8; 32],
        hash: &str,
        renewal: Renewal,
        now_us: i64,
    ) -> Result<Option<AccountId>, StoreError> {
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM recovery_codes WHERE hash = $1 RETURNING account";
        let mut rows = transaction.rows(sql, values![code]).await?;
        let Some(account) = rows.first_mut().map(|row| AccountId(bytes(row.take(0)))) else { return Ok(None) };
        upsert_password(transaction.as_mut(), account, hash, now_us).await?;
        let sql = "DELETE FROM sign_ins WHERE account = $1 OR secret_hash = $2";
        transaction.run(sql, values![account, renewal.replaces.unwrap_or_default()]).await?;
        insert_sign_in(transaction.as_mut(), account, renewal.sign_in, now_us).await?;
        transaction.commit().await?;
        Ok(Some(account))
    }

    /// The account that a recovery code belongs to.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account_of_recovery_code(&self, code: [u8; 32]) -> Result<Option<Account>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            account_columns!(),
            " FROM recovery_codes JOIN accounts ON accounts.id = recovery_codes.account WHERE recovery_codes.hash = $1"
        );
        let mut rows = self.read().await?.rows(SQL, values![code]).await?;
        Ok(rows.first_mut().map(read))
    }

    /// When the browser with this secret signed in, in microseconds since 1970; `None` if it is not signed in.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn signed_in_at(&self, secret_hash: [u8; 32]) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT created_us FROM sign_ins WHERE secret_hash = $1";
        let mut rows = self.read().await?.rows(sql, values![secret_hash]).await?;
        Ok(rows.first_mut().map(|row| row.take(0)))
    }
}
