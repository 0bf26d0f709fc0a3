//! The port in the clear: it tells everyone to come back by https, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use http::header::{HOST, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::accept::{Newcomer, Port, turn_away};
use super::admission::{Files, Guard};
use super::answers::Answers;
use super::listener::{HEAD_MAX, HEAD_TIMEOUT, TOLD_MAX};
use super::origin::split;
use crate::app::App;
use crate::http::door::{door, dress};
use crate::http::problem;

/// Time that one connection may take in all: it is told one thing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves until the app is ending. `https_port` is where everyone is sent.
pub async fn serve<G: Game>(listener: TcpListener, https_port: u16, app: Arc<App<G>>) {
    let router = Router::new()
        .fallback(redirect)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), door::<G>))
        .layer(middleware::map_response(dress))
        .with_state(https_port);
    let mut ending = app.ending.clone();
    let mut port = Port::new(listener);
    loop {
        let Newcomer { stream, peer, files } = tokio::select! {
            newcomer = port.accept() => newcomer,
            () = crate::app::ended(&mut ending) => return,
        };
        let guard = match Guard::new(&app, peer.ip(), files) {
            Ok(guard) => guard,
            Err(why) => {
                turn_away(&stream, why);
                continue;
            }
        };
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let mut ending = app.ending.clone();
        let patience = if files == Files::RunOut { TOLD_MAX } else { PATIENCE };
        tokio::spawn(async move {
            if guard.begin(peer.ip()).await.is_err() {
                return;
            }
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_MAX)
                .keep_alive(false)
                .serve_connection(TokioIo::new(Answers::new(stream)), service);
            tokio::select! {
                _ = tokio::time::timeout(patience, connection) => {}
                () = crate::app::ended(&mut ending) => {}
            }
            drop(guard);
        });
    }
}

async fn redirect(State(https_port): State<u16>, headers: HeaderMap, uri: Uri) -> Response {
    match location(&headers, &uri, https_port) {
        Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        Err(detail) => problem(StatusCode::BAD_REQUEST, &detail).into_response(),
    }
}

/// The same path and query at the https port of the host that was asked for.
fn location(headers: &HeaderMap, uri: &Uri, https_port: u16) -> Result<HeaderValue, String> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    // What goes into our answer is a name and a port and nothing else.
    let Some((name, _)) = split(host) else {
        return Err(format!("Host is {host:?}, must be the name of this server"));
    };
    let port = if https_port == 443 { String::new() } else { format!(":{https_port}") };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    HeaderValue::try_from(format!("https://{name}{port}{path}"))
        .map_err(|_| format!("path {path:?} cannot be repeated"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_sent_to_the_same_place_by_https() {
        for (host, path, port, wanted) in [
            ("game.example", "/", 443, Ok("https://game.example/")),
            ("game.example:80", "/r/AB?x=1&y=%20", 8443, Ok("https://game.example:8443/r/AB?x=1&y=%20")),
            ("[::1]:8080", "/a//b", 443, Ok("https://[::1]/a//b")),
            ("", "/", 443, Err("Host is")),
            ("evil.example/@game.example", "/", 443, Err("Host is")),
            ("a b", "/", 443, Err("Host is")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            let got = location(&headers, &Uri::from_static(path), port);
            match (got, wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, wanted),
                (Err(got), Err(wanted)) => assert!(got.contains(wanted), "{got}"),
                (got, wanted) => panic!("{host}{path}: {got:?}, not {wanted:?}"),
            }
        }
    }
}
