//! The WebSocket handshake: who may, and what a plain GET is told.

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

use super::admission::{Guard, Verdict};
use super::answers::Answers;
use super::arrivals::{Shards, Upgraded};
use super::client::Client;
use super::conn::Wire;
use super::handshake;
use super::origin;
use super::paced::Paced;
use super::tls::Tls;
use crate::app::App;
use crate::http::fields::{elements, has_token};
use crate::http::problem;

/// `GET /ws`: upgrades the connection, or says why not. A page of another origin cannot read a refusal: its connection is upgraded, and
/// the shard closes it with a code that the page can explain.
pub async fn upgrade<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    Extension(shards): Extension<Arc<Shards<G>>>,
    request: Request,
) -> Response {
    let peer = client.address;
    let checked = check(&request);
    let verdict = request.extensions().get::<Verdict>().copied();
    // Only a WebSocket is opened to be told with a code that its address asks too much; what is none is told now.
    if let (Err(_), Some(refusal)) = (&checked, verdict.and_then(Verdict::refusal)) {
        return refusal;
    }
    let origin = origin::check(request.headers(), client.scheme, &app.config.allow_origin);
    if let Err(detail) = &origin {
        note_origin(&app, request.headers(), detail);
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
    let guard = parts.extensions.remove::<Arc<Guard<G>>>();
    let refused_with = refused_with.or_else(|| verdict.and_then(Verdict::code));
    let mut kept = handshake::record(&parts.uri, &parts.headers);
    let response = switching(&key);
    if let Some(kept) = &mut kept {
        handshake::answer(kept, response.status(), response.headers());
    }
    tokio::spawn(async move {
        match on_upgrade.await.map_err(io::Error::other).and_then(take_over) {
            Ok((wire, early)) => {
                let upgraded = Upgraded { wire, early, address: peer, guard, handshake: kept, refused_with };
                shards.hand_over(upgraded);
            }
            Err(error) => tracing::debug!(%peer, %error, "connection went during the handshake"),
        }
    });
    response
}

/// Counts a page of another origin, and tells the operator of each origin once: a proxy that changes `Host` looks like this, and
/// nobody else sees it.
fn note_origin<G: Game>(app: &App<G>, headers: &HeaderMap, detail: &str) {
    app.metrics.origin_refusals.inc();
    let value = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("?");
    let origin: String = value(ORIGIN).chars().take(200).collect();
    if app.foreign_origins.is_first(&origin, app.lobby.context.clock.now()) {
        tracing::warn!(
            origin,
            host = value(HOST),
            "a page of another origin may not connect; if it is yours, let the proxy keep Host (and name the host with \
             --public-host), or start with --allow-origin"
        );
    }
    tracing::debug!(detail, "origin refused");
}

/// The answer to a good handshake with this key (RFC 6455, section 4.2.2).
fn switching(key: &HeaderValue) -> Response {
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

/// Takes the connection from hyper and tokio: the socket, with its TLS, and bytes that hyper has read too many.
fn take_over(upgraded: hyper::upgrade::Upgraded) -> io::Result<(Wire, Bytes)> {
    let (stream, tls, early) = match upgraded.downcast::<TokioIo<Answers<Paced<TcpStream>>>>() {
        Ok(parts) => (parts.io.into_inner().into_inner().into_inner(), None, parts.read_buf),
        Err(upgraded) => match upgraded.downcast::<TokioIo<Answers<Paced<TlsStream<TcpStream>>>>>() {
            Ok(parts) => {
                let (stream, session) = parts.io.into_inner().into_inner().into_inner().into_inner();
                (stream, Some(Tls::new(session)), parts.read_buf)
            }
            Err(_) => return Err(io::Error::other("it is not a stream that we accepted")),
        },
    };
    Ok((Wire::new(mio::net::TcpStream::from_std(stream.into_std()?), tls), early))
}

/// Why a handshake is refused.
struct Refusal {
    status: StatusCode,
    detail: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = problem(self.status, &self.detail).into_response();
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110, section 15.5.22: a 426 names the protocol to switch to; RFC 6455, section 4.4: and the version of it.
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

/// Judges a handshake by RFC 6455, section 4.2.1, with lists as RFC 9110 has them. Gives its key.
fn check(request: &Request) -> Result<HeaderValue, Refusal> {
    let refuse = |status, detail: String| Err(Refusal { status, detail });
    let (method, headers) = (request.method(), request.headers());
    if method != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, format!("method is {method}; a WebSocket begins with GET"));
    }
    if request.version() < Version::HTTP_11 {
        let detail = format!("{:?} cannot become a WebSocket: ask by HTTP/1.1", request.version());
        return refuse(StatusCode::UPGRADE_REQUIRED, detail);
    }
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        return refuse(
            StatusCode::UPGRADE_REQUIRED,
            format!("this is a WebSocket: connect with ws:// or wss:// and the subprotocol {SUBPROTOCOL}"),
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
    // A token of its own, with its case (RFC 6455, section 4.1).
    if !elements(headers, &SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == SUBPROTOCOL) {
        return refuse(StatusCode::BAD_REQUEST, format!("Sec-WebSocket-Protocol must offer {SUBPROTOCOL}"));
    }
    // What comes behind the head is frames already.
    if !request.body().is_end_stream() {
        return refuse(StatusCode::BAD_REQUEST, "there is a body; the request of a WebSocket has none".to_owned());
    }
    Ok(key.clone())
}

/// Whether this is 16 bytes in base64: 22 messages, of which the last has but two bits to say, and the padding.
fn is_key(key: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|messages| {
        messages.len() == 22 && messages.iter().all(is_letter) && b"AQgw".contains(&messages[21])
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

    /// The status of the answer to the good handshake with these lines in the place of those of the same name.
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
    fn a_handshake_is_judged_by_its_headers() {
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
    fn a_handshake_has_no_body_and_is_not_of_http_1_0() {
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
