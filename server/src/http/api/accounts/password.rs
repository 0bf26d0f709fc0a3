//! Names with passwords, and recovery codes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use broadside_shared::protocol::close::CloseCode;
use broadside_store::accounts::Account;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{Body, uncached};
use super::account::AccountSummary;
use super::browser::{Browser, SignedIn};
use super::{BodyRefused, ChangeRefused, ConfirmRequest, keeping, reserve_name};
use crate::accounts::AccountError;
use crate::accounts::secrets::BrowserSecret;
use crate::accounts::sign_in::OwnName;
use crate::app::App;
use crate::problem::Problem;

/// A name and the password that it is kept with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepNameRequest {
    /// 1 to 16 characters; no account may have a name that looks like it.
    name: String,
    /// 8 to 128 characters.
    password: String,
}

/// Name and password of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInRequest {
    name: String,
    password: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    /// The current password, if the account has one.
    current: Option<String>,
    /// 8 to 128 characters.
    new: String,
}

/// A recovery code and the password to set by it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecoverRequest {
    /// In either case, with or without hyphens.
    code: String,
    /// 8 to 128 characters.
    password: String,
}

/// Codes that each set a new password once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Ten codes such as `ABCDE-FGHJK-MNPRS-TWXYZ`. They are shown only now.
    codes: Vec<String>,
}

/// Turns the guest into an account: its name belongs to it, and the password signs in.
#[utoipa::path(
    post,
    path = "/api/account/keep-name",
    request_body = KeepNameRequest,
    responses(
        (status = 200, description = "The name is kept; the browser has a new cookie", body = AccountSummary),
        (status = 400, description = "The name or the password cannot be chosen", body = Problem),
        (status = 409, description = "The name belongs to another account or looks like one that does, or this account keeps one already", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn keep_name(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    Body(KeepNameRequest { name, password }): Body<KeepNameRequest>,
) -> Response {
    let kept = async {
        let name = OwnName::chosen(&name)?;
        let secret = app.accounts.keep_name((&account, secret_hash), &name, &password, browser.address).await?;
        Ok((Account { name: name.name.to_string(), keeps_name: true, ..account }, secret))
    };
    entered(&app, &browser, kept.await)
}

/// Signs the browser in by name and password.
#[utoipa::path(
    post,
    path = "/api/account/sign-in",
    request_body = SignInRequest,
    responses(
        (status = 200, description = "Signed in; the browser has a new cookie", body = AccountSummary),
        (status = 401, description = "The name or the password is wrong", body = Problem),
        (status = 429, description = "Too many attempts, from this address or at this name", body = Problem),
        (status = 503, description = "The database does not answer, or too many people sign in at this moment", body = Problem),
        BodyRefused
    )
)]
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    browser: Browser,
    Body(SignInRequest { name, password }): Body<SignInRequest>,
) -> Response {
    entered(&app, &browser, app.accounts.sign_in((&name, &password), browser.secret_hash, browser.address).await)
}

/// Sets the account's password, and signs every other browser out.
#[utoipa::path(
    put,
    path = "/api/account/password",
    request_body = PasswordRequest,
    responses(
        (status = 200, description = "The password is set; the browser has a new cookie", body = AccountSummary),
        (status = 400, description = "The password cannot be chosen", body = Problem),
        (status = 409, description = "A guest has no password", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    Body(PasswordRequest { current, new }): Body<PasswordRequest>,
) -> Response {
    let passwords = (current.as_deref(), new.as_str());
    let changed = app.accounts.change_password((&account, secret_hash), passwords, browser.address).await;
    entered(&app, &browser, changed.map(|secret| (account, secret)))
}

/// Makes ten new recovery codes in place of the former ones.
#[utoipa::path(
    post,
    path = "/api/account/recovery-codes",
    request_body = ConfirmRequest,
    responses(
        (status = 200, description = "The codes, which are shown only now", body = RecoveryCodes),
        (status = 409, description = "A guest has no recovery codes", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn recovery_codes(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    Body(ConfirmRequest { password }): Body<ConfirmRequest>,
) -> Response {
    let made = app.accounts.make_recovery_codes((&account, secret_hash), password.as_deref(), browser.address).await;
    match made {
        Ok(codes) => uncached(Json(RecoveryCodes { codes })),
        Err(refused) => refused.into_response(),
    }
}

/// Sets a new password by a recovery code, which is used up, signs this browser in and every other one out, and ends the account's
/// games.
#[utoipa::path(
    post,
    path = "/api/account/recover",
    request_body = RecoverRequest,
    responses(
        (status = 200, description = "Signed in; the browser has a new cookie", body = AccountSummary),
        (status = 400, description = "The password cannot be chosen", body = Problem),
        (status = 401, description = "There is no such code, or it was used", body = Problem),
        (status = 429, description = "Too many attempts from this address", body = Problem),
        (status = 503, description = "The database does not answer, or too many people sign in at this moment", body = Problem),
        BodyRefused
    )
)]
pub(crate) async fn recover(
    State(app): State<Arc<App>>,
    browser: Browser,
    Body(RecoverRequest { code, password }): Body<RecoverRequest>,
) -> Response {
    let recovered = app.accounts.recover((&code, &password), browser.secret_hash, browser.address).await;
    if let Ok((account, _)) = &recovered {
        // Who made this necessary may be playing under the name.
        app.lobby.kick_account_everywhere(account.id, CloseCode::Normal, &*app.rooms);
    }
    entered(&app, &browser, recovered)
}

/// The account that the browser is signed in to from now on, with its new cookie.
pub(super) fn entered(
    app: &App,
    browser: &Browser,
    entered: Result<(Account, BrowserSecret), AccountError>,
) -> Response {
    match entered {
        Ok((account, secret)) => {
            reserve_name(app, &account);
            keeping(browser, &secret, uncached(Json(AccountSummary::of(&account))))
        }
        Err(refused) => refused.into_response(),
    }
}
