//! Health, for load balancers and monitors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{draining, uncached};
use crate::app::App;
use crate::problem::Problem;
use crate::rooms::entry::RoomEntry;
use crate::store::StoreHealth;

/// Time without a tick after which a room counts as stuck, in microseconds.
const STUCK_US: u64 = 5_000_000;

/// Health of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// ok, draining (healthy, and lets nobody in) or failing.
    status: &'static str,
    /// Version of the server.
    version: &'static str,
    /// Seconds since the start.
    uptime_s: u64,
    /// Number of open rooms.
    rooms: usize,
    /// Players in all rooms.
    players: u32,
    /// Where accounts and results are kept.
    store: StoreView,
    /// How the server stands with the other nodes of its cluster; null if it is alone.
    cluster: Option<ClusterView>,
}

/// How a node stands with the others. Play goes on without them, so the server is healthy all the same.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClusterView {
    /// Number of this node.
    node: u16,
    /// ok, failing while the NATS server does not answer, or duplicate while another node has this node's number.
    status: &'static str,
    /// Number of other nodes that are there.
    others: usize,
}

impl ClusterView {
    fn of(app: &App) -> Option<ClusterView> {
        let peers = app.lobby.peers.as_ref()?;
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let status = match (is(&peers.standing.is_duplicate), is(&peers.standing.is_connected)) {
            (true, _) => "duplicate",
            (false, true) => "ok",
            (false, false) => "failing",
        };
        let others = peers.view().nodes(app.lobby.context.clock.now()).count();
        Some(ClusterView { node: peers.node, status, others })
    }
}

/// How the store is doing. Play goes on without it, so the server is healthy all the same.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreView {
    /// SQLite or PostgreSQL.
    engine: &'static str,
    /// ok or failing: while the database fails, accounts cannot be used, and results wait.
    status: &'static str,
    /// ok or failing: while the disk fails, results wait in memory.
    disk: &'static str,
    /// Players' results that wait in memory: a killed process loses them.
    results_in_memory: u64,
    /// Bytes of results that wait on disk for the database.
    results_on_disk_bytes: u64,
}

impl StoreView {
    fn of(health: &StoreHealth) -> StoreView {
        let outbox = health.outbox_status();
        let word = |is_good: bool| if is_good { "ok" } else { "failing" };
        StoreView {
            engine: health.engine,
            status: word(health.is_up()),
            disk: word(!outbox.disk_fails),
            results_in_memory: outbox.in_memory,
            results_on_disk_bytes: outbox.on_disk_bytes,
        }
    }
}

/// Answers 204 while players are let in, 503 while the server drains: for load balancers, which then send nobody here.
#[utoipa::path(
    get,
    path = "/readyz",
    responses(
        (status = 204, description = "Players are let in"),
        (status = 503, description = "The server is about to restart", body = Problem)
    )
)]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    if app.rooms.is_draining() { draining() } else { uncached(StatusCode::NO_CONTENT) }
}

/// Whether every room ticks.
pub(crate) fn rooms_tick(app: &App) -> bool {
    tick(app, &app.rooms.all())
}

fn tick(app: &App, rooms: &[Arc<RoomEntry>]) -> bool {
    let now = app.lobby.context.clock.now();
    // An empty room sleeps; any other one is polled many times per second.
    rooms.iter().all(|room| {
        let looked_at = room.status.looked_at.load(Ordering::Relaxed);
        let asleep = room.status.asleep_since.load(Ordering::Relaxed) != 0;
        asleep || room.is_over() || now.0.saturating_sub(looked_at) < STUCK_US
    })
}

/// Answers 200 while every room ticks, 503 otherwise.
#[utoipa::path(
    get,
    path = "/healthz",
    responses((status = 200, body = Health), (status = 503, description = "A room does not tick", body = Health))
)]
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Response {
    let rooms = app.rooms.all();
    let alive = !rooms.is_empty() && tick(&app, &rooms);
    let health = Health {
        status: match (alive, app.rooms.is_draining()) {
            (true, false) => "ok",
            (true, true) => "draining",
            (false, _) => "failing",
        },
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: app.lobby.context.clock.now().0 / 1_000_000,
        rooms: rooms.len(),
        players: rooms.iter().map(|room| u32::from(room.status.players.load(Ordering::Relaxed))).sum(),
        store: StoreView::of(&app.store_health),
        cluster: ClusterView::of(&app),
    };
    let status = if alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, uncached(Json(health))).into_response()
}
