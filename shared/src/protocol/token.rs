//! The resume token: a client presents it to resume its session over a new connection.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A session's number and the server's signature of it, opaque to clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token {
    /// The session's number.
    pub session: u64,
    /// The server's signature, which cannot be forged without its key.
    pub signature: [u8; 16],
}

impl Token {
    /// The token as text, for a browser's storage: 48 hexadecimal digits.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{:016x}", self.session);
        self.signature.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        text
    }

    /// Reads what [`Token::to_text`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Token> {
        if text.len() != 48 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let session = u64::from_str_radix(&text[..16], 16).ok()?;
        let mut signature = [0; 16];
        for (at, byte) in signature.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[16 + at * 2..18 + at * 2], 16).ok()?;
        }
        Some(Token { session, signature })
    }
}

/// A token gives access to the seat, so that logs show the session only.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:x})", self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_as_text_and_other_text_is_refused() {
        let token = Token { session: 0x0123_4567_89ab_cdef, signature: std::array::from_fn(|i| i as u8 * 17) };
        assert_eq!(Token::from_text(&token.to_text()), Some(token));
        for text in ["", "zz", &"é".repeat(24), &"g".repeat(48), &token.to_text()[1..]] {
            assert_eq!(Token::from_text(text), None, "{text}");
        }
        assert!(!format!("{token:?}").contains("ee"), "the signature is not shown");
    }
}
