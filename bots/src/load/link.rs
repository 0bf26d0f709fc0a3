//! A socket behind a simulated link: the effect of a link proxy, without its sockets and tasks.

use std::io::{self, ErrorKind, Read, Write};

use broadside_shared::link::{LinkProfile, Pipe};
use broadside_shared::time::MonoTime;
use mio::net::TcpStream;

use crate::socket::PlayError;

/// Bytes read or sent at once over a simulated link: about one TCP segment, so that the loss rate applies per segment.
const CHUNK: usize = 1448;
/// Receive buffer of a socket behind a simulated link, in bytes. Small, so that bytes queue in the link and not in the kernel.
const RECEIVE_BUFFER: usize = 16 * 1024;

/// Bytes read from and written to a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SocketBytes {
    pub(crate) down: u64,
    pub(crate) up: u64,
}

/// A socket that counts its bytes.
struct CountedSocket {
    stream: TcpStream,
    counts: SocketBytes,
}

/// A socket, and the simulated link in front of it unless the profile is clean.
pub(crate) struct LinkSocket {
    socket: CountedSocket,
    link: Option<Box<(Pipe, Pipe)>>,
    /// Bytes that the link or the socket has not accepted yet.
    unsent: Vec<u8>,
    /// Bytes that the link has delivered and the socket has not accepted yet.
    delivered: Vec<u8>,
    /// The socket may hold more than was read.
    readable: bool,
}

impl LinkSocket {
    pub(crate) fn new(stream: TcpStream, profile: &LinkProfile, seed: u64) -> LinkSocket {
        // Socket options are optional: without them the socket still works.
        let _ = stream.set_nodelay(true);
        let link = (*profile != LinkProfile::CLEAN).then(|| {
            let _ = socket2::SockRef::from(&stream).set_recv_buffer_size(RECEIVE_BUFFER);
            Box::new(profile.pipes(seed))
        });
        LinkSocket {
            socket: CountedSocket { stream, counts: SocketBytes::default() },
            link,
            unsent: Vec::new(),
            delivered: Vec::new(),
            readable: false,
        }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.socket.stream
    }

    /// Takes the byte counts since the last call.
    pub(crate) fn take_socket_bytes(&mut self) -> SocketBytes {
        std::mem::take(&mut self.socket.counts)
    }

    /// When the link next delivers bytes or accepts waiting ones.
    pub(crate) fn next_at(&self) -> Option<MonoTime> {
        let (down, up) = &**self.link.as_ref()?;
        [down.next_arrival(), up.next_arrival()].into_iter().flatten().min()
    }

    /// Notes that the socket is readable.
    pub(crate) fn set_readable(&mut self) {
        self.readable = true;
    }

    /// Gives the bytes that have arrived by `now` to `take`, in order. Gives `false` at the end of the stream.
    ///
    /// # Errors
    /// [`PlayError::Lost`] with the system's error, and the errors of `take`.
    pub(crate) fn receive(
        &mut self,
        now: MonoTime,
        buffer: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), PlayError>,
    ) -> Result<bool, PlayError> {
        let Some(pipes) = &mut self.link else {
            return loop {
                if !self.readable {
                    break Ok(true);
                }
                match read(&mut self.socket, buffer).map_err(lost)? {
                    ReadOutcome::Bytes(0) => break Ok(false),
                    // Readiness is edge-triggered: a short read means the socket is drained, without another call.
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
            // While the link accepts no more, the socket fills up and the server sees a slow client.
            if !(self.readable && open && down.takes_more()) {
                break;
            }
            match read(&mut self.socket, &mut buffer[..CHUNK]).map_err(lost)? {
                ReadOutcome::Bytes(0) => open = false,
                ReadOutcome::Bytes(n) => down.send(now, buffer[..n].to_vec()),
                ReadOutcome::Nothing => self.readable = false,
            }
        }
        Ok(open || down.next_arrival().is_some())
    }

    /// Sends bytes: directly if nothing is waiting and the link is clean.
    ///
    /// # Errors
    /// [`PlayError::Lost`] with the system's error.
    pub(crate) fn send(&mut self, now: MonoTime, bytes: &[u8]) -> Result<(), PlayError> {
        if self.link.is_none() && self.unsent.is_empty() {
            let taken = write(&mut self.socket, bytes).map_err(lost)?;
            self.unsent.extend_from_slice(&bytes[taken..]);
            return Ok(());
        }
        self.unsent.extend_from_slice(bytes);
        self.flush(now)
    }

    /// Sends waiting bytes as far as the link and the socket accept them.
    ///
    /// # Errors
    /// [`PlayError::Lost`] with the system's error.
    pub(crate) fn flush(&mut self, now: MonoTime) -> Result<(), PlayError> {
        if let Some(pipes) = &mut self.link {
            let up = &mut pipes.1;
            while !self.unsent.is_empty() && up.takes_more() {
                let chunk = self.unsent.len().min(CHUNK);
                up.send(now, self.unsent.drain(..chunk).collect());
            }
            while let Some(bytes) = up.receive(now) {
                self.delivered.extend_from_slice(&bytes);
            }
            drain(&mut self.socket, &mut self.delivered).map_err(lost)
        } else {
            drain(&mut self.socket, &mut self.unsent).map_err(lost)
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn lost(error: io::Error) -> PlayError {
    PlayError::Lost(error.to_string())
}

enum ReadOutcome {
    Bytes(usize),
    Nothing,
}

fn read(socket: &mut CountedSocket, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
    loop {
        match socket.stream.read(buffer) {
            Ok(n) => {
                socket.counts.down += n as u64;
                return Ok(ReadOutcome::Bytes(n));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(ReadOutcome::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives the number of bytes the socket accepted.
fn write(socket: &mut CountedSocket, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match socket.stream.write(bytes) {
            Ok(taken) => {
                socket.counts.up += taken as u64;
                return Ok(taken);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn drain(socket: &mut CountedSocket, bytes: &mut Vec<u8>) -> io::Result<()> {
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
