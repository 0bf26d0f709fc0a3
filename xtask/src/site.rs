//! The folder a browser loads from, made of Broadside's `assets/`, of files and parts of the game, which may take their place, and of the
//! game's compiled page; what the pages beside the game need, and what those for developers need, the JavaScript client among it, is in
//! folders of its own.
//!
//! cargo builds the wasm, once for the game and once for recorded matches; the wasm-bindgen that is linked into this program, always of the version the client was
//! compiled against, writes the JavaScript beside it; what a first visit does without is cut off (`split.rs`); whatever compresses gets a `.br` and a `.gz` sibling, so that the
//! server never compresses anything. All of it is made in a second folder which then takes the place of the first:
//! nothing stale is left, and nobody sees half of it. When neither the wasm nor an asset changed, nothing is touched.
//!
//! What pages load is in `v/BUILD/`, a folder that is named after the build: its files never change, so browsers keep them without asking
//! again, and a second visit costs one small request. The pages themselves, and what has to be found at a fixed address, stay outside.
//!
//! Every file that a page cannot do without carries the number of the build besides: `boot.js` compares them, so that files of two builds
//! (a cache on the way, a server that is updated while a page loads) are detected and not run.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::files::{files, remove_folder};
use crate::games::{self, Game};
use crate::languages;
use crate::parts;
use crate::process::run;
use crate::sizes;
use crate::split;
use crate::toolchain;
use crate::workspace::{WASM_TARGET, broadside, cargo, short, target_dir};

/// Arguments of `cargo xtask site`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The game: a folder of games/.
    #[arg(long, value_name = "NAME", default_value = games::DEFAULT)]
    game: String,
    /// Print what each part of a first visit takes.
    #[arg(long)]
    sizes: bool,
}

/// Builds a game's folder, and prints where it is.
pub(crate) fn site(args: &Args) -> Result<()> {
    toolchain::ensure_wasm_target()?;
    let game = Game::named(&args.game)?;
    build(&game)?;
    match args.sizes {
        true => print!("{}", sizes::table(&game.web)?),
        false => println!("{}: {}", short(&game.web), sizes::summary(&game.web)?),
    }
    Ok(())
}

/// Changes when the way from inputs to files changes, so that folders made the old way are made again.
const RECIPE: u32 = 15;

/// Folder of the pages for developers, which players do not load.
const DEV: &str = "dev";

/// The JavaScript client, which the pages for developers use, its folder in there and the file that they load.
const CLIENT: &str = "packages/client/src";
const CLIENT_FOLDER: &str = "client";
const CLIENT_SCRIPT: &str = "index.js";

/// The programs of a page, each with the features that it is built with. The one for recorded matches can do all that the other can, and
/// holds what reads and steps a recording besides, which would make a first visit a quarter larger.
const PROGRAMS: [(&str, &str); 2] = [("game", ""), ("replay", " --features broadside-client/replay")];

/// Stands in the sources for the number of the build.
const BUILD_MARK: &str = "@build@";
/// The section of a wasm that holds the number of the build.
const BUILD_SECTION: &str = "build";

/// The scripts of a first visit beside its program's.
const LEAN: [&str; 3] = ["boot.js", "settings.js", "start.js"];

/// The style sheets of a first visit, which become one: together they take fewer bytes and one request.
const SHEETS: [&str; 3] = ["style.css", "lobby.css", "game.css"];
const SHEET: &str = "game-page.css";

/// The game's page.
const PAGE: &str = "index.html";
/// What the service worker shows without a network.
const OFFLINE: &str = "offline.html";
/// What a browser installs the page by; it has the game's name.
const MANIFEST: &str = "manifest.webmanifest";
/// Pages for addresses that are one folder deeper, made of others: of links of private rooms, of recorded matches, of players, of links
/// between friends. Where it is another than that of the page it is made of, with the program that it runs.
const DEEP_PAGES: [(&str, &str, Option<&str>); 5] = [
    (PAGE, "r/index.html", None),
    (PAGE, EMBED, None),
    (PAGE, "replay/index.html", Some("replay")),
    ("profile.html", "u/index.html", None),
    ("friends.html", "friend/index.html", None),
];

/// The read-only view of a room for frames of other sites: the page of the game with a style of its own.
const EMBED: &str = "embed/index.html";

