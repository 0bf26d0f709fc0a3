//! Unguessable numbers for room codes, reservations, sessions and accounts, from the operating system: the outputs of a non-cryptographic
//! generator would reveal its later ones.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A random number that is not 0.
///
/// # Panics
/// The operating system has no random numbers, although it had at startup: a guessable number would be worse.
pub(crate) fn number() -> u64 {
    getrandom::u64().expect("the system had random numbers when the server started").max(1)
}

/// Random bytes.
///
/// # Panics
/// As [`number`].
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system had random numbers when the server started");
    bytes
}

/// Bytes as text that fits into URLs and cookies (RFC 4648, section 5), without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for sextet in 0..=three.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * sextet) & 63) as usize]));
        }
    }
    text
}

/// The bytes of a text that [`base64url`] could have made; `None` for any other.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for four in text.as_bytes().chunks(4) {
        let mut word = 0u32;
        for byte in four {
            word = word << 6 | u32::try_from(ALPHABET.iter().position(|letter| letter == byte)?).ok()?;
        }
        let [_, three @ ..] = (word << (6 * (4 - four.len()))).to_be_bytes();
        bytes.extend(&three[..four.len() - 1]);
    }
    // Otherwise a length that no bytes have, or bits that no byte holds.
    (base64url(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_agrees_with_the_examples_of_rfc_4648() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff, 0xfe], "-__-"),
        ] {
            assert_eq!(base64url(bytes), text);
            assert_eq!(from_base64url(text).as_deref(), Some(bytes));
        }
        for wrong in ["Z", "Zh", "Zm9vY", "Zg==", "Zm 9", "+//+", "ä"] {
            assert_eq!(from_base64url(wrong), None, "{wrong}");
        }
    }
}
