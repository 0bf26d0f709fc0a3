//! Bans, mutes, reports, and the log of what moderators did.

use crate::accounts::{AccountId, bytes, id, optional_id};
use crate::engine::{Row, values};
use crate::{Store, StoreError};

/// What a moderator imposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestrictionKind {
    /// The account may not play.
    Ban,
    /// The account may not chat.
    Mute,
}

/// What a moderator imposed on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    pub account: AccountId,
    /// The account's name.
    pub name: String,
    pub kind: RestrictionKind,
    /// Microseconds since 1970; `None` for ever.
    pub until_us: Option<i64>,
    pub reason: String,
    /// Name of who imposed it.
    pub imposed_by: String,
    /// Microseconds since 1970.
    pub imposed_us: i64,
}

/// What a player reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// See [`new_id`](crate::new_id).
    pub id: [u8; 16],
    pub reporter: Option<AccountId>,
    pub reporter_name: String,
    pub subject: Option<AccountId>,
    pub subject_name: String,
    /// What the reporter says.
    pub body: String,
    /// The chat around it, one line for each message.
    pub chat: String,
    /// Name of the room.
    pub room: String,
    /// Microseconds since 1970.
    pub reported_us: i64,
    /// Who handled it, and when in microseconds since 1970.
    pub handled: Option<(String, i64)>,
}

/// What a moderator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// See [`new_id`](crate::new_id).
    pub id: [u8; 16],
    /// Name of who did it.
    pub actor: String,
    /// What, such as `ban`.
    pub action: String,
    /// To whom or what.
    pub subject: String,
    pub detail: String,
    /// Microseconds since 1970.
    pub acted_us: i64,
}

macro_rules! report_select {
    () => {
        "SELECT id, reporter, reporter_name, subject, subject_name, body, chat, room, reported_us, handled_by, handled_us FROM reports"
    };
}
pub(crate) use report_select;

