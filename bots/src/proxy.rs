//! A TCP proxy on this machine that simulates a link over loopback: delay, jitter, rate, stalls.
//!
//! It forwards the bytes of real sockets: while the simulated link accepts no more, the proxy stops reading, the sender's socket fills
//! up, and the sender sees the backpressure of a slow link. The link itself is the [`Pipe`] that tests step in virtual time.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use broadside_shared::link::{LinkProfile, Pipe};
use broadside_shared::time::MonoTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes read at once: about one TCP segment, so that the loss rate applies per segment.
const CHUNK: usize = 1448;
/// Receive buffer of the proxy's sockets, in bytes. Small, so that bytes queue in the simulated link and not in the kernel.
const BUFFER: usize = 16 * 1024;

/// A running proxy; stops when dropped.
pub struct LinkProxy {
    /// The address to connect to instead of the server's.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for LinkProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LinkProxy {
    /// Listens on a free port of this machine and forwards every connection to `server` over its own simulated link.
    ///
    /// # Errors
    /// No port can be bound.
    pub(crate) async fn start(server: (String, u16), profile: LinkProfile, seed: u64) -> io::Result<LinkProxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let mut next_seed = seed;
            while let Ok((client, _)) = listener.accept().await {
                next_seed = next_seed.wrapping_add(1);
                tokio::spawn(forward(client, server.clone(), profile, next_seed));
            }
        });
        Ok(LinkProxy { address, task })
    }
}

async fn forward(client: TcpStream, server: (String, u16), profile: LinkProfile, seed: u64) {
    let Ok(server) = TcpStream::connect((server.0.as_str(), server.1)).await else { return };
    for stream in [&client, &server] {
        // Socket options are optional: without them the socket still works.
        let _ = stream.set_nodelay(true);
        let _ = socket2::SockRef::from(stream).set_recv_buffer_size(BUFFER);
    }
    let (down, up) = profile.pipes(seed);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let began = Instant::now();
    // The end of one direction ends the connection.
    tokio::select! {
        () = carry(from_server, to_client, down, began) => {}
        () = carry(from_client, to_server, up, began) => {}
    }
}

/// Forwards bytes in one direction until an end closes and the bytes in flight are delivered.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut pipe: Pipe, began: Instant) {
    let mut buffer = vec![0; CHUNK];
    let mut open = true;
    let now = || MonoTime(began.elapsed().as_micros() as u64);
    loop {
        while let Some(bytes) = pipe.receive(now()) {
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let arrival = pipe.next_arrival().map(|at| began + Duration::from_micros(at.0));
        if !open && arrival.is_none() {
            let _ = to.shutdown().await;
            return;
        }
        let wake_at = arrival.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
        tokio::select! {
            read = from.read(&mut buffer), if open && pipe.takes_more() => match read {
                Ok(0) | Err(_) => open = false,
                Ok(n) => pipe.send(now(), buffer[..n].to_vec()),
            },
            () = tokio::time::sleep_until(wake_at.into()) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_arrive_in_order_and_not_early() {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = server.local_addr().expect("bound");
        let far = LinkProfile::named("far").expect("a known profile");
        let proxy = LinkProxy::start((address.ip().to_string(), address.port()), far, 1).await.expect("a free port");
        let mut client = TcpStream::connect(proxy.address).await.expect("the proxy listens");
        let (mut served, _) = server.accept().await.expect("forwarded");
        let sent: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
        let began = Instant::now();
        client.write_all(&sent).await.expect("taken");
        let mut received = vec![0; sent.len()];
        served.read_exact(&mut received).await.expect("all of it comes");
        assert!(received == sent, "in order and whole");
        assert!(began.elapsed() >= Duration::from_millis(55), "{:?}", began.elapsed());
    }
}
