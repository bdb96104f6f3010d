//! Which files this process and its children may still reach (landlock(7)).
//!
//! Lives here: [`confine`], and [`version`].
//! Must not: choose the files.
//! Called by: `role`.
//! Always true: it holds for the calling thread and those it starts later, and
//! cannot be undone; a kernel without it changes nothing.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// LANDLOCK_ACCESS_FS_* of linux/landlock.h.
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// What may be done with a file, or below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Files are read.
    Read,
    /// Files that are there are read and written.
    Write,
    /// Files and sockets are made and removed as well.
    Make,
}

impl Access {
    fn bits(self) -> u64 {
        let read = READ_FILE | READ_DIR;
        let write = read | WRITE_FILE | TRUNCATE | IOCTL_DEV;
        match self {
            Self::Read => read,
            Self::Write => write,
            Self::Make => write | REMOVE_FILE | MAKE_REG | MAKE_SOCK,
        }
    }
}

#[repr(C)]
struct Ruleset {
    fs: u64,
    net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: i32,
}

/// Leaves only these files within reach; a path that is not there is passed
/// over. Abstract sockets and signals of processes outside are out of reach too,
/// where the kernel can tell them (Linux 6.12).
///
/// # Errors
/// When a kernel that has it refuses it.
pub fn confine(reachable: &[(&Path, Access)]) -> io::Result<()> {
    let version = version();
    if version < 1 {
        return Ok(());
    }
    // What each version knows beyond the one before: linux/landlock.h.
    let fs = match version {
        1 => (1 << 13) - 1,
        2 => (1 << 14) - 1,
        3 | 4 => (1 << 15) - 1,
        _ => (1 << 16) - 1,
    };
    let ruleset = Ruleset {
        fs,
        net: 0,
        scoped: if version >= 6 { 3 } else { 0 },
    };
    let size = match version {
        1..=3 => 8,
        4 | 5 => 16,
        _ => size_of::<Ruleset>(),
    };
    // SAFETY: the pointer is to one live attribute of at least that size.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const ruleset,
            size,
            0,
        )
    };
    let fd = i32::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let rules = unsafe { OwnedFd::from_raw_fd(fd) };
    for (path, access) in reachable {
        allow(&rules, path, access.bits() & fs)?;
    }
    // SAFETY: plain prctl(2); the kernel asks for it, or for a capability.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it takes a descriptor and no pointer.
    if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns which version the kernel has; less than 1 is none.
pub fn version() -> i64 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag and no attribute it only returns a number.
    unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<Ruleset>(),
            0,
            VERSION,
        )
    }
}

fn allow(rules: &OwnedFd, path: &Path, allowed: u64) -> io::Result<()> {
    const PATH_BENEATH: u32 = 1;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(parent) = rustix::fs::open(path, flags, Mode::empty()) else {
        return Ok(());
    };
    let directory = rustix::fs::fstat(&parent)
        .is_ok_and(|meta| rustix::fs::FileType::from_raw_mode(meta.st_mode).is_dir());
    let allowed = if directory {
        allowed
    } else {
        allowed & (READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV)
    };
    let rule = Beneath {
        allowed,
        parent: parent.as_raw_fd(),
    };
    // SAFETY: the pointer is to one live rule of that kind.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            rules.as_raw_fd(),
            PATH_BENEATH,
            &raw const rule,
            0,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
