//! Which addresses may be connected to. A registry's name comes from a manifest and is resolved by whoever owns the
//! name, so what a name resolves to is checked, and exactly the checked address is connected to.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Addresses that have the first bits in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    network: IpAddr,
    bits: u32,
}

/// Why a text is not a range of addresses.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {0:?} as a range of addresses; write it like 10.0.0.0/8")]
pub struct InvalidCidr(String);

impl Cidr {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                shifted(u128::from(network.to_bits()), 32 - self.bits) == shifted(u128::from(address.to_bits()), 32 - self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                shifted(network.to_bits(), 128 - self.bits) == shifted(address.to_bits(), 128 - self.bits)
            }
            _ => false,
        }
    }
}

/// Without the last bits; all of them may go.
fn shifted(bits: u128, by: u32) -> u128 {
    bits.checked_shr(by).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let invalid = || InvalidCidr(text.chars().take(60).collect());
        let (network, bits) = text.split_once('/').ok_or_else(invalid)?;
        let network: IpAddr = network.parse().map_err(|_| invalid())?;
        let bits: u32 = bits.parse().map_err(|_| invalid())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        if bits <= most { Ok(Self { network, bits }) } else { Err(invalid()) }
    }
}

/// An address that is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{host} is at {address}, which is not a public address; --registry-allow-private allows it")]
pub(super) struct Refused {
    host: String,
    address: IpAddr,
}

/// Which addresses may be connected to.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    allowed: Arc<[Cidr]>,
}

impl Guard {
    pub(super) fn new(allowed: &[Cidr]) -> Self {
        Self { allowed: allowed.into() }
    }

    fn permits(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|range| range.contains(address.to_canonical()))
    }

    /// A host that is written as an address is not resolved, so it is checked before it is connected to.
    pub(super) fn check_literal(&self, host: &str) -> Result<(), Refused> {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !self.permits(address) => Err(Refused { host: host.to_owned(), address }),
            _ => Ok(()),
        }
    }

    /// The addresses of a name, if all of them are permitted: a name that has both kinds is somebody's try.
    fn check(&self, host: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        match addresses.iter().find(|a| !self.permits(a.ip())) {
            Some(address) => Err(Refused { host: host.to_owned(), address: address.ip() }),
            None => Ok(addresses),
        }
    }
}

/// Resolves names for the HTTP client, which connects to what comes back and resolves no second time.
impl Service<Name> for Guard {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = self.clone();
        Box::pin(async move {
            let found: io::Result<Vec<SocketAddr>> = tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect);
            Ok(guard.check(name.as_str(), found?)?.into_iter())
        })
    }
}

/// Whether an address is one of the public internet: of the special ones (IANA's registries, RFC 6890) none is.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_documentation();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (b == 18 || b == 19);
    let protocol = (a, b, c) == (192, 0, 0) || (a, b, c) == (192, 88, 99);
    !(special || shared || benchmark || protocol || a == 0 || a >= 240)
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let segments = v6.segments();
    // Addresses that carry one of IPv4 (RFC 6052, 8215, 3056, 4380) lead where that one leads.
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] = segments {
        return is_public_v4(inner(high, low));
    }
    // Global unicast is 2000::/3 (RFC 4291); the rest is local, multicast or not given out.
    let global = segments[0] & 0xe000 == 0x2000;
    let teredo_and_kin = segments[0] == 0x2001 && segments[1] < 0x200;
    let documentation = segments[0] == 0x2001 && segments[1] == 0xdb8;
    global && !teredo_and_kin && !documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for address in ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_operator_may_allow_ranges() {
        let guard = Guard::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for (host, permitted) in [
            ("10.255.0.1", true),
            ("[fd12::1]", true),
            ("::ffff:10.0.0.1", true),
            ("11.0.0.1", true),
            ("192.168.0.1", false),
            ("registry.example.com", true),
        ] {
            assert_eq!(guard.check_literal(host).is_ok(), permitted, "{host}");
        }
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("127.0.0.1".parse().unwrap()));
        for text in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", ""] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_private_address_among_others_refuses_the_name() {
        let guard = Guard::new(&[]);
        let addresses = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        assert!(guard.check("r", addresses(&["8.8.8.8:443", "169.254.169.254:443"])).is_err());
        assert_eq!(guard.check("r", addresses(&["8.8.8.8:443"])).unwrap().len(), 1);
    }
}