impl Store {
    /// Imposes a restriction, in place of one of the same kind.
    ///
    /// # Errors
    /// The database does not answer, or there is no such account.
    pub async fn restrict(&self, restriction: &Restriction) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let sql = "INSERT INTO restrictions (account, kind, until_us, reason, imposed_by, imposed_us) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (account, kind) DO UPDATE SET until_us = excluded.until_us, reason = excluded.reason, \
                   imposed_by = excluded.imposed_by, imposed_us = excluded.imposed_us";
        let Restriction { account, kind, until_us, reason, imposed_by, imposed_us, .. } = restriction.clone();
        transaction.run(sql, values![account, kind as i64, until_us, reason, imposed_by, imposed_us]).await?;
        transaction.commit().await
    }

    /// Lifts a restriction. Returns whether there was one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lift(&self, account: AccountId, kind: RestrictionKind) -> Result<bool, StoreError> {
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM restrictions WHERE account = $1 AND kind = $2";
        let gone = transaction.run(sql, values![account, kind as i64]).await?;
        transaction.commit().await?;
        Ok(gone > 0)
    }

    /// The restrictions in force, a page at a time: those of accounts after `after`, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn restrictions(
        &self,
        after: Option<AccountId>,
        limit: u32,
        now_us: i64,
    ) -> Result<Vec<Restriction>, StoreError> {
        let sql = "SELECT restrictions.account, accounts.name, restrictions.kind, restrictions.until_us, restrictions.reason, \
                   restrictions.imposed_by, restrictions.imposed_us FROM restrictions JOIN accounts ON accounts.id = restrictions.account \
                   WHERE restrictions.account > $1 AND (restrictions.until_us IS NULL OR restrictions.until_us > $2) \
                   ORDER BY restrictions.account, restrictions.kind LIMIT $3";
        let after = after.map_or(Vec::new(), |AccountId(id)| id.to_vec());
        let mut rows = self.read().await?.rows(sql, values![after, now_us, limit]).await?;
        Ok(rows.iter_mut().map(restriction).collect())
    }

    /// The restrictions of one account that are in force.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn restrictions_of(&self, account: AccountId, now_us: i64) -> Result<Vec<Restriction>, StoreError> {
        let sql = "SELECT restrictions.account, accounts.name, restrictions.kind, restrictions.until_us, restrictions.reason, \
                   restrictions.imposed_by, restrictions.imposed_us FROM restrictions JOIN accounts ON accounts.id = restrictions.account \
                   WHERE restrictions.account = $1 AND (restrictions.until_us IS NULL OR restrictions.until_us > $2) \
                   ORDER BY restrictions.kind";
        let mut rows = self.read().await?.rows(sql, values![account, now_us]).await?;
        Ok(rows.iter_mut().map(restriction).collect())
    }

    /// A player does not want to hear another, at most 500 of them.
    ///
    /// # Errors
    /// The database does not answer, or there is no such account.
    pub async fn mute(&self, account: AccountId, muted: AccountId, now_us: i64) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let sql = "INSERT INTO mutes (account, muted, muted_us) SELECT $1, $2, $3 \
                   WHERE (SELECT COUNT(*) FROM mutes WHERE account = $1) < 500 ON CONFLICT (account, muted) DO NOTHING";
        transaction.run(sql, values![account, muted, now_us]).await?;
        transaction.commit().await
    }

    /// A player wants to hear another again.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn unmute(&self, account: AccountId, muted: AccountId) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        transaction.run("DELETE FROM mutes WHERE account = $1 AND muted = $2", values![account, muted]).await?;
        transaction.commit().await
    }

    /// Whom a player does not want to hear, with their names now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn mutes(&self, account: AccountId) -> Result<Vec<(AccountId, String)>, StoreError> {
        let sql = "SELECT mutes.muted, accounts.name FROM mutes JOIN accounts ON accounts.id = mutes.muted \
                   WHERE mutes.account = $1 ORDER BY mutes.muted LIMIT 500";
        let mut rows = self.read().await?.rows(sql, values![account]).await?;
        Ok(rows.iter_mut().map(|row| (id(row, 0), row.take(1))).collect())
    }

    /// Keeps a report.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn report(&self, report: &Report) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let sql = "INSERT INTO reports (id, reporter, reporter_name, subject, subject_name, body, chat, room, reported_us) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
        let Report { id, reporter, reporter_name, subject, subject_name, body, chat, room, reported_us, handled: _ } =
            report.clone();
        let values = values![id, reporter, reporter_name, subject, subject_name, body, chat, room, reported_us];
        transaction.run(sql, values).await?;
        transaction.commit().await
    }

    /// Reports, the newest first: those with a lower id than `before`, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn reports(&self, which: Reports, before: [u8; 16], limit: u32) -> Result<Vec<Report>, StoreError> {
        let sql = match which {
            Reports::Open => {
                concat!(report_select!(), " WHERE handled_us IS NULL AND id < $1 ORDER BY id DESC LIMIT $2")
            }
            Reports::All => concat!(report_select!(), " WHERE id < $1 ORDER BY id DESC LIMIT $2"),
        };
        let mut rows = self.read().await?.rows(sql, values![before, limit]).await?;
        Ok(rows.iter_mut().map(report).collect())
    }

    /// A report was handled. Returns the name of the player it is about; `None` if no open report has this id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn handle_report(&self, id: [u8; 16], by: &str, now_us: i64) -> Result<Option<String>, StoreError> {
        let mut transaction = self.write().await?;
        let sql = "UPDATE reports SET handled_by = $2, handled_us = $3 WHERE id = $1 AND handled_us IS NULL RETURNING subject_name";
        let mut changed = transaction.rows(sql, values![id, by, now_us]).await?;
        transaction.commit().await?;
        Ok(changed.first_mut().map(|row| row.take(0)))
    }

    /// Logs what a moderator did.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        let sql = "INSERT INTO audit (id, actor, action, subject, detail, acted_us) VALUES ($1, $2, $3, $4, $5, $6)";
        let AuditEntry { id, actor, action, subject, detail, acted_us } = entry.clone();
        transaction.run(sql, values![id, actor, action, subject, detail, acted_us]).await?;
        transaction.commit().await
    }

    /// What moderators did, the newest first: entries with a lower id than `before`, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn audit_log(&self, before: [u8; 16], limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let sql =
            "SELECT id, actor, action, subject, detail, acted_us FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let mut rows = self.read().await?.rows(sql, values![before, limit]).await?;
        let entry = |row: &mut Row| AuditEntry {
            id: bytes(row.take(0)),
            actor: row.take(1),
            action: row.take(2),
            subject: row.take(3),
            detail: row.take(4),
            acted_us: row.take(5),
        };
        Ok(rows.iter_mut().map(entry).collect())
    }
}

/// Which reports to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reports {
    /// Those nobody has handled.
    Open,
    /// All of them.
    All,
}

fn restriction(row: &mut Row) -> Restriction {
    Restriction {
        account: id(row, 0),
        name: row.take(1),
        kind: if row.take::<i64>(2) == 0 { RestrictionKind::Ban } else { RestrictionKind::Mute },
        until_us: row.take(3),
        reason: row.take(4),
        imposed_by: row.take(5),
        imposed_us: row.take(6),
    }
}

pub(crate) fn report(row: &mut Row) -> Report {
    let handled_by: Option<String> = row.take(9);
    Report {
        id: bytes(row.take(0)),
        reporter: optional_id(row, 1),
        reporter_name: row.take(2),
        subject: optional_id(row, 3),
        subject_name: row.take(4),
        body: row.take(5),
        chat: row.take(6),
        room: row.take(7),
        reported_us: row.take(8),
        handled: handled_by.zip(row.take(10)),
    }
}
