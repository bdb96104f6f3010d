//! Mounts: what rustix has no safe form of (mount(2), mount_setattr(2)).
//!
//! Lives here: attributes of a mount and of all below it; one overlay mount.
//! Must not: know what is mounted.
//! Called by: `runtime`, `rootfs`.
//! Always true: a flag that the kernel has locked is never cleared.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Nothing can be written.
pub const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// Set-user-id bits have no effect.
pub const NO_SUID: u64 = libc::MOUNT_ATTR_NOSUID;
/// Device nodes have no effect.
pub const NO_DEV: u64 = libc::MOUNT_ATTR_NODEV;
/// Nothing can be executed.
pub const NO_EXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

/// Adds attributes to the mount that a descriptor stands on, or to all below it as well.
pub fn add_attributes(of: BorrowedFd<'_>, attributes: u64, recursive: bool) -> io::Result<()> {
    set(of, attributes, 0, recursive)
}

/// Makes a mount and all below it take part in nothing that happens elsewhere, and the reverse;
/// `propagation` is one of mount(2)'s `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`.
pub fn propagate(of: BorrowedFd<'_>, propagation: Propagation) -> io::Result<()> {
    let flag = match propagation {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::Slave => libc::MS_SLAVE,
        Propagation::Shared => libc::MS_SHARED,
    };
    set(of, 0, flag, true)
}

/// How events on a mount reach others (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// From the other side only.
    Slave,
    /// Both ways.
    Shared,
}

fn set(of: BorrowedFd<'_>, attributes: u64, propagation: u64, recursive: bool) -> io::Result<()> {
    let request = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation,
        userns_fd: 0,
    };
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the empty path ends, `request` lives for the call and its size is its own.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            of.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const request,
            std::mem::size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
