//! Leaderboards of what is kept: of a day, a week, a season or all time, of everyone or of friends.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use broadside_shared::protocol::room::ModeId;
use broadside_store::accounts::AccountId;
use broadside_store::boards::{After, Entry, Measure};
use broadside_store::period::{Period, Season};
use broadside_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::recent::Recent;
use super::accounts::browser::{SignedIn, not_signed_in};
use super::tagged::{Audience, json, tagged};
use super::{Parameters, WRONG_CURSOR, cursor, mode_named, page_limit, store_failed};
use crate::app::App;
use crate::problem::{Problem, problem};
use crate::store::now_us;

/// Entries of a page unless `limit` says otherwise.
const ENTRIES: u32 = 50;

/// The pages that were looked at in the last second.
pub(crate) type RecentBoards = Recent<BoardKey, Arc<Page>>;

/// Which leaderboard.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BoardQuery {
    /// The name of one of the game's modes; its first by default.
    mode: Option<String>,
    /// today, week or season: the current ones, in UTC; all: all time, which is the default; season:NAME: a past season of /api/seasons.
    period: Option<String>,
    /// What the leaderboard is ordered by; score by default. Ratings are those of now, so their period is all, and they have one page.
    #[param(inline)]
    by: Option<By>,
    /// Whose leaderboard; everyone's by default. That of friends, who include oneself, has one page.
    #[param(inline)]
    scope: Option<Scope>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// Most entries in the page, 1 to 100; 50 by default.
    limit: Option<u32>,
}

/// What a leaderboard is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    Score,
    Kills,
    Wins,
    Rating,
}

/// Whose leaderboard it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    All,
    Friends,
}

/// A page of a leaderboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BoardView {
    /// Name of the mode.
    mode: &'static str,
    /// As asked for.
    period: String,
    /// What it is ordered by.
    by: By,
    /// Whose it is.
    scope: Scope,
    /// The current season.
    season: SeasonView,
    /// Entries, best first. Who has nothing to show is not among them.
    entries: Vec<EntryView>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// An entry of a leaderboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryView {
    /// From 1. Equal values share a rank, and as many ranks are left out after it.
    rank: u64,
    /// Whether others share the rank.
    tied: bool,
    /// Player name; null for a guest who has not played under one.
    name: Option<String>,
    /// Whether the name belongs to the player, who then has a page; a guest's does not.
    keeps_name: bool,
    /// Score, kills, wins or rating.
    value: i64,
    /// Whether it is the account that asks.
    you: bool,
}

/// The current season.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeasonView {
    /// Such as 2026-q4.
    name: String,
    /// When it ends, in seconds since 1970.
    ends_s: i64,
}

/// The seasons that there are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeasonsView {
    /// The current season.
    current: SeasonView,
    /// Names of past seasons with results, the newest first, at most 100.
    past: Vec<String>,
}

/// What identifies a page of everyone's leaderboard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BoardKey {
    board: Board,
    after: Option<[u8; AFTER]>,
    limit: u32,
}

/// A leaderboard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Board {
    mode: &'static str,
    period: Period,
    by: By,
}

/// Part of a leaderboard.
#[derive(Debug)]
pub(crate) struct Page {
    entries: Vec<Entry>,
    /// Whether the entry before the first, or the one behind the last, shares its rank.
    tied_ends: [bool; 2],
    next: Option<String>,
}

