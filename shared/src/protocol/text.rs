//! Chat text: validated once, at the edge, like names.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use thiserror::Error;

use super::limits::TEXT_CHARS_MAX;
use super::name::visible;

/// A chat message: 1 to [`TEXT_CHARS_MAX`] characters, all of them visible, with as few marks on each as in names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text(String);

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TextError {
    /// No visible character is left.
    #[error("a message has 1 to {TEXT_CHARS_MAX} visible characters, this one has none")]
    Empty,
    /// It is too long.
    #[error("a message has 1 to {TEXT_CHARS_MAX} characters, this one has {0}")]
    Long(usize),
}

impl Text {
    /// A message from typed text: invisible characters and piled-up marks are dropped, line breaks become spaces.
    ///
    /// # Errors
    /// [`TextError::Empty`] if nothing is left, [`TextError::Long`] if too much is.
    pub fn new(typed: &str) -> Result<Text, TextError> {
        // Cut before looking at each character, so that a megabyte costs no more than a line.
        let typed = typed.get(..typed.floor_char_boundary(8192)).unwrap_or("");
        let text = visible(typed);
        let text = text.trim();
        match text.chars().count() {
            0 => Err(TextError::Empty),
            n if n > TEXT_CHARS_MAX => Err(TextError::Long(n)),
            _ => Ok(Text(text.to_owned())),
        }
    }

    /// The text, untrusted: escape it before use as HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = String::deserialize(deserializer)?;
        Text::new(&typed).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_what_is_visible_and_html_stays_text() {
        let text = |typed: &str| Text::new(typed).map(|t| t.as_str().to_owned());
        assert_eq!(text(" <b>hi</b>\n\u{202e}there\u{0} "), Ok("<b>hi</b> there".to_owned()));
        for blank in
            ["\u{200b}\r\n", "\u{2800}\u{3164} \u{115f}", "\u{e0041}\u{fe0f}", "\u{301}\u{301}", "\u{a0}\u{3000}"]
        {
            assert_eq!(text(blank), Err(TextError::Empty), "{blank:?}");
        }
        assert_eq!(text(&format!("h{}ey", "\u{334}".repeat(40))), Ok("h\u{334}\u{334}ey".to_owned()));
        assert_eq!(text(&"x".repeat(201)), Err(TextError::Long(201)));
        assert!(text(&"🚀".repeat(200)).is_ok());
    }
}
