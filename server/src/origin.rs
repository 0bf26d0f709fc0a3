//! Origins of pages, and which of them may connect. A browser lets any page open a WebSocket to any server, from the visitor's
//! network and with the visitor's cookies, and only names the page in `Origin`. The server has to check it.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// The scheme of a page or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// The origin of a page: scheme, host and port (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    /// `None` for schemes without a default port.
    port: Option<u16>,
}

/// Lets a page connect to the server it came from, and the pages in `allowed`. Programs send no origin and pass. `scheme` is the
/// scheme that the browser used, if known.
///
/// # Errors
/// The reason, and how to allow it.
pub(crate) fn check(headers: &HeaderMap, scheme: Option<Scheme>, allowed: &[Origin]) -> Result<(), String> {
    let Some(header) = headers.get(ORIGIN) else { return Ok(()) };
    let text = header.to_str().unwrap_or("?");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let Ok(origin) = text.parse::<Origin>() else {
        return Err(format!("origin {text:?} is not the page of a server; open the game from this server, {host:?}"));
    };
    if allowed.contains(&origin) || origin.is_of(host, scheme) {
        return Ok(());
    }
    let ours = match scheme {
        Some(Scheme::Https) => format!("https://{host}"),
        Some(Scheme::Http) => format!("http://{host}"),
        None => host.to_owned(),
    };
    Err(format!(
        "origin is {text:?}, this server is {ours:?}; open the game from this server, or start the server with \
         --allow-origin {origin}"
    ))
}

/// The page that sends a request, if it comes from this server.
pub(crate) fn own(headers: &HeaderMap, scheme: Option<Scheme>) -> Option<Origin> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).unwrap_or("");
    text(ORIGIN).parse::<Origin>().ok().filter(|origin| origin.is_of(text(HOST), scheme))
}

impl Origin {
    /// A name or an address, in lower case.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether the page comes from the server whose WebSocket is at this address, such as `wss://n2.example/game`.
    pub(crate) fn is_page_of(&self, socket: &str) -> bool {
        let Some((scheme, rest)) = socket.split_once("://") else { return false };
        let host = rest.split_once('/').map_or(rest, |(host, _)| host);
        self.is_of(host, if scheme == "wss" { Some(Scheme::Https) } else { Some(Scheme::Http) })
    }

    /// Whether the page comes from a server that is requested as `host` with this scheme.
    fn is_of(&self, host: &str, scheme: Option<Scheme>) -> bool {
        let scheme_fits = match (self.scheme.as_str(), scheme) {
            ("https", Some(Scheme::Https) | None) | ("http", Some(Scheme::Http) | None) => true,
            (_, Some(Scheme::Https | Scheme::Http) | None) => false,
        };
        scheme_fits
            && split(host).is_some_and(|(name, port)| {
                name.eq_ignore_ascii_case(&self.host) && port.or(default_port(&self.scheme)) == self.port
            })
    }
}

impl FromStr for Origin {
    type Err = String;

    /// Parses `https://game.example` or `http://localhost:8080`.
    fn from_str(text: &str) -> Result<Origin, String> {
        let wrong = |what: &str| format!("{what}; an origin looks like https://game.example or http://localhost:8080");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("scheme is missing"))?;
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(is_scheme) {
            return Err(wrong("scheme is malformed"));
        }
        if rest.contains(['/', '?', '#', '@']) {
            return Err(wrong("only scheme, host and port are allowed"));
        }
        let (host, port) = split(rest).ok_or_else(|| wrong("host or port is wrong"))?;
        let scheme = scheme.to_ascii_lowercase();
        let port = port.or(default_port(&scheme));
        Ok(Origin { host: host.to_ascii_lowercase(), port, scheme })
    }
}

