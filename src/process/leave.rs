//! Leaving whoever started us: for every process that outlives its starter.
//!
//! Lives here: the steps of it.
//! Must not: know what the process is for.
//! Called by: `role`, `ops`, right after the fork.
//! Always true: afterwards no terminal, pipe or lock of the starter's is held,
//! so that `$(rpod run -d …)` ends and a lock is free when its owner has gone.

use std::fs;
use std::os::fd::RawFd;

use crate::error::{Context, Result};
use crate::sys::process;

/// Leaves the session, the streams, the directory and all descriptors but `keep`; shows as `title` in `ps`.
pub fn leave(title: &str, keep: &[RawFd]) -> Result<()> {
    process::close_all_but(keep).what(|| "cannot close descriptors")?;
    process::new_session().what(|| "cannot begin a session")?;
    process::set_title(title);
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .what(|| "cannot open \"/dev/null\"")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    std::env::set_current_dir("/")?;
    Ok(())
}
