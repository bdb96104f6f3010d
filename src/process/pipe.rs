//! Pipes that are a program's standard streams.
//!
//! Lives here: making one.
//! Must not: move bytes (`monitor::supervise`).
//! Called by: `ops::exec`, `role::{monitor, step}`.
//! Always true: whoever may look into a process that has one can open it again, as
//! `/dev/stdout`, whichever user of the container that is.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, fchmod};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::{Context, Result};

/// Makes a pipe: its end to read, and its end to write.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let what = || "cannot make a pipe";
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).what(what)?;
    // A pipe belongs to who made it, root, and is his alone; programs that write their
    // logs to /dev/stdout often run as somebody else, or become so later.
    fchmod(&write, Mode::from_raw_mode(0o666)).what(what)?;
    Ok((read, write))
}
