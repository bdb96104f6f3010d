//! The fences around the net process and the ports processes, which read what
//! hostile containers and hostile clients send.
//!
//! Lives here: which files they may reach and which system calls they may make.
//! Must not: serve anybody.
//! Called by: `role::net`, `role::ports`.
//! Always true: a way into these processes leads to no file of the user's but the
//! net process's own socket and lock, to no other process, and to no other program.

use std::path::Path;

use crate::error::{Context, Result};
use crate::runtime::seccomp::{self, Flags};
use crate::sys::landlock::{Access, confine};

/// What all of them do, and what the C library does for them.
const BOTH: &[&str] = &[
    "accept",
    "accept4",
    "bind",
    "brk",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "connect",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "exit",
    "exit_group",
    "fcntl",
    "futex",
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
    "madvise",
    "membarrier",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "pipe2",
    "poll",
    "ppoll",
    "prlimit64",
    "read",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "setsockopt",
    "shutdown",
    "sigaltstack",
    "socket",
    "tgkill",
    "time",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    "write",
    "writev",
];

/// What the net process does besides: its socket, the kernel's settings, and what
/// says which resolvers there are.
const NET: &[&str] = &[
    "access",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "eventfd2",
    "faccessat",
    "faccessat2",
    "fdatasync",
    "flock",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "inotify_add_watch",
    "inotify_init1",
    "inotify_rm_watch",
    "ioctl",
    "listen",
    "lseek",
    "lstat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "prctl",
    "pread64",
    "pselect6",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "select",
    "socketpair",
    "stat",
    "statx",
    "sysinfo",
    "uname",
    "unlink",
    "unlinkat",
];

/// What a ports process does besides.
const PORTS: &[&str] = &["splice"];

/// Leaves it the files it needs: the runtime directory with its socket and lock,
/// the kernel's settings, the device, and what says which resolvers there are
/// (`resolv_conf`, which some machines keep elsewhere: /etc has a link to /mnt/wsl).
/// For all threads, before the first is started.
pub fn files(runtime: &Path, resolv_conf: &Path) -> Result<()> {
    let elsewhere = resolv_conf.canonicalize().unwrap_or_default();
    // Its directory: the file is replaced by others.
    let elsewhere = elsewhere.parent().filter(|place| place.parent().is_some());
    confine(&[
        (elsewhere.unwrap_or(runtime), Access::Read),
        (runtime, Access::Make),
        (Path::new("/proc"), Access::Write),
        (Path::new("/dev"), Access::Write),
        (Path::new("/etc"), Access::Read),
        (Path::new("/run"), Access::Read),
    ])
    .what(|| "cannot confine the net process to its files")
}

/// Leaves the net process's threads the system calls they need; any other is answered
/// EPERM. Once everything is made, since namespaces are entered before.
pub fn calls() -> Result<()> {
    seccomp::load(&seccomp::only(&[BOTH, NET].concat()), Flags::ALL_THREADS)
}

/// Leaves a ports process what moves bytes between the sockets it has and those it
/// makes, and no file. Once its namespace is as it is to be.
pub fn ports() -> Result<()> {
    confine(&[]).what(|| "cannot confine the ports process")?;
    seccomp::load(&seccomp::only(&[BOTH, PORTS].concat()), Flags::ALL_THREADS)
}

#[cfg(test)]
mod tests {
    use super::{BOTH, NET, PORTS};

    #[test]
    fn the_calls_are_in_order_and_run_no_program() {
        assert!([BOTH, NET, PORTS].iter().all(|calls| calls.is_sorted()));
        for call in [
            "execve", "fork", "ptrace", "mount", "setns", "unshare", "bpf", "kill",
        ] {
            assert!(![BOTH, NET, PORTS].concat().contains(&call), "{call}");
        }
    }
}
