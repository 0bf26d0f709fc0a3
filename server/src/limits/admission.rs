//! Whether a request or a WebSocket may go on. The listener decides and stores the verdict as an extension of each request; the HTTP
//! routes and the WebSocket handshake act on it.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderValue, RETRY_AFTER};
use axum::response::Response;
use broadside_shared::protocol::close::CloseCode;

use crate::problem::problem;

/// Seconds after which a refused client may try again.
pub(crate) const RETRY_AFTER_S: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Granted,
    /// The address holds or asks for more than its limit; it may try again in this number of seconds.
    TooManyFromAddress(u64),
    /// The process has no file descriptor left for one more connection.
    OutOfFiles,
}

impl Admission {
    /// The code to close a WebSocket with; `None` if it may stay.
    pub(crate) fn close_code(self) -> Option<CloseCode> {
        match self {
            Admission::Granted => None,
            Admission::TooManyFromAddress(_) => Some(CloseCode::TooManyFromAddress),
            Admission::OutOfFiles => Some(CloseCode::ServerFull),
        }
    }

    /// The response to any other request; `None` if it may go on. It is the last response on its connection.
    pub(crate) fn refusal(self) -> Option<Response> {
        let (status, wait_s, detail) = match self {
            Admission::Granted => return None,
            Admission::TooManyFromAddress(wait_s) => {
                let detail = format!(
                    "too many connections or requests from your address; close other tabs, or try again in {wait_s} s"
                );
                (StatusCode::TOO_MANY_REQUESTS, wait_s, detail)
            }
            Admission::OutOfFiles => {
                (StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER_S, "server is full; try again".to_owned())
            }
        };
        let mut response = problem(status, &detail);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, wait_s.into());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }
}
