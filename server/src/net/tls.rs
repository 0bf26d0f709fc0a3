//! TLS between a WebSocket and its socket after the handshake: the session that tokio-rustls started, driven without tokio.
//!
//! Nothing is buffered here. Written bytes are encrypted and passed on at once, so that the outbox holds ciphertext and its bounds
//! are the same as without TLS. Decrypted bytes are taken out before the socket is read again. A session therefore holds at most one
//! incomplete record: usually 4 KiB, 18 KiB from a client that cuts its records on purpose.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::ServerConnection;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;

/// Plaintext encrypted before it is passed on, in bytes: one record (RFC 8446, section 5.1).
const RECORD_MAX: usize = 16 * 1024;

/// The cryptography of every TLS connection and certificate.
pub(crate) fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// A TLS session after its handshake.
pub(crate) struct Tls {
    // Boxed: a connection without TLS pays only for a pointer.
    session: Box<ServerConnection>,
}

impl Tls {
    /// Takes over a session after its handshake, including the bytes it has read or has yet to write.
    pub(crate) fn new(mut session: ServerConnection) -> Tls {
        session.set_buffer_limit(Some(RECORD_MAX));
        Tls { session: Box::new(session) }
    }

    /// Encrypts `plain` and writes all of it to `sink`, which accepts every byte or fails.
    ///
    /// # Errors
    /// Those of `sink`.
    pub(crate) fn write(&mut self, mut plain: &[u8], sink: &mut impl Write) -> io::Result<()> {
        while !plain.is_empty() {
            let taken = self.session.writer().write(plain)?;
            plain = &plain[taken..];
            self.write_ready(sink)?;
        }
        Ok(())
    }

    /// Reads plaintext; 0 at the end. Reads `socket` only once the earlier bytes are used up. Records may be empty or carry only key
    /// updates, so the read goes on as long as `socket` has bytes: `socket` must bound how much it gives.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if nothing is available; [`ErrorKind::InvalidData`] for bytes that are not TLS, after sending an
    /// alert; those of `socket`.
    pub(crate) fn read(&mut self, plain: &mut [u8], socket: &mut (impl Read + Write)) -> io::Result<usize> {
        loop {
            match self.session.reader().read(plain) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The peer closed without a close_notify alert: as on a plain socket, the WebSocket layer tells whether the close was clean.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            self.session.read_tls(socket)?;
            let taken = self.session.process_new_packets();
            // Answers key updates, and invalid bytes with an alert.
            self.write_ready(socket)?;
            if let Err(error) = taken {
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }

    /// Sends close_notify, so that the peer can tell this end from a truncated stream.
    pub(crate) fn close(&mut self, sink: &mut impl Write) {
        self.session.send_close_notify();
        // Best effort: without the alert the peer sees the end of the socket.
        let _ = self.write_ready(sink);
    }

    /// Writes the bytes that the session has ready, including those left from the handshake.
    ///
    /// # Errors
    /// Those of `sink`.
    pub(crate) fn write_ready(&mut self, sink: &mut impl Write) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(sink)?;
        }
        Ok(())
    }
}
