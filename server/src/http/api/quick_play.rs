//! Quick play: finds the best room of a mode and reserves a seat in it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use broadside_core::admission::reservations::RESERVED_MAX;
use broadside_core::commands::{Destination, Placement};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::room::{ModeId, RoomChoice};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::rooms::{RoomView, view};
use super::{Body, BodyRefused, draining, mode_named, rate_limited, too_many_rooms, uncached};
use crate::app::App;
use crate::limits::holds::TooMuch;
use crate::lobby::directory::{NotReserved, RESERVATION_S};
use crate::peers::Order;
use crate::problem::{Problem, problem};
use crate::requester::Requester;

/// What to play.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuickPlayRequest {
    /// The name of one of the game's modes; its first by default.
    mode: Option<String>,
    /// Required region of the server; any by default.
    region: Option<String>,
}

/// A reserved seat.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReservedSeat {
    /// The room of the seat.
    room: RoomView,
    /// Number of the reservation, in decimal, to pass in the join request.
    reservation: String,
    /// Seconds until the reservation expires.
    expires_s: u32,
    /// Address of the node that has the room, such as wss://n2.example; null for this server. Any node sends the client there.
    node: Option<String>,
}

/// Finds the best room of a mode and reserves a seat in it for a short time.
#[utoipa::path(
    post,
    path = "/api/quickplay",
    request_body = QuickPlayRequest,
    responses(
        (status = 200, description = "A seat is reserved", body = ReservedSeat),
        (status = 400, description = "The mode is invalid", body = Problem),
        (status = 404, description = "This server is in another region", body = Problem),
        (status = 429, description = "This address sends requests too fast, or has too many seats or rooms", body = Problem),
        (status = 503, description = "The server has its maximum number of rooms, or the best room its maximum number of reservations; or the server is about to restart", body = Problem),
        BodyRefused
    )
)]
pub(crate) async fn quick_play(
    State(app): State<Arc<App>>,
    Extension(requester): Extension<Requester>,
    Body(request): Body<QuickPlayRequest>,
) -> Response {
    let mode = match request.mode.as_deref().map(|mode| mode_named(&app.game, mode)).transpose() {
        Ok(mode) => mode.unwrap_or(ModeId(0)),
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let address = requester.address.ip();
    if let Some(refused) = rate_limited(&app, address) {
        return refused;
    }
    let elsewhere = request.region.as_deref().filter(|region| *region != app.config.region);
    if let Some(seat) = seat_elsewhere(&app, mode, elsewhere, address).await {
        return seat;
    }
    if let Some(region) = elsewhere {
        let (wanted, ours): (String, _) = (region.chars().take(32).collect(), &app.config.region);
        return problem(StatusCode::NOT_FOUND, &format!("this server is in the region `{ours}`, not `{wanted}`"));
    }
    let may_open = || app.lobby.take_room(address).map_err(|_| CloseCode::TooManyFromAddress);
    match app.rooms.reserve_best(mode, address, &may_open) {
        Ok((room, reserved)) => {
            let reservation = match reserved {
                Ok(reservation) => reservation.to_string(),
                Err(NotReserved::RoomFull) => {
                    let detail =
                        format!("room {} already has {RESERVED_MAX} reservations; try again in a moment", room.id());
                    return problem(StatusCode::SERVICE_UNAVAILABLE, &detail);
                }
                Err(NotReserved::TooMuch(TooMuch(what))) => {
                    app.lobby.context.refused(address, what.label());
                    let detail =
                        "your address has as many seats there as it may have; try again when one of them is free";
                    return ([(RETRY_AFTER, "10")], problem(StatusCode::TOO_MANY_REQUESTS, detail)).into_response();
                }
            };
            uncached(Json(ReservedSeat { room: view(&app, &room), reservation, expires_s: RESERVATION_S, node: None }))
        }
        Err(CloseCode::TooManyFromAddress) => too_many_rooms(),
        Err(CloseCode::GoingAway) => draining(),
        Err(_) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "no room of this mode is open, and the server cannot open another one",
        ),
    }
}

/// A seat on another node of the cluster, if that has a better room or is of the region that this one is not in.
async fn seat_elsewhere(app: &App, mode: ModeId, region: Option<&str>, address: IpAddr) -> Option<Response> {
    let (peers, now) = (app.lobby.peers.as_ref()?, app.lobby.context.clock.now());
    let here = app.rooms.best_fill(mode).filter(|_| region.is_none() && !app.rooms.is_draining());
    let better = peers.better_rooms(mode, region, here, now);
    let rooms: Vec<(RoomId, String)> = better.into_iter().map(|found| (found.room, found.url)).collect();
    if rooms.is_empty() {
        return None;
    }
    let (sender, answered) = oneshot::channel();
    // Whoever does not wait any more does not need the answer.
    let answer = Box::new(move |placed| drop(sender.send(placed)));
    peers.order(Order::Reserve { rooms, address, answer });
    let Ok(Placement::Elsewhere(Destination { url, choice: RoomChoice::Reserved { room, reservation } })) =
        answered.await
    else {
        return None;
    };
    let view = peers.view().room(room, now).map(|record| record.view.clone())?;
    let seat = json!({
        "room": serde_json::from_str::<Value>(&view).ok()?,
        "reservation": reservation.to_string(),
        "expires_s": RESERVATION_S,
        "node": url,
    });
    Some(uncached(Json(seat)))
}
