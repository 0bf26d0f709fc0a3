//! Limits on what one address holds at the same time. [`AddressLimits::take`] counts, dropping the [`Hold`] uncounts, so every exit path
//! of the owner is covered. An address that holds nothing takes no memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadside_core::admission::join_queue::WAITING_MAX;
use broadside_core::admission::reservations::RESERVED_MAX;
use broadside_core::commands::Hold;
use broadside_core::room::SPECTATORS_MAX;
use broadside_shared::ids::RoomId;
use broadside_shared::time::MonoTime;

use super::counted_as;
use crate::metrics::labels::AddressLimit;
use crate::network::Network;

/// One address gets at most one in `PARTS` of any total; the rest stays free for other addresses.
const PARTS: usize = 4;
/// Connections that a browser needs for one page: six for its files, one WebSocket, and one speculative.
const ONE_BROWSER: usize = 8;
/// Connections beyond its limit that an address may have at the same time; each gets one refusal and ends.
const REJECTED_MAX: usize = 8;
/// Minimum interval between log lines about refused addresses, in microseconds.
const LOG_EVERY_US: u64 = 10_000_000;

/// What an address can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Open connections, HTTP and WebSocket.
    Connections,
    /// Connections beyond the limit, accepted only to be refused.
    Rejected,
    /// Connections in the TLS handshake, or before the complete head of the first request.
    HalfOpen,
    /// Seats, including parked, reserved and queued ones.
    Seats,
    /// Seats in one room.
    SeatsIn(RoomId),
    /// Seats of lost connections in their grace period.
    ParkedSeats,
    /// Spectators.
    Spectating,
    /// Spectators in one room.
    SpectatingIn(RoomId),
    /// Positions in the join queue of a room.
    InQueue(RoomId),
    /// Reservations in a room.
    Reserved(RoomId),
    /// Rooms opened on demand.
    Rooms,
    /// KiB of HTTP responses in flight.
    InFlightKib,
}

impl What {
    /// The label under which refusals count.
    pub(crate) fn label(self) -> AddressLimit {
        match self {
            What::Connections | What::Rejected => AddressLimit::Connections,
            What::HalfOpen => AddressLimit::HalfOpen,
            What::Seats | What::SeatsIn(_) => AddressLimit::Seats,
            What::ParkedSeats => AddressLimit::ParkedSeats,
            What::Spectating | What::SpectatingIn(_) => AddressLimit::Spectators,
            What::InQueue(_) => AddressLimit::InQueue,
            What::Reserved(_) => AddressLimit::Reserved,
            What::Rooms => AddressLimit::Rooms,
            What::InFlightKib => AddressLimit::InFlight,
        }
    }
}

/// Something that an address wants to hold, with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    /// The resource.
    pub(crate) what: What,
    /// The additional amount.
    pub(crate) count: usize,
    /// Maximum in total, at least 1.
    pub(crate) max: usize,
}

/// Limits per address, derived from the totals of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    connections: usize,
    rooms: usize,
}

impl Caps {
    /// The limits for `per_address` connections per address, with `connections` and `rooms_on_demand` in total.
    pub fn new(per_address: usize, connections: usize, rooms_on_demand: usize) -> Caps {
        let part = share(connections).max(ONE_BROWSER.min(connections / 2));
        let connections = per_address.min(part);
        Caps { connections, rooms: part_of(connections, 4).min(share(rooms_on_demand)) }
    }

    /// One more open connection.
    pub(crate) fn connection(self) -> Want {
        Want { what: What::Connections, count: 1, max: self.connections }
    }

    /// One more connection beyond the limit, to refuse it.
    pub(crate) fn rejected(self) -> Want {
        Want { what: What::Rejected, count: 1, max: REJECTED_MAX }
    }

    /// One more connection before its first request: at most half of all connections.
    pub(crate) fn half_open(self) -> Want {
        Want { what: What::HalfOpen, count: 1, max: part_of(self.connections, 2) }
    }

    /// One more seat of a lost connection: at most a quarter of the connections.
    pub(crate) fn parked_seat(self) -> Want {
        Want { what: What::ParkedSeats, count: 1, max: part_of(self.connections, 4) }
    }

