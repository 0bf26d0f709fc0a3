//! Rooms: lists them, shows one, creates one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::match_status::{MatchStatus, TeamStatus};
use broadside_shared::protocol::name::Name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, BodyRefused, draining, mode_named, rate_limited, too_fast, too_many_rooms, uncached};
use crate::app::App;
use crate::lobby::names::FitName;
use crate::problem::{Problem, problem};
use crate::requester::Requester;
use crate::rooms::entry::RoomEntry;

/// A room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomView {
    /// Room number.
    id: u32,
    /// Room name.
    name: String,
    /// Name of the game.
    game: &'static str,
    /// Rules: the name of one of the game's modes.
    mode: &'static str,
    /// Region of the server, as set by its operator.
    region: String,
    /// Whether the room is unlisted and joined by its code.
    private: bool,
    /// Players, including bots.
    players: u16,
    /// Server bots among the players.
    bots: u16,
    /// Spectators.
    spectators: u16,
    /// Players in the join queue.
    waiting: u32,
    /// Seats.
    capacity: u16,
    /// Newest tick; it stands still while the room is empty.
    tick: u32,
    /// Ticks per second.
    tick_hz: u32,
    /// Duration of the newest tick, in microseconds.
    tick_us: u32,
    /// Ticks from one snapshot to the next.
    snapshot_every: u32,
    /// Ticks that started late or ran long.
    overruns: u64,
    /// Ticks that were dropped.
    missed_ticks: u64,
    /// Snapshots written.
    snapshots: u64,
    /// Snapshots skipped because the client had not yet received the earlier ones.
    superseded: u64,
    /// Times the update rate of a connection was lowered because its link was congested.
    budget_steps_down: u64,
    /// Times the update rate of a connection was raised again.
    budget_steps_up: u64,
    /// Steps by which all update rates are lowered because the machine is short of CPU time.
    governor_level: u8,
    /// State of the match; null in a room without rounds.
    #[serde(rename = "match")]
    match_status: Option<MatchView>,
    /// The last match that was recorded, in hexadecimal: /api/recordings/{id}; null if there is none.
    last_recording: Option<String>,
    /// Time of this reading, in microseconds of the server's clock, the same clock as `at` in publications.
    at_us: u64,
}

/// State of a match.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchView {
    /// open, waiting, countdown, playing, pause or results.
    phase: String,
    /// Current round, from 1.
    round: u8,
    /// Maximum number of rounds.
    rounds: u8,
    /// Seconds until the phase ends automatically, as of the tick of this reading; null if the phase has no time limit.
    ends_in_s: Option<f64>,
    /// The teams.
    teams: Vec<TeamView>,
    /// Index of the team that won the round or the match.
    winner: Option<u8>,
}

/// A team of a match.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TeamView {
    /// A color, or the name of its only player.
    name: String,
    /// Points in this round.
    score: u32,
    /// Points that win the round.
    goal: u32,
    /// Rounds won.
    rounds: u8,
    /// Players on the team.
    players: u16,
}

/// A room to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateRoomRequest {
    /// The name of one of the game's modes.
    mode: String,
    /// Whether the room is unlisted and joined by its code.
    #[serde(default)]
    private: bool,
    /// Room name, 1 to 16 characters; by default the mode and the room number.
    name: Option<String>,
}

/// A room that was created.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomCreated {
    /// The room.
    #[serde(flatten)]
    room: RoomView,
    /// Join code of a private room.
    code: Option<String>,
    /// Path of the page that joins the room: /r/CODE for a private room, prefixed with the server's base path if there is one.
    link: String,
}