/// As browsers write it: without the default port of the scheme.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port.filter(|_| self.port != default_port(&self.scheme)) {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Host and port of `game.example:8080` or `[::1]:8080`; `None` if malformed.
pub(crate) fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let end_of_host = authority.find(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[end_of_host..].find(':') {
        None => (authority, None),
        Some(colon) => {
            let (host, port) = authority.split_at(end_of_host + colon);
            // The parser of numbers would accept a sign.
            let digits = port[1..].bytes().all(|byte| byte.is_ascii_digit()).then_some(&port[1..])?;
            (host, Some(digits.parse().ok()?))
        }
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_name),
    };
    is_valid.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn may(origin: &'static str, host: &'static str, scheme: Option<Scheme>, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        let allowed: Vec<Origin> = allowed.iter().map(|text| text.parse().expect("an origin")).collect();
        check(&headers, scheme, &allowed).is_ok()
    }

    #[test]
    fn a_page_may_connect_to_its_own_server() {
        let (https, http) = (Some(Scheme::Https), Some(Scheme::Http));
        for (origin, host, scheme, may_pass) in [
            ("http://game.example:8080", "game.example:8080", http, true),
            ("http://GAME.example:8080", "game.EXAMPLE:8080", http, true),
            ("https://game.example", "game.example", https, true),
            ("https://game.example", "game.example:443", https, true),
            ("http://game.example", "game.example:80", http, true),
            ("http://[::1]:8080", "[::1]:8080", http, true),
            // A plain-HTTP page of the same host has another origin.
            ("http://game.example", "game.example", https, false),
            ("https://game.example", "game.example", http, false),
            ("http://game.example", "game.example:443", https, false),
            // An unknown proxy may terminate TLS.
            ("https://game.example", "game.example", None, true),
            ("http://game.example", "game.example", None, true),
            ("http://game.example", "game.example:8080", None, false),
            ("http://evil.example", "game.example", http, false),
            ("http://game.example.evil.example", "game.example", http, false),
            ("null", "game.example", http, false),
            ("file://", "", None, false),
            ("http://", "", None, false),
        ] {
            assert_eq!(may(origin, host, scheme, &[]), may_pass, "{origin} at {host} by {scheme:?}");
        }
    }

    #[test]
    fn pages_on_the_list_may_connect_and_no_others() {
        let list = ["https://portal.example", "app://local"];
        assert!(may("https://portal.example", "game.example", None, &list));
        assert!(may("https://portal.example:443", "game.example", None, &list));
        assert!(may("app://local", "game.example", None, &list));
        assert!(!may("http://portal.example", "game.example", None, &list));
        assert!(!may("https://portal.example:8443", "game.example", None, &list));
        assert!(may("https://game.example", "game.example", None, &list));
    }

    #[test]
    fn a_page_of_a_node_is_known_by_the_address_of_its_socket() {
        let is_page_of = |origin: &str, socket| origin.parse::<Origin>().expect("an origin").is_page_of(socket);
        assert!(is_page_of("https://n2.example", "wss://n2.example/game"));
        assert!(is_page_of("http://localhost:8081", "ws://localhost:8081"));
        assert!(!is_page_of("http://n2.example", "wss://n2.example"));
        assert!(!is_page_of("https://n2.example:8443", "wss://n2.example"));
    }

    #[test]
    fn a_request_without_an_origin_passes() {
        assert_eq!(check(&HeaderMap::new(), None, &[]), Ok(()));
    }

    #[test]
    fn an_origin_on_the_command_line_is_parsed_or_refused_with_the_reason() {
        let shown = |text: &str| text.parse::<Origin>().map(|origin| origin.to_string());
        assert_eq!(shown("HTTPS://Game.Example:443"), Ok("https://game.example".to_owned()));
        assert_eq!(shown("http://localhost:8080"), Ok("http://localhost:8080".to_owned()));
        for bad in ["game.example", "https://", "https://game.example/", "https://a b", "https://x:y", "*", "://x"] {
            let refusal = shown(bad).expect_err(bad);
            assert!(refusal.contains("looks like https://game.example"), "{bad}: {refusal}");
        }
    }
}
