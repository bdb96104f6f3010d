//! Published ports on the machine: the sockets clients come to.
//!
//! Lives here: [`bind`], which makes them, and the job of the process that serves them.
//! Must not: enter a namespace or accept a connection.
//! Called by: `ops`, before anything of a container is made, so that a port
//! taken by somebody else costs nothing; `role::ports` serves what is bound.
//! Always true: all of a container's ports are bound or none is; a port for
//! every address has the same number in both versions of IP.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{SocketType, sockopt};

use crate::error::{Context, Error, Kind, Result};
use crate::spec::network::Endpoint;
use crate::spec::port::{Port, PortMapping, Protocol};
use crate::sys::socket;

/// How many free ports of one version of IP are tried for one that is free in both.
const TRIES: u32 = 64;

/// Connections that may wait to be accepted; the kernel bounds it further.
const BACKLOG: i32 = 4096;

/// What a ports process is to do.
#[derive(Debug)]
pub struct PortsJob {
    /// The sockets.
    pub bound: Bound,
    /// The container's network namespace.
    pub network: OwnedFd,
    /// The container's place on its network.
    pub endpoint: Endpoint,
    /// End of a pipe whose other end the monitor has: closed means the container has gone.
    pub control: OwnedFd,
}

/// A container's ports, bound on the machine.
#[derive(Debug, Default)]
pub struct Bound {
    /// The sockets.
    pub listeners: Vec<Listener>,
    /// The mappings as they are: every host port is known.
    pub mappings: Vec<PortMapping>,
}

/// One socket of the machine's.
#[derive(Debug)]
pub struct Listener {
    /// The socket: non-blocking, closed on exec; of TCP it listens.
    pub fd: OwnedFd,
    /// What it carries.
    pub protocol: Protocol,
    /// Port inside.
    pub container: u16,
}

