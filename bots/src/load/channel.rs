//! A player's byte stream: the link socket itself, or TLS over it.

use std::io::BufRead;

use broadside_shared::link::LinkProfile;
use broadside_shared::time::MonoTime;
use mio::net::TcpStream;
use rustls::ClientConnection;

use super::link::{LinkSocket, SocketBytes};
use crate::socket::{PlayError, Target};

/// A link socket, with TLS over it for wss URLs.
pub(crate) struct Channel {
    link: LinkSocket,
    tls: Option<TlsLayer>,
}

/// A TLS connection. It queues what is sent before its handshake is complete.
struct TlsLayer {
    // Boxed: thousands of players without TLS pay a pointer each.
    connection: Box<ClientConnection>,
    /// Scratch buffer for encrypted bytes, which the link socket accepts completely.
    encrypted: Vec<u8>,
}

impl Channel {
    /// # Errors
    /// [`PlayError::Handshake`] if TLS cannot start.
    pub(crate) fn new(
        stream: TcpStream,
        target: &Target,
        profile: &LinkProfile,
        seed: u64,
    ) -> Result<Channel, PlayError> {
        let connection = target.tls_connection()?.map(Box::new);
        let tls = connection.map(|connection| TlsLayer { connection, encrypted: Vec::new() });
        Ok(Channel { link: LinkSocket::new(stream, profile, seed), tls })
    }

    pub(crate) fn link(&mut self) -> &mut LinkSocket {
        &mut self.link
    }

    /// See [`LinkSocket::next_at`].
    pub(crate) fn next_at(&self) -> Option<MonoTime> {
        self.link.next_at()
    }

    /// See [`LinkSocket::take_socket_bytes`].
    pub(crate) fn take_socket_bytes(&mut self) -> SocketBytes {
        self.link.take_socket_bytes()
    }

    /// Gives the bytes that have arrived by `now` to `take`, decrypted and in order. Gives `false` at the end of the stream.
    ///
    /// # Errors
    /// As [`LinkSocket::receive`], and [`PlayError::Lost`] for a TLS error.
    pub(crate) fn receive(
        &mut self,
        now: MonoTime,
        buffer: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), PlayError>,
    ) -> Result<bool, PlayError> {
        let Some(tls) = &mut self.tls else { return self.link.receive(now, buffer, take) };
        let open = self.link.receive(now, buffer, |encrypted| tls.decrypt(encrypted, &mut take))?;
        // The next handshake message and the bytes queued for it, or the reply to a key update.
        tls.send_pending(now, &mut self.link)?;
        Ok(open)
    }

    /// # Errors
    /// As [`LinkSocket::send`].
    pub(crate) fn send(&mut self, now: MonoTime, bytes: &[u8]) -> Result<(), PlayError> {
        let Some(tls) = &mut self.tls else { return self.link.send(now, bytes) };
        std::io::Write::write_all(&mut tls.connection.writer(), bytes).map_err(|error| tls_error(&error))?;
        tls.send_pending(now, &mut self.link)
    }

    /// See [`LinkSocket::flush`].
    ///
    /// # Errors
    /// As [`LinkSocket::flush`].
    pub(crate) fn flush(&mut self, now: MonoTime) -> Result<(), PlayError> {
        self.link.flush(now)
    }
}

impl TlsLayer {
    fn decrypt(
        &mut self,
        mut encrypted: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), PlayError>,
    ) -> Result<(), PlayError> {
        while !encrypted.is_empty() {
            if self.connection.read_tls(&mut encrypted).map_err(|error| tls_error(&error))? == 0 {
                // The server has sent close_notify.
                return Ok(());
            }
            self.connection.process_new_packets().map_err(|error| tls_error(&error))?;
            loop {
                let mut reader = self.connection.reader();
                // An error or no bytes: nothing to read now, or the end of the stream.
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

    fn send_pending(&mut self, now: MonoTime, link: &mut LinkSocket) -> Result<(), PlayError> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.encrypted).map_err(|error| tls_error(&error))?;
        }
        if self.encrypted.is_empty() {
            return Ok(());
        }
        let result = link.send(now, &self.encrypted);
        self.encrypted.clear();
        result
    }
}

fn tls_error(error: &dyn std::error::Error) -> PlayError {
    PlayError::Lost(format!("TLS failed: {error}"))
}
