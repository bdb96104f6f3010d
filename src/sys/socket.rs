//! What sockets need beyond rustix (socket(7), ip(7), unix(7)).
//!
//! Lives here: options without a safe form elsewhere, and messages with descriptors.
//! Must not: decide an address.
//! Called by: `dataplane`, `sys::netlink`.
//! Always true: a received descriptor is closed on exec and owned by somebody.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Makes a socket of the calling thread's network that waits for nothing.
pub fn make(family: AddressFamily, kind: SocketType) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(family, kind, flags, None)
}

/// Returns the family of sockets that reach an address.
pub fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    }
}

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
pub fn set_transparent(fd: &impl AsFd, v6: bool) -> io::Result<()> {
    match v6 {
        true => set_option(fd, libc::SOL_IPV6, libc::IPV6_TRANSPARENT, 1),
        false => set_option(fd, libc::SOL_IP, libc::IP_TRANSPARENT, 1),
    }
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

/// Lets each of `shares` sockets that are bound to one address and port get what comes
/// from its share of IPv4 addresses (`SO_ATTACH_REUSEPORT_CBPF`). They are a group, in
/// the order in which they were bound; `fd` is one of them, and `shares` a power of two.
pub fn share_by_source(fd: &impl AsFd, shares: u32) -> io::Result<()> {
    const SO_ATTACH_REUSEPORT_CBPF: i32 = 51;
    // linux/filter.h: from here on, an offset is one into the header of IP.
    const HEADER_OF_IP: u32 = (-0x10_0000_i32).cast_unsigned();
    let op = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let mut steps = [
        op(
            libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
            HEADER_OF_IP + 12,
        ),
        op(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, shares - 1),
        op(libc::BPF_RET | libc::BPF_A, 0),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the pointer and the length are those of one live program, whose own
    // pointer and length are those of the live steps; the kernel only reads them.
    let result = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
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
            Err(Errno::INTR) => {}
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

/// How much of a stream's room for what it sends is in use (`SO_MEMINFO`).
#[derive(Clone, Copy, Debug, Default)]
pub struct SendRoom {
    /// Bytes it may hold, in the kernel's counting.
    pub limit: u32,
    /// Bytes it holds.
    pub used: u32,
}

/// Returns a stream's room for what it sends.
pub fn send_room(fd: &impl AsFd) -> io::Result<SendRoom> {
    const SO_MEMINFO: i32 = 55;
    // linux/sock_diag.h: SK_MEMINFO_SNDBUF and SK_MEMINFO_WMEM_QUEUED of nine words.
    let mut words = [0_u32; 9];
    let mut length = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the pointers are to live values, and the length is that of the array.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(SendRoom {
        limit: words[3],
        used: words[5],
    })
}

/// Bytes that a stream's other end has acknowledged, and those that came from it
/// (`TCP_INFO` of tcp(7)).
pub fn stream_bytes(fd: &impl AsFd) -> io::Result<(u64, u64)> {
    // tcpi_bytes_acked and tcpi_bytes_received of linux/tcp.h are words 15 and 16.
    let mut words = [0_u64; 17];
    let mut length = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the pointers are to live values, and the length is that of the array.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // The kernel counts the SYN as a byte.
    Ok((words[15].saturating_sub(1), words[16]))
}

/// From where in what has come the next `MSG_PEEK` reads; each moves it on
/// (`SO_PEEK_OFF`; of TCP since Linux 6.9).
pub fn set_peek_offset(fd: &impl AsFd, offset: i32) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_PEEK_OFF, offset)
}

/// Drops so many bytes of what a stream has received, without copying them
/// (tcp(7), `MSG_TRUNC`). Returns how many there were.
pub fn discard(fd: &impl AsFd, length: usize) -> io::Result<usize> {
    // SAFETY: of a TCP socket, MSG_TRUNC makes recv(2) leave the buffer alone.
    let result = unsafe {
        libc::recv(
            fd.as_fd().as_raw_fd(),
            std::ptr::null_mut(),
            length,
            libc::MSG_TRUNC | libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Keeps reports of what became of a socket's datagrams ([`take_mishap`]).
pub fn set_reports(fd: &impl AsFd, six: bool) -> io::Result<()> {
    if six {
        set_option(fd, libc::SOL_IPV6, libc::IPV6_RECVERR, 1)
    } else {
        set_option(fd, libc::SOL_IP, libc::IP_RECVERR, 1)
    }
}

/// Says whether a socket's packets may be cut on their way (`IP_MTU_DISCOVER`).
pub fn set_whole(fd: &impl AsFd, six: bool, whole: bool) -> io::Result<()> {
    let (level, name, value) = match (six, whole) {
        (true, true) => (
            libc::SOL_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DO,
        ),
        (true, false) => (
            libc::SOL_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
        ),
        (false, true) => (libc::SOL_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO),
        (false, false) => (libc::SOL_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT),
    };
    set_option(fd, level, name, value)
}

/// Lets a socket's packets take so many hops.
pub fn set_hops(fd: &impl AsFd, six: bool, hops: u8) -> io::Result<()> {
    let (level, name) = if six {
        (libc::SOL_IPV6, libc::IPV6_UNICAST_HOPS)
    } else {
        (libc::SOL_IP, libc::IP_TTL)
    };
    set_option(fd, level, name, i32::from(hops))
}

/// What became of a datagram (ip(7), `IP_RECVERR`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mishap {
    /// Where it was to go.
    pub to: SocketAddr,
    /// Error number.
    pub errno: i32,
    /// Who says so.
    pub origin: Origin,
    /// The size that would have fitted, where that was the reason.
    pub size: u32,
    /// The router or machine that said so.
    pub offender: Option<IpAddr>,
}

/// Who reports a [`Mishap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This machine's own kernel.
    Local,
    /// An ICMP message of this type and code.
    Icmp(u8, u8),
    /// An ICMPv6 message of this type and code.
    Icmp6(u8, u8),
}

/// Takes the oldest report from a datagram socket's queue of errors.
///
/// # Errors
/// `EAGAIN` when there is none.
pub fn take_mishap(fd: &impl AsFd) -> io::Result<Option<Mishap>> {
    // SAFETY: all zeroes is a valid sockaddr_storage.
    let mut name: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut control = [0_u64; 64];
    let mut byte = [0_u8; 1];
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: byte.len(),
    };
    // SAFETY: all zeroes is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = size_of_val(&name) as libc::socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: each pointer in the message is to a live value of the length beside it.
    let result = unsafe {
        libc::recvmsg(
            fd.as_fd().as_raw_fd(),
            &raw mut message,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let Some(to) = address_of(&name) else {
        return Ok(None);
    };
    // SAFETY: the kernel has filled the control buffer as cmsg(3) describes, and
    // these macros stay within it.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return whole headers or null.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        if (level, kind) == (libc::SOL_IP, libc::IP_RECVERR)
            || (level, kind) == (libc::SOL_IPV6, libc::IPV6_RECVERR)
        {
            // SAFETY: such a message holds a sock_extended_err and the offender's address after it.
            let (error, offender) = unsafe {
                let error: libc::sock_extended_err = libc::CMSG_DATA(header)
                    .cast::<libc::sock_extended_err>()
                    .read_unaligned();
                let place = libc::CMSG_DATA(header).add(size_of::<libc::sock_extended_err>());
                let mut storage: libc::sockaddr_storage = std::mem::zeroed();
                let length = ((*header).cmsg_len as usize)
                    .saturating_sub(libc::CMSG_LEN(0) as usize)
                    .saturating_sub(size_of::<libc::sock_extended_err>())
                    .min(size_of_val(&storage));
                std::ptr::copy_nonoverlapping(place, (&raw mut storage).cast(), length);
                (error, address_of(&storage))
            };
            return Ok(Some(Mishap {
                to,
                errno: error.ee_errno.cast_signed(),
                origin: match error.ee_origin {
                    libc::SO_EE_ORIGIN_ICMP => Origin::Icmp(error.ee_type, error.ee_code),
                    libc::SO_EE_ORIGIN_ICMP6 => Origin::Icmp6(error.ee_type, error.ee_code),
                    _ => Origin::Local,
                },
                size: error.ee_info,
                offender: offender.map(|address| address.ip()),
            }));
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok(None)
}

fn address_of(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which of the two it is; the storage is larger and aligned for both.
            let v4 = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(ip.into(), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddr::new(ip.into(), u16::from_be(v6.sin6_port)))
        }
        _ => None,
    }
}

/// Returns the largest packet on the way of a connected datagram socket (`IP_MTU`).
pub fn path_size(fd: &impl AsFd, six: bool) -> io::Result<u32> {
    let (level, name) = if six {
        (libc::SOL_IPV6, libc::IPV6_MTU)
    } else {
        (libc::SOL_IP, libc::IP_MTU)
    };
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the pointers are to live values, and the length is that of the first.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(value).unwrap_or(0))
}
