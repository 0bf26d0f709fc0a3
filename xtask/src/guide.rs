//! The code of `docs/YOUR-GAME.md`: each of its diffs is applied to the workspace that `cargo xtask new` wrote, which is then compiled.
//!
//! A block starts with ```` ```diff FILE ````. Its hunks are separated by lines of `@@`; they have no line numbers, so what a hunk
//! keeps and removes must be in the file exactly once.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// A file of a step, with its hunks as pairs of what is there before and after.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    /// The heading of the step.
    step: String,
    file: String,
    hunks: Vec<(String, String)>,
}

/// Applies the guide's steps in order to a game called `name`; `check` is called after each step with its heading.
pub(crate) fn apply(guide: &str, folder: &Path, name: &str, mut check: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let text = guide.replace("my-game", name).replace("my_game", &name.replace('-', "_"));
    let changes = changes(&text)?;
    ensure!(!changes.is_empty(), "the guide has no diff");
    for (at, change) in changes.iter().enumerate() {
        let path = folder.join(&change.file);
        let mut source = fs::read_to_string(&path).with_context(|| format!("{}: {}", change.step, change.file))?;
        for hunk in &change.hunks {
            source = replaced(&source, hunk).with_context(|| format!("{}: {}", change.step, change.file))?;
        }
        fs::write(&path, source).with_context(|| format!("{}: {}", change.step, change.file))?;
        if changes.get(at + 1).is_none_or(|next| next.step != change.step) {
            check(&change.step)?;
        }
    }
    Ok(())
}

fn changes(text: &str) -> Result<Vec<Change>> {
    let (mut changes, mut step) = (Vec::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut step);
        }
        let Some(file) = line.strip_prefix("```diff ") else { continue };
        let mut hunks = vec![(String::new(), String::new())];
        for line in lines.by_ref().take_while(|line| *line != "```") {
            let (before, after) = hunks.last_mut().context("there is always one")?;
            match line.split_at_checked(1) {
                _ if line == "@@" => hunks.push((String::new(), String::new())),
                Some(("-", rest)) => add_line(before, rest),
                Some(("+", rest)) => add_line(after, rest),
                Some((" ", rest)) => {
                    add_line(before, rest);
                    add_line(after, rest);
                }
                None => {
                    add_line(before, "");
                    add_line(after, "");
                }
                Some(_) => anyhow::bail!("{step}: {file}: a line of a diff starts with a space, + or -: {line}"),
            }
        }
        changes.push(Change { step: step.clone(), file: file.to_owned(), hunks });
    }
    Ok(changes)
}

fn add_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn replaced(source: &str, (before, after): &(String, String)) -> Result<String> {
    let count = source.matches(before.as_str()).count();
    ensure!(!before.is_empty() && count == 1, "a hunk must be found once, and is found {count} times:\n{before}");
    Ok(source.replacen(before.as_str(), after, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str =
        "# T\n\n## 1. One\n\n```diff a.rs\n fn a() {\n-    1\n+    2\n }\n@@\n+// my_game\n fn b() {}\n```\n";

    #[test]
    fn hunks_are_read_with_their_step_and_file() {
        let hunk = |before: &str, after: &str| (before.to_owned(), after.to_owned());
        let hunks =
            vec![hunk("fn a() {\n    1\n}\n", "fn a() {\n    2\n}\n"), hunk("fn b() {}\n", "// my_game\nfn b() {}\n")];
        let change = Change { step: "1. One".to_owned(), file: "a.rs".to_owned(), hunks };
        assert_eq!(changes(GUIDE).expect("a guide"), [change]);
        assert!(changes("```diff a.rs\nnothing\n```\n").is_err());
    }

    #[test]
    fn a_hunk_that_is_not_there_exactly_once_is_refused() {
        let hunk = ("x\n".to_owned(), "y\n".to_owned());
        assert_eq!(replaced("a\nx\nb\n", &hunk).expect("once"), "a\ny\nb\n");
        assert!(replaced("a\nb\n", &hunk).is_err());
        assert!(replaced("x\nx\n", &hunk).is_err());
    }
}
