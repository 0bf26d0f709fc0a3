//! The opening handshake (RFC 6455, section 4.1) as bytes out and bytes in, for sockets that never block.

use broadside_shared::protocol::SUBPROTOCOL;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::socket::{PlayError, Target};

/// Longest answer to a handshake that is read, in bytes; ours is a few hundred.
const ANSWER_MAX: usize = 8 * 1024;

/// A handshake that was begun.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// What to send.
    pub request: String,
    accept: String,
}

impl Handshake {
    /// Asks `target` for a WebSocket.
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

    /// The length of the server's answer in `bytes`, once it is there whole and says yes.
    ///
    /// # Errors
    /// [`PlayError::Handshake`] with its status, or with what is wrong with it.
    pub fn answered(&self, target: &Target, bytes: &[u8]) -> Result<Option<usize>, PlayError> {
        let refused = |cause: String| PlayError::Handshake { target: target.to_string(), cause };
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > ANSWER_MAX {
                Err(refused(format!("answer is longer than {ANSWER_MAX} bytes")))
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
            Err(refused("answer lacks the right Sec-WebSocket-Accept".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_when_whole_and_refused_when_it_says_no() {
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
