//! The WebSocket handshake: checks it, answers it, and passes the socket to a shard.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use broadside_shared::protocol::SUBPROTOCOL;
use broadside_shared::protocol::close::CloseCode;
use bytes::Bytes;
use http::header::{
    ALLOW, CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::admission::ConnectionGuard;
use super::arrivals::{Arrival, Shards, Upgraded};
use super::bare_responses::BareResponses;
use super::conn::Transport;
use super::handshake;
use super::paced::Paced;
use super::tls::Tls;
use crate::app::App;
use crate::header_fields::{elements, has_token};
use crate::limits::admission::Admission;
use crate::origin::{self, Origin};
use crate::problem::problem;
use crate::requester::Requester;

/// `GET /ws`. A page cannot read the status of a refused handshake. If the handshake itself is valid and the refusal is one that the
/// page should explain, the connection is therefore upgraded, and the shard closes it with a code.
pub(crate) async fn upgrade<G: Game>(
    State(app): State<Arc<App>>,
    Extension(requester): Extension<Requester>,
    Extension(shards): Extension<Arc<Shards<G>>>,
    request: Request,
) -> Response {
    let peer = requester.address;
    let checked = check(&request);
    let admission = request.extensions().get::<Admission>().copied();
    // Only a valid handshake is upgraded to be closed with a code; anything else gets the refusal as a response.
    if let (Err(_), Some(refusal)) = (&checked, admission.and_then(Admission::refusal)) {
        return refusal;
    }
    let origin = origin::check(request.headers(), requester.scheme, &app.config.allowed_origins())
        .or_else(|detail| if is_page_of_a_node(&app, request.headers()) { Ok(()) } else { Err(detail) });
    if let Err(detail) = &origin {
        count_foreign_origin(&app, request.headers(), detail);
    }
    let (key, refused_with) = match (checked, origin) {
        (Ok(key), Ok(())) => (key, None),
        (Ok(key), Err(_)) => (key, Some(CloseCode::WrongOrigin)),
        (Err(_), Err(detail)) => return Refusal { status: StatusCode::FORBIDDEN, detail }.into_response(),
        (Err(refusal), Ok(())) => {
            tracing::debug!(%peer, reason = %refusal.detail, "handshake refused");
            return refusal.into_response();
        }
    };
    let (mut parts, _) = request.into_parts();
    let Some(on_upgrade) = parts.extensions.remove::<hyper::upgrade::OnUpgrade>() else {
        let detail = "this connection cannot be upgraded to a WebSocket".to_owned();
        return Refusal { status: StatusCode::UPGRADE_REQUIRED, detail }.into_response();
    };
    let guard = parts.extensions.remove::<Arc<ConnectionGuard>>();
    let refused_with = refused_with.or_else(|| admission.and_then(Admission::close_code));
    let mut recorded = handshake::record(&parts.uri, &parts.headers);
    let response = switching_protocols(&key);
    if let Some(recorded) = &mut recorded {
        handshake::add_response(recorded, response.status(), response.headers());
    }
    tokio::spawn(async move {
        match on_upgrade.await.map_err(io::Error::other).and_then(take_over) {
            Ok((transport, early)) => {
                let upgraded = Upgraded { transport, early, address: peer, guard, handshake: recorded, refused_with };
                shards.send(Arrival::Upgraded(upgraded));
            }
            Err(error) => tracing::debug!(%peer, %error, "connection lost during the handshake"),
        }
    });
    response
}

/// Whether a page of another node of the cluster asks: its player was sent here.
fn is_page_of_a_node(app: &App, headers: &HeaderMap) -> bool {
    let Some(peers) = &app.lobby.peers else { return false };
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()).and_then(|text| text.parse().ok());
    origin.is_some_and(|origin: Origin| {
        peers.view().all_nodes(app.lobby.context.clock.now()).any(|(known, _)| origin.is_page_of(&known.record.url))
    })
}

/// Counts a request by a page of another origin, and logs each origin once: a proxy that changes `Host` causes the same refusal, and
/// only the log shows it.
fn count_foreign_origin(app: &App, headers: &HeaderMap, detail: &str) {
    app.metrics.origin_refusals.inc();
    let value = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("?");
    let origin: String = value(ORIGIN).chars().take(200).collect();
    if app.foreign_origins.is_first(&origin, app.lobby.context.clock.now()) {
        tracing::warn!(
            origin,
            host = value(HOST),
            "refused a page of another origin; if it is yours, let the proxy keep Host (and name the host with \
             --public-host), or start with --allow-origin"
        );
    }
    tracing::debug!(detail, "origin refused");
}

/// The response to a valid handshake with this key (RFC 6455, section 4.2.2).
fn switching_protocols(key: &HeaderValue) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    response
}

