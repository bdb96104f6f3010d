//! Namespaces: unshare(2), setns(2) and whose they are.
//!
//! Lives here: the calls and the names of their flags.
//! Must not: know which namespaces a container has.
//! Called by: `process`, `runtime`, `dataplane`.
//! Always true: the caller has one thread; the kernel refuses others for user
//! and mount namespaces.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A set of namespaces (clone(2), `CLONE_NEW*`).
pub type Flags = i32;
/// User ids.
pub const USER: Flags = libc::CLONE_NEWUSER;
/// Mounts.
pub const MOUNT: Flags = libc::CLONE_NEWNS;
/// Processes.
pub const PID: Flags = libc::CLONE_NEWPID;
/// Network devices.
pub const NET: Flags = libc::CLONE_NEWNET;
/// System V IPC and POSIX message queues.
pub const IPC: Flags = libc::CLONE_NEWIPC;
/// Host name.
pub const UTS: Flags = libc::CLONE_NEWUTS;
/// Cgroup root.
pub const CGROUP: Flags = libc::CLONE_NEWCGROUP;

/// Gives this process namespaces of its own.
///
/// # Errors
/// `EPERM` where they are forbidden, `ENOSPC` where `user.max_*_namespaces` is reached.
pub fn unshare(flags: Flags) -> io::Result<()> {
    // SAFETY: unshare(2) takes no pointer; descriptors stay valid, since
    // CLONE_FILES is in none of the flags this module names.
    check(unsafe { libc::unshare(flags) })
}

/// Joins namespaces: those of a process by its pidfd, or one by its own descriptor.
pub fn join(of: BorrowedFd<'_>, flags: Flags) -> io::Result<()> {
    // SAFETY: setns(2) takes no pointer, and the descriptor is borrowed for the call.
    check(unsafe { libc::setns(of.as_raw_fd(), flags) })
}

/// Returns the user namespace that owns a namespace (ioctl_nsfs(2)).
///
/// # Errors
/// `EPERM` when it is neither the caller's nor below it.
pub fn owner(of: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: NS_GET_USERNS takes no argument, and the descriptor is borrowed for the call.
    let fd = unsafe { libc::ioctl(of.as_raw_fd(), NS_GET_USERNS) };
    check(fd)?;
    // SAFETY: the kernel made this descriptor for us a moment ago, closed on exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns which kind of namespace this is: one of the flags.
fn kind(of: BorrowedFd<'_>) -> io::Result<Flags> {
    // SAFETY: NS_GET_NSTYPE takes no argument, and the descriptor is borrowed for the call.
    let kind = unsafe { libc::ioctl(of.as_raw_fd(), NS_GET_NSTYPE) };
    check(kind).map(|()| kind)
}

/// Says whether a descriptor, which may be of any file, is a network namespace.
pub fn is_network(of: BorrowedFd<'_>) -> bool {
    // What is no namespace at all may take the number for a request of its own.
    rustix::fs::fstatfs(of).is_ok_and(|about| i128::from(about.f_type) == NSFS_MAGIC)
        && kind(of).is_ok_and(|kind| kind == NET)
}

/// statfs(2).
const NSFS_MAGIC: i128 = 0x6e73_6673;
/// `_IO(0xb7, 1)` and `_IO(0xb7, 3)` of linux/nsfs.h.
const NS_GET_USERNS: libc::Ioctl = 0xb701;
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
