//! Answers over HTTP on their way, as far as they take memory: so many bytes in all, and a share of them for one address. Beyond, downloads
//! are refused, so that there is always room to play.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem;
use crate::limits::holds::AddressLimits;
use broadside_core::commands::Hold;

/// Kibibytes on their way at the most: 32 MiB.
const TOTAL_KIB: usize = 32 * 1024;
/// A body up to so many bytes is free, so that health and refusals are always told. Many of them may wait in one connection: as many as it
/// may ask for, since requests are read while answers wait.
const FREE_MAX: usize = 1024;
/// What a body takes at the most that is a reference to bytes the server has anyway, such as a file: what the connection holds beside it.
const SHARED_MAX: usize = 16 * 1024;

/// What is on its way.
#[derive(Debug)]
pub struct InFlight {
    kib: Arc<Semaphore>,
}

impl Default for InFlight {
    fn default() -> Self {
        InFlight { kib: Arc::new(Semaphore::new(TOTAL_KIB)) }
    }
}

/// Bytes of an answer, and their places in the counts: given back when the last of them is written, or their connection is gone.
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

/// Why an answer is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too much is on its way.
    Server,
    /// Too much is on its way to this address.
    Address,
}

impl InFlight {
    /// The same answer, counted until it is written.
    ///
    /// # Errors
    /// When it would be too much, of the server or of this address.
    pub async fn charge(
        &self,
        answer: Response,
        address: IpAddr,
        limits: &Arc<AddressLimits>,
    ) -> Result<Response, Refused> {
        if answer.body().size_hint().upper().is_some_and(|bytes| bytes <= FREE_MAX as u64) {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        // All of ours are in memory: this collects nothing and copies nothing.
        let bytes = to_bytes(body, TOTAL_KIB * 1024).await.map_err(|_| Refused::Server)?;
        let kib = weight(&bytes).div_ceil(1024);
        let want = limits.caps().in_flight(kib, TOTAL_KIB);
        let hold = limits.take(address, &[want]).map_err(|_| Refused::Address)?;
        let permit = u32::try_from(kib).ok().and_then(|kib| Arc::clone(&self.kib).try_acquire_many_owned(kib).ok());
        let permit = permit.ok_or(Refused::Server)?;
        let charged = Bytes::from_owner(Charged { bytes, _permit: permit, _hold: hold });
        Ok(Response::from_parts(head, Body::from(charged)))
    }
}

fn weight(bytes: &Bytes) -> usize {
    if bytes.is_unique() { bytes.len() } else { bytes.len().min(SHARED_MAX) }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Refused::Server => (StatusCode::SERVICE_UNAVAILABLE, "too many downloads at once; try again in a moment"),
            Refused::Address => {
                (StatusCode::TOO_MANY_REQUESTS, "too many downloads to your address at once; try again in a moment")
            }
        };
        let mut answer = problem(status, detail);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
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
    ) -> Result<Response, Refused> {
        let answer = Body::from(body).into_response();
        in_flight.charge(answer, IpAddr::from([192, 0, 2, from]), limits).await
    }

    #[tokio::test]
    async fn answers_that_nobody_takes_are_bounded_and_what_is_written_makes_room() {
        let limits = Arc::new(AddressLimits::new(Caps::new(64, 10_000, 100), Vec::new()));
        let in_flight = InFlight::default();
        let mut waiting = Vec::new();
        // Each address has a quarter: 8 MiB.
        for from in 0..4 {
            for _ in 0..8 {
                waiting.push(charge(&in_flight, &limits, from, vec![7; MIB].into()).await.expect("room for it"));
            }
            let more = charge(&in_flight, &limits, from, vec![7; MIB].into()).await;
            assert_eq!(more.map(drop), Err(Refused::Address));
        }
        assert_eq!(charge(&in_flight, &limits, 5, vec![7; MIB].into()).await.map(drop), Err(Refused::Server));
        let small = charge(&in_flight, &limits, 5, vec![7; FREE_MAX].into()).await;
        small.expect("a small answer is always given");
        let first = waiting.swap_remove(0);
        let bytes = to_bytes(first.into_body(), usize::MAX).await.expect("a whole body");
        assert_eq!(bytes.len(), MIB);
        assert!(charge(&in_flight, &limits, 5, vec![7; MIB].into()).await.is_err(), "its bytes are still there");
        drop(bytes);
        charge(&in_flight, &limits, 5, vec![7; MIB].into()).await.expect("there is room again");
    }

    #[tokio::test]
    async fn a_file_that_is_in_memory_anyway_counts_as_what_its_connection_holds() {
        let limits = Arc::new(AddressLimits::new(Caps::new(64, 10_000, 100), Vec::new()));
        let (in_flight, file) = (InFlight::default(), Bytes::from(vec![7; 2 * MIB]));
        let mut waiting = Vec::new();
        for _ in 0..512 {
            waiting.push(charge(&in_flight, &limits, 1, file.clone()).await.expect("room for it"));
        }
        assert_eq!(charge(&in_flight, &limits, 1, file.clone()).await.map(drop), Err(Refused::Address));
        waiting.push(charge(&in_flight, &limits, 2, file.clone()).await.expect("room for another address"));
    }
}
