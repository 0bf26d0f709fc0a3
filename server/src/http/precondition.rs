//! Conditional requests (RFC 9110, section 13): a client does not download again what it already has.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};

/// Result of evaluating the preconditions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precondition<'a> {
    Send,
    /// The client has the file, under this tag.
    NotModified(&'a str),
    /// The file is not the one that the client requires.
    Failed,
}

/// Evaluates the preconditions of a GET or HEAD. `tag` is the tag of the response; `all` are the tags of every coding of the same file,
/// which count as equal for `If-None-Match`. Tags are without quotes.
pub(crate) fn evaluate<'a>(headers: &HeaderMap, tag: &'a str, all: &[&'a str]) -> Precondition<'a> {
    if headers.contains_key(IF_MATCH) && !tags(headers, &IF_MATCH).any(|requested| requested.matches_strongly(tag)) {
        return Precondition::Failed;
    }
    let matching =
        |requested: RequestTag<'_>| std::iter::once(&tag).chain(all).find(|tag| requested.matches_weakly(tag)).copied();
    tags(headers, &IF_NONE_MATCH).find_map(matching).map_or(Precondition::Send, Precondition::NotModified)
}

/// An element of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestTag<'a> {
    /// `*`: any existing file.
    Any,
    /// A strong tag, without quotes.
    Strong(&'a str),
    /// A weak tag, `W/"..."`, without prefix and quotes.
    Weak(&'a str),
}

impl RequestTag<'_> {
    /// Strong comparison, for `If-Match`: the same bytes.
    fn matches_strongly(self, tag: &str) -> bool {
        match self {
            RequestTag::Any => true,
            RequestTag::Strong(requested) => requested == tag,
            RequestTag::Weak(_) => false,
        }
    }

    /// Weak comparison, for `If-None-Match`: the same content. A compressing proxy weakens a tag, as nginx does, or appends the name of
    /// its coding, as Apache (`-gzip`) and Caddy do, and does not undo that in requests.
    fn matches_weakly(self, tag: &str) -> bool {
        match self {
            RequestTag::Any => true,
            RequestTag::Strong(requested) | RequestTag::Weak(requested) => {
                requested.strip_prefix(tag).is_some_and(|rest| {
                    let name = rest.trim_start_matches(['-', ';', ':', '+']);
                    rest.is_empty() || (name.len() < rest.len() && ["gzip", "br", "zstd", "deflate"].contains(&name))
                })
            }
        }
    }
}

/// The tags of a field over all of its lines; a line is read up to its first invalid tag.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = RequestTag<'a>> {
    headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let (requested, rest_of_line) = split(rest)?;
            rest = rest_of_line;
            Some(requested)
        })
    })
}

/// The first tag, and the text after it. A tag may contain commas.
fn split<'a>(text: &'a str) -> Option<(RequestTag<'a>, &'a str)> {
    if let Some(rest_of_line) = text.strip_prefix('*') {
        return Some((RequestTag::Any, rest_of_line));
    }
    let (tag, make): (_, fn(&'a str) -> RequestTag<'a>) = match text.strip_prefix("W/") {
        Some(tag) => (tag, RequestTag::Weak),
        None => (text, RequestTag::Strong),
    };
    let (tag, rest_of_line) = tag.strip_prefix('"')?.split_once('"')?;
    Some((make(tag), rest_of_line))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn evaluated(lines: &[(HeaderName, &'static str)]) -> Precondition<'static> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        evaluate(&headers, "b-12", &["b-12", "g-7", "i-30"])
    }

    #[test]
    fn a_tag_of_any_coding_and_in_any_form_counts_as_not_modified() {
        for (value, expected) in [
            ("\"b-12\"", Precondition::NotModified("b-12")),
            ("W/\"b-12\"", Precondition::NotModified("b-12")),
            ("\"x\", W/\"b-12\"", Precondition::NotModified("b-12")),
            ("\"x\"\t,,\"b-12\"", Precondition::NotModified("b-12")),
            ("\"a,b\", \"b-12\"", Precondition::NotModified("b-12")),
            ("*", Precondition::NotModified("b-12")),
            ("\"g-7\"", Precondition::NotModified("g-7")),
            ("W/\"i-30\"", Precondition::NotModified("i-30")),
            ("\"i-30-gzip\"", Precondition::NotModified("i-30")),
            ("W/\"i-30--gzip\"", Precondition::NotModified("i-30")),
            ("\"i-30;br\"", Precondition::NotModified("i-30")),
            ("\"i-30gzip\"", Precondition::Send),
            ("\"i-305\"", Precondition::Send),
            ("\"i-3\"", Precondition::Send),
            ("\"i-30-x\"", Precondition::Send),
            ("b-12", Precondition::Send),
            ("w/\"b-12\"", Precondition::Send),
            ("\"b-12", Precondition::Send),
            ("x \"b-12\"", Precondition::Send),
            ("\"\"", Precondition::Send),
            ("", Precondition::Send),
        ] {
            assert_eq!(evaluated(&[(IF_NONE_MATCH, value)]), expected, "{value}");
        }
        assert_eq!(
            evaluated(&[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, "\"b-12\"")]),
            Precondition::NotModified("b-12")
        );
    }

    #[test]
    fn if_match_needs_exactly_the_tag_of_the_response() {
        for (value, expected) in [
            ("\"b-12\"", Precondition::Send),
            ("\"x\", \"b-12\"", Precondition::Send),
            ("*", Precondition::Send),
            ("W/\"b-12\"", Precondition::Failed),
            ("\"g-7\"", Precondition::Failed),
            ("\"b-12-gzip\"", Precondition::Failed),
            ("", Precondition::Failed),
        ] {
            assert_eq!(evaluated(&[(IF_MATCH, value)]), expected, "{value}");
        }
        assert_eq!(evaluated(&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "*")]), Precondition::Failed);
        assert_eq!(evaluated(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")]), Precondition::NotModified("b-12"));
    }
}
