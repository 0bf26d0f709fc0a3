//! Bounds that several parts of the network share.

use std::time::Duration;

/// Time limit of the TLS handshake, and of the head of each request.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest request head in bytes, the smallest limit that hyper allows; a longer one is answered with 431.
pub const HEAD_MAX: usize = 16 * 1024;

/// Connections accepted beyond the configured maximum, so that a page can learn why it cannot play: a script can read the close code
/// of a WebSocket but not the status of a refused handshake.
pub const SPARE_CONNECTIONS: usize = 32;

/// Total lifetime of a connection that is accepted only to be rejected, because no descriptors are left.
pub(crate) const REJECTION_TIMEOUT: Duration = Duration::from_secs(2);
