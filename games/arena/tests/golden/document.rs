//! Checks that `docs/PROTOCOL.md` shows what the code does: its examples are the goldens, its tables are generated
//! here.
//!
//! An example is a code block whose first line is three backticks, `hex` and a golden's name. Text after a `#` explains
//! the bytes and is not compared. A table stands between `<!-- table NAME -->` and `<!-- end of table -->`.

use std::path::{Path, PathBuf};

use crate::files::{Bless, hex, unhex, write_whole};
use crate::{all, tables};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PROTOCOL.md")
}

/// The parts of `text` between a line that starts with `open` and the next `close`: the rest of that line, and the
/// part.
fn blocks<'a>(text: &'a str, open: &str, close: &str) -> Vec<(&'a str, std::ops::Range<usize>)> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(&format!("\n{open}")) {
        let title = at + found + 1 + open.len();
        let from = title + text[title..].find('\n').expect("a block has lines") + 1;
        let to = from + text[from..].find(close).unwrap_or_else(|| panic!("no {close:?} after {open:?}"));
        blocks.push((text[title..from].trim(), from..to));
        at = to;
    }
    blocks
}

/// An example with the bytes of its golden; unchanged if their number differs.
fn renewed(example: &str, bytes: &[u8]) -> String {
    if unhex(example).len() != bytes.len() {
        return example.to_owned();
    }
    let mut bytes = bytes.iter();
    let mut out = String::new();
    for line in example.lines() {
        let (code, words) = line.split_at(line.find('#').unwrap_or(line.len()));
        let mut code = code.to_owned();
        let places: Vec<usize> = (0..code.len())
            .filter(|at| !code[*at..].starts_with(' ') && (*at == 0 || code[..*at].ends_with(' ')))
            .collect();
        for (place, byte) in places.into_iter().zip(bytes.by_ref()) {
            code.replace_range(place..place + 2, &format!("{byte:02x}"));
        }
        out.push_str(&code);
        out.push_str(words);
        out.push('\n');
    }
    out
}

/// Puts the generated tables into `text`; describes those that differed.
fn renew_tables(text: &mut String) -> Vec<String> {
    let tables = tables::all();
    let before = text.clone();
    let places = blocks(&before, "<!-- table ", "<!-- end of table -->");
    let mut wrong = Vec::new();
    for (title, range) in places.iter().rev() {
        let name = title.trim_end_matches("-->").trim();
        let (_, table) =
            tables.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no table is generated as {name:?}"));
        if before[range.clone()].trim() != table.trim() {
            text.replace_range(range.clone(), &format!("\n{table}\n"));
            wrong.push(format!("the table {name:?} is\n{table}"));
        }
    }
    assert_eq!(places.len(), tables.len(), "the document has every table once");
    wrong
}

/// Puts the goldens' bytes into the examples in `text`; describes those that differed.
fn renew_examples(text: &mut String) -> Vec<String> {
    let goldens = all();
    let before = text.clone();
    let examples = blocks(&before, "```hex ", "```");
    let mut wrong = Vec::new();
    for (name, range) in examples.iter().rev() {
        let golden = goldens.iter().find(|golden| golden.name == *name);
        let bytes = &golden.unwrap_or_else(|| panic!("the document shows {name:?}, which is not a golden")).bytes;
        let shown = &before[range.clone()];
        if unhex(shown) != *bytes {
            text.replace_range(range.clone(), &renewed(shown, bytes));
            wrong.push(format!("the example {name} is\n{}", hex(bytes)));
        }
    }
    // Goldens without an example are explained by a table or by a similar message.
    for name in [
        "client-hello",
        "client-join",
        "server-joined",
        "input-three",
        "player-state-ship",
        "snapshot-first",
        "snapshot-next",
    ] {
        assert!(examples.iter().any(|(shown, _)| *shown == name), "the document explains {name} by an example");
    }
    wrong
}

#[test]
fn the_document_shows_what_the_code_does() {
    let before = std::fs::read_to_string(path()).expect("docs/PROTOCOL.md exists");
    let mut after = before.clone();
    let mut wrong = renew_tables(&mut after);
    wrong.extend(renew_examples(&mut after));
    if before != after && Bless::from_env() != Bless::Nothing {
        write_whole(&path(), &after);
    }
    assert!(
        wrong.is_empty(),
        "docs/PROTOCOL.md shows something else: explain the change there. BLESS=1 renews tables and examples that kept their \
         length, and fails this once to be looked at.\n\n{}",
        wrong.join("\n\n")
    );
}
