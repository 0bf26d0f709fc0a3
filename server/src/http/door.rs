//! Which requests are let in before anything else looks at them, and what every answer carries on its way out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use broadside_shared::game::Game;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, TRANSFER_ENCODING,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::fields::elements;
use super::{BODY_MAX_BYTES, problem};
use crate::app::App;
use crate::net::client::Client;
use crate::net::host::{self, WrongHost};
use crate::net::origin;

/// What goes with every answer: it is what its type says, it is nobody else's to load or to frame, it tells no other site where its
/// visitor was, and asks the browser for nothing that the game does not use.
const ALWAYS: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=(), \
         xr-spatial-tracking=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // For browsers that do not know `frame-ancestors`.
    (X_FRAME_OPTIONS, "DENY"),
];

/// The policy of whatever is no page of ours: there is nothing to load or run in it.
pub const NO_PAGE: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'";

/// Lets a request in or refuses it.
pub async fn door<G: Game>(State(app): State<Arc<App<G>>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match check(&parts, &app) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Sees to the headers of an answer.
pub async fn dress(mut response: Response) -> Response {
    // A switch of protocols is no answer that a browser shows, loads or keeps.
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        complete(response.headers_mut());
    }
    response
}

/// Adds what goes with every answer; a policy of its own stays.
pub fn complete(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NO_PAGE));
}

/// Why a request is not let in.
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
        // Where the next request begins is anybody's guess, but for one that only asked for somebody else.
        if self.status != StatusCode::MISDIRECTED_REQUEST {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn check<G: Game>(request: &Parts, app: &App<G>) -> Result<(), Refusal> {
    match host::check(request, &app.config.public_host) {
        Ok(()) => {}
        Err(WrongHost::Malformed(detail)) => return Err(Refusal::new(StatusCode::BAD_REQUEST, detail)),
        Err(WrongHost::Foreign(name)) => return Err(foreign(&name, app)),
    }
    if request.headers.get_all(ORIGIN).iter().count() > 1 {
        let detail = "there are several Origin headers; there may be one".to_owned();
        return Err(Refusal::new(StatusCode::BAD_REQUEST, detail));
    }
    // What changes something here is for pages that may connect, too: no form and no script of another page does it.
    let scheme = request.extensions.get::<Client>().and_then(|client| client.scheme);
    if !request.method.is_safe()
        && let Err(detail) = origin::check(&request.headers, scheme, &app.config.allow_origin)
    {
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    if !has_known_coding(&request.headers) {
        let codings: Vec<&str> = elements(&request.headers, &TRANSFER_ENCODING).take(4).collect();
        let detail = format!("Transfer-Encoding is {:?}, may be chunked and nothing else", codings.join(", "));
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, detail));
    }
    // Before any of it is waited for.
    let length = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(bytes) = length.filter(|bytes| *bytes > BODY_MAX_BYTES as u64) {
        let detail = format!("the body has {bytes} bytes, may have {BODY_MAX_BYTES}");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(())
}

/// Whether a body is as long as it says or chunked, and in no other coding: what was compressed would be taken for JSON, and who
/// sees the ends of requests in other places than a proxy before us is how requests are smuggled (RFC 9112, section 11.2).
fn has_known_coding(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(line), None) => line.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Tells whoever asks for another server. The operator hears of each name once: it may be the one that players use.
fn foreign<G: Game>(name: &str, app: &App<G>) -> Refusal {
    if app.foreign_hosts.is_first(name, app.lobby.context.clock.now()) {
        tracing::warn!(host = name, "asked for by a name that is not ours; if it is, start with --public-host");
    }
    let detail = format!(
        "this server is not known as {name:?}; use its address, or start it with --public-host {}",
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
