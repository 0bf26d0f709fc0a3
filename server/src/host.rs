//! Checks the host name of a request. A foreign page whose name resolves to this machine has the same origin as this server in the
//! visitor's browser (DNS rebinding); only the host name in the request reveals it.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use http::header::HOST;
use http::request::Parts;
use http::{Method, Uri, Version};

use crate::origin::{default_port, split};

/// A host name of the server, in lower case and without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// Why a request is not for this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WrongHost {
    /// The request breaks the rules of HTTP, with the reason.
    Malformed(String),
    /// The request names this foreign host.
    Foreign(String),
}

/// Checks the host of a request. Accepts every IP address, `localhost`, the names below it, and `ours`. An HTTP/1.0 request needs
/// no host: probes of load balancers send such requests, browsers do not.
///
/// # Errors
/// [`WrongHost::Malformed`] if the host is missing, repeated, invalid, or differs from the one in the target;
/// [`WrongHost::Foreign`] if it is not accepted.
pub(crate) fn check(request: &Parts, ours: &[HostName]) -> Result<(), WrongHost> {
    let malformed = |detail: String| Err(WrongHost::Malformed(detail));
    let mut lines = request.headers.get_all(HOST).iter();
    let (line, more) = (lines.next(), lines.next());
    if more.is_some() {
        return malformed("there are several Host headers; there must be one".to_owned());
    }
    let in_target = match absolute(request) {
        Ok(target) => target,
        Err(detail) => return malformed(detail),
    };
    let host = match (line, in_target) {
        (Some(line), target) => {
            let text = line.to_str().unwrap_or("?");
            if target.is_some_and(|target| !is_same(text, target)) {
                return malformed(format!("Host is {text:?}, the target of the request is {:?}", request.uri));
            }
            text
        }
        (None, Some(target)) if request.version < Version::HTTP_11 => {
            target.authority().map_or("", |host| host.as_str())
        }
        (None, None) if request.version < Version::HTTP_11 => return Ok(()),
        (None, _) => return malformed("the header Host is missing".to_owned()),
    };
    let Some((name, _)) = split(host) else {
        return malformed(format!("Host is {:?}, must be a name or an address, with or without a port", cut(host)));
    };
    if is_ours(name, ours) { Ok(()) } else { Err(WrongHost::Foreign(cut(name))) }
}

/// The target of a request if it is in absolute form (RFC 9112, section 3.2.2).
fn absolute(request: &Parts) -> Result<Option<&Uri>, String> {
    match request.uri.scheme_str() {
        // The target of CONNECT has an authority and no scheme; the server does not support it.
        None => Ok(None),
        Some("http" | "https") if request.method != Method::CONNECT => Ok(Some(&request.uri)),
        Some(scheme) => Err(format!("the target of the request has the scheme {scheme:?}, must be http or https")),
    }
}

/// Whether a Host header names the same as the target of its request.
fn is_same(host: &str, target: &Uri) -> bool {
    let default = default_port(target.scheme_str().unwrap_or(""));
    let parts = |authority| split(authority).map(|(name, port)| (name.to_ascii_lowercase(), port.or(default)));
    let target = target.authority().and_then(|authority| parts(authority.as_str()));
    target.is_some() && parts(host) == target
}

fn is_ours(name: &str, ours: &[HostName]) -> bool {
    if name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    is_name_of(name, ours)
}

/// Whether this is a name of the server, and no address.
pub(crate) fn is_name_of(name: &str, ours: &[HostName]) -> bool {
    // A trailing dot does not change the name.
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || ours.iter().any(|our| our.0 == name)
}

/// Shortens client input for responses and logs.
fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

impl FromStr for HostName {
    type Err = String;

