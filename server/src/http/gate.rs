//! Checks every request before any handler runs: host, origin, transfer coding and body length.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, ORIGIN, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::BODY_MAX_BYTES;
use crate::app::App;
use crate::header_fields::elements;
use crate::host::{self, WrongHost};
use crate::origin;
use crate::problem::problem;
use crate::requester::Requester;

/// Middleware that passes a request on or refuses it.
pub(crate) async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match check(&parts, &app) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    fn new(status: StatusCode, detail: String) -> Refusal {
        Refusal { status, detail }
    }

    fn into_response(self) -> Response {
        let mut response = problem(self.status, &self.detail);
        // Where the next request starts is unknown, except after one that was well-formed and meant for another host.
        if self.status != StatusCode::MISDIRECTED_REQUEST {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn check(request: &Parts, app: &App) -> Result<(), Refusal> {
    match host::check(request, &app.config.public_host) {
        Ok(()) => {}
        Err(WrongHost::Malformed(detail)) => return Err(Refusal::new(StatusCode::BAD_REQUEST, detail)),
        Err(WrongHost::Foreign(name)) => return Err(foreign(&name, app)),
    }
    if request.headers.get_all(ORIGIN).iter().count() > 1 {
        let detail = "there are several Origin headers; at most one is allowed".to_owned();
        return Err(Refusal::new(StatusCode::BAD_REQUEST, detail));
    }
    // Only pages that may connect may change state: no form and no script of another origin may.
    let scheme = request.extensions.get::<Requester>().and_then(|requester| requester.scheme);
    if !request.method.is_safe()
        && let Err(detail) = origin::check(&request.headers, scheme, &app.config.allowed_origins())
    {
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    if !has_known_coding(&request.headers) {
        let codings: Vec<&str> = elements(&request.headers, &TRANSFER_ENCODING).take(4).collect();
        let detail = format!("Transfer-Encoding is {:?}, must be chunked or absent", codings.join(", "));
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, detail));
    }
    // Before reading any of the body.
    let length = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(bytes) = length.filter(|bytes| *bytes > BODY_MAX_BYTES as u64) {
        let detail = format!("the body has {bytes} bytes, must have at most {BODY_MAX_BYTES}");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(())
}

/// Whether a body has a length or is chunked once, and has no other coding: compressed bytes would be taken for JSON, and a server
/// that disagrees with a proxy in front of it about where requests end lets requests be smuggled (RFC 9112, section 11.2).
fn has_known_coding(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(line), None) => line.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Refuses a request for another host, and logs each name once: it may be the one that players use.
fn foreign(name: &str, app: &App) -> Refusal {
    if app.foreign_hosts.is_first(name, app.lobby.context.clock.now()) {
        tracing::warn!(host = name, "request for an unknown host name; if players use it, start with --public-host");
    }
    let detail = format!(
        "this server does not have the name {name:?}; use its address, or start it with --public-host {}",
        name.to_ascii_lowercase()
    );
    Refusal::new(StatusCode::MISDIRECTED_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_chunked_once_or_not_at_all() {
        for (lines, fine) in [
            (&[][..], true),
            (&["chunked"], true),
            (&["Chunked"], true),
            (&["gzip, chunked"], false),
            (&["gzip", "chunked"], false),
            (&["chunked", "chunked"], false),
            (&["chunked, chunked"], false),
            (&["identity, chunked"], false),
            (&["x, chunked"], false),
            (&["chunked;x=y"], false),
            (&[""], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(TRANSFER_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(has_known_coding(&headers), fine, "{lines:?}");
        }
    }
}
