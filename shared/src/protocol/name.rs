//! Player names: what a name may be, decided once, at the edge.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use thiserror::Error;

use super::limits::NAME_CHARS_MAX;

/// A player's name: 1 to [`NAME_CHARS_MAX`] characters, no control or bidirectional-override characters, no space at
/// either end and no two in a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(String);

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing is left of it.
    #[error("a name has 1 to {NAME_CHARS_MAX} visible characters, this one has none")]
    Empty,
    /// It is too long.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters, this one has {0}")]
    Long(usize),
}

impl Name {
    /// A name from what somebody typed: characters that do not show are dropped, runs of white space become one space.
    ///
    /// # Errors
    /// [`NameError::Empty`] if nothing is left, [`NameError::Long`] if too much is.
    pub fn new(typed: &str) -> Result<Name, NameError> {
        // Cut before looking at each character: a megabyte of text costs no more than a line of it.
        let typed = typed.get(..typed.floor_char_boundary(4096)).unwrap_or("");
        let spaced: String = typed.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let words: Vec<String> = spaced
            .split(' ')
            .map(|word| word.chars().filter(|c| shows(*c)).collect::<String>())
            .filter(|word| !word.is_empty())
            .collect();
        let name = words.join(" ");
        match name.chars().count() {
            0 => Err(NameError::Empty),
            n if n > NAME_CHARS_MAX => Err(NameError::Long(n)),
            _ => Ok(Name(name)),
        }
    }

    /// The name as text; untrusted, so never as HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, zero-width characters and those that reorder text around them do not show, and can make one name
/// look like another.
pub(super) fn shows(c: char) -> bool {
    let hidden = c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{3164}' | '\u{ffa0}' | '\u{115f}' | '\u{1160}'
        )
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !hidden
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = String::deserialize(deserializer)?;
        Name::new(&typed).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_what_shows_and_refuses_the_rest() {
        let name = |typed: &str| Name::new(typed).map(|n| n.as_str().to_owned());
        assert_eq!(name("  Ann\t \n Lee "), Ok("Ann Lee".to_owned()));
        assert_eq!(name("ev\u{202e}il\u{200b}\0"), Ok("evil".to_owned()));
        assert_eq!(name("Łódź 🚀"), Ok("Łódź 🚀".to_owned()));
        assert_eq!(name(" \u{2066}\r\n"), Err(NameError::Empty));
        assert_eq!(name("abcdefghijklmnopq"), Err(NameError::Long(17)));
        assert!(name(&"x".repeat(1 << 20)).is_err());
    }
}