/// Lists the public rooms in order of number.
#[utoipa::path(get, path = "/api/rooms", responses((status = 200, description = "The public rooms", body = [RoomView])))]
pub(crate) async fn rooms(State(app): State<Arc<App>>) -> Response {
    let public = |room: &Arc<RoomEntry>| room.code.is_none();
    let rooms = app.rooms.all();
    let here = rooms.iter().filter(|room| public(room)).map(|room| (room.id(), view_json(&app, room)));
    let mut all: Vec<(RoomId, String)> = here.collect();
    if let Some(peers) = &app.lobby.peers {
        let now = app.lobby.context.clock.now();
        all.extend(peers.view().rooms(now).map(|(id, record)| (id, record.view.clone())));
        all.sort_by_key(|(id, _)| *id);
    }
    let views: Vec<String> = all.into_iter().map(|(_, view)| view).filter(|view| !view.is_empty()).collect();
    uncached(([(CONTENT_TYPE, "application/json")], format!("[{}]", views.join(","))))
}

/// What is shown of a room, as JSON: what other nodes of a cluster show of it.
pub(crate) fn view_json(app: &App, room: &RoomEntry) -> String {
    serde_json::to_string(&view(app, room)).unwrap_or_default()
}

/// What another node of the cluster has announced of the room that a path names.
pub(crate) fn view_elsewhere(app: &App, id: &str) -> Option<String> {
    let (peers, now) = (app.lobby.peers.as_ref()?, app.lobby.context.clock.now());
    let code: Option<String> = id.parse().ok().map(|code| peers.hash_of(code));
    let view = peers.view();
    let by_number =
        id.parse().ok().map(RoomId).filter(|room| view.room(*room, now).is_some_and(|found| found.code.is_none()));
    let room = by_number.or_else(|| view.with_code(&code?))?;
    view.room(room, now).map(|record| record.view.clone()).filter(|view| !view.is_empty())
}

/// Shows one room.
#[utoipa::path(
    get,
    path = "/api/rooms/{id}",
    params(("id" = String, Path, description = "Number of a public room, or code of a private one")),
    responses(
        (status = 200, body = RoomView),
        (status = 404, description = "No such room", body = Problem),
        (status = 429, description = "This address looks up codes too fast", body = Problem)
    )
)]
pub(crate) async fn room(
    State(app): State<Arc<App>>,
    Extension(requester): Extension<Requester>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let text = id.as_ref().map(|Path(id)| id.clone()).unwrap_or_default();
    match named(&app, &requester, id) {
        Ok(room) => uncached(Json(view(&app, &room))),
        // A code was counted as a look-up before.
        Err(refusal) if refusal.status() == StatusCode::NOT_FOUND => match view_elsewhere(&app, &text) {
            Some(view) => uncached(([(CONTENT_TYPE, "application/json")], view)),
            None => *refusal,
        },
        Err(refusal) => *refusal,
    }
}

/// The room that a path names by its number, if it is public, or by its code. Otherwise the answer.
pub(super) fn named(
    app: &App,
    requester: &Requester,
    id: Result<Path<String>, PathRejection>,
) -> Result<Arc<RoomEntry>, Box<Response>> {
    // A path that is not valid UTF-8 names no room.
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let by_number = id.parse().ok().and_then(|id| app.rooms.get(RoomId(id))).filter(|room| room.code.is_none());
    let found = match (by_number, id.parse()) {
        (None, Ok(code)) => match app.rooms.by_code(code, requester.address.ip()) {
            Ok(found) => found,
            Err(wait_s) => return Err(Box::new(too_fast(wait_s, requester.address.ip()))),
        },
        (by_number, _) => by_number,
    };
    found.ok_or_else(|| {
        let id: String = id.chars().take(32).collect();
        let detail = format!("there is no room `{id}`; it may have ended: see /api/rooms");
        Box::new(problem(StatusCode::NOT_FOUND, &detail))
    })
}

