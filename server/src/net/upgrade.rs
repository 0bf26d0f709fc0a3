//! The WebSocket handshake: who may, and what a plain GET is told.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use broadside_shared::protocol::SUBPROTOCOL;
use http::header::{CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use super::handshake;
use super::listener::Guard;
use super::shard::{ShardMail, Upgraded};
use crate::App;
use crate::http::problem;

/// `GET /ws`: upgrades the connection, or says why not.
pub async fn upgrade<G: Game>(
    State(app): State<Arc<App<G>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    if let Err(refusal) = check(request.method(), request.headers()) {
        tracing::debug!(%peer, reason = %refusal.detail, "handshake refused");
        return refusal.into_response();
    }
    let (mut parts, _) = request.into_parts();
    let Some(on_upgrade) = parts.extensions.remove::<hyper::upgrade::OnUpgrade>() else {
        return problem(StatusCode::UPGRADE_REQUIRED, "this connection cannot be upgraded to a WebSocket")
            .into_response();
    };
    let guard = parts.extensions.remove::<Arc<Guard<G>>>();
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
        match on_upgrade.await.map(hyper::upgrade::Upgraded::downcast::<TokioIo<TcpStream>>) {
            Ok(Ok(parts)) => match parts.io.into_inner().into_std() {
                Ok(stream) => {
                    let stream = mio::net::TcpStream::from_std(stream);
                    let upgraded = Upgraded { stream, early: parts.read_buf, address: peer, guard, handshake: kept };
                    app.next_shard().post([ShardMail::Connected(upgraded)]);
                }
                Err(error) => tracing::debug!(%peer, %error, "connection went during the handshake"),
            },
            Ok(Err(_)) => tracing::error!(%peer, "the upgraded connection is not the TCP stream we accepted"),
            Err(error) => tracing::debug!(%peer, %error, "connection went during the handshake"),
        }
    });
    response
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
            // RFC 9110, section 15.5.22: a 426 names the protocol to switch to.
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
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
            format!("this is a WebSocket: connect with ws:// and the subprotocol {SUBPROTOCOL}"),
        );
    }
    let version = headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if version != Some(b"13") {
        return refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Version must be 13".to_owned());
    }
    if !has_token(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return refuse(StatusCode::BAD_REQUEST, format!("Sec-WebSocket-Protocol must offer {SUBPROTOCOL}"));
    }
    check_origin(headers)
}

/// A page may connect to the server it came from: the host of its origin must be the host the request names. Programs send no
/// origin and may pass.
fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let origin = origin.to_str().unwrap_or("?");
    let origin_host = origin.split_once("://").map_or("", |(_, rest)| rest);
    if !origin_host.is_empty() && origin_host.eq_ignore_ascii_case(host) {
        return Ok(());
    }
    let detail = format!("origin is {origin:?}, this server is {host:?}; open the game from this server");
    Err(Refusal { status: StatusCode::FORBIDDEN, detail })
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
        assert_eq!(status(&[("origin", "http://game.example:8080")]), 101);
        assert_eq!(status(&[("origin", "https://GAME.example:8080")]), 101);
        assert_eq!(status(&[("origin", "http://evil.example")]), 403);
        assert_eq!(status(&[("origin", "http://game.example")]), 403);
        assert_eq!(status(&[("origin", "null")]), 403);
        assert_eq!(status(&[("upgrade", "h2c")]), 426);
        assert_eq!(status(&[("connection", "keep-alive")]), 426);
        assert_eq!(status(&[("sec-websocket-version", "8")]), 400);
        assert_eq!(status(&[("sec-websocket-protocol", "chat")]), 400);
    }
}
