//! The WebSocket handshake as the server received and answered it, for developers: a script in a browser cannot read
//! it.

use serde::{Deserialize, Serialize};

/// Headers kept of the request and of the response; the rest is left out.
pub const HEADERS_MAX: usize = 32;
/// Characters kept of each header's value, and of the request line.
pub const VALUE_CHARS_MAX: usize = 256;

/// A request and its response.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Handshake {
    /// The request line, such as `GET /ws?wire=1 HTTP/1.1`.
    pub request: String,
    /// Its headers, at most [`HEADERS_MAX`], without the values of cookies and credentials.
    pub asked: Vec<(String, String)>,
    /// The status line, such as `HTTP/1.1 101 Switching Protocols`.
    pub response: String,
    /// Its headers, at most [`HEADERS_MAX`].
    pub answered: Vec<(String, String)>,
}
