//! The account that a browser is signed in to, and its token for the WebSocket.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_shared::protocol::close::CloseCode;
use broadside_store::accounts::Account;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::{Body, uncached};
use super::browser::{Browser, SignedIn};
use super::{BodyRefused, ChangeRefused, ConfirmRequest, forgetting, keeping, reserve_name};
use crate::accounts::AccountError;
use crate::accounts::export::{Export, RestrictionView, ResultCursor, hex};
use crate::accounts::manage::WaysIn;
use crate::accounts::passwords::{PASSWORD_MAX, PASSWORD_MIN};
use crate::accounts::sign_in::OwnName;
use crate::app::App;
use crate::host::is_name_of;
use crate::lobby::account_tokens::ACCOUNT_TOKEN_S;
use crate::moderation;
use crate::origin::split;
use crate::peers::records::Control;
use crate::problem::{Problem, problem};

/// An account, in short.
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
    expires_in_s: u64,
    /// The account that it stands for.
    account: AccountSummary,
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountView {
    #[serde(flatten)]
    summary: AccountSummary,
    /// Whether it has a password.
    password: bool,
    passkeys: Vec<PasskeyView>,
    /// Identities at providers that sign in.
    identities: Vec<IdentityView>,
    recovery_codes_left: u32,
    /// Seconds for which the ways to sign in may be changed without the password: for a while after signing in.
    confirmed_for_s: i64,
    /// What moderators imposed, as far as it is in force.
    restrictions: Vec<RestrictionView>,
}

/// A passkey.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PasskeyView {
    id: String,
    /// What its owner calls it.
    label: String,
    /// When it was made, in seconds since 1970.
    created_s: i64,
    /// When it was last used, in seconds since 1970.
    used_s: i64,
}

/// An identity at a provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityView {
    /// URL of the provider.
    issuer: String,
    /// The owner's number there.
    subject: String,
}

/// How one can sign in here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WaysView {
    /// Fewest characters of a password.
    password_min: usize,
    /// Most characters of a password.
    password_max: usize,
    /// Whether passkeys can be bound to this address.
    passkeys: bool,
    /// What people know the provider as; null without one.
    provider: Option<String>,
}

/// Another name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameRequest {
    /// 1 to 16 characters; no other account may have a name that looks like it.
    name: String,
}

/// Which part of an export.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ExportQuery {
    /// The `more_results_before` of the export that this one continues.
    before: Option<String>,
}

impl AccountSummary {
    pub(super) fn of(account: &Account) -> AccountSummary {
        AccountSummary {
            id: account.id.to_string(),
            name: account.name.clone(),
            keeps_name: account.keeps_name,
            role: account.role.name(),
            created_s: account.created_us / 1_000_000,
        }
    }
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
        (status = 429, description = "This address makes too many guests; play without an account", body = Problem),
        (status = 503, description = "The database does not answer; play without an account", body = Problem)
    )
)]
pub(crate) async fn token(State(app): State<Arc<App>>, browser: Browser) -> Response {
    let granted = |account: &Account| {
        let token = app.lobby.account_tokens.sign(account.id, app.lobby.context.clock.unix_s()).to_text();
        uncached(Json(TokenView { token, expires_in_s: ACCOUNT_TOKEN_S, account: AccountSummary::of(account) }))
    };
    match browser.clone().signed_in(&app).await {
        Ok(Some(signed_in)) => match moderation::load_mutes(&app, signed_in.account.id).await {
            Ok(()) => granted(&signed_in.account),
            Err(error) => AccountError::from(error).into_response(),
        },
        Ok(None) => match app.accounts.create_guest(browser.address).await {
            Ok((account, secret)) => keeping(&browser, &secret, granted(&account)),
            Err(refused) => refused.into_response(),
        },
        Err(refused) => refused,
    }
}

/// Shows how one can sign in here.
#[utoipa::path(get, path = "/api/account/sign-in", responses((status = 200, body = WaysView)))]
pub(crate) async fn ways_to_sign_in(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(split);
    #[cfg(feature = "oidc")]
    let provider = app.accounts.provider_label().map(str::to_owned);
    #[cfg(not(feature = "oidc"))]
    let provider = None;
    uncached(Json(WaysView {
        password_min: PASSWORD_MIN,
        password_max: PASSWORD_MAX,
        passkeys: host.is_some_and(|(name, _)| is_name_of(name, &app.config.public_host)),
        provider,
    }))
}

