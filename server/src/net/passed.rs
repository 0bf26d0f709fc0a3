//! What becomes of the open connections of a server that stands still: another server goes on with them, or they are sent to another node.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broadside_core::connection::PassedConnection;
use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::message::ServerMsg;

use super::admission::ConnectionGuard;
use super::arrivals::{Arrival, Shards, Socket};
use super::conn::{self, Conn};
use super::transport::Transport;
use crate::app::App;
use crate::passed::{About, PassedSocket};

/// How long clients have to close, and how often to look.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// Sends clients to another node of the cluster, and returns when they have closed, or after a while.
pub(crate) async fn send_away(sockets: Vec<PassedSocket>, url: &str) {
    let redirect = ServerMsg::Redirect { url: url.to_owned(), join: None };
    let mut last = conn::framed(&codec::encode_server(&redirect));
    last.extend_from_slice(&conn::close_frame(CloseCode::Restarting));
    let say = move || {
        let say = |PassedSocket { stream, about }: PassedSocket| {
            let mut stream = TcpStream::from(stream);
            // A client that takes nothing now finds its connection closed, and the node by itself.
            stream.set_nonblocking(true).and_then(|()| stream.write_all(&[&about.unsent[..], &last].concat())).ok()?;
            stream.shutdown(Shutdown::Write).ok()?;
            Some(stream)
        };
        let mut open: Vec<TcpStream> = sockets.into_iter().filter_map(say).collect();
        // Bytes that are not read would make the system send a reset, and what was said might be lost.
        let until = Instant::now() + CLOSED_WITHIN;
        while !open.is_empty() && Instant::now() < until {
            open.retain_mut(|stream| match stream.read(&mut [0; 4096]) {
                Ok(count) => count > 0,
                Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            });
            std::thread::sleep(LOOKS_EVERY);
        }
    };
    let _ = tokio::task::spawn_blocking(say).await;
}

/// Goes on with what another server has passed on. A client whose connection this server may not have connects again, and is told why.
pub(crate) fn take_over<G: Game>(app: &Arc<App>, shards: &Shards<G>, sockets: Vec<PassedSocket>) {
    for PassedSocket { stream, about } in sockets {
        let About { connection, unread, unsent } = about;
        match open(app, stream, &connection, (&unread, &unsent)) {
            Ok(socket) => shards.send(Arrival::Passed(Box::new((socket, connection)))),
            Err(error) => tracing::debug!(address = %connection.address, %error, "a connection cannot go on"),
        }
    }
}

fn open(
    app: &Arc<App>,
    stream: OwnedFd,
    connection: &PassedConnection,
    (unread, unsent): (&[u8], &[u8]),
) -> io::Result<Socket> {
    let guard = ConnectionGuard::passed(app, connection.address.ip());
    let guard = guard.map_err(|why| io::Error::other(format!("{why:?}")))?;
    let stream = TcpStream::from(stream);
    stream.set_nonblocking(true)?;
    let transport = Transport::passed(mio::net::TcpStream::from_std(stream), unsent);
    Ok(Socket::new(Conn::new(transport, unread), Some(Arc::new(guard))))
}
