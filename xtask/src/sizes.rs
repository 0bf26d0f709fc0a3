//! What a first visit downloads: the files that the page of the game loads before the first shot. What it loads later, when the player
//! has played for a moment, is not among them; that it does not come earlier is a browser test (`xtask/tests/browser/visit.rs`).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The page of the game.
const PAGE: &str = "index.html";

/// Most bytes of a first visit to the arena, as brotli packs them.
const FIRST_VISIT_MAX: u64 = 200_000;

/// A file of a first visit, with its sizes in bytes.
struct Part {
    name: String,
    plain: u64,
    gzip: u64,
    brotli: u64,
}

/// The size of a first visit in words.
pub(crate) fn summary(web: &Path) -> Result<String> {
    let bytes: u64 = parts(web)?.iter().map(|part| part.brotli).sum();
    Ok(format!("{:.1} kB for a first visit", bytes as f64 / 1000.0))
}

/// Whether a first visit is as small as it should be.
///
/// # Errors
/// It is larger.
pub(crate) fn check(web: &Path) -> Result<()> {
    let bytes: u64 = parts(web)?.iter().map(|part| part.brotli).sum();
    ensure!(
        bytes <= FIRST_VISIT_MAX,
        "a first visit loads {bytes} bytes, more than {FIRST_VISIT_MAX}:\n{}what it can do without belongs into xtask/src/late.txt",
        table(web)?
    );
    Ok(())
}

/// A table of the parts of a first visit, largest first, in Markdown.
pub(crate) fn table(web: &Path) -> Result<String> {
    let mut parts = parts(web)?;
    parts.sort_by_key(|part| std::cmp::Reverse(part.brotli));
    let sum = |of: fn(&Part) -> u64| parts.iter().map(of).sum();
    let (plain, gzip, brotli) = (sum(|part| part.plain), sum(|part| part.gzip), sum(|part| part.brotli));
    parts.push(Part { name: "together".into(), plain, gzip, brotli });
    let mut text = "| file | plain, bytes | gzip | brotli |\n|---|---:|---:|---:|\n".to_owned();
    for Part { name, plain, gzip, brotli } in parts {
        text += &format!("| {name} | {plain} | {gzip} | {brotli} |\n");
    }
    Ok(text)
}

/// The page of the game and what it names in its head.
fn parts(web: &Path) -> Result<Vec<Part>> {
    let page = fs::read_to_string(web.join(PAGE)).context("the page was not built yet")?;
    let mut names: Vec<String> = loaded_by(&page).map(str::to_owned).collect();
    // Which table of texts it loads is decided by a script, and the page has the English ones anyway.
    let table = names.iter().find_map(|name| Some(format!("{}languages/en.json", name.strip_suffix("settings.js")?)));
    names.extend(table);
    names.insert(0, PAGE.to_owned());
    names.iter().map(|name| part(web, name)).collect()
}

fn part(web: &Path, path: &str) -> Result<Part> {
    let file = web.join(path);
    let plain = fs::metadata(&file).with_context(|| format!("the page loads {path}, which is not there"))?.len();
    // Without a smaller sibling the server sends the file itself.
    let packed = |ending: &str| fs::metadata(web.join(format!("{path}.{ending}"))).map_or(plain, |found| found.len());
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name).to_owned();
    Ok(Part { name, plain, gzip: packed("gz"), brotli: packed("br") })
}

/// What the tags in the head of a page let a browser load: scripts, styles, its icon, its manifest and what it is told to load early.
fn loaded_by(page: &str) -> impl Iterator<Item = &str> {
    let tags = page.split('<').skip(1).filter_map(|tag| tag.split_once('>')).map(|(tag, _)| tag);
    // A phone asks for its icon when the page is put on the home screen.
    let loads = |tag: &&str| tag.starts_with("script ") || (tag.starts_with("link ") && !tag.contains("apple-touch"));
    let address = |tag: &'static str| move |text: &'_ str| text.find(tag).map(|at| at + tag.len());
    let (source, link) = (address("src=\"./"), address("href=\"./"));
    tags.filter(loads).filter_map(move |tag| {
        let rest = &tag[source(tag).or(link(tag))?..];
        rest.split('"').next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_loads_is_what_its_head_names() {
        let page = "<head><link rel=\"icon\" href=\"./v/1/favicon.svg\"><script src=\"./v/1/boot.js\"></script>\
                    <link rel=\"apple-touch-icon\" href=\"./icon-apple.png\"><script type=\"module\" src=\"./v/1/start.js\"></script>\
                    <meta property=\"og:image\" content=\"./og.jpg\"></head><a href=\"./friends\">Friends</a>";
        let loaded: Vec<&str> = loaded_by(page).collect();
        assert_eq!(loaded, ["v/1/favicon.svg", "v/1/boot.js", "v/1/start.js"]);
    }
}
