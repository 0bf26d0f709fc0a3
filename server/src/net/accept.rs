//! Where connections come in, also when no more files can be opened: some are held in reserve, so that who comes then is told at once.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::admission::{Files, TurnedAway};
use crate::files::{Spare, ran_out};
use crate::http::raw_problem;

/// Time between two lines in the log about connections that cannot be accepted.
const NEWS_EVERY: Duration = Duration::from_secs(10);
/// Time after a failure before the next attempt: most often nothing has changed, and trying at once would only spin.
const PAUSE: Duration = Duration::from_millis(50);
/// Time to accept a connection with a file from the reserve: it waits already, or is gone.
const AT_ONCE: Duration = Duration::from_millis(10);
/// What the kernel may hold of the answers over one connection; Linux doubles it for its own accounts. Left to itself it would be
/// megabytes.
const SEND_BUFFER: usize = 64 * 1024;

/// A port that listens, with files held in reserve.
pub struct Port {
    listener: TcpListener,
    spare: Spare,
    news_at: Instant,
}

/// Somebody who comes.
pub struct Newcomer {
    /// Their connection.
    pub stream: TcpStream,
    /// Where they come from.
    pub peer: SocketAddr,
    /// Whether there was a file for it.
    pub files: Files,
}

impl Port {
    /// A port that listens.
    #[must_use]
    pub fn new(listener: TcpListener) -> Port {
        Port { listener, spare: Spare::default(), news_at: Instant::now() }
    }

    /// The next connection. Whoever comes when even the reserve is used up is answered here.
    pub async fn accept(&mut self) -> Newcomer {
        loop {
            self.spare.fill();
            let error = match self.listener.accept().await {
                Ok((stream, peer)) => return newcomer(stream, peer, Files::Enough),
                Err(error) => error,
            };
            if self.news_at <= Instant::now() {
                self.news_at = Instant::now() + NEWS_EVERY;
                tracing::warn!(%error, "cannot accept a connection");
            }
            let files = if ran_out(&error) { Files::RunOut } else { Files::Enough };
            let left = if ran_out(&error) { self.spare.let_go() } else { None };
            match (left, tokio::time::timeout(AT_ONCE, self.listener.accept()).await) {
                // The last one is for saying no and nothing else.
                (Some(0), Ok(Ok((stream, _)))) => turn_away(&stream, TurnedAway::ServerFull),
                (_, Ok(Ok((stream, peer)))) => return newcomer(stream, peer, files),
                (Some(_), _) => {}
                (None, _) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn newcomer(stream: TcpStream, peer: SocketAddr, files: Files) -> Newcomer {
    // Options are advice: a kernel that refuses one still works.
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
    Newcomer { stream, peer, files }
}

/// Tells somebody who speaks in the clear that they cannot come in. It takes no task and no time: there may be many of them.
pub fn turn_away(stream: &TcpStream, why: TurnedAway) {
    let (status, detail) = match why {
        TurnedAway::ServerFull => (StatusCode::SERVICE_UNAVAILABLE, "server is full"),
        TurnedAway::TooManyFromAddress => (StatusCode::TOO_MANY_REQUESTS, "too many connections from your address"),
    };
    let refusal = raw_problem(status, detail, &[(RETRY_AFTER, "10")]);
    let socket = socket2::SockRef::from(stream);
    // What is not read would turn the end of the connection into a reset.
    let mut request = [std::mem::MaybeUninit::uninit(); 2048];
    let _ = socket.recv(&mut request);
    // Nothing waits in a new socket: it takes all of this.
    let _ = socket.send(&refusal);
    let _ = socket.shutdown(std::net::Shutdown::Write);
}
