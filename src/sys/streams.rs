//! The streams of a network namespace (sock_diag(7)).
//!
//! Lives here: [`list`], and [`end`] of one.
//! Must not: choose one.
//! Called by: `dataplane::orphans`.
//! Always true: both act in the network namespace of the calling process.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// A stream that somebody here has one end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The end that is here.
    pub own: SocketAddr,
    /// The other.
    pub peer: SocketAddr,
    family: u8,
    /// How the kernel knows it: `inet_diag_sockid` of linux/inet_diag.h.
    id: [u8; 48],
}

/// linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
/// linux/netlink.h: NLM_F_REQUEST, with NLM_F_DUMP or NLM_F_ACK.
const DUMP: u16 = 0x301;
const ACK: u16 = 0x05;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Bytes of `nlmsghdr`, and of `inet_diag_req_v2` before its id.
const HEADER: usize = 16;
const REQUEST: usize = 8;
/// States (net/tcp_states.h) of a stream with two ends that have heard of each other:
/// ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK and CLOSING.
const STATES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// Lists those of both versions of IP.
pub fn list() -> io::Result<Vec<Stream>> {
    let fd = open()?;
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        ask(&fd, BY_FAMILY, DUMP, family as u8, STATES, &[0; 48])?;
        let mut buffer = vec![0; 64 * 1024];
        'all: loop {
            let (length, _) = rustix::net::recv(&fd, &mut buffer[..], RecvFlags::empty())?;
            let mut rest = &buffer[..length];
            while let Some((kind, body, behind)) = message(rest) {
                match kind {
                    DONE => break 'all,
                    // A kernel without IPv6 has none of it.
                    ERROR => break 'all,
                    BY_FAMILY => all.extend(parse(body)),
                    _ => {}
                }
                rest = behind;
            }
        }
    }
    Ok(all)
}

/// Ends one: whoever reads or writes here is told so, as of a reset.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN over the namespace, `EOPNOTSUPP` where the kernel was
/// built without it.
pub fn end(stream: &Stream) -> io::Result<()> {
    let fd = open()?;
    ask(&fd, DESTROY, ACK, stream.family, u32::MAX, &stream.id)?;
    let mut buffer = [0; 1024];
    let (length, _) = rustix::net::recv(&fd, &mut buffer, RecvFlags::empty())?;
    let errno = match message(&buffer[..length]) {
        Some((ERROR, [a, b, c, d, ..], _)) => i32::from_ne_bytes([*a, *b, *c, *d]),
        _ => 0,
    };
    match errno {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(-errno)),
    }
}

fn open() -> io::Result<OwnedFd> {
    let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
    Ok(rustix::net::socket_with(
        AddressFamily::NETLINK,
        kind,
        flags,
        Some(SOCK_DIAG),
    )?)
}

fn ask(
    fd: &OwnedFd,
    kind: u16,
    flags: u16,
    family: u8,
    states: u32,
    id: &[u8; 48],
) -> io::Result<()> {
    let length = (HEADER + REQUEST + id.len()) as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(id);
    rustix::net::send(fd, &bytes, SendFlags::empty())?;
    Ok(())
}

/// Splits off a message: its kind, its body, and what follows.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    let behind = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, behind))
}

/// Reads an `inet_diag_msg`.
fn parse(body: &[u8]) -> Option<Stream> {
    let family = *body.first()?;
    let id: [u8; 48] = body.get(4..52)?.try_into().ok()?;
    let port = |at: usize| u16::from_be_bytes([id[at], id[at + 1]]);
    let ip = |at: usize| -> Option<IpAddr> {
        let long: [u8; 16] = id[at..at + 16].try_into().ok()?;
        match i32::from(family) {
            libc::AF_INET => Some(Ipv4Addr::new(long[0], long[1], long[2], long[3]).into()),
            _ => Some(Ipv6Addr::from(long).to_canonical()),
        }
    };
    Some(Stream {
        own: SocketAddr::new(ip(4)?, port(0)),
        peer: SocketAddr::new(ip(20)?, port(2)),
        family,
        id,
    })
}
