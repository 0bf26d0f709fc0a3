//! Accounts over HTTP.
//!
//! | module | endpoints |
//! |---|---|
//! | [`browser`] | none: who sends a request, and whether a page of this server did |
//! | [`cookie`] | none: the cookie that a browser is known by |
//! | [`account`] | `/api/account`, `/api/account/token`, `/api/account/sign-out` |

pub(crate) mod account;
pub(crate) mod browser;
pub(crate) mod cookie;

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::response::{IntoResponse, Response};

use crate::accounts::AccountError;
use crate::accounts::secrets::BrowserSecret;
use crate::problem::problem;
use browser::Browser;

/// Seconds after which a client may ask again when the database does not answer.
const UNAVAILABLE_S: u64 = 5;

impl IntoResponse for AccountError {
    fn into_response(self) -> Response {
        let (status, wait_s) = match self {
            AccountError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Some(UNAVAILABLE_S)),
            AccountError::Failed => (StatusCode::INTERNAL_SERVER_ERROR, None),
            AccountError::TooFast(wait_s) => (StatusCode::TOO_MANY_REQUESTS, Some(wait_s)),
        };
        let mut response = problem(status, &self.to_string());
        if let Some(wait_s) = wait_s {
            response.headers_mut().insert(RETRY_AFTER, wait_s.into());
        }
        response
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
