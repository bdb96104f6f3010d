//! Processes and namespaces for tests of what only a kernel can show.
//!
//! Lives here: a machine of a test's own ([`machine`]), processes in it ([`child`]), and
//! one for what cannot be undone ([`apart`]).
//! Must not: be compiled into the program.
//! Called by: tests.
//! Always true: a child of a test never returns into the test's own code, and
//! ends with it.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A process of a test's; killed when dropped.
pub struct Child {
    pid: libc::pid_t,
    output: fs::File,
}

impl Child {
    /// Returns its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits for its end, and fails as it failed.
    pub fn join(mut self) {
        let mut words = String::new();
        self.output.read_to_string(&mut words).expect("read");
        let mut status = 0;
        // SAFETY: the pointer is to one live int.
        unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        self.pid = 0;
        assert!(
            words.is_empty() && status == 0,
            "in a child: {words} (status {status})"
        );
    }

    /// Sends a signal.
    pub fn kill(&self, signal: i32) {
        // SAFETY: kill(2) of a child that has not been waited for.
        unsafe { libc::kill(self.pid, signal) };
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.pid > 0 {
            self.kill(libc::SIGKILL);
            // SAFETY: no status is asked for.
            unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
        }
    }
}

/// Runs `body` in a process of its own.
pub fn child(body: impl FnOnce()) -> Child {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    // SAFETY: glibc makes its allocator usable in a fork of a program with
    // threads; the child uses no lock that another thread of the test may hold.
    match unsafe { libc::fork() } {
        0 => {
            drop(read);
            // SAFETY: a plain prctl(2).
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let status = run(body, write);
            // SAFETY: nothing of the parent's is to be run at exit.
            unsafe { libc::_exit(status) }
        }
        pid => {
            assert!(pid > 0, "fork");
            Child {
                pid,
                output: read.into(),
            }
        }
    }
}

fn run(body: impl FnOnce(), write: OwnedFd) -> i32 {
    // The usual words of a panic go where the harness cannot see them.
    let words = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let seen = words.clone();
    std::panic::set_hook(Box::new(move |info| {
        *seen.lock().expect("lock") = info.to_string();
    }));
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(()) => 0,
        Err(_) => {
            let words = words.lock().expect("lock");
            drop(fs::File::from(write).write_all(words.as_bytes()));
            1
        }
    }
}

/// Closes this process's copy of a descriptor that belongs to the test it was forked from.
pub fn close_inherited(fd: &impl std::os::fd::AsRawFd) {
    // SAFETY: the owner is in the parent's memory; this process only has a copy of the table.
    unsafe { libc::close(fd.as_raw_fd()) };
}

/// Runs `body` as root of a user namespace and of a network namespace of its
/// own, without network devices but loopback; says so and does nothing where
/// the kernel gives none.
pub fn machine(body: impl FnOnce()) {
    apart(|| {
        // SAFETY: plain system calls of a process with one thread.
        let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
        // SAFETY: as above.
        if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } != 0 {
            let words = b"skipped: this kernel gives no user namespace\n";
            // SAFETY: the harness has standard error for itself; this write is for people.
            unsafe { libc::write(2, words.as_ptr().cast(), words.len()) };
            return;
        }
        drop(fs::write("/proc/self/setgroups", "deny"));
        fs::write("/proc/self/uid_map", format!("0 {uid} 1")).expect("mapped");
        fs::write("/proc/self/gid_map", format!("0 {gid} 1")).expect("mapped");
        body();
    });
}

/// Runs `body` in a process of its own that may become whatever it likes: it has one
/// thread, and nothing of the test's is done in it.
pub fn apart(body: impl FnOnce()) {
    if alone() {
        child(body).join();
    }
}

/// Says whether this process runs one test, on its only thread. Otherwise runs the
/// calling test in such a process: a fork of a program with threads may find any lock
/// of its libraries held by a thread that is not there.
fn alone() -> bool {
    const MARK: &str = "RPOD_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let thread = std::thread::current();
    let name = thread.name().expect("libtest names its threads");
    let output = std::process::Command::new(std::env::current_exe().expect("our own path"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .expect("run");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    false
}
