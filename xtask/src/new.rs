//! `cargo xtask new ../my-game`: a workspace for a game of its own, copied from `xtask/template/`.
//!
//! The template is a workspace that works where it is. In the copy its name, and the way to Broadside, are others.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::files::files;
use crate::workspace::broadside;

/// The name of the template's game, as a package and as a crate.
const PACKAGE: &str = "my-game";
const CRATE: &str = "my_game";
/// How the template's manifest begins the way to a package of Broadside.
const PATH: &str = "path = \"../../";
/// Longest name of a game.
const NAME_MAX: usize = 32;
/// Names that no package of a workspace can have: Rust's words, its libraries, and the program of the commands.
const TAKEN: [&str; 46] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "std", "struct",
    "test", "trait", "type", "use", "xtask",
];

/// Arguments of `cargo xtask new`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder to make; its name becomes the game's.
    folder: PathBuf,
    /// Depend on Broadside in this repository instead of the folder of this one.
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

/// Writes the workspace, and says how to go on.
pub(crate) fn new(args: &Args) -> Result<()> {
    write(&args.folder, args.git.as_deref())?;
    println!("made {}; go there and type `cargo xtask play`", args.folder.display());
    Ok(())
}

/// Writes the workspace.
pub(crate) fn write(folder: &Path, git: Option<&str>) -> Result<()> {
    let folder = std::path::absolute(folder)?;
    let name = name_of(&folder)?;
    if folder.exists() {
        let is_empty = fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
        ensure!(is_empty, "{}: is there already, and not an empty folder: name another", folder.display());
    }
    let source = match git {
        Some(url) => Source::Git(url),
        None => Source::Folder(way(&folder, broadside())),
    };
    let template = broadside().join("xtask/template");
    for file in files(&template)? {
        let path = file.strip_prefix(&template)?;
        // What cargo makes when someone works on the template itself.
        if path.starts_with("target") || path == Path::new("Cargo.lock") {
            continue;
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        put(&folder.join(path), &source.apply(&text).replace(PACKAGE, &name).replace(CRATE, &name.replace('-', "_")))?;
    }
    // The versions that Broadside is tested with; cargo leaves out what the game does not use.
    put(&folder.join("Cargo.lock"), &fs::read_to_string(broadside().join("Cargo.lock"))?)
}

fn put(file: &Path, text: &str) -> Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    fs::create_dir_all(file.parent().unwrap_or(file)).with_context(cannot)?;
    fs::write(file, text).with_context(cannot)
}

/// Where Broadside's packages are.
enum Source<'a> {
    Git(&'a str),
    Folder(PathBuf),
}

impl Source<'_> {
    fn apply(&self, manifest: &str) -> String {
        let line = |line: &str| match (line.split_once(PATH), self) {
            (None, _) => line.to_owned(),
            (Some((before, rest)), Source::Folder(folder)) => {
                let (package, after) = rest.split_once('"').unwrap_or((rest, ""));
                // As Rust writes a string, TOML reads it.
                format!("{before}path = {:?}{after}", folder.join(package).to_string_lossy().replace('\\', "/"))
            }
            (Some((before, rest)), Source::Git(url)) => {
                let after = rest.split_once('"').map_or("", |(_, after)| after);
                format!("{before}git = {url:?}{after}")
            }
        };
        manifest.lines().map(|text| line(text) + "\n").collect()
    }
}

/// The name of a game in this folder.
fn name_of(folder: &Path) -> Result<String> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let is_joined = !name.ends_with('-') && !name.contains("--");
    ensure!(
        is_plain && is_joined && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= NAME_MAX,
        "{name:?} cannot be the name of a game: a letter, then lower-case letters, digits and single hyphens, at most {NAME_MAX} in all, such as my-game"
    );
    if TAKEN.contains(&name.as_str()) || dependencies()?.contains(&name) {
        bail!("{name:?} cannot be the name of a game: Rust or a library has it; another folder name is another name");
    }
    Ok(name)
}

/// What the template's packages depend on.
fn dependencies() -> Result<Vec<String>> {
    let manifest = fs::read_to_string(broadside().join("xtask/template/Cargo.toml"))?;
    let names = manifest.lines().filter_map(|line| line.split_once(" = {"));
    Ok(names.map(|(name, _)| name.to_owned()).filter(|name| name != PACKAGE).collect())
}

/// The way from one folder to another: relative, unless they have nothing in common.
fn way(from: &Path, to: &Path) -> PathBuf {
    let (from, to) = (real(from), real(to));
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return to;
    }
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

/// `folder` without links, as far as it exists.
fn real(folder: &Path) -> PathBuf {
    match (folder.canonicalize(), folder.parent(), folder.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (Err(_), ..) => folder.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_package_can_have_is_refused_in_one_line() {
        let long = "a".repeat(NAME_MAX + 1);
        for name in [
            "",
            "My-Game",
            "4x",
            "-a",
            "a-",
            "a--b",
            "a b",
            "\u{e9}t\u{e9}",
            "match",
            "xtask",
            "glam",
            "broadside-server",
            &long,
        ] {
            let refusal = name_of(&Path::new("/games").join(name)).err().map(|error| error.to_string());
            // Without a name of its own, the folder is `games`.
            assert!(
                name.is_empty() || refusal.is_some_and(|why| why.lines().count() == 1 && why.contains(name)),
                "{name}"
            );
        }
        for name in ["a", "my-game", "star2"] {
            assert_eq!(name_of(&Path::new("/games").join(name)).ok().as_deref(), Some(name));
        }
    }

    #[test]
    fn broadside_is_where_the_manifest_says() {
        let manifest = "a = { path = \"game\" }\nb = { path = \"../../bots\", default-features = false }\n";
        let folder = Source::Folder("../x".into()).apply(manifest);
        assert_eq!(folder, manifest.replace("../../bots", "../x/bots"));
        let git = Source::Git("https://example.org/b").apply(manifest);
        assert_eq!(git, manifest.replace("path = \"../../bots\"", "git = \"https://example.org/b\""));
    }

    #[test]
    fn a_workspace_is_written_once_and_names_itself() {
        let folder = std::env::temp_dir().join(format!("broadside-new-{}", std::process::id())).join("two-dots");
        write(&folder, None).expect("an empty place");
        let read = |path: &str| fs::read_to_string(folder.join(path)).expect("a file of the template");
        assert!(read("server/src/main.rs").contains("two_dots::"));
        assert!(read("game/Cargo.toml").contains("name = \"two-dots\""));
        let manifest = read("Cargo.toml");
        let shared = manifest.lines().find_map(|line| line.strip_prefix("broadside-shared = { path = \""));
        let way = shared.and_then(|rest| rest.split_once('"')).expect("a path").0;
        assert!(folder.join(way).join("Cargo.toml").is_file(), "{way}");
        assert!(files(&folder).expect("readable").iter().all(|file| {
            let text = fs::read_to_string(file).expect("text");
            !text.contains(PACKAGE) && !text.contains(CRATE)
        }));
        let again = write(&folder, None).expect_err("a folder with files").to_string();
        assert!(again.contains("not an empty folder"), "{again}");
        fs::remove_dir_all(folder.parent().expect("the folder of this test")).expect("the folder of this test");
    }
}
