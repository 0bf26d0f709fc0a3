//! `GET /metrics`: what the server counts of itself, for the operator and for whom the operator named.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;

use super::not_the_operator;
use crate::app::App;
use crate::metrics::MEDIA_TYPE;
use crate::net::client::{Client, Source};
use crate::network::Network;
use crate::operator::Shown;

/// The status, or 401 with how to be allowed.
pub async fn metrics<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
) -> Response {
    let shown = app.operator.shown(&headers);
    let is_operator = shown == Shown::Token && client.source != Source::Unknown;
    if !is_operator && let Err(way_out) = may_read(&client, &app.config.metrics_allow) {
        return not_the_operator(shown, &way_out);
    }
    ([(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")], app.metrics.encode()).into_response()
}

/// Whether this address may read without a token; if not, what would let it.
fn may_read(client: &Client, allowed: &[Network]) -> Result<(), String> {
    let address = client.address.ip();
    match client.source {
        Source::Unknown => {
            Err("a request that came through a proxy which --trust-proxy does not name is nobody's".to_owned())
        }
        Source::Connection | Source::TrustedProxy if allowed.iter().any(|network| network.contains(address)) => Ok(()),
        Source::Connection | Source::TrustedProxy => {
            Err(format!("or start the server with --metrics-allow {address}, which lets this address read without one"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn whom_the_operator_named_may_read_and_others_are_told_how() {
        let named: Vec<Network> = ["192.0.2.0/24", "127.0.0.1"].map(|text| text.parse().expect("a network")).into();
        let may = |address: &str, source| {
            let ip = address.parse().expect("an address");
            may_read(&Client { address: SocketAddr::new(ip, 5000), scheme: None, source }, &named)
        };
        assert_eq!(may("192.0.2.5", Source::Connection), Ok(()));
        assert_eq!(may("192.0.2.5", Source::TrustedProxy), Ok(()));
        assert_eq!(may("127.0.0.1", Source::Connection), Ok(()));
        let refusal = may("127.0.0.2", Source::Connection).expect_err("loopback is nobody by itself");
        assert!(refusal.contains("--metrics-allow 127.0.0.2"), "{refusal}");
        let refusal = may("127.0.0.1", Source::Unknown).expect_err("speaks for somebody else");
        assert!(refusal.contains("--trust-proxy"), "{refusal}");
    }
}
