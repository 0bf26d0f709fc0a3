//! The account that a browser is signed in to, and its token for the WebSocket.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use broadside_store::accounts::Account;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::uncached;
use super::browser::{Browser, SignedIn};
use super::{forgetting, keeping};
use crate::app::App;
use crate::problem::Problem;
use crate::store::now_us;

/// How long a token for the WebSocket is valid, in seconds.
const TOKEN_S: u32 = 60;

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountSummary {
    /// Number of the account, in hexadecimal.
    id: String,
    /// Name; of a guest the last one played under, empty before.
    name: String,
    /// Whether the name belongs to the account; a guest's does not.
    keeps_name: bool,
    /// player, moderator or admin.
    role: &'static str,
    /// When the account was made, in seconds since 1970.
    created_s: i64,
}

/// What the page says hello with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// To be sent in the hello of the WebSocket.
    token: String,
    /// Seconds until the token expires.
    expires_in_s: u32,
    /// The account that it stands for.
    account: AccountSummary,
}

impl AccountSummary {
    pub(super) fn of(account: &Account) -> AccountSummary {
        AccountSummary {
            id: hex(&account.id.0),
            name: account.name.clone(),
            keeps_name: account.keeps_name,
            role: account.role.name(),
            created_s: account.created_us / 1_000_000,
        }
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exchanges the browser's cookie for a short-lived token, which the hello of the WebSocket carries. A browser without a valid cookie
/// becomes a guest with an account.
#[utoipa::path(
    post,
    path = "/api/account/token",
    responses(
        (status = 200, description = "The token; a new guest's cookie is set", body = TokenView),
        (status = 403, description = "The request does not come from a page of this server", body = Problem),
        (status = 415, description = "The content-type header does not say JSON", body = Problem),
        (status = 429, description = "This address makes too many guests", body = Problem),
        (status = 503, description = "The database does not answer; play without an account", body = Problem)
    )
)]
pub(crate) async fn token<G: Game>(State(app): State<Arc<App<G>>>, browser: Browser) -> Response {
    let granted = |account: &Account| {
        let token = app.lobby.account_tokens.sign(account.id, (now_us() / 1_000_000).unsigned_abs()).to_string();
        uncached(Json(TokenView { token, expires_in_s: TOKEN_S, account: AccountSummary::of(account) }))
    };
    match browser.clone().signed_in(&app).await {
        Ok(Some(signed_in)) => granted(&signed_in.account),
        Ok(None) => match app.accounts.create_guest(browser.address).await {
            Ok((account, secret)) => keeping(&browser, &secret, granted(&account)),
            Err(refused) => refused.into_response(),
        },
        Err(refused) => refused,
    }
}

/// Shows the account that the browser is signed in to.
#[utoipa::path(
    get,
    path = "/api/account",
    responses(
        (status = 200, body = AccountSummary),
        (status = 401, description = "The browser is not signed in", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn account<G: Game>(State(_): State<Arc<App<G>>>, signed_in: SignedIn) -> Response {
    uncached(Json(AccountSummary::of(&signed_in.account)))
}

/// Signs this browser out.
#[utoipa::path(
    post,
    path = "/api/account/sign-out",
    responses(
        (status = 204, description = "The browser is not signed in any longer"),
        (status = 403, description = "The request does not come from a page of this server", body = Problem),
        (status = 415, description = "The content-type header does not say JSON", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn sign_out<G: Game>(State(app): State<Arc<App<G>>>, browser: Browser) -> Response {
    if let Some(secret_hash) = browser.secret_hash
        && let Err(refused) = app.accounts.sign_out(secret_hash).await
    {
        return refused.into_response();
    }
    forgetting(&browser, StatusCode::NO_CONTENT)
}
