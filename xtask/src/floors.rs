//! Imports point one way: modules stand on floors, and import only from lower ones.
//!
//! The tables in `docs/ARCHITECTURE.md` say what each top-level module of a crate may import, ground floor first. A row may name only
//! rows before it, so a cycle of modules cannot be written down. Below the top level, no two files may import each other, directly or
//! through others. `BLESS=1` rewrites the tables from the imports there are; arrows that would point up stay out and are reported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;

use anyhow::{Context, Result};

use crate::imports::{CrateImports, Import, ModulePath, of_crate};
use crate::source::{Finding, SourceFile, judge, project_files};
use crate::workspace::root;

const DOCUMENT: &str = "docs/ARCHITECTURE.md";
/// The crates with a table: its name in the document, and the folder of the crate's root file.
const TABLES: [(&str, &str); 4] =
    [("shared", "shared/src"), ("store", "store/src"), ("core", "server/core/src"), ("server", "server/src")];
/// Crates without a table, whose files may not import each other in a cycle either.
const OTHERS: [&str; 2] = ["bots/src", "xtask/src"];
/// Imports, each from a file and of one, that close a cycle. The list may only shrink: an entry that is not needed fails the check.
const KNOWN_CYCLES: &[(&str, &str)] = &[];

pub(crate) fn check() -> Result<()> {
    let mut files = project_files()?;
    if std::env::var_os("BLESS").is_some() {
        renew_tables(&mut files)?;
    }
    judge(&findings(&files, KNOWN_CYCLES))
}

fn findings(files: &[SourceFile], known: &[(&str, &str)]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut needed = BTreeSet::new();
    for (name, folder) in TABLES.into_iter().chain(OTHERS.map(|folder| ("", folder))) {
        let read = of_crate(folder, files);
        if !name.is_empty() && !read.files.is_empty() {
            match files.iter().find(|file| file.path == DOCUMENT).and_then(|file| Table::read(name, &file.text)) {
                Some(table) => against_table(&table, &read, &mut found),
                None => found.push(Finding {
                    path: DOCUMENT.into(),
                    line: 1,
                    what: format!("no table of imports between `{}` and `{TABLE_END}`", table_start(name)),
                }),
            }
        }
        cycles(&read, !name.is_empty(), known, &mut needed, &mut found);
    }
    let stale = known.iter().enumerate().filter(|(number, _)| !needed.contains(number));
    found.extend(stale.map(|(_, (from, to))| Finding {
        path: "xtask/src/floors.rs".into(),
        line: 1,
        what: format!("`{from}` -> `{to}` closes no cycle: remove it from KNOWN_CYCLES"),
    }));
    found
}

const TABLE_END: &str = "<!-- /floors -->";

fn table_start(name: &str) -> String {
    format!("<!-- floors:{name} -->")
}

/// A table of allowed imports.
struct Table {
    rows: Vec<Row>,
    /// Where its text stands in the document, between the markers.
    span: Range<usize>,
}

struct Row {
    line: usize,
    module: String,
    imports: Vec<String>,
}

impl Table {
    fn read(name: &str, document: &str) -> Option<Self> {
        let marker = table_start(name);
        let start = document.find(&marker)? + marker.len();
        let end = start + document[start..].find(TABLE_END)?;
        let first_line = document[..start].lines().count();
        let rows = (first_line..).zip(document[start..end].lines()).filter_map(|(line, text)| {
            let (module, imports) = text.strip_prefix('|')?.split_once('|')?;
            let in_backticks = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
            Some(Row { line, module: in_backticks(module).pop()?, imports: in_backticks(imports) })
        });
        Some(Self { rows: rows.collect(), span: start..end })
    }
}

/// The top-level module of each non-root module on either side, where they differ.
fn arrow(import: &Import) -> Option<(&str, &str)> {
    let (from, to) = (import.from.first()?, import.to.first()?);
    (from != to).then_some((from.as_str(), to.as_str()))
}

