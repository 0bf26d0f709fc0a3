//! JSON with a tag, which a client does not download again while it stays the same.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::super::store::StoredFile;

/// Whose answer it is, and so who may keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everyone's: caches on the way may keep it for five seconds.
    Everyone,
    /// That of one account: only its browser keeps it, and asks again each time.
    Account,
}

/// A value as JSON, with its tag.
///
/// # Panics
/// Never: the API's views always serialize.
pub(crate) fn json(value: &impl Serialize) -> Arc<StoredFile> {
    Arc::new(StoredFile::new(serde_json::to_vec(value).expect("a view always serializes").into()))
}

/// The response to a request for this JSON: all of it, or 304.
pub(crate) fn tagged(request: &HeaderMap, json: &StoredFile, audience: Audience) -> Response {
    let mut response = json.response(request, &[]);
    if !matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED) {
        return response;
    }
    let cached = match audience {
        Audience::Everyone => "public, max-age=5",
        Audience::Account => "private, no-cache",
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    // What a cache has for everyone is not for somebody who is signed in.
    headers.insert(VARY, HeaderValue::from_static("cookie"));
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}
