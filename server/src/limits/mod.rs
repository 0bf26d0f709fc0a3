//! What one address may have, so that one alone never takes everything from the others.
//!
//! | module | what it holds |
//! |---|---|
//! | [`holds`] | how much one address may hold at the same time: connections, seats, rooms |
//! | [`rates`] | how fast one address may ask: requests, rooms to be opened, codes to be looked up |
//!
//! An IPv6 address counts as its /64, since a customer has a whole one; an IPv4 address written as IPv6 counts as IPv4.

pub mod holds;
pub mod rates;

use std::net::{IpAddr, Ipv6Addr};

/// What an address is counted as.
#[must_use]
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_counts_once_however_many_addresses_they_have() {
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
