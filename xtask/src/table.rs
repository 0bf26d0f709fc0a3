//! Tables in Markdown.

use std::fmt;

/// A table; every row has as many cells as the head.
pub(crate) struct Table {
    columns: usize,
    lines: Vec<String>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(head: &[&str]) -> Table {
        let rule = format!("|{}", "---|".repeat(head.len()));
        Table { columns: head.len(), lines: vec![format!("| {} |", head.join(" | ")), rule] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.columns, "{cells:?}");
        self.lines.push(format!("| {} |", cells.join(" | ")));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}
