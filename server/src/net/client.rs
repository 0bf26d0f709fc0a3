//! TeamLabel asks: the address for logs and limits, and by which scheme, also when a proxy speaks for them.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::network::Network;

/// The addresses that a request has come from, nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The scheme that the client used with the proxy.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The scheme of a page or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// By TLS.
    Https,
}

/// How sure it is that a request comes from [`Client::address`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It is the other end of the connection, and speaks for itself.
    Connection,
    /// A trusted proxy says so.
    TrustedProxy,
    /// It speaks for somebody else, and nobody whom we trust says for whom. Nothing that an address may do is for it.
    Unknown,
}

/// TeamLabel asks. Every request has it as an extension, a WebSocket its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The client's own address; port 0 where a proxy does not tell it. `address.ip()` is what limits per address count.
    pub address: SocketAddr,
    /// How the client's browser got here. `None`: in the clear as far as we see, but perhaps through a proxy that does TLS and that
    /// nobody told us of.
    pub scheme: Option<Scheme>,
    /// Whether that is who asks.
    pub source: Source,
}

impl Client {
    /// TeamLabel asks on a connection from `peer`. What the headers say of it counts only if `peer` is one of `trusted`: anybody can write
    /// them. Of the addresses the right-most counts that is not itself `trusted`: those before it may be made up.
    #[must_use]
    pub fn of(peer: SocketAddr, direct: Option<Scheme>, headers: &HeaderMap, trusted: &[Network]) -> Client {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(peer.ip()) {
            let source = if is_proxied(headers) { Source::Unknown } else { Source::Connection };
            return Client { address: canonical(peer), scheme: direct, source };
        }
        let mut address = peer;
        for hop in values(headers, FORWARDED_FOR).rev() {
            // Behind a word that is no address nothing can be believed.
            let Some(hop) = parse(hop) else { break };
            address = hop;
            if !is_trusted(hop.ip()) {
                break;
            }
        }
        let told =
            values(headers, FORWARDED_PROTO).next_back().and_then(|proto| match proto.to_ascii_lowercase().as_str() {
                "https" | "wss" => Some(Scheme::Https),
                "http" | "ws" => Some(Scheme::Http),
                _ => None,
            });
        let source = match is_proxied(headers) {
            false => Source::Connection,
            true if is_trusted(address.ip()) => Source::Unknown,
            true => Source::TrustedProxy,
        };
        Client { address: canonical(address), scheme: told.or(direct), source }
    }
}

/// Whether a request was passed on: it carries what proxies of any kind add. There is no list of those that would be whole, so names
/// are judged by what they speak of.
fn is_proxied(headers: &HeaderMap) -> bool {
    let speaks_of = |name: &str| {
        const PARTS: [&str; 10] = [
            "forward",
            "proxy",
            "client-ip",
            "clientip",
            "connecting-ip",
            "real-ip",
            "remote-ip",
            "remote-addr",
            "original-",
            "originating-",
        ];
        const VENDORS: [&str; 11] = [
            "cf-",
            "x-envoy-",
            "x-amzn-",
            "x-amz-cf-",
            "x-appengine-",
            "x-azure-",
            "x-arr-",
            "x-varnish",
            "akamai-",
            "fastly-",
            "fly-",
        ];
        ["via", "cdn-loop", "x-host"].contains(&name)
            || PARTS.iter().any(|part| name.contains(part))
            || VENDORS.iter().any(|vendor| name.starts_with(vendor))
    };
    headers.keys().any(|name| speaks_of(name.as_str()))
}

/// All parts of a header of comma-separated parts, in order.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    lines.into_iter().flat_map(|line| line.split(',')).map(str::trim)
}

/// `203.0.113.9`, `203.0.113.9:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn parse(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    text.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0))
}

/// An IPv4 address written as IPv6 is the IPv4 address: one client, one count.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> (String, Option<Scheme>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("visible"));
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().expect("a network")).collect();
        let peer = SocketAddr::new(peer.parse().expect("an address"), 5000);
        let client = Client::of(peer, None, &map, &trusted);
        (client.address.ip().to_string(), client.scheme)
    }

    #[test]
    fn headers_of_strangers_are_not_believed() {
        let headers = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")];
        assert_eq!(client("203.0.113.9", &headers, &[]), ("203.0.113.9".to_owned(), None));
        assert_eq!(client("203.0.113.9", &headers, &["127.0.0.1"]), ("203.0.113.9".to_owned(), None));
        assert_eq!(client("127.0.0.1", &headers, &["127.0.0.1"]), ("1.1.1.1".to_owned(), Some(Scheme::Https)));
    }

    #[test]
    fn who_speaks_for_somebody_else_is_nobody_unless_a_trusted_proxy_names_them() {
        let source = |peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_str(value).expect("visible"));
            }
            let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().expect("a network")).collect();
            Client::of(SocketAddr::new(peer.parse().expect("an address"), 5000), None, &map, &trusted).source
        };
        assert_eq!(source("127.0.0.1", &[("user-agent", "curl"), ("x-request-id", "7")], &[]), Source::Connection);
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-server",
            "x-original-forwarded-for",
            "via",
            "x-real-ip",
            "cf-connecting-ip",
            "cf-ray",
            "true-client-ip",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-envoy-external-address",
            "x-azure-clientip",
            "fastly-client-ip",
            "x-proxyuser-ip",
            "x-originating-ip",
            "x-varnish",
            "cdn-loop",
        ] {
            assert_eq!(source("127.0.0.1", &[(name, "1.1.1.1")], &[]), Source::Unknown, "{name}");
            assert_eq!(source("127.0.0.1", &[(name, "1.1.1.1")], &["10.0.0.1"]), Source::Unknown, "{name}");
        }
        let trusted = ["127.0.0.1"];
        assert_eq!(source("127.0.0.1", &[], &trusted), Source::Connection);
        assert_eq!(
            source("127.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("via", "x")], &trusted),
            Source::TrustedProxy
        );
        for headers in [&[("via", "x")][..], &[("x-forwarded-for", "unknown")], &[("x-forwarded-for", "127.0.0.1")]] {
            assert_eq!(source("127.0.0.1", headers, &trusted), Source::Unknown, "{headers:?}");
        }
    }

    #[test]
    fn of_a_chain_the_last_stranger_counts() {
        for (chain, address) in [
            (&["1.1.1.1, 203.0.113.9"][..], "203.0.113.9"),
            (&["1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            (&["1.1.1.1", "203.0.113.9", "10.0.0.2,10.0.0.3"], "203.0.113.9"),
            (&["10.0.0.4, 10.0.0.2"], "10.0.0.4"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            // Nothing to believe: the last one known.
            (&["unknown"], "10.0.0.1"),
            (&["203.0.113.9, _hidden, 10.0.0.2"], "10.0.0.2"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            let headers: Vec<_> = chain.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(client("10.0.0.1", &headers, &["10.0.0.0/8"]).0, address, "{chain:?}");
        }
    }

    #[test]
    fn the_scheme_is_that_of_the_nearest_proxy_or_our_own() {
        let scheme = |headers: &[(&'static str, &str)]| client("10.0.0.1", headers, &["10.0.0.1"]).1;
        assert_eq!(scheme(&[("x-forwarded-proto", "HTTPS")]), Some(Scheme::Https));
        assert_eq!(scheme(&[("x-forwarded-proto", "https, http")]), Some(Scheme::Http));
        assert_eq!(scheme(&[("x-forwarded-proto", "gopher")]), None);
        assert_eq!(scheme(&[]), None);
    }
}
