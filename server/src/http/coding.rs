//! Negotiation of content codings (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::header_fields::{elements, trim};

/// A content coding in which files are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
    /// Uncompressed.
    Identity,
}

impl Coding {
    /// All codings, smallest result first.
    pub(crate) const ALL: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Identity];

    /// Extension of a file in this coding.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Gzip => ".gz",
            Coding::Identity => "",
        }
    }

    /// Value of `Content-Encoding`; `None` for an uncompressed file.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Coding::Brotli => Some("br"),
            Coding::Gzip => Some("gzip"),
            Coding::Identity => None,
        }
    }

    fn has_name(self, name: &str) -> bool {
        match self {
            Coding::Brotli => name.eq_ignore_ascii_case("br"),
            Coding::Gzip => name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip"),
            Coding::Identity => name.eq_ignore_ascii_case("identity"),
        }
    }
}

/// The codings that a client accepts, by descending weight; among equals, the smallest result first. Without a header only
/// uncompressed files.
pub(crate) fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Coding> {
    let asked: Vec<(&str, u16)> = elements(headers, &ACCEPT_ENCODING).map(weighted).collect();
    let weight_of = |coding: Coding| {
        let of = |is_it: &dyn Fn(&str) -> bool| asked.iter().find(|(name, _)| is_it(name)).map(|(_, weight)| *weight);
        let any = of(&|name| name == "*");
        match coding {
            Coding::Brotli | Coding::Gzip => of(&|name| coding.has_name(name)).or(any).unwrap_or(0),
            // Acceptable unless excluded, but after codings that the client names.
            Coding::Identity => of(&|name| coding.has_name(name)).or(any.map(|any| any.min(1))).unwrap_or(1),
        }
    };
    let mut wanted = Coding::ALL.map(|coding| (coding, weight_of(coding)));
    wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    wanted.into_iter().filter(|(_, weight)| *weight > 0).map(|(coding, _)| coding)
}

/// A name and its weight in thousandths; an invalid weight counts as 0.
fn weighted(element: &str) -> (&str, u16) {
    let mut parts = element.split(';').map(trim);
    let name = parts.next().unwrap_or("");
    let weight = parts.find_map(|part| part.split_once('=').filter(|(key, _)| trim(key).eq_ignore_ascii_case("q")));
    (name, weight.map_or(1000, |(_, value)| thousandths(trim(value)).unwrap_or(0)))
}

/// Parses `0`, `0.5` or `1.000` (RFC 9110, section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn codings_are_ordered_by_weight_and_excluded_ones_left_out() {
        use Coding::{Brotli, Gzip, Identity};
        for (lines, wanted) in [
            (&[][..], &[Identity][..]),
            (&[""], &[Identity]),
            (&["gzip, deflate, br, zstd"], &[Brotli, Gzip, Identity]),
            (&["gzip", "br"], &[Brotli, Gzip, Identity]),
            (&["gzip;q=1.0, br;q=0.1"], &[Gzip, Brotli, Identity]),
            (&["BR ;\tQ=0.5,x-gzip;q=0.25"], &[Brotli, Gzip, Identity]),
            (&["br;q=0, gzip"], &[Gzip, Identity]),
            (&["br;q=0.000"], &[Identity]),
            (&["identity;q=0, br"], &[Brotli]),
            (&["identity;q=0"], &[]),
            (&["*;q=0"], &[]),
            (&["*;q=0, gzip"], &[Gzip]),
            (&["identity, *;q=0"], &[Identity]),
            (&["*"], &[Brotli, Gzip, Identity]),
            (&["*, br;q=0"], &[Gzip, Identity]),
            (&["identity, br;q=0.5"], &[Identity, Brotli]),
            (&["gzip;q=0.001"], &[Gzip, Identity]),
            (&["br;q=2, gzip;q=x, br2"], &[Identity]),
            (&["br;level=3;q=0.5"], &[Brotli, Identity]),
            (&["brotli, gz"], &[Identity]),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(accepted(&headers).collect::<Vec<_>>(), wanted, "{lines:?}");
        }
    }
}
