//! With whose address a published port's connection reaches the program.
//!
//! Lives here: one decision, from the client's address and the container's.
//! Must not: open a socket.
//! Called by: `dataplane::relay`, `dataplane::datagram`.
//! Always true: what it returns is no loopback address, which the container
//! would take for its own, and both addresses are of one version of IP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::spec::network::Endpoint;

/// Where the program is.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The container's address.
    pub ip: Ipv4Addr,
    /// Its gateway: who stands for clients that have no address of their own there.
    pub gateway: Ipv4Addr,
    /// Its IPv6 address, where it has one and clients can keep theirs.
    pub ip6: Option<Ipv6Addr>,
}

impl Target {
    /// Reads a container's place.
    pub fn of(endpoint: &Endpoint) -> Self {
        Self {
            ip: endpoint.v4.ip,
            gateway: endpoint.v4.gateway,
            ip6: endpoint.v6.map(|v6| v6.ip),
        }
    }

    /// Returns where the program is for a client that came by IPv6 and keeps its
    /// address: the program may not listen there, and then [`Self::source`] is left.
    pub fn by_ipv6(&self, client: SocketAddr) -> Option<IpAddr> {
        match (client.ip().to_canonical(), self.ip6) {
            (IpAddr::V6(from), Some(ip))
                if !(from.is_loopback()
                    || from.is_unspecified()
                    || from.is_multicast()
                    || from.is_unicast_link_local()
                    || from == ip) =>
            {
                Some(ip.into())
            }
            _ => None,
        }
    }

    /// Returns the address and port the program sees. Port 0 means any free one.
    ///
    /// A client on the machine itself that came by loopback is the gateway, as
    /// docker shows it; so is one that came by IPv6, which a container without
    /// IPv6 has no other word for, and one with the container's own address.
    pub fn source(&self, client: SocketAddr) -> SocketAddr {
        match client.ip().to_canonical() {
            IpAddr::V4(ip)
                if !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || ip.is_broadcast()
                    || ip == self.ip) =>
            {
                SocketAddr::new(ip.into(), client.port())
            }
            _ => SocketAddr::new(self.gateway.into(), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_client_keeps_its_address_where_it_has_one() {
        let target = Target {
            ip: [172, 17, 0, 2].into(),
            gateway: [172, 17, 0, 1].into(),
            ip6: "fd00::2".parse().ok(),
        };
        for (client, seen) in [
            ("198.51.100.77:40000", "198.51.100.77:40000"),
            ("[::ffff:198.51.100.77]:40000", "198.51.100.77:40000"),
            ("127.0.0.1:40000", "172.17.0.1:0"),
            ("127.9.9.9:40000", "172.17.0.1:0"),
            ("[::ffff:127.0.0.1]:40000", "172.17.0.1:0"),
            ("[::1]:40000", "172.17.0.1:0"),
            ("[2001:db8::7]:40000", "172.17.0.1:0"),
            ("172.17.0.2:40000", "172.17.0.1:0"),
            ("172.17.0.9:40000", "172.17.0.9:40000"),
            ("0.0.0.0:1", "172.17.0.1:0"),
        ] {
            let client = client.parse().expect(client);
            assert_eq!(target.source(client).to_string(), seen, "{client}");
        }
        for (client, kept) in [
            ("[2001:db8::7]:40000", true),
            ("[fd00::2]:40000", false),
            ("[fe80::7]:40000", false),
            ("[::1]:40000", false),
            ("[::ffff:198.51.100.77]:40000", false),
            ("198.51.100.77:40000", false),
        ] {
            let client = client.parse().expect(client);
            assert_eq!(target.by_ipv6(client).is_some(), kept, "{client}");
        }
    }
}
