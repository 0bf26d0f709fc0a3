//! Security headers that every HTTP response carries.

use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// No content sniffing, no framing, no loading by other origins, no referrer to other sites, and no browser feature that the game
/// does not use.
const ALWAYS: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(self), serial=(), usb=(), \
         xr-spatial-tracking=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // For browsers that do not know `frame-ancestors`.
    (X_FRAME_OPTIONS, "DENY"),
];

/// The content security policy of every response that is not a page: nothing may load or run in it.
pub(crate) const NO_PAGE: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'";

/// Middleware that completes the headers of a response.
pub(crate) async fn add(mut response: Response) -> Response {
    // A browser neither shows, loads nor caches a switch of protocols.
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        complete(response.headers_mut());
    }
    response
}

/// Adds the headers. A content security policy that is already set stays.
pub(crate) fn complete(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NO_PAGE));
    // A page that some sites may frame: `X-Frame-Options` cannot name them.
    if !policy.to_str().is_ok_and(|policy| policy.contains("frame-ancestors 'none'")) {
        headers.remove(X_FRAME_OPTIONS);
    }
}
