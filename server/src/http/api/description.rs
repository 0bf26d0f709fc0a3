//! The OpenAPI description, generated from the handlers.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::super::store::StoredFile;
use super::accounts::account::{__path_account, __path_sign_out, __path_token};
use super::health::__path_healthz;
use super::leaderboard::__path_leaderboard;
use super::notices::__path_announce;
use super::quick_play::__path_quick_play;
use super::rooms::{__path_create_room, __path_room, __path_rooms};
use super::schema::__path_schema;
use crate::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Broadside",
        description = "Rooms, quick play, the leaderboard and the schema of the game. Play itself uses the WebSocket at /ws."
    ),
    paths(rooms, create_room, room, quick_play, leaderboard, announce, schema, healthz, token, account, sign_out),
    components(schemas(Problem)),
    modifiers(&OperatorScheme)
)]
struct Api;

/// The security scheme of the operator's calls.
struct OperatorScheme;

impl Modify for OperatorScheme {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        api.components.get_or_insert_default().add_security_scheme("operator", token);
    }
}

/// The OpenAPI description of this API as indented JSON.
#[must_use]
pub fn openapi() -> String {
    let mut api = Api::openapi();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    api.to_pretty_json().expect("a description always serializes")
}

pub(crate) async fn description(headers: HeaderMap) -> Response {
    static DESCRIPTION: LazyLock<StoredFile> = LazyLock::new(|| StoredFile::new(openapi().into()));
    let mut response = DESCRIPTION.response(&headers, &[]);
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}
