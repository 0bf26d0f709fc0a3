//! Results: one for each player of a match, and for each stay in an open room. Only the server writes them.
//!
//! A result is written once however often it is handed over: its match and its slot identify it. What is derived from it, totals and ratings, is
//! written in the same transaction.

use serde::{Deserialize, Serialize};
use skillratings::Outcomes;
use skillratings::glicko2::{Glicko2Config, Glicko2Rating, glicko2};

use crate::accounts::{AccountId, bytes, optional_id};
use crate::engine::{Row, Transaction, values};
use crate::period::{Period, Season};
use crate::{Store, StoreError};

/// A match that ended, or one player's stay in an open room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchRecord {
    /// See [`new_id`](crate::new_id).
    pub id: [u8; 16],
    /// Name of the game.
    pub game: String,
    /// Name of the mode.
    pub mode: String,
    pub kind: ResultKind,
    /// Whether ratings follow from it: two players, of whom one may have won.
    pub is_rated: bool,
    /// Microseconds since 1970.
    pub ended_us: i64,
    /// Without the server's own bots.
    pub players: Vec<PlayerRecord>,
}

/// What a player reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerRecord {
    /// `None` for who plays without an account.
    pub account: Option<[u8; 16]>,
    /// The name played under.
    pub name: String,
    pub outcome: Outcome,
    pub score: i64,
    pub kills: u32,
    pub deaths: u32,
    /// Shots fired.
    pub shots: u32,
    /// Shots that hit.
    pub hits: u32,
    /// Most kills in one life.
    pub streak: u32,
    /// Milliseconds.
    pub played_ms: u32,
}

/// What a result is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultKind {
    /// A match.
    Match,
    /// A stay in a room without matches.
    Stay,
}

/// How a match ended for a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing to win.
    None,
    Won,
    Lost,
    Drawn,
}

/// A player's result, as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptResult {
    pub match_id: [u8; 16],
    pub mode: String,
    pub kind: ResultKind,
    /// Microseconds since 1970.
    pub ended_us: i64,
    pub player: PlayerRecord,
}

/// Sums of results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub mode: String,
    /// The period's key, such as `all` or `day:2026-11-27`.
    pub period: String,
    pub score: i64,
    pub kills: i64,
    pub deaths: i64,
    pub shots: i64,
    pub hits: i64,
    /// Most kills in one life.
    pub streak: i64,
    /// How many results.
    pub results: i64,
    pub wins: i64,
    /// Milliseconds.
    pub played_ms: i64,
}

/// A player's strength in a rated mode, by [Glicko-2](http://www.glicko.net/glicko/glicko2.pdf); a match is a rating period.
#[derive(Debug, Clone, PartialEq)]
pub struct Rating {
    pub mode: String,
    /// 1500 for who has not played.
    pub rating: f64,
    /// How far the rating may be off; 350 for who has not played.
    pub deviation: f64,
    /// Rated matches.
    pub matches: i64,
}

/// The columns that [`read`] takes.
macro_rules! result_columns {
    () => {
        "match_id, mode, kind, ended_us, account, name, outcome, score, kills, deaths, shots, hits, streak, played_ms"
    };
}

/// The columns that [`read_totals`] takes.
macro_rules! totals_columns {
    () => {
        "mode, period, score, kills, deaths, shots, hits, streak, results, wins, played_ms"
    };
}
pub(crate) use totals_columns;

impl Outcome {
    fn number(self) -> i64 {
        self as i64
    }

    fn of(number: i64) -> Outcome {
        match number {
            1 => Outcome::Won,
            2 => Outcome::Lost,
            3 => Outcome::Drawn,
            _ => Outcome::None,
        }
    }
}

impl Store {
    /// Writes results that are not there yet, with totals and ratings. Returns how many players' results were new.
    ///
    /// # Errors
    /// The database does not answer: nothing was written, or all of it.
    pub async fn record(&self, matches: &[MatchRecord], season: Season) -> Result<u64, StoreError> {
        let mut transaction = self.write().await?;
        let mut new = 0;
        for record in matches {
            new += write(transaction.as_mut(), record, season).await?;
        }
        transaction.commit().await?;
        Ok(new)
    }

