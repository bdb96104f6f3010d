//! The small init of `--init`: PID 1 of a container, which stays.
//!
//! ```text
//! init ──execve, sealed copy of rpod in memory──▶ reaper ──fork──▶ program
//! ```
//!
//! It executes a copy because a process that was only forked has the host's
//! rpod as its executable: a program inside could find it through
//! `/proc/1/exe`, and kernels differ in whether it could write to it. The copy
//! is sealed (memfd_create(2)), so there is nothing to write to. It also makes
//! PID 1 a process like any other to `exec`.
//!
//! Lives here: both sides of that execve(2).
//! Must not: reap (`runtime::reaper`).
//! Called by: `role::init`; `role::by_name` on the other side.
//! Always true: the channel to the monitor stays open until the program runs.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::ExitCode;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::error::{Context, Error, Result};
use crate::process::channel::Channel;
use crate::role::init::Said;
use crate::runtime::program::Program;
use crate::runtime::{capabilities, reaper, seccomp};
use crate::sys::process;
use crate::sys::signal::Signals;

/// The program name that is this role.
pub const NAME: &str = "rpod-init";

/// Replaces this process by the reaper; returns only when that fails.
pub fn become_it(program: &Program, channel: &Channel) -> Result<u8> {
    let what = || "cannot start the small init";
    let copy = memfd_create(NAME, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).what(what)?;
    let mut copy = File::from(copy);
    std::io::copy(&mut File::open("/proc/self/exe").what(what)?, &mut copy).what(what)?;
    fcntl_add_seals(
        &copy,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )
    .what(what)?;
    let mut job = File::from(memfd_create("job", MemfdFlags::empty()).what(what)?);
    job.write_all(&serde_json::to_vec(program)?).what(what)?;
    job.rewind().what(what)?;
    fcntl_setfd(channel.as_fd(), FdFlags::empty()).what(what)?;
    let words = [
        NAME.to_owned(),
        job.as_raw_fd().to_string(),
        channel.as_fd().as_raw_fd().to_string(),
    ];
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    let error = process::execute(OsStr::new(&path), &words, &[]);
    Err(Error::from(error).what(what()))
}

/// The other side: starts the program and stays until it ends.
pub fn main() -> ExitCode {
    ExitCode::from(stay().unwrap_or(125))
}

fn stay() -> Result<u8> {
    let mut fds = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let mut next = || -> Result<OwnedFd> {
        let fd = fds
            .next()
            .ok_or_else(|| Error::internal("the small init has no job"))?;
        Ok(process::inherited(fd)?)
    };
    let (mut job, channel) = (File::from(next()?), Channel::from(next()?));
    // Not before: the words are where the title goes.
    process::set_title(NAME);
    let mut text = Vec::new();
    job.read_to_end(&mut text)?;
    drop(job);
    let program: Program = serde_json::from_slice(&text)?;
    let signals = Signals::block(&[])?;
    let (allowed, filtered) = (program.capabilities.clone(), program.seccomp);
    let child = process::fork(|| {
        let tty = program.tty;
        let start = || -> Result<std::convert::Infallible> {
            if tty {
                // A group of its own in front, or the terminal's signals would
                // reach this process twice.
                rustix::process::setpgid(None, None)?;
                rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpid())?;
            }
            program.start()
        };
        match start() {
            Ok(never) => match never {},
            Err(error) => {
                drop(channel.send(&Said::Failed(error)));
                127
            }
        }
    })?;
    drop(channel);
    // A program that may trace others finds nothing in PID 1 that it has not itself.
    capabilities::limit(&allowed)?;
    if filtered {
        seccomp::load_profile(&allowed)?;
    }
    capabilities::settle(&allowed, 0)?;
    Ok(reaper::reap(child, &signals)?)
}
