//! Every raw system call and all `unsafe`, as functions that return `io::Result`.
//!
//! Lives here: one file a facility of the kernel (the man page's name).
//! Must not: decide anything, know a room above, or hold state.
//! Called by: every room.
//! Always true: descriptors are owned types; no function aborts or panics.

pub mod datagram;
pub mod epoll;
pub mod landlock;
pub mod memory;
pub mod mount;
pub mod namespace;
pub mod net;
pub mod netlink;
pub mod packet;
pub mod process;
#[cfg(test)]
pub mod sandbox;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod streams;
pub mod tun;