    /// An account's results, the newest first: those that ended before `before_us`, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn results_of(
        &self,
        account: AccountId,
        before: (i64, [u8; 16]),
        limit: u32,
    ) -> Result<Vec<KeptResult>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            result_columns!(),
            " FROM results WHERE account = $1 AND (ended_us, match_id) < ($2, $3) ORDER BY ended_us DESC, match_id DESC LIMIT $4"
        );
        let mut rows = self.read().await?.rows(SQL, values![account, before.0, before.1, limit]).await?;
        Ok(rows.iter_mut().map(read).collect())
    }

    /// Every player's result of a match, in order of slot, at most 10,000.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn results_of_match(&self, match_id: [u8; 16]) -> Result<Vec<KeptResult>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", result_columns!(), " FROM results WHERE match_id = $1 ORDER BY slot LIMIT 10000");
        let mut rows = self.read().await?.rows(SQL, values![match_id]).await?;
        Ok(rows.iter_mut().map(read).collect())
    }

    /// How many results there are.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count_results(&self) -> Result<u64, StoreError> {
        let mut rows = self.read().await?.rows("SELECT COUNT(*) FROM results", Vec::new()).await?;
        Ok(rows.first_mut().map_or(0, |row| row.take::<i64>(0) as u64))
    }

    /// An account's sums over all time, one for each mode.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn totals(&self, account: AccountId) -> Result<Vec<Totals>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            totals_columns!(),
            " FROM totals WHERE account = $1 AND period = 'all' ORDER BY mode LIMIT 100"
        );
        let mut rows = self.read().await?.rows(SQL, values![account]).await?;
        Ok(rows.iter_mut().map(read_totals).collect())
    }

    /// An account's sums for each day since `since_us` and each mode, the oldest first, at most 1,000.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn days(&self, account: AccountId, since_us: i64) -> Result<Vec<Totals>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            totals_columns!(),
            " FROM totals WHERE account = $1 AND period >= $2 AND period < 'day:a' ORDER BY period, mode LIMIT 1000"
        );
        let mut rows = self.read().await?.rows(SQL, values![account, Period::day(since_us).key()]).await?;
        Ok(rows.iter_mut().map(read_totals).collect())
    }

    /// An account's ratings.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ratings(&self, account: AccountId) -> Result<Vec<Rating>, StoreError> {
        let sql = "SELECT mode, rating, deviation, matches FROM ratings WHERE account = $1 ORDER BY mode LIMIT 100";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        let rating = |row: &mut Row| Rating {
            mode: row.take(0),
            rating: row.take(1),
            deviation: row.take(2),
            matches: row.take(3),
        };
        Ok(rows.iter_mut().map(rating).collect())
    }
}

fn read(row: &mut Row) -> KeptResult {
    let count = |row: &mut Row, column| row.take::<i64>(column) as u32;
    KeptResult {
        match_id: bytes(row.take(0)),
        mode: row.take(1),
        kind: if row.take::<i64>(2) == 0 { ResultKind::Match } else { ResultKind::Stay },
        ended_us: row.take(3),
        player: PlayerRecord {
            account: optional_id(row, 4).map(|AccountId(id)| id),
            name: row.take(5),
            outcome: Outcome::of(row.take(6)),
            score: row.take(7),
            kills: count(row, 8),
            deaths: count(row, 9),
            shots: count(row, 10),
            hits: count(row, 11),
            streak: count(row, 12),
            played_ms: count(row, 13),
        },
    }
}

pub(crate) fn read_totals(row: &mut Row) -> Totals {
    Totals {
        mode: row.take(0),
        period: row.take(1),
        score: row.take(2),
        kills: row.take(3),
        deaths: row.take(4),
        shots: row.take(5),
        hits: row.take(6),
        streak: row.take(7),
        results: row.take(8),
        wins: row.take(9),
        played_ms: row.take(10),
    }
}

