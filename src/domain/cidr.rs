//! Ranges of IP addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, both ends of which are known: `10.0.0.0/8`. Bits behind the prefix are zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// What is no range of addresses.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no range of addresses; write it like 203.0.113.0/24 or 2001:db8::/32")]
pub struct InvalidCidr(String);

impl Cidr {
    /// Whether every address of the other range is in this one.
    pub fn contains(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && masked(other.address, self.prefix) == Some(self.address)
    }
}

/// The range of that address alone.
impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let invalid = || InvalidCidr(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let is_number = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
        let prefix: u8 = prefix.parse().ok().filter(|_| is_number).ok_or_else(invalid)?;
        let address = masked(address, prefix).ok_or_else(invalid)?;
        Ok(Self { address, prefix })
    }
}

/// The address with all bits behind the prefix zero, for a prefix that the address is long enough for.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let behind = 32_u32.checked_sub(u32::from(prefix))?;
            let mask = u32::MAX.checked_shl(behind).unwrap_or_default();
            Some(IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)))
        }
        IpAddr::V6(v6) => {
            let behind = 128_u32.checked_sub(u32::from(prefix))?;
            let mask = u128::MAX.checked_shl(behind).unwrap_or_default();
            Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)))
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_hold_ranges() {
        for (outer, inner, holds) in [
            ("0.0.0.0/0", "169.254.169.254/32", true),
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "11.0.0.0/16", false),
            ("::/0", "fd00:ec2::254/128", true),
            ("::/0", "10.0.0.0/8", false),
            ("0.0.0.0/0", "::/0", false),
        ] {
            assert_eq!(read(outer).contains(&read(inner)), holds, "{outer} {inner}");
        }
    }

    #[test]
    fn they_are_written_without_the_bits_behind_the_prefix() {
        assert_eq!(read("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(read("2001:DB8::1/32").to_string(), "2001:db8::/32");
    }

    #[test]
    fn what_is_no_range_is_said() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/+8", "10.0.0.0/08", "example.com/8", "10.0.0.0/ 8"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
