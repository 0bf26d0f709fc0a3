//! Rate limits per address, or per whatever else, as token buckets.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use broadside_shared::time::MonoTime;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use super::counted_as;
use broadside_core::bucket::Bucket;

/// Maximum number of keys with a bucket of their own; beyond it, further keys share one.
const REMEMBERED_MAX: usize = 10_000;
/// Factor by which the shared bucket is larger and refills faster.
const SHARED_FACTOR: u32 = 100;

/// A rate: a burst, and the interval at which one more is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Maximum at once.
    pub(crate) burst: u32,
    /// Interval until one more is allowed, in microseconds; at least `SHARED_FACTOR`.
    pub(crate) every_us: u64,
}

impl Rate {
    /// Room creations and seat reservations.
    pub(crate) const ROOM_CREATIONS: Rate = Rate { burst: 20, every_us: 3_000_000 };
    /// Look-ups of private room codes, over HTTP or by joining. A valid code costs 1, a wrong one [`Rate::MISS`]: 15 wrong codes at once
    /// and one every 2 s, about 43,000 per day and address. With 31^6 codes and 100 private rooms, a thousand addresses that do nothing
    /// else guess one in five hours; a single address takes 200 days.
    pub(crate) const LOOK_UPS: Rate = Rate { burst: 120, every_us: 250_000 };
    /// Cost of a wrong code.
    pub(crate) const MISS: u32 = 8;
    /// HTTP requests per connection: a page needs about ten, a program that polls the API ten per second.
    pub(crate) const REQUESTS: Rate = Rate { burst: 100, every_us: 50_000 };
    /// HTTP requests per address: enough for several households.
    pub(crate) const REQUESTS_OF_ADDRESS: Rate = Rate { burst: 1000, every_us: 10_000 };
    /// New accounts of guests: 20 at once, and 20 per hour. Each is a row of the database.
    pub(crate) const NEW_GUESTS: Rate = Rate { burst: 20, every_us: 180_000_000 };
    /// Attempts to sign in, to confirm or to recover, per address: enough for a school class at once.
    pub(crate) const CREDENTIALS: Rate = Rate { burst: 60, every_us: 5_000_000 };
    /// Wrong passwords per account or name, from wherever: 10 at once, and 1,440 per day. Who is signed in stays so.
    pub(crate) const WRONG_PASSWORDS: Rate = Rate { burst: 10, every_us: 60_000_000 };
    /// Names that an account takes: a name that is let go is free for others, and should not change hands by the second.
    pub(crate) const RENAMES: Rate = Rate { burst: 5, every_us: 600_000_000 };
    /// Changes of what is set with an account: the page sends one when nobody has moved a slider for a second.
    pub(crate) const SETTINGS_CHANGES: Rate = Rate { burst: 60, every_us: 5_000_000 };
    /// Friendships asked for or agreed to, and links, per account: an evening's crew at once.
    pub(crate) const BEFRIENDING: Rate = Rate { burst: 30, every_us: 30_000_000 };

    /// A full bucket.
    pub(crate) fn bucket(self, now: MonoTime) -> Bucket {
        Bucket::new(self.burst, self.every_us, now)
    }
}

/// The buckets of all recently active keys.
#[derive(Debug)]
pub struct Rates<K: Eq + Hash> {
    rate: Rate,
    by_key: DashMap<K, Bucket>,
    shared: Mutex<Bucket>,
}

/// The buckets of all recently active addresses.
#[derive(Debug)]
pub struct AddressRates(Rates<IpAddr>);

impl<K: Eq + Hash> Rates<K> {
    /// Starts with full buckets.
    pub(crate) fn new(rate: Rate) -> Rates<K> {
        let shared = Bucket::new(rate.burst * SHARED_FACTOR, rate.every_us / u64::from(SHARED_FACTOR), MonoTime(0));
        Rates { rate, by_key: DashMap::new(), shared: Mutex::new(shared) }
    }

    /// Takes `cost` from the bucket of a key.
    ///
    /// # Errors
    /// Seconds until there is as much.
    pub(crate) fn take(&self, key: K, cost: u32, now: MonoTime) -> Result<(), u64> {
        let full = self.by_key.len() >= REMEMBERED_MAX;
        let taken = match self.by_key.entry(key) {
            Entry::Occupied(mut bucket) => bucket.get_mut().take_many(cost, now),
            // Full buckets are removed once a second.
            Entry::Vacant(_) if full => self.shared.lock().unwrap_or_else(PoisonError::into_inner).take_many(cost, now),
            Entry::Vacant(free) => free.insert(self.rate.bucket(now)).take_many(cost, now),
        };
        taken.map_err(|us| us.div_ceil(1_000_000))
    }

    /// Refunds part of a cost.
    pub(crate) fn give_back(&self, key: &K, cost: u32) {
        if let Some(mut bucket) = self.by_key.get_mut(key) {
            bucket.put_back(cost);
        }
    }

    /// Removes buckets that are full again.
    pub(crate) fn forget(&self, now: MonoTime) {
        self.by_key.retain(|_, bucket| !bucket.is_full(now));
    }
}

impl AddressRates {
    /// Starts with full buckets.
    pub(crate) fn new(rate: Rate) -> AddressRates {
        AddressRates(Rates::new(rate))
    }

    /// Takes `cost` from the bucket of an address.
    ///
    /// # Errors
    /// Seconds until the address may try again.
    pub(crate) fn take(&self, address: IpAddr, cost: u32, now: MonoTime) -> Result<(), u64> {
        self.0.take(counted_as(address), cost, now)
    }

    /// Refunds part of a cost.
    pub(crate) fn give_back(&self, address: IpAddr, cost: u32) {
        self.0.give_back(&counted_as(address), cost);
    }

    /// Removes buckets that are full again.
    pub(crate) fn forget(&self, now: MonoTime) {
        self.0.forget(now);
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
    fn each_address_has_its_own_bucket_which_refills() {
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
        assert_eq!(rates.0.by_key.len(), 1, "the emptiest bucket is kept longest");
        rates.forget(MonoTime(63_000_000));
        assert!(rates.0.by_key.is_empty());
    }

    #[test]
    fn addresses_beyond_the_maximum_share_a_bucket_and_take_no_memory() {
        let rates = AddressRates::new(RATE);
        for part in 0..REMEMBERED_MAX as u32 {
            assert_eq!(rates.take(IpAddr::V4(part.into()), 1, MonoTime(0)), Ok(()));
        }
        for _ in 0..RATE.burst * SHARED_FACTOR {
            assert_eq!(rates.take(address("198.51.100.1"), 1, MonoTime(0)), Ok(()));
        }
        assert_eq!(rates.take(address("198.51.100.2"), 1, MonoTime(0)), Err(1));
        assert_eq!(rates.take(address("198.51.100.2"), 1, MonoTime(30_000)), Ok(()));
        assert_eq!(rates.0.by_key.len(), REMEMBERED_MAX);
    }
}
