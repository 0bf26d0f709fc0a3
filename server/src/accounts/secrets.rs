//! The secret in a browser's cookie. The database has only its hash, so whoever reads the database can sign in as nobody.

use sha2::{Digest, Sha256};

use crate::secret::{base64url, bytes};

/// Length of a secret as text: 32 bytes in base64url.
const TEXT_LEN: usize = 43;

/// The SHA-256 of a secret's text.
pub(crate) type SecretHash = [u8; 32];

/// A secret as the cookie holds it: 32 random bytes in base64url.
pub(crate) struct BrowserSecret(String);

impl BrowserSecret {
    /// A new secret.
    pub(crate) fn make() -> BrowserSecret {
        BrowserSecret(base64url(&bytes::<32>()))
    }

    /// The secret with this text, `None` if it cannot be one.
    pub(crate) fn parse(text: &str) -> Option<BrowserSecret> {
        let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (text.len() == TEXT_LEN && text.bytes().all(is_of_it)).then(|| BrowserSecret(text.to_owned()))
    }

    /// The value of the cookie.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// What the database knows of it.
    pub(crate) fn hash(&self) -> SecretHash {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_and_anything_else_is_none() {
        let (one, other) = (BrowserSecret::make(), BrowserSecret::make());
        assert_ne!(one.text(), other.text());
        assert_eq!(BrowserSecret::parse(one.text()).map(|same| same.hash()), Some(one.hash()));
        for wrong in ["", "short", &"x".repeat(44), &format!("{}=", "x".repeat(42)), &"ä".repeat(21)] {
            assert!(BrowserSecret::parse(wrong).is_none(), "{wrong}");
        }
    }
}
