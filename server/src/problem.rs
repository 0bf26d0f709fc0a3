//! Refusals as problem details (RFC 9457), both as an axum response and as raw bytes for connections without an HTTP server.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::security_headers;

/// The media type of problem details.
const PROBLEM_TYPE: &str = "application/problem+json";

/// An error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The reason phrase of the status.
    title: String,
    /// The HTTP status code.
    status: u16,
    /// What is wrong, and how to fix it.
    detail: String,
    /// Which of the reasons for this status, for programs; absent where there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, detail: &str, code: Option<&'static str>) -> Problem {
        let title = status.canonical_reason().unwrap_or("error").to_owned();
        Problem { title, status: status.as_u16(), detail: detail.to_owned(), code }
    }
}

pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    respond(status, Problem::new(status, detail, None))
}

/// A problem that a program tells from others with the same status.
pub(crate) fn coded_problem(status: StatusCode, code: &'static str, detail: &str) -> Response {
    respond(status, Problem::new(status, detail, Some(code)))
}

fn respond(status: StatusCode, problem: Problem) -> Response {
    let mut response = (status, Json(problem)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
    // Caches may store some of these statuses unless told otherwise (RFC 9110, section 15.1).
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A whole HTTP/1.1 response for a connection on which no HTTP server runs; it says that the connection closes after it.
pub(crate) fn raw_problem(status: StatusCode, detail: &str, more: &[(HeaderName, &'static str)]) -> Vec<u8> {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(more.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
    security_headers::complete(&mut headers);
    // Strings and a number always serialize.
    let body = serde_json::to_vec(&Problem::new(status, detail, None)).unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in &headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    [bytes, b"\r\n".to_vec(), body].concat()
}
