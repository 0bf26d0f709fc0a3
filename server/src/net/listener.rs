//! Accepts connections, performs the TLS handshake if there is a certificate, and serves HTTP on them, from which WebSockets are
//! upgraded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use http::StatusCode;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use super::accept::{Accepted, Port, reject};
use super::admission::{ConnectionGuard, Descriptor};
use super::bare_responses::BareResponses;
use super::bounds::{HEAD_MAX, HEAD_TIMEOUT, REJECTION_TIMEOUT};
use super::paced::Paced;
use crate::app::App;
use crate::origin::Scheme;
use crate::problem::raw_problem;
use crate::requester::Requester;

/// Time for WebSockets to close at shutdown; each has 2 s to answer the close frame.
const DRAIN: Duration = Duration::from_secs(5);
/// Time for responses in flight to finish at shutdown.
const LAST_RESPONSE: Duration = Duration::from_secs(1);
/// The first byte of a TLS connection: the type of a handshake record (RFC 8446, section 5.1). No plain-HTTP request starts with it.
const HANDSHAKE: u8 = 22;

/// Connections that may wait in the kernel to be accepted, as far as `net.core.somaxconn` lets it. All clients of a server come back at the
/// same moment when another one takes over; beyond the queue the kernel drops their first packet, which they send again a second later.
const WAITING_MAX: i32 = 65_535;

/// Lets so many connections wait on a listening socket, whoever opened it.
pub(crate) fn let_many_wait(socket: &std::net::TcpListener) -> std::io::Result<()> {
    socket2::SockRef::from(socket).listen(WAITING_MAX)
}

/// Serves until the app ends and every connection is closed, or [`DRAIN`] has passed. Serves TLS if there is an acceptor.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut port = Port::new(listener);
    loop {
        let Accepted { stream, peer, descriptor } = tokio::select! {
            accepted = port.accept() => accepted,
            () = crate::app::ended(&mut ending) => break,
        };
        // With TLS, a response would cost a handshake, and a burst of them too much: drop the connection silently.
        if tls.is_some() && descriptor == Descriptor::FromReserve {
            continue;
        }
        let guard = match ConnectionGuard::new(&app, peer.ip(), descriptor) {
            Ok(guard) => Arc::new(guard),
            Err(_) if tls.is_some() => continue,
            Err(why) => {
                reject(&stream, why);
                continue;
            }
        };
        let direct = tls.as_ref().map(|_| Scheme::Https);
        let connection = HttpConnection { router: router.clone(), app: Arc::clone(&app), guard, peer, direct };
        let (tls, mut ending) = (tls.clone(), app.ending.clone());
        tokio::spawn(async move {
            if let Err(why) = connection.guard.start(peer.ip()).await {
                if tls.is_none() {
                    reject(&stream, why);
                }
                return;
            }
            match tls {
                None if descriptor == Descriptor::FromReserve => {
                    let _ = tokio::time::timeout(REJECTION_TIMEOUT, connection.serve(stream)).await;
                }
                None => connection.serve(stream).await,
                Some(tls) => {
                    let stream = tokio::select! {
                        stream = handshake(&tls, stream, peer) => stream,
                        // Shutdown does not wait for handshakes.
                        () = crate::app::ended(&mut ending) => None,
                    };
                    if let Some(stream) = stream {
                        connection.serve(stream).await;
                    }
                }
            }
        });
    }
    drop(port);
    app.standing_still.accepts_none.store(true, Ordering::Release);
    let closed = async {
        while app.connections.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(DRAIN, closed).await.is_err() {
        tracing::warn!(open = app.connections.load(Ordering::Acquire), "connections still open at shutdown");
    }
}

/// A connection before its upgrade.
struct HttpConnection {
    router: Router,
    app: Arc<App>,
    guard: Arc<ConnectionGuard>,
    peer: SocketAddr,
    direct: Option<Scheme>,
}

impl HttpConnection {
    /// Serves HTTP until the connection ends, is upgraded, or the app ends.
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let HttpConnection { router, app, guard, peer, direct } = self;
        let mut ending = app.ending.clone();
        let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            let requester = Requester::of(peer, direct, request.headers(), &app.config.trust_proxy);
            let admission = guard.admit(requester.address.ip());
            app.config.base_path.strip(request.uri_mut());
            let entrance = app.config.frames.strip(request.uri_mut());
            let extensions = request.extensions_mut();
            extensions.insert(requester);
            extensions.insert(entrance);
            extensions.insert(admission);
            // An upgraded connection outlives this task and takes its guard along.
            extensions.insert(Arc::clone(&guard));
            request.map(axum::body::Body::new) as Request
        });
        let (stream, is_writing) = Paced::new(stream);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_MAX)
            .serve_connection(
                TokioIo::new(BareResponses::new(stream)),
                hyper_util::service::TowerToHyperService::new(service),
            )
            .with_upgrades();
        tokio::pin!(connection);
        let result = tokio::select! {
            result = &mut connection => result,
            () = crate::app::ended(&mut ending) => {
                // Wait only for a response being written: a request body that never ends would delay shutdown.
                if !is_writing.load(Ordering::Relaxed) {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(LAST_RESPONSE, connection).await {
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

/// Performs the TLS handshake; `None` if it fails. A plain-HTTP client gets a response.
async fn handshake(tls: &TlsAcceptor, mut stream: TcpStream, peer: SocketAddr) -> Option<TlsStream<TcpStream>> {
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
            refuse_plain_http(&mut stream).await?;
            return Ok(None);
        }
        // Bounds the encrypted bytes that are not sent yet.
        tls.accept_with(stream, |session| session.set_buffer_limit(Some(HEAD_MAX))).await.map(Some)
    };
    match tokio::time::timeout(HEAD_TIMEOUT, handshake).await {
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

/// Answers a plain-HTTP request on a TLS port.
async fn refuse_plain_http(stream: &mut TcpStream) -> std::io::Result<()> {
    const TEXT: &str = "this port speaks TLS only: use https:// and wss:// instead of http:// and ws://";
    // Closing a socket with unread bytes would send a reset, and the response would be lost.
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    stream.write_all(&raw_problem(StatusCode::BAD_REQUEST, TEXT, &[])).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_connections_wait_to_be_accepted_than_the_standard_library_lets_wait() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let_many_wait(&listener).expect("a listening socket");
        let address = listener.local_addr().expect("it is bound");
        // Nobody accepts: the one that finds no place waits for a second, and then for more.
        let soon = Duration::from_millis(900);
        let waiting = (0..300).map(|_| std::net::TcpStream::connect_timeout(&address, soon));
        let waiting: Vec<_> = waiting.collect::<Result<_, _>>().expect("each is connected at once");
        assert_eq!(waiting.len(), 300);
    }
}
