//! Accounts over HTTP.
//!
//! | module | endpoints |
//! |---|---|
//! | [`browser`] | none: who sends a request, and whether a page of this server did |
//! | [`cookie`] | none: the cookie that a browser is known by |
//! | [`account`] | `/api/account`, and in it `/token`, `/name`, `/sign-out`, `/sign-out-everywhere`, `/export` |
//! | [`password`] | `/api/account/keep-name`, `/sign-in`, `/password`, `/recovery-codes`, `/recover` |
//! | [`passkeys`] | `/api/account/passkeys`, `/api/account/sign-in/passkey` |
//! | [`settings`] | `/api/account/settings` |
//! | [`provider`] | `/api/account/oidc`, with the feature `oidc` |

pub(crate) mod account;
pub(crate) mod browser;
pub(crate) mod cookie;
pub(crate) mod passkeys;
pub(crate) mod password;
#[cfg(feature = "oidc")]
pub(crate) mod provider;
pub(crate) mod settings;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use broadside_shared::protocol::name::Name;
use broadside_store::accounts::Account;
use serde::Deserialize;
use utoipa::ToSchema;

use super::BodyRefused;
use crate::accounts::AccountError;
use crate::accounts::secrets::BrowserSecret;
use crate::app::App;
use crate::peers::records::Control;
use crate::problem::{Problem, coded_problem};
use browser::Browser;

/// Seconds after which a client may ask again when the database or the provider does not answer.
const UNAVAILABLE_S: u64 = 5;

/// All routes below `/api/account`.
pub(crate) fn routes() -> Router<Arc<App>> {
    let routes = Router::new()
        .route("/api/account", get(account::account).delete(account::delete))
        .route("/api/account/token", post(account::token))
        .route("/api/account/name", put(account::rename))
        .route("/api/account/sign-out", post(account::sign_out))
        .route("/api/account/sign-out-everywhere", post(account::sign_out_everywhere))
        .route("/api/account/export", get(account::export))
        .route("/api/account/settings", get(settings::settings).put(settings::set_settings))
        .route("/api/account/keep-name", post(password::keep_name))
        .route("/api/account/sign-in", get(account::ways_to_sign_in).post(password::sign_in))
        .route("/api/account/password", put(password::change_password))
        .route("/api/account/recovery-codes", post(password::recovery_codes))
        .route("/api/account/recover", post(password::recover))
        .route("/api/account/passkeys/begin", post(passkeys::begin_passkey))
        .route("/api/account/passkeys/finish", post(passkeys::finish_passkey))
        .route("/api/account/passkeys/{id}", delete(passkeys::remove_passkey))
        .route("/api/account/sign-in/passkey/begin", post(passkeys::begin_passkey_sign_in))
        .route("/api/account/sign-in/passkey/finish", post(passkeys::finish_passkey_sign_in));
    #[cfg(feature = "oidc")]
    let routes = routes
        .route("/api/account/oidc", delete(provider::unlink))
        .route("/api/account/oidc/begin", post(provider::begin_flow))
        .route("/api/account/oidc/callback", get(provider::callback))
        .route("/api/account/oidc/finish", post(provider::finish_flow));
    routes
}

impl IntoResponse for AccountError {
    fn into_response(self) -> Response {
        let (status, wait_s) = match self {
            AccountError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Some(UNAVAILABLE_S)),
            AccountError::Busy(wait_s) => (StatusCode::SERVICE_UNAVAILABLE, Some(wait_s)),
            AccountError::Failed => (StatusCode::INTERNAL_SERVER_ERROR, None),
            AccountError::TooFast(wait_s) => (StatusCode::TOO_MANY_REQUESTS, Some(wait_s)),
            AccountError::WrongCredentials | AccountError::WrongCode | AccountError::UnknownPasskey => {
                (StatusCode::UNAUTHORIZED, None)
            }
            AccountError::WrongPassword | AccountError::NotConfirmed => (StatusCode::FORBIDDEN, None),
            AccountError::BadName(_) | AccountError::BadPassword(_) | AccountError::PasskeyRefused(_) => {
                (StatusCode::BAD_REQUEST, None)
            }
            AccountError::NoCeremony | AccountError::NotFound => (StatusCode::NOT_FOUND, None),
            AccountError::NameTaken(_)
            | AccountError::KeepsName
            | AccountError::IsGuest
            | AccountError::NoPasskeys
            | AccountError::LastWayIn => (StatusCode::CONFLICT, None),
            #[cfg(feature = "oidc")]
            AccountError::IdentityTaken => (StatusCode::CONFLICT, None),
            #[cfg(feature = "oidc")]
            AccountError::UnknownIdentity | AccountError::NoProvider => (StatusCode::NOT_FOUND, None),
            #[cfg(feature = "oidc")]
            AccountError::ProviderUnavailable => (StatusCode::SERVICE_UNAVAILABLE, Some(UNAVAILABLE_S)),
            #[cfg(feature = "oidc")]
            AccountError::ProviderRefused => (StatusCode::BAD_GATEWAY, None),
        };
        let mut response = coded_problem(status, self.code(), &self.to_string());
        if let Some(wait_s) = wait_s {
            response.headers_mut().insert(RETRY_AFTER, wait_s.into());
        }
        response
    }
}

/// Refusals of every change to an account.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "a description of what the extractors answer")]
enum ChangeRefused {
    /// The browser is not signed in
    #[response(status = 401)]
    NotSignedIn(Problem),
    /// The request does not come from a page of this server; or the password is wrong, or needed
    #[response(status = 403)]
    Forbidden(Problem),
    /// The content-type header does not say JSON
    #[response(status = 415)]
    NotJson(Problem),
    /// Too many attempts, from this address or at this account
    #[response(status = 429)]
    TooFast(Problem),
    /// The database does not answer, or too many people sign in at this moment
    #[response(status = 503)]
    Unavailable(Problem),
}

/// Proof that whoever sits at a signed-in browser owns the account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmRequest {
    /// The account's password; not needed by a guest, and for five minutes after signing in.
    password: Option<String>,
}

/// Nobody else is given the account's name from now on, or one that looks like it. Whoever carries it at the moment keeps it for this stay.
fn reserve_name(app: &App, account: &Account) {
    let claimed = Name::new(&account.name).map(|name| app.lobby.sessions.reserved.claim(account.id, &name));
    app.lobby.tell_nodes(Control::Account { account: account.id });
    if account.keeps_name && !matches!(claimed, Ok(Ok(()))) {
        // Another server of this database gave the name away, or the rules for names have changed.
        tracing::warn!(account = %account.id, name = account.name, "the name of this account is not reserved");
    }
}

/// Makes the browser forget its secret.
fn forgetting(browser: &Browser, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().append(SET_COOKIE, browser.cookies.forget());
    response
}

/// Makes the browser keep this secret from now on.
fn keeping(browser: &Browser, secret: &BrowserSecret, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().append(SET_COOKIE, browser.cookies.keep(secret));
    response
}
