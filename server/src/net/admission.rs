//! Admission of connections: counts them in total and per address, and decides on each of their requests.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broadside_core::bucket::Bucket;
use broadside_core::commands::Hold;

use super::bounds::SPARE_CONNECTIONS;
use crate::app::App;
use crate::limits::admission::{Admission, RETRY_AFTER_S};
use crate::limits::counted_as;
use crate::limits::holds::TooMuch;
use crate::limits::rates::Rate;
use crate::metrics::labels::AddressLimit;

/// Attempts to take a slot among the half-open connections of an address, and the pause between two.
const ATTEMPTS: u32 = 25;
const ATTEMPT_EVERY: Duration = Duration::from_millis(20);

/// Counts a connection as open, in total and for its address, until it is dropped.
pub struct ConnectionGuard {
    app: Arc<App>,
    counted: Mutex<CountedConnection>,
}

struct CountedConnection {
    /// The address that the connection counts for; behind a proxy, that of the newest request. `None` before the first one.
    address: Option<IpAddr>,
    _hold: Hold,
    half_open: Hold,
    admission: Admission,
    requests: Bucket,
    of_proxy: bool,
}

/// Why a connection is closed before its first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    ServerFull,
    TooManyFromAddress,
}

impl ConnectionGuard {
    /// Counts a connection from `peer`.
    ///
    /// # Errors
    /// The server, or the address, has so many connections that not even the spare ones for rejections are left.
    pub(crate) fn new(app: &Arc<App>, peer: IpAddr, descriptor: Descriptor) -> Result<Self, Rejection> {
        let open = app.connections.fetch_add(1, Ordering::AcqRel) + 1;
        app.metrics.connections.inc();
        let counted = CountedConnection {
            address: None,
            _hold: Hold::default(),
            half_open: Hold::default(),
            admission: if descriptor == Descriptor::FromReserve { Admission::OutOfFiles } else { Admission::Granted },
            requests: Rate::REQUESTS.bucket(app.lobby.context.clock.now()),
            of_proxy: is_proxy(app, peer),
        };
        // From here on, dropping the guard uncounts the connection.
        let guard = ConnectionGuard { app: Arc::clone(app), counted: Mutex::new(counted) };
        if open > app.connections_max + SPARE_CONNECTIONS {
            return Err(Rejection::ServerFull);
        }
        // A proxy connects for many clients: each request names its own.
        if !is_proxy(app, peer) {
            guard.count(&mut guard.lock(), peer)?;
        }
        Ok(guard)
    }

    /// Counts a connection that another server has passed on, for its client's address.
    ///
    /// # Errors
    /// As [`ConnectionGuard::new`].
    pub(crate) fn passed(app: &Arc<App>, client: IpAddr) -> Result<Self, Rejection> {
        let guard = ConnectionGuard::new(app, client, Descriptor::Available)?;
        let is_counted = guard.lock().address.is_some();
        if !is_counted {
            guard.count(&mut guard.lock(), client)?;
        }
        Ok(guard)
    }

    fn lock(&self) -> MutexGuard<'_, CountedConnection> {
        // Nothing panics while the lock is held.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the connection among those of `peer` that have sent no request yet. In a burst, waits for the first ones to send theirs.
    ///
    /// # Errors
    /// No slot became free in time.
    pub(crate) async fn start(&self, peer: IpAddr) -> Result<(), Rejection> {
        if is_proxy(&self.app, peer) {
            return Ok(());
        }
        let limits = &self.app.lobby.context.limits;
        for _ in 0..ATTEMPTS {
            if let Ok(half_open) = limits.take(peer, &[limits.caps().half_open()]) {
                self.lock().half_open = half_open;
                return Ok(());
            }
            tokio::time::sleep(ATTEMPT_EVERY).await;
        }
        self.app.lobby.context.refused(peer, AddressLimit::HalfOpen);
        Err(Rejection::TooManyFromAddress)
    }

    /// Counts the connection for this address, and no longer for another one.
    fn count(&self, counted: &mut CountedConnection, address: IpAddr) -> Result<(), Rejection> {
        let limits = &self.app.lobby.context.limits;
        counted.address = Some(counted_as(address));
        counted._hold = Hold::default();
        let taken = limits.take(address, &[limits.caps().connection()]).or_else(|TooMuch(what)| {
            self.app.lobby.context.refused(address, what.label());
            counted.admission = Admission::TooManyFromAddress(RETRY_AFTER_S);
            limits.take(address, &[limits.caps().rejected()])
        });
        counted._hold = taken.map_err(|_| Rejection::TooManyFromAddress)?;
        Ok(())
    }

    /// Decides on a request from `address` whose head has been read.
    pub(crate) fn admit(&self, address: IpAddr) -> Admission {
        let mut counted = self.lock();
        counted.half_open = Hold::default();
        if counted.address != Some(counted_as(address)) {
            // A proxy reuses a connection: a refusal of one client does not apply to the next.
            if let Admission::TooManyFromAddress(_) = counted.admission {
                counted.admission = Admission::Granted;
            }
            // Even if no slot for rejected connections is left, refuse with a response: the proxy keeps the connection.
            let _ = self.count(&mut counted, address);
        }
        if counted.admission == Admission::Granted && !self.app.lobby.context.limits.is_exempt(address) {
            let now = self.app.lobby.context.clock.now();
            // A proxy connection carries many clients: the rate applies to each of their addresses, not to the connection.
            let connection_rate = match counted.of_proxy {
                true => Ok(()),
                false => counted.requests.take(now).map_err(|us| us.div_ceil(1_000_000)),
            };
            if let Err(wait_s) = connection_rate.and_then(|()| self.app.requests.take(address, 1, now)) {
                self.app.lobby.context.refused(address, AddressLimit::Requests);
                return Admission::TooManyFromAddress(wait_s);
            }
        }
        counted.admission
    }
}

fn is_proxy(app: &App, peer: IpAddr) -> bool {
    app.config.trust_proxy.iter().any(|proxy| proxy.contains(peer))
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.app.connections.fetch_sub(1, Ordering::AcqRel);
        self.app.metrics.connections.dec();
    }
}

/// Which file descriptor an accepted connection uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descriptor {
    Available,
    /// The process is out of descriptors; the connection uses one from the reserve and has to be rejected.
    FromReserve,
}
