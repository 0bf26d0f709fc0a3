//! Passkeys.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use super::super::{Body, uncached};
use super::account::AccountSummary;
use super::browser::{Browser, SignedIn};
use super::password::entered;
use super::{BodyRefused, ChangeRefused, ConfirmRequest};
use crate::accounts::AccountError;
use crate::accounts::export::unhex;
use crate::accounts::passkeys::{Begun, Site};
use crate::app::App;
use crate::host::is_name_of;
use crate::problem::Problem;

/// A passkey to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyRequest {
    /// The name that a guest keeps by it; left out by who keeps one.
    name: Option<String>,
    /// The account's password; not needed by a guest, and for five minutes after signing in.
    password: Option<String>,
}

/// The first step of a ceremony.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ceremony {
    /// Its number, for the second step, within five minutes.
    ceremony: String,
    /// What `navigator.credentials` takes; `publicKey` as in `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    #[schema(value_type = Object)]
    options: Value,
}

/// The second step of making a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyMade {
    ceremony: String,
    /// The new credential, by its `toJSON`.
    #[schema(value_type = Object)]
    credential: RegisterPublicKeyCredential,
    /// What its owner calls it, at most 40 characters.
    #[serde(default)]
    label: String,
}

/// The second step of signing in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyAnswer {
    ceremony: String,
    /// The credential, by its `toJSON`.
    #[schema(value_type = Object)]
    credential: PublicKeyCredential,
}

impl From<Begun> for Ceremony {
    fn from(Begun { ceremony, options }: Begun) -> Ceremony {
        Ceremony { ceremony, options }
    }
}

/// The page that asks, if passkeys can be bound to its host.
fn site(app: &App, browser: &Browser) -> Result<Site, AccountError> {
    let origin = browser.origin.as_ref().filter(|origin| is_name_of(origin.host(), &app.config.public_host));
    let origin = origin.ok_or(AccountError::NoPasskeys)?;
    Ok(Site { host: origin.host().to_owned(), origin: origin.to_string() })
}

/// Begins to make a passkey. A guest keeps a name by it.
#[utoipa::path(
    post,
    path = "/api/account/passkeys/begin",
    request_body = PasskeyRequest,
    responses(
        (status = 200, description = "What the browser is to do", body = Ceremony),
        (status = 400, description = "The name is missing or cannot be chosen", body = Problem),
        (status = 409, description = "The name belongs to another account, or passkeys cannot be bound to this address", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn begin_passkey(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    Body(PasskeyRequest { name, password }): Body<PasskeyRequest>,
) -> Response {
    let begun = async {
        let at = (&site(&app, &browser)?, browser.address);
        app.accounts.begin_passkey((&account, secret_hash), name.as_deref(), password.as_deref(), at).await
    };
    match begun.await {
        Ok(begun) => uncached(Json(Ceremony::from(begun))),
        Err(refused) => refused.into_response(),
    }
}

/// Adds the passkey that the browser made.
#[utoipa::path(
    post,
    path = "/api/account/passkeys/finish",
    request_body = PasskeyMade,
    responses(
        (status = 200, description = "The passkey signs in; the browser has a new cookie if it was a guest's", body = AccountSummary),
        (status = 400, description = "The passkey is refused, or the account has ten", body = Problem),
        (status = 404, description = "The ceremony is unknown, used or expired", body = Problem),
        (status = 409, description = "The name was taken meanwhile", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn finish_passkey(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    Body(PasskeyMade { ceremony, credential, label }): Body<PasskeyMade>,
) -> Response {
    match app.accounts.finish_passkey((account, secret_hash), (&ceremony, &credential), &label).await {
        Ok((account, Some(secret))) => entered(&app, &browser, Ok((account, secret))),
        Ok((account, None)) => uncached(Json(AccountSummary::of(&account))),
        Err(refused) => refused.into_response(),
    }
}

/// Removes a passkey.
#[utoipa::path(
    delete,
    path = "/api/account/passkeys/{id}",
    params(("id" = String, Path, description = "Its id, as `GET /api/account` lists it")),
    request_body = ConfirmRequest,
    responses(
        (status = 204, description = "It does not sign in any longer"),
        (status = 404, description = "The account has no such passkey", body = Problem),
        (status = 409, description = "Nothing else signs in to the account", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn remove_passkey(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
    Body(ConfirmRequest { password }): Body<ConfirmRequest>,
) -> Response {
    let removed = async {
        let credential = id.ok().and_then(|Path(id)| unhex(&id)).ok_or(AccountError::NotFound)?;
        app.accounts.remove_passkey((&account, secret_hash), &credential, password.as_deref(), browser.address).await
    };
    match removed.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// Begins to sign in with a passkey, without a name.
#[utoipa::path(
    post,
    path = "/api/account/sign-in/passkey/begin",
    responses(
        (status = 200, description = "What the browser is to do", body = Ceremony),
        (status = 403, description = "The request does not come from a page of this server", body = Problem),
        (status = 409, description = "Passkeys cannot be bound to this address", body = Problem),
        (status = 415, description = "The content-type header does not say JSON", body = Problem),
        (status = 429, description = "Too many attempts from this address", body = Problem)
    )
)]
pub(crate) async fn begin_passkey_sign_in(State(app): State<Arc<App>>, browser: Browser) -> Response {
    let begun = site(&app, &browser).and_then(|site| app.accounts.begin_passkey_sign_in(&site, browser.address));
    match begun {
        Ok(begun) => uncached(Json(Ceremony::from(begun))),
        Err(refused) => refused.into_response(),
    }
}

/// Signs the browser in by its passkey.
#[utoipa::path(
    post,
    path = "/api/account/sign-in/passkey/finish",
    request_body = PasskeyAnswer,
    responses(
        (status = 200, description = "Signed in; the browser has a new cookie", body = AccountSummary),
        (status = 401, description = "The passkey signs in to no account here", body = Problem),
        (status = 404, description = "The ceremony is unknown, used or expired", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem),
        BodyRefused
    )
)]
pub(crate) async fn finish_passkey_sign_in(
    State(app): State<Arc<App>>,
    browser: Browser,
    Body(PasskeyAnswer { ceremony, credential }): Body<PasskeyAnswer>,
) -> Response {
    let answer = (ceremony.as_str(), &credential);
    entered(&app, &browser, app.accounts.finish_passkey_sign_in(answer, browser.secret_hash).await)
}
