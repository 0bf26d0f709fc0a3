//! Accepts connections, serves HTTP on them (and from there WebSockets), and ends them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use broadside_shared::game::Game;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::App;
use crate::http::router;

/// Time a client has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest head of a request in bytes, hyper's smallest; a longer one is answered with 431.
const HEAD_MAX: usize = 16 * 1024;
/// Connections taken beyond the configured number, so that a page can still be told why it cannot play: its WebSocket is closed with
/// a code, which its script can read, while it cannot read a refused handshake.
pub const SPARE_CONNECTIONS: usize = 32;
/// Time that open connections have to end at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until the app is ending and every connection is closed, or `DRAIN` has passed.
pub async fn serve<G: Game>(listener: TcpListener, app: Arc<App<G>>) {
    let router = router(Arc::clone(&app));
    let mut ending = app.ending.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = crate::ended(&mut ending) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often too many open files: accepting again at once would only spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let guard = Guard::new(&app);
        if guard.open > app.config.max_connections + SPARE_CONNECTIONS {
            tokio::spawn(refuse(stream, guard));
            continue;
        }
        let service = router.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.map(axum::body::Body::new) as Request
        });
        let mut ending = app.ending.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let guard = Arc::new(guard);
            let held = Arc::clone(&guard);
            let service = service.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                // An upgraded connection outlives this task: it takes its place in the count along.
                request.extensions_mut().insert(Arc::clone(&held));
                request
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_MAX)
                .serve_connection(TokioIo::new(stream), hyper_util::service::TowerToHyperService::new(service))
                .with_upgrades();
            tokio::pin!(connection);
            let result = tokio::select! {
                result = &mut connection => result,
                () = crate::ended(&mut ending) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = result {
                tracing::debug!(%peer, %error, "http connection ended");
            }
        });
    }
    drop(listener);
    let closed = async {
        while app.connections.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(DRAIN, closed).await.is_err() {
        tracing::warn!(open = app.connections.load(Ordering::Acquire), "connections still open at the end");
    }
}

/// A connection's place in the count of open ones.
pub struct Guard<G: Game> {
    app: Arc<App<G>>,
    open: usize,
}

impl<G: Game> Guard<G> {
    fn new(app: &Arc<App<G>>) -> Self {
        let open = app.connections.fetch_add(1, Ordering::AcqRel) + 1;
        app.metrics.connections.inc();
        Guard { app: Arc::clone(app), open }
    }
}

impl<G: Game> Drop for Guard<G> {
    fn drop(&mut self) {
        self.app.connections.fetch_sub(1, Ordering::AcqRel);
        self.app.metrics.connections.dec();
    }
}

/// Tells a client that the server holds as many connections as it may.
async fn refuse<G: Game>(mut stream: TcpStream, _guard: Guard<G>) {
    let refusal = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 15\r\n\r\nserver is full\n";
    let told = async {
        let _ = stream.write_all(refusal).await;
        let _ = stream.shutdown().await;
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), told).await;
}
