//! Rooms and players as they are at this moment, and what the store has of reports, restrictions and past actions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use broadside_store::moderation::{AuditEntry, Report, Reports, Restriction, RestrictionKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::results::{from_hex, hex, recorded};
use super::super::{store_failed, uncached};
use super::Staff;
use crate::app::App;
use crate::problem::{Problem, problem};
use crate::rooms::entry::RoomEntry;
use crate::store::now_us;

/// Players that are listed at most.
const PLAYERS_MAX: usize = 1000;
/// Rows of a page.
const PAGE: u32 = 50;

/// The server at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminView {
    /// Name of who asks.
    you: String,
    /// moderator or admin.
    role: &'static str,
    /// Version of the server.
    version: &'static str,
    /// Rooms in order of number, private ones included.
    rooms: Vec<AdminRoomView>,
    /// Players and spectators in order of name, without the server's own bots; at most 1,000.
    players: Vec<AdminPlayerView>,
    /// Connected players, also those beyond the list.
    player_count: usize,
}

/// A room, as its operator sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminRoomView {
    /// Room number.
    id: u32,
    /// Room name.
    name: String,
    /// Name of its mode.
    mode: &'static str,
    /// Whether it is joined by a code.
    private: bool,
    /// Whether it closes when nobody plays in it; only such a room can be closed.
    on_demand: bool,
    /// Players, bots included.
    players: u16,
    /// Server bots among the players.
    bots: u16,
    /// Spectators.
    spectators: u16,
    /// Seats.
    capacity: u16,
    /// Durations of the last ticks, in microseconds.
    tick_us: PercentilesView,
    /// How old the last snapshots were when the room handed them over, in microseconds: from when their tick was due.
    age_us: PercentilesView,
    /// Steps by which update rates are lowered because the machine is short of CPU time.
    governor_level: u8,
    /// Ticks that were dropped.
    missed_ticks: u64,
    /// Path of the page that watches it; null for a private room.
    watch: Option<String>,
}

/// Percentiles of the last 256 ticks; 0 before the first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PercentilesView {
    /// The median.
    p50: u32,
    /// The 99th percentile.
    p99: u32,
}

/// A connected player.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminPlayerView {
    /// Player name.
    name: String,
    /// Whether the player has an account; others can be removed, and not banned.
    account: bool,
    /// Room number; null in the lobby.
    room: Option<u32>,
}

/// Which rows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows before the one with this id, from `next` of the page before.
    before: Option<String>,
    /// Also what is done: reports that were handled.
    #[serde(default)]
    all: bool,
}

/// A page of reports, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportsView {
    reports: Vec<ReportView>,
    /// The `before` of the next page; null on the last.
    next: Option<String>,
}

/// A report by a player.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportView {
    /// Its id.
    id: String,
    /// When, in seconds since 1970.
    reported_s: i64,
    /// Name of the reporter.
    reporter: String,
    /// Name of the player it is about.
    subject: String,
    /// What the reporter says.
    body: String,
    /// The chat around it, oldest line first.
    chat: Vec<String>,
    /// Name of the room.
    room: String,
    /// Whether the last minute before it can be watched: /api/recordings/{id}, and the page /replay/{id}, by the id of the report.
    recorded: bool,
    /// Name of who handled it; null while nobody has.
    handled_by: Option<String>,
}

/// Bans and mutes in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestrictionsView {
    /// In no particular order, at most 1,000.
    restrictions: Vec<RestrictionRowView>,
}

/// A ban or a mute.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestrictionRowView {
    /// Player name.
    name: String,
    /// ban or mute.
    kind: &'static str,
    /// Until when, in seconds since 1970; null for ever.
    until_s: Option<i64>,
    reason: String,
    /// Name of who imposed it.
    imposed_by: String,
}

/// A page of what moderators did, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    entries: Vec<AuditEntryView>,
    /// The `before` of the next page; null on the last.
    next: Option<String>,
}

/// What a moderator did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntryView {
    /// When, in seconds since 1970.
    acted_s: i64,
    /// Name of who did it.
    actor: String,
    /// What, such as ban.
    action: String,
    /// To whom or what.
    subject: String,
    detail: String,
}

/// Refusals of everything here.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "a description of what the handlers answer")]
pub(crate) enum StaffRefused {
    /// The browser is not signed in
    #[response(status = 401)]
    NotSignedIn(Problem),
    /// The account may not moderate
    #[response(status = 403)]
    NotAModerator(Problem),
    /// Nobody moderates this server
    #[response(status = 404)]
    Off(Problem),
    /// The database does not answer
    #[response(status = 503)]
    Unavailable(Problem),
}

/// Shows rooms and players as they are now.
#[utoipa::path(get, path = "/api/admin", responses((status = 200, body = AdminView), StaffRefused))]
pub(crate) async fn overview(State(app): State<Arc<App>>, Staff(account): Staff) -> Response {
    let rooms = app.rooms.all().iter().map(|room| room_view(&app, room)).collect();
    let connected = app.lobby.sessions.all().into_iter().filter(|session| session.connection.is_some());
    // The server's own bots are on the shard behind those of the sockets.
    let bots = app.lobby.context.shards.len() - usize::from(app.config.bots > 0);
    let people = connected.filter(|session| session.connection.is_some_and(|connection| connection.shard < bots));
    let mut players: Vec<AdminPlayerView> = people
        .filter_map(|session| {
            let account = app.lobby.sessions.account_of(session.id).is_some();
            Some(AdminPlayerView {
                name: session.name?.to_string(),
                account,
                room: session.seat.map(|seat| seat.room.0),
            })
        })
        .collect();
    players.sort_by(|a, b| a.name.cmp(&b.name));
    let player_count = players.len();
    players.truncate(PLAYERS_MAX);
    let (you, role) = (account.name, account.role.name());
    uncached(Json(AdminView { you, role, version: env!("CARGO_PKG_VERSION"), rooms, players, player_count }))
}

