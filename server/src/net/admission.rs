//! TeamLabel is let in: a connection's place among all and among those of its address, and what each of its requests is told.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderValue, RETRY_AFTER};
use axum::response::Response;
use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;

use super::listener::SPARE_CONNECTIONS;
use crate::app::App;
use crate::http::problem;
use crate::limits::counted_as;
use crate::limits::holds::TooMuch;
use crate::limits::rates::Rate;
use crate::metrics::labels::AddressLimit;
use broadside_core::bucket::Bucket;
use broadside_core::commands::Hold;

/// Seconds after which somebody who was refused may try again.
const TRY_AGAIN_S: u64 = 10;
/// Looks at whether there is a place among the half-open connections of an address, and the time between two.
const LOOKS: u32 = 25;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether somebody may stay. A request whose answer is no carries this as an extension to the WebSocket's handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They may.
    Welcome,
    /// Their address has, or asks for, more than one may; they may try again in so many seconds.
    TooMany(u64),
    /// There is no file left for one more connection.
    NoFiles,
}

impl Verdict {
    /// The code to close a WebSocket with; `None` for who may stay.
    #[must_use]
    pub fn code(self) -> Option<CloseCode> {
        match self {
            Verdict::Welcome => None,
            Verdict::TooMany(_) => Some(CloseCode::TooManyFromAddress),
            Verdict::NoFiles => Some(CloseCode::ServerFull),
        }
    }

    /// What anything but a WebSocket is answered; `None` for who may stay. It is the last answer of its connection.
    #[must_use]
    pub fn refusal(self) -> Option<Response> {
        let (status, wait_s, detail) = match self {
            Verdict::Welcome => return None,
            Verdict::TooMany(wait_s) => {
                let detail = format!(
                    "too many connections or requests from your address; close other tabs, or try again in {wait_s} s"
                );
                (StatusCode::TOO_MANY_REQUESTS, wait_s, detail)
            }
            Verdict::NoFiles => (StatusCode::SERVICE_UNAVAILABLE, TRY_AGAIN_S, "server is full; try again".to_owned()),
        };
        let mut response = problem(status, &detail);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, wait_s.into());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }
}

/// A connection's place in the count of open ones, and among those of its address.
pub struct Guard<G: Game> {
    app: Arc<App<G>>,
    place: Mutex<Membership>,
}

struct Membership {
    /// Whose the connection is: behind a proxy, whose the newest request is. `None` before the first of those.
    address: Option<IpAddr>,
    _hold: Hold,
    half_open: Hold,
    verdict: Verdict,
    requests: Bucket,
    of_proxy: bool,
}

/// Why a connection is not even let in to be told why it may not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedAway {
    /// There are too many in all.
    ServerFull,
    /// There are too many of its address.
    TooManyFromAddress,
}

impl<G: Game> Guard<G> {
    /// Takes a place for a connection from `peer`; `files` says whether there is a file for it.
    ///
    /// # Errors
    /// When there are so many already, in all or of this address, that it is not let in to be told so.
    pub fn new(app: &Arc<App<G>>, peer: IpAddr, files: Files) -> Result<Self, TurnedAway> {
        let open = app.connections.fetch_add(1, Ordering::AcqRel) + 1;
        app.metrics.connections.inc();
        let place = Membership {
            address: None,
            _hold: Hold::default(),
            half_open: Hold::default(),
            verdict: if files == Files::RunOut { Verdict::NoFiles } else { Verdict::Welcome },
            requests: Rate::REQUESTS.bucket(app.lobby.context.clock.now()),
            of_proxy: is_proxy(app, peer),
        };
        // From here on it is taken out of the count when dropped.
        let guard = Guard { app: Arc::clone(app), place: Mutex::new(place) };
        if open > app.connections_max + SPARE_CONNECTIONS {
            return Err(TurnedAway::ServerFull);
        }
        // A proxy speaks for many: whose a connection of its is, its requests say.
        if !is_proxy(app, peer) {
            guard.count(&mut guard.lock(), peer)?;
        }
        Ok(guard)
    }

    fn lock(&self) -> MutexGuard<'_, Membership> {
        // Nothing panics while it is held.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place among the connections of `peer` that have asked for nothing yet. Where many come in one rush the first of them have asked in
    /// a moment: the others wait for that.
    ///
    /// # Errors
    /// When they have not.
    pub async fn begin(&self, peer: IpAddr) -> Result<(), TurnedAway> {
        if is_proxy(&self.app, peer) {
            return Ok(());
        }
        let limits = &self.app.lobby.context.limits;
        for _ in 0..LOOKS {
            if let Ok(half_open) = limits.take(peer, &[limits.caps().half_open()]) {
                self.lock().half_open = half_open;
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.app.lobby.context.refused(peer, AddressLimit::HalfOpen);
        Err(TurnedAway::TooManyFromAddress)
    }

    /// Counts the connection as one of this address, and as none of another one.
    fn count(&self, place: &mut Membership, address: IpAddr) -> Result<(), TurnedAway> {
        let limits = &self.app.lobby.context.limits;
        place.address = Some(counted_as(address));
        place._hold = Hold::default();
        let taken = limits.take(address, &[limits.caps().connection()]).or_else(|TooMuch(what)| {
            self.app.lobby.context.refused(address, what.label());
            place.verdict = Verdict::TooMany(TRY_AGAIN_S);
            limits.take(address, &[limits.caps().told()])
        });
        place._hold = taken.map_err(|_| TurnedAway::TooManyFromAddress)?;
        Ok(())
    }

    /// Judges a request that came from `address`, whose head is there by now.
    pub fn judge(&self, address: IpAddr) -> Verdict {
        let mut place = self.lock();
        place.half_open = Hold::default();
        if place.address != Some(counted_as(address)) {
            // One client of a proxy is refused, and the next that comes the same way may be welcome.
            if let Verdict::TooMany(_) = place.verdict {
                place.verdict = Verdict::Welcome;
            }
            // Too many of those that are only told: told all the same, since the proxy keeps the connection.
            let _ = self.count(&mut place, address);
        }
        if place.verdict == Verdict::Welcome && !self.app.lobby.context.limits.is_exempt(address) {
            let now = self.app.lobby.context.clock.now();
            // A connection of a proxy carries many clients: only each of their addresses has its rate.
            let of_connection = match place.of_proxy {
                true => Ok(()),
                false => place.requests.take(now).map_err(|us| us.div_ceil(1_000_000)),
            };
            if let Err(wait_s) = of_connection.and_then(|()| self.app.requests.take(address, 1, now)) {
                self.app.lobby.context.refused(address, AddressLimit::Requests);
                return Verdict::TooMany(wait_s);
            }
        }
        place.verdict
    }
}

fn is_proxy<G: Game>(app: &App<G>, peer: IpAddr) -> bool {
    app.config.trust_proxy.iter().any(|proxy| proxy.contains(peer))
}

impl<G: Game> Drop for Guard<G> {
    fn drop(&mut self) {
        self.app.connections.fetch_sub(1, Ordering::AcqRel);
        self.app.metrics.connections.dec();
    }
}

/// Whether there was a file for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// There was.
    Enough,
    /// It has one of those held in reserve.
    RunOut,
}
