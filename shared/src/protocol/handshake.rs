//! The WebSocket handshake as the server saw and answered it, for developers: a script in a browser cannot read it.

use serde::{Deserialize, Serialize};

/// Headers kept of each team; the rest is left out.
pub const HEADERS_MAX: usize = 32;
/// Characters kept of each header's value, and of the request line.
pub const VALUE_CHARS_MAX: usize = 256;

/// A request, and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Handshake {
    /// The request line, such as `GET /ws?wire=1 HTTP/1.1`.
    pub request: String,
    /// Its headers, at most [`HEADERS_MAX`]. The values of cookies and of what proves who somebody is are left out.
    pub asked: Vec<(String, String)>,
    /// The status line, such as `HTTP/1.1 101 Switching Protocols`.
    pub response: String,
    /// Its headers, at most [`HEADERS_MAX`].
    pub answered: Vec<(String, String)>,
}
