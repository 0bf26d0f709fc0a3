//! A player's line, inside the player: what a proxy would do, without the proxy's sockets and tasks.

use std::io::{self, ErrorKind, Read, Write};

use broadside_shared::link::{LinkProfile, Pipe};
use broadside_shared::time::MonoTime;
use mio::net::TcpStream;

use crate::socket::PlayError;

/// Bytes read or sent at once over a line: about a segment, so that loss strikes as often as it should.
const CHUNK: usize = 1448;
/// Receive buffer of a socket behind a line. Small, so that the line is what holds bytes and not the kernel.
const RECEIVE_BUFFER: usize = 16 * 1024;

/// Bytes that a socket moved, whatever they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketBytes {
    /// From the server.
    pub down: u64,
    /// To it.
    pub up: u64,
}

/// A socket that counts.
struct Socket {
    stream: TcpStream,
    moved: SocketBytes,
}

/// A socket, and the line it is behind unless that is clean.
pub struct LinkSocket {
    socket: Socket,
    line: Option<Box<(Pipe, Pipe)>>,
    /// Bytes that wait for the line or the socket to take more.
    unsent: Vec<u8>,
    /// What the line has carried up and the socket has not taken.
    arrived: Vec<u8>,
    /// The socket may hold more than was read.
    readable: bool,
}

impl LinkSocket {
    /// Puts a socket behind a line.
    pub fn new(stream: TcpStream, profile: &LinkProfile, seed: u64) -> LinkSocket {
        // Options are advice: a kernel that refuses one still works.
        let _ = stream.set_nodelay(true);
        let line = (*profile != LinkProfile::CLEAN).then(|| {
            let _ = socket2::SockRef::from(&stream).set_recv_buffer_size(RECEIVE_BUFFER);
            Box::new(profile.pipes(seed))
        });
        LinkSocket {
            socket: Socket { stream, moved: SocketBytes::default() },
            line,
            unsent: Vec::new(),
            arrived: Vec::new(),
            readable: false,
        }
    }

    /// The socket.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.socket.stream
    }

    /// What the socket moved since the last call.
    pub fn take_socket_bytes(&mut self) -> SocketBytes {
        std::mem::take(&mut self.socket.moved)
    }

    /// When the line next has something to deliver, or takes something that waits.
    #[must_use]
    pub fn next_at(&self) -> Option<MonoTime> {
        let (down, up) = &**self.line.as_ref()?;
        [down.next_arrival(), up.next_arrival()].into_iter().flatten().min()
    }

    /// The socket has something to read.
    pub fn set_readable(&mut self) {
        self.readable = true;
    }

    /// Hands what has come by `now` to `take`, in order. Gives `false` when the server has ended the stream.
    ///
    /// # Errors
    /// [`PlayError::Gone`] with what the system said, and whatever `take` gives.
    pub fn receive(
        &mut self,
        now: MonoTime,
        buffer: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), PlayError>,
    ) -> Result<bool, PlayError> {
        let Some(pipes) = &mut self.line else {
            return loop {
                if !self.readable {
                    break Ok(true);
                }
                match read(&mut self.socket, buffer).map_err(gone)? {
                    ReadOutcome::Bytes(0) => break Ok(false),
                    // Edges are told once: a short read is how a drained socket is known without asking again.
                    ReadOutcome::Bytes(n) => {
                        self.readable = n == buffer.len();
                        take(&buffer[..n])?;
                    }
                    ReadOutcome::Nothing => self.readable = false,
                }
            };
        };
        let down = &mut pipes.0;
        let mut open = true;
        loop {
            while let Some(bytes) = down.receive(now) {
                take(&bytes)?;
            }
            // While the line takes no more the socket is left to fill, and the server meets a slow client.
            if !(self.readable && open && down.takes_more()) {
                break;
            }
            match read(&mut self.socket, &mut buffer[..CHUNK]).map_err(gone)? {
                ReadOutcome::Bytes(0) => open = false,
                ReadOutcome::Bytes(n) => down.send(now, buffer[..n].to_vec()),
                ReadOutcome::Nothing => self.readable = false,
            }
        }
        Ok(open || down.next_arrival().is_some())
    }

    /// Sends bytes: at once where nothing waits and the line is clean.
    ///
    /// # Errors
    /// [`PlayError::Gone`] with what the system said.
    pub fn send(&mut self, now: MonoTime, bytes: &[u8]) -> Result<(), PlayError> {
        if self.line.is_none() && self.unsent.is_empty() {
            let taken = write(&mut self.socket, bytes).map_err(gone)?;
            self.unsent.extend_from_slice(&bytes[taken..]);
            return Ok(());
        }
        self.unsent.extend_from_slice(bytes);
        self.flush(now)
    }

    /// Moves on what waits to be sent.
    ///
    /// # Errors
    /// [`PlayError::Gone`] with what the system said.
    pub fn flush(&mut self, now: MonoTime) -> Result<(), PlayError> {
        if let Some(pipes) = &mut self.line {
            let up = &mut pipes.1;
            while !self.unsent.is_empty() && up.takes_more() {
                let chunk = self.unsent.len().min(CHUNK);
                up.send(now, self.unsent.drain(..chunk).collect());
            }
            while let Some(bytes) = up.receive(now) {
                self.arrived.extend_from_slice(&bytes);
            }
            drain(&mut self.socket, &mut self.arrived).map_err(gone)
        } else {
            drain(&mut self.socket, &mut self.unsent).map_err(gone)
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn gone(error: io::Error) -> PlayError {
    PlayError::Gone(error.to_string())
}

enum ReadOutcome {
    Bytes(usize),
    Nothing,
}

fn read(socket: &mut Socket, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
    loop {
        match socket.stream.read(buffer) {
            Ok(n) => {
                socket.moved.down += n as u64;
                return Ok(ReadOutcome::Bytes(n));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(ReadOutcome::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives the number of bytes the socket took.
fn write(socket: &mut Socket, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match socket.stream.write(bytes) {
            Ok(taken) => {
                socket.moved.up += taken as u64;
                return Ok(taken);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn drain(socket: &mut Socket, bytes: &mut Vec<u8>) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(socket, bytes)? {
            0 => break,
            taken => {
                bytes.drain(..taken);
            }
        }
    }
    Ok(())
}
