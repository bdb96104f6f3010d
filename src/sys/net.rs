//! Network namespaces and the limits of those who serve them
//! (network_namespaces(7), setrlimit(2), prctl(2)).
//!
//! Lives here: making and entering a namespace, a role's name, the number of descriptors.
//! Must not: configure a device.
//! Called by: `role`, `dataplane`.
//! Always true: these change the calling process for good.

use std::ffi::CStr;
use std::io;
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
