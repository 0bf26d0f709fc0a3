//! Accepts connections, shakes hands by TLS where there is a certificate, serves HTTP on them (and from there WebSockets), and
//! ends them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use broadside_shared::game::Game;
use http::StatusCode;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use super::accept::{Newcomer, Port, turn_away};
use super::admission::{Files, Guard};
use super::answers::Answers;
use super::client::{Client, Scheme};
use super::paced::Paced;
use crate::app::App;
use crate::http::raw_problem;

/// Time a client has to shake hands by TLS, and to send the head of a request.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest head of a request in bytes, hyper's smallest; a longer one is answered with 431.
pub const HEAD_MAX: usize = 16 * 1024;
/// Connections taken beyond the configured number, so that a page can still be told why it cannot play: its WebSocket is closed with
/// a code, which its script can read, while it cannot read a refused handshake.
pub const SPARE_CONNECTIONS: usize = 32;
/// Time that WebSockets have to end at shutdown; they are closed and have two seconds to answer.
const DRAIN: Duration = Duration::from_secs(5);
/// Time that answers on their way have at shutdown.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// Time that somebody may take who came when no file was left, and is told so.
pub const TOLD_MAX: Duration = Duration::from_secs(2);
/// The first byte of a TLS connection: a record of the handshake (RFC 8446, section 5.1). No request in the clear begins so.
const HANDSHAKE: u8 = 22;

/// Serves until the app is ending and every connection is closed, or `DRAIN` has passed; by TLS if there is something to accept it
/// with.
pub async fn serve<G: Game>(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, app: Arc<App<G>>) {
    let mut ending = app.ending.clone();
    let mut port = Port::new(listener);
    loop {
        let Newcomer { stream, peer, files } = tokio::select! {
            newcomer = port.accept() => newcomer,
            () = crate::app::ended(&mut ending) => break,
        };
        // By TLS an answer would cost a handshake, and many come when there are too many: the connection ends without a word.
        if tls.is_some() && files == Files::RunOut {
            continue;
        }
        let guard = match Guard::new(&app, peer.ip(), files) {
            Ok(guard) => Arc::new(guard),
            Err(_) if tls.is_some() => continue,
            Err(why) => {
                turn_away(&stream, why);
                continue;
            }
        };
        let direct = tls.as_ref().map(|_| Scheme::Https);
        let visit = Visit { router: router.clone(), app: Arc::clone(&app), guard, peer, direct };
        let (tls, mut ending) = (tls.clone(), app.ending.clone());
        tokio::spawn(async move {
            if let Err(why) = visit.guard.begin(peer.ip()).await {
                if tls.is_none() {
                    turn_away(&stream, why);
                }
                return;
            }
            match tls {
                None if files == Files::RunOut => drop(tokio::time::timeout(TOLD_MAX, visit.serve(stream)).await),
                None => visit.serve(stream).await,
                Some(tls) => {
                    let secured = tokio::select! {
                        secured = secure(&tls, stream, peer) => secured,
                        // Nobody waits for who has not shaken hands yet.
                        () = crate::app::ended(&mut ending) => None,
                    };
                    if let Some(stream) = secured {
                        visit.serve(stream).await;
                    }
                }
            }
        });
    }
    drop(port);
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
            let verdict = guard.judge(client.address.ip());
            app.config.base_path.strip(request.uri_mut());
            let extensions = request.extensions_mut();
            extensions.insert(client);
            extensions.insert(verdict);
            // An upgraded connection outlives this task: it takes its place in the count along.
            extensions.insert(Arc::clone(&guard));
            request.map(axum::body::Body::new) as Request
        });
        let (stream, is_writing) = Paced::new(stream);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_MAX)
            .serve_connection(
                TokioIo::new(Answers::new(stream)),
                hyper_util::service::TowerToHyperService::new(service),
            )
            .with_upgrades();
        tokio::pin!(connection);
        let result = tokio::select! {
            result = &mut connection => result,
            () = crate::app::ended(&mut ending) => {
                // TeamLabel is not within an answer is not waited for: a body that never ends would hold up the end.
                if !is_writing.load(Ordering::Relaxed) {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(LAST_ANSWER, connection).await {
                    Ok(result) => result,
                    Err(_) => return,
                }
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
        // What is sealed and not sent is small, too.
        tls.accept_with(stream, |session| session.set_buffer_limit(Some(HEAD_MAX))).await.map(Some)
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
    const TEXT: &str = "this port speaks TLS only: use https:// and wss:// instead of http:// and ws://";
    // What is not read would turn the end of the connection into a reset, and the answer would be lost.
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    stream.write_all(&raw_problem(StatusCode::BAD_REQUEST, TEXT, &[])).await?;
    stream.shutdown().await
}
