//! The OpenAPI description, generated from the handlers.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::super::store::StoredFile;
use super::accounts::account::{
    __path_account, __path_delete, __path_export, __path_rename, __path_sign_out, __path_sign_out_everywhere,
    __path_token, __path_ways_to_sign_in,
};
use super::accounts::passkeys::{
    __path_begin_passkey, __path_begin_passkey_sign_in, __path_finish_passkey, __path_finish_passkey_sign_in,
    __path_remove_passkey,
};
use super::accounts::password::{
    __path_change_password, __path_keep_name, __path_recover, __path_recovery_codes, __path_sign_in,
};
use super::accounts::settings::{__path_set_settings, __path_settings};
use super::admin::actions::__path_act;
use super::admin::views::{__path_audit, __path_overview, __path_reports, __path_restrictions};
use super::friends::{
    __path_accept_invitation, __path_befriend, __path_friends, __path_invitation, __path_make_link, __path_unfriend,
};
use super::health::{__path_healthz, __path_readyz};
use super::leaderboard::__path_leaderboard;
use super::leaderboards::{__path_leaderboards, __path_seasons};
use super::nodes::__path_nodes;
use super::notices::__path_announce;
use super::players::__path_player;
use super::quick_play::__path_quick_play;
use super::recordings::{__path_last_minute, __path_recording};
use super::results::{__path_match_result, __path_player_results};
use super::rooms::{__path_create_room, __path_room, __path_rooms};
use super::schema::__path_schema;
use crate::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Broadside",
        description = "Rooms, quick play, accounts, players, leaderboards, friends and the schema of the game. Play itself uses the WebSocket at /ws."
    ),
    paths(
        rooms, create_room, room, quick_play, leaderboard, nodes, announce, schema, healthz, readyz, token, account, rename, sign_out, sign_out_everywhere,
        export, delete, settings, set_settings, ways_to_sign_in, keep_name, sign_in, change_password, recovery_codes, recover, begin_passkey, finish_passkey,
        remove_passkey, begin_passkey_sign_in, finish_passkey_sign_in,
        leaderboards, seasons, player, player_results, match_result, recording, last_minute,
        overview, reports, restrictions, audit, act,
        friends, befriend, unfriend, make_link, invitation, accept_invitation
    ),
    components(schemas(Problem)),
    modifiers(&OperatorScheme)
)]
struct Api;

/// What is there only with the feature `oidc`.
#[cfg(feature = "oidc")]
#[derive(OpenApi)]
#[openapi(paths(
    super::accounts::provider::begin_flow,
    super::accounts::provider::callback,
    super::accounts::provider::finish_flow,
    super::accounts::provider::unlink
))]
struct ProviderApi;

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
    #[cfg(feature = "oidc")]
    api.merge(ProviderApi::openapi());
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
