//! The public HTTP API, one file per resource, and what their handlers share: JSON bodies and refusals.
//!
//! | module | endpoints |
//! |---|---|
//! | [`rooms`] | `/api/rooms`, `/api/rooms/{id}` |
//! | [`quick_play`] | `/api/quickplay` |
//! | [`leaderboard`] | `/api/leaderboard` |
//! | [`notices`] | `/api/notices` |
//! | [`schema`] | `/api/schema` |
//! | [`accounts`] | `/api/account` and what is below it |
//! | [`health`] | `/healthz` |
//! | [`description`] | `/api/openapi.json`, generated from the handlers above |

pub(crate) mod accounts;
pub mod description;
pub(crate) mod health;
pub(crate) mod leaderboard;
pub(crate) mod notices;
pub(crate) mod quick_play;
pub(crate) mod rooms;
pub(crate) mod schema;

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::{Game, ModeSpec};
use broadside_shared::protocol::room::ModeId;

use crate::app::App;
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
fn rate_limited<G: Game>(app: &App<G>, address: IpAddr) -> Option<Response> {
    app.lobby.may_ask(address).err().map(|wait_s| too_fast(wait_s, address))
}

/// The mode with this name.
///
/// # Errors
/// A sentence for the client: the name, and the names there are.
fn mode_named<G: Game>(name: &str) -> Result<ModeId, String> {
    ModeSpec::named(G::MODES, name).ok_or_else(|| {
        let (name, all): (String, Vec<_>) =
            (name.chars().take(32).collect(), G::MODES.iter().map(|mode| mode.name).collect());
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

fn uncached(body: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, "no-store")], body).into_response()
}
