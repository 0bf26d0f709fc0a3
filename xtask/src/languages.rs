//! The tables of texts, one per language: the shell's in `assets/languages/`, the game's own beside its other assets. A game's texts are
//! added to those of the shell, and may reword them; a language that a game has no table for gets its English. The pages beside the game
//! have tables of their own, which a first visit of the game does not load: the finished ones hold the game's texts as well. All pages are
//! written with keys, and made with the English texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The folder of the tables, in the assets and in the finished folder.
pub(crate) const FOLDER: &str = "languages";
/// The folder of the tables of the pages beside the game, which these pages name to `settings.js`.
pub(crate) const BESIDE: &str = "pages/languages";
/// Before the name of a game's table in the finished folder, until it is merged.
pub(crate) const GAMES: &str = "game-";
/// The language that every other one is measured against.
const ENGLISH: &str = "en.json";

/// What an element names a key with, and the attribute that its text becomes; the first becomes its content.
const PLACES: [(&str, &str); 4] =
    [("data-text", ""), ("data-label", "aria-label"), ("data-title", "title"), ("data-place", "placeholder")];

/// Texts by key.
pub(crate) type Table = BTreeMap<String, String>;

fn read(file: &Path) -> Result<Table> {
    if !file.exists() {
        return Ok(Table::new());
    }
    serde_json::from_str(&fs::read_to_string(file)?).with_context(|| format!("{}: not a table", file.display()))
}

/// Adds the game's tables in a finished folder to those of the shell. Gives the English one.
pub(crate) fn merge(site: &Path) -> Result<Table> {
    let folder = site.join(FOLDER);
    let game = |name: &str| folder.join(format!("{GAMES}{name}"));
    let games_english = read(&game(ENGLISH))?;
    let names = fs::read_dir(&folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<Result<_>>()?;
    for name in names.iter().filter(|name| !name.starts_with(GAMES)) {
        let mut table = read(&folder.join(name))?;
        table.extend(games_english.clone());
        table.extend(read(&game(name))?);
        fs::write(folder.join(name), serde_json::to_string(&table)?)?;
    }
    for name in names.iter().filter(|name| name.starts_with(GAMES)) {
        fs::remove_file(folder.join(name))?;
    }
    read(&folder.join(ENGLISH))
}

/// Completes the tables of the pages beside the game, in a finished folder with merged tables: these pages use words of the game, such as
/// the names of its modes. Gives the English one.
pub(crate) fn merge_beside(site: &Path) -> Result<Table> {
    let folder = site.join(BESIDE);
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name();
        let mut table = read(&site.join(FOLDER).join(&name))?;
        table.extend(read(&folder.join(&name))?);
        fs::write(folder.join(&name), serde_json::to_string(&table)?)?;
    }
    read(&folder.join(ENGLISH))
}

