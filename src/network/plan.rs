//! A network's addresses: which are its own, which a container gets.
//!
//! Lives here: [`Plan`], all that the net process has to know of a network.
//! Must not: know which containers exist; the addresses in use are given.
//! Called by: `dataplane`, `ops`.
//! Always true: an address given out is inside the network and is neither the
//! network's, the gateway's nor the broadcast's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::network::device;
use crate::spec::id::NetworkId;
use crate::spec::network::{
    Attachment, DEFAULT, Endpoint, METRIC, Mac, Network, PRIVATE, Pool, Seat, Traits, has_names,
};
use crate::spec::subnet::Subnet;

/// Bytes of the largest packet where nothing else was asked. Nothing here is a
/// wire: large packets save work, and only the way out has to know a smaller size.
const MTU: u32 = 65520;

/// One bridge network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Name of its bridge device; 15 bytes at most.
    pub bridge: String,
    /// Its IPv4 addresses.
    pub v4: Pool,
    /// Its IPv6 addresses.
    pub v6: Option<Pool>,
    /// Bytes of the largest packet on its links.
    pub mtu: u32,
    /// It has no way out.
    pub internal: bool,
    /// In what else it differs from others.
    #[serde(default)]
    pub traits: Traits,
    /// Who is asked for names of the world; none means the machine's servers.
    #[serde(default)]
    pub servers: Vec<IpAddr>,
}

/// Addresses of one network that containers have.
pub type InUse = BTreeSet<IpAddr>;

impl Plan {
    /// Returns what the net process has to know of a network.
    pub fn of(network: &Network) -> Self {
        let bridge = match &network.traits.bridge {
            Some(chosen) => chosen.clone(),
            None if network.created.is_none() => network.name.clone(),
            None => format!("br-{}", network.id.short()),
        };
        Self {
            id: network.id.clone(),
            name: network.name.clone(),
            bridge,
            v4: network.v4.clone(),
            v6: network.v6.clone(),
            mtu: network.mtu.unwrap_or(MTU),
            internal: network.internal,
            traits: network.traits.clone(),
            servers: network.servers.clone(),
        }
    }

    /// Says whether its members know each other by name.
    pub fn has_names(&self) -> bool {
        has_names(&self.name) && !self.traits.nameless
    }

    /// Returns the first name for a container's device on this network that is not taken.
    pub fn free_device(&self, taken: impl Fn(&str) -> bool) -> String {
        let mut all = (0..).map(|n| device(self.traits.prefix.as_deref(), n));
        all.find(|name| !taken(name)).unwrap_or_default()
    }