/// Creates a room. It ends automatically once it has been empty for a while.
#[utoipa::path(
    post,
    path = "/api/rooms",
    request_body = CreateRoomRequest,
    responses(
        (status = 201, description = "The room is open", body = RoomCreated),
        (status = 400, description = "The mode or the name is invalid", body = Problem),
        (status = 429, description = "This address creates rooms too fast, or has too many open", body = Problem),
        (status = 503, description = "The server has its maximum number of rooms, or is about to restart", body = Problem),
        BodyRefused
    )
)]
pub(crate) async fn create_room(
    State(app): State<Arc<App>>,
    Extension(requester): Extension<Requester>,
    Body(request): Body<CreateRoomRequest>,
) -> Response {
    let mode = match mode_named(&app.game, &request.mode) {
        Ok(mode) => mode,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let fit = |name: &str| FitName::new(&Name::new(name)?);
    let name = match request.name.as_deref().map(fit).transpose() {
        Ok(name) => name.map(|fit| fit.name().to_string()),
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &format!("name: {wrong}")),
    };
    if app.rooms.is_draining() {
        return draining();
    }
    let address = requester.address.ip();
    if let Some(refused) = rate_limited(&app, address) {
        return refused;
    }
    let Ok(hold) = app.lobby.take_room(address) else { return too_many_rooms() };
    match app.rooms.open_ephemeral(mode, name, request.private, hold) {
        Ok(room) => {
            let code = room.code.map(|code| code.to_string());
            let base = &app.config.base_path;
            let link =
                code.as_ref().map_or_else(|| format!("{base}/?room={}", room.id()), |code| format!("{base}/r/{code}"));
            let created = RoomCreated { room: view(&app, &room), code, link };
            let at = created.code.clone().unwrap_or_else(|| room.id().to_string());
            (StatusCode::CREATED, [(LOCATION, format!("{base}/api/rooms/{at}"))], Json(created)).into_response()
        }
        Err(wrong) => problem(StatusCode::SERVICE_UNAVAILABLE, &wrong.to_string()),
    }
}

pub(super) fn view(app: &App, room: &RoomEntry) -> RoomView {
    let status = &room.status;
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let match_status = status.match_status.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let last_recording = *status.last_recording.lock().unwrap_or_else(PoisonError::into_inner);
    RoomView {
        id: room.id().0,
        name: room.name.clone(),
        game: app.game.name,
        mode: app.game.mode_name(room.info.config.mode),
        region: app.config.region.clone(),
        private: room.code.is_some(),
        players: status.players.load(Ordering::Relaxed),
        bots: status.bots.load(Ordering::Relaxed),
        spectators: status.spectators.load(Ordering::Relaxed),
        waiting: status.waiting.load(Ordering::Relaxed),
        capacity: room.info.config.capacity,
        tick: status.tick.load(Ordering::Relaxed),
        tick_hz: app.game.tick_hz,
        tick_us: status.tick_us.load(Ordering::Relaxed),
        snapshot_every: room.info.config.snapshot_every,
        overruns: load(&status.counters.overruns),
        missed_ticks: load(&status.counters.missed),
        snapshots: load(&status.counters.snapshots),
        superseded: load(&status.counters.superseded),
        budget_steps_down: load(&status.counters.budget_steps_down),
        budget_steps_up: load(&status.counters.budget_steps_up),
        governor_level: status.level.load(Ordering::Relaxed),
        match_status: match_status.map(|status| match_view(status, app.game.tick_hz)),
        last_recording: last_recording.map(|id| id.to_string()),
        at_us: app.lobby.context.clock.now().0,
    }
}

fn match_view(match_status: MatchStatus, tick_hz: u32) -> MatchView {
    let MatchStatus { phase, round, rounds, tick, ends, teams, winner, .. } = match_status;
    let phase = format!("{phase:?}").to_lowercase();
    let ends_in_s = ends.map(|ends| f64::from(ends.since(tick)) / f64::from(tick_hz));
    let team = |team: TeamStatus| TeamView {
        name: team.name,
        score: team.score,
        goal: team.goal,
        rounds: team.rounds,
        players: team.players,
    };
    MatchView { phase, round, rounds, ends_in_s, teams: teams.into_iter().map(team).collect(), winner }
}