/// Writes one match. Returns how many of its players' results were new.
async fn write(transaction: &mut dyn Transaction, record: &MatchRecord, season: Season) -> Result<u64, StoreError> {
    let mut new = 0;
    for (slot, player) in record.players.iter().enumerate() {
        let sql = "INSERT INTO results (match_id, slot, account, name, game, mode, kind, outcome, score, kills, deaths, shots, hits, \
                   streak, played_ms, ended_us) \
                   SELECT $1, $2, (SELECT id FROM accounts WHERE id = $3), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 \
                   WHERE $1 IS NOT NULL ON CONFLICT (match_id, slot) DO NOTHING";
        let values = values![
            record.id,
            slot as u32,
            player.account.map(AccountId),
            player.name.clone(),
            record.game.clone(),
            record.mode.clone(),
            record.kind as i64,
            player.outcome.number(),
            player.score,
            player.kills,
            player.deaths,
            player.shots,
            player.hits,
            player.streak,
            player.played_ms,
            record.ended_us,
        ];
        let is_new = transaction.run(sql, values).await? > 0;
        new += u64::from(is_new);
        if let (true, Some(account)) = (is_new, player.account) {
            add_up(transaction, AccountId(account), player, record, season).await?;
        }
    }
    // All of them were new, or none: they are written together.
    if let ([one, two], true) = (record.players.as_slice(), record.is_rated && new > 0) {
        rate(transaction, &record.mode, one, two).await?;
    }
    Ok(new)
}

/// Adds a result to the totals of its account, unless that has been deleted.
async fn add_up(
    transaction: &mut dyn Transaction,
    account: AccountId,
    player: &PlayerRecord,
    record: &MatchRecord,
    season: Season,
) -> Result<(), StoreError> {
    let at = record.ended_us;
    for period in [Period::All, Period::day(at), Period::week(at), season.at(at)] {
        let sql = "INSERT INTO totals (account, mode, period, score, kills, deaths, shots, hits, streak, results, wins, played_ms) \
                   SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11 FROM accounts WHERE id = $1 \
                   ON CONFLICT (account, mode, period) DO UPDATE SET \
                   score = totals.score + excluded.score, kills = totals.kills + excluded.kills, \
                   deaths = totals.deaths + excluded.deaths, shots = totals.shots + excluded.shots, hits = totals.hits + excluded.hits, \
                   streak = CASE WHEN totals.streak > excluded.streak THEN totals.streak ELSE excluded.streak END, \
                   results = totals.results + 1, wins = totals.wins + excluded.wins, played_ms = totals.played_ms + excluded.played_ms";
        let values = values![
            account,
            record.mode.clone(),
            period.key(),
            player.score,
            player.kills,
            player.deaths,
            player.shots,
            player.hits,
            player.streak,
            i64::from(player.outcome == Outcome::Won),
            player.played_ms,
        ];
        transaction.run(sql, values).await?;
    }
    Ok(())
}

/// Rates a match of two who both have accounts, of which neither is deleted.
async fn rate(
    transaction: &mut dyn Transaction,
    mode: &str,
    one: &PlayerRecord,
    two: &PlayerRecord,
) -> Result<(), StoreError> {
    let (Some(first), Some(second)) = (one.account, two.account) else { return Ok(()) };
    let outcome = match (one.outcome, two.outcome) {
        (Outcome::Won, _) | (_, Outcome::Lost) => Outcomes::WIN,
        (Outcome::Lost, _) | (_, Outcome::Won) => Outcomes::LOSS,
        (Outcome::Drawn, _) | (_, Outcome::Drawn) => Outcomes::DRAW,
        (Outcome::None, Outcome::None) => return Ok(()),
    };
    if first == second {
        return Ok(());
    }
    let before = [strength(transaction, first, mode).await?, strength(transaction, second, mode).await?];
    let after = glicko2(&before[0], &before[1], &outcome, &Glicko2Config::new());
    for (account, Glicko2Rating { rating, deviation, volatility }) in [(first, after.0), (second, after.1)] {
        let sql = "INSERT INTO ratings (account, mode, rating, deviation, volatility, matches) \
                   SELECT id, $2, $3, $4, $5, 1 FROM accounts WHERE id = $1 \
                   ON CONFLICT (account, mode) DO UPDATE SET rating = excluded.rating, deviation = excluded.deviation, \
                   volatility = excluded.volatility, matches = ratings.matches + 1";
        transaction.run(sql, values![AccountId(account), mode, rating, deviation, volatility]).await?;
    }
    Ok(())
}

async fn strength(
    transaction: &mut dyn Transaction,
    account: [u8; 16],
    mode: &str,
) -> Result<Glicko2Rating, StoreError> {
    let sql = "SELECT rating, deviation, volatility FROM ratings WHERE account = $1 AND mode = $2";
    let mut rows = transaction.rows(sql, values![AccountId(account), mode]).await?;
    Ok(rows.first_mut().map_or_else(Glicko2Rating::new, |row| Glicko2Rating {
        rating: row.take(0),
        deviation: row.take(1),
        volatility: row.take(2),
    }))
}
