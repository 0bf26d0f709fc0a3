//! Leaderboards: the totals of a period in order, and the rank of one account in them.
//!
//! Who has the same value has the same rank, and the next rank is as much lower as there are accounts with it: 1, 2, 2, 4.

use crate::accounts::{AccountId, id};
use crate::engine::{Row, Transaction, values};
use crate::period::Period;
use crate::{Store, StoreError};

/// What a leaderboard is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The sum of scores.
    Score,
    /// The number of kills.
    Kills,
    /// The number of matches won.
    Wins,
}

/// An account's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// From 1.
    pub rank: u64,
    pub account: AccountId,
    /// The account's name; empty if it has played under none.
    pub name: String,
    /// Whether the name belongs to the account.
    pub keeps_name: bool,
    /// The measure; a rating is rounded.
    pub value: i64,
}

/// Where a page of a leaderboard begins: behind this entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Its value.
    pub value: i64,
    pub account: AccountId,
    /// Its rank.
    pub rank: u64,
    /// How many entries there are up to it.
    pub count: u64,
}

/// The farthest rank that is told exactly.
pub const RANK_MAX: u32 = 10_000;

/// Largest deviation of a rating that is on a leaderboard: what about five matches reach.
pub const DEVIATION_MAX: f64 = 200.0;

macro_rules! page {
    ($measure:literal) => {
        concat!(
            "SELECT accounts.id, accounts.name, accounts.keeps_name, totals.",
            $measure,
            " FROM totals JOIN accounts ON accounts.id = totals.account WHERE totals.mode = $1 AND totals.period = $2 AND totals.",
            $measure,
            " > 0 AND (totals.",
            $measure,
            ", totals.account) < ($3, $4) ORDER BY totals.",
            $measure,
            " DESC, totals.account DESC LIMIT $5"
        )
    };
}

macro_rules! better {
    ($measure:literal) => {
        concat!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM totals WHERE mode = $1 AND period = $2 AND ",
            $measure,
            " > $3 LIMIT $4) AS better"
        )
    };
}

macro_rules! of_friends {
    ($measure:literal) => {
        concat!(
            "SELECT accounts.id, accounts.name, accounts.keeps_name, totals.",
            $measure,
            " FROM totals JOIN accounts ON accounts.id = totals.account WHERE totals.mode = $1 AND totals.period = $2 AND totals.",
            $measure,
            " > 0 AND (totals.account = $3 OR totals.account IN \
             (SELECT friend FROM friends WHERE account = $3 AND since_us IS NOT NULL)) ORDER BY totals.",
            $measure,
            " DESC, totals.account DESC LIMIT 201"
        )
    };
}

impl Measure {
    /// The measure with this name: `score`, `kills` or `wins`.
    #[must_use]
    pub fn named(name: &str) -> Option<Measure> {
        match name {
            "score" => Some(Measure::Score),
            "kills" => Some(Measure::Kills),
            "wins" => Some(Measure::Wins),
            _ => None,
        }
    }

    fn page(self) -> &'static str {
        match self {
            Measure::Score => page!("score"),
            Measure::Kills => page!("kills"),
            Measure::Wins => page!("wins"),
        }
    }

    fn better(self) -> &'static str {
        match self {
            Measure::Score => better!("score"),
            Measure::Kills => better!("kills"),
            Measure::Wins => better!("wins"),
        }
    }

    fn of_friends(self) -> &'static str {
        match self {
            Measure::Score => of_friends!("score"),
            Measure::Kills => of_friends!("kills"),
            Measure::Wins => of_friends!("wins"),
        }
    }
}

