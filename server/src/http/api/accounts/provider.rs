//! Signing in with an identity at a provider.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use broadside_store::credentials::Identity;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::{Body, uncached};
use super::account::AccountSummary;
use super::browser::{Browser, SignedIn};
use super::password::entered;
use super::{BodyRefused, ChangeRefused};
use crate::accounts::AccountError;
use crate::accounts::provider::{Answer, Intent};
use crate::app::App;
use crate::problem::Problem;

/// Path to which the provider sends the browser back, below the base path.
const CALLBACK: &str = "/api/account/oidc/callback";

/// Where to go.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderPage {
    /// URL of the provider's page, to navigate to.
    url: String,
}

/// What the provider says.
#[derive(Default, Deserialize, IntoParams)]
pub(crate) struct CallbackQuery {
    /// Of the request.
    #[serde(default)]
    state: String,
    /// Absent if the provider or the owner refused.
    code: Option<String>,
    /// The provider.
    iss: Option<String>,
}

/// What the identity is for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderIntent {
    /// To sign in to the account that has it.
    SignIn,
    /// To sign in to this account from now on; a guest keeps a name by it.
    Link,
}

/// The last step of a flow.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishRequest {
    intent: ProviderIntent,
    /// To link: the name that a guest keeps.
    name: Option<String>,
    /// To link: the account's password; not needed by a guest, and for five minutes after signing in.
    password: Option<String>,
}

/// An identity to unlink.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlinkRequest {
    issuer: String,
    subject: String,
    /// The account's password; not needed for five minutes after signing in.
    password: Option<String>,
}

/// Begins to sign in at the provider.
#[utoipa::path(
    post,
    path = "/api/account/oidc/begin",
    responses(
        (status = 200, description = "Where to go; a cookie for the flow is set", body = ProviderPage),
        (status = 403, description = "The request does not come from a page of this server", body = Problem),
        (status = 404, description = "No provider signs in here", body = Problem),
        (status = 415, description = "The content-type header does not say JSON", body = Problem),
        (status = 429, description = "Too many attempts from this address", body = Problem),
        (status = 503, description = "The provider does not answer", body = Problem)
    )
)]
pub(crate) async fn begin_flow(State(app): State<Arc<App>>, browser: Browser) -> Response {
    let begun = async {
        let origin = browser.origin.as_ref().ok_or(AccountError::ProviderRefused)?;
        let redirect = format!("{origin}{}{CALLBACK}", app.config.base_path);
        app.accounts.begin_flow(redirect, browser.address).await
    };
    match begun.await {
        Ok((url, secret)) => {
            let mut response = uncached(Json(ProviderPage { url }));
            response.headers_mut().append(SET_COOKIE, browser.cookies.keep_flow(&secret));
            response
        }
        Err(refused) => refused.into_response(),
    }
}

/// Where the provider sends the browser back. Leads to the page of accounts, whose fragment says how it went: `#account=provider` to finish,
/// `#account=provider-refused` to begin again.
#[utoipa::path(
    get,
    path = "/api/account/oidc/callback",
    params(CallbackQuery),
    responses((status = 303, description = "To the page"))
)]
pub(crate) async fn callback(
    State(app): State<Arc<App>>,
    browser: Browser,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Response {
    let CallbackQuery { state, code, iss } = query.map(|Query(query)| query).unwrap_or_default();
    let answer = Answer { state, code, issuer: iss };
    let outcome = match app.accounts.answer_flow(answer, browser.flow_hash) {
        Ok(()) => "provider",
        Err(error) => {
            tracing::debug!(%error, "a provider's answer was refused");
            "provider-refused"
        }
    };
    let to = format!("{}/account#account={outcome}", app.config.base_path);
    (StatusCode::SEE_OTHER, [(LOCATION, to)], uncached(())).into_response()
}

/// Finishes what began at the provider: signs in, or links the identity. If it belongs to another account, or to none, the answer says so, and
/// the same flow can be finished with the other intent.
#[utoipa::path(
    post,
    path = "/api/account/oidc/finish",
    request_body = FinishRequest,
    responses(
        (status = 200, description = "Done; the browser has a new cookie if it is signed in anew", body = AccountSummary),
        (status = 400, description = "The name is missing or cannot be chosen", body = Problem),
        (status = 401, description = "To link, the browser must be signed in, at least as a guest", body = Problem),
        (status = 403, description = "Confirm with the password, or the request does not come from a page of this server", body = Problem),
        (status = 404, description = "The flow is unknown or expired (code no_ceremony), or no account has the identity (unknown_identity)", body = Problem),
        (status = 409, description = "The identity (code identity_taken) or the name (name_taken) belongs to another account", body = Problem),
        (status = 429, description = "Too many attempts", body = Problem),
        (status = 502, description = "The provider's answer cannot be trusted", body = Problem),
        (status = 503, description = "The provider or the database does not answer", body = Problem),
        BodyRefused
    )
)]
pub(crate) async fn finish_flow(
    State(app): State<Arc<App>>,
    browser: Browser,
    Body(FinishRequest { intent, name, password }): Body<FinishRequest>,
) -> Response {
    let Some(cookie) = browser.flow_hash else { return AccountError::NoCeremony.into_response() };
    let signed_in = match browser.clone().signed_in(&app).await {
        Ok(signed_in) => signed_in,
        Err(refused) => return refused,
    };
    let intent = match (intent, &signed_in) {
        (ProviderIntent::SignIn, _) => Intent::SignIn,
        (ProviderIntent::Link, Some(SignedIn { account, secret_hash, .. })) => {
            let (name, password) = (name.as_deref(), password.as_deref());
            Intent::Link { account, secret_hash: *secret_hash, name, password }
        }
        (ProviderIntent::Link, None) => return super::browser::not_signed_in(),
    };
    match app.accounts.finish_flow(cookie, intent, browser.secret_hash, browser.address).await {
        Ok((account, secret)) => {
            let mut response = match secret {
                Some(secret) => entered(&app, &browser, Ok((account, secret))),
                None => uncached(Json(AccountSummary::of(&account))),
            };
            response.headers_mut().append(SET_COOKIE, browser.cookies.forget_flow());
            response
        }
        Err(refused) => refused.into_response(),
    }
}

/// Unlinks an identity: it does not sign in any longer.
#[utoipa::path(
    delete,
    path = "/api/account/oidc",
    request_body = UnlinkRequest,
    responses(
        (status = 204, description = "It does not sign in any longer"),
        (status = 404, description = "The account does not have it", body = Problem),
        (status = 409, description = "Nothing else signs in to the account", body = Problem),
        ChangeRefused,
        BodyRefused
    )
)]
pub(crate) async fn unlink(
    State(app): State<Arc<App>>,
    SignedIn { account, secret_hash, browser }: SignedIn,
    Body(UnlinkRequest { issuer, subject, password }): Body<UnlinkRequest>,
) -> Response {
    let identity = Identity { issuer, subject };
    let of = (&account, secret_hash);
    match app.accounts.unlink(of, &identity, password.as_deref(), browser.address).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused.into_response(),
    }
}
