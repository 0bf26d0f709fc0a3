//! The public HTTP API: rooms, quick play, the leaderboard. Its description, `/api/openapi.json`, is generated from this file.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, PoisonError};

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Extension, FromRequest, Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::match_status::MatchStatus;
use broadside_shared::protocol::message::Publication;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Mode;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use super::store::File;
use super::{not_the_operator, problem};
use crate::app::App;
use crate::limits::holds::TooMuch;
use crate::lobby::directory::{NotReserved, RESERVATION_S};
use crate::lobby::names::FitName;
use crate::net::client::{Client, Source};
use crate::operator::Shown;
use crate::rooms::handle::RoomHandle;
use broadside_core::admission::reservations::RESERVED_MAX;

/// Time without a tick after which a room counts as stuck, in microseconds.
const STUCK_US: u64 = 5_000_000;

/// A room, as far as it concerns others.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomView {
    /// Its number.
    id: u32,
    /// Its name.
    name: String,
    /// Which game is played.
    game: &'static str,
    /// By which rules: arena, teams or duel.
    mode: &'static str,
    /// Where the server is, as its operator says.
    region: String,
    /// Whether it is in no list, and joined by its code.
    private: bool,
    /// How many play, bots among them.
    players: u16,
    /// How many of them are bots of the server.
    bots: u16,
    /// How many only watch.
    spectators: u16,
    /// How many wait in line for a seat.
    waiting: u32,
    /// Seats.
    capacity: u16,
    /// The newest tick; it stands still while nobody is in the room.
    tick: u32,
    /// Ticks a second.
    tick_hz: u32,
    /// How long the newest tick took, in microseconds.
    tick_us: u32,
    /// Ticks from one snapshot to the next.
    snapshot_every: u32,
    /// Ticks that started late or ran long.
    overruns: u64,
    /// Ticks that were dropped.
    missed_ticks: u64,
    /// Snapshots written.
    snapshots: u64,
    /// Snapshots skipped because the client had not taken those before.
    superseded: u64,
    /// Times a connection was given less because its line did not take what it got.
    budget_steps_down: u64,
    /// Times a connection was given more again.
    budget_steps_up: u64,
    /// How far everyone is stepped down because the machine is short of time.
    governor_level: u8,
    /// How the match stands; null where there are no rounds.
    #[serde(rename = "match")]
    match_status: Option<MatchView>,
    /// When this was read, in microseconds of the server's clock: that of `at` in what is published.
    at_us: u64,
}

/// How a match stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct MatchView {
    /// open, waiting, countdown, playing, pause or results.
    phase: String,
    /// The round, from 1.
    round: u8,
    /// Rounds at the most.
    rounds: u8,
    /// Seconds until the phase ends by itself, as of the tick it was noted at; null if it does not.
    ends_in_s: Option<f64>,
    /// The teams.
    teams: Vec<TeamView>,
    /// The index of the team that won the round or the match.
    winner: Option<u8>,
}

/// A team of a match.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeamView {
    /// A colour, or a player's name.
    name: String,
    /// Points in this round.
    score: u32,
    /// Points that win the round.
    goal: u32,
    /// Rounds won.
    rounds: u8,
    /// How many play for it.
    players: u16,
}

/// A room to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRoomRequest {
    /// arena, teams or duel.
    mode: String,
    /// Whether it is in no list, and joined by its code.
    #[serde(default)]
    private: bool,
    /// What to call it: 1 to 16 characters. Without, it is called by its mode and number.
    name: Option<String>,
}

/// A room that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomOpened {
    /// The room.
    #[serde(flatten)]
    room: RoomView,
    /// What opens it, if it is private.
    code: Option<String>,
    /// The path of the page that joins it: /r/CODE if it is private, behind the server's base path if it has one.
    link: String,
}

/// What somebody wants to play.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuickPlayRequest {
    /// arena, teams or duel; arena if it is not said.
    mode: Option<String>,
    /// The region of the server; any if it is not said.
    region: Option<String>,
}

