//! Who may go out, and where an address inside leads to.
//!
//! A network's gateway stands for this machine: what is sent there goes to an
//! address of the machine's own, so that services which listen for everybody
//! answer, and those on its loopback do not; for those an address inside needs
//! leave of its own.
//!
//! Lives here: [`Reach`].
//! Must not: remember an address of the machine's beyond a turn of the loop: it may have moved.
//! Called by: the rest of `dataplane::uplink`.
//! Always true: no loopback address is reached without leave, in whatever form
//! it is written; nobody goes out whose address is no network's of ours.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::network::plan::Plan;
use crate::sys::net::{own_address, source_for};

/// A network whose addresses go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its gateway in IPv4, and how many bits of it are the network's.
    pub v4: Option<(Ipv4Addr, u8)>,
    /// The same in IPv6.
    pub v6: Option<(Ipv6Addr, u8)>,
    /// Bytes of the largest packet on its links.
    pub mtu: u32,
}

impl Network {
    /// What is to be known of it here.
    pub fn of(plan: &Plan) -> Self {
        Self {
            v4: Some((plan.gateway(), plan.v4.subnet.prefix())),
            v6: plan.gateway6(),
            mtu: plan.mtu,
        }
    }

    fn holds(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => self.v4.is_some_and(|(gateway, bits)| {
                let differs = (ip.to_bits() ^ gateway.to_bits()).checked_shr(32 - u32::from(bits));
                bits == 0 || differs == Some(0)
            }),
            IpAddr::V6(ip) => self.v6.is_some_and(|(gateway, bits)| {
                let differs = (ip.to_bits() ^ gateway.to_bits()).checked_shr(128 - u32::from(bits));
                bits == 0 || differs == Some(0)
            }),
        }
    }

    fn gateway(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => self.v4.is_some_and(|(gateway, _)| gateway == ip),
            IpAddr::V6(ip) => self.v6.is_some_and(|(gateway, _)| gateway == ip),
        }
    }
}

/// The networks, and who has leave.
#[derive(Debug, Default)]
pub struct Reach {
    networks: Vec<Network>,
    /// Those that may reach the machine's loopback.
    trusted: BTreeSet<IpAddr>,
    /// The machine's address in each version of IP, where it was asked for in this turn.
    own: Cell<[Option<Option<IpAddr>>; 2]>,
}

impl Reach {
    /// Lets a network's addresses out. One with the same gateways as an earlier one takes its place.
    pub fn serve(&mut self, network: Network) {
        self.withdraw(&network);
        self.networks.push(network);
    }

    /// Lets a network's addresses out no longer.
    pub fn withdraw(&mut self, network: &Network) {
        self.networks
            .retain(|other| (other.v4, other.v6) != (network.v4, network.v6));
    }

    /// Gives an address leave to reach the loopback, or takes it.
    pub fn trust(&mut self, inside: IpAddr, trusted: bool) {
        if trusted {
            self.trusted.insert(inside);
        } else {
            self.trusted.remove(&inside);
        }
    }

    /// Says whether packets from this address are answered.
    pub fn lets_out(&self, inside: IpAddr) -> bool {
        self.network(inside)
            .is_some_and(|network| !network.gateway(inside))
    }

    /// Returns the size of the largest packet on the network of this address.
    pub fn mtu(&self, inside: IpAddr) -> usize {
        self.network(inside)
            .map_or(1280, |network| network.mtu as usize)
    }

    fn network(&self, ip: IpAddr) -> Option<&Network> {
        self.networks.iter().find(|network| network.holds(ip))
    }

    /// Returns where `to` leads for somebody inside, by a socket of the machine's; none is nowhere.
    pub fn way(&self, inside: IpAddr, to: SocketAddr) -> Option<SocketAddr> {
        if self.networks.iter().any(|n| n.gateway(to.ip())) {
            return self.machine(inside, to);
        }
        if !is_public(to.ip()) || self.network(to.ip()).is_some() {
            return None;
        }
        Some(to)
    }

