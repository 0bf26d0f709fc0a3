//! Accounts, their names and roles, and the browsers that are signed in to them.
//!
//! A guest has an account as well: one whose name is not its own.

pub use broadside_shared::ids::AccountId;

use crate::engine::{Row, values};
use crate::{Store, StoreError};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Play.
    Player,
    /// Keep order among the players.
    Moderator,
    /// Everything, appointing moderators included.
    Admin,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// As shown; a guest's is the last one played under, and empty before.
    pub name: String,
    /// Whether the name belongs to the account. A guest's does not.
    pub keeps_name: bool,
    pub role: Role,
    /// Microseconds since 1970.
    pub created_us: i64,
    /// When a browser last used it, to within an hour, in microseconds since 1970.
    pub seen_us: i64,
}

/// A browser that is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// SHA-256 of the secret in its cookie.
    pub secret_hash: [u8; 32],
    /// When it stops being valid, in microseconds since 1970.
    pub expires_us: i64,
}

/// How the browser that asks is signed in from now on: with a secret that nobody knew before.
#[derive(Debug, Clone, Copy)]
pub struct Renewal {
    /// SHA-256 of its secret until now, which is worth nothing afterwards.
    pub replaces: Option<[u8; 32]>,
    pub sign_in: SignIn,
}

/// `seen_us` and `used_us` are written at most this often, in microseconds.
const SEEN_EVERY_US: i64 = 3_600_000_000;

/// The columns that [`read`] takes.
macro_rules! account_columns {
    () => {
        "accounts.id, accounts.name, accounts.keeps_name, accounts.role, accounts.created_us, accounts.seen_us"
    };
}
pub(crate) use account_columns;

pub(crate) fn read(row: &mut Row) -> Account {
    Account {
        id: id(row, 0),
        name: row.take(1),
        keeps_name: row.take::<i64>(2) != 0,
        role: Role::of(row.take(3)),
        created_us: row.take(4),
        seen_us: row.take(5),
    }
}

pub(crate) fn id(row: &mut Row, column: usize) -> AccountId {
    AccountId(bytes(row.take(column)))
}

pub(crate) fn optional_id(row: &mut Row, column: usize) -> Option<AccountId> {
    row.take::<Option<Vec<u8>>>(column).map(|found| AccountId(bytes(found)))
}

/// # Panics
/// If the column does not hold `N` bytes, as everything written here does.
pub(crate) fn bytes<const N: usize>(found: Vec<u8>) -> [u8; N] {
    found.try_into().unwrap_or_else(|found: Vec<u8>| panic!("{} bytes where {N} were written", found.len()))
}

impl Role {
    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    fn of(number: i64) -> Role {
        match number {
            0 => Role::Player,
            1 => Role::Moderator,
            _ => Role::Admin,
        }
    }

    /// `player`, `moderator` or `admin`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Player => "player",
            Role::Moderator => "moderator",
            Role::Admin => "admin",
        }
    }
}

impl From<AccountId> for crate::engine::Value {
    fn from(AccountId(id): AccountId) -> Self {
        id.into()
    }
}

impl From<Option<AccountId>> for crate::engine::Value {
    fn from(id: Option<AccountId>) -> Self {
        crate::engine::Value::Bytes(id.map(|AccountId(id)| id.to_vec()))
    }
}

