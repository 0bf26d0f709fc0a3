//! TLS between a WebSocket and its socket, after the handshake: the session that tokio-rustls began, driven without tokio.
//!
//! Nothing waits in here. What is written is sealed and handed on at once, so that the outbox sees sealed bytes and its bounds
//! hold as they do without TLS; what is read is taken out before the socket is read again. What a session keeps is therefore one
//! record that has not come whole: 4 KiB as a rule, 18 KiB from a client that cuts its records so on purpose.

use std::io::{self, ErrorKind, Read, Write};

use rustls::ServerConnection;

/// Most plaintext that is sealed before it is handed on, in bytes: one record (RFC 8446, section 5.1).
const RECORD_MAX: usize = 16 * 1024;

/// A TLS session whose handshake is over.
pub struct Tls {
    // Boxed: a connection without TLS pays a pointer.
    session: Box<ServerConnection>,
}

impl Tls {
    /// Goes on where the handshake ended. Whatever the session has read or has yet to write moves along.
    #[must_use]
    pub fn new(mut session: ServerConnection) -> Tls {
        session.set_buffer_limit(Some(RECORD_MAX));
        Tls { session: Box::new(session) }
    }

    /// Seals `plain` and writes all of it to `sink`, which takes what it is given or is over.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn write(&mut self, mut plain: &[u8], sink: &mut impl Write) -> io::Result<()> {
        while !plain.is_empty() {
            let sealed = self.session.writer().write(plain)?;
            plain = &plain[sealed..];
            self.hand_on(sink)?;
        }
        Ok(())
    }

    /// Reads what came and was meant for us; 0 at the end. `socket` is read only when nothing is left of what it gave before. Records may be
    /// empty or only about keys, so it is read on as long as it gives something: it must give so much and no more.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when there is nothing for now; [`ErrorKind::InvalidData`] for bytes that are no TLS, after the other end was told so; those of `socket`.
    pub fn read(&mut self, plain: &mut [u8], socket: &mut (impl Read + Write)) -> io::Result<usize> {
        loop {
            match self.session.reader().read(plain) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Gone without the word that TLS wants: as with a bare socket, the WebSocket above says whether that was in order.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            self.session.read_tls(socket)?;
            let taken = self.session.process_new_packets();
            // New keys are answered, and bad bytes with an alert.
            self.hand_on(socket)?;
            if let Err(error) = taken {
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }

    /// Says that nothing follows, so that the other end can tell this end from one that was cut off.
    pub fn close(&mut self, sink: &mut impl Write) {
        self.session.send_close_notify();
        // It is a courtesy: who does not get it sees the end of the socket.
        let _ = self.hand_on(sink);
    }

    /// Writes what the session has ready: what the handshake left over, too.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn hand_on(&mut self, sink: &mut impl Write) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(sink)?;
        }
        Ok(())
    }
}
