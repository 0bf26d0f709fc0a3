//! Limits the memory of HTTP responses in flight, in total and per address. Beyond the limits downloads are refused, so that memory
//! remains for play.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use broadside_core::commands::Hold;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::holds::AddressLimits;
use crate::problem::problem;

/// Maximum of all responses in flight, in KiB: 32 MiB.
const TOTAL_KIB: usize = 32 * 1024;
/// A body up to this number of bytes is not counted, so that health and refusals always get through. One connection may queue many of
/// them: as many as its request rate allows, since requests are read while responses wait.
const FREE_MAX: usize = 1024;
/// Maximum count in bytes for a body that only references bytes which the server holds anyway, such as a file: the buffers of its
/// connection.
const SHARED_MAX: usize = 16 * 1024;

/// The responses in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    kib: Arc<Semaphore>,
}

impl Default for InFlight {
    fn default() -> Self {
        InFlight { kib: Arc::new(Semaphore::new(TOTAL_KIB)) }
    }
}

/// Bytes of a response with their share of the limits; released when the last byte is written or the connection ends.
struct Charged {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
    _hold: Hold,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The limit that a response would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InFlightLimit {
    /// That of the server.
    Server,
    /// That of the address.
    Address,
}

impl InFlight {
    /// Counts a response until it is written.
    ///
    /// # Errors
    /// The limit that the response would exceed.
    pub(crate) async fn charge(
        &self,
        response: Response,
        address: IpAddr,
        limits: &Arc<AddressLimits>,
    ) -> Result<Response, InFlightLimit> {
        if response.body().size_hint().upper().is_some_and(|bytes| bytes <= FREE_MAX as u64) {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        // All bodies of this server are in memory: this neither waits nor copies.
        let bytes = to_bytes(body, TOTAL_KIB * 1024).await.map_err(|_| InFlightLimit::Server)?;
        let kib = charged_bytes(&bytes).div_ceil(1024);
        let want = limits.caps().in_flight(kib, TOTAL_KIB);
        let hold = limits.take(address, &[want]).map_err(|_| InFlightLimit::Address)?;
        let permit = u32::try_from(kib).ok().and_then(|kib| Arc::clone(&self.kib).try_acquire_many_owned(kib).ok());
        let permit = permit.ok_or(InFlightLimit::Server)?;
        let charged = Bytes::from_owner(Charged { bytes, _permit: permit, _hold: hold });
        Ok(Response::from_parts(head, Body::from(charged)))
    }
}

fn charged_bytes(bytes: &Bytes) -> usize {
    if bytes.is_unique() { bytes.len() } else { bytes.len().min(SHARED_MAX) }
}

impl IntoResponse for InFlightLimit {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            InFlightLimit::Server => {
                (StatusCode::SERVICE_UNAVAILABLE, "too many downloads at once; try again in a moment")
            }
            InFlightLimit::Address => {
                (StatusCode::TOO_MANY_REQUESTS, "too many downloads to your address at once; try again in a moment")
            }
        };
        let mut response = problem(status, detail);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::holds::Caps;

    const MIB: usize = 1024 * 1024;

    async fn charge(
        in_flight: &InFlight,
        limits: &Arc<AddressLimits>,
        from: u8,
        body: Bytes,
    ) -> Result<Response, InFlightLimit> {
        let response = Body::from(body).into_response();
        in_flight.charge(response, IpAddr::from([192, 0, 2, from]), limits).await
    }

    #[tokio::test]
    async fn unread_responses_are_bounded_and_written_ones_free_memory() {
        let limits = Arc::new(AddressLimits::new(Caps::new(64, 10_000, 100), Vec::new()));
        let in_flight = InFlight::default();
        let mut waiting = Vec::new();
        // Each address gets a quarter: 8 MiB.
        for from in 0..4 {
            for _ in 0..8 {
                waiting.push(charge(&in_flight, &limits, from, vec![7; MIB].into()).await.expect("within the limits"));
            }
            let more = charge(&in_flight, &limits, from, vec![7; MIB].into()).await;
            assert_eq!(more.map(drop), Err(InFlightLimit::Address));
        }
        assert_eq!(charge(&in_flight, &limits, 5, vec![7; MIB].into()).await.map(drop), Err(InFlightLimit::Server));
        let small = charge(&in_flight, &limits, 5, vec![7; FREE_MAX].into()).await;
        small.expect("a small response always gets through");
        let first = waiting.swap_remove(0);
        let bytes = to_bytes(first.into_body(), usize::MAX).await.expect("a whole body");
        assert_eq!(bytes.len(), MIB);
        assert!(charge(&in_flight, &limits, 5, vec![7; MIB].into()).await.is_err(), "its bytes are still in memory");
        drop(bytes);
        charge(&in_flight, &limits, 5, vec![7; MIB].into()).await.expect("memory is free again");
    }

    #[tokio::test]
    async fn a_file_in_memory_counts_only_the_buffers_of_its_connection() {
        let limits = Arc::new(AddressLimits::new(Caps::new(64, 10_000, 100), Vec::new()));
        let (in_flight, file) = (InFlight::default(), Bytes::from(vec![7; 2 * MIB]));
        let mut waiting = Vec::new();
        for _ in 0..512 {
            waiting.push(charge(&in_flight, &limits, 1, file.clone()).await.expect("within the limits"));
        }
        assert_eq!(charge(&in_flight, &limits, 1, file.clone()).await.map(drop), Err(InFlightLimit::Address));
        waiting.push(charge(&in_flight, &limits, 2, file.clone()).await.expect("another address has its own share"));
    }
}