/// Takes the connection from hyper and tokio: the socket, its TLS session, and the bytes that hyper has read beyond the head.
fn take_over(upgraded: hyper::upgrade::Upgraded) -> io::Result<(Transport, Bytes)> {
    let (stream, tls, early) = match upgraded.downcast::<TokioIo<BareResponses<Paced<TcpStream>>>>() {
        Ok(parts) => (parts.io.into_inner().into_inner().into_inner(), None, parts.read_buf),
        Err(upgraded) => match upgraded.downcast::<TokioIo<BareResponses<Paced<TlsStream<TcpStream>>>>>() {
            Ok(parts) => {
                let (stream, session) = parts.io.into_inner().into_inner().into_inner().into_inner();
                (stream, Some(Tls::new(session)), parts.read_buf)
            }
            Err(_) => return Err(io::Error::other("the stream is not one of the listener's")),
        },
    };
    Ok((Transport::new(mio::net::TcpStream::from_std(stream.into_std()?), tls), early))
}

struct Refusal {
    status: StatusCode,
    detail: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = problem(self.status, &self.detail).into_response();
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // A 426 names the protocol to switch to (RFC 9110, section 15.5.22) and its version (RFC 6455, section 4.4).
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}

/// Checks a handshake by RFC 6455, section 4.2.1, with list fields as in RFC 9110. Returns its key.
fn check(request: &Request) -> Result<HeaderValue, Refusal> {
    let refuse = |status, detail: String| Err(Refusal { status, detail });
    let (method, headers) = (request.method(), request.headers());
    if method != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, format!("method is {method}; a WebSocket handshake uses GET"));
    }
    if request.version() < Version::HTTP_11 {
        let detail = format!("{:?} cannot be upgraded to a WebSocket: use HTTP/1.1", request.version());
        return refuse(StatusCode::UPGRADE_REQUIRED, detail);
    }
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        return refuse(
            StatusCode::UPGRADE_REQUIRED,
            format!("this is a WebSocket endpoint: connect with ws:// or wss:// and the subprotocol {SUBPROTOCOL}"),
        );
    }
    for name in [SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_KEY] {
        if headers.get_all(&name).iter().count() > 1 {
            return refuse(StatusCode::BAD_REQUEST, format!("there are several {name} headers; there must be one"));
        }
    }
    let version = headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if version != Some(b"13") {
        return refuse(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13".to_owned());
    }
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes())) else {
        return refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64".to_owned());
    };
    // Subprotocol names are case-sensitive (RFC 6455, section 4.1).
    if !elements(headers, &SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == SUBPROTOCOL) {
        return refuse(StatusCode::BAD_REQUEST, format!("Sec-WebSocket-Protocol must offer {SUBPROTOCOL}"));
    }
    // Bytes after the head are frames.
    if !request.body().is_end_stream() {
        return refuse(StatusCode::BAD_REQUEST, "the request has a body; a WebSocket handshake has none".to_owned());
    }
    Ok(key.clone())
}

/// Whether this is 16 bytes in base64: 22 characters, of which the last carries only two bits, and the padding.
fn is_key(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|characters| {
        characters.len() == 22 && characters.iter().all(is_base64) && b"AQgw".contains(&characters[21])
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const GOOD: [(&str, &str); 6] = [
        ("host", "game.example:8080"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "other, broadside.v1"),
    ];

    /// The status for a valid handshake in which these headers replace those of the same name.
    fn status(changes: &[(&str, &str)]) -> u16 {
        let kept = GOOD.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let mut request = http::Request::builder();
        for (name, value) in kept.chain(changes) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        check(&request).map_or_else(|refusal| refusal.status.as_u16(), |_| 101)
    }

    #[test]
    fn a_handshake_is_checked_by_its_headers() {
        for (changes, expected) in [
            (&[][..], 101),
            (&[("connection", "keep-alive"), ("connection", "Upgrade")], 101),
            (&[("connection", "TE,\tUpgrade")], 101),
            (&[("connection", ",upgrade,")], 101),
            (&[("upgrade", "h2c, websocket")], 101),
            (&[("upgrade", "h2c"), ("upgrade", "WebSocket")], 101),
            (&[("sec-websocket-protocol", "chat"), ("sec-websocket-protocol", "x,\tbroadside.v1")], 101),
            (&[("upgrade", "h2c")], 426),
            (&[("upgrade", "websocket/13")], 426),
            (&[("connection", "keep-alive")], 426),
            (&[("connection", "no-upgrade")], 426),
            (&[("sec-websocket-version", "8")], 426),
            (&[("sec-websocket-version", "13, 8")], 426),
            (&[("sec-websocket-version", "13"), ("sec-websocket-version", "13")], 400),
            (&[("sec-websocket-version", "8"), ("sec-websocket-version", "13")], 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25j")], 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR==")], 400),
            (&[("sec-websocket-key", GOOD[4].1), ("sec-websocket-key", GOOD[4].1)], 400),
            (&[("sec-websocket-protocol", "chat")], 400),
            (&[("sec-websocket-protocol", "Broadside.V1")], 400),
        ] {
            assert_eq!(status(changes), expected, "{changes:?}");
        }
    }

    #[test]
    fn a_handshake_with_a_body_or_of_http_1_0_is_refused() {
        let mut request = http::Request::builder();
        for (name, value) in GOOD {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from("frames")).expect("a request");
        assert_eq!(check(&request).map_err(|refusal| refusal.status.as_u16()), Err(400));
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(check(&request).map_err(|refusal| refusal.status.as_u16()), Err(426));
    }
}
