//! The browser behind a request. A handler learns of an account only through these extractors, and they refuse what a page of another site
//! could have sent: no handler can forget to.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{CONTENT_TYPE, COOKIE, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_store::accounts::Account;

use super::cookie::CookieScope;
use crate::accounts::secrets::SecretHash;
use crate::app::App;
use crate::origin::{self, Origin};
use crate::problem::{coded_problem, problem};
use crate::requester::Requester;

/// Where a request comes from, by the browser's word, which no script can set.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The browser that sends a request. If the request changes anything, then a page of this server sent it.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    /// The hash of the secret in its cookie, if it has one; whether that is still valid is unknown.
    pub(crate) secret_hash: Option<SecretHash>,
    /// The hash of the secret of its flow at a provider, if it is in one.
    #[cfg(feature = "oidc")]
    pub(crate) flow_hash: Option<SecretHash>,
    /// The page, if the browser says which.
    pub(crate) origin: Option<Origin>,
    pub(crate) cookies: CookieScope,
    /// Under which limits count.
    pub(crate) address: IpAddr,
}

/// A browser that is signed in. Refused with 401 if it is not; as an `Option`, `None`.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    pub(crate) secret_hash: SecretHash,
    pub(crate) browser: Browser,
}

impl Browser {
    /// The account that it is signed in to.
    pub(crate) async fn signed_in(self, app: &App) -> Result<Option<SignedIn>, Response> {
        let Some(secret_hash) = self.secret_hash else { return Ok(None) };
        let found = app.accounts.signed_in(secret_hash).await.map_err(IntoResponse::into_response)?;
        Ok(found.map(|account| SignedIn { account, secret_hash, browser: self }))
    }
}

impl FromRequestParts<Arc<App>> for Browser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Browser, Response> {
        let requester = parts.extensions.get::<Requester>().copied();
        let requester = requester.expect("the listener gives every request its requester");
        let cookies = CookieScope::new(requester.scheme, &app.config.base_path);
        let secret_hash = cookies.secret(&parts.headers).map(|secret| secret.hash());
        let origin = origin::own(&parts.headers, requester.scheme);
        if !parts.method.is_safe() {
            if let Err(detail) = check_site(&parts.headers, origin.is_some()) {
                return Err(coded_problem(StatusCode::FORBIDDEN, "other_site", &detail));
            }
            if !is_json(&parts.headers) {
                // A form cannot send JSON, and a script of another site only after asking us (CORS).
                let detail = "the header content-type must say application/json, also without a body";
                return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
        }
        Ok(Browser {
            secret_hash,
            #[cfg(feature = "oidc")]
            flow_hash: cookies.flow(&parts.headers).map(|secret| secret.hash()),
            origin,
            cookies,
            address: requester.address.ip(),
        })
    }
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<SignedIn, Response> {
        let browser = Browser::from_request_parts(parts, app).await?;
        browser.signed_in(app).await?.ok_or_else(not_signed_in)
    }
}

impl OptionalFromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Option<SignedIn>, Response> {
        let browser = Browser::from_request_parts(parts, app).await?;
        browser.signed_in(app).await
    }
}

pub(crate) fn not_signed_in() -> Response {
    let detail =
        "this browser is not signed in; POST /api/account/token makes it a guest, /api/account/sign-in signs it in";
    coded_problem(StatusCode::UNAUTHORIZED, "not_signed_in", detail)
}

/// Whether a page of this server sent a request. Every browser of the last years says so by `Sec-Fetch-Site` or `Origin`; a program that
/// says neither may pass only without a cookie. Pages of `--allow-origin` may connect, but are nobody here.
fn check_site(headers: &HeaderMap, is_own: bool) -> Result<(), String> {
    let site = headers.get(SEC_FETCH_SITE).map(|site| site.to_str().unwrap_or("?"));
    let has_origin = headers.contains_key(ORIGIN);
    match (site, has_origin.then_some(is_own)) {
        (Some("same-origin") | None, Some(true)) | (Some("same-origin"), None) => Ok(()),
        (None, None) if !headers.contains_key(COOKIE) => Ok(()),
        (None, None) => {
            Err("a request with a cookie must say where it comes from; browsers send the header origin".to_owned())
        }
        (Some(_), _) | (_, Some(false)) => {
            Err("accounts are used by pages of this server only; open the game from this server".to_owned())
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let found = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    found.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
