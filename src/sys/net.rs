//! Network namespaces and the limits of those who serve them
//! (network_namespaces(7), setrlimit(2), prctl(2)).
//!
//! Lives here: making and entering a namespace, a role's name, the number of
//! descriptors, and an address of the machine's own.
//! Must not: configure a device.
//! Called by: `role`, `dataplane`.
//! Always true: those that change anything change the calling thread or process for good.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsFd;

use rustix::process::{Resource, Rlimit};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// Leaves the network namespace for a new, empty one.
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: CLONE_NEWNET alone leaves memory and descriptors shared as they were.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET)? };
    Ok(())
}

/// Joins a network namespace.
pub fn enter_network(namespace: &impl AsFd) -> io::Result<()> {
    Ok(rustix::thread::move_into_link_name_space(
        namespace.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

/// Sets the name `ps` shows; 15 bytes count.
pub fn set_name(name: &CStr) -> io::Result<()> {
    Ok(rustix::thread::set_name(name)?)
}

/// Raises the number of descriptors this process may have to all it can get, and returns it.
pub fn raise_descriptor_limit() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let now = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    now.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// Returns an address of this machine by which others reach it: the one with
/// which it would speak to the world now, or else any that is not loopback. No packet is sent.
pub fn own_address(six: bool) -> Option<IpAddr> {
    // Of the blocks for documentation: whoever has a default route has one to them.
    let world = if six {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()
    } else {
        Ipv4Addr::new(192, 0, 2, 1).into()
    };
    match source_for(world) {
        Some(ip) if !ip.is_loopback() && !ip.is_unspecified() => Some(ip),
        _ => interface_address(six),
    }
}

/// Returns the address with which this machine would speak to another now: to one of
/// its own, that one. No packet is sent.
pub fn source_for(other: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if other.is_ipv6() {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((other, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn interface_address(six: bool) -> Option<IpAddr> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the kernel's list is written to one live pointer.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return None;
    }
    let mut found = None;
    let mut at = list;
    while !at.is_null() && found.is_none() {
        // SAFETY: each entry is whole until freeifaddrs(3) below.
        let entry = unsafe { &*at };
        at = entry.ifa_next;
        if entry.ifa_addr.is_null() || entry.ifa_flags & libc::IFF_UP as u32 == 0 {
            continue;
        }
        // SAFETY: the family says how long the address is, and of which type.
        let ip: IpAddr = match (i32::from(unsafe { (*entry.ifa_addr).sa_family }), six) {
            (libc::AF_INET, false) => {
                // SAFETY: as above; the copy is made without asking for alignment.
                let v4 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
                Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr)).into()
            }
            (libc::AF_INET6, true) => {
                // SAFETY: as above.
                let v6 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                if ip.is_unicast_link_local() {
                    continue;
                }
                ip.into()
            }
            _ => continue,
        };
        found = (!ip.is_loopback()).then_some(ip);
    }
    // SAFETY: the list came from getifaddrs(3), and nothing points into it any more.
    unsafe { libc::freeifaddrs(list) };
    found
}
