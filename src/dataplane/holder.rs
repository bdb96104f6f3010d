//! Who has a port of this machine's (proc(5): `net/tcp` and its like).
//!
//! Lives here: [`of`], for the words of an error.
//! Must not: know containers; whoever asks names ours.
//! Called by: `ops::launch`, when a port could not be bound.
//! Always true: what the kernel does not show is left unsaid.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::spec::port::Protocol;

/// Somebody who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process that we may look at: one of the user's own.
    Process {
        /// Its number.
        pid: i32,
        /// Its name, as `ps` shows it.
        name: String,
    },
    /// A process of another user, by the user's number.
    User(u32),
}

/// One line of a table of sockets.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    ip: IpAddr,
    port: u16,
    /// `TCP_LISTEN` is 10; of datagrams, `TCP_CLOSE` (7) is one that is not connected.
    state: u8,
    uid: u32,
    inode: u64,
}

/// Finds who has a port on an address; none means any address.
pub fn of(protocol: Protocol, ip: Option<IpAddr>, port: u16) -> Option<Holder> {
    let (tables, wanted) = match protocol {
        Protocol::Tcp => (["tcp", "tcp6"], 10),
        Protocol::Udp => (["udp", "udp6"], 7),
    };
    let held = tables
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/self/net/{table}")).ok())
        .flat_map(|text| text.lines().filter_map(parse).collect::<Vec<_>>())
        .find(|socket| {
            socket.port == port
                && socket.state == wanted
                && ip.is_none_or(|ip| ip == socket.ip || socket.ip.is_unspecified())
        })?;
    Some(owner(held.inode).unwrap_or(Holder::User(held.uid)))
}

/// `  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 12345 …`
fn parse(line: &str) -> Option<Socket> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    let state = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let uid = words.nth(3)?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    Some(Socket {
        ip: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        state,
        uid,
        inode,
    })
}

/// Words of 32 bits, each in the machine's own order of bytes.
fn parse_address(hex: &str) -> Option<IpAddr> {
    if !hex.len().is_multiple_of(8) {
        return None;
    }
    let words: Vec<[u8; 4]> = hex
        .as_bytes()
        .chunks(8)
        .map(|word| {
            let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
            Some(word.to_ne_bytes())
        })
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [v4] => Some(Ipv4Addr::from(*v4).into()),
        [_, _, _, _] => {
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// The process that has a socket, of those whose descriptors we may see.
fn owner(inode: u64) -> Option<Holder> {
    let link = format!("socket:[{inode}]");
    let has = |pid: i32| {
        fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|fds| {
            fds.flatten()
                .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == link.as_str()))
        })
    };
    fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .find(|pid| has(*pid))
        .map(|pid| Holder::Process {
            pid,
            name: fs::read_to_string(format!("/proc/{pid}/comm"))
                .map(|name| name.trim_end().to_owned())
                .unwrap_or_default(),
        })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{Holder, of, parse};
    use crate::spec::port::Protocol;

    #[test]
    fn the_holder_of_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("named");
        for ip in [None, Some(address.ip())] {
            match of(Protocol::Tcp, ip, address.port()) {
                Some(Holder::Process { pid, .. }) => {
                    assert_eq!(pid, std::process::id().cast_signed());
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(of(Protocol::Udp, None, address.port()), None);
        let other = "127.0.0.2".parse().ok();
        assert_eq!(of(Protocol::Tcp, other, address.port()), None);
    }

    #[test]
    fn lines_of_both_versions_are_read_and_strange_ones_left() {
        let v4 = "  12: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0";
        let socket = parse(v4).expect("read");
        assert_eq!((socket.port, socket.state, socket.uid), (8080, 10, 1000));
        assert_eq!(socket.inode, 12345);
        if cfg!(target_endian = "little") {
            assert_eq!(socket.ip.to_string(), "127.0.0.1");
            let v6 = v4.replace("0100007F", "00000000000000000000000001000000");
            assert_eq!(parse(&v6).expect("read").ip.to_string(), "::1");
        }
        for length in 0..v4.len() {
            assert!(parse(&v4[..length]).is_none_or(|socket| socket.port == 8080));
        }
        for strange in [
            "",
            "a b c d",
            "0: xyz:12 0 0",
            "0: 010000:1F90 0:0 0A 0 0 0 0 0 0",
        ] {
            assert_eq!(parse(strange), None, "{strange}");
        }
    }
}