/// Shows a leaderboard of what is kept. The live one of all public rooms is /api/leaderboard.
#[utoipa::path(
    get,
    path = "/api/leaderboards",
    params(BoardQuery),
    responses(
        (status = 200, body = BoardView),
        (status = 304, description = "The client has it"),
        (status = 400, description = "A parameter is wrong", body = Problem),
        (status = 401, description = "Friends are asked for, and the browser is not signed in", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn leaderboards(
    State(app): State<Arc<App>>,
    Extension(recent): Extension<Arc<RecentBoards>>,
    headers: HeaderMap,
    signed_in: Option<SignedIn>,
    Parameters(query): Parameters<BoardQuery>,
) -> Response {
    let viewer = signed_in.map(|signed_in| signed_in.account.id);
    let now = now_us();
    let asked = match query.check(&app, now) {
        Ok(asked) => asked,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let Asked { key, scope } = asked;
    let page = match (scope, viewer) {
        (Scope::All, _) => {
            let load = load(&app.store, key.clone());
            recent.get(key.clone(), app.lobby.context.clock.now(), load).await
        }
        (Scope::Friends, Some(account)) => of_friends(&app.store, account, &key.board).await,
        (Scope::Friends, None) => return not_signed_in(),
    };
    match page {
        Ok(page) => {
            let period = query.period.unwrap_or_else(|| "all".to_owned());
            let view = BoardView {
                mode: key.board.mode,
                period,
                by: key.board.by,
                scope,
                season: SeasonView::at(app.config.season, now),
                entries: page.entries(viewer),
                next: page.next.clone(),
            };
            let audience = if viewer.is_some() { Audience::Account } else { Audience::Everyone };
            tagged(&headers, &json(&view), audience)
        }
        Err(error) => store_failed(&error),
    }
}

/// Lists the seasons.
#[utoipa::path(
    get,
    path = "/api/seasons",
    responses(
        (status = 200, body = SeasonsView),
        (status = 304, description = "The client has it"),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn seasons(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match app.store.seasons().await {
        Ok(mut past) => {
            let current = SeasonView::at(app.config.season, now_us());
            past.retain(|name| *name != current.name);
            tagged(&headers, &json(&SeasonsView { current, past }), Audience::Everyone)
        }
        Err(error) => store_failed(&error),
    }
}

/// A query whose every parameter is right.
struct Asked {
    key: BoardKey,
    scope: Scope,
}

impl BoardQuery {
    /// The page that is asked for.
    ///
    /// # Errors
    /// A sentence for the client about the first wrong parameter.
    fn check(&self, app: &App, now_us: i64) -> Result<Asked, String> {
        let mode = self.mode.as_deref().map_or(Ok(ModeId(0)), |mode| mode_named(&app.game, mode))?;
        let by = self.by.unwrap_or(By::Score);
        let period = match self.period.as_deref() {
            None => Period::All,
            Some(name) => period_named(name, app.config.season, now_us)?,
        };
        if by == By::Rating && period != Period::All {
            return Err("ratings are those of now: by=rating goes with period=all, or without a period".to_owned());
        }
        let limit = page_limit(self.limit, ENTRIES)?;
        let scope = self.scope.unwrap_or(Scope::All);
        let board = Board { mode: app.game.mode_name(mode), period, by };
        let after = match self.cursor.as_deref() {
            None => None,
            Some(_) if by == By::Rating || scope == Scope::Friends => return Err(WRONG_CURSOR.to_owned()),
            Some(text) => Some(cursor::read(&board.name(), text).ok_or(WRONG_CURSOR)?),
        };
        Ok(Asked { key: BoardKey { board, after, limit }, scope })
    }
}

/// The period with this name.
///
/// # Errors
/// A sentence for the client: the name, and the names there are.
fn period_named(name: &str, season: Season, now_us: i64) -> Result<Period, String> {
    let is_season = |name: &str| {
        (4..=7).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit() || b"-q".contains(&byte))
    };
    match name {
        "all" => Ok(Period::All),
        "today" => Ok(Period::day(now_us)),
        "week" => Ok(Period::week(now_us)),
        "season" => Ok(season.at(now_us)),
        _ => match name.strip_prefix("season:") {
            Some(past) if is_season(past) => Ok(Period::Season(past.to_owned())),
            Some(_) | None => {
                let name: String = name.chars().take(32).collect();
                Err(format!(
                    "period is `{name}`, must be today, week, season, all, or season:NAME with a name of /api/seasons"
                ))
            }
        },
    }
}

/// Part of everyone's leaderboard.
async fn load(store: &Store, BoardKey { board, after, limit }: BoardKey) -> Result<Arc<Page>, StoreError> {
    let after = after.map(after_of);
    // One more than asked for tells whether there is a next page, and whether the last one's rank goes on.
    let mut entries = match board.by.measure() {
        Some(measure) => store.board(board.mode, &board.period, measure, after, limit + 1).await?,
        None => store.rating_board(board.mode, limit + 1).await?,
    };
    let behind = entries.split_off(entries.len().min(limit as usize));
    let (first, last) = (entries.first(), entries.last());
    let tied_ends = [
        first.zip(after).is_some_and(|(first, after)| first.rank == after.rank),
        last.zip(behind.first()).is_some_and(|(last, behind)| last.rank == behind.rank),
    ];
    let next = last.filter(|_| !behind.is_empty() && board.by != By::Rating).map(|last| {
        let count = after.map_or(0, |after| after.count) + entries.len() as u64;
        cursor::write(&board.name(), &place(last, count))
    });
    Ok(Arc::new(Page { entries, tied_ends, next }))
}

/// The whole leaderboard of an account and its friends, who are few.
async fn of_friends(store: &Store, account: AccountId, board: &Board) -> Result<Arc<Page>, StoreError> {
    let entries = match board.by.measure() {
        Some(measure) => store.board_of_friends(account, board.mode, &board.period, measure).await?,
        None => store.rating_board_of_friends(account, board.mode).await?,
    };
    Ok(Arc::new(Page { entries, tied_ends: [false; 2], next: None }))
}

/// Bytes of a place in a leaderboard: value, account, rank, and how many entries there are up to it.
const AFTER: usize = 40;

fn place(last: &Entry, count: u64) -> Vec<u8> {
    [&last.value.to_be_bytes()[..], &last.account.0, &last.rank.to_be_bytes(), &count.to_be_bytes()].concat()
}

fn after_of(place: [u8; AFTER]) -> After {
    let number = |at: usize| place[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let mut account = [0; 16];
    account.copy_from_slice(&place[8..24]);
    After { value: number(0).cast_signed(), account: AccountId(account), rank: number(24), count: number(32) }
}

impl By {
    /// `None` for the rating, which is not summed.
    fn measure(self) -> Option<Measure> {
        match self {
            By::Score => Some(Measure::Score),
            By::Kills => Some(Measure::Kills),
            By::Wins => Some(Measure::Wins),
            By::Rating => None,
        }
    }
}

impl Board {
    /// What its cursors are bound to.
    fn name(&self) -> String {
        format!("{} of {} by {:?}", self.mode, self.period.key(), self.by)
    }
}

impl Page {
    /// The entries, as an account sees them.
    fn entries(&self, viewer: Option<AccountId>) -> Vec<EntryView> {
        let [first_is_tied, last_is_tied] = self.tied_ends;
        let rank = |at: usize| self.entries.get(at).map(|entry| entry.rank);
        let tied = |at: usize| {
            (at == 0 && first_is_tied)
                || (at + 1 == self.entries.len() && last_is_tied)
                || rank(at + 1) == rank(at)
                || (at > 0 && rank(at - 1) == rank(at))
        };
        let view = |(at, entry): (usize, &Entry)| EntryView {
            rank: entry.rank,
            tied: tied(at),
            name: Some(entry.name.clone()).filter(|name| !name.is_empty()),
            keeps_name: entry.keeps_name,
            value: entry.value,
            you: viewer == Some(entry.account),
        };
        self.entries.iter().enumerate().map(view).collect()
    }
}

impl SeasonView {
    fn at(season: Season, now_us: i64) -> SeasonView {
        let name = season.at(now_us).key().trim_start_matches("season:").to_owned();
        SeasonView { name, ends_s: season.ends_us(now_us) / 1_000_000 }
    }
}
