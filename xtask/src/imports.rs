//! What the files of a crate import from each other, read from their text: `use` declarations and paths in the code.
//!
//! Sees paths that start with `crate`, `self`, `super` or the name of a child module. Absent on purpose: names that a macro puts
//! together, and re-exports, which count as imports of the file that re-exports.

use std::collections::BTreeMap;

use crate::source::{SourceFile, code_only, test_modules, without_tests};

/// The path of a module below its crate's root: `["net", "conn"]`; empty for the root itself.
pub(crate) type ModulePath = Vec<String>;

/// The first part of a path that begins in another crate.
const FOREIGN: &str = "::";

/// One import, within one crate, of something that another file declares.
#[derive(Debug, PartialEq)]
pub(crate) struct Import {
    pub(crate) from: ModulePath,
    /// The module whose file declares what is imported.
    pub(crate) to: ModulePath,
    /// The line in the importing file, from 1.
    pub(crate) line: usize,
}

/// The modules of one crate that have files of their own, without those for tests, and the imports between them.
pub(crate) struct CrateImports {
    /// The path of each module's file.
    pub(crate) files: BTreeMap<ModulePath, String>,
    pub(crate) imports: Vec<Import>,
}

/// Reads the crate whose root file is in `folder`, without the programs in `folder/bin`.
pub(crate) fn of_crate(folder: &str, files: &[SourceFile]) -> CrateImports {
    let programs = format!("{folder}/bin");
    let in_crate = |file: &&SourceFile| file.is_rust() && file.is_in(folder) && !file.is_in(&programs);
    let codes: Vec<_> = files.iter().filter(in_crate).map(|file| (file, code_only(&file.text))).collect();
    let tests = test_modules(&codes);
    let main = format!("{folder}/main.rs");
    let has_library = codes.iter().any(|(file, _)| file.path == format!("{folder}/lib.rs"));
    let product: BTreeMap<ModulePath, (&SourceFile, String)> = codes
        .iter()
        .filter(|(file, _)| !tests.iter().any(|test| file.is_module(test)))
        // Beside `lib.rs`, `main.rs` is a crate of its own with a single file.
        .filter(|(file, _)| file.path != main || !has_library)
        .map(|(file, code)| (module_path(&file.path[folder.len() + 1..]), (*file, without_tests(code).0)))
        .collect();
    let modules: BTreeMap<ModulePath, String> =
        product.iter().map(|(path, (file, _))| (path.clone(), file.path.clone())).collect();
    let mut imports = Vec::new();
    for (from, (_, code)) in &product {
        for (line, path) in paths(code, from, &modules) {
            let to = home(&path, &modules);
            if to != *from {
                imports.push(Import { from: from.clone(), to, line });
            }
        }
    }
    CrateImports { files: modules, imports }
}

fn module_path(file: &str) -> ModulePath {
    let mut path: ModulePath = file.trim_end_matches(".rs").split('/').map(str::to_string).collect();
    if path.last().is_some_and(|name| matches!(name.as_str(), "mod" | "lib" | "main")) {
        path.pop();
    }
    path
}

/// The module whose file holds what is at `path`: its longest beginning that has a file.
fn home(path: &[String], modules: &BTreeMap<ModulePath, String>) -> ModulePath {
    let known = (0..=path.len()).rev().find(|&length| modules.contains_key(&path[..length]));
    path[..known.unwrap_or(0)].to_vec()
}

/// The paths in `code`, which is the module `own`, that begin in this crate: each from the crate's root, with its line.
fn paths(code: &str, own: &[String], modules: &BTreeMap<ModulePath, String>) -> Vec<(usize, ModulePath)> {
    let mut reader = Reader { tokens: tokens(code), at: 0, own: own.to_vec(), modules, found: Vec::new() };
    let mut inline: Vec<usize> = Vec::new(); // the depths at which inline modules end
    let mut depth = 0;
    while let Some(&(_, token)) = reader.tokens.get(reader.at) {
        match token {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    reader.own.pop();
                }
            }
            "mod" if reader.token(2) == "{" => {
                reader.own.push(reader.token(1).to_string());
                inline.push(depth);
                reader.at += 1;
            }
            "use" if reader.token(1) != "<" => {
                reader.at += 1;
                reader.tree(None);
                continue;
            }
            _ if reader.token(1) == "::" && !reader.follows_a_path() => {
                if let Some(mut path) = reader.start(token) {
                    let line = reader.tokens[reader.at].0;
                    while reader.token(1) == "::" && is_name(reader.token(2)) {
                        reader.at += 2;
                        reader.extend(&mut path);
                    }
                    reader.found.push((line, path));
                }
            }
            _ => {}
        }
        reader.at += 1;
    }
    reader.found
}