/// The operator's word to everyone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnouncementRequest {
    /// What to say: 1 to 200 characters.
    text: String,
}

/// A seat that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuickSeat {
    /// In this room.
    room: RoomView,
    /// To be shown in the join, as a decimal number.
    reservation: String,
    /// Seconds for which it is kept.
    expires_s: u32,
}

/// The best of all public rooms.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoardView {
    /// When it last changed, in microseconds of the server's clock.
    at_us: u64,
    /// When this was read, by the same clock.
    read_at_us: u64,
    /// Best first.
    leaders: Vec<LeaderView>,
}

/// A line of the leaderboard.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeaderView {
    /// TeamLabel.
    name: String,
    /// In which room.
    room: u32,
    /// With which score.
    score: i32,
}

/// The server's health.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// ok or failing.
    status: &'static str,
    /// The server's version.
    version: &'static str,
    /// Seconds since it began.
    uptime_s: u64,
    /// Rooms.
    rooms: usize,
    /// Players in all of them.
    players: u32,
}

/// Something was wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What was wrong, and the way out.
    pub detail: String,
}

impl Problem {
    /// With the status in words.
    #[must_use]
    pub fn new(status: StatusCode, detail: &str) -> Problem {
        let title = status.canonical_reason().unwrap_or("error").to_owned();
        Problem { title, status: status.as_u16(), detail: detail.to_owned() }
    }
}

/// A request's body as JSON; one that is not understood is refused with problem details.
pub struct Body<T>(T);

impl<S: Send + Sync, T> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Body(body)),
            Err(wrong) => Err(refusal(wrong.status(), &wrong.body_text())),
        }
    }
}

/// What a body can be refused for before anybody looks at what it asks.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "a description of what the framework answers")]
enum BodyRefused {
    /// It comes from a page of another origin, which may not connect either
    #[response(status = 403)]
    OtherOrigin(Problem),
    /// It is longer than bodies may be
    #[response(status = 413)]
    TooLong(Problem),
    /// It is not said to be JSON: the header content-type is missing
    #[response(status = 415)]
    NotJson(Problem),
    /// It is JSON, and lacks a field, has one that is unknown, or one of another type
    #[response(status = 422)]
    OtherFields(Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Broadside",
        description = "Rooms, quick play and the leaderboard. Playing itself goes over the WebSocket at /ws."
    ),
    paths(rooms, open_room, room, quick_play, leaderboard, notice, healthz),
    components(schemas(Problem)),
    modifiers(&Operator)
)]
struct Api;

/// What the operator's calls must show.
struct Operator;

impl Modify for Operator {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        api.components.get_or_insert_default().add_security_scheme("operator", token);
    }
}

/// The description of this API, as JSON with line breaks.
#[must_use]
pub fn openapi() -> String {
    let mut api = Api::openapi();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    api.to_pretty_json().expect("a description is plain data")
}

/// `GET /api/openapi.json`.
pub async fn description(headers: HeaderMap) -> Response {
    static DESCRIPTION: LazyLock<File> = LazyLock::new(|| File::new(openapi().into()));
    let mut response = DESCRIPTION.answer(&headers, &[]);
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

/// The public rooms, in order of number.
#[utoipa::path(get, path = "/api/rooms", responses((status = 200, description = "The public rooms", body = [RoomView])))]
pub async fn rooms<G: Game>(State(app): State<Arc<App<G>>>) -> Response {
    let public = |room: &Arc<RoomHandle<G>>| room.code.is_none();
    let rooms: Vec<RoomView> =
        app.lobby.directory.all().iter().filter(|room| public(room)).map(|r| view(&app, r)).collect();
    fresh(Json(rooms))
}

/// One room.
#[utoipa::path(
    get,
    path = "/api/rooms/{id}",
    params(("id" = String, Path, description = "The number of a public room, or the code of a private one")),
    responses(
        (status = 200, body = RoomView),
        (status = 404, description = "There is no such room", body = Problem),
        (status = 429, description = "Too many codes looked up from this address", body = Problem)
    )
)]
pub async fn room<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    // What is no text is no room's number.
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let by_number =
        id.parse().ok().and_then(|id| app.lobby.directory.get(RoomId(id))).filter(|room| room.code.is_none());
    let found = match (by_number, id.parse()) {
        (None, Ok(code)) => match app.lobby.directory.by_code(code, client.address.ip()) {
            Ok(found) => found,
            Err(wait_s) => return too_fast(wait_s, client.address.ip()),
        },
        (by_number, _) => by_number,
    };
    match found {
        Some(room) => fresh(Json(view(&app, &room))),
        None => {
            let id: String = id.chars().take(32).collect();
            refusal(StatusCode::NOT_FOUND, &format!("there is no room `{id}`; it may be over: see /api/rooms"))
        }
    }
}

