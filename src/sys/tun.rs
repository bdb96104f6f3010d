//! A device whose other end is a program (Documentation/networking/tuntap.rst).
//!
//! Lives here: opening one of layer 3 whose frames carry `virtio_net_hdr`, so
//! that checksums and segmentation are left out where nobody needs them.
//! Must not: give it an address, or read a packet.
//! Called by: `dataplane::uplink`.
//! Always true: the device is of the network namespace of the thread that opens
//! it, and is gone when the descriptor's last copy is closed.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

/// Bytes of `virtio_net_hdr` before each packet.
pub const HEADER: usize = 10;

const TUNSETIFF: libc::Ioctl = 0x4004_54ca_u32 as libc::Ioctl;
const TUNSETOFFLOAD: libc::Ioctl = 0x4004_54d0_u32 as libc::Ioctl;
const TUNSETVNETHDRSZ: libc::Ioctl = 0x4004_54d8_u32 as libc::Ioctl;
/// TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN.
const OFFLOADS: libc::c_ulong = 0x01 | 0x02 | 0x04 | 0x08;

/// Makes the device `name`; its descriptor does not block.
///
/// # Errors
/// `ENOENT` or `EACCES` where `/dev/net/tun` is missing or forbidden, `EPERM`
/// without CAP_NET_ADMIN over the namespace, `EBUSY` when the name is in use.
pub fn open(name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(c"/dev/net/tun", flags, Mode::empty())?;
    // SAFETY: all zeroes is a valid ifreq, which is plain old data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.to_bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_flags =
        (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as libc::c_short;
    // SAFETY: the pointer is to one live ifreq, which TUNSETIFF reads and writes.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETIFF, &raw mut request) })?;
    let size = HEADER as libc::c_int;
    // SAFETY: TUNSETVNETHDRSZ reads one int.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETVNETHDRSZ, &raw const size) })?;
    // SAFETY: TUNSETOFFLOAD takes its argument by value.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETOFFLOAD, OFFLOADS) })?;
    Ok(fd)
}

/// Opens what devices are made from, and makes none.
///
/// # Errors
/// As those of [`open`].
pub fn probe() -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(c"/dev/net/tun", flags, Mode::empty())?;
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
