//! Limits per address, so that no address takes all resources of the server.
//!
//! | module | what it holds |
//! |---|---|
//! | [`admission`] | the verdict on a connection or request |
//! | [`holds`] | what one address may hold at the same time: connections, seats, rooms |
//! | [`rates`] | rate limits per address: requests, room creations, code look-ups |
//!
//! An IPv6 address counts as its /64, since providers assign at least that much to one customer; an IPv4-mapped IPv6 address counts as
//! IPv4.

pub(crate) mod admission;
pub mod holds;
pub mod rates;

use std::net::{IpAddr, Ipv6Addr};

/// The address under which an address is counted.
pub(crate) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_a_customer_count_as_one() {
        let counted = |text: &str| counted_as(text.parse().expect("an address")).to_string();
        for (address, as_what) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::1", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("::1", "::"),
        ] {
            assert_eq!(counted(address), as_what);
        }
    }
}
