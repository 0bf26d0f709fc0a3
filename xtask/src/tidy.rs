//! House rules that no compiler knows: sizes, leftovers, machine paths, and documents that name only what the tree has.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::numbers;
use crate::source::{Finding, SourceFile, code_only, judge, project_files, words};

/// The longest Rust file, in lines: past this, a file holds two ideas.
const FILE_LINES_MAX: usize = 600;
/// The longest function, in lines from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// The page that is the map of the tree.
const MAP: &str = "docs/ARCHITECTURE.md";

/// The page that defines the terms, each with the type or file that carries it.
const GLOSSARY: &str = "docs/GLOSSARY.md";

/// Work that was put off. In two halves, so that this line is none.
const LEFTOVERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\Users"),
];

/// Checks every file of the project.
pub(crate) fn check() -> Result<()> {
    let files = project_files()?;
    let mut found = findings(&files);
    found.extend(numbers::findings(&files));
    judge(&found)
}

fn findings(files: &[SourceFile]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        let mut add = |line, what| {
            found.push(Finding { path: file.path.clone(), line, what });
        };
        if file.path != "Cargo.lock" {
            leftovers(&file.text, &mut add);
        }
        if file.is_rust() {
            let lines = file.text.lines().count();
            if lines > FILE_LINES_MAX {
                add(lines, format!("the file has {lines} lines, more than {FILE_LINES_MAX}: split it by idea"));
            }
            let code = code_only(&file.text);
            for (line, text) in (1..).zip(code.lines()) {
                if text.contains("#[ignore") {
                    add(line, "a test that nobody runs proves nothing: make it pass or remove it".into());
                }
            }
            long_functions(&code, &mut add);
        }
        if file.path == MAP || file.path == GLOSSARY {
            unknown_names(&file.text, files, &mut add);
        }
        if file.path == GLOSSARY {
            undeclared_types(&file.text, files, &mut add);
        }
    }
    found
}

fn leftovers(text: &str, add: &mut impl FnMut(usize, String)) {
    for (line, text) in (1..).zip(text.lines()) {
        for mark in LEFTOVERS {
            if words(text).any(|(_, word)| word == mark) {
                add(line, format!("`{mark}`: finish it or leave it out"));
            }
        }
        for path in MACHINE_PATHS.iter().filter(|path| text.contains(**path)) {
            add(line, format!("`{path}`: this path exists on one machine only"));
        }
    }
}

/// Relies on rustfmt: a function ends at the first line that is its own indentation and a brace.
fn long_functions(code: &str, add: &mut impl FnMut(usize, String)) {
    let lines: Vec<&str> = code.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &&str| line.strip_prefix(indent).is_some_and(|rest| rest.trim_end() == "}");
        let is_declaration = |line: &&str| {
            line.strip_prefix(indent).is_some_and(|rest| !rest.starts_with(' ') && rest.trim_end().ends_with(';'))
        };
        let length = lines[start..].iter().position(|line| ends(line) || is_declaration(line)).map_or(1, |at| at + 1);
        if length > FUNCTION_LINES_MAX && !line.trim_end().ends_with('}') {
            add(start + 1, format!("`{name}` has {length} lines, more than {FUNCTION_LINES_MAX}: split it"));
        }
    }
}

/// The name of the function that `line` begins, if it begins one.
fn function_name(line: &str) -> Option<&str> {
    const BEFORE: [&str; 7] = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern"];
    let mut parts = line.split_whitespace().skip_while(|part| BEFORE.contains(part));
    (parts.next() == Some("fn")).then(|| parts.next()).flatten()?.split(['(', '<']).next()
}

/// Reports what the map puts in backticks and the tree does not have: paths, and names with `::` in them.
fn unknown_names(map: &str, files: &[SourceFile], add: &mut impl FnMut(usize, String)) {
    let known: BTreeSet<&str> =
        files.iter().filter(|file| file.is_rust()).flat_map(|file| words(&file.text)).map(|(_, word)| word).collect();
    let mut in_block = false;
    for (line, text) in (1..).zip(map.lines()) {
        in_block ^= text.starts_with("```");
        if in_block {
            continue;
        }
        for quoted in text.split('`').skip(1).step_by(2) {
            let (path, names) = match quoted.split_once("::") {
                Some((first, names)) if looks_like_a_path(first) => (Some(first), names),
                Some(_) => (None, quoted),
                None if looks_like_a_path(quoted) => (Some(quoted), ""),
                None => continue,
            };
            if let Some(path) = path.filter(|path| !exists(path, files)) {
                add(line, format!("`{path}`: there is no such file or folder"));
            }
            let foreign = ["std", "tokio"].iter().any(|library| names.starts_with(library));
            for (_, name) in words(names).filter(|(_, name)| !foreign && !known.contains(name)) {
                add(line, format!("`{name}` in `{quoted}`: no source names it"));
            }
        }
    }
}

