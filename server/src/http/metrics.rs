//! `GET /metrics`, for the operator and for the addresses in `--metrics-allow`.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Response};

use super::{UNTRUSTED_PROXY, not_the_operator};
use crate::app::App;
use crate::metrics::MEDIA_TYPE;
use crate::network::Network;
use crate::operator::PresentedToken;
use crate::requester::{AddressSource, Requester};

/// Serves the metrics, or 401 with the way to get access.
pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
) -> Response {
    let presented = app.operator.presented(&headers);
    let is_operator = presented == PresentedToken::Valid && requester.source != AddressSource::Unknown;
    if !is_operator && let Err(way_out) = may_read(&requester, &app.config.metrics_allow) {
        return not_the_operator(presented, &way_out);
    }
    ([(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")], app.metrics.encode()).into_response()
}

/// Whether this address may read the metrics without a token; if not, how to allow it.
fn may_read(requester: &Requester, allowed: &[Network]) -> Result<(), String> {
    let address = requester.address.ip();
    match requester.source {
        AddressSource::Unknown => Err(UNTRUSTED_PROXY.to_owned()),
        AddressSource::Connection | AddressSource::TrustedProxy
            if allowed.iter().any(|network| network.contains(address)) =>
        {
            Ok(())
        }
        AddressSource::Connection | AddressSource::TrustedProxy => {
            Err(format!("or start the server with --metrics-allow {address}, so that this address needs none"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn allowed_addresses_may_read_and_others_learn_how() {
        let named: Vec<Network> = ["192.0.2.0/24", "127.0.0.1"].map(|text| text.parse().expect("a network")).into();
        let may = |address: &str, source| {
            let ip = address.parse().expect("an address");
            may_read(&Requester { address: SocketAddr::new(ip, 5000), scheme: None, source }, &named)
        };
        assert_eq!(may("192.0.2.5", AddressSource::Connection), Ok(()));
        assert_eq!(may("192.0.2.5", AddressSource::TrustedProxy), Ok(()));
        assert_eq!(may("127.0.0.1", AddressSource::Connection), Ok(()));
        let refusal = may("127.0.0.2", AddressSource::Connection).expect_err("loopback has no special access");
        assert!(refusal.contains("--metrics-allow 127.0.0.2"), "{refusal}");
        let refusal = may("127.0.0.1", AddressSource::Unknown).expect_err("forwarded by an untrusted proxy");
        assert!(refusal.contains("--trust-proxy"), "{refusal}");
    }
}
