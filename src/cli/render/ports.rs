//! Published ports in one cell: `0.0.0.0:1234->8080/tcp, [::]:1234->8080/tcp, 9000/tcp`.
//!
//! Lives here: docker's wording and its grouping of ports into ranges.
//! Must not: know whether a port is open.
//! Called by: `ps`, `port`.
//! Always true: a mapping without an address is shown for both families, as it
//! listens on both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::spec::port::{Port, PortMapping, Protocol};

/// Returns the addresses a mapping listens on.
pub fn addresses(mapping: &PortMapping) -> Vec<SocketAddr> {
    let port = mapping.host_port.unwrap_or(0);
    match mapping.host_ip {
        Some(ip) => vec![SocketAddr::new(ip, port)],
        None => vec![
            SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
            SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
        ],
    }
}

/// One row of what is listed, sorted by its container port and then its address.
type Row = (Port, Option<SocketAddr>);

/// Returns the cell. Ports that are the same on both sides, or only exposed, are joined into ranges.
pub fn cell(published: &[PortMapping], exposed: &[Port]) -> String {
    let mut rows: Vec<Row> = published
        .iter()
        .flat_map(|m| addresses(m).into_iter().map(|a| (m.container, Some(a))))
        .collect();
    rows.extend(
        exposed
            .iter()
            .filter(|port| published.iter().all(|m| m.container != **port))
            .map(|port| (*port, None)),
    );
    rows.sort_by_key(|(port, address)| (port.number, address.map(|a| (a.ip(), a.port()))));
    rows.dedup();
    let mut runs: Vec<Run> = Vec::new();
    let mut done = Vec::new();
    let mut moved = Vec::new();
    for (port, address) in rows {
        if let Some(address) = address
            && address.port() != port.number
        {
            moved.push(format!("{address}->{port}"));
            continue;
        }
        let ip = address.map(|a| a.ip());
        let same = |run: &&mut Run| run.ip == ip && run.protocol == port.protocol;
        match runs.iter_mut().find(same) {
            Some(run) if run.last.checked_add(1) == Some(port.number) => run.last = port.number,
            Some(run) => {
                done.push(run.text());
                (run.first, run.last) = (port.number, port.number);
            }
            None => runs.push(Run {
                ip,
                protocol: port.protocol,
                first: port.number,
                last: port.number,
            }),
        }
    }
    done.extend(runs.iter().map(Run::text));
    done.extend(moved);
    done.join(", ")
}

/// Ports one after another, on one address or none.
struct Run {
    ip: Option<IpAddr>,
    protocol: Protocol,
    first: u16,
    last: u16,
}

impl Run {
    fn text(&self) -> String {
        let numbers = if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}-{}", self.first, self.last)
        };
        match self.ip {
            Some(IpAddr::V4(ip)) => format!("{ip}:{numbers}->{numbers}/{}", self.protocol),
            Some(IpAddr::V6(ip)) => format!("[{ip}]:{numbers}->{numbers}/{}", self.protocol),
            None => format!("{numbers}/{}", self.protocol),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::port::{Port, parse_publish};

    #[test]
    fn ports_look_as_docker_shows_them() {
        for (published, exposed, shown) in [
            (
                &["1234:8080"][..],
                &[][..],
                "0.0.0.0:1234->8080/tcp, [::]:1234->8080/tcp",
            ),
            (&["127.0.0.1:1:80/udp"], &["80/udp"], "127.0.0.1:1->80/udp"),
            (&[], &["3306/tcp", "33060/tcp"], "3306/tcp, 33060/tcp"),
            (
                &[],
                &["81/tcp", "80/tcp", "82/tcp", "82/udp"],
                "80-82/tcp, 82/udp",
            ),
            (
                &["127.0.0.1:80-82:80-82"],
                &[],
                "127.0.0.1:80-82->80-82/tcp",
            ),
            (
                &["[::1]:443:443"],
                &["80/tcp"],
                "80/tcp, [::1]:443->443/tcp",
            ),
            (&[], &[], ""),
        ] {
            let published: Vec<_> = published
                .iter()
                .flat_map(|text| parse_publish(text).expect(text))
                .collect();
            let exposed: Vec<Port> = exposed.iter().map(|p| p.parse().expect(p)).collect();
            assert_eq!(super::cell(&published, &exposed), shown);
        }
    }
}
