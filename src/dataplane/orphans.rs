//! Streams of a container whose way out has gone with the process that carried them.
//!
//! Their other ends have been told by the kernel. The container would not notice before
//! it sends something, and who only listens never: so they are ended here.
//!
//! Lives here: which they are, and [`end`].
//! Must not: end a stream that another container or a published port carries.
//! Called by: `role::monitor`, in the container's network namespace, when it has come
//! back to the network by another net process.
//! Always true: where the kernel cannot do it, streams end as they would have.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use crate::error::{Context, Result};
use crate::spec::network::Endpoint;
use crate::spec::subnet::Subnet;
use crate::sys::streams;

/// Ends the streams that went out by the endpoints' gateways.
pub fn end(endpoints: &[Endpoint]) -> Result<()> {
    let all = streams::list().what(|| "cannot list the container's connections")?;
    let ends: Vec<_> = all.iter().map(|stream| (stream.own, stream.peer)).collect();
    let orphan = orphans(&ends, endpoints);
    for stream in all.iter().filter(|stream| orphan(stream.own, stream.peer)) {
        drop(streams::end(stream));
    }
    Ok(())
}

/// Says of a stream whether it has lost its way: its other end is neither in this
/// namespace, as those of published ports are, nor a neighbour of the container's.
fn orphans(
    all: &[(SocketAddr, SocketAddr)],
    endpoints: &[Endpoint],
) -> impl Fn(SocketAddr, SocketAddr) -> bool + use<> {
    let here: HashSet<_> = all.iter().copied().collect();
    let mut gateways = HashSet::new();
    let mut subnets = Vec::new();
    for endpoint in endpoints {
        let v4 = &endpoint.v4;
        gateways.insert(IpAddr::from(v4.gateway));
        subnets.push(Subnet::around(v4.ip.into(), v4.prefix));
        if let Some(v6) = &endpoint.v6 {
            gateways.insert(IpAddr::from(v6.gateway));
            subnets.push(Subnet::around(v6.ip.into(), v6.prefix));
        }
    }
    move |own, peer| {
        let ip = peer.ip();
        let near = subnets.iter().any(|subnet| subnet.contains(ip)) && !gateways.contains(&ip);
        !near && !ip.is_loopback() && !here.contains(&(peer, own))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::orphans;
    use crate::spec::network::Endpoint;

    #[test]
    fn only_what_went_out_has_lost_its_way() {
        let endpoint: Endpoint = serde_json::from_str(
            r#"{"network":"bridge","network_id":"0000000000000000000000000000000000000000000000000000000000000000",
                "device":"eth0","mac":"02:00:00:00:00:01","mtu":1500,
                "v4":{"ip":"172.17.0.2","prefix":16,"gateway":"172.17.0.1"},
                "v6":{"ip":"fd00::2","prefix":64,"gateway":"fd00::1"}}"#,
        )
        .expect("an endpoint");
        let at = |text: &str| -> SocketAddr { text.parse().expect(text) };
        let all = [
            ("172.17.0.2:40000", "198.51.100.7:443", true),
            ("[fd00::2]:40000", "[2001:db8::7]:443", true),
            // The machine itself.
            ("172.17.0.2:40001", "172.17.0.1:5432", true),
            ("[fd00::2]:40001", "[fd00::1]:5432", true),
            // Neighbours.
            ("172.17.0.2:40002", "172.17.0.9:80", false),
            ("[fd00::2]:40002", "[fd00::9]:80", false),
            // The program's own, and clients of a published port with their peers here.
            ("127.0.0.1:40003", "127.0.0.1:80", false),
            ("172.17.0.2:80", "198.51.100.7:50000", false),
            ("198.51.100.7:50000", "172.17.0.2:80", false),
            ("172.17.0.2:80", "172.17.0.1:50000", false),
            ("172.17.0.1:50000", "172.17.0.2:80", false),
        ];
        let ends: Vec<_> = all
            .iter()
            .map(|(own, peer, _)| (at(own), at(peer)))
            .collect();
        let orphan = orphans(&ends, &[endpoint]);
        for (own, peer, lost) in all {
            assert_eq!(orphan(at(own), at(peer)), lost, "{own} {peer}");
        }
    }
}
