//! Everything that is kept of an account, for its owner to take along.

use broadside_store::accounts::{Account, AccountId};
use broadside_store::friends::Friendship;
use broadside_store::moderation::RestrictionKind;
use broadside_store::results::{KeptResult, Outcome, PlayerRecord, ResultKind, Totals};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{AccountError, Accounts};
use crate::store::now_us;

/// Results in one export; older ones follow in the next.
pub(crate) const RESULTS_MAX: u32 = 10_000;

/// Everything that is kept of an account. Times are in seconds since 1970; passwords, keys and secrets are kept as hashes and left out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Export {
    /// Number of the account, in hexadecimal.
    id: String,
    name: String,
    /// Whether the name belongs to the account.
    keeps_name: bool,
    role: &'static str,
    created_s: i64,
    /// To within an hour.
    seen_s: i64,
    /// When the password was set; null without one.
    password_set_s: Option<i64>,
    passkeys: Vec<ExportedPasskey>,
    identities: Vec<ExportedIdentity>,
    recovery_codes_left: u32,
    /// Browsers that are signed in.
    browsers: Vec<ExportedBrowser>,
    friends: Vec<ExportedFriend>,
    /// The link by which others become friends; null without one.
    friend_link: Option<ExportedLink>,
    /// Numbers of the accounts that are muted.
    mutes: Vec<String>,
    restrictions: Vec<RestrictionView>,
    /// Reports that the account made.
    reports: Vec<ExportedReport>,
    /// What is set in the page; null as long as nothing is.
    settings: Option<Map<String, Value>>,
    ratings: Vec<ExportedRating>,
    totals: Vec<ExportedTotals>,
    /// The newest first, at most 10,000.
    results: Vec<ExportedResult>,
    /// The value of `before` for the results that follow; null if there are none.
    more_results_before: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedPasskey {
    label: String,
    created_s: i64,
    used_s: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedIdentity {
    issuer: String,
    subject: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedBrowser {
    signed_in_s: i64,
    used_s: i64,
    expires_s: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedFriend {
    id: String,
    name: String,
    /// requested, asked or friend.
    friendship: &'static str,
    /// Since when they are friends.
    since_s: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedLink {
    code: String,
    expires_s: i64,
}

/// What a moderator imposed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestrictionView {
    /// ban or mute.
    kind: &'static str,
    /// When it ends, in seconds since 1970; null for ever.
    until_s: Option<i64>,
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedReport {
    subject: String,
    text: String,
    chat: String,
    room: String,
    reported_s: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedRating {
    mode: String,
    rating: f64,
    deviation: f64,
    matches: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedTotals {
    mode: String,
    /// `all`, `day:2026-11-27`, `week:2026-w48` or `season:2026-11`.
    period: String,
    score: i64,
    kills: i64,
    deaths: i64,
    shots: i64,
    hits: i64,
    streak: i64,
    results: i64,
    wins: i64,
    played_ms: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ExportedResult {
    /// Number of the match, in hexadecimal.
    id: String,
    mode: String,
    /// match or stay.
    kind: &'static str,
    /// none, won, lost or drawn.
    outcome: &'static str,
    /// The name played under.
    name: String,
    ended_s: i64,
    score: i64,
    kills: u32,
    deaths: u32,
    shots: u32,
    hits: u32,
    streak: u32,
    played_ms: u32,
}

impl Accounts {
    /// Everything that is kept of an account, with the results that ended before `before`.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn export(&self, account: &Account, before: ResultCursor) -> Result<Export, AccountError> {
        let (store, id) = (&self.store, account.id);
        let results = store.results_of(id, (before.ended_us, before.id), RESULTS_MAX).await?;
        let last = results.last().filter(|_| results.len() == RESULTS_MAX as usize);
        let passkeys = store.passkeys(id).await?.into_iter().map(|key| ExportedPasskey {
            label: key.label,
            created_s: seconds(key.created_us),
            used_s: seconds(key.used_us),
        });
        let identities = store.identities(id).await?.into_iter();
        let browsers = store.browsers(id).await?.into_iter().map(|browser| ExportedBrowser {
            signed_in_s: seconds(browser.signed_in_us),
            used_s: seconds(browser.used_us),
            expires_s: seconds(browser.expires_us),
        });
        let reports = store.reports_by(id).await?.into_iter().map(|report| ExportedReport {
            subject: report.subject_name,
            text: report.body,
            chat: report.chat,
            room: report.room,
            reported_s: seconds(report.reported_us),
        });
        let ratings = store.ratings(id).await?.into_iter().map(|rating| ExportedRating {
            mode: rating.mode,
            rating: rating.rating,
            deviation: rating.deviation,
            matches: rating.matches,
        });
        Ok(Export {
            id: id.to_string(),
            name: account.name.clone(),
            keeps_name: account.keeps_name,
            role: account.role.name(),
            created_s: seconds(account.created_us),
            seen_s: seconds(account.seen_us),
            password_set_s: store.password_changed(id).await?.map(seconds),
            passkeys: passkeys.collect(),
            identities: identities
                .map(|found| ExportedIdentity { issuer: found.issuer, subject: found.subject })
                .collect(),
            recovery_codes_left: store.recovery_codes_left(id).await?,
            browsers: browsers.collect(),
            friends: store.friends(id).await?.into_iter().map(friend).collect(),
            friend_link: store.friend_link(id, now_us()).await?.map(link),
            mutes: store.mutes(id).await?.into_iter().map(|(muted, _)| muted.to_string()).collect(),
            restrictions: self.restrictions(id).await?,
            reports: reports.collect(),
            settings: self.settings(id).await?,
            ratings: ratings.collect(),
            totals: store.all_totals(id).await?.into_iter().map(totals).collect(),
            more_results_before: last.map(|last| ResultCursor::of(last).to_string()),
            results: results.into_iter().map(result).collect(),
        })
    }

    /// What moderators imposed on an account, as far as it is in force.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn restrictions(&self, account: AccountId) -> Result<Vec<RestrictionView>, AccountError> {
        let found = self.store.restrictions_of(account, now_us()).await?;
        let view = |found: broadside_store::moderation::Restriction| RestrictionView {
            kind: match found.kind {
                RestrictionKind::Ban => "ban",
                RestrictionKind::Mute => "mute",
            },
            until_s: found.until_us.map(seconds),
            reason: found.reason,
        };
        Ok(found.into_iter().map(view).collect())
    }
}

/// Where a page of results goes on, as text `MICROSECONDS-ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResultCursor {
    ended_us: i64,
    id: [u8; 16],
}

impl ResultCursor {
    /// Before which lies everything.
    pub(crate) const END: ResultCursor = ResultCursor { ended_us: i64::MAX, id: [0xff; 16] };

    fn of(result: &KeptResult) -> ResultCursor {
        ResultCursor { ended_us: result.ended_us, id: result.match_id }
    }
}

impl std::fmt::Display for ResultCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ended_us, hex(&self.id))
    }
}

impl std::str::FromStr for ResultCursor {
    type Err = String;

    fn from_str(text: &str) -> Result<ResultCursor, String> {
        let parse = || {
            let (ended_us, id) = text.split_once('-')?;
            Some(ResultCursor { ended_us: ended_us.parse().ok()?, id: unhex(id)?.try_into().ok()? })
        };
        parse().ok_or_else(|| "before: must be the `more_results_before` of an export".to_owned())
    }
}

fn friend(friend: broadside_store::friends::Friend) -> ExportedFriend {
    let (friendship, since_us) = match friend.friendship {
        Friendship::Requested => ("requested", None),
        Friendship::Asked => ("asked", None),
        Friendship::Since(since_us) => ("friend", Some(since_us)),
    };
    let broadside_store::friends::Friend { account: Account { id, name, .. }, .. } = friend;
    ExportedFriend { id: id.to_string(), name, friendship, since_s: since_us.map(seconds) }
}

fn link(link: broadside_store::friends::FriendLink) -> ExportedLink {
    ExportedLink { code: link.code, expires_s: seconds(link.expires_us) }
}

fn totals(sums: Totals) -> ExportedTotals {
    let Totals { mode, period, score, kills, deaths, shots, hits, streak, results, wins, played_ms } = sums;
    ExportedTotals { mode, period, score, kills, deaths, shots, hits, streak, results, wins, played_ms }
}

fn result(kept: KeptResult) -> ExportedResult {
    let PlayerRecord { account: _, name, outcome, score, kills, deaths, shots, hits, streak, played_ms } = kept.player;
    ExportedResult {
        id: hex(&kept.match_id),
        mode: kept.mode,
        kind: match kept.kind {
            ResultKind::Match => "match",
            ResultKind::Stay => "stay",
        },
        outcome: match outcome {
            Outcome::None => "none",
            Outcome::Won => "won",
            Outcome::Lost => "lost",
            Outcome::Drawn => "drawn",
        },
        name,
        ended_s: seconds(kept.ended_us),
        score,
        kills,
        deaths,
        shots,
        hits,
        streak,
        played_ms,
    }
}

fn seconds(us: i64) -> i64 {
    us / 1_000_000
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] wrote; `None` for anything else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_refused() {
        for cursor in [ResultCursor::END, ResultCursor { ended_us: 5, id: [7; 16] }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for wrong in ["", "5", "5-", "x-07070707070707070707070707070707", "5-+7070707070707070707070707070707", "5-é"]
        {
            assert!(wrong.parse::<ResultCursor>().is_err(), "{wrong}");
        }
    }
}
