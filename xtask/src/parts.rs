//! What a game puts into the shared page: the named templates of its `page.html`, each in the place of its name.

use anyhow::{Context, Result, ensure};

/// The file with the game's parts, beside its assets. It is no file of the finished folder.
pub(crate) const FILE: &str = "page.html";

/// The parts that a page has a place for.
const PARTS: [&str; 15] = [
    "title",
    "description",
    "logo",
    "tagline",
    "player",
    "choices",
    "footer",
    "footer-touch",
    "keys",
    "keys-touch",
    "touch",
    "hud",
    "results",
    "icons",
    "actions",
];

/// What any game's keys may do, for the settings: the usual keys of each, and its text.
const USUAL_ACTIONS: &str = "\
<li data-do=\"KeyW\" data-keys=\"KeyW ArrowUp\" data-text=\"do.up\"></li>
<li data-do=\"KeyS\" data-keys=\"KeyS ArrowDown\" data-text=\"do.down\"></li>
<li data-do=\"KeyA\" data-keys=\"KeyA ArrowLeft\" data-text=\"do.left\"></li>
<li data-do=\"KeyD\" data-keys=\"KeyD ArrowRight\" data-text=\"do.right\"></li>
<li data-do=\"Space\" data-keys=\"Space Mouse0\" data-text=\"do.first\"></li>
<li data-do=\"KeyE\" data-keys=\"KeyE ShiftLeft ShiftRight Mouse2\" data-text=\"do.second\"></li>";

/// Fills the places of a page, such as `@title@`, from the text of a `page.html`, which may be empty. `package` is that of the game's
/// page: the title comes from its name if the game has none.
pub(crate) fn fill(page: &str, own: &str, package: &str) -> Result<String> {
    let own = read(own)?;
    let part = |name: &str| own.iter().find(|(own, _)| *own == name).map(|(_, text)| (*text).to_owned());
    let title = part("title").unwrap_or_else(|| title_of(package));
    let mut page = page.to_owned();
    for name in PARTS {
        let text = part(name).unwrap_or_else(|| match name {
            "title" => title.clone(),
            "description" => format!("{title}: a game in your browser."),
            "logo" => format!("<h1 id=\"logo\">{title}</h1>"),
            "player" => "<span data-text=\"name\"></span>".to_owned(),
            "actions" => USUAL_ACTIONS.to_owned(),
            _ => String::new(),
        });
        page = page.replace(&format!("@{name}@"), &text);
    }
    Ok(page)
}

/// The templates of a `page.html`: name and content.
fn read(mut text: &str) -> Result<Vec<(&str, &str)>> {
    let mut parts = Vec::new();
    while let Some((_, rest)) = text.split_once("<template id=\"") {
        let (name, rest) = rest.split_once("\">").with_context(|| format!("{FILE}: a template id has no end"))?;
        let (content, rest) = rest.split_once("</template>").with_context(|| format!("{FILE}: {name} has no end"))?;
        ensure!(PARTS.contains(&name), "{FILE}: the page has no part {name}; it has {}", PARTS.join(", "));
        parts.push((name, content.trim()));
        text = rest;
    }
    Ok(parts)
}

/// The name of a game from that of its page's package.
fn title_of(package: &str) -> String {
    let name = package.trim_start_matches("broadside-").trim_end_matches("-page").replace('-', " ");
    let (first, rest) = name.split_at(name.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<title>@title@</title>@logo@<p>@tagline@</p>@build@";

    #[test]
    fn a_games_parts_take_the_places_of_their_names() {
        let own =
            "<!-- x --><template id=\"title\">Dots</template>\n<template id=\"tagline\">\n all round\n</template>";
        let page = fill(PAGE, own, "my-dots-page").expect("good parts");
        assert_eq!(page, "<title>Dots</title><h1 id=\"logo\">Dots</h1><p>all round</p>@build@");
    }

    #[test]
    fn a_game_without_parts_has_its_name_as_title() {
        let page = fill(PAGE, "", "broadside-star-dots-page").expect("no parts");
        assert!(page.starts_with("<title>Star dots</title>"), "{page}");
    }

    #[test]
    fn a_part_that_no_page_has_is_refused_with_those_there_are() {
        let refusal = fill(PAGE, "<template id=\"hat\"></template>", "x-page").expect_err("no such part").to_string();
        assert!(refusal.contains("no part hat; it has title, description"), "{refusal}");
    }
}
