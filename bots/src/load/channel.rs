//! What a player says and hears: its line as it is, or TLS over it.

use std::io::BufRead;

use broadside_shared::link::LinkProfile;
use broadside_shared::time::MonoTime;
use mio::net::TcpStream;
use rustls::ClientConnection;

use super::link::{LinkSocket, SocketBytes};
use crate::socket::{PlayError, Target};

/// A line, and TLS over it if the server is asked for by wss.
pub struct Channel {
    link: LinkSocket,
    tls: Option<Tls>,
}

/// A TLS session. What is said before its handshake is over waits in it.
struct Tls {
    // Boxed: thousands of players without TLS pay a pointer each.
    session: Box<ClientConnection>,
    /// Sealed bytes on their way to the line, which takes all of them.
    sealed: Vec<u8>,
}

impl Channel {
    /// Puts a socket behind a line, and begins TLS if `target` asks for it.
    ///
    /// # Errors
    /// [`PlayError::Handshake`] when TLS cannot begin.
    pub fn new(stream: TcpStream, target: &Target, profile: &LinkProfile, seed: u64) -> Result<Channel, PlayError> {
        let session = target.session()?.map(Box::new);
        let tls = session.map(|session| Tls { session, sealed: Vec::new() });
        Ok(Channel { link: LinkSocket::new(stream, profile, seed), tls })
    }

    /// The line below.
    pub fn link(&mut self) -> &mut LinkSocket {
        &mut self.link
    }

    /// When the line next has something to deliver, or takes something that waits.
    #[must_use]
    pub fn next_at(&self) -> Option<MonoTime> {
        self.link.next_at()
    }

    /// What the socket moved since the last call.
    pub fn take_socket_bytes(&mut self) -> SocketBytes {
        self.link.take_socket_bytes()
    }

    /// Hands what was said to us by `now` to `take`, in order. Gives `false` when the server has ended the stream.
    ///
    /// # Errors
    /// As [`LinkSocket::receive`], and [`PlayError::Gone`] with what is wrong with the TLS.
    pub fn receive(
        &mut self,
        now: MonoTime,
        buffer: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), PlayError>,
    ) -> Result<bool, PlayError> {
        let Some(tls) = &mut self.tls else { return self.link.receive(now, buffer, take) };
        let open = self.link.receive(now, buffer, |sealed| tls.open(sealed, &mut take))?;
        // The handshake's next part, with what waited for it, or an answer to new keys.
        tls.hand_on(now, &mut self.link)?;
        Ok(open)
    }

    /// Says something.
    ///
    /// # Errors
    /// As [`LinkSocket::send`].
    pub fn send(&mut self, now: MonoTime, bytes: &[u8]) -> Result<(), PlayError> {
        let Some(tls) = &mut self.tls else { return self.link.send(now, bytes) };
        std::io::Write::write_all(&mut tls.session.writer(), bytes).map_err(|error| broken(&error))?;
        tls.hand_on(now, &mut self.link)
    }

    /// Moves on what waits to be sent.
    ///
    /// # Errors
    /// As [`LinkSocket::flush`].
    pub fn flush(&mut self, now: MonoTime) -> Result<(), PlayError> {
        self.link.flush(now)
    }
}

impl Tls {
    fn open(
        &mut self,
        mut sealed: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), PlayError>,
    ) -> Result<(), PlayError> {
        while !sealed.is_empty() {
            if self.session.read_tls(&mut sealed).map_err(|error| broken(&error))? == 0 {
                // It has said that nothing follows.
                return Ok(());
            }
            self.session.process_new_packets().map_err(|error| broken(&error))?;
            loop {
                let mut reader = self.session.reader();
                // No bytes: none for now, or none any more.
                let Ok(plain) = reader.fill_buf() else { break };
                if plain.is_empty() {
                    break;
                }
                take(plain)?;
                let taken = plain.len();
                reader.consume(taken);
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, now: MonoTime, link: &mut LinkSocket) -> Result<(), PlayError> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.sealed).map_err(|error| broken(&error))?;
        }
        if self.sealed.is_empty() {
            return Ok(());
        }
        let result = link.send(now, &self.sealed);
        self.sealed.clear();
        result
    }
}

fn broken(error: &dyn std::error::Error) -> PlayError {
    PlayError::Gone(format!("TLS broke: {error}"))
}