    /// Says whether it and another network have an address or the bridge in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.bridge == other.bridge {
            return true;
        }
        let subnets = |plan: &Self| [Some(plan.v4.subnet), plan.v6.as_ref().map(|p| p.subnet)];
        subnets(self).into_iter().flatten().any(|one| {
            let mut others = subnets(other).into_iter().flatten();
            others.any(|other| one.overlaps(&other))
        })
    }

    /// Says whether an address is one of the network's.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let v6 = self.v6.as_ref();
        self.v4.subnet.contains(ip) || v6.is_some_and(|pool| pool.subnet.contains(ip))
    }

    /// Returns the bridge's IPv4 address.
    pub fn gateway(&self) -> Ipv4Addr {
        v4(self.v4.gateway).unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// Returns the bridge's IPv6 address and the network's bits, if there are any.
    pub fn gateway6(&self) -> Option<(Ipv6Addr, u8)> {
        let pool = self.v6.as_ref()?;
        Some((v6(pool.gateway)?, pool.subnet.prefix()))
    }

    /// Chooses a container's place: what it wants, and else the lowest free
    /// addresses. `device` is that of the container.
    ///
    /// # Errors
    /// When something wanted is not the network's or not free; when all are in use.
    pub fn seat(&self, in_use: &InUse, wanted: &Attachment, device: &str) -> Result<Endpoint> {
        let ip = self.allocate(&self.v4, in_use, wanted.ip.map(IpAddr::V4))?;
        let ip6 = match (&self.v6, wanted.ip6) {
            (Some(pool), ip6) => Some((pool, self.allocate(pool, in_use, ip6.map(IpAddr::V6))?)),
            (None, None) => None,
            (None, Some(ip6)) => {
                return Err(Error::of(
                    Kind::Usage,
                    format!(
                        "network \"{}\" has no IPv6 addresses such as {ip6}",
                        self.name
                    ),
                )
                .hint("networks made with `rpod network create --ipv6` have them"));
            }
        };
        let ip = v4(ip).ok_or_else(|| Error::internal("an IPv4 pool without IPv4 addresses"))?;
        Ok(Endpoint {
            network: self.name.clone(),
            network_id: self.id.clone(),
            device: device.to_owned(),
            mac: wanted.mac.unwrap_or(Mac::of(ip)),
            mtu: self.mtu,
            v4: Seat {
                ip,
                prefix: self.v4.subnet.prefix(),
                gateway: self.gateway(),
            },
            v6: ip6.and_then(|(pool, ip)| {
                Some(Seat {
                    ip: v6(ip)?,
                    prefix: pool.subnet.prefix(),
                    gateway: v6(pool.gateway)?,
                })
            }),
            internal: self.internal,
            no_way: self.traits.no_way,
            precedence: precedence(wanted.priority, self.traits.metric),
            aliases: wanted.aliases.clone(),
            host_loopback: wanted.host_loopback,
            outlook: wanted.outlook.clone(),
        })
    }

    fn allocate(&self, pool: &Pool, in_use: &InUse, wanted: Option<IpAddr>) -> Result<IpAddr> {
        if let Some(wanted) = wanted {
            return self.check(pool, in_use, wanted).map(|()| wanted);
        }
        let range = pool.range.unwrap_or(pool.subnet);
        range
            .addresses()
            .find(|ip| {
                is_host(pool, *ip)
                    && *ip != pool.gateway
                    && !in_use.contains(ip)
                    && !pool.reserved.values().any(|reserved| reserved == ip)
            })
            .ok_or_else(|| {
                Error::new(format!(
                    "network \"{}\" has no free address left in {range}",
                    self.name
                ))
            })
    }

    fn check(&self, pool: &Pool, in_use: &InUse, wanted: IpAddr) -> Result<()> {
        let (name, subnet) = (&self.name, pool.subnet);
        let why = if !is_host(pool, wanted) {
            format!("{wanted} is no address of network \"{name}\" ({subnet})")
        } else if wanted == pool.gateway {
            format!("{wanted} is the gateway of network \"{name}\"")
        } else if in_use.contains(&wanted) {
            format!("{wanted} is taken")
        } else {
            return Ok(());
        };
        let flag = if wanted.is_ipv4() { "--ip" } else { "--ip6" };
        Err(Error::of(Kind::Conflict, why).hint(format!(
            "leave out {flag} to get a free address in {subnet}"
        )))
    }
}

/// docker's word for it is a container's, and comes before podman's, the network's.
fn precedence(priority: i32, metric: Option<u32>) -> i64 {
    (i64::from(priority) << 32) - i64::from(metric.unwrap_or(METRIC))
}

/// Says whether a device can have an address: not the network's own, and not that of all.
fn is_host(pool: &Pool, ip: IpAddr) -> bool {
    let subnet = pool.subnet;
    subnet.contains(ip) && ip != subnet.first() && (ip != subnet.last() || ip.is_ipv6())
}

fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

fn v6(ip: IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V6(ip) => Some(ip),
        IpAddr::V4(_) => None,
    }
}

/// Returns the default network, `bridge`, with the addresses docker gives it.
pub fn default_network() -> Network {
    Network {
        version: 1,
        // There is one in each store, and it is not made: its id can be any.
        id: NetworkId::from_random([0xb1; 32]),
        name: DEFAULT.to_owned(),
        created: None,
        v4: pool_of(Subnet::around([172, 17, 0, 0].into(), 16)),
        v6: Some(pool_of(Subnet::around(
            Ipv6Addr::new(0xfd00, 0x172, 0x17, 0, 0, 0, 0, 0).into(),
            64,
        ))),
        internal: false,
        mtu: None,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        attachable: false,
        traits: Traits::default(),
        servers: Vec::new(),
    }
}