/// Reports the types in the last column of the tables in `glossary` that no source declares.
fn undeclared_types(glossary: &str, files: &[SourceFile], add: &mut impl FnMut(usize, String)) {
    const DECLARING: [&str; 6] = ["struct", "enum", "trait", "type", "const", "union"];
    let mut declared = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let names: Vec<&str> = words(&file.text).map(|(_, word)| word).collect();
        declared.extend(names.windows(2).filter(|pair| DECLARING.contains(&pair[0])).map(|pair| pair[1]));
    }
    for (line, text) in (1..).zip(glossary.lines()) {
        let Some((_, column)) = text.strip_suffix('|').and_then(|row| row.rsplit_once('|')) else {
            continue;
        };
        for quoted in column.split('`').skip(1).step_by(2).filter(|quoted| !looks_like_a_path(quoted)) {
            let name = quoted.split("::").next().unwrap_or_default();
            if !declared.contains(name) {
                add(line, format!("`{name}`: no source declares it: name the type or the file that carries the term"));
            }
        }
    }
}

fn looks_like_a_path(quoted: &str) -> bool {
    const ENDINGS: [&str; 8] = [".rs", ".md", ".toml", ".html", ".css", ".js", ".json", ".lock"];
    let plain = quoted.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
    let route_or_made = quoted.starts_with('/') || quoted.starts_with("target/");
    plain && !route_or_made && (quoted.contains('/') || ENDINGS.iter().any(|ending| quoted.ends_with(ending)))
}

/// Whether some file or folder has this path, or a longer one that ends with it.
fn exists(path: &str, files: &[SourceFile]) -> bool {
    let wanted = format!("/{}/", path.trim_matches('/'));
    files.iter().any(|file| format!("/{}/", file.path).contains(&wanted))
        || crate::workspace::root().join(path).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<(usize, String)> {
        let files = [SourceFile { path: path.into(), text: text.into() }];
        findings(&files).into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    fn lines_found_in(path: &str, text: &str) -> Vec<usize> {
        found_in(path, text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn leftovers_and_machine_paths_are_found_in_any_text() {
        let text = format!("fine\n# {}: later\ncd {}x\n", LEFTOVERS[0], MACHINE_PATHS[0]);
        assert_eq!(lines_found_in("docs/a.md", &text), [2, 3]);
    }

    #[test]
    fn skipped_tests_are_found_and_mere_mentions_are_not() {
        assert_eq!(lines_found_in("a.rs", "// #[ignore]\nconst A: &str = \"#[ignore]\";\n#[ignore]\nfn a() {}\n"), [3]);
    }

    #[test]
    fn a_function_of_71_lines_is_found_and_one_of_70_is_not() {
        let of = |lines: usize| {
            format!("impl A {{\n    pub fn long(\n    ) {{\n{}    }}\n}}\n", "        b();\n".repeat(lines - 3))
        };
        assert_eq!(found_in("a.rs", &of(70)), []);
        assert_eq!(lines_found_in("a.rs", &of(71)), [2]);
    }

    #[test]
    fn a_declaration_without_a_body_has_no_length() {
        let text = format!("trait A {{\n    fn a(\n        &self,\n    );\n{}}}\n", "    fn b(&self);\n".repeat(80));
        assert_eq!(found_in("a.rs", &text), []);
    }

    #[test]
    fn a_file_of_601_lines_is_found() {
        assert_eq!(found_in("a.rs", &"a();\n".repeat(600)), []);
        assert_eq!(lines_found_in("a.rs", &"a();\n".repeat(601)), [601]);
    }

    #[test]
    fn the_map_may_name_only_what_exists() {
        let map =
            "`room/room.rs`, `room/`, `/healthz`, `room.rs::step`\n`gone.rs`\n`Room::stroll`\n```\n`gone.rs`\n```\n";
        let files = [
            SourceFile { path: MAP.into(), text: map.into() },
            SourceFile { path: "server/src/room/room.rs".into(), text: "struct Room; fn step() {}".into() },
        ];
        let found: Vec<_> = findings(&files).into_iter().map(|finding| finding.line).collect();
        assert_eq!(found, [2, 3]);
    }

    #[test]
    fn the_glossary_names_types_that_are_declared_and_files_that_exist() {
        let glossary = "| term | meaning | where |\n|---|---|---|\n| room | of `players` | `Room`, `Room::step`, `room.rs` |\n\
                        | seat | a place | `Seat` |\n| hall | a place | `hall.rs` |\n| step | a tick | `Room::stroll` |\n";
        let files = [
            SourceFile { path: GLOSSARY.into(), text: glossary.into() },
            SourceFile { path: "server/src/room.rs".into(), text: "struct Room; fn step() {} // Seat".into() },
        ];
        let mut found: Vec<_> = findings(&files).into_iter().map(|finding| finding.line).collect();
        found.sort_unstable();
        assert_eq!(found, [4, 5, 6]);
    }
}