/// Shows the account that the browser is signed in to.
#[utoipa::path(
    get,
    path = "/api/account",
    responses(
        (status = 200, body = AccountView),
        (status = 401, description = "The browser is not signed in", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn account(State(app): State<Arc<App>>, SignedIn { account, secret_hash, .. }: SignedIn) -> Response {
    let view = async {
        let WaysIn { has_password, passkeys, identities, recovery_codes_left } =
            app.accounts.ways_in(account.id).await?;
        let passkey = |passkey: broadside_store::credentials::Passkey| PasskeyView {
            id: hex(&passkey.credential),
            label: passkey.label,
            created_s: passkey.created_us / 1_000_000,
            used_s: passkey.used_us / 1_000_000,
        };
        let identity = |found: broadside_store::credentials::Identity| IdentityView {
            issuer: found.issuer,
            subject: found.subject,
        };
        Ok::<_, AccountError>(AccountView {
            summary: AccountSummary::of(&account),
            password: has_password,
            passkeys: passkeys.into_iter().map(passkey).collect(),
            identities: identities.into_iter().map(identity).collect(),
            recovery_codes_left,
            confirmed_for_s: app.accounts.confirmed_for_s(secret_hash).await?,
            restrictions: app.accounts.restrictions(account.id).await?,
        })
    };
    match view.await {
        Ok(view) => uncached(Json(view)),
        Err(refused) => refused.into_response(),
    }
}

/// Gives the account another name; the former one is free.
#[utoipa::path(
    put,
    path = "/api/account/name",
    request_body = NameRequest,
    responses(
        (status = 200, body = AccountSummary),
        (status = 400, description = "Nobody may have this name", body = Problem),
        (status = 409, description = "The name belongs to another account or looks like one that does, or a guest asks", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn rename(
    State(app): State<Arc<App>>,
    SignedIn { account, .. }: SignedIn,
    Body(NameRequest { name }): Body<NameRequest>,
) -> Response {
    let renamed = async {
        let name = OwnName::chosen(&name)?;
        app.accounts.rename(&account, &name).await?;
        Ok::<_, AccountError>(Account { name: name.name.to_string(), ..account.clone() })
    };
    match renamed.await {
        Ok(account) => {
            reserve_name(&app, &account);
            uncached(Json(AccountSummary::of(&account)))
        }
        Err(refused) => refused.into_response(),
    }
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
pub(crate) async fn sign_out(State(app): State<Arc<App>>, browser: Browser) -> Response {
    if let Some(secret_hash) = browser.secret_hash
        && let Err(refused) = app.accounts.sign_out(secret_hash).await
    {
        return refused.into_response();
    }
    forgetting(&browser, StatusCode::NO_CONTENT)
}

/// Signs every browser of the account out, this one included, and ends its games.
#[utoipa::path(
    post,
    path = "/api/account/sign-out-everywhere",
    responses((status = 204, description = "No browser is signed in any longer"), ChangeRefused)
)]
pub(crate) async fn sign_out_everywhere(
    State(app): State<Arc<App>>,
    SignedIn { account, browser, .. }: SignedIn,
) -> Response {
    match app.accounts.sign_out_everywhere(account.id).await {
        Ok(()) => {
            app.lobby.kick_account_everywhere(account.id, CloseCode::Normal, &*app.rooms);
            forgetting(&browser, StatusCode::NO_CONTENT)
        }
        Err(refused) => refused.into_response(),
    }
}

/// Downloads everything that is kept of the account.
#[utoipa::path(
    get,
    path = "/api/account/export",
    params(ExportQuery),
    responses(
        (status = 200, body = Export),
        (status = 400, description = "`before` is not of an export", body = Problem),
        (status = 401, description = "The browser is not signed in", body = Problem),
        (status = 429, description = "This address downloads too much at once", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    SignedIn { account, .. }: SignedIn,
    query: Result<Query<ExportQuery>, QueryRejection>,
) -> Response {
    let before = query
        .map_err(|wrong| wrong.body_text())
        .and_then(|Query(ExportQuery { before })| before.map_or(Ok(ResultCursor::END), |text| text.parse()));
    let before = match before {
        Ok(before) => before,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    match app.accounts.export(&account, before).await {
        Ok(export) => {
            let save = [(CONTENT_DISPOSITION, "attachment; filename=\"broadside-account.json\"")];
            (save, uncached(Json(export))).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// Deletes the account with everything that belongs to it, and ends its games. Results stay, without a name.
#[utoipa::path(
    delete,
    path = "/api/account",
    request_body = ConfirmRequest,
    responses((status = 204, description = "The account is gone, and its name is free"), ChangeRefused, BodyRefused)
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    Body(ConfirmRequest { password }): Body<ConfirmRequest>,
) -> Response {
    match app.accounts.delete((&account, secret_hash), password.as_deref(), browser.address).await {
        Ok(()) => {
            app.lobby.sessions.reserved.release(account.id);
            app.lobby.tell_nodes(Control::Account { account: account.id });
            app.lobby.kick_account_everywhere(account.id, CloseCode::Normal, &*app.rooms);
            forgetting(&browser, StatusCode::NO_CONTENT)
        }
        Err(refused) => refused.into_response(),
    }
}