impl Bound {
    /// Returns the same sockets once more, for another process that serves them.
    pub fn try_clone(&self) -> Result<Self> {
        let listeners = self
            .listeners
            .iter()
            .map(|listener| {
                Ok(Listener {
                    fd: listener.fd.try_clone()?,
                    protocol: listener.protocol,
                    container: listener.container,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            listeners,
            mappings: self.mappings.clone(),
        })
    }

    /// Returns the container's ports that carry datagrams.
    pub fn udp_ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self
            .listeners
            .iter()
            .filter(|l| l.protocol == Protocol::Udp)
            .map(|l| l.container)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

/// Binds every mapping in the network namespace of the calling process. Where one
/// of the sockets `passed` to us is a mapping's, it is used and taken out.
///
/// # Errors
/// When a port is taken ([`Error::errno`] is `EADDRINUSE`), needs privileges
/// (`EACCES`), or an address is not the machine's (`EADDRNOTAVAIL`).
pub fn bind(mappings: &[PortMapping], passed: &mut Vec<OwnedFd>) -> Result<Bound> {
    let mut bound = Bound::default();
    for mapping in mappings {
        if !claim(mapping, passed, &mut bound)? {
            bind_one(mapping, &mut bound)?;
        }
    }
    Ok(bound)
}

/// Takes the sockets of a mapping out of those passed. Of a port for every address
/// there may be one or two; none is opened beside them, which only a privileged
/// user could.
fn claim(mapping: &PortMapping, passed: &mut Vec<OwnedFd>, bound: &mut Bound) -> Result<bool> {
    let Some(first) = mapping.host_port else {
        return Ok(false);
    };
    let range = first..=mapping.host_port_end.unwrap_or(first);
    let mut port = None;
    for fd in std::mem::take(passed) {
        match address_of(&fd, mapping.container.protocol) {
            Some(address)
                if port.map_or(range.contains(&address.port()), |p| p == address.port())
                    && match mapping.host_ip {
                        Some(ip) => ip == address.ip(),
                        None => address.ip().is_unspecified(),
                    } =>
            {
                port = Some(address.port());
                bound.listeners.push(adopt(fd, mapping.container)?);
            }
            _ => passed.push(fd),
        }
    }
    if port.is_some() {
        bound.mappings.push(PortMapping {
            host_port: port,
            host_port_end: None,
            ..mapping.clone()
        });
    }
    Ok(port.is_some())
}

/// The address of a socket that carries what is asked for.
fn address_of(fd: &OwnedFd, protocol: Protocol) -> Option<SocketAddr> {
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    if sockopt::socket_type(fd).ok()? != kind {
        return None;
    }
    SocketAddr::try_from(rustix::net::getsockname(fd).ok()?).ok()
}

fn adopt(fd: OwnedFd, container: Port) -> Result<Listener> {
    let doing = || format!("cannot use the socket that was passed for {container}");
    rustix::io::ioctl_fionbio(&fd, true).what(doing)?;
    if container.protocol == Protocol::Tcp {
        // systemd's listens already; to listen again does no harm.
        rustix::net::listen(&fd, BACKLOG).what(doing)?;
    }
    Ok(Listener {
        fd,
        protocol: container.protocol,
        container: container.number,
    })
}

/// Of a range, the first port that is free.
fn bind_one(mapping: &PortMapping, bound: &mut Bound) -> Result<()> {
    let (Some(first), Some(last)) = (mapping.host_port, mapping.host_port_end) else {
        return bind_at(mapping, bound);
    };
    let mut result = Ok(());
    for port in first..=last {
        let one = PortMapping {
            host_port: Some(port),
            host_port_end: None,
            ..mapping.clone()
        };
        result = bind_at(&one, bound);
        let taken = |error: &Error| error.errno() == Some(Errno::ADDRINUSE.raw_os_error());
        if !result.as_ref().is_err_and(taken) {
            break;
        }
    }
    result
}

fn bind_at(mapping: &PortMapping, bound: &mut Bound) -> Result<()> {
    let protocol = mapping.container.protocol;
    let listener = |fd| Listener {
        fd,
        protocol,
        container: mapping.container.number,
    };
    let (fds, port) = match (mapping.host_ip, mapping.host_port) {
        (Some(ip), port) => {
            let address = SocketAddr::new(ip, port.unwrap_or(0));
            let fd = socket_at(address, protocol).map_err(|e| refusal(address, protocol, e))?;
            let port = port_of(&fd)?;
            (vec![fd], port)
        }
        (None, Some(port)) => (both(port, protocol)?, port),
        (None, None) => free(protocol)?,
    };
    bound.listeners.extend(fds.into_iter().map(listener));
    bound.mappings.push(PortMapping {
        host_port: Some(port),
        host_port_end: None,
        ..mapping.clone()
    });
    Ok(())
}

/// Binds a port of every address, of both versions of IP; a machine without IPv6 has one.
fn both(port: u16, protocol: Protocol) -> Result<Vec<OwnedFd>> {
    let v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    let mut fds = vec![socket_at(v4, protocol).map_err(|e| refusal(v4, protocol, e))?];
    let v6 = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    match socket_at(v6, protocol) {
        Ok(fd) => fds.push(fd),
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {}
        Err(error) => return Err(refusal(v6, protocol, error)),
    }
    Ok(fds)
}

fn free(protocol: Protocol) -> Result<(Vec<OwnedFd>, u16)> {
    let mut last = None;
    for _ in 0..TRIES {
        // The kernel chooses; then both are bound anew by number, so that a
        // program that takes the port in between is just one more try.
        let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        let fd = socket_at(any, protocol).map_err(|e| refusal(any, protocol, e))?;
        let port = port_of(&fd)?;
        drop(fd);
        match both(port, protocol) {
            Ok(fds) => return Ok((fds, port)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::internal("no port was tried")))
}

fn socket_at(address: SocketAddr, protocol: Protocol) -> Result<OwnedFd, Errno> {
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let fd = socket::make(socket::family(address.ip()), kind)?;
    if address.is_ipv6() {
        // The other version has a socket of its own, and a client's address its own form.
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    if protocol == Protocol::Tcp {
        // Connections of the container's last run may still wait for their end.
        // Of datagrams it would let two containers share a port.
        sockopt::set_socket_reuseaddr(&fd, true)?;
    }
    rustix::net::bind(&fd, &address)?;
    if protocol == Protocol::Tcp {
        rustix::net::listen(&fd, BACKLOG)?;
    }
    Ok(fd)
}

fn port_of(fd: &OwnedFd) -> Result<u16> {
    rustix::net::getsockname(fd)
        .and_then(SocketAddr::try_from)
        .map(|address| address.port())
        .what(|| "cannot read the number of a published port")
}

fn refusal(address: SocketAddr, protocol: Protocol, errno: Errno) -> Error {
    let port = address.port();
    let why = match errno {
        Errno::ADDRINUSE if port == 0 => {
            Error::new("no port is free on this host").kind_of(Kind::Conflict)
        }
        Errno::ADDRINUSE => Error::of(Kind::Conflict, format!("{address} is already in use")),
        Errno::ACCESS => {
            let start = first_unprivileged();
            Error::new(format!(
                "ports below {start} need privileges on this host (net.ipv4.ip_unprivileged_port_start = {start})"
            ))
            .hint(format!(
                "use a higher host port, for example `-p {}:{port}`",
                instead_of(port, start)
            ))
        }
        Errno::ADDRNOTAVAIL => Error::new(format!(
            "no interface of this host has the address {}",
            address.ip()
        ))
        .hint("see the addresses it has with `ip address`"),
        Errno::AFNOSUPPORT => Error::new(format!(
            "this host has no {}",
            if matches!(address.ip(), IpAddr::V6(_)) {
                "IPv6"
            } else {
                "IPv4"
            }
        )),
        other => io::Error::from(other).into(),
    };
    let what = if port == 0 {
        format!("cannot publish a {protocol} port")
    } else {
        format!("cannot publish port {port}/{protocol}")
    };
    why.errno_of(errno.raw_os_error()).what(what)
}

fn first_unprivileged() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}

/// 80 → 8080, 443 → 8443: what people expect.
fn instead_of(port: u16, start: u16) -> u16 {
    let usual = 8000_u16.saturating_add(port);
    usual.max(start)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::bind;
    use crate::spec::port::{Protocol, parse_publish};

    #[test]
    fn a_free_port_is_the_same_number_in_both_versions_of_ip() {
        let bound = bind(&parse_publish("80").expect("parsed"), &mut Vec::new()).expect("bound");
        let port = bound.mappings[0].host_port.expect("known");
        assert_ne!(port, 0);
        assert_eq!(bound.mappings[0].host_ip, None);
        TcpStream::connect(("127.0.0.1", port)).expect("listens");
        if bound.listeners.len() == 2 {
            TcpStream::connect(("::1", port)).expect("listens");
        }
        assert!(
            bound
                .listeners
                .iter()
                .all(|l| l.container == 80 && l.protocol == Protocol::Tcp)
        );
    }

    #[test]
    fn a_taken_port_is_named_with_its_address() {
        let taken = TcpListener::bind("0.0.0.0:0").expect("bound");
        let port = taken.local_addr().expect("named").port();
        for (ip, shown) in [("", "0.0.0.0"), ("127.0.0.1:", "127.0.0.1")] {
            let mappings = parse_publish(&format!("{ip}{port}:80")).expect("parsed");
            let error = bind(&mappings, &mut Vec::new()).expect_err("taken");
            assert_eq!(
                error.to_string(),
                format!("cannot publish port {port}/tcp: {shown}:{port} is already in use")
            );
            assert_eq!(error.errno(), Some(98));
        }
    }

    #[test]
    fn datagrams_of_one_port_are_not_shared() {
        let first = bind(
            &parse_publish("127.0.0.1::53/udp").expect("parsed"),
            &mut Vec::new(),
        )
        .expect("bound");
        let port = first.mappings[0].host_port.expect("known");
        assert_eq!(first.udp_ports(), [53]);
        let again = parse_publish(&format!("127.0.0.1:{port}:53/udp")).expect("parsed");
        let error = bind(&again, &mut Vec::new())
            .expect_err("taken")
            .to_string();
        assert!(error.ends_with("is already in use"), "{error}");
    }

    #[test]
    fn a_socket_that_was_passed_is_used_for_its_port() {
        let given = TcpListener::bind("127.0.0.1:0").expect("bound");
        let other = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let port = given.local_addr().expect("named").port();
        let mut passed = vec![other.into(), given.into()];
        let text = format!("127.0.0.1:{port}:80");
        let bound = bind(&parse_publish(&text).expect("parsed"), &mut passed).expect("bound");
        assert_eq!(passed.len(), 1, "the one that is nobody's is left");
        assert_eq!(bound.listeners.len(), 1);
        assert_eq!(bound.mappings[0].host_port, Some(port));
        TcpStream::connect(("127.0.0.1", port)).expect("listens");
        // One of the range, and for every address only what is for every address.
        let given = TcpListener::bind("0.0.0.0:0").expect("bound");
        let port = given.local_addr().expect("named").port();
        let (first, last) = (port.saturating_sub(2), port.saturating_add(2));
        let mut passed = vec![given.into()];
        let text = format!("{first}-{last}:80");
        let bound = bind(&parse_publish(&text).expect("parsed"), &mut passed).expect("bound");
        assert!(passed.is_empty());
        assert_eq!(bound.mappings[0].host_port, Some(port));
        assert_eq!(bound.mappings[0].host_port_end, None);
    }

    #[test]
    fn an_address_that_is_not_the_machines_is_named() {
        let mappings = parse_publish("192.0.2.99:8080:80");
        let error = bind(&mappings.expect("parsed"), &mut Vec::new()).expect_err("foreign");
        assert!(
            error
                .to_string()
                .ends_with("no interface of this host has the address 192.0.2.99"),
            "{error}"
        );
    }
}
