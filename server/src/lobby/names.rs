//! Which names may be given out, and which of them look alike: what is equal to the eye is equal.
//!
//! Names are compared by their looks: messages of all scripts that are drawn alike are one, after the table of confusables of
//! [UTS 39](https://www.unicode.org/reports/tr39/), in either case. So a name of any one script is fine, and meets another one only where
//! the two look the same.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use broadside_shared::protocol::name::{Name, NameError};
use thiserror::Error;
use unicode_bidi::{BidiInfo, Level};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::confusable_detection::skeleton;

use crate::secret;

/// Words that no name may have among others: it would pass for the server or for who runs it.
const NOWHERE: [&str; 6] = ["server", "operator", "admin", "administrator", "moderator", "broadside"];
/// Words that no name may begin with: what the server calls its bots, and what could stand before its own words.
const NOT_FIRST: [&str; 4] = ["bot", "system", "notice", "announcement"];
/// Words that are no names: others whom one might believe, and those that the page says of its user, of all, and of nobody.
const NOT_ALONE: [&str; 15] = [
    "mod",
    "staff",
    "owner",
    "root",
    "console",
    "official",
    "support",
    "you",
    "me",
    "everyone",
    "everybody",
    "someone",
    "somebody",
    "nobody",
    "unknown",
];

static RESERVED: LazyLock<[BTreeSet<String>; 3]> = LazyLock::new(|| {
    let looks = |words: &[&str]| words.iter().map(|word| letters_of(&look(word))).collect();
    [looks(&NOWHERE), looks(&NOT_FIRST), looks(&NOT_ALONE)]
});

/// A name that may be given out: in normal form C, every character of it has a meaning, and it passes for nobody of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitName {
    name: Name,
    of_bot: bool,
}

/// Why a name is not given out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Too little or too much is left of it.
    #[error("{0}")]
    Form(#[from] NameError),
    /// It could be taken for the server, its bots, or who runs it.
    #[error("`{0}` is reserved: it could be taken for the server or who runs it; choose another one")]
    Reserved(Name),
}

impl FitName {
    /// The name that somebody chose, as it is given out: composed, and without characters that Unicode does not define, which all look
    /// the same.
    ///
    /// # Errors
    /// [`Unfit::Form`] if nothing is left or normal form makes it too long, [`Unfit::Reserved`] if it is not for players.
    pub fn new(chosen: &Name) -> Result<FitName, Unfit> {
        let defined = |c: &char| c.general_category() != GeneralCategory::Unassigned;
        let name = Name::new(&chosen.as_str().nfc().filter(defined).nfc().collect::<String>())?;
        if is_reserved(&name) {
            return Err(Unfit::Reserved(name));
        }
        Ok(FitName { name, of_bot: false })
    }

    /// What a bot of the server is called, which is for bots alone.
    #[must_use]
    pub fn of_bot(name: Name) -> FitName {
        FitName { name, of_bot: true }
    }

    /// For who wants a name that is not given out.
    ///
    /// # Panics
    /// Never: it is a fine name.
    #[must_use]
    pub fn guest() -> FitName {
        FitName { name: Name::new("guest").expect("a fine name"), of_bot: false }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The name, and then with a number behind it, cut to fit: without an end, for who comes when it is taken.
    pub fn variants(&self) -> impl Iterator<Item = Name> + '_ {
        // Where many want the same name, trying one number after the other would be slow.
        let numbers = (2..20).chain(std::iter::repeat_with(|| 20 + (secret::number() % 999_980) as u32));
        let numbered = numbers.filter_map(|number| self.name.with_tail(&format!(" {number}")).ok());
        // What is left of a cut name may be a reserved word.
        let fit = numbered.filter(|name| self.of_bot || !is_reserved(name));
        std::iter::once(self.name.clone()).chain(fit)
    }
}

/// What a name looks like: two names of which any look is the same are one to the eye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks([String; 2]);

impl Looks {
    /// Of a name. One look is that of its small messages, the other that of the messages as they are: messages that are drawn alike in one
    /// case often are not in the other, as Greek Η and η for H and n.
    #[must_use]
    pub fn of(name: &Name) -> Looks {
        let shown = as_shown(name.as_str());
        Looks([look(&lower(&shown)), look(&lower(&look(&shown)))])
    }

    /// The different ones.
    pub fn each(&self) -> impl Iterator<Item = &str> {
        let [small, drawn] = &self.0;
        std::iter::once(small.as_str()).chain((drawn != small).then_some(drawn.as_str()))
    }

    /// Whether the eye takes the two for one.
    #[must_use]
    pub fn meet(&self, other: &Looks) -> bool {
        self.each().any(|look| other.each().any(|of_other| of_other == look))
    }
}

/// The characters in the order in which a line that runs from left to right shows them.
fn as_shown(text: &str) -> String {
    let text: String = text.nfkc().collect();
    let bidi = BidiInfo::new(&text, Some(Level::ltr()));
    match bidi.paragraphs.first() {
        Some(paragraph) if bidi.has_rtl() => bidi.reorder_line(paragraph, paragraph.range.clone()).into_owned(),
        Some(_) | None => text,
    }
}

fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The text with one character for all that look like it.
fn look(text: &str) -> String {
    let once: String = skeleton(&plain(text)).collect();
    // Some of the table's own choices are drawn like plain messages, of which it has more to say.
    let twice: String = skeleton(&plain(&once)).collect();
    let mut looks = String::with_capacity(twice.len());
    for c in twice.chars() {
        match (looks.chars().next_back(), c) {
            // A mark drawn over itself, or a dot over a message that has one.
            (Some(last), mark) if last == mark && is_combining_mark(mark) => {}
            (Some('i' | 'j' | 'l'), '\u{307}') => {}
            (Some('v'), 'v') => {
                looks.pop();
                looks.push('w');
            }
            (_, c) => looks.push(c),
        }
    }
    looks
}

/// MessageQueue in boxes, flags and small capitals as plain messages: the table knows each only as itself.
fn plain(text: &str) -> String {
    const SMALL_CAPITALS: &str = "ᴀaʙbƅbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkĸkʟlᴍmʍmɴnᴏoᴘpꞯqʀrꜱsᴛtᴜuᴠvᴡwʏyᴢz";
    let message = |c: char, first: u32| char::from(b'A' + (u32::from(c) - first) as u8);
    let plain = |c: char| match c {
        '\u{1f150}'..='\u{1f169}' => message(c, 0x1f150),
        '\u{1f170}'..='\u{1f189}' => message(c, 0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => message(c, 0x1f1e6),
        'ς' => 'σ',
        _ if c.is_ascii() => c,
        _ => {
            let mut pairs = SMALL_CAPITALS.chars();
            while let (Some(small), Some(message)) = (pairs.next(), pairs.next()) {
                if small == c {
                    return message;
                }
            }
            c
        }
    };
    text.chars().map(plain).collect()
}

/// Whether a name could be taken for one of the house: as it is written, or as its signs are meant, with digits for messages or behind
/// them, and with words that only large messages set apart.
fn is_reserved(name: &Name) -> bool {
    let mut tried: Vec<Vec<String>> = Vec::new();
    for text in [name.as_str(), &as_shown(name.as_str())] {
        let messages: String = text.nfd().filter(|c| !is_combining_mark(*c)).collect();
        let written = plain(&messages);
        let spelled: Vec<String> = written.split(' ').map(spelled).collect();
        for text in [&written, &spelled.join(" "), &parted(&written)] {
            let words = words_of(text);
            let bare = words.iter().map(|word| word.trim_matches(|c: char| c.is_numeric()).to_owned());
            let bare = bare.filter(|word| !word.is_empty()).collect();
            tried.extend([words, bare]);
        }
    }
    // Most names are plain, and the same each time.
    tried.sort_unstable();
    tried.dedup();
    tried.iter().any(|words| holds_reserved(words))
}

fn holds_reserved(words: &[String]) -> bool {
    let [nowhere, not_first, not_alone] = &*RESERVED;
    let looks = |word: &str| {
        let word: String = word.nfkc().collect();
        [look(&lower(&word)), look(&lower(&look(&word)))].map(|look| letters_of(&look))
    };
    let among = |looks: &[String; 2], reserved: &BTreeSet<String>| {
        looks.iter().any(|look| reserved.contains(look) || reserved.contains(look.strip_suffix('s').unwrap_or(look)))
    };
    let each: Vec<_> = words.iter().map(|word| looks(word)).collect();
    let whole = looks(&words.concat());
    each.iter().any(|word| among(word, nowhere))
        || each.first().is_some_and(|word| among(word, not_first))
        || [nowhere, not_first, not_alone].into_iter().any(|reserved| among(&whole, reserved))
}

/// The words of a text, whatever is between them. MessageQueue that stand alone make one word: "b o t".
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut spelling = false;
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let alone = word.chars().nth(1).is_none();
        match words.last_mut() {
            Some(last) if alone && spelling => last.push_str(word),
            Some(_) | None => words.push(word.to_owned()),
        }
        spelling = alone;
    }
    words
}

/// The text with a space where a large message comes behind a small one: "botMarlin".
fn parted(text: &str) -> String {
    let mut parted = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_uppercase() && parted.ends_with(char::is_lowercase) {
            parted.push(' ');
        }
        parted.push(c);
    }
    parted
}

/// What of a look counts for reserved words: no marks, and i for l, which are one in many a font when the message is large.
fn letters_of(look: &str) -> String {
    look.nfd().filter(|c| !is_combining_mark(*c)).map(|c| if c == 'l' { 'i' } else { c }).collect()
}

/// A word with messages for the digits and signs that people write to get around a filter. What has no message is a number.
fn spelled(word: &str) -> String {
    if !word.chars().any(char::is_alphabetic) {
        return word.to_owned();
    }
    let message = |c: char| match c {
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '6' => 'b',
        '7' | '+' => 't',
        '8' => 'b',
        '9' => 'g',
        '1' | '!' | '|' => 'i',
        '0' => 'o',
        c => c,
    };
    word.chars().map(message).collect()
}

#[cfg(test)]
mod tests;
