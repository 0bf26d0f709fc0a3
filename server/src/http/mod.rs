//! HTTP: the assets, the public API, the metrics, and the way to the WebSocket.

pub mod api;
pub mod assets;
pub mod base;
pub mod bounds;
pub mod in_flight;
pub mod metrics;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use broadside_shared::game::Game;

use crate::App;
use crate::net::upgrade::upgrade;

/// The path of the figures.
const METRICS: &str = "/metrics";
/// The path of the WebSocket.
const WEBSOCKET: &str = "/ws";
/// Longest body of a request in bytes: those that there are say a few words.
const BODY_MAX: usize = 16 * 1024;

/// Every route of the server.
pub fn router<G: Game>(app: Arc<App<G>>) -> Router {
    Router::new()
        .route(WEBSOCKET, any(upgrade::<G>))
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
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), bounds::bounds::<G>))
        .with_state(app)
}

/// A refusal as problem details (RFC 9457).
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("error").to_owned();
    let body = api::Problem { title, status: status.as_u16(), detail: detail.to_owned() };
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
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
