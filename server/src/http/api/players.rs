//! Players: what the accounts that keep a name have reached.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use broadside_shared::protocol::name::Name;
use broadside_store::StoreError;
use broadside_store::accounts::Account;
use broadside_store::boards::{DEVIATION_MAX, Measure, RANK_MAX};
use broadside_store::period::Period;
use broadside_store::results::{Rating, Totals};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::recent::Recent;
use super::super::store::StoredFile;
use super::presence::{Elsewhere, PresenceView};
use super::store_failed;
use super::tagged::{Audience, json, tagged};
use crate::app::App;
use crate::lobby::names::Looks;
use crate::problem::{Problem, problem};
use crate::store::now_us;

/// Days in the plot of a player.
const DAYS: i64 = 30;

const DAY_US: i64 = 86_400_000_000;

/// The players that were looked at in the last second, by the looks of their names.
pub(crate) type RecentPlayers = Recent<Vec<String>, Option<Arc<StoredFile>>>;

/// A player.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlayerView {
    /// The name, as its owner writes it.
    name: String,
    /// Whether the name belongs to an account; always true, since guests have no page.
    keeps_name: bool,
    /// When the account was made, in seconds since 1970.
    since_s: i64,
    /// Sums over all time, one for each mode that the player has played.
    totals: Vec<TotalsView>,
    /// Ranks by score, of all time and of the current season.
    ranks: Vec<RankView>,
    /// Strengths in rated modes.
    ratings: Vec<RatingView>,
    /// The last 30 days (UTC), the oldest first.
    days: Vec<DayView>,
    /// Where the player is.
    #[serde(flatten)]
    presence: PresenceView,
}

/// Sums of results.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotalsView {
    /// Name of the mode.
    mode: String,
    /// Sum of scores.
    score: i64,
    kills: i64,
    deaths: i64,
    /// Shots fired.
    shots: i64,
    /// Shots that hit.
    hits: i64,
    /// Hits per shot, 0 to 1; null without a shot.
    accuracy: Option<f64>,
    /// Most kills in one life.
    longest_streak: i64,
    /// How many matches, and stays in rooms without matches.
    results: i64,
    /// Matches won.
    wins: i64,
    /// Seconds played.
    played_s: i64,
}

/// A rank.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RankView {
    /// Name of the mode.
    mode: String,
    /// all, or season for the current one.
    period: &'static str,
    /// From 1; equal scores share a rank. 10,001 stands for every rank beyond 10,000.
    rank: u64,
}

/// A strength in a rated mode (Glicko-2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatingView {
    /// Name of the mode.
    mode: String,
    /// 1500 for a beginner.
    rating: i64,
    /// How far the rating may be off.
    deviation: i64,
    /// Rated matches.
    matches: i64,
    /// Whether the rating is not known well enough for the leaderboard: a deviation over 200.
    provisional: bool,
}

/// A day of a player.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayView {
    /// Such as 2026-11-27.
    day: String,
    /// Sum of scores.
    score: i64,
    /// How many matches and stays.
    results: i64,
}

/// Shows a player.
#[utoipa::path(
    get,
    path = "/api/players/{name}",
    params(("name" = String, Path, description = "A name that an account keeps, in any spelling that looks like it")),
    responses(
        (status = 200, body = PlayerView),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No account keeps this name", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn player(
    State(app): State<Arc<App>>,
    Extension(recent): Extension<Arc<RecentPlayers>>,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    // A path that is not valid UTF-8 names nobody.
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let looks = looks_of(&name);
    let query = player_json(&app, &looks);
    match recent.get(looks.clone(), app.lobby.context.clock.now(), query).await {
        Ok(Some(json)) => tagged(&headers, &json, Audience::Everyone),
        Ok(None) => nobody(&name),
        Err(error) => store_failed(&error),
    }
}

/// What a name looks like; nothing if it cannot be a name.
pub(super) fn looks_of(name: &str) -> Vec<String> {
    Name::new(name).map(|name| Looks::of(&name).each().map(str::to_owned).collect()).unwrap_or_default()
}

/// The refusal if no account keeps a name.
pub(super) fn nobody(name: &str) -> Response {
    let name: String = name.chars().take(32).collect();
    problem(StatusCode::NOT_FOUND, &format!("no player keeps the name `{name}`; guests have no page"))
}

async fn player_json(app: &App, looks: &[String]) -> Result<Option<Arc<StoredFile>>, StoreError> {
    let Some(account) = app.store.account_named(looks).await? else { return Ok(None) };
    Ok(Some(json(&view(app, account).await?)))
}

async fn view(app: &App, account: Account) -> Result<PlayerView, StoreError> {
    let (store, now) = (&app.store, now_us());
    let totals = store.totals(account.id).await?;
    let mut ranks = Vec::new();
    for Totals { mode, .. } in &totals {
        for (name, period) in [("all", Period::All), ("season", app.config.season.at(now))] {
            let rank = store.rank(account.id, mode, &period, Measure::Score).await?;
            ranks.extend(rank.map(|rank| RankView { mode: mode.clone(), period: name, rank }));
        }
    }
    let elsewhere = Elsewhere::ask(app, vec![account.id]).await;
    let first_us = now - (DAYS - 1) * DAY_US;
    let kept = store.days(account.id, first_us).await?;
    Ok(PlayerView {
        presence: PresenceView::of(app, account.id, &elsewhere),
        ratings: store.ratings(account.id).await?.into_iter().map(RatingView::of).collect(),
        name: account.name,
        keeps_name: account.keeps_name,
        since_s: account.created_us / 1_000_000,
        totals: totals.into_iter().map(TotalsView::of).collect(),
        ranks,
        days: (0..DAYS).map(|day| DayView::of(first_us + day * DAY_US, &kept)).collect(),
    })
}

impl TotalsView {
    fn of(totals: Totals) -> TotalsView {
        TotalsView {
            mode: totals.mode,
            score: totals.score,
            kills: totals.kills,
            deaths: totals.deaths,
            shots: totals.shots,
            hits: totals.hits,
            accuracy: accuracy(totals.hits, totals.shots),
            longest_streak: totals.streak,
            results: totals.results,
            wins: totals.wins,
            played_s: totals.played_ms / 1000,
        }
    }
}

/// Hits per shot to three decimals; `None` without a shot.
pub(super) fn accuracy(hits: i64, shots: i64) -> Option<f64> {
    (shots > 0).then(|| (hits as f64 / shots as f64 * 1000.0).round() / 1000.0)
}

impl RatingView {
    fn of(rating: Rating) -> RatingView {
        RatingView {
            mode: rating.mode,
            rating: rating.rating.round() as i64,
            deviation: rating.deviation.round() as i64,
            matches: rating.matches,
            provisional: rating.deviation > DEVIATION_MAX,
        }
    }
}

impl DayView {
    /// The sums of all modes.
    fn of(at_us: i64, kept: &[Totals]) -> DayView {
        let key = Period::day(at_us).key();
        let of_day = || kept.iter().filter(|totals| totals.period == key);
        DayView {
            score: of_day().map(|totals| totals.score).sum(),
            results: of_day().map(|totals| totals.results).sum(),
            day: key.trim_start_matches("day:").to_owned(),
        }
    }
}

const _: () = assert!(RANK_MAX == 10_000 && DEVIATION_MAX == 200.0, "as the descriptions above say");
