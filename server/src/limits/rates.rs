//! How fast one address may ask for something.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use broadside_shared::time::MonoTime;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::counted_as;
use broadside_core::bucket::Bucket;

/// Addresses remembered at the most: while there are so many that have asked lately, the others share a bucket.
const REMEMBERED_MAX: usize = 10_000;
/// How much more the bucket of those holds who are not remembered, and how much faster it fills.
const OTHERS: u32 = 100;

/// A rate: so many at once, and one more every so many microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Time until one more, in microseconds, `OTHERS` at least.
    pub every_us: u64,
}

impl Rate {
    /// Rooms opened and seats reserved.
    pub const ROOM_CREATIONS: Rate = Rate { burst: 20, every_us: 3_000_000 };
    /// Codes of private rooms looked up, over HTTP or with a join. A right one costs 1, a wrong one [`Rate::MISS`]: 15
    /// wrong ones at once and one every 2 s, some 43,000 a day, from one address. With 31^6 codes, 100 private rooms, and a thousand addresses
    /// that do nothing else, somebody guesses one in five hours; one address alone takes 200 days.
    pub const LOOK_UPS: Rate = Rate { burst: 120, every_us: 250_000 };
    /// What a wrong code costs.
    pub const MISS: u32 = 8;
    /// Requests over HTTP of one connection: a page is about ten, a program that looks at the API asks ten times a second.
    pub const REQUESTS: Rate = Rate { burst: 100, every_us: 50_000 };
    /// Requests over HTTP of one address: those of several households.
    pub const REQUESTS_OF_ADDRESS: Rate = Rate { burst: 1000, every_us: 10_000 };

    /// A full bucket.
    #[must_use]
    pub fn bucket(self, now: MonoTime) -> Bucket {
        Bucket::new(self.burst, self.every_us, now)
    }
}

/// What each address has asked for lately.
#[derive(Debug)]
pub struct AddressRates {
    rate: Rate,
    by_address: DashMap<IpAddr, Bucket>,
    others: Mutex<Bucket>,
}

impl AddressRates {
    /// Nobody has asked for anything.
    #[must_use]
    pub fn new(rate: Rate) -> AddressRates {
        let others = Bucket::new(rate.burst * OTHERS, rate.every_us / u64::from(OTHERS), MonoTime(0));
        AddressRates { rate, by_address: DashMap::new(), others: Mutex::new(others) }
    }

    /// Counts something that costs `cost` for an address.
    ///
    /// # Errors
    /// In how many seconds it may try again.
    pub fn take(&self, address: IpAddr, cost: u32, now: MonoTime) -> Result<(), u64> {
        let full = self.by_address.len() >= REMEMBERED_MAX;
        let taken = match self.by_address.entry(counted_as(address)) {
            Entry::Occupied(mut bucket) => bucket.get_mut().take_many(cost, now),
            // They are forgotten once a second.
            Entry::Vacant(_) if full => self.others.lock().unwrap_or_else(PoisonError::into_inner).take_many(cost, now),
            Entry::Vacant(free) => free.insert(self.rate.bucket(now)).take_many(cost, now),
        };
        taken.map_err(|us| us.div_ceil(1_000_000))
    }

    /// Gives back what an address has paid too much.
    pub fn give_back(&self, address: IpAddr, cost: u32) {
        if let Some(mut bucket) = self.by_address.get_mut(&counted_as(address)) {
            bucket.put_back(cost);
        }
    }

    /// Forgets those who have asked for nothing for long enough.
    pub fn forget(&self, now: MonoTime) {
        self.by_address.retain(|_, bucket| !bucket.is_full(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 20, every_us: 3_000_000 };

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_address_has_its_own_share_which_grows_back() {
        let rates = AddressRates::new(RATE);
        let (one, neighbour, other) = (address("2001:db8::1"), address("2001:db8::2"), address("192.0.2.1"));
        for _ in 0..RATE.burst / 2 {
            assert_eq!(rates.take(one, 2, MonoTime(0)), Ok(()));
        }
        assert_eq!(rates.take(neighbour, 1, MonoTime(1_000_000)), Err(2));
        assert_eq!(rates.take(other, 1, MonoTime(1_000_000)), Ok(()));
        assert_eq!(rates.take(one, 2, MonoTime(3_000_000)), Err(3));
        rates.give_back(one, 2);
        assert_eq!(rates.take(one, 3, MonoTime(3_000_000)), Ok(()));
        rates.forget(MonoTime(62_999_999));
        assert_eq!(rates.by_address.len(), 1, "who asked most is remembered longest");
        rates.forget(MonoTime(63_000_000));
        assert!(rates.by_address.is_empty());
    }

    #[test]
    fn a_crowd_that_cannot_be_remembered_shares_what_it_may_and_takes_no_more_memory() {
        let rates = AddressRates::new(RATE);
        for part in 0..REMEMBERED_MAX as u32 {
            assert_eq!(rates.take(IpAddr::V4(part.into()), 1, MonoTime(0)), Ok(()));
        }
        for _ in 0..RATE.burst * OTHERS {
            assert_eq!(rates.take(address("198.51.100.1"), 1, MonoTime(0)), Ok(()));
        }
        assert_eq!(rates.take(address("198.51.100.2"), 1, MonoTime(0)), Err(1));
        assert_eq!(rates.take(address("198.51.100.2"), 1, MonoTime(30_000)), Ok(()));
        assert_eq!(rates.by_address.len(), REMEMBERED_MAX);
    }
}
