//! Joining a container that runs.
//!
//! Lives here: entering the namespaces of its first process, and doing work there.
//! Must not: run a program there (`program`).
//! Called by: `ops::{cp, exec, pause}`.
//! Always true: who joins is a child with one thread that never comes back.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    // A network that is root's own can be joined only before its user namespace is.
    if others & namespace::NET != 0 && namespace::join(pidfd.as_fd(), namespace::NET).is_ok() {
        others &= !namespace::NET;
    }
    // Nobody in the container may look into this process before it is one of theirs.
    process::hide()?;
    namespace::join(pidfd.as_fd(), namespace::USER).what(|| "cannot join its user namespace")?;
    namespace::join(pidfd.as_fd(), others).what(|| "cannot join its namespaces")
}

/// Does work in a child that has joined a container, and returns its result whole.
pub fn run_joined<T: Serialize + DeserializeOwned>(
    init: ProcessId,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).what(|| "cannot make a pipe")?;
    let pid = process::fork(|| {
        let inside = || -> Result<T> {
            process::die_with_parent(9)?;
            join(init)?;
            work()
        };
        let bytes = serde_json::to_vec(&inside()).unwrap_or_default();
        u8::from(File::from(writer).write_all(&bytes).is_err())
    })
    .what(|| "cannot start a process")?;
    let mut bytes = Vec::new();
    let read = File::from(reader).read_to_end(&mut bytes);
    let exit = process::wait(pid, true)?;
    read.what(|| "cannot hear another rpod process")?;
    if bytes.is_empty() {
        return Err(Error::internal(format!(
            "a child ended without a result ({exit:?})"
        )));
    }
    serde_json::from_slice::<Result<T>>(&bytes)
        .map_err(|e| Error::internal(format!("unreadable result of a child: {e}")))?
}
