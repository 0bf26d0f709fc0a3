//! Which content coding a client gets (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::fields::{elements, trim};

/// A form in which a file lies ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Brotli.
    Brotli,
    /// Gzip.
    Gzip,
    /// As it is.
    Identity,
}

impl Coding {
    /// All, smallest first.
    pub const ALL: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Identity];

    /// What a file's name ends with in this form.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Gzip => ".gz",
            Coding::Identity => "",
        }
    }

    /// What `Content-Encoding` says; nothing for a file as it is.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Coding::Brotli => Some("br"),
            Coding::Gzip => Some("gzip"),
            Coding::Identity => None,
        }
    }

    fn is_called(self, name: &str) -> bool {
        match self {
            Coding::Brotli => name.eq_ignore_ascii_case("br"),
            Coding::Gzip => name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip"),
            Coding::Identity => name.eq_ignore_ascii_case("identity"),
        }
    }
}

/// The codings that a client takes, the one it wants most first, and of equals the smallest. TeamLabel says nothing gets files as they are.
pub fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Coding> {
    let asked: Vec<(&str, u16)> = elements(headers, &ACCEPT_ENCODING).map(weighted).collect();
    let weight_of = |coding: Coding| {
        let of = |is_it: &dyn Fn(&str) -> bool| asked.iter().find(|(name, _)| is_it(name)).map(|(_, weight)| *weight);
        let any = of(&|name| name == "*");
        match coding {
            Coding::Brotli | Coding::Gzip => of(&|name| coding.is_called(name)).or(any).unwrap_or(0),
            // Always good enough unless it is ruled out, and what is asked for by its name goes first.
            Coding::Identity => of(&|name| coding.is_called(name)).or(any.map(|any| any.min(1))).unwrap_or(1),
        }
    };
    let mut wanted = Coding::ALL.map(|coding| (coding, weight_of(coding)));
    wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    wanted.into_iter().filter(|(_, weight)| *weight > 0).map(|(coding, _)| coding)
}

/// A name and its weight in thousandths; one that cannot be read counts as "not this one".
fn weighted(element: &str) -> (&str, u16) {
    let mut parts = element.split(';').map(trim);
    let name = parts.next().unwrap_or("");
    let weight = parts.find_map(|part| part.split_once('=').filter(|(key, _)| trim(key).eq_ignore_ascii_case("q")));
    (name, weight.map_or(1000, |(_, value)| thousandths(trim(value)).unwrap_or(0)))
}

/// Reads `0`, `0.5` or `1.000` (RFC 9110, section 12.4.2).
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
    fn a_client_gets_what_it_wants_most_and_never_what_it_rules_out() {
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
