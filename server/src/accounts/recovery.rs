//! Recovery codes: each sets a new password once, for who has lost every other way to sign in.

use sha2::{Digest, Sha256};

use crate::secret::number;

/// Codes of an account.
pub(crate) const CODES: usize = 10;
/// Letters without those that look alike when written by hand: I, L, O, Q, U, V.
const LETTERS: &[u8; 20] = b"ABCDEFGHJKMNPRSTWXYZ";
/// Groups of a code.
const GROUPS: usize = 4;
/// Letters of a group: with 20 letters in all, 86 bits are beyond guessing, and beyond searching for their hash.
const GROUP: usize = 5;

/// A code, such as `ABCDE-FGHJK-MNPRS-TWXYZ`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecoveryCode(String);

impl RecoveryCode {
    /// A new code.
    pub(crate) fn make() -> RecoveryCode {
        // 2^64 is so much more than 20 that no letter is more likely in any way that could be measured.
        let letter = || char::from(LETTERS[(number() % LETTERS.len() as u64) as usize]);
        RecoveryCode((0..GROUPS * GROUP).map(|_| letter()).collect())
    }

    /// Reads a code, in either case and with any separators; `None` if it cannot be one.
    pub(crate) fn parse(text: &str) -> Option<RecoveryCode> {
        // Longer than any code with a separator after each letter.
        if text.len() > 2 * GROUPS * GROUP {
            return None;
        }
        let letters = text.chars().filter(|c| !(c.is_whitespace() || *c == '-')).map(|c| c.to_ascii_uppercase());
        let code: String = letters.collect();
        let is_code = code.len() == GROUPS * GROUP && code.bytes().all(|byte| LETTERS.contains(&byte));
        is_code.then_some(RecoveryCode(code))
    }

    /// As shown to its owner.
    pub(crate) fn text(&self) -> String {
        let groups: Vec<&str> = (0..GROUPS).map(|group| &self.0[group * GROUP..][..GROUP]).collect();
        groups.join("-")
    }

    /// What the database knows of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = RecoveryCode::make();
        let text = code.text();
        assert_eq!(text.len(), 23);
        for typed in
            [text.clone(), text.to_lowercase(), text.replace('-', " "), text.replace('-', ""), format!(" {text} ")]
        {
            assert_eq!(RecoveryCode::parse(&typed), Some(code.clone()), "{typed}");
        }
        for wrong in [
            "",
            "ABCDE-FGHJK-MNPRS",
            "ABCDE-FGHJK-MNPRS-TWXYI",
            "ABCDE-FGHJK-MNPRS-TWXYZ-A",
            &"A".repeat(1000),
            "ÄÄÄÄÄÄÄÄÄÄ",
        ] {
            assert_eq!(RecoveryCode::parse(wrong), None, "{wrong}");
        }
        assert_ne!(RecoveryCode::make(), code);
    }
}
