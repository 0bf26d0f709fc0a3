//! How much one address may hold at the same time. Counts go up with [`AddressLimits::take`] and down when the [`Hold`] is dropped,
//! whatever way its owner ends; an address that holds nothing is not remembered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadside_core::admission::join_queue::WAITING_MAX;
use broadside_core::admission::reservations::RESERVED_MAX;
use broadside_core::commands::Hold;
use broadside_core::room::SPECTATORS_MAX;
use broadside_shared::protocol::message::RoomId;
use broadside_shared::time::MonoTime;

use super::counted_as;
use crate::metrics::labels::AddressLimit;
use crate::network::Network;

/// One address gets at most one part in so many of any total; the others are kept free for other addresses.
const PARTS: usize = 4;
/// Connections that a browser needs for one page: six for its files, one to play, and one that it opened to no end.
const ONE_BROWSER: usize = 8;
/// Connections over its limit that an address may have at the same time, so that it can be told so: each is answered once and ends.
const TOLD_MAX: usize = 8;
/// Time between two lines in the log about refused addresses, in microseconds.
const NEWS_EVERY_US: u64 = 10_000_000;

/// What an address holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Open connections, HTTP and WebSocket.
    Connections,
    /// Connections over the limit, open to say so.
    Told,
    /// Connections that shake hands by TLS, or whose first request has no whole head yet.
    HalfOpen,
    /// Seats to play in, those kept for lost connections and for reservations and those waited for among them.
    Seats,
    /// The same in one room.
    SeatsIn(RoomId),
    /// Seats of lost connections.
    Kept,
    /// Places to watch from.
    Watching,
    /// The same in one room.
    WatchingIn(RoomId),
    /// Places in the line of a room.
    InQueue(RoomId),
    /// Reservations in a room.
    Reserved(RoomId),
    /// Rooms that were opened on demand.
    Rooms,
    /// Kibibytes of answers over HTTP that are on their way.
    InFlightKib,
}

impl What {
    /// What a refusal for want of it is counted as.
    #[must_use]
    pub fn label(self) -> AddressLimit {
        match self {
            What::Connections | What::Told => AddressLimit::Connections,
            What::HalfOpen => AddressLimit::HalfOpen,
            What::Seats | What::SeatsIn(_) => AddressLimit::Seats,
            What::Kept => AddressLimit::Kept,
            What::Watching | What::WatchingIn(_) => AddressLimit::Watching,
            What::InQueue(_) => AddressLimit::InQueue,
            What::Reserved(_) => AddressLimit::Reserved,
            What::Rooms => AddressLimit::Rooms,
            What::InFlightKib => AddressLimit::InFlight,
        }
    }
}

/// Something that an address would hold, and up to how much it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// What.
    pub what: What,
    /// How much more of it.
    pub count: usize,
    /// How much in all, 1 at least.
    pub max: usize,
}

/// How much one address may hold of what the whole server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    connections: usize,
    rooms: usize,
}

impl Caps {
    /// The caps of a server for `per_address` connections of each address, with `connections` and `rooms_on_demand` in all.
    #[must_use]
    pub fn new(per_address: usize, connections: usize, rooms_on_demand: usize) -> Caps {
        let part = share(connections).max(ONE_BROWSER.min(connections / 2));
        let connections = per_address.min(part);
        Caps { connections, rooms: part_of(connections, 4).min(share(rooms_on_demand)) }
    }

    /// Open connections.
    #[must_use]
    pub fn connection(self) -> Want {
        Want { what: What::Connections, count: 1, max: self.connections }
    }

    /// Connections to say that there are too many.
    #[must_use]
    pub fn told(self) -> Want {
        Want { what: What::Told, count: 1, max: TOLD_MAX }
    }

    /// Connections that have asked for nothing yet: half of all.
    #[must_use]
    pub fn half_open(self) -> Want {
        Want { what: What::HalfOpen, count: 1, max: part_of(self.connections, 2) }
    }

    /// Seats of lost connections: a quarter of the connections.
    #[must_use]
    pub fn kept(self) -> Want {
        Want { what: What::Kept, count: 1, max: part_of(self.connections, 4) }
    }

    /// A seat to play in: in all as many as connections and kept seats, in this room `max`.
    #[must_use]
    pub fn seat(self, room: RoomId, max: usize) -> [Want; 2] {
        let seats = self.connections + self.kept().max;
        [Want { what: What::Seats, count: 1, max: seats }, Want { what: What::SeatsIn(room), count: 1, max }]
    }

    /// A place to watch from: in all half as many as connections, in one room a share.
    #[must_use]
    pub fn watch(self, room: RoomId) -> [Want; 2] {
        let max = share(usize::from(SPECTATORS_MAX));
        [
            Want { what: What::Watching, count: 1, max: part_of(self.connections, 2) },
            Want { what: What::WatchingIn(room), count: 1, max },
        ]
    }