impl Store {
    /// A page of a leaderboard.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn board(
        &self,
        mode: &str,
        period: &Period,
        measure: Measure,
        after: Option<After>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let (value, account) = after.map_or((i64::MAX, [0xff; 16]), |after| (after.value, after.account.0));
        let values = values![mode, period.key(), value, account, limit];
        let mut rows = self.read().await?.rows(measure.page(), values).await?;
        Ok(ranked(rows.iter_mut().map(entry), after))
    }

    /// The leaderboard of an account and its friends.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn board_of_friends(
        &self,
        account: AccountId,
        mode: &str,
        period: &Period,
        measure: Measure,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut rows = self.read().await?.rows(measure.of_friends(), values![mode, period.key(), account]).await?;
        Ok(ranked(rows.iter_mut().map(entry), None))
    }

    /// An account's rank, from 1; at most [`RANK_MAX`] + 1, which means that it is beyond. `None` without a result in the period.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rank(
        &self,
        account: AccountId,
        mode: &str,
        period: &Period,
        measure: Measure,
    ) -> Result<Option<u64>, StoreError> {
        let mut transaction = self.read().await?;
        let sql = "SELECT score, kills, wins FROM totals WHERE account = $1 AND mode = $2 AND period = $3";
        let mut rows = transaction.rows(sql, values![account, mode, period.key()]).await?;
        let Some(row) = rows.first_mut() else { return Ok(None) };
        let value: i64 = row.take(measure as usize);
        if value <= 0 {
            return Ok(None);
        }
        let better =
            count(transaction.as_mut(), measure.better(), values![mode, period.key(), value, RANK_MAX]).await?;
        Ok(Some(better + 1))
    }

    /// A page of the leaderboard of ratings: those known well enough ([`DEVIATION_MAX`]).
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rating_board(&self, mode: &str, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let sql = "SELECT accounts.id, accounts.name, accounts.keeps_name, ratings.rating FROM ratings \
                   JOIN accounts ON accounts.id = ratings.account WHERE ratings.mode = $1 AND ratings.deviation <= $2 \
                   ORDER BY ratings.rating DESC, ratings.account DESC LIMIT $3";
        let mut rows = self.read().await?.rows(sql, values![mode, DEVIATION_MAX, limit]).await?;
        Ok(ranked(rows.iter_mut().map(rating), None))
    }

    /// The leaderboard of the ratings of an account and its friends.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rating_board_of_friends(&self, account: AccountId, mode: &str) -> Result<Vec<Entry>, StoreError> {
        let sql = "SELECT accounts.id, accounts.name, accounts.keeps_name, ratings.rating FROM ratings \
                   JOIN accounts ON accounts.id = ratings.account WHERE ratings.mode = $1 AND ratings.deviation <= $2 \
                   AND (ratings.account = $3 OR ratings.account IN \
                   (SELECT friend FROM friends WHERE account = $3 AND since_us IS NOT NULL)) \
                   ORDER BY ratings.rating DESC, ratings.account DESC LIMIT 201";
        let mut rows = self.read().await?.rows(sql, values![mode, DEVIATION_MAX, account]).await?;
        Ok(ranked(rows.iter_mut().map(rating), None))
    }

    /// Seasons that have totals, the newest first, at most 100.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn seasons(&self) -> Result<Vec<String>, StoreError> {
        // A skip over the index: as many steps as there are seasons, not as there are totals.
        let sql = "WITH RECURSIVE found (period) AS ( \
                   SELECT MAX(period) FROM totals WHERE period >= 'season:' AND period < 'season;' \
                   UNION ALL SELECT (SELECT MAX(period) FROM totals WHERE period >= 'season:' AND period < found.period) FROM found \
                   WHERE found.period IS NOT NULL) SELECT period FROM found WHERE period IS NOT NULL LIMIT 100";
        let mut rows = self.read().await?.rows(sql, Vec::new()).await?;
        Ok(rows.iter_mut().map(|row| row.take::<String>(0).trim_start_matches("season:").to_owned()).collect())
    }

    /// Deletes sums of days and weeks that ended before `before_us`; those of seasons and of all time stay.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn forget_days(&self, before_us: i64) -> Result<u64, StoreError> {
        let mut transaction = self.write().await?;
        let mut gone = 0;
        for (from, to) in [("day:", Period::day(before_us).key()), ("week:", Period::week(before_us).key())] {
            let sql = "DELETE FROM totals WHERE period >= $1 AND period < $2";
            gone += transaction.run(sql, values![from, to]).await?;
        }
        transaction.commit().await?;
        Ok(gone)
    }
}

type Unranked = (AccountId, String, bool, i64);

fn entry(row: &mut Row) -> Unranked {
    (id(row, 0), row.take(1), row.take::<i64>(2) != 0, row.take(3))
}

fn rating(row: &mut Row) -> Unranked {
    (id(row, 0), row.take(1), row.take::<i64>(2) != 0, row.take::<f64>(3).round() as i64)
}

fn ranked(entries: impl Iterator<Item = Unranked>, after: Option<After>) -> Vec<Entry> {
    let (mut rank, mut last) = after.map_or((0, None), |after| (after.rank, Some(after.value)));
    let first = after.map_or(0, |after| after.count);
    let ranked = (first + 1..).zip(entries).map(|(place, (account, name, keeps_name, value))| {
        if last != Some(value) {
            (rank, last) = (place, Some(value));
        }
        Entry { rank, account, name, keeps_name, value }
    });
    ranked.collect()
}

async fn count(
    transaction: &mut dyn Transaction,
    sql: &'static str,
    values: Vec<crate::engine::Value>,
) -> Result<u64, StoreError> {
    let mut rows = transaction.rows(sql, values).await?;
    Ok(rows.first_mut().map_or(0, |row| row.take::<i64>(0) as u64))
}