/// Opens a room. It ends by itself when it has been empty for a while.
#[utoipa::path(
    post,
    path = "/api/rooms",
    request_body = CreateRoomRequest,
    responses(
        (status = 201, description = "It is open", body = RoomOpened),
        (status = 400, description = "The room_request is not understood", body = Problem),
        (status = 429, description = "Too many from this address", body = Problem),
        (status = 503, description = "As many rooms as there may be", body = Problem),
        BodyRefused
    )
)]
pub async fn open_room<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    Body(room_request): Body<CreateRoomRequest>,
) -> Response {
    let mode: Mode = match room_request.mode.parse() {
        Ok(mode) => mode,
        Err(wrong) => return refusal(StatusCode::BAD_REQUEST, &format!("{wrong}")),
    };
    let fit = |name: &str| FitName::new(&Name::new(name)?);
    let name = match room_request.name.as_deref().map(fit).transpose() {
        Ok(name) => name.map(|fit| fit.name().to_string()),
        Err(wrong) => return refusal(StatusCode::BAD_REQUEST, &format!("name: {wrong}")),
    };
    let address = client.address.ip();
    if let Some(refused) = slow_down(&app, address) {
        return refused;
    }
    let Ok(opener) = app.lobby.take_room(address) else { return too_many_rooms() };
    match app.lobby.directory.open_ephemeral(mode, name, room_request.private, opener) {
        Ok(room) => {
            let code = room.code.map(|code| code.to_string());
            let base = &app.config.base_path;
            let link =
                code.as_ref().map_or_else(|| format!("{base}/?room={}", room.id()), |code| format!("{base}/r/{code}"));
            let opened = RoomOpened { room: view(&app, &room), code, link };
            let at = opened.code.clone().unwrap_or_else(|| room.id().to_string());
            (StatusCode::CREATED, [(LOCATION, format!("{base}/api/rooms/{at}"))], Json(opened)).into_response()
        }
        Err(wrong) => refusal(StatusCode::SERVICE_UNAVAILABLE, &wrong.to_string()),
    }
}

