//! The opening handshake (RFC 6455, section 4.1) without a socket: bytes out, bytes in.

use broadside_shared::protocol::SUBPROTOCOL;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::socket::{PlayError, Target};

/// Longest response that is accepted, in bytes; Broadside's is a few hundred.
const RESPONSE_MAX: usize = 8 * 1024;

/// A handshake in progress.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The request to send.
    pub request: String,
    accept: String,
}

impl Handshake {
    /// Starts a handshake with `target`.
    #[must_use]
    pub fn new(target: &Target) -> Handshake {
        let key = generate_key();
        let accept = derive_accept_key(key.as_bytes());
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
            target.path(),
            target.authority(),
        );
        Handshake { request, accept }
    }

    /// The length of the server's response at the start of `bytes`; `None` while it is incomplete.
    ///
    /// # Errors
    /// [`PlayError::Handshake`] with the status of a refusal, or with what is wrong with the response.
    pub fn answered(&self, target: &Target, bytes: &[u8]) -> Result<Option<usize>, PlayError> {
        let refused = |cause: String| PlayError::Handshake { target: target.to_string(), cause };
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > RESPONSE_MAX {
                Err(refused(format!("response is longer than {RESPONSE_MAX} bytes")))
            } else {
                Ok(None)
            };
        };
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.lines();
        let status = lines.next().unwrap_or("");
        if status.split(' ').nth(1) != Some("101") {
            return Err(refused(format!("status {}", status.split_once(' ').map_or(status, |(_, rest)| rest))));
        }
        let accepted = lines.filter_map(|line| line.split_once(':')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == self.accept
        });
        if accepted {
            Ok(Some(end + 4))
        } else {
            Err(refused("response lacks the right Sec-WebSocket-Accept".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_accepted_when_complete_and_a_refusal_is_an_error() {
        let target = Target::parse("ws://127.0.0.1:8080/ws").expect("an address");
        let handshake = Handshake::new(&target);
        assert!(handshake.request.starts_with("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
        let yes = format!("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {}\r\n\r\n", handshake.accept);
        let with_more = format!("{yes}\u{2}");
        assert_eq!(handshake.answered(&target, with_more.as_bytes()).ok(), Some(Some(yes.len())));
        assert_eq!(handshake.answered(&target, &yes.as_bytes()[..yes.len() - 1]).ok(), Some(None));
        for (no, says) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503 Service Unavailable"),
            ("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: another\r\n\r\n", "Sec-WebSocket-Accept"),
        ] {
            let error = handshake.answered(&target, no.as_bytes()).expect_err("refused").to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