fn room_view(app: &App, room: &Arc<RoomEntry>) -> AdminRoomView {
    let status = &room.status;
    let percentiles = |(p50, p99): (u32, u32)| PercentilesView { p50, p99 };
    AdminRoomView {
        id: room.id().0,
        name: room.name.clone(),
        mode: app.game.mode_name(room.info.config.mode),
        private: room.code.is_some(),
        on_demand: room.is_ephemeral,
        players: status.players.load(Ordering::Relaxed),
        bots: status.bots.load(Ordering::Relaxed),
        spectators: status.spectators.load(Ordering::Relaxed),
        capacity: room.info.config.capacity,
        tick_us: percentiles(status.recent.took_us()),
        age_us: percentiles(status.recent.age_us()),
        governor_level: status.level.load(Ordering::Relaxed),
        missed_ticks: status.counters.missed.load(Ordering::Relaxed),
        watch: room.code.is_none().then(|| format!("{}/?room={}&watch=1", app.config.base_path, room.id())),
    }
}

/// Lists what players report.
#[utoipa::path(get, path = "/api/admin/reports", params(PageQuery), responses((status = 200, body = ReportsView), StaffRefused))]
pub(crate) async fn reports(
    State(app): State<Arc<App>>,
    Staff(_): Staff,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    let (before, which) = match page(query) {
        Ok((before, true)) => (before, Reports::All),
        Ok((before, false)) => (before, Reports::Open),
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    match app.store.reports(which, before, PAGE).await {
        Ok(found) => {
            let next = next(found.last().map(|report| report.id), found.len());
            let recorded = recorded(&app, found.iter().map(|report| report.id).collect()).await;
            let reports = found.into_iter().zip(recorded).map(|(report, recorded)| report_view(report, recorded));
            uncached(Json(ReportsView { reports: reports.collect(), next }))
        }
        Err(error) => store_failed(&error),
    }
}

fn report_view(report: Report, recorded: bool) -> ReportView {
    ReportView {
        id: hex(&report.id),
        reported_s: report.reported_us / 1_000_000,
        reporter: report.reporter_name,
        subject: report.subject_name,
        body: report.body,
        chat: report.chat.lines().map(str::to_owned).collect(),
        room: report.room,
        recorded,
        handled_by: report.handled.map(|(by, _)| by),
    }
}

/// Lists bans and mutes in force.
#[utoipa::path(get, path = "/api/admin/restrictions", responses((status = 200, body = RestrictionsView), StaffRefused))]
pub(crate) async fn restrictions(State(app): State<Arc<App>>, Staff(_): Staff) -> Response {
    match app.store.restrictions(None, 1000, now_us()).await {
        Ok(found) => {
            uncached(Json(RestrictionsView { restrictions: found.into_iter().map(restriction_view).collect() }))
        }
        Err(error) => store_failed(&error),
    }
}

fn restriction_view(restriction: Restriction) -> RestrictionRowView {
    let Restriction { account: _, name, kind, until_us, reason, imposed_by, imposed_us: _ } = restriction;
    let kind = match kind {
        RestrictionKind::Ban => "ban",
        RestrictionKind::Mute => "mute",
    };
    RestrictionRowView { name, kind, until_s: until_us.map(|us| us / 1_000_000), reason, imposed_by }
}

/// Lists what moderators did.
#[utoipa::path(get, path = "/api/admin/audit", params(PageQuery), responses((status = 200, body = AuditView), StaffRefused))]
pub(crate) async fn audit(
    State(app): State<Arc<App>>,
    Staff(_): Staff,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    let before = match page(query) {
        Ok((before, _)) => before,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    match app.store.audit_log(before, PAGE).await {
        Ok(found) => {
            let next = next(found.last().map(|entry| entry.id), found.len());
            uncached(Json(AuditView { entries: found.into_iter().map(entry_view).collect(), next }))
        }
        Err(error) => store_failed(&error),
    }
}

fn entry_view(entry: AuditEntry) -> AuditEntryView {
    let AuditEntry { id: _, actor, action, subject, detail, acted_us } = entry;
    AuditEntryView { acted_s: acted_us / 1_000_000, actor, action, subject, detail }
}

/// The id that a page begins behind, and whether all rows are wanted.
///
/// # Errors
/// What is wrong with the query.
fn page(query: Result<Query<PageQuery>, QueryRejection>) -> Result<([u8; 16], bool), String> {
    let Query(PageQuery { before, all }) = query.map_err(|wrong| wrong.body_text())?;
    match before.as_deref().map(from_hex) {
        None => Ok(([0xff; 16], all)),
        Some(Some(id)) => Ok((id, all)),
        Some(None) => Err("before: must be `next` of the page before".to_owned()),
    }
}

fn next(last: Option<[u8; 16]>, length: usize) -> Option<String> {
    last.filter(|_| length == PAGE as usize).map(|id| hex(&id))
}