impl Store {
    /// Creates a guest's account, signed in with `sign_in`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn create_guest(&self, sign_in: SignIn, now_us: i64) -> Result<Account, StoreError> {
        let id = AccountId(crate::new_id(now_us));
        let mut transaction = self.write().await?;
        transaction
            .run(
                "INSERT INTO accounts (id, name, keeps_name, role, created_us, seen_us) VALUES ($1, '', 0, 0, $2, $3)",
                values![id, now_us, now_us],
            )
            .await?;
        insert_sign_in(transaction.as_mut(), id, sign_in, now_us).await?;
        transaction.commit().await?;
        Ok(Account {
            id,
            name: String::new(),
            keeps_name: false,
            role: Role::Player,
            created_us: now_us,
            seen_us: now_us,
        })
    }

    /// The account with this number.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let sql = concat!("SELECT ", account_columns!(), " FROM accounts WHERE id = $1");
        let mut rows = self.read().await?.rows(sql, values![id]).await?;
        Ok(rows.first_mut().map(read))
    }

    /// The account that a name with any of these looks belongs to.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account_named(&self, looks: &[String]) -> Result<Option<Account>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            account_columns!(),
            " FROM name_looks JOIN accounts ON accounts.id = name_looks.account WHERE name_looks.look = $1"
        );
        let mut transaction = self.read().await?;
        for look in looks {
            if let Some(row) = transaction.rows(SQL, values![look.clone()]).await?.first_mut() {
                return Ok(Some(read(row)));
            }
        }
        Ok(None)
    }

    /// The account that a browser with this secret is signed in to; renews when it was last seen.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn signed_in(&self, secret_hash: [u8; 32], now_us: i64) -> Result<Option<Account>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            account_columns!(),
            ", sign_ins.used_us FROM sign_ins JOIN accounts ON accounts.id = sign_ins.account \
             WHERE sign_ins.secret_hash = $1 AND sign_ins.expires_us > $2"
        );
        let mut rows = self.read().await?.rows(SQL, values![secret_hash, now_us]).await?;
        let Some(row) = rows.first_mut() else { return Ok(None) };
        let (account, used_us) = (read(row), row.take::<i64>(6));
        if now_us.saturating_sub(used_us.min(account.seen_us)) > SEEN_EVERY_US {
            let mut transaction = self.write().await?;
            let used = "UPDATE sign_ins SET used_us = $2 WHERE secret_hash = $1";
            transaction.run(used, values![secret_hash, now_us]).await?;
            transaction.run("UPDATE accounts SET seen_us = $2 WHERE id = $1", values![account.id, now_us]).await?;
            transaction.commit().await?;
        }
        Ok(Some(account))
    }

    /// Signs a browser in to an account. At most [`SIGN_INS_MAX`] are kept; beyond, the one unused longest is signed out.
    ///
    /// # Errors
    /// The database does not answer, or there is no such account.
    pub async fn sign_in(&self, account: AccountId, renewal: Renewal, now_us: i64) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        if let Some(replaced) = renewal.replaces {
            transaction.run("DELETE FROM sign_ins WHERE secret_hash = $1", values![replaced]).await?;
        }
        insert_sign_in(transaction.as_mut(), account, renewal.sign_in, now_us).await?;
        transaction
            .run(
                "DELETE FROM sign_ins WHERE account = $1 AND secret_hash NOT IN \
                 (SELECT secret_hash FROM sign_ins WHERE account = $1 ORDER BY used_us DESC, created_us DESC LIMIT 20)",
                values![account],
            )
            .await?;
        transaction.commit().await
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sign_out(&self, secret_hash: [u8; 32]) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        transaction.run("DELETE FROM sign_ins WHERE secret_hash = $1", values![secret_hash]).await?;
        transaction.commit().await
    }

    /// Signs every browser of an account out, except the one with the secret `except`. Returns how many.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sign_out_everywhere(&self, account: AccountId, except: Option<[u8; 32]>) -> Result<u64, StoreError> {
        let except = except.unwrap_or_default();
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM sign_ins WHERE account = $1 AND secret_hash <> $2";
        let gone = transaction.run(sql, values![account, except]).await?;
        transaction.commit().await?;
        Ok(gone)
    }

    /// Gives an account a name of its own, or another one. `looks` are what it looks like (all of them, without duplicates).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a name of another account looks like it; or the database does not answer.
    pub async fn keep_name(&self, account: AccountId, name: &str, looks: &[String]) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        transaction.run("DELETE FROM name_looks WHERE account = $1", values![account]).await?;
        for look in looks {
            let sql = "INSERT INTO name_looks (look, account) VALUES ($1, $2)";
            transaction.run(sql, values![look.clone(), account]).await?;
        }
        let sql = "UPDATE accounts SET name = $2, keeps_name = 1 WHERE id = $1";
        if transaction.run(sql, values![account, name]).await? == 0 {
            return Err(StoreError::Conflict("there is no such account".to_owned()));
        }
        transaction.commit().await
    }

    /// Every name that belongs to an account, a page at a time: those of accounts after `after`, at most `limit`, in order of account.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn kept_names(
        &self,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, String)>, StoreError> {
        let sql = "SELECT id, name FROM accounts WHERE keeps_name = 1 AND id > $1 ORDER BY id LIMIT $2";
        let after = after.map_or(Vec::new(), |AccountId(id)| id.to_vec());
        let mut rows = self.read().await?.rows(sql, values![after, limit]).await?;
        Ok(rows.iter_mut().map(|row| (id(row, 0), row.take(1))).collect())
    }

    /// Gives an account a role. Returns whether there is such an account.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn set_role(&self, account: AccountId, role: Role) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE accounts SET role = $2 WHERE id = $1";
        let changed = transaction.run(sql, values![account, role.number()]).await?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    /// The accounts that are more than players, at most 1,000, the highest role first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn staff(&self) -> Result<Vec<Account>, StoreError> {
        let sql =
            concat!("SELECT ", account_columns!(), " FROM accounts WHERE role > 0 ORDER BY role DESC, name LIMIT 1000");
        let mut rows = self.read().await?.rows(sql, Vec::new()).await?;
        Ok(rows.iter_mut().map(read).collect())
    }

    /// Deletes an account with everything that belongs to it. Its results stay, without a name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delete_account(&self, account: AccountId) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        for sql in [
            "UPDATE results SET account = NULL, name = '' WHERE account = $1",
            "UPDATE reports SET reporter = NULL, reporter_name = '' WHERE reporter = $1",
            "UPDATE reports SET subject = NULL WHERE subject = $1",
            "DELETE FROM accounts WHERE id = $1",
        ] {
            transaction.run(sql, values![account]).await?;
        }
        transaction.commit().await
    }

    /// Deletes guests without a result that nobody has used since `before_us`, and what has expired. Returns how many guests; at most 1,000.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn forget_unused(&self, before_us: i64, now_us: i64) -> Result<u64, StoreError> {
        let mut transaction = self.write().await?;
        transaction.run("DELETE FROM sign_ins WHERE expires_us <= $1", values![now_us]).await?;
        let gone = transaction
            .run(
                "DELETE FROM accounts WHERE id IN (SELECT id FROM accounts WHERE keeps_name = 0 AND role = 0 AND seen_us < $1 \
                 AND NOT EXISTS (SELECT 1 FROM results WHERE results.account = accounts.id) LIMIT 1000)",
                values![before_us],
            )
            .await?;
        transaction.commit().await?;
        Ok(gone)
    }
}

/// Browsers that may be signed in to one account.
pub const SIGN_INS_MAX: u32 = 20;

pub(crate) async fn insert_sign_in(
    transaction: &mut dyn crate::engine::Transaction,
    account: AccountId,
    sign_in: SignIn,
    now_us: i64,
) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO sign_ins (secret_hash, account, created_us, used_us, expires_us) VALUES ($1, $2, $3, $4, $5)";
    let values = values![sign_in.secret_hash, account, now_us, now_us, sign_in.expires_us];
    transaction.run(sql, values).await.map(drop)
}