    /// One more seat: in total at most as many as connections and parked seats, in this room at most `max`.
    pub(crate) fn seat(self, room: RoomId, max: usize) -> [Want; 2] {
        let seats = self.connections + self.parked_seat().max;
        [Want { what: What::Seats, count: 1, max: seats }, Want { what: What::SeatsIn(room), count: 1, max }]
    }

    /// One more spectator: in total at most half of the connections, in one room a share of its spectators.
    pub(crate) fn spectator(self, room: RoomId) -> [Want; 2] {
        let max = share(usize::from(SPECTATORS_MAX));
        [
            Want { what: What::Spectating, count: 1, max: part_of(self.connections, 2) },
            Want { what: What::SpectatingIn(room), count: 1, max },
        ]
    }

    /// One more position in the join queue of a room.
    pub(crate) fn in_queue(self, room: RoomId) -> Want {
        Want { what: What::InQueue(room), count: 1, max: share(WAITING_MAX) }
    }

    /// One more reserved seat, which also counts as a seat.
    pub(crate) fn reservation(self, room: RoomId, max: usize) -> [Want; 3] {
        let [seats, in_room] = self.seat(room, max);
        [seats, in_room, Want { what: What::Reserved(room), count: 1, max: share(RESERVED_MAX) }]
    }

    /// One more room opened on demand: at most a quarter of the connections, and a share of all such rooms.
    pub(crate) fn room(self) -> Want {
        Want { what: What::Rooms, count: 1, max: self.rooms }
    }

    /// `kib` more of responses in flight, of `total_kib` in total.
    pub(crate) fn in_flight(self, kib: usize, total_kib: usize) -> Want {
        Want { what: What::InFlightKib, count: kib, max: share(total_kib) }
    }
}

/// The share of `total` for one address: a quarter, at least 1.
pub(crate) fn share(total: usize) -> usize {
    part_of(total, PARTS)
}

fn part_of(total: usize, parts: usize) -> usize {
    (total / parts).max(1)
}

/// An address would exceed its limit of this resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch(pub What);

/// Counts what each address holds.
#[derive(Debug)]
pub struct AddressLimits {
    caps: Caps,
    exempt: Vec<Network>,
    held: Mutex<HashMap<(IpAddr, What), usize>>,
    /// Time of the next log line about a refusal, in microseconds.
    log_at: AtomicU64,
}

impl AddressLimits {
    /// Starts with all counts at 0; addresses in `exempt` have no limits.
    pub fn new(caps: Caps, exempt: Vec<Network>) -> AddressLimits {
        AddressLimits { caps, exempt, held: Mutex::default(), log_at: AtomicU64::new(0) }
    }

    /// The limits per address.
    pub(crate) fn caps(&self) -> Caps {
        self.caps
    }

    /// What every address holds, in no order: for tests of what always holds.
    #[must_use]
    pub fn held(&self) -> Vec<(IpAddr, What, usize)> {
        self.lock().iter().map(|((address, what), count)| (*address, *what, *count)).collect()
    }

