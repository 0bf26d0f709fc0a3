//! Ways to sign in: passwords, passkeys, identities at OpenID Connect providers, recovery codes.

use crate::accounts::{Account, AccountId, account_columns, id, read};
use crate::engine::{Transaction, values};
use crate::{Store, StoreError};

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// The credential's id, as the authenticator knows it.
    pub credential: Vec<u8>,
    /// The public key and its counter, as JSON.
    pub body: String,
    /// What its owner calls it.
    pub label: String,
    /// Microseconds since 1970.
    pub created_us: i64,
    /// Microseconds since 1970.
    pub used_us: i64,
}

/// Passkeys that one account may have.
pub const PASSKEYS_MAX: usize = 10;

/// An identity at an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The provider's issuer URL.
    pub issuer: String,
    /// The player's number there.
    pub subject: String,
}

/// What became of linking an identity to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linked {
    /// It is linked to the account now, or was.
    Done,
    /// It belongs to another account.
    Taken(AccountId),
}

impl Store {
    /// The hash of an account's password.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn password(&self, account: AccountId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT hash FROM passwords WHERE account = $1";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        Ok(rows.first_mut().map(|row| row.take(0)))
    }

    /// Adds a passkey to an account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it belongs to an account, or this one has [`PASSKEYS_MAX`]; or the database does not answer.
    pub async fn add_passkey(&self, account: AccountId, passkey: &Passkey) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let count = "SELECT COUNT(*) FROM passkeys WHERE account = $1";
        let mut rows = transaction.rows(count, values![account]).await?;
        let count: i64 = rows.first_mut().map_or(0, |row| row.take(0));
        if count >= PASSKEYS_MAX as i64 {
            return Err(StoreError::Conflict(format!("the account has {PASSKEYS_MAX} passkeys")));
        }
        insert_passkey(transaction.as_mut(), account, passkey).await?;
        transaction.commit().await
    }

    /// An account's passkeys, the oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn passkeys(&self, account: AccountId) -> Result<Vec<Passkey>, StoreError> {
        let sql =
            "SELECT credential, body, label, created_us, used_us FROM passkeys WHERE account = $1 ORDER BY created_us";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        let passkey = |row: &mut crate::engine::Row| Passkey {
            credential: row.take(0),
            body: row.take(1),
            label: row.take(2),
            created_us: row.take(3),
            used_us: row.take(4),
        };
        Ok(rows.iter_mut().map(passkey).collect())
    }

    /// The account that a passkey belongs to.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account_of_passkey(&self, credential: &[u8]) -> Result<Option<Account>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            account_columns!(),
            " FROM passkeys JOIN accounts ON accounts.id = passkeys.account WHERE passkeys.credential = $1"
        );
        let mut rows = self.read().await?.rows(SQL, values![credential.to_vec()]).await?;
        Ok(rows.first_mut().map(read))
    }

    /// A passkey was used; `body` has its new counter.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn passkey_used(&self, credential: &[u8], body: &str, now_us: i64) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE passkeys SET body = $2, used_us = $3 WHERE credential = $1";
        transaction.run(sql, values![credential.to_vec(), body, now_us]).await?;
        transaction.commit().await
    }

    /// Removes a passkey of an account. Returns whether it had it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn remove_passkey(&self, account: AccountId, credential: &[u8]) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM passkeys WHERE account = $1 AND credential = $2";
        let gone = transaction.run(sql, values![account, credential.to_vec()]).await?;
        transaction.commit().await?;
        Ok(gone > 0)
    }

    /// Links an identity to an account, unless it belongs to another.
    ///
    /// # Errors
    /// The database does not answer, or there is no such account.
    pub async fn link_identity(
        &self,
        account: AccountId,
        identity: &Identity,
        now_us: i64,
    ) -> Result<Linked, StoreError> {
        let mut transaction = self.write().await?;
        let Identity { issuer, subject } = identity.clone();
        let sql = "INSERT INTO identities (issuer, subject, account, created_us) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (issuer, subject) DO NOTHING";
        transaction.run(sql, values![issuer.clone(), subject.clone(), account, now_us]).await?;
        let owner = "SELECT account FROM identities WHERE issuer = $1 AND subject = $2";
        let mut rows = transaction.rows(owner, values![issuer, subject]).await?;
        let owner = rows.first_mut().map_or(account, |row| id(row, 0));
        transaction.commit().await?;
        Ok(if owner == account { Linked::Done } else { Linked::Taken(owner) })
    }

    /// The account that an identity belongs to.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account_of_identity(&self, identity: &Identity) -> Result<Option<Account>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            account_columns!(),
            " FROM identities JOIN accounts ON accounts.id = identities.account \
             WHERE identities.issuer = $1 AND identities.subject = $2"
        );
        let Identity { issuer, subject } = identity.clone();
        let mut rows = self.read().await?.rows(SQL, values![issuer, subject]).await?;
        Ok(rows.first_mut().map(read))
    }

    /// The identities of an account.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn identities(&self, account: AccountId) -> Result<Vec<Identity>, StoreError> {
        let sql = "SELECT issuer, subject FROM identities WHERE account = $1 ORDER BY issuer, subject";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        Ok(rows.iter_mut().map(|row| Identity { issuer: row.take(0), subject: row.take(1) }).collect())
    }

    /// Unlinks an identity from an account. Returns whether it had it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn unlink_identity(&self, account: AccountId, identity: &Identity) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM identities WHERE account = $1 AND issuer = $2 AND subject = $3";
        let Identity { issuer, subject } = identity.clone();
        let gone = transaction.run(sql, values![account, issuer, subject]).await?;
        transaction.commit().await?;
        Ok(gone > 0)
    }

    /// Replaces an account's recovery codes by those with these hashes.
    ///
    /// # Errors
    /// The database does not answer, or there is no such account.
    pub async fn set_recovery_codes(
        &self,
        account: AccountId,
        hashes: &[[u8; 32]],
        now_us: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        transaction.run("DELETE FROM recovery_codes WHERE account = $1", values![account]).await?;
        for hash in hashes {
            let sql = "INSERT INTO recovery_codes (hash, account, created_us) VALUES ($1, $2, $3)";
            transaction.run(sql, values![*hash, account, now_us]).await?;
        }
        transaction.commit().await
    }

    /// How many recovery codes an account has left.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn recovery_codes_left(&self, account: AccountId) -> Result<u32, StoreError> {
        let sql = "SELECT COUNT(*) FROM recovery_codes WHERE account = $1";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        Ok(rows.first_mut().map_or(0, |row| row.take::<i64>(0) as u32))
    }
}

pub(crate) async fn upsert_password(
    transaction: &mut dyn Transaction,
    account: AccountId,
    hash: &str,
    now_us: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO passwords (account, hash, changed_us) VALUES ($1, $2, $3) \
               ON CONFLICT (account) DO UPDATE SET hash = excluded.hash, changed_us = excluded.changed_us";
    transaction.run(sql, values![account, hash, now_us]).await.map(drop)
}

pub(crate) async fn insert_passkey(
    transaction: &mut dyn Transaction,
    account: AccountId,
    passkey: &Passkey,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO passkeys (credential, account, body, label, created_us, used_us) VALUES ($1, $2, $3, $4, $5, $6)";
    let Passkey { credential, body, label, created_us, used_us } = passkey.clone();
    transaction.run(sql, values![credential, account, body, label, created_us, used_us]).await.map(drop)
}