struct Reader<'a> {
    tokens: Vec<(usize, &'a str)>,
    at: usize,
    own: ModulePath,
    modules: &'a BTreeMap<ModulePath, String>,
    found: Vec<(usize, ModulePath)>,
}

impl<'a> Reader<'a> {
    /// The token `ahead` of the current one; empty past the end.
    fn token(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).map_or("", |&(_, token)| token)
    }

    fn follows_a_path(&self) -> bool {
        self.at > 0 && matches!(self.tokens[self.at - 1].1, "::" | ".")
    }

    /// Where a path begins that starts with `name`; none if it begins in another crate.
    fn start(&self, name: &str) -> Option<ModulePath> {
        let child = || [self.own.as_slice(), &[name.to_string()]].concat();
        match name {
            "crate" => Some(Vec::new()),
            "self" => Some(self.own.clone()),
            "super" => Some(self.own[..self.own.len().saturating_sub(1)].to_vec()),
            _ => Some(child()).filter(|path| self.modules.contains_key(path)),
        }
    }

    /// Adds the current token to `path`.
    fn extend(&self, path: &mut ModulePath) {
        match self.token(0) {
            "super" => _ = path.pop(),
            "self" | "_" => {}
            name => path.push(name.to_string()),
        }
    }

    /// Reads a tree of imports up to what ends it: `;`, or `,` or `}` inside braces. `path` is what precedes the tree.
    fn tree(&mut self, mut path: Option<ModulePath>) {
        let line = self.tokens.get(self.at).map_or(0, |&(line, _)| line);
        loop {
            match (self.token(0), &mut path) {
                ("" | ";" | "," | "}", _) => break,
                ("{", _) => {
                    self.at += 1;
                    while !matches!(self.token(0), "" | "}") {
                        self.tree(path.clone());
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                ("as", _) => self.at += 1,
                ("*", _) | ("::", Some(_)) => {}
                ("::", None) => path = Some(vec![FOREIGN.into()]),
                (_, Some(path)) => self.extend(path),
                (name, None) => path = Some(self.start(name).unwrap_or_else(|| vec![FOREIGN.into()])),
            }
            self.at += 1;
        }
        if let Some(path) = path.filter(|path| path.first().is_none_or(|first| first != FOREIGN)) {
            self.found.push((line, path));
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and every other character that is not blank, each with its line from 1.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (line, text) in (1..).zip(code.lines()) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push((line, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every import of the crate in `a/src`, as "from -> to: line".
    fn imports(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| SourceFile { path: format!("a/src/{path}"), text: (*text).to_string() })
            .collect();
        let shown = |path: &ModulePath| if path.is_empty() { "root".into() } else { path.join("::") };
        let imports = of_crate("a/src", &files).imports;
        imports
            .iter()
            .map(|import| format!("{} -> {}: {}", shown(&import.from), shown(&import.to), import.line))
            .collect()
    }

    #[test]
    fn trees_of_imports_are_taken_apart_and_other_crates_left_out() {
        let text = "use std::{fs, net::TcpStream};\nuse crate::{\n    low::{self, deep::{Thing, *}},\n    Root as Base,\n};\n\
                    use ::low::Foreign;\nfn f(g: impl Sized + use<'_>) {}\nuse low::Foreign as L;";
        let files = [("lib.rs", ""), ("high.rs", text), ("low/mod.rs", ""), ("low/deep.rs", "")];
        let expected = ["high -> low: 3", "high -> low::deep: 3", "high -> low::deep: 3", "high -> root: 4"];
        assert_eq!(imports(&files), expected);
    }

    #[test]
    fn paths_in_code_count_from_where_they_stand() {
        let text = "// crate::b::C\nfn f(x: super::Up) -> crate::b::C { deep::g(); x.deep::<u8>() }\n\
                    mod inner { use super::super::b; use super::deep; }\nuse super::super::b::D;";
        let files = [("lib.rs", ""), ("b.rs", ""), ("a/mod.rs", ""), ("a/c.rs", text), ("a/c/deep.rs", "")];
        let expected = [
            "a::c -> a: 2",
            "a::c -> b: 2",
            "a::c -> a::c::deep: 2",
            "a::c -> a: 3",
            "a::c -> a::c::deep: 3",
            "a::c -> b: 4",
        ];
        assert_eq!(imports(&files), expected);
    }

    #[test]
    fn tests_and_programs_import_what_they_like() {
        let files = [
            ("lib.rs", "#[cfg(test)]\nmod scene;"),
            ("scene.rs", "use crate::b::C;"),
            ("b.rs", "#[cfg(test)]\nmod tests { use crate::d::E; }"),
            ("d.rs", ""),
            ("bin/tool.rs", "use crate::b::C;"),
            ("main.rs", "use crate::b::C;"),
        ];
        assert_eq!(imports(&files), Vec::<String>::new());
    }
}