/// Finds the best room of a mode and keeps a seat in it for a while.
#[utoipa::path(
    post,
    path = "/api/quickplay",
    request_body = QuickPlayRequest,
    responses(
        (status = 200, description = "A seat is kept", body = QuickSeat),
        (status = 400, description = "The room_request is not understood", body = Problem),
        (status = 404, description = "This server is in another region", body = Problem),
        (status = 429, description = "Too many from this address", body = Problem),
        (status = 503, description = "As many rooms as there may be, or as many seats kept in the best one as may be", body = Problem),
        BodyRefused
    )
)]
pub async fn quick_play<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    Body(room_request): Body<QuickPlayRequest>,
) -> Response {
    let mode: Mode = match room_request.mode.as_deref().map(str::parse).transpose() {
        Ok(mode) => mode.unwrap_or_default(),
        Err(wrong) => return refusal(StatusCode::BAD_REQUEST, &format!("{wrong}")),
    };
    if let Some(region) = room_request.region.as_deref().filter(|region| *region != app.config.region) {
        let (asked, ours): (String, _) = (region.chars().take(32).collect(), &app.config.region);
        return refusal(StatusCode::NOT_FOUND, &format!("no server here is in `{asked}`; this one is in `{ours}`"));
    }
    let address = client.address.ip();
    if let Some(refused) = slow_down(&app, address) {
        return refused;
    }
    let may_open = || app.lobby.take_room(address).map_err(|_| CloseCode::TooManyFromAddress);
    match app.lobby.directory.quick_play(mode, may_open) {
        Ok(room) => {
            let reservation = match app.lobby.directory.reserve(&room, address) {
                Ok(reservation) => reservation.to_string(),
                Err(NotReserved::RoomFull) => {
                    let detail =
                        format!("{RESERVED_MAX} seats are kept in room {} already; try again in a moment", room.id());
                    return refusal(StatusCode::SERVICE_UNAVAILABLE, &detail);
                }
                Err(NotReserved::TooMuch(TooMuch(what))) => {
                    app.lobby.context.refused(address, what.label());
                    let detail = "your address has as many seats there as one may; try again when one of them is free";
                    return ([(RETRY_AFTER, "10")], refusal(StatusCode::TOO_MANY_REQUESTS, detail)).into_response();
                }
            };
            fresh(Json(QuickSeat { room: view(&app, &room), reservation, expires_s: RESERVATION_S }))
        }
        Err(CloseCode::TooManyFromAddress) => too_many_rooms(),
        Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "there is no room of this mode, and no more can be opened"),
    }
}

/// The best of all public rooms: the same as is published in the topic `leaderboard`.
#[utoipa::path(get, path = "/api/leaderboard", responses((status = 200, body = BoardView)))]
pub async fn leaderboard<G: Game>(State(app): State<Arc<App<G>>>) -> Response {
    let (at, leaders) = app.lobby.leaderboard.newest();
    let line = |leader: &broadside_shared::protocol::message::Leader| LeaderView {
        name: leader.name.to_string(),
        room: leader.room.0,
        score: leader.score,
    };
    let leaders = leaders.iter().map(line).collect();
    fresh(Json(BoardView { at_us: at.0, read_at_us: app.lobby.context.clock.now().0, leaders }))
}

/// Says something to everyone: it is published in the topic `notices`, and kept for who comes later. For the operator.
#[utoipa::path(
    post,
    path = "/api/notices",
    request_body = AnnouncementRequest,
    responses(
        (status = 204, description = "It is published"),
        (status = 400, description = "The text is empty or too long", body = Problem),
        (status = 401, description = "The operator's token is missing, or is another one", body = Problem),
        BodyRefused
    ),
    security(("operator" = []))
)]
pub async fn notice<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    word: Result<Body<AnnouncementRequest>, Response>,
) -> Response {
    let shown = app.operator.shown(&headers);
    if client.source == Source::Unknown {
        return not_the_operator(
            shown,
            "a request that came through a proxy which --trust-proxy does not name is nobody's",
        );
    }
    if shown != Shown::Token {
        return not_the_operator(shown, "");
    }
    let text = match word.map(|Body(word)| Text::new(&word.text)) {
        Ok(Ok(text)) => text,
        Ok(Err(wrong)) => return refusal(StatusCode::BAD_REQUEST, &format!("text: {wrong}")),
        Err(refused) => return refused,
    };
    tracing::info!(text = text.as_str(), "notice to everyone");
    app.lobby.context.publish(Topic::Notices, None, Publication::Announcement(text));
    StatusCode::NO_CONTENT.into_response()
}

