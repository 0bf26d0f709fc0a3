//! Accepts connections, also when the process is out of file descriptors: a reserve lets such connections be rejected at once.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::admission::{Descriptor, Rejection};
use crate::files::{Spare, is_out_of_files};
use crate::problem::raw_problem;

/// Minimum interval between log lines about failed accepts.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// Pause after a failed accept; retrying at once would spin.
const RETRY_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// Time to accept a connection with a descriptor from the reserve: the connection is pending already, or gone.
const RESERVE_TIMEOUT: Duration = Duration::from_millis(10);
/// Send buffer of one connection, in bytes; Linux doubles it for its bookkeeping. The default could grow to megabytes.
const SEND_BUFFER: usize = 64 * 1024;

/// A listening port with descriptors in reserve.
pub(crate) struct Port {
    listener: TcpListener,
    spare: Spare,
    log_at: Instant,
}

/// An accepted connection.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) descriptor: Descriptor,
}

impl Port {
    pub(crate) fn new(listener: TcpListener) -> Port {
        Port { listener, spare: Spare::default(), log_at: Instant::now() }
    }

    /// The next connection. Rejects connections itself once the reserve is down to its last descriptor.
    pub(crate) async fn accept(&mut self) -> Accepted {
        loop {
            self.spare.fill();
            let error = match self.listener.accept().await {
                Ok((stream, peer)) => return accepted(stream, peer, Descriptor::Available),
                Err(error) => error,
            };
            if self.log_at <= Instant::now() {
                self.log_at = Instant::now() + LOG_EVERY;
                tracing::warn!(%error, "cannot accept a connection");
            }
            let descriptor = if is_out_of_files(&error) { Descriptor::FromReserve } else { Descriptor::Available };
            let left = if is_out_of_files(&error) { self.spare.release() } else { None };
            match (left, tokio::time::timeout(RESERVE_TIMEOUT, self.listener.accept()).await) {
                // The last descriptor only serves to reject connections.
                (Some(0), Ok(Ok((stream, _)))) => reject(&stream, Rejection::ServerFull),
                (_, Ok(Ok((stream, peer)))) => return accepted(stream, peer, descriptor),
                (Some(_), _) => {}
                (None, _) => tokio::time::sleep(RETRY_AFTER_FAILURE).await,
            }
        }
    }
}

fn accepted(stream: TcpStream, peer: SocketAddr, descriptor: Descriptor) -> Accepted {
    // Options are hints: a socket works without them.
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
    Accepted { stream, peer, descriptor }
}

/// Rejects a plain-HTTP connection with a response. Needs neither a task nor a wait: many may come at once.
pub(crate) fn reject(stream: &TcpStream, why: Rejection) {
    let (status, detail) = match why {
        Rejection::ServerFull => (StatusCode::SERVICE_UNAVAILABLE, "server is full"),
        Rejection::TooManyFromAddress => (StatusCode::TOO_MANY_REQUESTS, "too many connections from your address"),
    };
    let refusal = raw_problem(status, detail, &[(RETRY_AFTER, "10")]);
    let socket = socket2::SockRef::from(stream);
    // Closing a socket with unread bytes would send a reset.
    let mut request = [std::mem::MaybeUninit::uninit(); 2048];
    let _ = socket.recv(&mut request);
    // The send buffer of a new socket is empty and takes all of this.
    let _ = socket.send(&refusal);
    let _ = socket.shutdown(std::net::Shutdown::Write);
}
