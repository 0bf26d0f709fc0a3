//! What the owner of an account has set in the page: kept as it is, and read by the page alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::{Body, uncached};
use super::browser::SignedIn;
use super::{BodyRefused, ChangeRefused};
use crate::app::App;
use crate::problem::{Problem, problem};

/// Longest settings, in bytes of JSON: room for every setting of the page and a key of its own for every action.
const SETTINGS_MAX: usize = 4096;

/// What is set with the account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingsView {
    /// As the page sent it; null as long as it has not.
    settings: Option<Map<String, Value>>,
}

/// Shows what is set with the account.
#[utoipa::path(
    get,
    path = "/api/account/settings",
    responses(
        (status = 200, body = SettingsView),
        (status = 401, description = "The browser is not signed in", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn settings(State(app): State<Arc<App>>, SignedIn { account, .. }: SignedIn) -> Response {
    match app.accounts.settings(account.id).await {
        Ok(settings) => uncached(Json(SettingsView { settings })),
        Err(refused) => refused.into_response(),
    }
}

/// Sets what is set with the account, in place of what was: any JSON object of at most 4,096 bytes.
#[utoipa::path(
    put,
    path = "/api/account/settings",
    request_body = Object,
    responses(
        (status = 204, description = "It is kept"),
        (status = 409, description = "A guest asks, whose settings are those of the browser", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn set_settings(
    State(app): State<Arc<App>>,
    SignedIn { account, .. }: SignedIn,
    Body(settings): Body<Map<String, Value>>,
) -> Response {
    let text = Value::Object(settings).to_string();
    if text.len() > SETTINGS_MAX {
        let detail = format!("the settings have {} bytes, must have at most {SETTINGS_MAX}", text.len());
        return problem(StatusCode::PAYLOAD_TOO_LARGE, &detail);
    }
    match app.accounts.set_settings(&account, &text).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused.into_response(),
    }
}
