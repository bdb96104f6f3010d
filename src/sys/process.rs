//! Processes: fork, clone, wait, execute (fork(2), clone(2), wait4(2), execve(2), prctl(2)).
//!
//! Lives here: what makes and ends processes, and what tells one from another.
//! Must not: know roles.
//! Called by: `process`, `runtime`, `monitor`, `ops`.
//! Always true: the caller has one thread when it forks; a child never returns
//! into its parent's code.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use crate::sys::namespace::Flags;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With a status of its own.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Exit {
    /// Returns the status a shell would show: 128 + the number of a signal.
    pub fn status(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        }
    }
}

/// Forks; the child does `work` and ends with its status. Returns the child's id.
pub fn fork(work: impl FnOnce() -> u8) -> io::Result<i32> {
    // SAFETY: the process has one thread, so the child may do what the parent could.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => end(work),
        pid => Ok(pid),
    }
}

/// Forks into new namespaces (clone3(2)); the child does `work` and ends with its
/// status. Returns the child's id and its pidfd.
pub fn fork_into(flags: Flags, work: impl FnOnce() -> u8) -> io::Result<(i32, OwnedFd)> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all bytes zero is a valid clone_args: no stack, no set_tid, no cgroup.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (flags | libc::CLONE_PIDFD).cast_unsigned().into();
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD.cast_unsigned().into();
    // SAFETY: without CLONE_VM and with no stack this is fork(2): the child has a
    // copy of everything. `args` outlives the call and `pidfd` is written by it.
    // The process has one thread, so that no lock of the C library can be held.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut args,
            std::mem::size_of::<libc::clone_args>(),
        )
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => end(work),
        pid => {
            // SAFETY: the kernel made this descriptor for us and nobody else has it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok((i32::try_from(pid).unwrap_or(i32::MAX), pidfd))
        }
    }
}

/// Does the work of a child and ends it, whatever happens inside.
fn end(work: impl FnOnce() -> u8) -> ! {
    let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
    // SAFETY: _exit(2) runs nothing of ours: neither the parent's destructors nor its buffers.
    unsafe { libc::_exit(status.into()) }
}

/// Waits for a child; none means that it has not ended and `wait` is false.
pub fn wait(pid: i32, wait: bool) -> io::Result<Option<Exit>> {
    Ok(wait_any(pid, wait)?.map(|(_, exit)| exit))
}

/// Waits for a child by wait4(2)'s rules for `pid` (-1: any).
///
/// # Errors
/// `ECHILD` when there is none.
pub fn wait_any(pid: i32, wait: bool) -> io::Result<Option<(i32, Exit)>> {
    let mut status = 0;
    let flags = if wait { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: `status` is a place for one int.
        let ended = unsafe { libc::waitpid(pid, &raw mut status, flags) };
        if ended == -1 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        if ended == 0 {
            return Ok(None);
        }
        if libc::WIFEXITED(status) {
            return Ok(Some((ended, Exit::Code(libc::WEXITSTATUS(status)))));
        }
        if libc::WIFSIGNALED(status) {
            return Ok(Some((ended, Exit::Signal(libc::WTERMSIG(status)))));
        }
    }
}

/// Sends a signal to a process; 0 only asks whether it is there.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes no pointer.
    check(unsafe { libc::kill(pid, signal) })
}

/// Replaces this process by a program (execve(2)). Returns only when that fails.
pub fn execute(path: &OsStr, words: &[String], env: &[String]) -> io::Error {
    let strings = |all: &[String]| -> Result<Vec<CString>, _> {
        all.iter().map(|s| CString::new(s.as_bytes())).collect()
    };
    let (Ok(path), Ok(words), Ok(env)) =
        (CString::new(path.as_bytes()), strings(words), strings(env))
    else {
        return io::Error::from_raw_os_error(libc::EINVAL);
    };
    let pointers = |all: &[CString]| -> Vec<*const libc::c_char> {
        all.iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    // SAFETY: both arrays end with a null pointer, and the strings in them live until the call returns.
    unsafe {
        libc::execve(
            path.as_ptr(),
            pointers(&words).as_ptr(),
            pointers(&env).as_ptr(),
        )
    };
    io::Error::last_os_error()
}

/// Takes over a descriptor that was inherited through execve(2), once.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl(2) only looks whether the number is open.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and whoever executed us gave it to this caller alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Begins a session of one's own, away from any terminal (setsid(2)).
pub fn new_session() -> io::Result<()> {
    // SAFETY: setsid(2) takes nothing.
    check(unsafe { libc::setsid() })
}

/// Closes every descriptor but those listed and the three standard ones.
pub fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep
        .iter()
        .filter_map(|fd| u32::try_from(*fd).ok())
        .collect();
    keep.sort_unstable();
    let mut first = 3;
    for fd in keep {
        if fd > first {
            close_range(first, fd - 1)?;
        }
        first = first.max(fd + 1);
    }
    close_range(first, u32::MAX)
}