    fn machine(&self, inside: IpAddr, to: SocketAddr) -> Option<SocketAddr> {
        let six = to.is_ipv6();
        if self.trusted.contains(&inside) {
            let loopback: IpAddr = if six {
                Ipv6Addr::LOCALHOST.into()
            } else {
                Ipv4Addr::LOCALHOST.into()
            };
            return Some(SocketAddr::new(loopback, to.port()));
        }
        let own = self.own(six).filter(|own| is_public(*own))?;
        Some(SocketAddr::new(own, to.port()))
    }

    /// Says whether an address that [`Reach::way`] gave is one of this machine.
    pub fn is_here(&self, ip: IpAddr) -> bool {
        let known = self.own.get()[usize::from(ip.is_ipv6())];
        ip.is_loopback() || known == Some(Some(ip)) || source_for(ip) == Some(ip)
    }

    /// A turn of the loop begins: the machine may have moved.
    pub fn begin_turn(&mut self) {
        self.own.take();
    }

    fn own(&self, six: bool) -> Option<IpAddr> {
        let mut known = self.own.get();
        let own = *known[usize::from(six)].get_or_insert_with(|| own_address(six));
        self.own.set(known);
        own
    }
}

/// Says whether an address is one of some machine out there: of no loopback, no
/// group, and no form of another version's that would hide one.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.octets()[0] == 0
                || ip.is_loopback()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.octets()[0] >= 240)
        }
        IpAddr::V6(ip) => {
            let hides_v4 = matches!(ip.segments(), [0, 0, 0, 0, 0, 0 | 0xffff, ..]);
            !(hides_v4 || ip.is_multicast() || ip.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::{Network, Reach};

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn reach() -> Reach {
        let mut reach = Reach::default();
        reach.serve(Network {
            v4: Some(([172, 17, 0, 1].into(), 16)),
            v6: Some(("fd00:17::1".parse().expect("v6"), 64)),
            mtu: 65520,
        });
        reach
    }

    #[test]
    fn only_members_of_a_network_go_out() {
        let reach = reach();
        for (address, out) in [
            ("172.17.0.2", true),
            ("172.17.255.254", true),
            ("172.17.0.1", false),
            ("172.18.0.2", false),
            ("8.8.8.8", false),
            ("fd00:17::2", true),
            ("fd00:17::1", false),
            ("fd00:18::2", false),
        ] {
            assert_eq!(reach.lets_out(ip(address)), out, "{address}");
        }
    }

    #[test]
    fn no_form_of_loopback_and_no_group_is_reached() {
        let reach = reach();
        for address in [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "172.17.0.9",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[ff02::1]",
            "[fe80::1]",
            "[fd00:17::9]",
        ] {
            let to: SocketAddr = format!("{address}:80").parse().expect(address);
            assert_eq!(reach.way(ip("172.17.0.2"), to), None, "{address}");
        }
        let to = "198.51.100.7:80".parse().expect("address");
        assert_eq!(reach.way(ip("172.17.0.2"), to), Some(to));
    }

    #[test]
    fn the_gateway_is_this_machine_and_its_loopback_needs_leave() {
        let mut reach = reach();
        let gateway: SocketAddr = "172.17.0.1:80".parse().expect("address");
        if let Some(to) = reach.way(ip("172.17.0.2"), gateway) {
            assert!(!to.ip().is_loopback() && to.port() == 80, "{to}");
        }
        reach.trust(ip("172.17.0.2"), true);
        let loopback = "127.0.0.1:80".parse().expect("address");
        assert_eq!(reach.way(ip("172.17.0.2"), gateway), Some(loopback));
        assert_ne!(reach.way(ip("172.17.0.3"), gateway), Some(loopback));
        reach.trust(ip("172.17.0.2"), false);
        assert_ne!(reach.way(ip("172.17.0.2"), gateway), Some(loopback));
    }
}
