//! Conditional requests (RFC 9110, section 13): who has a file already does not get it again.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};

/// What a condition comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Send it.
    Send,
    /// The client has it, under this tag of ours.
    Unchanged(&'a str),
    /// It is not what the client wants it to be.
    Failed,
}

/// Judges the conditions of a GET or HEAD. `tag` is that of what would be sent; `all` are those of every coding of it, which are the
/// same to whoever has one of them. Tags are without their quotes.
#[must_use]
pub fn judge<'a>(headers: &HeaderMap, tag: &'a str, all: &[&'a str]) -> Verdict<'a> {
    if headers.contains_key(IF_MATCH) && !tags(headers, &IF_MATCH).any(|asked| asked.is_strongly(tag)) {
        return Verdict::Failed;
    }
    let matching = |asked: Asked<'_>| std::iter::once(&tag).chain(all).find(|tag| asked.is_weakly(tag)).copied();
    tags(headers, &IF_NONE_MATCH).find_map(matching).map_or(Verdict::Send, Verdict::Unchanged)
}

/// An element of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked<'a> {
    /// Whatever there is.
    Any,
    /// What stands between the quotes.
    Strong(&'a str),
    /// The same behind `W/`.
    Weak(&'a str),
}

impl Asked<'_> {
    /// The comparison for `If-Match`: the same bytes.
    fn is_strongly(self, tag: &str) -> bool {
        match self {
            Asked::Any => true,
            Asked::Strong(asked) => asked == tag,
            Asked::Weak(_) => false,
        }
    }

    /// The comparison for `If-None-Match`: the same content. A proxy that compresses makes a tag weak, as nginx does, or puts the name
    /// of its coding behind it, as Apache (`-gzip`) and Caddy do, and does not undo that when the tag comes back.
    fn is_weakly(self, tag: &str) -> bool {
        match self {
            Asked::Any => true,
            Asked::Strong(asked) | Asked::Weak(asked) => asked.strip_prefix(tag).is_some_and(|rest| {
                let name = rest.trim_start_matches(['-', ';', ':', '+']);
                rest.is_empty() || (name.len() < rest.len() && ["gzip", "br", "zstd", "deflate"].contains(&name))
            }),
        }
    }
}

/// The tags of a field over all of its lines; what comes behind something that is no tag is not read.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Asked<'a>> {
    headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let (asked, behind) = split(rest)?;
            rest = behind;
            Some(asked)
        })
    })
}

/// The tag at the beginning, and what is behind it. A comma may stand within a tag.
fn split<'a>(text: &'a str) -> Option<(Asked<'a>, &'a str)> {
    if let Some(behind) = text.strip_prefix('*') {
        return Some((Asked::Any, behind));
    }
    let (tag, make): (_, fn(&'a str) -> Asked<'a>) = match text.strip_prefix("W/") {
        Some(tag) => (tag, Asked::Weak),
        None => (text, Asked::Strong),
    };
    let (tag, behind) = tag.strip_prefix('"')?.split_once('"')?;
    Some((make(tag), behind))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judged(lines: &[(HeaderName, &'static str)]) -> Verdict<'static> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        judge(&headers, "b-12", &["b-12", "g-7", "i-30"])
    }

    #[test]
    fn who_has_it_in_any_coding_and_under_any_form_of_its_tag_has_it() {
        for (value, verdict) in [
            ("\"b-12\"", Verdict::Unchanged("b-12")),
            ("W/\"b-12\"", Verdict::Unchanged("b-12")),
            ("\"x\", W/\"b-12\"", Verdict::Unchanged("b-12")),
            ("\"x\"\t,,\"b-12\"", Verdict::Unchanged("b-12")),
            ("\"a,b\", \"b-12\"", Verdict::Unchanged("b-12")),
            ("*", Verdict::Unchanged("b-12")),
            ("\"g-7\"", Verdict::Unchanged("g-7")),
            ("W/\"i-30\"", Verdict::Unchanged("i-30")),
            ("\"i-30-gzip\"", Verdict::Unchanged("i-30")),
            ("W/\"i-30--gzip\"", Verdict::Unchanged("i-30")),
            ("\"i-30;br\"", Verdict::Unchanged("i-30")),
            ("\"i-30gzip\"", Verdict::Send),
            ("\"i-305\"", Verdict::Send),
            ("\"i-3\"", Verdict::Send),
            ("\"i-30-x\"", Verdict::Send),
            ("b-12", Verdict::Send),
            ("w/\"b-12\"", Verdict::Send),
            ("\"b-12", Verdict::Send),
            ("x \"b-12\"", Verdict::Send),
            ("\"\"", Verdict::Send),
            ("", Verdict::Send),
        ] {
            assert_eq!(judged(&[(IF_NONE_MATCH, value)]), verdict, "{value}");
        }
        assert_eq!(judged(&[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, "\"b-12\"")]), Verdict::Unchanged("b-12"));
    }

    #[test]
    fn who_wants_exactly_this_gets_it_or_is_told_that_it_is_not_there() {
        for (value, verdict) in [
            ("\"b-12\"", Verdict::Send),
            ("\"x\", \"b-12\"", Verdict::Send),
            ("*", Verdict::Send),
            ("W/\"b-12\"", Verdict::Failed),
            ("\"g-7\"", Verdict::Failed),
            ("\"b-12-gzip\"", Verdict::Failed),
            ("", Verdict::Failed),
        ] {
            assert_eq!(judged(&[(IF_MATCH, value)]), verdict, "{value}");
        }
        assert_eq!(judged(&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "*")]), Verdict::Failed);
        assert_eq!(judged(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")]), Verdict::Unchanged("b-12"));
    }
}
