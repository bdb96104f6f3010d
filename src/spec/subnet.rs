//! Subnets: an address and how many of its bits are the network's.
//!
//! Lives here: [`Subnet`], of both versions of IP, and its text (`10.0.0.0/24`).
//! Must not: know which addresses are in use.
//! Called by: `network`, `store`, `ops`, `dataplane`, `cli`.
//! Always true: the bits below the prefix are zero.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// A range of addresses with a common beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    first: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// Returns the subnet of `prefix` bits that an address is in.
    pub fn around(ip: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(width(ip));
        let first = from_bits(ip, bits(ip) & !host_mask(ip, prefix));
        Self { first, prefix }
    }

    /// Returns the lowest address: the subnet's own.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// Returns the highest address: with IPv4, that of all devices.
    pub fn last(&self) -> IpAddr {
        from_bits(
            self.first,
            bits(self.first) | host_mask(self.first, self.prefix),
        )
    }

    /// Returns how many bits are the network's.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Says whether it is of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.first.is_ipv4()
    }

    /// Says whether an address is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.is_ipv4() && Self::around(ip, self.prefix) == *self
    }

    /// Says whether an address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// Returns its addresses from the lowest.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let version = self.first;
        (bits(self.first)..=bits(self.last())).map(move |bits| from_bits(version, bits))
    }
}

/// Returns how many bits an address has.
pub fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn host_mask(ip: IpAddr, prefix: u8) -> u128 {
    1_u128
        .checked_shl((width(ip) - prefix).into())
        .map_or(u128::MAX, |above| above - 1)
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The version is that of `like`.
fn from_bits(like: IpAddr, bits: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
    }
}

impl FromStr for Subnet {
    type Err = Error;

    /// Takes docker's form; bits below the prefix are dropped, as docker drops them.
    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.split_once('/').and_then(|(ip, prefix)| {
            let ip: IpAddr = ip.parse().ok()?;
            let prefix: u8 = prefix.parse().ok()?;
            (prefix <= width(ip)).then(|| Self::around(ip, prefix))
        });
        parsed.ok_or_else(|| {
            Error::of(
                Kind::Usage,
                format!("\"{}\" is no subnet", text.escape_debug()),
            )
            .hint("write it as an address and its bits, for example 10.10.0.0/24")
        })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl fmt::Debug for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for Subnet {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Subnet;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect(text)
    }

    #[test]
    fn a_subnet_is_its_first_address_and_its_bits() {
        for (text, shown, last) in [
            ("10.1.2.3/24", "10.1.2.0/24", "10.1.2.255"),
            ("10.1.2.3/32", "10.1.2.3/32", "10.1.2.3"),
            ("255.1.2.3/0", "0.0.0.0/0", "255.255.255.255"),
            ("fd00::5/64", "fd00::/64", "fd00::ffff:ffff:ffff:ffff"),
            ("::1/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(subnet(text).to_string(), shown);
            assert_eq!(subnet(text).last().to_string(), last);
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "::/129",
            "a/1",
            "1.2.3.4/-1",
            "1.2.3.4/",
        ] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn subnets_overlap_when_one_is_in_the_other() {
        let wide = subnet("172.16.0.0/12");
        assert!(wide.overlaps(&subnet("172.17.0.0/16")));
        assert!(subnet("172.17.0.0/16").overlaps(&wide));
        assert!(!wide.overlaps(&subnet("172.32.0.0/16")));
        assert!(!subnet("::/0").overlaps(&subnet("0.0.0.0/0")));
        assert!(wide.contains([172, 31, 0, 1].into()));
        assert!(!wide.contains("::ffff:172.31.0.1".parse().expect("an address")));
    }
}
