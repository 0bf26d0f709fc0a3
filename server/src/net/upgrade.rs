//! The WebSocket handshake: who may, and what a plain GET is told.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use broadside_shared::protocol::SUBPROTOCOL;
use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use super::admission::{Guard, Verdict};
use super::client::Client;
use super::conn::Wire;
use super::handshake;
use super::inbox::{ShardMail, Upgraded};
use super::origin;
use super::paced::Paced;
use super::tls::Tls;
use crate::App;
use crate::http::problem;

/// `GET /ws`: upgrades the connection, or says why not.
pub async fn upgrade<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Response {
    let peer = client.address;
    let checked = check(request.method(), request.headers()).and_then(|()| {
        origin::check(request.headers(), client.scheme, &app.config.allow_origin)
            .map_err(|detail| Refusal { status: StatusCode::FORBIDDEN, detail })
    });
    if let Err(refusal) = checked {
        tracing::debug!(%peer, reason = %refusal.detail, "handshake refused");
        return refusal.into_response();
    }
    let (mut parts, _) = request.into_parts();
    let Some(on_upgrade) = parts.extensions.remove::<hyper::upgrade::OnUpgrade>() else {
        return problem(StatusCode::UPGRADE_REQUIRED, "this connection cannot be upgraded to a WebSocket")
            .into_response();
    };
    let guard = parts.extensions.remove::<Arc<Guard<G>>>();
    let refused_with = parts.extensions.get::<Verdict>().and_then(|verdict| verdict.code());
    let mut kept = handshake::record(&parts.uri, &parts.headers);
    let response = match create_response(&http::Request::from_parts(parts, ())) {
        Ok(response) => response,
        Err(error) => {
            return problem(StatusCode::BAD_REQUEST, &format!("not a WebSocket handshake: {error}")).into_response();
        }
    };
    let mut response = response.map(|()| Body::empty());
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Some(kept) = &mut kept {
        handshake::answer(kept, response.status(), response.headers());
    }
    tokio::spawn(async move {
        match on_upgrade.await.map_err(io::Error::other).and_then(take_over) {
            Ok((wire, early)) => {
                let upgraded = Upgraded { wire, early, address: peer, guard, handshake: kept, refused_with };
                app.next_shard().post([ShardMail::Connected(upgraded)]);
            }
            Err(error) => tracing::debug!(%peer, %error, "connection went during the handshake"),
        }
    });
    response
}

/// Takes the connection from hyper and tokio: the socket, with its TLS, and bytes that hyper has read too many.
fn take_over(upgraded: hyper::upgrade::Upgraded) -> io::Result<(Wire, Bytes)> {
    let (stream, tls, early) = match upgraded.downcast::<TokioIo<Paced<TcpStream>>>() {
        Ok(parts) => (parts.io.into_inner().into_inner(), None, parts.read_buf),
        Err(upgraded) => match upgraded.downcast::<TokioIo<Paced<TlsStream<TcpStream>>>>() {
            Ok(parts) => {
                let (stream, session) = parts.io.into_inner().into_inner().into_inner();
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
        response
    }
}

fn check(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |status, detail: String| Err(Refusal { status, detail });
    if method != Method::GET {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, format!("method is {method}; a WebSocket begins with GET"));
    }
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        return refuse(
            StatusCode::UPGRADE_REQUIRED,
            format!("this is a WebSocket: connect with ws:// or wss:// and the subprotocol {SUBPROTOCOL}"),
        );
    }
    let version = headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if version != Some(b"13") {
        return refuse(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13".to_owned());
    }
    if !headers.get(SEC_WEBSOCKET_KEY).is_some_and(|key| is_key(key.as_bytes())) {
        return refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64".to_owned());
    }
    if !has_token(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return refuse(StatusCode::BAD_REQUEST, format!("Sec-WebSocket-Protocol must offer {SUBPROTOCOL}"));
    }
    Ok(())
}

/// Whether this is 16 bytes in base64: 22 letters, of which the last has but two bits to say, and the padding.
fn is_key(key: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==")
        .is_some_and(|letters| letters.len() == 22 && letters.iter().all(is_letter) && b"AQgw".contains(&letters[21]))
}

/// Whether a comma-separated header holds a token, whatever the case.
fn has_token(headers: &HeaderMap, name: &http::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(changes: &[(&'static str, &'static str)]) -> u16 {
        let mut headers = HeaderMap::new();
        let good = [
            ("host", "game.example:8080"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "other, broadside.v1"),
        ];
        for (name, value) in good.iter().chain(changes) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        check(&Method::GET, &headers).map_or_else(|refusal| refusal.status.as_u16(), |()| 101)
    }

    #[test]
    fn a_handshake_is_judged_by_its_headers() {
        assert_eq!(status(&[]), 101);
        assert_eq!(status(&[("upgrade", "h2c")]), 426);
        assert_eq!(status(&[("connection", "keep-alive")]), 426);
        assert_eq!(status(&[("sec-websocket-version", "8")]), 426);
        assert_eq!(status(&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25j")]), 400);
        assert_eq!(status(&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR==")]), 400);
        assert_eq!(status(&[("sec-websocket-protocol", "chat")]), 400);
    }
}
