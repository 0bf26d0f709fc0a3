//! Tokens that a client presents in its hello: one resumes its session over a new connection, the other says whose account it is.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::ids::AccountId;

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
        [&hex(&self.session.to_be_bytes())[..], &hex(&self.signature)].concat()
    }

    /// Reads what [`Token::to_text`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Token> {
        let bytes: [u8; 24] = unhex(text)?;
        let (session, signature) = bytes.split_at(8);
        Some(Token { session: u64::from_be_bytes(session.try_into().ok()?), signature: signature.try_into().ok()? })
    }
}

/// A token gives access to the seat, so that logs show the session only.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:x})", self.session)
    }
}

/// An account and the server's signature of it, opaque to clients. The page gets it over HTTP for its cookie, so that a WebSocket never rests
/// on a cookie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountToken {
    /// The account.
    pub account: AccountId,
    /// Until when it is valid, in Unix seconds by the server's clock.
    pub expires_s: u64,
    /// The server's signature, which cannot be forged without its key.
    pub signature: [u8; 16],
}

impl AccountToken {
    /// The token as text, for JSON: 80 hexadecimal digits.
    #[must_use]
    pub fn to_text(&self) -> String {
        [&hex(&self.account.0)[..], &hex(&self.expires_s.to_be_bytes()), &hex(&self.signature)].concat()
    }

    /// Reads what [`AccountToken::to_text`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<AccountToken> {
        let bytes: [u8; 40] = unhex(text)?;
        let (account, rest) = bytes.split_at(16);
        let (expires_s, signature) = rest.split_at(8);
        Some(AccountToken {
            account: AccountId(account.try_into().ok()?),
            expires_s: u64::from_be_bytes(expires_s.try_into().ok()?),
            signature: signature.try_into().ok()?,
        })
    }
}

/// Whoever shows a token plays for the account, so that logs show the account only.
impl fmt::Debug for AccountToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountToken({})", self.account)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes, as twice as many digits.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
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
    #[test]
    fn an_account_token_survives_as_text_and_other_text_is_refused() {
        let (account, signature) = (AccountId([0xab; 16]), std::array::from_fn(|i| i as u8 * 17));
        let token = AccountToken { account, expires_s: 1_800_000_000, signature };
        let text = token.to_text();
        assert_eq!((text.len(), AccountToken::from_text(&text)), (80, Some(token)));
        for text in ["", &"é".repeat(40), &"g".repeat(80), &text[1..], &format!("{text}0")] {
            assert_eq!(AccountToken::from_text(text), None, "{text}");
        }
        assert!(!format!("{token:?}").contains("ee"), "the signature is not shown");
    }
}
