//! Friendships: one asks and the other agrees, or one opens the other's link.

use crate::accounts::{Account, AccountId, account_columns, read};
use crate::engine::{Transaction, values};
use crate::{Store, StoreError};

/// Friends and requests that one account may have.
pub const FRIENDS_MAX: u32 = 200;

/// How two accounts stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Friendship {
    /// The account asked the other.
    Requested,
    /// The other asked the account.
    Asked,
    /// They are friends, since this moment, in microseconds since 1970.
    Since(i64),
}

/// A link by which others become friends of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FriendLink {
    /// What identifies it; not to be guessed.
    pub code: String,
    /// When it stops being valid, in microseconds since 1970.
    pub expires_us: i64,
}

/// Another account, and how it stands to this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Friend {
    pub account: Account,
    pub friendship: Friendship,
}

impl Store {
    /// Asks for a friendship, or agrees to one that the other asked for.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the account is the other, or one of them has [`FRIENDS_MAX`]; or the database does not answer.
    pub async fn befriend(&self, account: AccountId, other: AccountId, now_us: i64) -> Result<Friendship, StoreError> {
        if account == other {
            return Err(StoreError::Conflict("nobody is their own friend".to_owned()));
        }
        let mut transaction = self.write().await?;
        let friendship = befriend(transaction.as_mut(), account, other, now_us).await?;
        transaction.commit().await?;
        Ok(friendship)
    }

    /// Makes two accounts friends, whoever asked. Returns since when they are.
    ///
    /// # Errors
    /// As [`Store::befriend`].
    pub async fn befriend_both(&self, one: AccountId, other: AccountId, now_us: i64) -> Result<i64, StoreError> {
        if one == other {
            return Err(StoreError::Conflict("nobody is their own friend".to_owned()));
        }
        let mut transaction = self.write().await?;
        befriend(transaction.as_mut(), one, other, now_us).await?;
        let friendship = befriend(transaction.as_mut(), other, one, now_us).await?;
        transaction.commit().await?;
        match friendship {
            Friendship::Since(since_us) => Ok(since_us),
            Friendship::Requested | Friendship::Asked => {
                Err(StoreError::Failed("two requests made no friendship".to_owned()))
            }
        }
    }

    /// Ends a friendship, withdraws a request or declines one. Returns whether there was any.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn unfriend(&self, account: AccountId, other: AccountId) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let mut gone = 0;
        for (from, to) in [(account, other), (other, account)] {
            let sql = "DELETE FROM friends WHERE account = $1 AND friend = $2";
            gone += transaction.run(sql, values![from, to]).await?;
        }
        transaction.commit().await?;
        Ok(gone > 0)
    }

    /// Gives an account a link, in place of the one that it has.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another account has this code; or the database does not answer.
    pub async fn set_friend_link(&self, account: AccountId, code: &str, expires_us: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO friend_links (account, code, expires_us) VALUES ($1, $2, $3) \
                   ON CONFLICT (account) DO UPDATE SET code = excluded.code, expires_us = excluded.expires_us";
        let mut transaction = self.write().await?;
        transaction.run(sql, values![account, code, expires_us]).await?;
        transaction.commit().await
    }

    /// The link of an account, while it is valid.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn friend_link(&self, account: AccountId, now_us: i64) -> Result<Option<FriendLink>, StoreError> {
        let sql = "SELECT code, expires_us FROM friend_links WHERE account = $1 AND expires_us > $2";
        let mut rows = self.read().await?.rows(sql, values![account, now_us]).await?;
        Ok(rows.first_mut().map(|row| FriendLink { code: row.take(0), expires_us: row.take(1) }))
    }

    /// The account whose link has this code, while it is valid.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account_of_friend_link(&self, code: &str, now_us: i64) -> Result<Option<Account>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            account_columns!(),
            " FROM friend_links JOIN accounts ON accounts.id = friend_links.account \
             WHERE friend_links.code = $1 AND friend_links.expires_us > $2"
        );
        let mut rows = self.read().await?.rows(SQL, values![code, now_us]).await?;
        Ok(rows.first_mut().map(read))
    }

    /// Everyone who is a friend of an account, asked for it or was asked, in order of name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn friends(&self, account: AccountId) -> Result<Vec<Friend>, StoreError> {
        let mut transaction = self.read().await?;
        let mut friends = own(transaction.as_mut(), account).await?;
        friends.extend(asked(transaction.as_mut(), account).await?);
        friends.sort_by(|a, b| a.account.name.cmp(&b.account.name));
        Ok(friends)
    }
}

/// Asks, or agrees if the other has asked.
async fn befriend(
    transaction: &mut dyn Transaction,
    account: AccountId,
    other: AccountId,
    now_us: i64,
) -> Result<Friendship, StoreError> {
    let back = "SELECT since_us FROM friends WHERE account = $1 AND friend = $2";
    let is_asked = !transaction.rows(back, values![other, account]).await?.is_empty();
    // Without the two of them, so that who has asked often enough can still be agreed to.
    for (one, two) in [(account, other), (other, account)] {
        let sql = "SELECT COUNT(*) FROM friends WHERE account = $1 AND friend <> $2";
        let count = transaction.rows(sql, values![one, two]).await?.first_mut().map_or(0, |row| row.take::<i64>(0));
        if count >= i64::from(FRIENDS_MAX) {
            return Err(StoreError::Conflict(format!("an account has at most {FRIENDS_MAX} friends")));
        }
    }
    let since = is_asked.then_some(now_us);
    let sql = "INSERT INTO friends (account, friend, requested_us, since_us) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (account, friend) DO UPDATE SET since_us = COALESCE(friends.since_us, excluded.since_us) \
               RETURNING since_us";
    let mut rows = transaction.rows(sql, values![account, other, now_us, since]).await?;
    let since: Option<i64> = rows.first_mut().and_then(|row| row.take(0));
    if since.is_some() {
        let sql = "UPDATE friends SET since_us = COALESCE(since_us, $3) WHERE account = $1 AND friend = $2";
        transaction.run(sql, values![other, account, now_us]).await?;
    }
    Ok(since.map_or(Friendship::Requested, Friendship::Since))
}

/// Those for whom the account has a row.
async fn own(transaction: &mut dyn Transaction, account: AccountId) -> Result<Vec<Friend>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        account_columns!(),
        ", friends.since_us FROM friends JOIN accounts ON accounts.id = friends.friend WHERE friends.account = $1 LIMIT 200"
    );
    let mut rows = transaction.rows(SQL, values![account]).await?;
    let friend = |row: &mut crate::engine::Row| Friend {
        account: read(row),
        friendship: row.take::<Option<i64>>(6).map_or(Friendship::Requested, Friendship::Since),
    };
    Ok(rows.iter_mut().map(friend).collect())
}

/// Those who asked and wait for an answer.
async fn asked(transaction: &mut dyn Transaction, account: AccountId) -> Result<Vec<Friend>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        account_columns!(),
        " FROM friends JOIN accounts ON accounts.id = friends.account WHERE friends.friend = $1 AND friends.since_us IS NULL LIMIT 200"
    );
    let mut rows = transaction.rows(SQL, values![account]).await?;
    Ok(rows.iter_mut().map(|row| Friend { account: read(row), friendship: Friendship::Asked }).collect())
}
