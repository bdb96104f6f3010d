//! Packets of all devices of a network namespace (packet(7)).
//!
//! Lives here: [`open`] and [`receive`].
//! Must not: write them down.
//! Called by: `dataplane::capture`.
//! Always true: a packet comes without its link's header, which is told beside it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// ETH_P_ALL, as the kernel takes it.
const EVERYTHING: u16 = 3_u16.to_be();

/// What a device says of a packet (struct sockaddr_ll).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// EtherType.
    pub protocol: u16,
    /// The device's number.
    pub index: u32,
    /// The device's kind (ARPHRD_*).
    pub kind: u16,
    /// Whether it came or goes (PACKET_*).
    pub way: u8,
    /// How many bytes of the address count.
    pub length: u8,
    /// Who sent it.
    pub address: [u8; 8],
}

/// Goes out (PACKET_OUTGOING).
pub const OUTGOING: u8 = 4;

/// Opens a socket that sees every packet of the current network namespace; it does not block.
///
/// # Errors
/// `EPERM` without CAP_NET_RAW over the namespace.
pub fn open() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket(2) takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(EVERYTHING)) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Receives a packet into `buffer`. Returns its length, which may be more than
/// there was room for, and what its device says.
///
/// # Errors
/// `EAGAIN` when there is none.
pub fn receive(fd: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Link)> {
    // SAFETY: all zeroes is a valid sockaddr_ll.
    let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&from) as libc::socklen_t;
    // SAFETY: the buffer and the address are live, and of the lengths beside them.
    let count = unsafe {
        libc::recvfrom(
            fd.as_fd().as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_TRUNC | libc::MSG_DONTWAIT,
            (&raw mut from).cast(),
            &raw mut length,
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    let link = Link {
        protocol: u16::from_be(from.sll_protocol),
        index: from.sll_ifindex.cast_unsigned(),
        kind: from.sll_hatype,
        way: from.sll_pkttype,
        length: from.sll_halen.min(8),
        address: from.sll_addr,
    };
    Ok((count, link))
}