/// Folder of the folder that is named after the build.
const LASTING: &str = "v";
/// Files that stay at addresses of their own.
const FIXED: [&str; 7] =
    ["sw.js", "icon-192.png", "icon-512.png", "icon-apple.png", "icon-maskable.png", "og.jpg", MANIFEST];
/// Endings of files that stay at addresses of their own: pages, and texts for people.
const FIXED_ENDINGS: [&str; 2] = ["html", "md"];

/// Files that hold compressed data already.
const COMPRESSED: [&str; 10] = ["png", "jpg", "jpeg", "webp", "avif", "ogg", "opus", "mp3", "m4a", "woff2"];

/// The files that a site is made of beside its program, each with its name in the finished folder, in order of these names. A file of
/// the game takes the place of Broadside's of the same name.
fn sources(game: &Game) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut sources = BTreeMap::new();
    let assets = (broadside().join("assets"), PathBuf::new());
    let client = (broadside().join(CLIENT), Path::new(DEV).join(CLIENT_FOLDER));
    for (folder, to) in [assets, client, (game.assets.clone(), PathBuf::new())] {
        for file in if folder.exists() { files(&folder)? } else { Vec::new() } {
            let name = to.join(file.strip_prefix(&folder)?);
            sources.insert(if folder == game.assets { beside_ours(name) } else { name }, file);
        }
    }
    Ok(sources)
}

/// The name of a game's file in the finished folder: its texts are added to ours, and do not take their place.
fn beside_ours(name: PathBuf) -> PathBuf {
    match name.strip_prefix(languages::FOLDER) {
        Ok(table) => Path::new(languages::FOLDER).join(format!("{}{}", languages::GAMES, table.display())),
        Err(_) => name,
    }
}

/// Brings the game's folder for a browser up to date.
pub(crate) fn build(game: &Game) -> Result<()> {
    let programs = compile(&game.page)?;
    let (web, stamp) = (&game.web, game.web.with_extension("stamp"));
    let sources = sources(game)?;
    let key = key(&programs, &sources)?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == describe(&key, web).unwrap_or_default()) {
        return Ok(());
    }
    let fresh = web.with_extension("new");
    remove_folder(&fresh)?;
    make(&fresh, game, (programs, &sources), &key)?;
    remove_folder(web)?;
    fs::rename(&fresh, web)?;
    fs::write(&stamp, describe(&key, web)?)?;
    eprintln!("made {}: {} files, {}", short(web), pages(web)?.len(), sizes::summary(web)?);
    Ok(())
}