    /// Parses `game.example`.
    fn from_str(text: &str) -> Result<HostName, String> {
        let wrong = |what: &str| Err(format!("{what}; a name looks like game.example"));
        if text.contains("://") {
            return wrong("there must be no scheme");
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        match split(name) {
            Some((_, Some(_))) => wrong("there must be no port: the name is valid with every port"),
            Some((address, None)) if address.starts_with('[') => wrong("every IP address is accepted already"),
            Some((name, None)) => Ok(HostName(name.to_ascii_lowercase())),
            None if !name.is_ascii() => wrong("letters beyond ASCII must be written as browsers send them, xn--..."),
            None => wrong("only letters, digits, dots and hyphens are allowed"),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(version: Version, target: &str, hosts: &[&[u8]]) -> &'static str {
        let mut request = http::Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let ours = ["game.example", "Other.Example."].map(|name| name.parse().expect("a name"));
        match check(&parts, &ours) {
            Ok(()) => "ours",
            Err(WrongHost::Foreign(_)) => "foreign",
            Err(WrongHost::Malformed(_)) => "malformed",
        }
    }

    #[test]
    fn only_addresses_localhost_and_configured_names_are_accepted() {
        for (host, verdict) in [
            ("127.0.0.1", "ours"),
            ("127.0.0.1:8080", "ours"),
            ("203.0.113.9:1", "ours"),
            ("[::1]:8080", "ours"),
            ("[::ffff:127.0.0.1]", "ours"),
            ("localhost:8080", "ours"),
            ("LocalHost.", "ours"),
            ("a.localhost", "ours"),
            ("game.example", "ours"),
            ("GAME.example.:443", "ours"),
            ("other.example", "ours"),
            ("evil.example", "foreign"),
            ("127.0.0.1.evil.example", "foreign"),
            ("game.example.evil.example", "foreign"),
            ("a.game.example", "foreign"),
            ("notlocalhost", "foreign"),
            ("localhost.evil.example", "foreign"),
            // Browsers normalize addresses.
            ("127.1", "foreign"),
            ("2130706433", "foreign"),
            ("0x7f.0.0.1", "foreign"),
            ("127.0.0.1.", "foreign"),
            ("", "malformed"),
            ("game.example:", "malformed"),
            ("game.example:x", "malformed"),
            ("game.example:+80", "malformed"),
            ("game.example:99999", "malformed"),
            ("user@game.example", "malformed"),
            ("game.example/", "malformed"),
            ("game.example, evil.example", "malformed"),
            ("game.example evil.example", "malformed"),
            ("[::1", "malformed"),
            ("[evil.example]", "malformed"),
            ("::1", "malformed"),
            (":8080", "malformed"),
        ] {
            assert_eq!(judged(Version::HTTP_11, "/", &[host.as_bytes()]), verdict, "{host:?}");
        }
        assert_eq!(judged(Version::HTTP_11, "/", &[b"game.example\xff"]), "malformed");
    }

    #[test]
    fn a_request_has_exactly_one_host_unless_it_is_http_1_0() {
        assert_eq!(judged(Version::HTTP_11, "/", &[]), "malformed");
        assert_eq!(judged(Version::HTTP_10, "/", &[]), "ours");
        assert_eq!(judged(Version::HTTP_10, "/", &[b"evil.example"]), "foreign");
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(judged(version, "/", &[b"game.example", b"game.example"]), "malformed");
            assert_eq!(judged(version, "/", &[b"game.example", b"evil.example"]), "malformed");
        }
    }

    #[test]
    fn a_target_in_absolute_form_must_match_the_host() {
        for (target, host, verdict) in [
            ("http://game.example/x", "game.example", "ours"),
            ("http://game.example:80/x", "Game.Example", "ours"),
            ("https://game.example/x", "game.example:443", "ours"),
            ("http://evil.example/x", "evil.example", "foreign"),
            ("http://evil.example/x", "game.example", "malformed"),
            ("http://game.example/x", "evil.example", "malformed"),
            ("http://game.example:81/x", "game.example", "malformed"),
            ("http://user@game.example/x", "game.example", "malformed"),
            ("ftp://game.example/x", "game.example", "malformed"),
        ] {
            assert_eq!(judged(Version::HTTP_11, target, &[host.as_bytes()]), verdict, "{target} at {host}");
        }
        assert_eq!(judged(Version::HTTP_11, "http://game.example/", &[]), "malformed");
        assert_eq!(judged(Version::HTTP_10, "http://game.example/", &[]), "ours");
        assert_eq!(judged(Version::HTTP_10, "http://evil.example/", &[]), "foreign");
    }

    #[test]
    fn a_name_on_the_command_line_is_parsed_or_refused_with_the_reason() {
        assert_eq!("Game.Example".parse::<HostName>().map(|name| name.to_string()), Ok("game.example".to_owned()));
        for (bad, says) in [
            ("https://game.example", "no scheme"),
            ("game.example:443", "no port"),
            ("[::1]", "every IP address"),
            ("spiel.österreich", "xn--"),
            ("*.game.example", "letters, digits"),
            ("", "letters, digits"),
        ] {
            let refusal = bad.parse::<HostName>().expect_err(bad);
            assert!(refusal.contains(says) && refusal.contains("game.example"), "{bad}: {refusal}");
        }
    }
}
