//! IP networks in CIDR notation, for flags.

use std::net::IpAddr;
use std::str::FromStr;

/// An IP address, or all addresses with the same prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether the network contains the address. An IPv4-mapped IPv6 address counts as IPv4.
    pub(crate) fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (ours.to_bits() ^ other.to_bits()).checked_shr(32 - self.bits).is_none_or(|differs| differs == 0)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                (ours.to_bits() ^ other.to_bits()).checked_shr(128 - self.bits).is_none_or(|differs| differs == 0)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    /// Parses `10.0.0.7`, `10.0.0.0/8` or `fd00::/8`.
    fn from_str(text: &str) -> Result<Network, String> {
        let wrong =
            |what: String| format!("{what}; must be an address such as 10.0.0.7 or a network such as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong(format!("{address:?} is not an address")))?;
        let address = address.to_canonical();
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits.map(str::parse::<u32>) {
            None => bits_max,
            Some(Ok(bits)) if bits <= bits_max => bits,
            Some(_) => return Err(wrong(format!("the part after / must be 0 to {bits_max}"))),
        };
        Ok(Network { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        for (ours, other, holds) in [
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.6", false),
            ("10.0.0.7", "::ffff:10.0.0.7", true),
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "2001:db8::1", true),
        ] {
            assert_eq!(network(ours).contains(address(other)), holds, "{ours} {other}");
        }
    }

    #[test]
    fn an_invalid_network_is_refused_with_an_example() {
        for (wrong, says) in
            [("10.0.0", "not an address"), ("10.0.0.0/33", "0 to 32"), ("fd00::/x", "0 to 128"), ("", "not an address")]
        {
            let refusal = wrong.parse::<Network>().expect_err(wrong);
            assert!(refusal.contains(says) && refusal.contains("10.0.0.0/8"), "{wrong}: {refusal}");
        }
    }
}
