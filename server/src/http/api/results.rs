//! Results: those of a player, and those of a match. Only the server writes them; nothing here takes one.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use broadside_store::results::{KeptResult, Outcome, ResultKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::players::{accuracy, looks_of, nobody};
use super::tagged::{Audience, json, tagged};
use super::{Parameters, WRONG_CURSOR, cursor, page_limit, store_failed};
use crate::app::App;
use crate::problem::{Problem, problem};
use crate::recordings::RecordingId;

/// Results of a page unless `limit` says otherwise.
const RESULTS: u32 = 20;

/// Which of a player's results.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultsQuery {
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
    /// Most results in the page, 1 to 100; 20 by default.
    limit: Option<u32>,
}

/// A page of a player's results, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResultsView {
    results: Vec<ResultView>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// What a player reached in a match, or in a stay in a room without matches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResultView {
    /// Number of the match or stay, in hexadecimal: /api/matches/{id}.
    #[serde(rename = "match")]
    match_id: String,
    /// Name of the mode.
    mode: String,
    /// match or stay.
    kind: &'static str,
    /// Whether it can be watched again: /api/recordings/{id}, and the page /replay/{id}.
    recorded: bool,
    /// When it ended, in seconds since 1970.
    ended_s: i64,
    #[serde(flatten)]
    reached: ReachedView,
}

/// What a player reached.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReachedView {
    /// won, lost, drawn, or none where there was nothing to win.
    outcome: &'static str,
    score: i64,
    kills: u32,
    deaths: u32,
    /// Shots fired.
    shots: u32,
    /// Shots that hit.
    hits: u32,
    /// Hits per shot, 0 to 1; null without a shot.
    accuracy: Option<f64>,
    /// Most kills in one life.
    longest_streak: u32,
    /// Seconds played.
    played_s: u32,
}

/// A match, or a stay.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchResultView {
    /// Number in hexadecimal.
    id: String,
    /// Name of the mode.
    mode: String,
    /// match or stay.
    kind: &'static str,
    /// Whether it can be watched again: /api/recordings/{id}, and the page /replay/{id}.
    recorded: bool,
    /// When it ended, in seconds since 1970.
    ended_s: i64,
    /// Who played, without the server's own bots.
    players: Vec<MatchPlayerView>,
}

/// A player of a match.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchPlayerView {
    /// The name played under; null after the account was deleted.
    name: Option<String>,
    #[serde(flatten)]
    reached: ReachedView,
}

