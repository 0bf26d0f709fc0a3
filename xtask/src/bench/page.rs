//! What is measured goes into a page between marks; what people wrote around it stays.

use anyhow::{Context, Result};

/// Puts each text between the marks of its name, `<!-- bench:NAME begin -->` and `<!-- bench:NAME end -->`.
///
/// # Errors
/// The page lacks a mark.
pub(super) fn fill(page: &str, sections: &[(&str, String)]) -> Result<String> {
    let mut page = page.to_owned();
    for (name, text) in sections {
        let (begin, end) = (format!("<!-- bench:{name} begin -->"), format!("<!-- bench:{name} end -->"));
        let missing = || format!("docs/BENCHMARKS.md needs the lines `{begin}` and `{end}`, in this order");
        let from = page.find(&begin).with_context(missing)? + begin.len();
        let to = from + page[from..].find(&end).with_context(missing)?;
        page.replace_range(from..to, &format!("\n{}\n", text.trim()));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_between_the_marks_is_replaced_and_nothing_else() {
        let page = "a\n<!-- bench:x begin -->\nold\n<!-- bench:x end -->\nb\n";
        let filled = fill(page, &[("x", "new".to_owned())]).expect("the marks are there");
        assert_eq!(filled, "a\n<!-- bench:x begin -->\nnew\n<!-- bench:x end -->\nb\n");
        assert_eq!(fill(&filled, &[("x", "new".to_owned())]).expect("still there"), filled);
    }

    #[test]
    fn a_missing_mark_is_named() {
        let refusal = fill("<!-- bench:y begin -->", &[("y", String::new())]).expect_err("no end").to_string();
        assert!(refusal.contains("bench:y end"), "{refusal}");
    }
}
