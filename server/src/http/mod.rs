//! HTTP: the assets, the public API, the metrics, and the way to the WebSocket.
//!
//! | module | what it holds |
//! |---|---|
//! | [`bounds`] | whether the sender may stay, how long a request may take, and whether there is memory for its answer |
//! | [`door`] | which requests are let in, and what every answer carries |
//! | [`in_flight`] | the answers on their way |
//! | [`base`] | where the game is on its host |
//! | [`api`] | rooms, quick play, the leaderboard, health |
//! | [`assets`] | the browser client |
//! | [`metrics`] | the status, for the operator |
//! | [`store`] | files held in memory |
//! | [`condition`] | who has a file already |
//! | [`coding`] | who gets it compressed, and how |
//! | [`fields`] | header fields that hold lists |

pub mod api;
pub mod assets;
pub mod base;
pub mod bounds;
pub mod coding;
pub mod condition;
pub mod door;
pub mod fields;
pub mod in_flight;
pub mod metrics;
pub mod store;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Json, Router};
use broadside_shared::game::Game;

use crate::app::App;
use crate::operator::Shown;

/// Longest body of a request in bytes: the longest that makes sense is a notice of 200 characters.
const BODY_MAX_BYTES: usize = 16 * 1024;

/// The path of the status.
const METRICS: &str = "/metrics";
/// The path of the WebSocket.
const WEBSOCKET: &str = "/ws";

/// Every route of the server; `websocket` answers those who want to play.
pub fn router<G: Game>(app: Arc<App<G>>, websocket: MethodRouter<Arc<App<G>>>) -> Router {
    Router::new()
        .route(WEBSOCKET, websocket)
        .route("/healthz", get(api::healthz::<G>))
        .route(METRICS, get(metrics::metrics::<G>))
        .route("/api/rooms", get(api::rooms::<G>).post(api::open_room::<G>))
        .route("/api/rooms/{id}", get(api::room::<G>))
        .route("/api/quickplay", post(api::quick_play::<G>))
        .route("/api/leaderboard", get(api::leaderboard::<G>))
        .route("/api/notices", post(api::notice::<G>))
        .route("/api/openapi.json", get(api::description))
        .route("/api/{*rest}", any(no_such_route))
        .fallback(assets::serve::<G>)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), door::door::<G>))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), bounds::bounds::<G>))
        .layer(middleware::map_response(door::dress))
        .with_state(app)
}

/// The media type of problem details.
const PROBLEM_TYPE: &str = "application/problem+json";

/// A refusal as problem details (RFC 9457).
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let mut response = (status, Json(api::Problem::new(status, detail))).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
    // Some of these may be kept by caches that are not told otherwise (RFC 9110, section 15.1).
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal as problem details, as it goes over the wire where there is no HTTP server to write it; the connection ends with it.
#[must_use]
pub fn raw_problem(status: StatusCode, detail: &str, more: &[(HeaderName, &'static str)]) -> Vec<u8> {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(more.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
    door::complete(&mut headers);
    // Texts and a number become JSON whatever they are.
    let body = serde_json::to_vec(&api::Problem::new(status, detail)).unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in &headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    [bytes, b"\r\n".to_vec(), body].concat()
}

/// The refusal of what is the operator's alone (RFC 6750, section 3); `way_out` says what else would help.
fn not_the_operator(shown: Shown, way_out: &str) -> Response {
    let (what, challenge) = match shown {
        Shown::Wrong => ("the token is not the operator's", "Bearer realm=\"operator\", error=\"invalid_token\""),
        Shown::Nothing | Shown::Token => ("this is for the operator", "Bearer realm=\"operator\""),
    };
    let detail = format!(
        "{what}: send `Authorization: Bearer TOKEN` with the token in the file that the server's log names at its start; \
         {way_out}"
    );
    let mut response = problem(StatusCode::UNAUTHORIZED, detail.trim_end_matches("; "));
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

async fn no_such_route(uri: axum::http::Uri) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no {}; /api/openapi.json says what there is", uri.path()))
        .into_response()
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("{} does not answer {method}; /api/openapi.json says what it does", uri.path()),
    )
    .into_response()
}
