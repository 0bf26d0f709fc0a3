//! How fast one address may open rooms and have seats kept.

use std::net::{IpAddr, Ipv6Addr};

use broadside_shared::time::MonoTime;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::bucket::Bucket;

/// Rooms and seats that one address may ask for at once.
const BURST: u32 = 20;
/// Time until it may ask for another one, in microseconds.
const EVERY_US: u64 = 3_000_000;
/// Addresses remembered at the most: while there are so many that have asked for something lately, others have to wait.
const REMEMBERED_MAX: usize = 10_000;

/// What each address has asked for lately.
#[derive(Debug, Default)]
pub struct Openings {
    by_address: DashMap<IpAddr, Bucket>,
}

impl Openings {
    /// Counts one for an address.
    ///
    /// # Errors
    /// In how many seconds it may try again.
    pub fn take(&self, address: IpAddr, now: MonoTime) -> Result<(), u64> {
        let full = self.by_address.len() >= REMEMBERED_MAX;
        match self.by_address.entry(network(address)) {
            Entry::Occupied(mut bucket) => bucket.get_mut().take(now).map_err(|us| us.div_ceil(1_000_000)),
            // They are forgotten once a second.
            Entry::Vacant(_) if full => Err(1),
            Entry::Vacant(free) => {
                free.insert(Bucket::new(BURST, EVERY_US, now)).take(now).map_err(|us| us.div_ceil(1_000_000))
            }
        }
    }

    /// Forgets those who have asked for nothing for long enough.
    pub fn forget(&self, now: MonoTime) {
        self.by_address.retain(|_, bucket| !bucket.is_full(now));
    }
}

/// An IPv6 customer has a whole /64: they are one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_share_which_grows_back() {
        let openings = Openings::default();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let (one, neighbour, other) = (address("2001:db8::1"), address("2001:db8::2"), address("192.0.2.1"));
        for _ in 0..BURST {
            assert_eq!(openings.take(one, MonoTime(0)), Ok(()));
        }
        assert_eq!(openings.take(neighbour, MonoTime(1_000_000)), Err(2));
        assert_eq!(openings.take(other, MonoTime(1_000_000)), Ok(()));
        assert_eq!(openings.take(one, MonoTime(3_000_000)), Ok(()));
        for part in 0..REMEMBERED_MAX as u32 {
            let _ = openings.take(IpAddr::V4(part.into()), MonoTime(3_000_000));
        }
        assert_eq!(openings.by_address.len(), REMEMBERED_MAX);
        assert_eq!(openings.take(address("198.51.100.1"), MonoTime(3_000_000)), Err(1), "too many to remember");
        openings.forget(MonoTime(60_000_000));
        assert_eq!(openings.by_address.len(), 1, "who asked most is remembered longest");
        openings.forget(MonoTime(63_000_000));
        assert!(openings.by_address.is_empty());
    }
}