/// Returns the network of a container that has a stack of its own: nobody else is there,
/// so its addresses may be those of another.
pub fn private_network() -> Network {
    Network {
        id: NetworkId::from_random([0xb2; 32]),
        name: PRIVATE.to_owned(),
        ..default_network()
    }
}

/// Returns a subnet whose gateway is its first address, and nothing else asked for.
pub fn pool_of(subnet: Subnet) -> Pool {
    Pool {
        subnet,
        gateway: subnet.addresses().nth(1).unwrap_or(subnet.first()),
        range: None,
        reserved: BTreeMap::new(),
    }
}

/// Chooses addresses for a new network among those docker has for the purpose:
/// 172.18.0.0/16 to 172.31.0.0/16, then parts of 192.168.0.0/16; with IPv6, a
/// private prefix (RFC 4193) of the same figures.
///
/// # Errors
/// When all are taken.
pub fn free_subnet(ipv6: bool, taken: &[Subnet]) -> Result<Subnet> {
    let large = (18..=31).map(|n| ([172, n, 0, 0], 16));
    let small = (0..=15).map(|n| ([192, 168, n * 16, 0], 20));
    large
        .chain(small)
        .map(|(ip, prefix)| match ipv6 {
            false => Subnet::around(ip.into(), prefix),
            true => {
                let [a, b, c, _] = ip.map(figures);
                let ip = Ipv6Addr::new(0xfd00, a, b, c, 0, 0, 0, 0);
                Subnet::around(ip.into(), 64)
            }
        })
        .find(|subnet| !taken.iter().any(|other| other.overlaps(subnet)))
        .ok_or_else(|| {
            Error::new("every subnet that rpod chooses from is taken")
                .hint("choose one: `rpod network create --subnet 10.10.0.0/24 NAME`, or remove unused networks with `rpod network prune`")
        })
}

