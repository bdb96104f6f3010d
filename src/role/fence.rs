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
    use std::fs::{self, File};
    use std::io::{self, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::process::Command;

    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

    use super::{BOTH, NET, PORTS, calls, files, ports};
    use crate::dataplane::link;
    use crate::sys::net::{enter_network, unshare_network};
    use crate::sys::sandbox::{apart, machine};

    #[test]
    fn the_calls_are_in_order_and_run_no_program() {
        assert!([BOTH, NET, PORTS].iter().all(|calls| calls.is_sorted()));
        for call in [
            "execve", "fork", "ptrace", "mount", "setns", "unshare", "bpf", "kill",
        ] {
            assert!(![BOTH, NET, PORTS].concat().contains(&call), "{call}");
        }
    }

    /// Fails unless that was refused, and for this reason.
    fn refused<T>(what: &str, tried: io::Result<T>, why: Errno) {
        let error = tried.err();
        let number = error.as_ref().and_then(io::Error::raw_os_error);
        assert_eq!(number, Some(why.raw_os_error()), "{what}: {error:?}");
    }

    #[test]
    fn the_net_process_has_its_own_files_and_no_others() {
        let place = || tempfile::tempdir().expect("a directory");
        let (runtime, elsewhere, users) = (place(), place(), place());
        let (own, key) = (runtime.path().join("net.lock"), users.path().join("key"));
        let real = elsewhere.path().join("resolv.conf");
        let resolv_conf = users.path().join("resolv.conf");
        for file in [&own, &key, &real] {
            fs::write(file, "text").expect("written");
        }
        symlink(&real, &resolv_conf).ok();
        let setting = PathBuf::from("/proc/sys/net/ipv4/ip_forward");
        apart(|| {
            files(runtime.path(), &resolv_conf).expect("confined");
            if crate::sys::landlock::version() < 1 {
                return;
            }
            // What it needs.
            for file in [&own, &real, &setting] {
                File::open(file).expect("its own is read");
            }
            fs::write(&own, "changed").expect("written");
            fs::write(runtime.path().join("new"), "made").expect("made");
            fs::remove_file(runtime.path().join("new")).expect("removed");
            // And nothing else.
            let no = Errno::ACCESS;
            refused("another file", File::open(&key), no);
            refused("a list of others", fs::read_dir(users.path()), no);
            refused("a change of another", fs::write(&key, "x"), no);
            refused("a new one", fs::write(users.path().join("new"), "x"), no);
            refused("the end of one", fs::remove_file(&key), no);
            refused("a change of what is read", fs::write(&real, "x"), no);
            refused("a program", File::open("/bin/sh"), no);
            let directory = fs::create_dir(runtime.path().join("directory"));
            refused("a directory", directory, no);
            let link = symlink(&key, runtime.path().join("link"));
            refused("a link", link, no);
            let ran = Command::new("/bin/sh").arg("-c").arg("true").spawn();
            refused("to run one", ran, no);
        });
    }

    /// What no process behind a fence may do, though it may in this machine of its own.
    fn try_what_leads_out() {
        let no = Errno::PERM;
        let ran = Command::new("/bin/true").spawn();
        refused("another program", ran, no);
        refused("a namespace", unshare_network(), no);
        let us = rustix::process::getpid();
        let killed = rustix::process::test_kill_process(us);
        refused("a signal", killed.map_err(io::Error::from), no);
        let memory = rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::CLOEXEC);
        refused("a file of memory", memory.map_err(io::Error::from), no);
        for (family, kind) in [
            (AddressFamily::UNIX, SocketType::STREAM),
            (AddressFamily::PACKET, SocketType::RAW),
        ] {
            let made = socket_with(family, kind, SocketFlags::CLOEXEC, None);
            refused("a socket", made.map_err(io::Error::from), no);
        }
    }

    /// The same before there is a fence: else it would show nothing.
    fn try_that_it_could() {
        Command::new("/bin/true").status().expect("run");
        rustix::process::test_kill_process(rustix::process::getpid()).expect("there");
        for family in [AddressFamily::UNIX, AddressFamily::PACKET] {
            socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None).expect("made");
        }
        unshare_network().expect("made");
    }

    #[test]
    fn the_net_process_can_do_its_work_and_nothing_that_leads_out() {
        machine(|| {
            try_that_it_could();
            link::loopback_only().expect("up");
            let network = File::open("/proc/self/ns/net").expect("open");
            calls().expect("confined");
            try_what_leads_out();
            refused("to go elsewhere", enter_network(&network), Errno::PERM);
            let server = TcpListener::bind("127.0.0.1:0").expect("bound");
            let address = server.local_addr().expect("named");
            let mut client = TcpStream::connect(address).expect("connected");
            client.write_all(b"x").expect("sent");
            let (mut stream, _) = server.accept().expect("accepted");
            stream.read_exact(&mut [0]).expect("heard");
            link::ports().expect("links are listed");
            File::open("/proc/sys/net/ipv4/ip_forward").expect("a setting is read");
        });
    }

    #[test]
    fn a_ports_process_moves_bytes_and_has_no_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        machine(|| {
            try_that_it_could();
            link::loopback_only().expect("up");
            let server = TcpListener::bind("127.0.0.1:0").expect("bound");
            let address = server.local_addr().expect("named");
            let network = File::open("/proc/self/ns/net").expect("open");
            File::open(file.path()).expect("read");
            ports().expect("confined");
            try_what_leads_out();
            refused("a file", File::open(file.path()), Errno::PERM);
            refused("a device", File::open("/dev/null"), Errno::PERM);
            refused("to go elsewhere", enter_network(&network), Errno::PERM);
            let late = TcpListener::bind("127.0.0.1:0");
            refused("another listener", late, Errno::PERM);
            let mut client = TcpStream::connect(address).expect("connected");
            client.write_all(b"x").expect("sent");
            let (stream, _) = server.accept().expect("accepted");
            let flags = rustix::pipe::PipeFlags::CLOEXEC;
            let (read, write) = rustix::pipe::pipe_with(flags).expect("a pipe");
            let flags = rustix::pipe::SpliceFlags::empty();
            let moved = rustix::pipe::splice(&stream, None, &write, None, 1, flags);
            assert_eq!(moved.expect("spliced"), 1);
            let mut heard = [0];
            rustix::io::read(&read, &mut heard).expect("heard");
            assert_eq!(heard, *b"x");
        });
    }
}
