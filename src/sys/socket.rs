//! What sockets need beyond rustix (socket(7), ip(7), unix(7)).
//!
//! Lives here: options without a safe form elsewhere, and messages with descriptors.
//! Must not: decide an address.
//! Called by: `dataplane`, `sys::netlink`.
//! Always true: a received descriptor is closed on exec and owned by somebody.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// Sets an option that is one int.
pub fn set_option(fd: &impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of one live c_int, which the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Lets a socket bind addresses that are not this namespace's (`IP_TRANSPARENT`).
pub fn set_transparent(fd: &impl AsFd) -> io::Result<()> {
    set_option(fd, libc::SOL_IP, libc::IP_TRANSPARENT, 1)
}

/// Marks what a socket sends, for routing rules (`SO_MARK`).
pub fn set_mark(fd: &impl AsFd, mark: u32) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed())
}

/// Leaves the port of a bind to 0 open until connect(2), so that one port
/// serves many destinations (`IP_BIND_ADDRESS_NO_PORT`).
pub fn set_late_port(fd: &impl AsFd) -> io::Result<()> {
    set_option(fd, libc::SOL_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// The most descriptors one message carries here.
pub const MAX_DESCRIPTORS: usize = 2;

/// Sends one message of a seqpacket socket, and descriptors beside it.
pub fn send_message(
    fd: &impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(
        fd,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Receives one message of a seqpacket socket into `buffer`; length 0 means the other end has gone.
///
/// # Errors
/// `InvalidData` when the message was longer than the buffer or brought too many descriptors.
pub fn receive_message(fd: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        match rustix::net::recvmsg(
            fd,
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = ancillary {
            descriptors.extend(received);
        }
    }
    if message
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((message.bytes, descriptors))
}
