//! HTTP: the assets, health, the list of rooms, the metrics, and the way to the WebSocket.

pub mod assets;
pub mod metrics;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use broadside_shared::game::Game;
use serde::Serialize;

use crate::App;
use crate::net::upgrade::upgrade;

/// Every route of the server.
pub fn router<G: Game>(app: Arc<App<G>>) -> Router {
    Router::new()
        .route("/ws", any(upgrade::<G>))
        .route("/healthz", get(healthz::<G>))
        .route("/metrics", get(metrics::metrics::<G>))
        .route("/api/rooms", get(rooms::<G>))
        .route("/api/{*rest}", any(no_such_route))
        .fallback(assets::serve::<G>)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

/// A refusal as problem details (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> impl IntoResponse + use<> {
    #[derive(Serialize)]
    struct Problem<'a> {
        title: &'a str,
        status: u16,
        detail: &'a str,
    }
    let title = status.canonical_reason().unwrap_or("error");
    let mut response = (status, Json(Problem { title, status: status.as_u16(), detail })).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

async fn no_such_route(uri: axum::http::Uri) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no {}; see /api/rooms and /healthz", uri.path())).into_response()
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, &format!("{} does not answer {method}; use GET", uri.path()))
        .into_response()
}

/// 200 while every room ticks, 503 when one does not.
async fn healthz<G: Game>(State(app): State<Arc<App<G>>>) -> Response {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
        version: &'static str,
        uptime_s: u64,
        rooms: usize,
        players: u32,
    }
    let rooms = app.directory.all();
    let alive = !rooms.is_empty() && rooms.iter().all(|room| !room.is_over());
    let health = Health {
        status: if alive { "ok" } else { "failing" },
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: app.clock.now().0 / 1_000_000,
        rooms: rooms.len(),
        players: rooms.iter().map(|room| u32::from(room.figures.players.load(Ordering::Relaxed))).sum(),
    };
    let status = if alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(HeaderName::from_static("cache-control"), "no-store")], Json(health)).into_response()
}

/// The rooms and what they say of themselves.
async fn rooms<G: Game>(State(app): State<Arc<App<G>>>) -> Response {
    #[derive(Serialize)]
    struct Room {
        id: u32,
        name: String,
        game: &'static str,
        players: u16,
        waiting: u32,
        capacity: u16,
        tick: u32,
        tick_hz: u32,
        tick_us: u32,
        snapshot_every: u32,
        overruns: u64,
        missed_ticks: u64,
        snapshots: u64,
        superseded: u64,
        budget_steps_down: u64,
        budget_steps_up: u64,
        governor_level: u8,
    }
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let rooms: Vec<Room> = app
        .directory
        .all()
        .iter()
        .map(|room| Room {
            id: room.id.0,
            name: room.name.clone(),
            game: G::NAME,
            players: room.figures.players.load(Ordering::Relaxed),
            waiting: room.figures.waiting.load(Ordering::Relaxed),
            capacity: room.config.capacity,
            tick: room.figures.tick.load(Ordering::Relaxed),
            tick_hz: G::TICK_HZ,
            tick_us: room.figures.tick_us.load(Ordering::Relaxed),
            snapshot_every: room.config.snapshot_every,
            overruns: load(&room.figures.overruns),
            missed_ticks: load(&room.figures.missed),
            snapshots: load(&room.figures.snapshots),
            superseded: load(&room.figures.superseded),
            budget_steps_down: load(&room.figures.budget_steps_down),
            budget_steps_up: load(&room.figures.budget_steps_up),
            governor_level: room.figures.level.load(Ordering::Relaxed),
        })
        .collect();
    ([(HeaderName::from_static("cache-control"), "no-store")], Json(rooms)).into_response()
}
