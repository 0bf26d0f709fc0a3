//! Records the handshake of a connection to `/ws?wire=1`, for the developer page that shows it.

use broadside_shared::protocol::handshake::{HEADERS_MAX, Handshake, VALUE_CHARS_MAX};
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, StatusCode, Uri};

/// The query parameter that requests a record.
const QUERY: &str = "wire=1";

/// Starts a record of a request, if the request asks for one.
pub(crate) fn record(uri: &Uri, headers: &HeaderMap) -> Option<Box<Handshake>> {
    uri.query().is_some_and(|query| query.split('&').any(|part| part == QUERY)).then(|| {
        let request = truncate(&format!("GET {uri} HTTP/1.1"));
        Box::new(Handshake { request, asked: list(headers), ..Handshake::default() })
    })
}

/// Adds the response to a record.
pub(crate) fn add_response(record: &mut Handshake, status: StatusCode, headers: &HeaderMap) {
    record.response = format!("HTTP/1.1 {} {}", status.as_u16(), status.canonical_reason().unwrap_or(""));
    record.answered = list(headers);
}

fn list(headers: &HeaderMap) -> Vec<(String, String)> {
    let secret = [COOKIE, AUTHORIZATION, PROXY_AUTHORIZATION];
    let shown = headers.iter().take(HEADERS_MAX).map(|(name, value)| {
        let value = match value.to_str() {
            _ if secret.contains(name) => "(left out)".to_owned(),
            Ok(value) => truncate(value),
            Err(_) => "(not text)".to_owned(),
        };
        (name.to_string(), value)
    });
    shown.collect()
}

fn truncate(text: &str) -> String {
    text.chars().take(VALUE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_handshake_is_recorded_on_request_and_without_secrets() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("game.example"));
        headers.insert("cookie", HeaderValue::from_static("session=secret"));
        headers.insert("authorization", HeaderValue::from_static("Basic secret"));
        headers.insert("user-agent", HeaderValue::from_str(&"x".repeat(1000)).expect("fine"));
        assert_eq!(record(&Uri::from_static("/ws"), &headers), None);
        assert_eq!(record(&Uri::from_static("/ws?wire=12"), &headers), None);
        let mut kept = record(&Uri::from_static("/ws?a=b&wire=1"), &headers).expect("asked for");
        add_response(&mut kept, StatusCode::SWITCHING_PROTOCOLS, &HeaderMap::new());
        assert_eq!(kept.response, "HTTP/1.1 101 Switching Protocols");
        assert!(kept.asked.contains(&("host".into(), "game.example".into())));
        assert!(!format!("{kept:?}").contains("secret"));
        assert!(kept.asked.iter().all(|(_, value)| value.len() <= VALUE_CHARS_MAX));
        for n in 0..100 {
            headers.insert(http::HeaderName::try_from(format!("x-{n}")).expect("fine"), HeaderValue::from_static("y"));
        }
        assert_eq!(record(&Uri::from_static("/ws?wire=1"), &headers).expect("asked for").asked.len(), HEADERS_MAX);
    }
}
