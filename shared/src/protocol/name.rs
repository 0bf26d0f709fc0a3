//! Player names: validated once, at the edge.
//!
//! The checks here need no large tables, since the page includes them too. The server alone decides whether two names
//! look alike and which are reserved.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use thiserror::Error;
use unicode_width::UnicodeWidthChar;

use super::limits::{MARKS_MAX, NAME_CELLS_MAX, NAME_CHARS_MAX};

/// A player's name: 1 to [`NAME_CHARS_MAX`] characters, at most [`NAME_CELLS_MAX`] cells wide, all of them visible, at
/// most [`MARKS_MAX`] combining marks on each, no space at either end and no two in a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(String);

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// No visible character is left.
    #[error("a name has 1 to {NAME_CHARS_MAX} visible characters, this one has none")]
    Empty,
    /// It is too long.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters, this one has {0}")]
    Long(usize),
    /// It is too wide.
    #[error("a name is at most {NAME_CELLS_MAX} cells wide, this one takes {0}: some characters, such as 漢, take two")]
    Wide(usize),
}

impl Name {
    /// A name from typed text: invisible characters and marks beyond [`MARKS_MAX`] are dropped, and each run of white
    /// space becomes one space.
    ///
    /// # Errors
    /// [`NameError::Empty`] if nothing is left, [`NameError::Long`] or [`NameError::Wide`] if too much is.
    pub fn new(typed: &str) -> Result<Name, NameError> {
        // Cut before looking at each character, so that a megabyte of text costs no more than a line of it.
        let typed = typed.get(..typed.floor_char_boundary(4096)).unwrap_or("");
        let shown = visible(typed);
        let words: Vec<&str> = shown.split(' ').filter(|word| !word.is_empty()).collect();
        let name = words.join(" ");
        match (name.chars().count(), name.chars().map(cells).sum()) {
            (0, _) => Err(NameError::Empty),
            (chars, _) if chars > NAME_CHARS_MAX => Err(NameError::Long(chars)),
            (_, cells) if cells > NAME_CELLS_MAX => Err(NameError::Wide(cells)),
            (..) => Ok(Name(name)),
        }
    }

    /// The longest part of the name that fits with `tail`, followed by `tail`, which is short and visible.
    ///
    /// # Errors
    /// As [`Name::new`], if `tail` alone is too long or too wide.
    pub fn with_tail(&self, tail: &str) -> Result<Name, NameError> {
        let mut kept: Vec<char> = self.0.chars().collect();
        loop {
            match Name::new(&(kept.iter().collect::<String>() + tail)) {
                Err(NameError::Long(_) | NameError::Wide(_)) if kept.pop().is_some() => {}
                made => return made,
            }
        }
    }