/// Lists the results of a player.
#[utoipa::path(
    get,
    path = "/api/players/{name}/results",
    params(
        ("name" = String, Path, description = "A name that an account keeps, in any spelling that looks like it"),
        ResultsQuery
    ),
    responses(
        (status = 200, body = ResultsView),
        (status = 304, description = "The client has it"),
        (status = 400, description = "A parameter is wrong", body = Problem),
        (status = 404, description = "No account keeps this name", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn player_results(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
    Parameters(query): Parameters<ResultsQuery>,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let limit = match page_limit(query.limit, RESULTS) {
        Ok(limit) => limit,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let account = match app.store.account_named(&looks_of(&name)).await {
        Ok(Some(account)) => account.id,
        Ok(None) => return nobody(&name),
        Err(error) => return store_failed(&error),
    };
    let list = format!("results of {}", hex(&account.0));
    let before = match query.cursor.as_deref().map(|text| cursor::read(&list, text).map(place_of)) {
        Some(None) => return problem(StatusCode::BAD_REQUEST, WRONG_CURSOR),
        Some(Some(before)) => before,
        None => (i64::MAX, [0xff; 16]),
    };
    // One more than asked for tells whether there is a next page.
    match app.store.results_of(account, before, limit + 1).await {
        Ok(mut results) => {
            let is_last = results.len() <= limit as usize;
            results.truncate(limit as usize);
            let next = results.last().filter(|_| !is_last).map(|last| cursor::write(&list, &place(last)));
            let recorded = recorded(&app, results.iter().map(|result| result.match_id).collect()).await;
            let view = |(result, recorded): (&KeptResult, bool)| ResultView::of(result, recorded);
            let page = ResultsView { results: results.iter().zip(recorded).map(view).collect(), next };
            tagged(&headers, &json(&page), Audience::Everyone)
        }
        Err(error) => store_failed(&error),
    }
}

/// Shows a match with all its players.
#[utoipa::path(
    get,
    path = "/api/matches/{id}",
    params(("id" = String, Path, description = "Number of the match or stay, 32 hexadecimal digits")),
    responses(
        (status = 200, body = MatchResultView),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No such match", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn match_result(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let Some(number) = from_hex(&id) else { return no_such_match(&id) };
    match app.store.results_of_match(number).await {
        Ok(results) => match results.first() {
            Some(first) => {
                let is_recorded = recorded(&app, vec![number]).await == [true];
                tagged(&headers, &json(&MatchResultView::of(first, &results, is_recorded)), Audience::Everyone)
            }
            None => no_such_match(&id),
        },
        Err(error) => store_failed(&error),
    }
}

/// Which of these matches, or last minutes, are recorded.
pub(super) async fn recorded(app: &App, matches: Vec<[u8; 16]>) -> Vec<bool> {
    let shelf = Arc::clone(&app.shelf);
    let count = matches.len();
    let look = move || matches.into_iter().map(|id| shelf.has(RecordingId(id))).collect();
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| vec![false; count])
}

fn no_such_match(id: &str) -> Response {
    let id: String = id.chars().take(40).collect();
    problem(StatusCode::NOT_FOUND, &format!("there is no match `{id}`; a match has 32 hexadecimal digits"))
}

/// Where a page behind this result begins.
fn place(result: &KeptResult) -> [u8; 24] {
    let mut place = [0; 24];
    place[..8].copy_from_slice(&result.ended_us.to_be_bytes());
    place[8..].copy_from_slice(&result.match_id);
    place
}

fn place_of(place: [u8; 24]) -> (i64, [u8; 16]) {
    let [a, b, c, d, e, f, g, h, id @ ..] = place;
    (i64::from_be_bytes([a, b, c, d, e, f, g, h]), id)
}

impl ResultView {
    fn of(result: &KeptResult, recorded: bool) -> ResultView {
        ResultView {
            match_id: hex(&result.match_id),
            mode: result.mode.clone(),
            kind: kind(result),
            recorded,
            ended_s: result.ended_us / 1_000_000,
            reached: ReachedView::of(result),
        }
    }
}

impl ReachedView {
    fn of(result: &KeptResult) -> ReachedView {
        let player = &result.player;
        ReachedView {
            outcome: match player.outcome {
                Outcome::None => "none",
                Outcome::Won => "won",
                Outcome::Lost => "lost",
                Outcome::Drawn => "drawn",
            },
            score: player.score,
            kills: player.kills,
            deaths: player.deaths,
            shots: player.shots,
            hits: player.hits,
            accuracy: accuracy(player.hits.into(), player.shots.into()),
            longest_streak: player.streak,
            played_s: player.played_ms / 1000,
        }
    }
}

impl MatchResultView {
    fn of(first: &KeptResult, results: &[KeptResult], recorded: bool) -> MatchResultView {
        let player = |result: &KeptResult| MatchPlayerView {
            name: Some(result.player.name.clone()).filter(|name| !name.is_empty()),
            reached: ReachedView::of(result),
        };
        MatchResultView {
            id: hex(&first.match_id),
            mode: first.mode.clone(),
            kind: kind(first),
            recorded,
            ended_s: first.ended_us / 1_000_000,
            players: results.iter().map(player).collect(),
        }
    }
}

fn kind(result: &KeptResult) -> &'static str {
    match result.kind {
        ResultKind::Match => "match",
        ResultKind::Stay => "stay",
    }
}

/// An id as 32 hexadecimal digits in lower case.
pub(super) fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

/// The bytes of 32 hexadecimal digits in lower case, as [`hex`] writes them.
pub(super) fn from_hex(text: &str) -> Option<[u8; 16]> {
    let bytes = u128::from_str_radix(text, 16).ok()?.to_be_bytes();
    (hex(&bytes) == text).then_some(bytes)
}
