//! A network's addresses: which are its own, which a container gets.
//!
//! Lives here: [`Plan`] and [`Mac`].
//! Must not: know which containers exist; the addresses in use are given.
//! Called by: `dataplane`.
//! Always true: an address given out is inside the network and is neither the
//! network's, the gateway's nor the broadcast's.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use crate::error::{Error, Kind, Result};

/// One bridge network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Name of its bridge device; 15 bytes at most.
    pub bridge: String,
    /// The bridge's own address: containers' way out.
    pub gateway: Ipv4Addr,
    /// Bits of the network, 1 to 30.
    pub prefix: u8,
    /// Bytes of the largest packet on its links. Nothing here is a wire: large
    /// packets save work, and only the way out has to know a smaller size.
    pub mtu: u32,
}

impl Plan {
    /// Returns the default network, `bridge`, with the addresses docker gives it.
    pub fn default_network() -> Self {
        Self {
            name: "bridge".into(),
            bridge: "bridge".into(),
            gateway: Ipv4Addr::new(172, 17, 0, 1),
            prefix: 16,
            mtu: 65520,
        }
    }

    /// Returns the network's own address, which no device has.
    pub fn network(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.gateway.to_bits() & self.mask())
    }

    /// Returns the address of all devices.
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.gateway.to_bits() | !self.mask())
    }

    /// Says whether an address is one of the network's.
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        ip.to_bits() & self.mask() == self.network().to_bits()
    }

    fn mask(&self) -> u32 {
        u32::MAX
            .checked_shl(32 - u32::from(self.prefix.min(32)))
            .unwrap_or(0)
    }

    /// Chooses a container's address: the one wanted, or the lowest free.
    ///
    /// # Errors
    /// When the wanted one is not the network's or not free; when all are in use.
    pub fn allocate(
        &self,
        in_use: &BTreeSet<Ipv4Addr>,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr> {
        if let Some(wanted) = wanted {
            return self.check(in_use, wanted).map(|()| wanted);
        }
        (self.network().to_bits()..self.broadcast().to_bits())
            .skip(1)
            .map(Ipv4Addr::from_bits)
            .find(|ip| *ip != self.gateway && !in_use.contains(ip))
            .ok_or_else(|| {
                Error::new(format!(
                    "network \"{}\" has no free address left in {}/{}",
                    self.name,
                    self.network(),
                    self.prefix
                ))
            })
    }

    fn check(&self, in_use: &BTreeSet<Ipv4Addr>, wanted: Ipv4Addr) -> Result<()> {
        let bad = |why: String| {
            Err(Error::of(Kind::Conflict, why).hint(format!(
                "leave out --ip to get a free address in {}/{}",
                self.network(),
                self.prefix
            )))
        };
        if wanted.to_bits() & self.mask() != self.network().to_bits()
            || wanted == self.network()
            || wanted == self.broadcast()
        {
            return bad(format!(
                "{wanted} is no address of network \"{}\" ({}/{})",
                self.name,
                self.network(),
                self.prefix
            ));
        }
        if wanted == self.gateway {
            return bad(format!(
                "{wanted} is the gateway of network \"{}\"",
                self.name
            ));
        }
        if in_use.contains(&wanted) {
            return bad(format!("{wanted} is taken"));
        }
        Ok(())
    }
}

/// A link's address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Returns the address docker derives: `02:42` and the four bytes. Whoever
    /// gets an address anew has the same link as before, so no neighbour's table is stale.
    pub fn of(ip: Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use super::{Mac, Plan};

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().expect(text)
    }

    #[test]
    fn the_lowest_free_address_is_next() {
        let plan = Plan::default_network();
        let mut in_use = BTreeSet::new();
        for expected in ["172.17.0.2", "172.17.0.3", "172.17.0.4"] {
            let next = plan.allocate(&in_use, None).expect("free");
            assert_eq!(next, ip(expected));
            in_use.insert(next);
        }
        in_use.remove(&ip("172.17.0.3"));
        assert_eq!(plan.allocate(&in_use, None).ok(), Some(ip("172.17.0.3")));
    }

    #[test]
    fn a_full_network_says_so() {
        let plan = Plan {
            gateway: ip("10.0.0.6"),
            prefix: 29,
            ..Plan::default_network()
        };
        let mut in_use = BTreeSet::new();
        while let Ok(next) = plan.allocate(&in_use, None) {
            assert!(in_use.insert(next));
        }
        assert_eq!(in_use.len(), 5, "{in_use:?}");
        let error = plan.allocate(&in_use, None).expect_err("full").to_string();
        assert!(error.contains("10.0.0.0/29"), "{error}");
    }

    #[test]
    fn a_wanted_address_is_checked() {
        let plan = Plan::default_network();
        let in_use = BTreeSet::from([ip("172.17.0.9")]);
        for (wanted, why) in [
            ("172.18.0.2", "is no address of"),
            ("172.17.0.0", "is no address of"),
            ("172.17.255.255", "is no address of"),
            ("172.17.0.1", "is the gateway"),
            ("172.17.0.9", "is taken"),
        ] {
            let error = plan
                .allocate(&in_use, Some(ip(wanted)))
                .expect_err(wanted)
                .to_string();
            assert!(error.contains(why), "{wanted}: {error}");
        }
        let wanted = ip("172.17.3.4");
        assert_eq!(plan.allocate(&in_use, Some(wanted)).ok(), Some(wanted));
    }

    #[test]
    fn a_link_has_dockers_address() {
        assert_eq!(Mac::of(ip("172.17.0.2")).to_string(), "02:42:ac:11:00:02");
    }
}
