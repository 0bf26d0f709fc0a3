//! The public HTTP API, one file per resource, and what their handlers share: JSON bodies and refusals.
//!
//! | module | endpoints |
//! |---|---|
//! | [`admin`] | `/api/admin/...`, for moderators |
//! | [`rooms`] | `/api/rooms`, `/api/rooms/{id}` |
//! | [`quick_play`] | `/api/quickplay` |
//! | [`leaderboard`] | `/api/leaderboard`, live |
//! | [`leaderboards`] | `/api/leaderboards`, `/api/seasons` |
//! | [`players`] | `/api/players/{name}` |
//! | [`friends`] | `/api/friends`, `/api/friend-link` and what is below them |
//! | [`results`] | `/api/players/{name}/results`, `/api/matches/{id}` |
//! | [`recordings`] | `/api/recordings/{id}` |
//! | [`notices`] | `/api/notices` |
//! | [`schema`] | `/api/schema` |
//! | [`accounts`] | `/api/account` and what is below it |
//! | [`health`] | `/healthz`, `/readyz` |
//! | [`description`] | `/api/openapi.json`, generated from the handlers above |
//! | [`tagged`], [`cursor`], [`presence`] | none: JSON that is not sent twice, where a page of a list begins, where a player is |

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod cursor;
pub mod description;
pub(crate) mod friends;
pub(crate) mod health;
pub(crate) mod leaderboard;
pub(crate) mod leaderboards;
pub(crate) mod nodes;
pub(crate) mod notices;
pub(crate) mod players;
pub(crate) mod presence;
pub(crate) mod quick_play;
pub(crate) mod recordings;
pub(crate) mod results;
pub(crate) mod rooms;
pub(crate) mod schema;
pub(crate) mod tagged;

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use broadside_shared::game::ModeSpec;
use broadside_shared::protocol::room::ModeId;
use broadside_store::StoreError;
use serde::de::DeserializeOwned;

use crate::app::{App, GameInfo};
use crate::problem::{Problem, problem};

/// A JSON request body; one that cannot be read is refused with problem details.
pub(crate) struct Body<T>(T);

impl<S: Send + Sync, T> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Body(body)),
            Err(wrong) => Err(problem(wrong.status(), &wrong.body_text())),
        }
    }
}

/// The query of a request; one that cannot be read is refused with problem details.
pub(crate) struct Parameters<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Parameters(query)),
            Err(wrong) => Err(problem(StatusCode::BAD_REQUEST, &wrong.body_text())),
        }
    }
}

/// Most entries in a page of a list.
const PAGE_MAX: u32 = 100;

/// How many entries a page has: as many as asked for, or `default`.
///
/// # Errors
/// A sentence for the client, if the number is too large or 0.
fn page_limit(asked: Option<u32>, default: u32) -> Result<u32, String> {
    let limit = asked.unwrap_or(default);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(format!("limit is {limit}, must be 1 to {PAGE_MAX} (default {default})"))
}

/// The refusal of a cursor.
const WRONG_CURSOR: &str =
    "the cursor is damaged or of another list; use `next` of the page before, or none for the first page";

/// Seconds after which a client may ask again when the database does not answer.
const DATABASE_RETRY_S: &str = "5";

/// The answer when a query fails.
fn store_failed(error: &StoreError) -> Response {
    match error {
        StoreError::Unavailable(_) => {
            let detail = "the database does not answer; play goes on, and what is earned is kept";
            ([(RETRY_AFTER, DATABASE_RETRY_S)], problem(StatusCode::SERVICE_UNAVAILABLE, detail)).into_response()
        }
        StoreError::Conflict(_) | StoreError::Failed(_) => {
            tracing::error!(%error, "a query failed");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
        }
    }
}

/// Refusals of a body before its handler runs.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "a description of what the framework answers")]
enum BodyRefused {
    /// The request comes from a page of another origin, which may not connect
    #[response(status = 403)]
    OtherOrigin(Problem),
    /// The body is too long
    #[response(status = 413)]
    TooLong(Problem),
    /// The content-type header is missing or does not say JSON
    #[response(status = 415)]
    NotJson(Problem),
    /// The JSON lacks a field, or has an unknown field or one of the wrong type
    #[response(status = 422)]
    OtherFields(Problem),
}

/// The refusal if this address creates rooms or reservations too fast.
fn rate_limited(app: &App, address: IpAddr) -> Option<Response> {
    app.lobby.may_ask(address).err().map(|wait_s| too_fast(wait_s, address))
}

/// The mode with this name.
///
/// # Errors
/// A sentence for the client: the name, and the names there are.
fn mode_named(game: &GameInfo, name: &str) -> Result<ModeId, String> {
    ModeSpec::named(game.modes, name).ok_or_else(|| {
        let (name, all): (String, Vec<_>) =
            (name.chars().take(32).collect(), game.modes.iter().map(|mode| mode.name).collect());
        format!("no mode is called `{name}`; there is {}", all.join(", "))
    })
}

fn too_fast(wait_s: u64, address: IpAddr) -> Response {
    let detail = format!("too many requests from {address}; try again in {wait_s} s");
    ([(RETRY_AFTER, wait_s.to_string())], problem(StatusCode::TOO_MANY_REQUESTS, &detail)).into_response()
}

fn too_many_rooms() -> Response {
    let detail =
        "your address has as many rooms open as it may have; join one of them, or try again when one has ended";
    ([(RETRY_AFTER, "10")], problem(StatusCode::TOO_MANY_REQUESTS, detail)).into_response()
}

/// The refusal of whoever wants into a server that is about to restart.
fn draining() -> Response {
    let detail = "the server is about to restart, and lets nobody in; try again in a moment";
    ([(RETRY_AFTER, "10")], problem(StatusCode::SERVICE_UNAVAILABLE, detail)).into_response()
}

fn uncached(body: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, "no-store")], body).into_response()
}
