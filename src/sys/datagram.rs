//! Datagrams of a socket that has many addresses (ip(7), `IP_PKTINFO`).
//!
//! Lives here: receiving one with the address it came to, and answering from there.
//! Must not: know what a datagram says.
//! Called by: `dataplane::dns`.
//! Always true: nothing here waits.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg,
};

/// Lets a socket tell to which of its addresses a datagram came.
pub fn tell_destination(fd: &impl AsFd) -> io::Result<()> {
    crate::sys::socket::set_option(fd, libc::SOL_IP, libc::IP_PKTINFO, 1)
}

/// A datagram that has come.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// It was longer than the buffer.
    pub cut: bool,
    /// Who sent it.
    pub from: SocketAddrV4,
    /// To which of our addresses.
    pub to: Ipv4Addr,
}

/// Receives a datagram; none when it has no sender or no destination of IPv4.
///
/// # Errors
/// `EAGAIN` when there is none.
pub fn receive(fd: &impl AsFd, buffer: &mut [u8]) -> io::Result<Option<Received>> {
    let mut control = nix::cmsg_space!(libc::in_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrIn>(
        fd.as_fd().as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let to = message.cmsgs()?.find_map(|part| match part {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr)))
        }
        _ => None,
    });
    Ok(message.address.zip(to).map(|(from, to)| Received {
        length: message.bytes,
        cut: message.flags.contains(MsgFlags::MSG_TRUNC),
        from: SocketAddrV4::from(from),
        to,
    }))
}

/// Sends a datagram from one of our addresses.
pub fn send(fd: &impl AsFd, bytes: &[u8], from: Ipv4Addr, to: SocketAddrV4) -> io::Result<()> {
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: from.to_bits().to_be(),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    sendmsg(
        fd.as_fd().as_raw_fd(),
        &[IoSlice::new(bytes)],
        &[ControlMessage::Ipv4PacketInfo(&info)],
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
        Some(&SockaddrIn::from(to)),
    )?;
    Ok(())
}
