//! The fence around the net process, which reads what hostile containers send.
//!
//! Lives here: which files it may reach and which system calls it may make.
//! Must not: serve anybody.
//! Called by: `role::net`.
//! Always true: a way into this process leads to no file of the user's but its
//! own socket and lock, to no other process, and to no other program.

use std::path::Path;

use crate::error::{Context, Result};
use crate::runtime::seccomp::{self, Flags};
use crate::sys::landlock::{Access, confine};

/// What both of its threads do, and what the C library does for them.
const CALLS: &[&str] = &[
    "accept",
    "accept4",
    "access",
    "bind",
    "brk",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "close_range",
    "connect",
    "dup",
    "dup2",
    "dup3",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd2",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futex",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getpeername",
    "getpid",
    "getrandom",
    "getrlimit",
    "getsockname",
    "getsockopt",
    "gettid",
    "gettimeofday",
    "getuid",
    "inotify_add_watch",
    "inotify_init1",
    "inotify_rm_watch",
    "ioctl",
    "listen",
    "lseek",
    "lstat",
    "madvise",
    "membarrier",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pipe2",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "prlimit64",
    "pselect6",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "rename",
    "renameat",
    "renameat2",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "select",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "setsockopt",
    "shutdown",
    "sigaltstack",
    "socket",
    "socketpair",
    "stat",
    "statx",
    "sysinfo",
    "tgkill",
    "time",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    "uname",
    "unlink",
    "unlinkat",
    "write",
    "writev",
];

/// Leaves it the files it needs: the runtime directory with its socket and lock,
/// the kernel's settings, the device, and what says which resolvers there are.
/// For all threads, before the first is started.
pub fn files(runtime: &Path) -> Result<()> {
    confine(&[
        (runtime, Access::Make),
        (Path::new("/proc"), Access::Write),
        (Path::new("/dev"), Access::Write),
        (Path::new("/etc"), Access::Read),
        (Path::new("/run"), Access::Read),
    ])
    .what(|| "cannot confine the net process to its files")
}

/// Leaves all threads the system calls they need; any other is answered EPERM.
/// Once everything is made, since namespaces are entered before.
pub fn calls() -> Result<()> {
    seccomp::load(&seccomp::only(CALLS), Flags::ALL_THREADS)
}

#[cfg(test)]
mod tests {
    use super::CALLS;

    #[test]
    fn the_calls_are_in_order_and_run_no_program() {
        assert!(CALLS.is_sorted());
        for call in [
            "execve", "fork", "ptrace", "mount", "setns", "unshare", "bpf", "kill",
        ] {
            assert!(!CALLS.contains(&call), "{call}");
        }
    }
}