/// 200 while every room ticks, 503 when one does not.
#[utoipa::path(
    get,
    path = "/healthz",
    responses((status = 200, body = Health), (status = 503, description = "A room does not tick", body = Health))
)]
pub async fn healthz<G: Game>(State(app): State<Arc<App<G>>>) -> Response {
    let rooms = app.lobby.directory.all();
    let now = app.lobby.context.clock.now();
    // An empty room sleeps; any other is run many times a second.
    let runs = |room: &Arc<RoomHandle<G>>| {
        let looked_at = room.status.looked_at.load(Ordering::Relaxed);
        let asleep = room.status.asleep_since.load(Ordering::Relaxed) != 0;
        asleep || room.is_over() || now.0.saturating_sub(looked_at) < STUCK_US
    };
    let alive = !rooms.is_empty() && rooms.iter().all(runs);
    let health = Health {
        status: if alive { "ok" } else { "failing" },
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: app.lobby.context.clock.now().0 / 1_000_000,
        rooms: rooms.len(),
        players: rooms.iter().map(|room| u32::from(room.status.players.load(Ordering::Relaxed))).sum(),
    };
    let status = if alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, fresh(Json(health))).into_response()
}

fn view<G: Game>(app: &App<G>, room: &RoomHandle<G>) -> RoomView {
    let status = &room.status;
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let match_status = status.match_status.lock().unwrap_or_else(PoisonError::into_inner).clone();
    RoomView {
        id: room.id().0,
        name: room.name.clone(),
        game: G::NAME,
        mode: room.info.config.mode.name(),
        region: app.config.region.clone(),
        private: room.code.is_some(),
        players: status.players.load(Ordering::Relaxed),
        bots: status.bots.load(Ordering::Relaxed),
        spectators: status.spectators.load(Ordering::Relaxed),
        waiting: status.waiting.load(Ordering::Relaxed),
        capacity: room.info.config.capacity,
        tick: status.tick.load(Ordering::Relaxed),
        tick_hz: G::TICK_HZ,
        tick_us: status.tick_us.load(Ordering::Relaxed),
        snapshot_every: room.info.config.snapshot_every,
        overruns: load(&status.counters.overruns),
        missed_ticks: load(&status.counters.missed),
        snapshots: load(&status.counters.snapshots),
        superseded: load(&status.counters.superseded),
        budget_steps_down: load(&status.counters.budget_steps_down),
        budget_steps_up: load(&status.counters.budget_steps_up),
        governor_level: status.level.load(Ordering::Relaxed),
        match_status: match_status.map(|match_status| match_view::<G>(match_status)),
        at_us: app.lobby.context.clock.now().0,
    }
}

fn match_view<G: Game>(match_status: MatchStatus) -> MatchView {
    let MatchStatus { phase, round, rounds, tick, ends, teams, winner, .. } = match_status;
    let phase = format!("{phase:?}").to_lowercase();
    let ends_in_s = ends.map(|ends| f64::from(ends.since(tick)) / f64::from(G::TICK_HZ));
    let team = |team: broadside_shared::protocol::match_status::TeamStatus| TeamView {
        name: team.name,
        score: team.score,
        goal: team.goal,
        rounds: team.rounds,
        players: team.players,
    };
    MatchView { phase, round, rounds, ends_in_s, teams: teams.into_iter().map(team).collect(), winner }
}

/// Rooms are opened, and seats kept, only so fast for one address: the refusal, if it was too fast.
fn slow_down<G: Game>(app: &App<G>, address: IpAddr) -> Option<Response> {
    app.lobby.may_ask(address).err().map(|wait_s| too_fast(wait_s, address))
}

fn too_fast(wait_s: u64, address: IpAddr) -> Response {
    let detail = format!("too many from {address}; try again in {wait_s} s");
    ([(RETRY_AFTER, wait_s.to_string())], refusal(StatusCode::TOO_MANY_REQUESTS, &detail)).into_response()
}

fn too_many_rooms() -> Response {
    let detail = "your address has as many rooms open as one may; join one of them, or try again when one has ended";
    ([(RETRY_AFTER, "10")], refusal(StatusCode::TOO_MANY_REQUESTS, detail)).into_response()
}

fn fresh(body: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, "no-store")], body).into_response()
}

fn refusal(status: StatusCode, detail: &str) -> Response {
    problem(status, detail)
}
