//! The leaderboard of all public rooms.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use broadside_shared::protocol::message::Leader;
use serde::Serialize;
use utoipa::ToSchema;

use super::uncached;
use crate::app::App;

/// The leaderboard of all public rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeaderboardView {
    /// Time of the last change, in microseconds of the server's clock.
    at_us: u64,
    /// Time of this reading, by the same clock.
    read_at_us: u64,
    /// Entries, best first.
    leaders: Vec<LeaderView>,
}

/// An entry of the leaderboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeaderView {
    /// Player name.
    name: String,
    /// Room number.
    room: u32,
    /// Score.
    score: i32,
}

/// Shows the leaderboard of all public rooms, as published in the topic `leaderboard`.
#[utoipa::path(get, path = "/api/leaderboard", responses((status = 200, body = LeaderboardView)))]
pub(crate) async fn leaderboard(State(app): State<Arc<App>>) -> Response {
    let (at, leaders) = app.lobby.leaderboard.newest();
    let entry =
        |leader: &Leader| LeaderView { name: leader.name.to_string(), room: leader.room.0, score: leader.score };
    let leaders = leaders.iter().map(entry).collect();
    uncached(Json(LeaderboardView { at_us: at.0, read_at_us: app.lobby.context.clock.now().0, leaders }))
}
