//! Header fields that hold comma-separated lists (RFC 9110, section 5.6.1).

use http::{HeaderMap, HeaderName};

/// The non-empty elements of a field over all of its lines, in order and trimmed. A line that is not ASCII counts as the one element
/// `?`, so that it is neither misread nor overlooked.
pub(crate) fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
    lines.flat_map(|line| line.split(',')).map(trim).filter(|element| !element.is_empty())
}

/// Whether a list holds a token; case does not matter.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token))
}

/// Removes the whitespace of RFC 9110, section 5.6.3, which is spaces and tabs only.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{CONNECTION, UPGRADE};

    use super::*;

    fn headers(lines: &[(HeaderName, &'static [u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name.clone(), HeaderValue::from_bytes(value).expect("a value"));
        }
        map
    }

    #[test]
    fn a_list_spans_lines_commas_and_whitespace() {
        let headers = headers(&[
            (CONNECTION, b"keep-alive"),
            (CONNECTION, b""),
            (CONNECTION, b"TE,\tUpgrade ,, ,x\xff"),
            (CONNECTION, b" last"),
            (UPGRADE, b"h2c, \xffwebsocket"),
        ]);
        let found: Vec<&str> = elements(&headers, &CONNECTION).collect();
        assert_eq!(found, ["keep-alive", "?", "last"], "a line that is not text is not a token");
        assert!(!has_token(&headers, &UPGRADE, "websocket"));
    }

    #[test]
    fn a_token_is_found_in_any_case_and_position() {
        for value in [&b"Upgrade"[..], b"TE,\tUpgrade", b"keep-alive ,upGRADE", b",,upgrade,", b"\t upgrade \t"] {
            let mut map = HeaderMap::new();
            map.append(CONNECTION, HeaderValue::from_bytes(value).expect("a value"));
            assert!(has_token(&map, &CONNECTION, "upgrade"), "{value:?}");
        }
        for value in [&b"upgraded"[..], b"no upgrade", b"upgrade;q=1", b"\"upgrade\""] {
            let mut map = HeaderMap::new();
            map.append(CONNECTION, HeaderValue::from_bytes(value).expect("a value"));
            assert!(!has_token(&map, &CONNECTION, "upgrade"), "{value:?}");
        }
    }
}