/// Closes this process's copy of a descriptor whose owner is in the parent's memory.
pub fn close_inherited(fd: RawFd) {
    // SAFETY: whoever calls this has just forked; the value that owns the number
    // is the parent's, and its copy here is never dropped, since a child ends by _exit.
    unsafe { libc::close(fd) };
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: whoever calls this has forked and has no use for what is closed:
    // the owners of those descriptors are never dropped, since the child ends by _exit.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    check(i32::try_from(result).unwrap_or(-1))
}

/// Sets what `ps` shows: the name (prctl(2), `PR_SET_NAME`, 15 bytes) and the command line.
pub fn set_title(title: &str) {
    if let Ok(name) = CString::new(title) {
        // SAFETY: the kernel copies at most 16 bytes of a string that ends.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    }
    let Some((start, end)) = argument_area() else {
        return;
    };
    let room = end.saturating_sub(start);
    if room < 2 {
        return;
    }
    let text = &title.as_bytes()[..title.len().min(room - 1)];
    // SAFETY: the kernel says where the words of the command line are; that memory
    // is ours, writable, and nobody reads it after the role was chosen.
    unsafe {
        std::ptr::write_bytes(start as *mut u8, 0, room);
        std::ptr::copy_nonoverlapping(text.as_ptr(), start as *mut u8, text.len());
    }
}

/// proc_pid_stat(5), fields 48 and 49.
fn argument_area() -> Option<(usize, usize)> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = text.get(text.rfind(')')? + 2..)?.split(' ').skip(45);
    let start = fields.next()?.parse().ok()?;
    let end = fields.next()?.trim().parse().ok()?;
    (start != 0).then_some((start, end))
}

/// Forbids other processes of the user to look into this one (prctl(2), `PR_SET_DUMPABLE`):
/// a program in a container can neither trace it nor open its executable.
pub fn hide() -> io::Result<()> {
    // SAFETY: this option takes an integer.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) })
}

/// Asks for a signal when the parent ends (prctl(2), `PR_SET_PDEATHSIG`).
pub fn die_with_parent(signal: i32) -> io::Result<()> {
    // SAFETY: this option takes an integer.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) })
}

/// Makes a terminal this session's own (tty_ioctl(2), `TIOCSCTTY`).
pub fn take_terminal(terminal: std::os::fd::BorrowedFd<'_>) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: the request takes an integer.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) })
}

/// Returns when a process began, in clock ticks since boot (proc_pid_stat(5), field 22);
/// none when it has gone or is a zombie.
pub fn start_time(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a program's name in parentheses and may hold anything.
    let mut fields = text.get(text.rfind(')')? + 2..)?.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Returns the processes that are in a namespace, by the name of its kind in
/// `/proc/<pid>/ns`, as far as we may look at them.
pub fn in_namespace(kind: &str, of: std::os::fd::BorrowedFd<'_>) -> io::Result<Vec<i32>> {
    let wanted = rustix::fs::fstat(of)?;
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<i32>().ok();
    let is_there = |pid: &i32| {
        let found = rustix::fs::stat(format!("/proc/{pid}/ns/{kind}"));
        found.is_ok_and(|found| (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino))
    };
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(number).filter(is_there).collect())
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Exit, fork, start_time, wait};

    #[test]
    fn a_child_ends_with_the_status_of_its_work() {
        let pid = fork(|| 7).expect("forked");
        assert_eq!(wait(pid, true).expect("waited"), Some(Exit::Code(7)));
    }

    #[test]
    fn a_process_has_a_beginning_and_a_dead_one_has_none() {
        assert!(start_time(std::process::id().cast_signed()).is_some());
        assert_eq!(start_time(i32::MAX), None);
    }
}
