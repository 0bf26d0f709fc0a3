//! A line to the server that never blocks: TCP from an address of our choice, and TLS over it if the server speaks that.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use broadside_bots::socket::Target;
use rustls::ClientConnection;
use socket2::{Domain, Socket, Type};

/// Time to connect, and to shake hands by TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// Pause of a loop that waits for a socket.
pub(crate) const PAUSE: Duration = Duration::from_micros(500);
/// Bytes of ours that the kernel keeps for a socket.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// Bytes handed to TLS at once.
const RECORD: usize = 16 * 1024;

/// A line.
pub(crate) struct Line {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Line {
    /// Connects in the clear, whatever the server speaks.
    pub(crate) fn bare(address: SocketAddr, from: Ipv4Addr) -> io::Result<Line> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Small, so that what is not read waits at the server's end.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
        socket.connect_timeout(&address.into(), CONNECT)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(Line { socket: socket.into(), tls: None })
    }

    /// Connects, and shakes hands by TLS if `target` is asked for by wss.
    pub(crate) fn open(target: &Target, address: SocketAddr, from: Ipv4Addr) -> io::Result<Line> {
        let mut line = Line::bare(address, from)?;
        line.tls = target.session().map_err(io::Error::other)?.map(Box::new);
        let until = Instant::now() + CONNECT;
        while line.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            line.flush()?;
            line.fill()?;
            if Instant::now() > until {
                return Err(ErrorKind::TimedOut.into());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(line)
    }

    /// Takes what the line takes now, and gives how much that was.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return or_nothing(self.socket.write(bytes)) };
        if tls.wants_write() {
            self.flush()?;
        }
        let Some(tls) = self.tls.as_mut().filter(|tls| !tls.wants_write()) else { return Ok(0) };
        let taken = tls.writer().write(&bytes[..bytes.len().min(RECORD)])?;
        self.flush()?;
        Ok(taken)
    }

    /// Reads what is there: `None` if that is nothing for now, 0 at the end.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.tls.is_none() {
            return match self.socket.read(buffer) {
                Ok(taken) => Ok(Some(taken)),
                Err(error) if is_nothing(&error) => Ok(None),
                Err(error) => Err(error),
            };
        }
        let open = self.fill()?;
        // An answer to new keys, or an alert.
        let _ = self.flush();
        let Some(tls) = &mut self.tls else { return Ok(None) };
        match tls.reader().read(buffer) {
            Ok(taken) => Ok(Some(taken)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(if open { None } else { Some(0) }),
            // The stream ended without a word of TLS.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// Asks for new keys for what we say; nothing in the clear. Gives whether the line took it.
    pub(crate) fn new_keys(&mut self) -> io::Result<bool> {
        self.flush()?;
        let Some(tls) = self.tls.as_mut().filter(|tls| !tls.wants_write()) else { return Ok(false) };
        tls.refresh_traffic_keys().map_err(io::Error::other)?;
        self.flush()?;
        Ok(true)
    }

    /// Says that nothing follows.
    pub(crate) fn end_writing(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if is_nothing(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what came sealed. Gives `false` when the stream has ended.
    fn fill(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            match tls.read_tls(&mut self.socket) {
                Ok(0) => return Ok(false),
                Ok(_) => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if is_nothing(&error) => return Ok(true),
                Err(error) => return Err(error),
            }
            // What was opened waits to be read: no more until it is.
            if !tls.wants_read() {
                return Ok(true);
            }
        }
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn or_nothing(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if is_nothing(&error) => Ok(0),
        result => result,
    }
}
