//! The texts of the page, in the language that the player reads. `assets/settings.js` has chosen the language and fetched its table
//! before the program starts; a table stays for the life of the page, so texts are `'static`. To change the language, the page reloads.
//!
//! Outside of a browser, in tests, the texts are English.

use std::cell::Cell;

/// Keys and texts, sorted by key.
type Table = &'static [(&'static str, &'static str)];

thread_local! {
    static TABLE: Cell<Option<Table>> = const { Cell::new(None) };
}

/// The text with this key. A key without a text stands for itself, so that a gap can be seen and does no harm.
#[must_use]
pub fn say(key: &'static str) -> &'static str {
    say_or(key, key)
}

/// The text with this key, or this other text where no table has one: for words of a game that may have no table.
#[must_use]
#[inline(never)]
pub fn say_or<'a>(key: &str, otherwise: &'a str) -> &'a str {
    find(table(), key).unwrap_or(otherwise)
}

/// The text with this key, with each `{name}` replaced by the value of that name.
#[must_use]
#[inline(never)]
pub fn say_with(key: &'static str, values: &[(&str, &str)]) -> String {
    fill(say(key), values)
}

/// The text for so many of something: that with the key and the plural category of `count` behind it, such as `.one`, or `.other`;
/// `{count}` in it is the number as the language writes it.
#[must_use]
#[inline(never)]
pub fn say_count(key: &'static str, count: u32) -> String {
    let count_text = number(f64::from(count), 0);
    let with = |category: &str| find(table(), &[key, ".", category].concat());
    let text = with(&plural(f64::from(count))).or_else(|| with("other")).unwrap_or(key);
    fill(text, &[("count", &count_text)])
}

/// A number with this many digits after the point, as the language writes it.
#[must_use]
pub fn number(value: f64, digits: u32) -> String {
    number_text(value, digits)
}

fn find(table: Table, key: &str) -> Option<&'static str> {
    table.binary_search_by(|(known, _)| (*known).cmp(key)).ok().map(|at| table[at].1)
}

fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(values.iter().find(|(known, _)| *known == name).map_or(name, |(_, value)| value));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

fn table() -> Table {
    TABLE.with(|slot| {
        slot.get().unwrap_or_else(|| {
            let table = leak(load());
            slot.set(Some(table));
            table
        })
    })
}

fn leak(mut pairs: Vec<(String, String)>) -> Table {
    pairs.sort_unstable();
    let leaked = |text: String| -> &'static str { text.leak() };
    Vec::leak(pairs.into_iter().map(|(key, text)| (leaked(key), leaked(text))).collect())
}

#[cfg(target_arch = "wasm32")]
mod source {
    use wasm_bindgen::prelude::wasm_bindgen;
    use wasm_bindgen::{JsCast, JsValue};

    use crate::fetch;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = broadside)]
        fn plural(count: f64) -> String;

        #[wasm_bindgen(js_namespace = broadside)]
        fn number(value: f64, digits: u32) -> String;
    }

    /// The table that the page has fetched.
    pub(super) fn load() -> Vec<(String, String)> {
        let page = fetch::get(&js_sys::global(), "broadside");
        let Ok(words) = fetch::get(&page, "words").dyn_into::<js_sys::Object>() else { return Vec::new() };
        let text = |pair: &JsValue, at| pair.unchecked_ref::<js_sys::Array>().get(at).as_string().unwrap_or_default();
        js_sys::Object::entries(&words).iter().map(|pair| (text(&pair, 0), text(&pair, 1))).collect()
    }

    /// The plural category of a number, by `Intl.PluralRules`.
    pub(super) fn plural_of(count: f64) -> String {
        plural(count)
    }

    /// A number, by `Intl.NumberFormat`.
    pub(super) fn number_text(value: f64, digits: u32) -> String {
        number(value, digits)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod source {
    use std::collections::BTreeMap;

    pub(super) fn load() -> Vec<(String, String)> {
        read(include_str!("../../assets/languages/en.json")).into_iter().collect()
    }

    pub(super) fn read(json: &str) -> BTreeMap<String, String> {
        serde_json::from_str(json).expect("a table of texts is an object of strings")
    }

    pub(super) fn plural_of(count: f64) -> String {
        let category = if count == 1.0 { "one" } else { "other" };
        category.to_owned()
    }

    pub(super) fn number_text(value: f64, digits: u32) -> String {
        format!("{value:.*}", digits as usize)
    }
}

use source::{load, number_text, plural_of as plural};

/// Adds a game's English texts, as JSON, to those that this thread's tests see.
///
/// # Panics
/// If it is no object of strings.
#[cfg(not(target_arch = "wasm32"))]
pub fn add_for_tests(json: &str) {
    let mut texts: std::collections::BTreeMap<String, String> = load().into_iter().collect();
    texts.extend(source::read(json));
    TABLE.with(|slot| slot.set(Some(leak(texts.into_iter().collect()))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_places_of_their_names_and_are_never_filled_themselves() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "c")]), "{b} and c");
        assert_eq!(fill("no {such}", &[]), "no such");
        assert_eq!(fill("an open {end", &[]), "an open end");
    }

    #[test]
    fn a_number_chooses_its_plural_and_a_missing_key_is_shown() {
        assert_eq!(say_count("news.messages", 1), "1 message");
        assert_eq!(say_count("news.messages", 7), "7 messages");
        assert_eq!(say("there is no such key"), "there is no such key");
        assert_eq!(say_or("mode.none", "Sumo"), "Sumo");
    }

    #[test]
    fn a_game_adds_texts_and_rewords_those_of_the_shell() {
        add_for_tests("{\"guest\": \"Captain\", \"ship.sunk\": \"sunk\"}");
        assert_eq!((say("guest"), say("ship.sunk"), say("join")), ("Captain", "sunk", "Join"));
    }
}