fn against_table(table: &Table, read: &CrateImports, found: &mut Vec<Finding>) {
    let used: BTreeSet<(&str, &str)> = read.imports.iter().filter_map(arrow).collect();
    let modules: BTreeSet<&str> = read.files.keys().filter_map(|path| path.first()).map(String::as_str).collect();
    let mut lower: Vec<&str> = Vec::new();
    for Row { line, module, imports } in &table.rows {
        let mut add = |what| found.push(Finding { path: DOCUMENT.into(), line: *line, what });
        if !modules.contains(module.as_str()) {
            add(format!("`{module}`: there is no such module: remove the row"));
        }
        if lower.contains(&module.as_str()) {
            add(format!("`{module}` has two rows: join them"));
        }
        for import in imports {
            if !lower.contains(&import.as_str()) {
                add(format!("`{module}` -> `{import}` does not point down: only rows above this one may stand here"));
            } else if !used.contains(&(module, import)) {
                add(format!("`{module}` -> `{import}` is allowed, and nothing uses it: remove it from the row"));
            }
        }
        lower.push(module);
    }
    for path in read.files.keys().filter(|path| path.len() == 1 && !lower.contains(&path[0].as_str())) {
        let what =
            format!("`{}` has no row in the table of {DOCUMENT}: add one, on the lowest floor that fits", path[0]);
        found.push(Finding { path: read.files[path].clone(), line: 1, what });
    }
    let allowed: BTreeSet<(&str, &str)> = table
        .rows
        .iter()
        .flat_map(|row| row.imports.iter().map(|import| (row.module.as_str(), import.as_str())))
        .collect();
    for import in &read.imports {
        if let Some((from, to)) = arrow(import).filter(|arrow| !allowed.contains(arrow)) {
            let floor = |module| table.rows.iter().position(|row| row.module == module);
            let way_out = if floor(from) > floor(to) {
                format!("if it should, add it to the row of `{from}` in {DOCUMENT} (BLESS=1 does)")
            } else {
                format!("move what it needs to a lower floor, or have `{to}` or the crate's root pass it in")
            };
            let what = format!("`{from}` may not import `{to}`: {way_out}");
            found.push(Finding { path: read.files[&import.from].clone(), line: import.line, what });
        }
    }
}

/// Reports imports between files that lead back to the importing file. Without the imports in `known` there may be no such cycle.
fn cycles(
    read: &CrateImports,
    has_table: bool,
    known: &[(&str, &str)],
    needed: &mut BTreeSet<usize>,
    found: &mut Vec<Finding>,
) {
    // A table keeps cycles out of the top level, so a cycle is within one top-level module. A file may use the module that it is a part
    // of: parts of one type's implementation do.
    let is_own_module = |import: &Import| import.from.starts_with(&import.to);
    let imports: Vec<&Import> = read
        .imports
        .iter()
        .filter(|import| !has_table || import.from.first() == import.to.first())
        .filter(|import| !is_own_module(import))
        .collect();
    let file = |module: &ModulePath| read.files[module].as_str();
    let number =
        |import: &Import| known.iter().position(|&(from, to)| from == file(&import.from) && to == file(&import.to));
    let graph = graph(imports.iter().copied().filter(|import| number(import).is_none()));
    let mut reported = BTreeSet::new();
    for import in imports.into_iter().filter(|import| leads_back(import, &graph)) {
        if let Some(number) = number(import) {
            needed.insert(number);
        } else if reported.insert((&import.from, &import.to)) {
            let what = format!(
                "imports `{}`, which leads back here: move what both need to a file below them",
                file(&import.to)
            );
            found.push(Finding { path: file(&import.from).into(), line: import.line, what });
        }
    }
}

/// What each module imports.
type Graph<'a> = BTreeMap<&'a ModulePath, BTreeSet<&'a ModulePath>>;

fn graph<'a>(imports: impl Iterator<Item = &'a Import>) -> Graph<'a> {
    let mut graph = Graph::new();
    for Import { from, to, .. } in imports {
        graph.entry(from).or_default().insert(to);
    }
    graph
}

/// Whether what `import` imports needs the importing file, directly or through others.
fn leads_back(import: &Import, graph: &Graph<'_>) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![&import.to]);
    while let Some(module) = open.pop() {
        if *module == import.from {
            return true;
        }
        if seen.insert(module) {
            open.extend(graph.get(module).into_iter().flatten());
        }
    }
    false
}

/// Rewrites each table from the imports there are. Rows keep their order where the imports permit it.
fn renew_tables(files: &mut [SourceFile]) -> Result<()> {
    for (name, folder) in TABLES {
        let read = of_crate(folder, files);
        let document = files.iter_mut().find(|file| file.path == DOCUMENT).context("the document is missing")?;
        let table = Table::read(name, &document.text)
            .with_context(|| format!("{DOCUMENT}: no table between `{}` and `{TABLE_END}`", table_start(name)))?;
        let before: Vec<&str> = table.rows.iter().map(|row| row.module.as_str()).collect();
        document.text.replace_range(table.span, &renewed(&before, &read));
        fs::write(root().join(DOCUMENT), &document.text)?;
    }
    Ok(())
}

