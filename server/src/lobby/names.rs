//! Which player names are allowed, and which look alike.
//!
//! Names are compared by appearance: letters of any script that look alike count as equal, in either case, by the table of confusables
//! in [UTS 39](https://www.unicode.org/reports/tr39/). A name in any script is allowed, and collides with another one only if the two look
//! the same.

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

/// Words that no name may contain as a word: it would pass for the server or its operator.
const RESERVED_ANYWHERE: [&str; 6] = ["server", "operator", "admin", "administrator", "moderator", "broadside"];
/// Words that no name may start with: the prefix of server bots, and words that could introduce an announcement.
const RESERVED_FIRST: [&str; 4] = ["bot", "system", "notice", "announcement"];
/// Words that are not allowed as a whole name: further titles of authority, and words that the page uses for its user, for all, and for
/// nobody.
const RESERVED_ALONE: [&str; 15] = [
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
    [looks(&RESERVED_ANYWHERE), looks(&RESERVED_FIRST), looks(&RESERVED_ALONE)]
});

/// An allowed name: in normal form C, without unassigned characters, and not reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitName {
    name: Name,
    of_bot: bool,
}

/// Why a name is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unfit {
    /// The normalized name is empty or too long.
    #[error("{0}")]
    Form(#[from] NameError),
    /// The name could be taken for the server, its bots, or its operator.
    #[error("`{0}` is reserved: it could be taken for the server or its operator; choose another one")]
    Reserved(Name),
}

impl FitName {
    /// Normalizes the chosen name: composes it, and drops characters that Unicode does not assign, which all look the same.
    ///
    /// # Errors
    /// [`Unfit::Form`] if the result is empty or too long, [`Unfit::Reserved`] if players may not use it.
    pub(crate) fn new(chosen: &Name) -> Result<FitName, Unfit> {
        let defined = |c: &char| c.general_category() != GeneralCategory::Unassigned;
        let name = Name::new(&chosen.as_str().nfc().filter(defined).nfc().collect::<String>())?;
        if is_reserved(&name) {
            return Err(Unfit::Reserved(name));
        }
        Ok(FitName { name, of_bot: false })
    }

    /// The name of a server bot; players cannot have it.
    pub(crate) fn of_bot(name: Name) -> FitName {
        FitName { name, of_bot: true }
    }

    /// A name that was given out before.
    pub(crate) fn given(name: Name) -> FitName {
        FitName { name, of_bot: false }
    }

    /// The name for players whose chosen name is not allowed.
    ///
    /// # Panics
    /// Never: `guest` is a valid name.
    pub(crate) fn guest() -> FitName {
        FitName { name: Name::new("guest").expect("a valid name"), of_bot: false }
    }
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// The name, then the name with a number appended, shortened to fit: an endless sequence of alternatives for a taken name.
    pub(crate) fn variants(&self) -> impl Iterator<Item = Name> + '_ {
        // Trying consecutive numbers would be slow when many players want the same name.
        let numbers = (2..20).chain(std::iter::repeat_with(|| 20 + (secret::number() % 999_980) as u32));
        let numbered = numbers.filter_map(|number| self.name.with_tail(&format!(" {number}")).ok());
        // A shortened name may turn into a reserved word.
        let fit = numbered.filter(|name| self.of_bot || !is_reserved(name));
        std::iter::once(self.name.clone()).chain(fit)
    }
}

/// The appearance of a name: two names look alike if any of their looks are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Looks([String; 2]);

impl Looks {
    /// One look is of the name in lower case, the other of the name as written: letters that look alike in one case often do not in
    /// the other, such as Greek Η and η for H and n.
    pub(crate) fn of(name: &Name) -> Looks {
        let shown = as_shown(name.as_str());
        Looks([look(&lower(&shown)), look(&lower(&look(&shown)))])
    }

    /// The distinct looks.
    pub(crate) fn each(&self) -> impl Iterator<Item = &str> {
        let [lower, written] = &self.0;
        std::iter::once(lower.as_str()).chain((written != lower).then_some(written.as_str()))
    }

    /// Whether the two look alike.
    pub(crate) fn meet(&self, other: &Looks) -> bool {
        self.each().any(|look| other.each().any(|of_other| of_other == look))
    }
}

/// The characters in display order of left-to-right text.
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