/// Compiles a package once for each of [`PROGRAMS`].
fn compile(package: &str) -> Result<Vec<Vec<u8>>> {
    let wasm = target_dir().join(WASM_TARGET).join("wasm").join(package.replace('-', "_")).with_extension("wasm");
    let compiled = PROGRAMS.map(|(_, features)| {
        let mut build = cargo(&format!("build --package {package} --target {WASM_TARGET} --profile wasm{features}"));
        // Names of functions then say which types they are made for, which tells what a first visit needs from the rest.
        run(build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Csymbol-mangling-version=v0"))?;
        fs::read(&wasm).with_context(|| format!("cannot read {}", short(&wasm)))
    });
    compiled.into_iter().collect()
}

fn make(
    fresh: &Path,
    game: &Game,
    (programs, sources): (Vec<Vec<u8>>, &BTreeMap<PathBuf, PathBuf>),
    build: &str,
) -> Result<()> {
    let lasting = format!("{LASTING}/{build}");
    let folder = fresh.join(&lasting);
    fs::create_dir_all(&folder)?;
    let is_parts = |name: &Path| name == Path::new(parts::FILE);
    let mut moved = Vec::new();
    for (name, file) in sources.iter().filter(|(name, _)| !is_parts(name)) {
        let stays = has_fixed_address(name);
        let to = if stays { fresh.join(name) } else { folder.join(name) };
        fs::create_dir_all(to.parent().unwrap_or(fresh))?;
        fs::copy(file, to)?;
        moved.extend((!stays).then(|| name.to_string_lossy().replace('\\', "/")));
    }
    for ((name, _), wasm) in PROGRAMS.into_iter().zip(programs) {
        bind(name, wasm, &folder, build)?;
        moved.extend([script_of(name), wasm_of(name)]);
    }
    mark(&folder.join(DEV).join(CLIENT_FOLDER).join(CLIENT_SCRIPT), build)?;
    for script in LEAN.map(str::to_owned).into_iter().chain(PROGRAMS.map(|(name, _)| script_of(name))) {
        let script = folder.join(script);
        let text = fs::read_to_string(&script)?;
        fs::write(script, lean(&text))?;
    }
    moved.push(join_sheets(&fresh.join(PAGE), &folder)?);
    let own = sources.get(Path::new(parts::FILE)).map_or_else(|| Ok(String::new()), fs::read_to_string)?;
    let table = languages::merge(&folder)?;
    let beside = languages::merge_beside(&folder)?;
    for page in [fresh.join(PAGE), folder.join(OFFLINE)] {
        let text = parts::fill(&fs::read_to_string(&page)?, &own, &game.page)?;
        fs::write(page, languages::word(&text, &table)?)?;
    }
    for page in files(fresh)?.into_iter().filter(|file| file.extension() == Some(OsStr::new("html"))) {
        let text = fs::read_to_string(&page)?;
        if text.contains(languages::BESIDE) {
            fs::write(page, languages::word(&text, &beside)?)?;
        }
    }
    let manifest = manifest(&fs::read_to_string(fresh.join(MANIFEST))?, &own, &game.page)?;
    fs::write(fresh.join(MANIFEST), manifest)?;
    stamp(fresh, build)?;
    point(fresh, &lasting, &moved)?;
    deepen(fresh, &lasting)?;
    measure(fresh, &folder)?;
    files(fresh)?.iter().try_for_each(|file| compress(file))
}

/// Makes one style sheet of those of the game's page, and lets the page name it alone.
fn join_sheets(page: &Path, folder: &Path) -> Result<String> {
    let mut text = fs::read_to_string(page)?;
    let mut joined = String::new();
    for sheet in SHEETS {
        joined += &lean_sheet(&fs::read_to_string(folder.join(sheet))?);
        let link = format!("<link rel=\"stylesheet\" href=\"./{sheet}\">\n");
        anyhow::ensure!(text.contains(&link), "{} does not name {sheet}", short(page));
        let to = if sheet == SHEETS[0] { link.replace(sheet, SHEET) } else { String::new() };
        text = text.replace(&link, &to);
    }
    fs::write(page, text)?;
    fs::write(folder.join(SHEET), joined)?;
    Ok(SHEET.to_owned())
}

/// A style sheet without comments, and without the spaces that mean nothing.
fn lean_sheet(sheet: &str) -> String {
    let mut lean = String::new();
    for (number, part) in sheet.split("/*").enumerate() {
        let part = if number == 0 { part } else { part.split_once("*/").map_or("", |(_, rest)| rest) };
        for word in part.split_whitespace() {
            let tight = lean.is_empty() || lean.ends_with(['{', '}', ';', ',']) || word.starts_with(['{', '}']);
            if !tight {
                lean.push(' ');
            }
            lean += word;
        }
    }
    lean
}

/// A script without the lines that only people read, and without indentation: a quarter of its compressed bytes. Lines of comments begin
/// as such, and no text in these scripts has more than one line.
fn lean(script: &str) -> String {
    let is_comment =
        |line: &&str| ["//", "/**", "* ", "*/"].iter().any(|begin| line.starts_with(begin)) || *line == "*";
    script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !is_comment(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Whether something other than our pages of the same build asks for a file, so that its address must not change: people, messengers,
/// an installed page.
fn has_fixed_address(name: &Path) -> bool {
    let ending = name.extension().and_then(OsStr::to_str).unwrap_or_default();
    name.components().count() == 1
        && name != Path::new(OFFLINE)
        && (FIXED_ENDINGS.contains(&ending) || FIXED.iter().any(|fixed| name == Path::new(fixed)))
}

/// Lets every page load what has moved into the folder of the build from there.
fn point(fresh: &Path, lasting: &str, moved: &[String]) -> Result<()> {
    for file in files(fresh)?.into_iter().filter(|file| file.extension() == Some(OsStr::new("html"))) {
        let mut text = fs::read_to_string(&file)?;
        for name in moved {
            text = text.replace(&format!("=\"./{name}\""), &format!("=\"./{lasting}/{name}\""));
        }
        fs::write(&file, text)?;
    }
    Ok(())
}

/// Writes the pages of deeper addresses.
fn deepen(fresh: &Path, lasting: &str) -> Result<()> {
    for (page, deep, program) in DEEP_PAGES {
        let (mut page, deep) = (fs::read_to_string(fresh.join(page))?, fresh.join(deep));
        if let Some(program) = program {
            let other = |name: &str| name.replace(PROGRAMS[0].0, program);
            for name in [script_of(PROGRAMS[0].0), wasm_of(PROGRAMS[0].0)] {
                page = page.replace(&name, &other(&name));
            }
        }
        if deep.ends_with(EMBED) {
            let style = format!("<link rel=\"stylesheet\" href=\"./{lasting}/embed.css\">\n</head>");
            page = page.replace("<html ", "<html class=\"embed\" ").replace("</head>", &style);
        }
        fs::create_dir_all(deep.parent().unwrap_or(fresh))?;
        fs::write(deep, page.replace("=\"./", "=\"../"))?;
    }
    Ok(())
}

/// Puts the length of each program into the pages that load it: a browser is told only the compressed one.
fn measure(fresh: &Path, folder: &Path) -> Result<()> {
    for (program, _) in PROGRAMS {
        let name = wasm_of(program);
        let length = fs::metadata(folder.join(&name))?.len();
        for file in files(fresh)?.into_iter().filter(|file| file.extension() == Some(OsStr::new("html"))) {
            let text = fs::read_to_string(&file)?;
            fs::write(&file, text.replace(&format!("@{name}@"), &length.to_string()))?;
        }
    }
    Ok(())
}

fn script_of(program: &str) -> String {
    format!("{program}.js")
}

fn wasm_of(program: &str) -> String {
    format!("{program}_bg.wasm")
}

/// Fills a manifest with the game's name.
fn manifest(text: &str, own: &str, package: &str) -> Result<String> {
    let filled = parts::fill(text, own, package)?;
    serde_json::from_str::<serde_json::Value>(&filled).with_context(|| {
        format!("{}: title and description are also in {MANIFEST}, so no quotes there", parts::FILE)
    })?;
    Ok(filled)
}

/// Puts the number of the build into every page and script that has a place for it.
fn stamp(fresh: &Path, build: &str) -> Result<()> {
    let is_text = |file: &PathBuf| matches!(file.extension().and_then(OsStr::to_str), Some("html" | "js"));
    for file in files(fresh)?.into_iter().filter(is_text) {
        let text = fs::read_to_string(&file)?;
        if text.contains(BUILD_MARK) {
            fs::write(&file, text.replace(BUILD_MARK, build))?;
        }
    }
    Ok(())
}

/// Writes a wasm as the browser loads it, in parts, with its JavaScript; this and the first part carry the number of the build.
fn bind(name: &str, wasm: Vec<u8>, folder: &Path, build: &str) -> Result<()> {
    let refused = || format!("wasm-bindgen refused the program {name}");
    let mut bound = Bindgen::new()
        .input_bytes(name, wasm)
        .out_name(name)
        .web(true)?
        .typescript(false)
        // The page calls `init()` without an address; this makes the script find the wasm beside itself.
        .omit_default_module_path(false)
        .remove_producers_section(true)
        .generate_output()
        .with_context(refused)?;
    for (part, mut wasm) in split::split(bound.wasm_mut())? {
        fs::write(folder.join(format!("{name}_{part}.wasm")), wasm.emit_wasm())?;
    }
    let short = split::shorten(bound.wasm_mut());
    bound.emit(folder).with_context(refused)?;
    let script = folder.join(script_of(name));
    let text = short.iter().fold(fs::read_to_string(&script)?, |text, (name, short)| text.replace(name, short));
    fs::write(&script, text)?;
    mark(&folder.join(script_of(name)), build)?;
    append(&folder.join(wasm_of(name)), &custom_section(BUILD_SECTION, build.as_bytes()))
}

/// Lets a script say the number of the build.
fn mark(script: &Path, build: &str) -> Result<()> {
    append(script, format!("export const build = \"{build}\";\n").as_bytes())
}

fn append(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = fs::OpenOptions::new().append(true).open(file).with_context(|| format!("no {}", short(file)))?;
    Ok(file.write_all(bytes)?)
}

/// A section that means nothing to WebAssembly itself: id 0, length, name, content. Both lengths fit into one byte of LEB128.
fn custom_section(name: &str, content: &[u8]) -> Vec<u8> {
    let length = 1 + name.len() + content.len();
    assert!(length < 128, "a section of {length} bytes needs a longer length");
    let head = [0, length as u8, name.len() as u8];
    [&head, name.as_bytes(), content].concat()
}

/// Writes the compressed siblings of `file` that are smaller than it.
fn compress(file: &Path) -> Result<()> {
    let extension = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if COMPRESSED.contains(&extension.as_str()) {
        return Ok(());
    }
    let plain = fs::read(file)?;
    for (ending, packed) in [("br", brotli(&plain)?), ("gz", gzip(&plain)?)] {
        if packed.len() < plain.len() {
            fs::write(file.with_extension(format!("{extension}.{ending}")), packed)?;
        }
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> Result<Vec<u8>> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 11, 22);
    writer.write_all(plain)?;
    Ok(writer.into_inner())
}

fn gzip(plain: &[u8]) -> Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(plain)?;
    Ok(writer.finish()?)
}

/// A number that changes when a wasm, the name or content of an asset, or the recipe does.
fn key(programs: &[Vec<u8>], sources: &BTreeMap<PathBuf, PathBuf>) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    RECIPE.hash(&mut hasher);
    programs.hash(&mut hasher);
    for (name, file) in sources {
        name.hash(&mut hasher);
        fs::read(file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// What a finished folder looks like: the key of its inputs, then length and name of each file.
fn describe(key: &str, web: &Path) -> Result<String> {
    let mut text = format!("{key}\n");
    for file in files(web)? {
        text += &format!("{} {}\n", fs::metadata(&file)?.len(), file.strip_prefix(web)?.display());
    }
    Ok(text)
}

/// What a browser may ask the finished folder for: its files without the compressed siblings, named from the folder on.
pub(crate) fn pages(web: &Path) -> Result<Vec<String>> {
    let is_sibling = |file: &Path| matches!(file.extension().and_then(OsStr::to_str), Some("br" | "gz"));
    let plain = files(web)?.into_iter().filter(|file| !is_sibling(file));
    plain.map(|file| Ok(file.strip_prefix(web)?.to_string_lossy().replace('\\', "/"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_manifest_has_the_games_name_and_stays_json() {
        let text = fs::read_to_string(broadside().join("assets").join(MANIFEST)).expect("it is an asset");
        let own = |title: &str| format!("<template id=\"title\">{title}</template>");
        let filled = manifest(&text, &own("Star Dots"), "my-dots-page").expect("a plain title");
        let filled: serde_json::Value = serde_json::from_str(&filled).expect("it is JSON");
        assert_eq!((&filled["name"], &filled["start_url"]), (&"Star Dots".into(), &"./".into()));
        let why = manifest(&text, &own("\"Dots\""), "my-dots-page").expect_err("it would end the text");
        assert!(why.to_string().contains("no quotes"), "{why}");
    }

    #[test]
    fn a_script_of_a_first_visit_has_no_comments_and_no_text_of_several_lines() {
        assert_eq!(lean("// why\n\n  a();\n/**\n * how\n */\n  b(`//`); // c\n"), "a();\nb(`//`); // c\n");
        for name in LEAN {
            let text = fs::read_to_string(broadside().join("assets").join(name)).expect("it is an asset");
            let open = text.lines().find(|line| line.matches('`').count() % 2 == 1);
            assert_eq!(open, None, "{name}: a text with several lines would lose its indentation");
        }
    }

    #[test]
    fn a_sheet_keeps_the_spaces_that_mean_something() {
        let lean = lean_sheet(
            "/* why */\n.a .b,\n.c > d { margin: 0 auto; }\n\n@media (max-width: 9px) {\n  a:not(.b) { top: 1px }\n}\n",
        );
        assert_eq!(lean, ".a .b,.c > d{margin: 0 auto;}@media (max-width: 9px){a:not(.b){top: 1px}}");
    }

    #[test]
    fn compressed_bytes_come_back_as_they_were() {
        let plain = b"a page of a page of a page".repeat(100);
        let mut again = Vec::new();
        brotli::Decompressor::new(brotli(&plain).expect("brotli").as_slice(), 4096)
            .read_to_end(&mut again)
            .expect("valid");
        assert_eq!(again, plain);
        again.clear();
        flate2::read::GzDecoder::new(gzip(&plain).expect("gzip").as_slice()).read_to_end(&mut again).expect("valid");
        assert_eq!(again, plain);
    }
}
