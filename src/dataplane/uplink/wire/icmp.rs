//! ICMP (RFC 792) and ICMPv6 (RFC 4443): echoes, and what goes wrong.
//!
//! Lives here: [`Echo`], and [`Trouble`] with its numbers in both versions.
//! Must not: know a flow.
//! Called by: `dataplane::uplink`.
//! Always true: what is written has its checksum.

use std::net::IpAddr;

use super::{ICMP6, fold, pseudo, sum, u16_at};

/// Bytes of the header, of every message here.
pub const HEADER: usize = 8;

/// A question of ping's.
#[derive(Clone, Copy, Debug)]
pub struct Echo<'a> {
    /// Who asks, of those on one machine.
    pub ident: u16,
    /// Which of its questions.
    pub seq: u16,
    /// What is to come back.
    pub payload: &'a [u8],
}

/// Reads a question; none when it is another message.
pub fn parse_request(bytes: &[u8], six: bool) -> Option<Echo<'_>> {
    parse_echo(bytes, if six { 128 } else { 8 })
}

/// Reads an answer; none when it is another message.
pub fn parse_reply(bytes: &[u8], six: bool) -> Option<Echo<'_>> {
    parse_echo(bytes, if six { 129 } else { 0 })
}

fn parse_echo(bytes: &[u8], kind: u8) -> Option<Echo<'_>> {
    if bytes.get(..2)? != [kind, 0] {
        return None;
    }
    Some(Echo {
        ident: u16_at(bytes, 4)?,
        seq: u16_at(bytes, 6)?,
        payload: bytes.get(HEADER..)?,
    })
}

/// Writes the header of a question, as a socket of the kernel's takes it: it
/// fills in who asks, and the checksum.
pub fn write_request(out: &mut [u8], seq: u16, six: bool) {
    let Some(out) = out.get_mut(..HEADER) else {
        return;
    };
    out.fill(0);
    out[0] = if six { 128 } else { 8 };
    out[6..8].copy_from_slice(&seq.to_be_bytes());
}

/// Makes a whole answer of `message`, which has its payload in place.
pub fn write_reply(message: &mut [u8], ident: u16, seq: u16, from: IpAddr, to: IpAddr) {
    if message.len() < HEADER {
        return;
    }
    message[..HEADER].fill(0);
    message[0] = if from.is_ipv6() { 129 } else { 0 };
    message[4..6].copy_from_slice(&ident.to_be_bytes());
    message[6..8].copy_from_slice(&seq.to_be_bytes());
    write_check(message, from, to);
}

/// Why a packet did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no way to its network.
    Network,
    /// Its machine does not answer.
    Host,
    /// Nobody has its port.
    Port,
    /// Somebody forbids it.
    Forbidden,
    /// It is larger than so many bytes, and must not be cut.
    Large(u32),
    /// What a router said, as it said it: type and code.
    Other(u8, u8),
}

impl Trouble {
    /// Returns the trouble that a system call's error number stands for; none
    /// when it is none of the network's.
    pub fn of(errno: rustix::io::Errno) -> Option<Self> {
        use rustix::io::Errno;
        match errno {
            Errno::NETUNREACH | Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT | Errno::NETDOWN => {
                Some(Self::Network)
            }
            Errno::HOSTUNREACH | Errno::HOSTDOWN => Some(Self::Host),
            Errno::CONNREFUSED => Some(Self::Port),
            Errno::ACCESS | Errno::PERM => Some(Self::Forbidden),
            _ => None,
        }
    }

    fn numbers(self, six: bool) -> (u8, u8, u32) {
        match (self, six) {
            (Self::Network, false) => (3, 0, 0),
            (Self::Network, true) => (1, 0, 0),
            (Self::Host, false) => (3, 1, 0),
            (Self::Host, true) => (1, 3, 0),
            (Self::Port, false) => (3, 3, 0),
            (Self::Port, true) => (1, 4, 0),
            (Self::Forbidden, false) => (3, 13, 0),
            (Self::Forbidden, true) => (1, 1, 0),
            (Self::Large(size), false) => (3, 4, size.min(0xffff)),
            (Self::Large(size), true) => (2, 0, size),
            (Self::Other(kind, code), _) => (kind, code, 0),
        }
    }
}

/// Makes a whole message of `message`, which has the packet it is about from
/// [`HEADER`] on.
pub fn write_trouble(message: &mut [u8], trouble: Trouble, from: IpAddr, to: IpAddr) {
    if message.len() < HEADER {
        return;
    }
    let (kind, code, rest) = trouble.numbers(from.is_ipv6());
    message[..4].copy_from_slice(&[kind, code, 0, 0]);
    message[4..8].copy_from_slice(&rest.to_be_bytes());
    write_check(message, from, to);
}

fn write_check(message: &mut [u8], from: IpAddr, to: IpAddr) {
    let start = if from.is_ipv6() {
        pseudo(from, to, ICMP6, message.len())
    } else {
        0
    };
    let check = !fold(sum(start, message));
    message[2..4].copy_from_slice(&check.to_be_bytes());
}