    /// The name as untrusted text: escape it before use as HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The visible part of a text, with a space for each white space: without marks that follow no letter, and with at most
/// [`MARKS_MAX`] on any, since piled-up marks cover the lines above and below.
pub(super) fn visible(typed: &str) -> String {
    let mut marks_left = 0;
    let spaced = typed.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let keep = |c: &char| {
        if !shows(*c) {
            return false;
        }
        if c.width() == Some(0) {
            let fits = marks_left > 0;
            marks_left -= usize::from(fits);
            return fits;
        }
        marks_left = if *c == ' ' { 0 } else { MARKS_MAX };
        true
    };
    spaced.filter(keep).collect()
}

/// Columns that a character takes in a fixed-width font.
fn cells(c: char) -> usize {
    match c {
        // Drawn as wide as words, which the tables do not contain.
        '\u{fdfa}' | '\u{fdfb}' | '\u{fdfd}' => 12,
        '\u{2e3a}' | '\u{2e3b}' | '\u{a9c1}'..='\u{a9cf}' | '\u{12000}'..='\u{1254f}' => 4,
        _ => c.width().unwrap_or(0),
    }
}

/// Whether a character is visible and leaves the text around it alone. Others can make one name look like another:
/// controls and formats, default ignorable code points (joiners, variation selectors, tags, fillers), letters and
/// symbols drawn as blanks, and code points without a meaning (private use, noncharacters).
fn shows(c: char) -> bool {
    let hidden = c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(c, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
        || matches!(c, '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}')
        // Formats that are visible only together with the following characters.
        || matches!(c, '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}')
        || matches!(c, '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1345f}')
        // Blanks that are not white space: braille, music, Khitan.
        || matches!(c, '\u{2800}' | '\u{1d159}' | '\u{16fe4}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..)
        || u32::from(c) & 0xfffe == 0xfffe;
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

    fn name(typed: &str) -> Result<String, NameError> {
        Name::new(typed).map(|n| n.as_str().to_owned())
    }

    #[test]
    fn a_name_keeps_what_is_visible_and_refuses_the_rest() {
        assert_eq!(name("  Ann\t \n Lee "), Ok("Ann Lee".to_owned()));
        assert_eq!(name("ev\u{202e}il\u{200b}\0"), Ok("evil".to_owned()));
        assert_eq!(name("Łódź 🚀"), Ok("Łódź 🚀".to_owned()));
        assert_eq!(name(" \u{2066}\r\n"), Err(NameError::Empty));
        assert_eq!(name("abcdefghijklmnopq"), Err(NameError::Long(17)));
        assert!(name(&"x".repeat(1 << 20)).is_err());
    }

    #[test]
    fn what_renders_as_nothing_is_dropped_and_alone_is_no_name() {
        let blank = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180e}\u{180f}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\
            \u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\u{2069}\u{206f}\u{2800}\u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\
            \u{fffc}\u{e000}\u{fdd0}\u{ffff}\u{13441}\u{16fe4}\u{1bca0}\u{1d159}\u{1d173}\u{e0001}\u{e0041}\u{e007f}\u{e0100}\u{e01ef}\
            \u{f0000}\u{10fffd}\u{301}\u{20dd}\u{a0}\u{1680}\u{2003}\u{202f}\u{205f}\u{3000}\u{85}\u{7f}\u{1b}";
        for c in blank.chars() {
            assert_eq!(name(&format!("{c}")), Err(NameError::Empty), "{:x}", u32::from(c));
            assert_eq!(name(&format!(" {c} {c}")), Err(NameError::Empty), "{:x}", u32::from(c));
            if !c.is_whitespace() && !matches!(c, '\u{301}' | '\u{20dd}') {
                assert_eq!(name(&format!("A{c}nn")), Ok("Ann".to_owned()), "{:x}", u32::from(c));
            }
        }
    }

    #[test]
    fn a_letter_has_at_most_two_marks() {
        let piled = format!("Z{}o", "\u{335}\u{301}".repeat(6));
        assert_eq!(name(&piled), Ok("Z\u{335}\u{301}o".to_owned()));
        assert_eq!(name("\u{301}\u{302}x \u{301}y"), Ok("x y".to_owned()), "a mark without a letter is dropped");
        assert_eq!(name("Nguyê\u{303}n"), Ok("Nguyê\u{303}n".to_owned()));
    }

    #[test]
    fn a_name_has_a_limited_width() {
        assert_eq!(name("ＷＷＷＷＷＷＷＷＷＷＷＷＷＷＷＷ"), Err(NameError::Wide(32)));
        assert!(matches!(name("\u{fdfd}\u{fdfd}\u{fdfd}"), Err(NameError::Wide(_))));
        assert!(matches!(
            name("\u{1242b}\u{1242b}\u{1242b}\u{1242b}\u{1242b}\u{1242b}\u{1242b}"),
            Err(NameError::Wide(_))
        ));
        for fine in ["山田太郎", "김철수", "Александр", "Ἀλέξανδρος", "محمد", "देवनागरी", "สมชาย", "WWWWWWWWWWWWWWWW"]
        {
            assert_eq!(name(fine), Ok(fine.to_owned()));
        }
    }

    #[test]
    fn a_valid_name_stays_as_it_is() {
        let mut rng = fastrand::Rng::with_seed(11);
        let odd =
            ['a', ' ', '\u{301}', '\u{327}', '\u{200d}', '\u{3000}', '漢', '\u{1161}', '\u{11a8}', '\u{ff9e}', '🚀'];
        for _ in 0..20_000 {
            let pick = |rng: &mut fastrand::Rng| if rng.bool() { rng.char(..) } else { odd[rng.usize(..odd.len())] };
            let typed: String = (0..rng.usize(0..20)).map(|_| pick(&mut rng)).collect();
            let Ok(made) = Name::new(&typed) else { continue };
            assert_eq!(Name::new(made.as_str()), Ok(made.clone()), "{typed:?}");
            let tailed = made.with_tail(" 123").expect("a short tail fits");
            assert!(tailed.as_str().ends_with(" 123"), "{tailed}");
        }
    }
}
