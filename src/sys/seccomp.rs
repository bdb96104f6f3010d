//! Filters of system calls (seccomp(2)).
//!
//! Lives here: the call that loads one, and the type of an instruction.
//! Must not: know any profile.
//! Called by: `runtime::seccomp`.
//! Always true: the kernel copies and checks the program; a bad one is EINVAL.

use std::io;

/// One instruction (sock_filter of linux/filter.h).
pub use libc::sock_filter as Instruction;

/// SECCOMP_FILTER_FLAG_* of seccomp(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(libc::c_ulong);

impl Flags {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// The filter costs programs no speculation (Linux 4.17).
    pub const SPEC_ALLOW: Self = Self(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW);
    /// The filter is for all threads of the process, not only the calling one.
    pub const ALL_THREADS: Self =
        Self(libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW);
}

/// Puts the calling thread under a filter.
///
/// # Errors
/// `EACCES` without CAP_SYS_ADMIN and no_new_privs, `EINVAL` for a bad program
/// or an unknown flag, `ENOSYS` or `EINVAL` where the kernel has no filters.
pub fn set_filter(program: &[Instruction], flags: Flags) -> io::Result<()> {
    let Ok(len) = u16::try_from(program.len()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let program = libc::sock_fprog {
        len,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` names `len` instructions that outlive the call; the
    // kernel only reads them, though the type has no const.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags.0,
            &raw const program,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What a child under a filter saw: the error numbers of loading it, of
/// unshare(2) of a user namespace, of clone3(2) and of getpid(2); 0 is success.
#[cfg(test)]
pub fn tries(program: &[Instruction]) -> io::Result<[u8; 4]> {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    let (mut ours, theirs) = io::pipe()?;
    let number = |result: i64| {
        if result >= 0 {
            0
        } else {
            io::Error::last_os_error().raw_os_error().unwrap_or(255) as u8
        }
    };
    // SAFETY: the child only makes system calls, on memory that was there
    // before the fork, and ends with _exit: it touches no lock of another thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let mut seen = [255u8; 4];
        // SAFETY: plain system calls; clone3 with a null argument fails in any case.
        unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            seen[0] = set_filter(program, Flags::SPEC_ALLOW)
                .map_or_else(|e| e.raw_os_error().unwrap_or(255) as u8, |()| 0);
            seen[1] = number(i64::from(libc::unshare(libc::CLONE_NEWUSER)));
            seen[2] = number(libc::syscall(libc::SYS_clone3, 0, 0));
            seen[3] = number(libc::syscall(libc::SYS_getpid));
            libc::write(theirs.as_raw_fd(), seen.as_ptr().cast(), seen.len());
            libc::_exit(0);
        }
    }
    drop(theirs);
    let mut seen = [255; 4];
    let read = ours.read_exact(&mut seen);
    // SAFETY: waits for our own child; the status is not asked for.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
    read.map(|()| seen)
}