    /// Whether an address has no limits.
    pub(crate) fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(address))
    }

    /// Counts all of `wants` for an address, or none.
    ///
    /// # Errors
    /// [`TooMuch`] with the first resource of which the address would exceed its limit.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, wants: &[Want]) -> Result<Hold, TooMuch> {
        if self.is_exempt(address) {
            return Ok(Hold::default());
        }
        let address = counted_as(address);
        let mut held = self.lock();
        for want in wants {
            let has = held.get(&(address, want.what)).copied().unwrap_or(0);
            if has.saturating_add(want.count) > want.max {
                return Err(TooMuch(want.what));
            }
        }
        for want in wants {
            *held.entry((address, want.what)).or_default() += want.count;
        }
        let parts = wants.iter().map(|want| (want.what, want.count)).collect();
        Ok(Hold::new(Held { limits: Arc::clone(self), address, parts }))
    }

    /// Whether to log a refusal at `now`: one every ten seconds.
    pub(crate) fn is_news(&self, now: MonoTime) -> bool {
        let due = |at: u64| (at <= now.0).then_some(now.0 + LOG_EVERY_US);
        self.log_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
    }

    fn release(&self, address: IpAddr, parts: &[(What, usize)]) {
        let mut held = self.lock();
        for (what, count) in parts {
            let key = (address, *what);
            if let Some(has) = held.get_mut(&key) {
                *has = has.saturating_sub(*count);
                if *has == 0 {
                    held.remove(&key);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(IpAddr, What), usize>> {
        // Nothing panics while the lock is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a [`Hold`] releases on drop.
#[derive(Debug)]
struct Held {
    limits: Arc<AddressLimits>,
    address: IpAddr,
    parts: Vec<(What, usize)>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.limits.release(self.address, &self.parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    #[test]
    fn no_address_exceeds_a_limit_and_all_counts_return_to_zero() {
        let caps = Caps::new(16, 1000, 100);
        let limits = Arc::new(AddressLimits::new(caps, Vec::new()));
        let mut rng = fastrand::Rng::with_seed(11);
        let mut holds: Vec<(IpAddr, Vec<Want>, Hold)> = Vec::new();
        let mut refused = 0;
        for _ in 0..20_000 {
            let (who, room) = (address(rng.u8(..3)), RoomId(rng.u32(..3)));
            let wants: Vec<Want> = match rng.u8(..8) {
                0 => vec![caps.connection()],
                1 => caps.seat(room, 5).to_vec(),
                2 => caps.spectator(room).to_vec(),
                3 => caps.reservation(room, 5).to_vec(),
                4 => vec![caps.room()],
                5 => vec![caps.in_flight(rng.usize(..40), 200)],
                _ if holds.is_empty() => continue,
                _ => {
                    holds.swap_remove(rng.usize(..holds.len()));
                    continue;
                }
            };
            match limits.take(who, &wants) {
                Ok(hold) => holds.push((who, wants, hold)),
                Err(TooMuch(what)) => {
                    refused += 1;
                    assert!(wants.iter().any(|want| want.what == what));
                }
            }
            for want in holds.iter().filter(|(owner, ..)| *owner == who).flat_map(|(_, wants, _)| wants) {
                let of_it = holds.iter().filter(|(owner, ..)| *owner == who).flat_map(|(_, wants, _)| wants);
                let sum: usize = of_it.filter(|w| w.what == want.what).map(|w| w.count).sum();
                assert!(sum <= want.max, "{want:?}: {sum}");
                assert_eq!(limits.lock().get(&(who, want.what)).copied().unwrap_or(0), sum, "{want:?}");
            }
        }
        assert!(refused > 1000, "{refused}");
        holds.clear();
        assert!(limits.lock().is_empty(), "{:?}", limits.lock());
    }

    #[test]
    fn addresses_are_counted_separately_and_exempt_ones_not_at_all() {
        let exempt = vec!["192.0.2.9".parse().expect("a network")];
        let limits = Arc::new(AddressLimits::new(Caps::new(2, 1000, 100), exempt));
        let take = |who| limits.take(address(who), &[limits.caps().connection()]);
        let first = take(1).expect("the first");
        let _second = take(1).expect("the second");
        assert_eq!(take(1).map(drop), Err(TooMuch(What::Connections)));
        let _other = take(2).expect("another address");
        drop(first);
        let _again = take(1).expect("one was released");
        let held: Vec<Hold> = (0..100).map(|_| take(9).expect("exempt")).collect();
        assert_eq!(limits.lock().len(), 2, "{held:?}");
    }

    #[test]
    fn an_address_gets_at_most_a_quarter_but_enough_for_a_browser() {
        let max = |per_address, connections| Caps::new(per_address, connections, 100).connection().max;
        assert_eq!(max(64, 10_000), 64);
        assert_eq!(max(100_000, 10_000), 2500);
        assert_eq!(max(64, 40), 10);
        assert_eq!((max(64, 20), max(64, 10), max(64, 1)), (8, 5, 1));
        let caps = Caps::new(100_000, 100_000, 1);
        assert_eq!(caps.room().max, 1);
        assert_eq!(caps.spectator(RoomId(1))[1].max, 50);
        assert_eq!(Caps::new(1, 1, 1).parked_seat().max, 1, "at least one");
    }
}