/// The text with confusable characters replaced by one representative.
fn look(text: &str) -> String {
    let once: String = skeleton(&plain(text)).collect();
    // Some of the table's representatives look like ASCII letters, which the table maps further.
    let twice: String = skeleton(&plain(&once)).collect();
    let mut looks = String::with_capacity(twice.len());
    for c in twice.chars() {
        match (looks.chars().next_back(), c) {
            // A repeated mark, or a dot over a letter that has one.
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

/// Maps boxed letters, flags and small capitals to plain letters, which the table does not do.
fn plain(text: &str) -> String {
    const SMALL_CAPITALS: &str = "ᴀaʙbƅbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkĸkʟlᴍmʍmɴnᴏoᴘpꞯqʀrꜱsᴛtᴜuᴠvᴡwʏyᴢz";
    let letter = |c: char, first: u32| char::from(b'A' + (u32::from(c) - first) as u8);
    let plain = |c: char| match c {
        '\u{1f150}'..='\u{1f169}' => letter(c, 0x1f150),
        '\u{1f170}'..='\u{1f189}' => letter(c, 0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => letter(c, 0x1f1e6),
        'ς' => 'σ',
        _ if c.is_ascii() => c,
        _ => {
            let mut pairs = SMALL_CAPITALS.chars();
            while let (Some(small), Some(letter)) = (pairs.next(), pairs.next()) {
                if small == c {
                    return letter;
                }
            }
            c
        }
    };
    text.chars().map(plain).collect()
}

/// Whether a name could be taken for the server, its bots or its operator: as written, with digits and signs read as letters, with
/// digits stripped, and with words separated only by capital letters.
fn is_reserved(name: &Name) -> bool {
    let mut tried: Vec<Vec<String>> = Vec::new();
    for text in [name.as_str(), &as_shown(name.as_str())] {
        let letters: String = text.nfd().filter(|c| !is_combining_mark(*c)).collect();
        let written = plain(&letters);
        let spelled: Vec<String> = written.split(' ').map(spelled).collect();
        for text in [&written, &spelled.join(" "), &split_at_capitals(&written)] {
            let words = words_of(text);
            let bare = words.iter().map(|word| word.trim_matches(|c: char| c.is_numeric()).to_owned());
            let bare = bare.filter(|word| !word.is_empty()).collect();
            tried.extend([words, bare]);
        }
    }
    // Most names are plain: all variants are equal.
    tried.sort_unstable();
    tried.dedup();
    tried.iter().any(|words| holds_reserved(words))
}

fn holds_reserved(words: &[String]) -> bool {
    let [anywhere, first, alone] = &*RESERVED;
    let looks = |word: &str| {
        let word: String = word.nfkc().collect();
        [look(&lower(&word)), look(&lower(&look(&word)))].map(|look| letters_of(&look))
    };
    let among = |looks: &[String; 2], reserved: &BTreeSet<String>| {
        looks.iter().any(|look| reserved.contains(look) || reserved.contains(look.strip_suffix('s').unwrap_or(look)))
    };
    let each: Vec<_> = words.iter().map(|word| looks(word)).collect();
    let whole = looks(&words.concat());
    each.iter().any(|word| among(word, anywhere))
        || each.first().is_some_and(|word| among(word, first))
        || [anywhere, first, alone].into_iter().any(|reserved| among(&whole, reserved))
}

/// The words of a text, separated by anything that is not alphanumeric. Consecutive single letters form one word: "b o t".
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

/// Inserts a space before a capital letter that follows a lower-case one: "botMarlin".
fn split_at_capitals(text: &str) -> String {
    let mut split = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_uppercase() && split.ends_with(char::is_lowercase) {
            split.push(' ');
        }
        split.push(c);
    }
    split
}

/// Reduces a look for comparison with reserved words: drops marks, and maps l to i, since I and l look alike in many fonts.
fn letters_of(look: &str) -> String {
    look.nfd().filter(|c| !is_combining_mark(*c)).map(|c| if c == 'l' { 'i' } else { c }).collect()
}

/// Maps digits and signs that stand in for letters to these letters. A word without letters is a number and stays.
fn spelled(word: &str) -> String {
    if !word.chars().any(char::is_alphabetic) {
        return word.to_owned();
    }
    let letter = |c: char| match c {
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
    word.chars().map(letter).collect()
}

#[cfg(test)]
mod tests;