/// 172 → 0x172: the same figures to the eye.
fn figures(byte: u8) -> u16 {
    let byte = u16::from(byte);
    ((byte / 100) << 8) | ((byte / 10 % 10) << 4) | (byte % 10)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{InUse, Plan, default_network, free_subnet, pool_of};
    use crate::spec::network::{Attachment, Endpoint};
    use crate::spec::subnet::Subnet;

    fn plan() -> Plan {
        Plan::of(&default_network())
    }

    fn any(plan: &Plan, in_use: &InUse) -> crate::error::Result<Endpoint> {
        plan.seat(in_use, &Attachment::default(), "eth0")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn subnet(text: &str) -> Subnet {
        text.parse().expect(text)
    }

    #[test]
    fn the_lowest_free_address_is_next() {
        let plan = plan();
        let mut in_use = InUse::new();
        for (v4, v6) in [
            ("172.17.0.2", "fd00:172:17::2"),
            ("172.17.0.3", "fd00:172:17::3"),
            ("172.17.0.4", "fd00:172:17::4"),
        ] {
            let next = any(&plan, &in_use).expect("free");
            let next6 = next.v6.expect("IPv6");
            assert_eq!(next.v4.ip, ip(v4));
            assert_eq!(next6.ip, ip(v6));
            assert_eq!(next6.gateway, ip("fd00:172:17::1"));
            in_use.extend([IpAddr::from(next.v4.ip), next6.ip.into()]);
        }
        in_use.remove(&ip("172.17.0.3"));
        let next = any(&plan, &in_use).expect("free");
        assert_eq!(next.v4.ip, Ipv4Addr::new(172, 17, 0, 3));
    }

    #[test]
    fn a_range_and_reserved_addresses_are_kept_to() {
        let mut plan = plan();
        plan.v4.range = Some(subnet("172.17.9.0/30"));
        plan.v4
            .reserved
            .insert("printer".to_owned(), ip("172.17.9.1"));
        let mut in_use = InUse::new();
        for expected in ["172.17.9.0", "172.17.9.2", "172.17.9.3"] {
            let next: IpAddr = any(&plan, &in_use).expect("free").v4.ip.into();
            assert_eq!(next, ip(expected));
            in_use.insert(next);
        }
        let error = any(&plan, &in_use).expect_err("full").to_string();
        assert!(error.ends_with("left in 172.17.9.0/30"), "{error}");
        let outside = Attachment {
            ip: Some(Ipv4Addr::new(172, 17, 1, 1)),
            ..Attachment::default()
        };
        assert!(plan.seat(&in_use, &outside, "eth0").is_ok());
    }

    #[test]
    fn a_full_network_says_so() {
        let mut plan = plan();
        plan.v4 = pool_of(subnet("10.0.0.0/29"));
        let mut in_use = InUse::new();
        while let Ok(next) = any(&plan, &in_use) {
            assert!(in_use.insert(next.v4.ip.into()));
        }
        assert_eq!(in_use.len(), 5, "{in_use:?}");
        let error = any(&plan, &in_use).expect_err("full").to_string();
        assert!(error.contains("10.0.0.0/29"), "{error}");
    }

    #[test]
    fn a_way_out_has_precedence_by_its_container_and_then_by_its_network() {
        let mut plan = plan();
        let mut of = |metric, priority| {
            plan.traits.metric = metric;
            let wanted = Attachment {
                priority,
                ..Attachment::default()
            };
            let seat = plan.seat(&InUse::new(), &wanted, "eth0").expect("free");
            seat.precedence
        };
        let rising = [
            of(Some(0), -1),
            of(Some(u32::MAX), 0),
            of(Some(101), 0),
            of(None, 0),
            of(Some(7), 0),
            of(Some(u32::MAX), 1),
        ];
        assert!(rising.is_sorted_by(|one, next| one < next), "{rising:?}");
        assert_eq!(of(None, 0), of(Some(100), 0));
    }

    #[test]
    fn a_wanted_address_is_checked() {
        let plan = plan();
        let in_use = InUse::from([ip("172.17.0.9")]);
        for (wanted, why) in [
            ([172, 18, 0, 2], "is no address of"),
            ([172, 17, 0, 0], "is no address of"),
            ([172, 17, 255, 255], "is no address of"),
            ([172, 17, 0, 1], "is the gateway"),
            ([172, 17, 0, 9], "is taken"),
        ] {
            let wanted = Attachment {
                ip: Some(wanted.into()),
                ..Attachment::default()
            };
            let error = plan.seat(&in_use, &wanted, "eth0").expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
        let wanted = Attachment {
            ip: Some(Ipv4Addr::new(172, 17, 3, 4)),
            ..Attachment::default()
        };
        let endpoint = plan.seat(&in_use, &wanted, "eth1").expect("free");
        assert_eq!(endpoint.v4.ip, Ipv4Addr::new(172, 17, 3, 4));
        assert_eq!(endpoint.device, "eth1");
    }

    #[test]
    fn new_networks_get_what_docker_would_give_and_never_twice() {
        let mut taken = vec![subnet("172.17.0.0/16")];
        let mut all = Vec::new();
        while let Ok(next) = free_subnet(false, &taken) {
            taken.push(next);
            all.push(next.to_string());
        }
        assert_eq!(all.len(), 14 + 16);
        assert_eq!(all[0], "172.18.0.0/16");
        assert_eq!(all[14], "192.168.0.0/20");
        assert_eq!(all[29], "192.168.240.0/20");
        let wide = [subnet("172.16.0.0/12")];
        let after = free_subnet(false, &wide).expect("free");
        assert_eq!(after.to_string(), "192.168.0.0/20");
        let six = free_subnet(true, &[subnet("fd00:172:18::/64")]).expect("free");
        assert_eq!(six.to_string(), "fd00:172:19::/64");
    }
}
