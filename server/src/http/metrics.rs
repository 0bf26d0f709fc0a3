//! `GET /metrics`: what the server counts of itself, for this machine and for whom the operator named.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, FORWARDED, HeaderMap};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;

use super::problem;
use crate::App;
use crate::metrics::MEDIA_TYPE;
use crate::network::Network;

/// What reverse proxies write beside the standard `Forwarded`.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The figures, or 403 with how to be allowed.
pub async fn metrics<G: Game>(
    State(app): State<Arc<App<G>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Err(detail) = judge(peer.ip(), Asks::of(&headers), &app.config.metrics_allow) {
        return problem(StatusCode::FORBIDDEN, &detail).into_response();
    }
    ([(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")], app.metrics.encode()).into_response()
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// From the address of its connection.
    Directly,
    /// From somebody else, whom that address speaks for.
    ThroughProxy,
}

impl Asks {
    fn of(headers: &HeaderMap) -> Asks {
        let proxied = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
        if proxied { Asks::ThroughProxy } else { Asks::Directly }
    }
}

/// Whether somebody is on this machine, and speaks for themselves.
#[must_use]
pub fn is_this_machine(peer: IpAddr, headers: &HeaderMap) -> bool {
    judge(peer, Asks::of(headers), &[]).is_ok()
}

/// Loopback may ask, unless it speaks for somebody else: a proxy on this machine must not show the figures to the world by
/// accident. Whoever is named may ask in either way.
fn judge(peer: IpAddr, asks: Asks, allowed: &[Network]) -> Result<(), String> {
    let peer = peer.to_canonical();
    if allowed.iter().any(|network| network.contains(peer)) || (asks == Asks::Directly && peer.is_loopback()) {
        return Ok(());
    }
    Err(match asks {
        Asks::Directly => format!(
            "metrics answer this machine and the addresses of --metrics-allow; yours is {peer}: start the server with \
             --metrics-allow {peer}"
        ),
        Asks::ThroughProxy => format!(
            "metrics do not answer through a proxy unless its address is allowed; it is {peer}: start the server with \
             --metrics-allow {peer}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn this_machine_may_ask_and_others_are_told_how() {
        let named = [network("192.0.2.0/24")];
        assert_eq!(judge(address("127.0.0.1"), Asks::Directly, &[]), Ok(()));
        assert_eq!(judge(address("::1"), Asks::Directly, &[]), Ok(()));
        assert_eq!(judge(address("::ffff:127.0.0.1"), Asks::Directly, &[]), Ok(()));
        assert_eq!(judge(address("192.0.2.5"), Asks::Directly, &named), Ok(()));
        let refusal = judge(address("198.51.100.5"), Asks::Directly, &named).expect_err("not named");
        assert!(refusal.contains("--metrics-allow 198.51.100.5"), "{refusal}");
        judge(address("127.0.0.1"), Asks::ThroughProxy, &named).expect_err("speaks for somebody else");
        assert_eq!(judge(address("127.0.0.1"), Asks::ThroughProxy, &[network("127.0.0.1")]), Ok(()));
    }
}