/// The text of the table for `read`, in the order `before` as far as it has the modules and their imports point up in it.
fn renewed(before: &[&str], read: &CrateImports) -> String {
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for module in read.files.keys().filter_map(|path| path.first()) {
        imports.entry(module).or_default();
    }
    for (from, to) in read.imports.iter().filter_map(arrow) {
        imports.entry(from).or_default().insert(to);
    }
    let mut left: Vec<&str> = before.iter().copied().filter(|module| imports.contains_key(module)).collect();
    left.extend(imports.keys().filter(|module| !before.contains(module)));
    let (mut lower, mut text) = (Vec::new(), String::from("\n| module | may import |\n|---|---|\n"));
    while !left.is_empty() {
        // None fits in a cycle: the first one then does without the arrows that point up, and these are reported.
        let fits = left.iter().position(|module| imports[module].iter().all(|import| lower.contains(import)));
        let module = left.remove(fits.unwrap_or(0));
        let allowed = lower.iter().filter(|lower| imports[module].contains(*lower));
        let allowed: Vec<_> = allowed.map(|module| format!("`{module}`")).collect();
        text.push_str(format!("| `{module}` | {} |", allowed.join(", ")).replace("|  |", "| |").as_str());
        text.push('\n');
        lower.push(module);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(table: &str, sources: &[(&str, &str)], known: &[(&str, &str)]) -> Vec<(String, usize, String)> {
        let document = format!("{}\n{table}\n{TABLE_END}\n", table_start("core"));
        let mut files = vec![SourceFile { path: DOCUMENT.into(), text: document }];
        let source = |(path, text): &(&str, &str)| SourceFile {
            path: format!("server/core/src/{path}"),
            text: (*text).to_string(),
        };
        files.extend(sources.iter().map(source));
        let short = |path: String| path.rsplit('/').next().unwrap_or_default().to_string();
        findings(&files, known).into_iter().map(|found| (short(found.path), found.line, found.what)).collect()
    }

    #[test]
    fn imports_point_down_and_the_table_allows_no_more_than_is_used() {
        let files =
            [("lib.rs", "use high::A;"), ("low.rs", "\nuse crate::high::A;"), ("high.rs", "use super::low::B;")];
        let places = |table: &str| {
            found(table, &files, &[]).into_iter().map(|(path, line, _)| format!("{path}:{line}")).collect::<Vec<_>>()
        };
        assert_eq!(places("| `low` | |\n| `high` | `low` |"), ["low.rs:2"]);
        assert_eq!(places("| `low` | `high` |\n| `high` | `low` |"), ["ARCHITECTURE.md:2"]);
        assert_eq!(places("| `high` | |\n| `low` | `high` |"), ["high.rs:1"]);
        assert_eq!(
            places("| `low` | |\n| `gone` | |\n| `high` | `low`, `gone` |"),
            ["ARCHITECTURE.md:3", "ARCHITECTURE.md:4", "low.rs:2"]
        );
        assert_eq!(places("| `low` | |"), ["high.rs:1", "high.rs:1", "low.rs:2"]);
    }

    #[test]
    fn files_import_each_other_in_no_cycle_but_the_known_ones() {
        let files = [
            ("a/mod.rs", "pub use b::B;"),
            ("a/b.rs", "use super::A;\nuse super::c::C;"),
            ("a/c.rs", "fn c(_: super::d::D) {}"),
            ("a/d.rs", "\nuse crate::a::b::B;"),
        ];
        let in_core = |path: &str| format!("server/core/src/a/{path}");
        let (first, last) = (in_core("b.rs"), in_core("d.rs"));
        let closing: &[(&str, &str)] = &[(&last, &first)];
        assert_eq!(found("| `a` | |", &files, &[]).len(), 3);
        assert_eq!(found("| `a` | |", &files[..3], &[]), [], "a file may use the module that it is a part of");
        assert_eq!(found("| `a` | |", &files, closing), []);
        assert_eq!(found("| `a` | |", &files[..3], closing)[0].0, "floors.rs", "the list only shrinks");
    }

    #[test]
    fn a_renewed_table_keeps_its_order_and_leaves_out_what_points_up() {
        let text = |path: &str, text: &str| SourceFile { path: format!("a/{path}"), text: text.to_string() };
        let files = [
            text("lib.rs", ""),
            text("b.rs", "use crate::c::C;"),
            text("c.rs", ""),
            text("d.rs", "use crate::e::E;"),
            text("e.rs", "use crate::d::D;"),
        ];
        let rows = renewed(&["e", "b", "gone"], &of_crate("a", &files));
        let rows: Vec<_> = rows.lines().skip(3).collect();
        assert_eq!(rows, ["| `c` | |", "| `b` | `c` |", "| `e` | |", "| `d` | `e` |"]);
    }
}
