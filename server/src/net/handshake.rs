//! What is kept of a handshake for who asks for it with `/ws?wire=1`.

use broadside_shared::protocol::handshake::{HEADERS_MAX, Handshake, VALUE_CHARS_MAX};
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, StatusCode, Uri};

/// The query by which a connection asks for its handshake to be kept.
const QUERY: &str = "wire=1";

/// Begins a record of a request, if it asks for one.
#[must_use]
pub fn record(uri: &Uri, headers: &HeaderMap) -> Option<Box<Handshake>> {
    uri.query().is_some_and(|query| query.split('&').any(|part| part == QUERY)).then(|| {
        let request = cut(&format!("GET {uri} HTTP/1.1"));
        Box::new(Handshake { request, asked: list(headers), ..Handshake::default() })
    })
}

/// Adds the answer to a record.
pub fn answer(record: &mut Handshake, status: StatusCode, headers: &HeaderMap) {
    record.response = format!("HTTP/1.1 {} {}", status.as_u16(), status.canonical_reason().unwrap_or(""));
    record.answered = list(headers);
}

fn list(headers: &HeaderMap) -> Vec<(String, String)> {
    let secret = [COOKIE, AUTHORIZATION, PROXY_AUTHORIZATION];
    let shown = headers.iter().take(HEADERS_MAX).map(|(name, value)| {
        let value = match value.to_str() {
            _ if secret.contains(name) => "(left out)".to_owned(),
            Ok(value) => cut(value),
            Err(_) => "(not text)".to_owned(),
        };
        (name.to_string(), value)
    });
    shown.collect()
}

fn cut(text: &str) -> String {
    text.chars().take(VALUE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_record_is_kept_for_who_asks_and_holds_no_secrets() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("game.example"));
        headers.insert("cookie", HeaderValue::from_static("session=secret"));
        headers.insert("authorization", HeaderValue::from_static("Basic secret"));
        headers.insert("user-agent", HeaderValue::from_str(&"x".repeat(1000)).expect("fine"));
        assert_eq!(record(&Uri::from_static("/ws"), &headers), None);
        assert_eq!(record(&Uri::from_static("/ws?wire=12"), &headers), None);
        let mut kept = record(&Uri::from_static("/ws?a=b&wire=1"), &headers).expect("asked for");
        answer(&mut kept, StatusCode::SWITCHING_PROTOCOLS, &HeaderMap::new());
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
