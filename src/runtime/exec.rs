//! Joining a container that runs.
//!
//! Lives here: entering the namespaces of its first process.
//! Must not: run anything there (`program`).
//! Called by: `ops::exec`, `ops::cp`.
//! Always true: the caller is a child with one thread that never comes back.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::{Context, Error, Kind, Result};
use crate::spec::container::ProcessId;
use crate::sys::{namespace, process};

/// Enters all namespaces of a container's first process that are not our own already.
/// A process of ours has to be forked afterwards: only children are in the joined
/// process namespace (setns(2)).
pub fn join(init: ProcessId) -> Result<()> {
    let gone = || Error::of(Kind::Conflict, "its first process has ended");
    let pid = Pid::from_raw(init.pid).ok_or_else(gone)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| gone())?;
    // The number was not taken by another process before we had it open.
    if process::start_time(init.pid) != Some(init.started) {
        return Err(gone());
    }
    let mut others = 0;
    for (name, flag) in [
        ("mnt", namespace::MOUNT),
        ("pid", namespace::PID),
        ("net", namespace::NET),
        ("ipc", namespace::IPC),
        ("uts", namespace::UTS),
        ("cgroup", namespace::CGROUP),
    ] {
        let theirs =
            fs::metadata(format!("/proc/{pid}/ns/{name}", pid = init.pid)).map_err(|_| gone())?;
        let ours = fs::metadata(format!("/proc/self/ns/{name}"))?;
        if theirs.ino() != ours.ino() {
            others |= flag;
        }
    }
    // Nobody in the container may look into this process before it is one of theirs.
    process::hide()?;
    namespace::join(pidfd.as_fd(), namespace::USER).what(|| "cannot join its user namespace")?;
    namespace::join(pidfd.as_fd(), others).what(|| "cannot join its namespaces")
}
