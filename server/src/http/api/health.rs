//! Health, for load balancers and monitors.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use serde::Serialize;
use utoipa::ToSchema;

use super::uncached;
use crate::app::App;
use crate::rooms::handle::RoomHandle;

/// Time without a tick after which a room counts as stuck, in microseconds.
const STUCK_US: u64 = 5_000_000;

/// Health of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// ok or failing.
    status: &'static str,
    /// Version of the server.
    version: &'static str,
    /// Seconds since the start.
    uptime_s: u64,
    /// Number of open rooms.
    rooms: usize,
    /// Players in all rooms.
    players: u32,
}

/// Answers 200 while every room ticks, 503 otherwise.
#[utoipa::path(
    get,
    path = "/healthz",
    responses((status = 200, body = Health), (status = 503, description = "A room does not tick", body = Health))
)]
pub(crate) async fn healthz<G: Game>(State(app): State<Arc<App<G>>>) -> Response {
    let rooms = app.lobby.directory.all();
    let now = app.lobby.context.clock.now();
    // An empty room sleeps; any other one is polled many times per second.
    let is_running = |room: &Arc<RoomHandle<G>>| {
        let looked_at = room.status.looked_at.load(Ordering::Relaxed);
        let asleep = room.status.asleep_since.load(Ordering::Relaxed) != 0;
        asleep || room.is_over() || now.0.saturating_sub(looked_at) < STUCK_US
    };
    let alive = !rooms.is_empty() && rooms.iter().all(is_running);
    let health = Health {
        status: if alive { "ok" } else { "failing" },
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: app.lobby.context.clock.now().0 / 1_000_000,
        rooms: rooms.len(),
        players: rooms.iter().map(|room| u32::from(room.status.players.load(Ordering::Relaxed))).sum(),
    };
    let status = if alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, uncached(Json(health))).into_response()
}
