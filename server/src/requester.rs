//! Who sends a request: the address for logs and limits, and the scheme, also behind a proxy.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::network::Network;
use crate::origin::Scheme;

/// The addresses that a request passed through, nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The scheme that the client used with the proxy.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Where [`Requester::address`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressSource {
    /// The peer of the connection, with no sign of a proxy.
    Connection,
    /// A header of a trusted proxy.
    TrustedProxy,
    /// A proxy passed the request on, and no trusted one says for whom. Permissions of an address do not apply.
    Unknown,
}

/// The sender of a request. Every request carries it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requester {
    /// The client's own address; port 0 if a proxy does not report it. Limits per address count `address.ip()`.
    pub(crate) address: SocketAddr,
    /// The scheme that the client's browser used. `None` on a plain connection: an unknown proxy in front may terminate TLS.
    pub(crate) scheme: Option<Scheme>,
    pub(crate) source: AddressSource,
}

impl Requester {
    /// The sender of a request on a connection from `peer`. Forwarding headers count only if `peer` is `trusted`, since anyone can
    /// write them. The right-most address that is not itself `trusted` wins: those before it may be forged.
    pub(crate) fn of(peer: SocketAddr, direct: Option<Scheme>, headers: &HeaderMap, trusted: &[Network]) -> Requester {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(peer.ip()) {
            let source = if is_proxied(headers) { AddressSource::Unknown } else { AddressSource::Connection };
            return Requester { address: canonical(peer), scheme: direct, source };
        }
        let mut address = peer;
        for hop in values(headers, FORWARDED_FOR).rev() {
            // Nothing before a malformed address can be trusted.
            let Some(hop) = parse(hop) else { break };
            address = hop;
            if !is_trusted(hop.ip()) {
                break;
            }
        }
        let forwarded =
            values(headers, FORWARDED_PROTO).next_back().and_then(|proto| match proto.to_ascii_lowercase().as_str() {
                "https" | "wss" => Some(Scheme::Https),
                "http" | "ws" => Some(Scheme::Http),
                _ => None,
            });
        let source = match is_proxied(headers) {
            false => AddressSource::Connection,
            true if is_trusted(address.ip()) => AddressSource::Unknown,
            true => AddressSource::TrustedProxy,
        };
        Requester { address: canonical(address), scheme: forwarded.or(direct), source }
    }
}

/// Whether a proxy passed the request on. No complete list of the headers that proxies add exists, so names are matched by
/// their parts.
fn is_proxied(headers: &HeaderMap) -> bool {
    let is_of_proxy = |name: &str| {
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
    headers.keys().any(|name| is_of_proxy(name.as_str()))
}

/// The elements of a comma-separated header, in order.
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

/// Maps an IPv4-mapped IPv6 address to IPv4, so that a client counts once.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn requester(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> (String, Option<Scheme>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("visible"));
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().expect("a network")).collect();
        let peer = SocketAddr::new(peer.parse().expect("an address"), 5000);
        let requester = Requester::of(peer, None, &map, &trusted);
        (requester.address.ip().to_string(), requester.scheme)
    }

    #[test]
    fn forwarding_headers_of_untrusted_peers_are_ignored() {
        let headers = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")];
        assert_eq!(requester("203.0.113.9", &headers, &[]), ("203.0.113.9".to_owned(), None));
        assert_eq!(requester("203.0.113.9", &headers, &["127.0.0.1"]), ("203.0.113.9".to_owned(), None));
        assert_eq!(requester("127.0.0.1", &headers, &["127.0.0.1"]), ("1.1.1.1".to_owned(), Some(Scheme::Https)));
    }

    #[test]
    fn a_forwarded_request_has_no_known_sender_unless_a_trusted_proxy_names_it() {
        let source = |peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_str(value).expect("visible"));
            }
            let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().expect("a network")).collect();
            Requester::of(SocketAddr::new(peer.parse().expect("an address"), 5000), None, &map, &trusted).source
        };
        assert_eq!(
            source("127.0.0.1", &[("user-agent", "curl"), ("x-request-id", "7")], &[]),
            AddressSource::Connection
        );
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
            assert_eq!(source("127.0.0.1", &[(name, "1.1.1.1")], &[]), AddressSource::Unknown, "{name}");
            assert_eq!(source("127.0.0.1", &[(name, "1.1.1.1")], &["10.0.0.1"]), AddressSource::Unknown, "{name}");
        }
        let trusted = ["127.0.0.1"];
        assert_eq!(source("127.0.0.1", &[], &trusted), AddressSource::Connection);
        assert_eq!(
            source("127.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("via", "x")], &trusted),
            AddressSource::TrustedProxy
        );
        for headers in [&[("via", "x")][..], &[("x-forwarded-for", "unknown")], &[("x-forwarded-for", "127.0.0.1")]] {
            assert_eq!(source("127.0.0.1", headers, &trusted), AddressSource::Unknown, "{headers:?}");
        }
    }

    #[test]
    fn the_last_untrusted_address_of_a_chain_wins() {
        for (chain, address) in [
            (&["1.1.1.1, 203.0.113.9"][..], "203.0.113.9"),
            (&["1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            (&["1.1.1.1", "203.0.113.9", "10.0.0.2,10.0.0.3"], "203.0.113.9"),
            (&["10.0.0.4, 10.0.0.2"], "10.0.0.4"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            // Nothing trustworthy: the last known address.
            (&["unknown"], "10.0.0.1"),
            (&["203.0.113.9, _hidden, 10.0.0.2"], "10.0.0.2"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            let headers: Vec<_> = chain.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(requester("10.0.0.1", &headers, &["10.0.0.0/8"]).0, address, "{chain:?}");
        }
    }

    #[test]
    fn the_scheme_is_that_of_the_nearest_proxy_or_of_the_connection() {
        let scheme = |headers: &[(&'static str, &str)]| requester("10.0.0.1", headers, &["10.0.0.1"]).1;
        assert_eq!(scheme(&[("x-forwarded-proto", "HTTPS")]), Some(Scheme::Https));
        assert_eq!(scheme(&[("x-forwarded-proto", "https, http")]), Some(Scheme::Http));
        assert_eq!(scheme(&[("x-forwarded-proto", "gopher")]), None);
        assert_eq!(scheme(&[]), None);
    }
}