/// Puts texts where the elements of a page name their keys.
///
/// # Errors
/// A key has no text, or an element with `data-text` has content already.
pub(crate) fn word(page: &str, texts: &Table) -> Result<String> {
    let mut page = page.to_owned();
    for (place, attribute) in PLACES {
        let mark = format!(" {place}=\"");
        let mut worded = String::new();
        let mut rest = page.as_str();
        while let Some((before, after)) = rest.split_once(&mark) {
            let (key, behind) = after.split_once('"').with_context(|| format!("{place} has no end"))?;
            let Some(text) = texts.get(key) else { bail!("{place}=\"{key}\": there is no such text") };
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            worded += &format!("{before}{mark}{key}\"");
            rest = behind;
            if attribute.is_empty() {
                let (more, content) = behind.split_once('>').context("an element has no end")?;
                if !content.starts_with("</") {
                    bail!("{place}=\"{key}\": the element has content of its own");
                }
                worded += &format!("{more}>{text}");
                rest = content;
            } else {
                worded += &format!(" {attribute}=\"{text}\"");
            }
        }
        page = worded + rest;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::project_files;
    use crate::workspace::root;
    use std::collections::BTreeSet;

    /// The folders with tables, each with the sources that use them.
    const TABLES: [&str; 4] = [
        "assets/languages",
        "assets/pages/languages",
        "games/arena/page/assets/languages",
        "games/puck/page/assets/languages",
    ];
    const LANGUAGES: [&str; 3] = ["en", "de", "es"];

    fn table(folder: &str, language: &str) -> Table {
        let file = root().join(folder).join(language).with_extension("json");
        let table = read(&file).expect("it is a table");
        assert!(!table.is_empty(), "{} is missing", file.display());
        table
    }

    /// The `{names}` in a text.
    fn values(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|rest| rest.split_once('}').expect("a value's name ends").0).collect()
    }

    #[test]
    fn every_language_has_every_text_with_the_same_values() {
        for folder in TABLES {
            let english = table(folder, "en");
            for language in LANGUAGES {
                let other = table(folder, language);
                let keys = |table: &Table| table.keys().cloned().collect::<BTreeSet<_>>();
                let apart: Vec<String> = keys(&english).symmetric_difference(&keys(&other)).cloned().collect();
                assert!(apart.is_empty(), "{folder}/{language}.json differs from English: {apart:?}");
                for (key, text) in &english {
                    assert_eq!(values(text), values(&other[key]), "{folder}/{language}.json: {key}");
                    assert!(!other[key].trim().is_empty(), "{folder}/{language}.json: {key} is empty");
                }
            }
        }
    }

    #[test]
    fn every_key_in_the_sources_has_a_text() {
        let texts: Table = TABLES.iter().flat_map(|folder| table(folder, "en")).collect();
        let mut seen = 0;
        for file in project_files().expect("the project can be read") {
            let of_a_page = file.path.starts_with("client-wasm/src") || file.path.starts_with("games/");
            if !(of_a_page && file.is_rust()) || file.path.ends_with("words.rs") {
                continue;
            }
            for call in ["say(\"", "say_with(\"", "say_count(\""] {
                for (_, rest) in file.text.match_indices(call).map(|(at, _)| file.text[at..].split_at(call.len())) {
                    let key = rest.split('"').next().unwrap_or_default();
                    let is_known = match call {
                        "say_count(\"" => texts.contains_key(&format!("{key}.other")),
                        _ => texts.contains_key(key),
                    };
                    assert!(is_known, "{}: {call}{key}\") has no text", file.path);
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "only {seen} keys were found in the sources");
    }

    #[test]
    fn every_key_in_the_scripts_beside_the_game_has_a_text_whatever_the_game() {
        let mut texts = table(TABLES[0], "en");
        let own = table(TABLES[1], "en");
        let apart = own.keys().filter(|key| texts.contains_key(*key)).collect::<Vec<_>>();
        assert!(apart.is_empty(), "the table of the pages beside the game rewords {apart:?}");
        texts.extend(own);
        let mut seen = 0;
        for file in project_files().expect("the project can be read") {
            if !(file.path.starts_with("assets/pages") && file.path.ends_with(".js")) {
                continue;
            }
            for (call, category) in [("say(\"", ""), ("sayCount(\"", ".other")] {
                for key in file.text.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(texts.contains_key(&format!("{key}{category}")), "{}: {key} has no text", file.path);
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "only {seen} keys were found in the scripts");
    }

    #[test]
    fn a_page_gets_the_texts_of_its_keys_and_no_markup() {
        let texts = Table::from([("a".into(), "Ann & <Bob>".into()), ("b".into(), "say \"hi\"".into())]);
        let page = "<p class=\"x\" data-text=\"a\" id=\"y\"></p><i data-label=\"b\">!</i>";
        let worded = word(page, &texts).expect("both have texts");
        assert_eq!(
            worded,
            "<p class=\"x\" data-text=\"a\" id=\"y\">Ann &amp; &lt;Bob></p><i data-label=\"b\" aria-label=\"say &quot;hi&quot;\">!</i>"
        );
        assert!(word("<p data-text=\"c\"></p>", &texts).is_err());
        assert!(word("<p data-text=\"a\">text</p>", &texts).is_err());
    }
}
