//! The workspace's text files, and Rust text without what is not code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::root;

/// Folders that hold nothing of ours. In a worktree of git, `.git` is a file.
const FOREIGN: [&str; 4] = ["target", ".git", "node_modules", "corpus"];

/// One text file of the project.
pub(crate) struct SourceFile {
    /// Its name below the workspace's root, with forward slashes.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is `folder` or inside of it.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it is the module at `stem` (a path without `.rs`) or below it.
    pub(crate) fn is_module(&self, stem: &str) -> bool {
        self.is_in(stem) || self.path.strip_suffix(".rs") == Some(stem)
    }
}

/// Something that a check found wrong.
#[derive(Debug, PartialEq)]
pub(crate) struct Finding {
    /// The file, as [`SourceFile::path`].
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong, and why or what to do.
    pub(crate) what: String,
}

/// Prints what was found.
///
/// # Errors
/// There was something.
pub(crate) fn judge(findings: &[Finding]) -> Result<()> {
    for Finding { path, line, what } in findings {
        println!("{path}:{line}: {what}");
    }
    anyhow::ensure!(findings.is_empty(), "{} found", findings.len());
    Ok(())
}

/// Every text file of the project, in the order of their paths.
pub(crate) fn project_files() -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    collect(root(), "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if FOREIGN.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            // What is not UTF-8 is a picture or a sound.
            files.push(SourceFile { path, text });
        }
    }
    Ok(())
}

/// `text` with comments, and the insides of strings and characters, as blanks. Lines and columns stay.
pub(crate) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_non_code(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment, string or character that starts at `at` ends; `at` itself when none starts there.
fn end_of_non_code(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let inside_word = at > 0 && is_word(chars[at - 1]);
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => quoted(rest, '"'),
        ['r', '"' | '#', ..] if !inside_word => raw_string(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !inside_word => raw_string(rest, 2),
        ['\'', '\\', ..] => quoted(rest, '\''),
        ['\'', _, '\'', ..] => 3,
        _ => 0, // code; a single quote here begins a lifetime
    };
    at + length
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `prefix` characters precede the hashes. Zero for `r#name`, which is code.
fn raw_string(rest: &[char], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return 0;
    }
    let closes =
        |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
    (open + 1..rest.len()).find(closes).map_or(rest.len(), |at| at + 1 + hashes)
}

/// `code` (of [`code_only`]) with everything under `#[cfg(test)]`, or `#[cfg(any(test, ..))]`, as blanks, and the names of the modules that are
/// declared under it and live in files of their own.
pub(crate) fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARKS: [&str; 2] = ["#[cfg(test)]", "#[cfg(any(test,"];
    let (mut kept, mut modules) = (String::with_capacity(code.len()), Vec::new());
    let mut rest = code;
    while let Some(at) = MARKS.iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, item) = rest.split_at(at);
        let end = item_end(item, item.find(']').map_or(item.len(), |at| at + 1));
        let declared = item[..end].strip_suffix(';').and_then(|item| item.rsplit_once("mod "));
        if let Some((_, name)) = declared {
            modules.push(name.trim().to_string());
        }
        kept.push_str(before);
        kept.extend(item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &item[end..];
    }
    kept.push_str(rest);
    (kept, modules)
}

/// Where the item behind the attribute of length `from` ends: at its `;` or at the brace that closes its first one.
fn item_end(item: &str, from: usize) -> usize {
    let mut depth = 0_i32;
    for (at, c) in item.char_indices().skip_while(|(at, _)| *at < from) {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    item.len()
}

/// The modules that exist for tests only, as paths without `.rs`; `rust` holds files with their [`code_only`].
pub(crate) fn test_modules(rust: &[(&SourceFile, String)]) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (file, code) in rust {
        let stem = file.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let home = if matches!(name, "mod" | "lib" | "main") { folder } else { stem };
        modules.extend(without_tests(code).1.iter().map(|module| format!("{home}/{module}")));
    }
    modules
}

/// The words (identifiers and keywords) of `code`, each with its line from 1.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().zip(1..).flat_map(|(text, line)| {
        text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).map(move |word| (line, word))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_become_blanks_and_lines_stay() {
        let text = "a // x\n/* y /* z */\n */ b \"q\\\"\" c r#\"w\"v\"# d b\"u\" 'e' '\\'' f<'g>";
        let code = code_only(text);
        assert_eq!(
            words(&code).collect::<Vec<_>>(),
            [(1, "a"), (3, "b"), (3, "c"), (3, "d"), (3, "b"), (3, "f"), (3, "g")]
        );
        assert_eq!(code.chars().count(), text.chars().count());
    }

    #[test]
    fn raw_identifiers_are_code() {
        assert_eq!(code_only("r#type bar\"x\""), "r#type bar   ");
    }

    #[test]
    fn test_modules_are_cut_out_and_named() {
        let code = "a\n#[cfg(test)]\nmod tests { fn b() {} }\nc\n#[cfg(test)]\npub mod toy;\nd [0; 2]";
        let (kept, modules) = without_tests(code);
        assert_eq!(words(&kept).collect::<Vec<_>>(), [(1, "a"), (4, "c"), (7, "d"), (7, "0"), (7, "2")]);
        assert_eq!(modules, ["toy"]);
    }
}
