//! Accepts connections, shakes hands by TLS where there is a certificate, serves HTTP on them (and from there WebSockets), and
//! ends them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use broadside_shared::game::Game;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use super::client::{Client, Scheme};
use crate::App;
use crate::http::router;

/// Time a client has to shake hands by TLS, and to send the head of a request.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest head of a request in bytes, hyper's smallest; a longer one is answered with 431.
pub const HEAD_MAX: usize = 16 * 1024;
/// Connections taken beyond the configured number, so that a page can still be told why it cannot play: its WebSocket is closed with
/// a code, which its script can read, while it cannot read a refused handshake.
pub const SPARE_CONNECTIONS: usize = 32;
/// Time that open connections have to end at shutdown.
const DRAIN: Duration = Duration::from_secs(5);
/// The first byte of a TLS connection: a record of the handshake (RFC 8446, section 5.1). No request in the clear begins so.
const HANDSHAKE: u8 = 22;

/// Serves until the app is ending and every connection is closed, or `DRAIN` has passed; by TLS if there is something to accept it
/// with.
pub async fn serve<G: Game>(listener: TcpListener, tls: Option<TlsAcceptor>, app: Arc<App<G>>) {
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
            // By TLS the answer would cost a handshake, and many come when there are too many.
            if tls.is_none() {
                tokio::spawn(refuse(stream, guard));
            }
            continue;
        }
        let _ = stream.set_nodelay(true);
        let direct = tls.as_ref().map(|_| Scheme::Https);
        let visit = Visit { router: router.clone(), app: Arc::clone(&app), guard: Arc::new(guard), peer, direct };
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => visit.serve(stream).await,
                Some(tls) => {
                    if let Some(stream) = secure(&tls, stream, peer).await {
                        visit.serve(stream).await;
                    }
                }
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

/// A connection that brings requests.
struct Visit<G: Game> {
    router: Router,
    app: Arc<App<G>>,
    guard: Arc<Guard<G>>,
    peer: SocketAddr,
    direct: Option<Scheme>,
}

impl<G: Game> Visit<G> {
    /// Serves HTTP until the connection is over, is upgraded, or the app is ending.
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Visit { router, app, guard, peer, direct } = self;
        let mut ending = app.ending.clone();
        let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            let client = Client::of(peer, direct, request.headers(), &app.config.trust_proxy);
            app.config.base_path.strip(request.uri_mut());
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            extensions.insert(client);
            // An upgraded connection outlives this task: it takes its place in the count along.
            extensions.insert(Arc::clone(&guard));
            request.map(axum::body::Body::new) as Request
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
    }
}

/// Shakes hands by TLS. `None` when nothing came of it; who speaks in the clear is told so.
async fn secure(tls: &TlsAcceptor, mut stream: TcpStream, peer: SocketAddr) -> Option<TlsStream<TcpStream>> {
    let shaking = async {
        let mut first = [0];
        if stream.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
            tell_in_the_clear(&mut stream).await?;
            return Ok(None);
        }
        tls.accept(stream).await.map(Some)
    };
    match tokio::time::timeout(HEAD_TIMEOUT, shaking).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "tls handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "tls handshake took too long");
            None
        }
    }
}

/// Tells who speaks HTTP in the clear what this port speaks.
async fn tell_in_the_clear(stream: &mut TcpStream) -> std::io::Result<()> {
    const TEXT: &str = "this port speaks TLS only: use https:// and wss:// instead of http:// and ws://\n";
    // What is not read would turn the end of the connection into a reset, and the answer would be lost.
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    let head = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length:";
    stream.write_all(format!("{head} {}\r\n\r\n{TEXT}", TEXT.len()).as_bytes()).await?;
    stream.shutdown().await
}

/// A connection's place in the count of open ones.
pub struct Guard<G: Game> {
    app: Arc<App<G>>,
    open: usize,
}

impl<G: Game> Guard<G> {
    /// Takes a place.
    pub fn new(app: &Arc<App<G>>) -> Self {
        let open = app.connections.fetch_add(1, Ordering::AcqRel) + 1;
        app.metrics.connections.inc();
        Guard { app: Arc::clone(app), open }
    }

    /// How many were open when it was taken, itself included.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
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
