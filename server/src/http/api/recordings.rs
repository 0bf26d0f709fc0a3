//! Recordings of matches and of last minutes, as bytes for the page that shows them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_core::commands::MinuteFor;
use broadside_shared::recording::pack;
use broadside_shared::recording::recorder::PLAYERS_MAX;
use broadside_store::new_id;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::coding::{Coding, accepted};
use super::super::store::StoredFile;
use super::results::{from_hex, hex};
use super::{rate_limited, rooms, uncached};
use crate::app::App;
use crate::problem::{Problem, problem};
use crate::recordings::{Found, RecordingId};
use crate::requester::Requester;
use crate::store::now_us;

/// Time in which a room that is recorded hands over its last minute: it does at its next tick.
const MINUTE_WITHIN: Duration = Duration::from_secs(2);

/// A recording never changes. It is kept for a day, since the server may have to forget it.
const CACHED: &str = "public, max-age=86400, immutable";

/// Gives the recording of a match. The page at /replay/{id} shows it.
#[utoipa::path(
    get,
    path = "/api/recordings/{id}",
    params(("id" = String, Path, description = "Number of the match, 32 hexadecimal digits")),
    responses(
        (status = 200, description = "The recording", content_type = "application/octet-stream", body = [u8]),
        (status = 304, description = "The client has it"),
        (status = 404, description = "That match was not recorded, or its recording was removed", body = Problem),
        (status = 413, description = "The recording is too long to be shown in a page", body = Problem)
    )
)]
pub(crate) async fn recording(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let Some(number) = from_hex(&id) else { return no_such_recording(&id) };
    let shelf = Arc::clone(&app.shelf);
    let takes_packed = accepted(&headers).any(|coding| coding == Coding::Brotli);
    let read = move || match shelf.read(RecordingId(number))? {
        Found::Recording(bytes) if !takes_packed => Ok(Found::Recording(unpacked(bytes)?)),
        found => std::io::Result::Ok(found),
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Found::Recording(bytes))) => {
            let is_packed = !pack::is_plain(&bytes);
            let mut response = StoredFile::new(bytes).response(&headers, &[]);
            response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
            if matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED) {
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(CACHED));
            }
            if response.status() == StatusCode::OK {
                let bytes = HeaderValue::from_static("application/octet-stream");
                response.headers_mut().insert(CONTENT_TYPE, bytes);
                if let Some(name) = Coding::Brotli.name().filter(|_| is_packed) {
                    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(name));
                }
            }
            response
        }
        Ok(Ok(Found::TooLarge(bytes, limit))) => {
            let detail = format!(
                "this recording has {bytes} bytes, and a page is sent at most {limit}; `broadside-server replay FILE --serve` shows it"
            );
            problem(StatusCode::PAYLOAD_TOO_LARGE, &detail)
        }
        Ok(Ok(Found::Nothing)) => no_such_recording(&id),
        Ok(Err(error)) => {
            tracing::warn!(%error, id, "a recording cannot be read");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
        }
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why"),
    }
}

/// A recording for clients that cannot unpack one.
fn unpacked(bytes: Bytes) -> std::io::Result<Bytes> {
    match pack::unpack(&bytes).map_err(std::io::Error::other)? {
        Cow::Borrowed(_) => Ok(bytes),
        Cow::Owned(unpacked) => Ok(unpacked.into()),
    }
}

/// The last minute of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastMinute {
    /// Number of the recording, for /replay/{id}, while others do not need its place.
    recording: String,
}

/// Lends the recording of a room's last minute.
#[utoipa::path(
    post,
    path = "/api/rooms/{id}/last-minute",
    params(("id" = String, Path, description = "Number of a public room, or code of a private one")),
    responses(
        (status = 201, description = "The recording is there", body = LastMinute),
        (status = 404, description = "No such room, or it is not recorded", body = Problem),
        (status = 429, description = "This address sends requests too fast", body = Problem)
    )
)]
pub(crate) async fn last_minute(
    State(app): State<Arc<App>>,
    Extension(requester): Extension<Requester>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let room = match rooms::named(&app, &requester, id) {
        Ok(room) => room,
        Err(refusal) => return *refusal,
    };
    if let Some(refused) = rate_limited(&app, requester.address.ip()) {
        return refused;
    }
    if app.game.hides {
        return problem(
            StatusCode::NOT_FOUND,
            "players of this game see different things: a match is shown once it is over",
        );
    }
    let not_recorded = || {
        let detail = format!(
            "room {} is not recorded: its operator records nothing, or more than {PLAYERS_MAX} play there",
            room.id()
        );
        problem(StatusCode::NOT_FOUND, &detail)
    };
    if !app.shelf.is_open() {
        return not_recorded();
    }
    let minute = new_id(now_us());
    app.rooms.keep_minute(room.id(), minute, MinuteFor::Viewers);
    match tokio::time::timeout(MINUTE_WITHIN, app.shelf.lent_once(RecordingId(minute))).await {
        Ok(()) => (StatusCode::CREATED, uncached(Json(LastMinute { recording: hex(&minute) }))).into_response(),
        Err(_) => not_recorded(),
    }
}

fn no_such_recording(id: &str) -> Response {
    let id: String = id.chars().take(40).collect();
    let detail = format!("there is no recording of a match `{id}`; recordings are kept for some days, if at all");
    problem(StatusCode::NOT_FOUND, &detail)
}
