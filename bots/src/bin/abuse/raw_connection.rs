//! A non-blocking connection to the server: TCP from a chosen local address, with TLS over it if the target is a wss URL.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use broadside_bots::socket::Target;
use rustls::ClientConnection;
use socket2::{Domain, Socket, Type};

/// Timeout of the TCP connect, and of the TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// Pause of a loop that waits for a socket.
pub(crate) const PAUSE: Duration = Duration::from_micros(500);
/// Receive buffer of a socket, in bytes. Small, so that unread bytes wait at the server's end.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// Bytes given to TLS at once.
const RECORD: usize = 16 * 1024;

pub(crate) struct RawConnection {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl RawConnection {
    /// Connects without TLS, even to a TLS server.
    pub(crate) fn bare(address: SocketAddr, from: Ipv4Addr) -> io::Result<RawConnection> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
        socket.connect_timeout(&address.into(), CONNECT)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(RawConnection { socket: socket.into(), tls: None })
    }

    /// Connects, and completes the TLS handshake if `target` is a wss URL.
    pub(crate) fn open(target: &Target, address: SocketAddr, from: Ipv4Addr) -> io::Result<RawConnection> {
        let mut connection = RawConnection::bare(address, from)?;
        connection.tls = target.tls_connection().map_err(io::Error::other)?.map(Box::new);
        let until = Instant::now() + CONNECT;
        while connection.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            connection.flush()?;
            connection.fill()?;
            if Instant::now() > until {
                return Err(ErrorKind::TimedOut.into());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(connection)
    }

    /// Writes without blocking and gives the number of bytes accepted; 0 if the connection accepts none now.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return or_zero(self.socket.write(bytes)) };
        if tls.wants_write() {
            self.flush()?;
        }
        let Some(tls) = self.tls.as_mut().filter(|tls| !tls.wants_write()) else { return Ok(0) };
        let taken = tls.writer().write(&bytes[..bytes.len().min(RECORD)])?;
        self.flush()?;
        Ok(taken)
    }

    /// Reads without blocking: `None` if nothing has arrived, 0 at the end of the stream.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.tls.is_none() {
            return match self.socket.read(buffer) {
                Ok(taken) => Ok(Some(taken)),
                Err(error) if would_block(&error) => Ok(None),
                Err(error) => Err(error),
            };
        }
        let open = self.fill()?;
        // The reply to a key update, or an alert.
        let _ = self.flush();
        let Some(tls) = &mut self.tls else { return Ok(None) };
        match tls.reader().read(buffer) {
            Ok(taken) => Ok(Some(taken)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(if open { None } else { Some(0) }),
            // The stream ended without a TLS close_notify.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// Requests a TLS key update for the sending direction. Gives whether the connection accepted it; `false` without TLS.
    pub(crate) fn update_keys(&mut self) -> io::Result<bool> {
        self.flush()?;
        let Some(tls) = self.tls.as_mut().filter(|tls| !tls.wants_write()) else { return Ok(false) };
        tls.refresh_traffic_keys().map_err(io::Error::other)?;
        self.flush()?;
        Ok(true)
    }

    /// Shuts down the sending direction.
    pub(crate) fn shut_down_writing(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if would_block(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads and decrypts what has arrived. Gives `false` when the stream has ended.
    fn fill(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            match tls.read_tls(&mut self.socket) {
                Ok(0) => return Ok(false),
                Ok(_) => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if would_block(&error) => return Ok(true),
                Err(error) => return Err(error),
            }
            // rustls holds decrypted bytes: it accepts more once they are read.
            if !tls.wants_read() {
                return Ok(true);
            }
        }
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn or_zero(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if would_block(&error) => Ok(0),
        result => result,
    }
}