    /// A place in the line of a room.
    #[must_use]
    pub fn in_queue(self, room: RoomId) -> Want {
        Want { what: What::InQueue(room), count: 1, max: share(WAITING_MAX) }
    }

    /// A reserved seat: a seat like any other, and one of the reservations of the room.
    #[must_use]
    pub fn reservation(self, room: RoomId, max: usize) -> [Want; 3] {
        let [seats, in_room] = self.seat(room, max);
        [seats, in_room, Want { what: What::Reserved(room), count: 1, max: share(RESERVED_MAX) }]
    }

    /// Rooms opened on demand: a quarter of the connections, and of what rooms there may be.
    #[must_use]
    pub fn room(self) -> Want {
        Want { what: What::Rooms, count: 1, max: self.rooms }
    }

    /// `kib` of an answer on its way, of `total_kib` in all.
    #[must_use]
    pub fn in_flight(self, kib: usize, total_kib: usize) -> Want {
        Want { what: What::InFlightKib, count: kib, max: share(total_kib) }
    }
}

/// What one address may have of `total`: a quarter, and 1 at least.
#[must_use]
pub fn share(total: usize) -> usize {
    part_of(total, PARTS)
}

fn part_of(total: usize, parts: usize) -> usize {
    (total / parts).max(1)
}

/// An address would hold more of this than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch(pub What);

/// TeamLabel holds how much.
#[derive(Debug)]
pub struct AddressLimits {
    caps: Caps,
    exempt: Vec<Network>,
    held: Mutex<HashMap<(IpAddr, What), usize>>,
    /// Before then no refusal is worth a line in the log.
    news_at: AtomicU64,
}

impl AddressLimits {
    /// Nobody holds anything; the addresses of `exempt` may hold whatever they like.
    #[must_use]
    pub fn new(caps: Caps, exempt: Vec<Network>) -> AddressLimits {
        AddressLimits { caps, exempt, held: Mutex::default(), news_at: AtomicU64::new(0) }
    }

    /// How much one address may hold.
    #[must_use]
    pub fn caps(&self) -> Caps {
        self.caps
    }

    /// What every address holds, in no order: for tests of what always holds.
    #[must_use]
    pub fn held(&self) -> Vec<(IpAddr, What, usize)> {
        self.lock().iter().map(|((address, what), count)| (*address, *what, *count)).collect()
    }

    /// Whether an address may hold whatever it likes.
    #[must_use]
    pub fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(address))
    }

    /// Takes all of `wants` for an address, or none.
    ///
    /// # Errors
    /// [`TooMuch`] with the first of which the address would hold more than it may.
    pub fn take(self: &Arc<Self>, address: IpAddr, wants: &[Want]) -> Result<Hold, TooMuch> {
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

    /// Whether a refusal at `now` is worth a line in the log: one every ten seconds is.
    pub fn is_news(&self, now: MonoTime) -> bool {
        let due = |at: u64| (at <= now.0).then_some(now.0 + NEWS_EVERY_US);
        self.news_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
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
        // Nothing panics while it is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was taken: given back when it is dropped.
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
    fn no_address_ever_has_more_than_it_may_and_nothing_is_left_when_all_is_given_back() {
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
                2 => caps.watch(room).to_vec(),
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
    fn what_one_has_taken_is_not_missing_to_others_and_the_exempt_are_not_counted() {
        let exempt = vec!["192.0.2.9".parse().expect("a network")];
        let limits = Arc::new(AddressLimits::new(Caps::new(2, 1000, 100), exempt));
        let take = |who| limits.take(address(who), &[limits.caps().connection()]);
        let first = take(1).expect("the first");
        let _second = take(1).expect("the second");
        assert_eq!(take(1).map(drop), Err(TooMuch(What::Connections)));
        let _other = take(2).expect("another address");
        drop(first);
        let _again = take(1).expect("one was given back");
        let held: Vec<Hold> = (0..100).map(|_| take(9).expect("exempt")).collect();
        assert_eq!(limits.lock().len(), 2, "{held:?}");
    }

    #[test]
    fn a_quarter_is_the_most_of_any_total_and_a_browser_gets_what_it_needs() {
        let max = |per_address, connections| Caps::new(per_address, connections, 100).connection().max;
        assert_eq!(max(64, 10_000), 64);
        assert_eq!(max(100_000, 10_000), 2500);
        assert_eq!(max(64, 40), 10);
        assert_eq!((max(64, 20), max(64, 10), max(64, 1)), (8, 5, 1));
        let caps = Caps::new(100_000, 100_000, 1);
        assert_eq!(caps.room().max, 1);
        assert_eq!(caps.watch(RoomId(1))[1].max, 50);
        assert_eq!(Caps::new(1, 1, 1).kept().max, 1, "never nothing");
    }
}
