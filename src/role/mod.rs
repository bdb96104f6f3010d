//! Doors for processes: what an rpod process that no person started does.
//!
//! Lives here: one file a role, each with a `main`, and the two ways in: the
//! functions that `ops` forks into ([`roles`]) and a name the kernel was given
//! ([`by_name`]).
//! Must not: decide policy.
//! Called by: `main`.
//! Always true: a role sets its name in `ps` first.

pub mod agent;
pub mod capture;
mod fence;
pub mod init;
pub mod kubia;
pub mod monitor;
pub mod net;
pub mod ports;
pub mod reaper;
pub mod step;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use crate::ops::launch::Roles;

/// Returns the roles that `ops` starts.
pub fn roles() -> Roles {
    Roles {
        monitor: monitor::main,
        net: net::main,
        step: step::main,
        agent: agent::main,
    }
}

/// Runs the role that a program name asks for, if it asks for one.
pub fn by_name(name: &OsStr) -> Option<ExitCode> {
    match Path::new(name).file_name()?.to_str()? {
        // The built-in image's program is this binary under that name.
        "kubia" => Some(kubia::main()),
        reaper::NAME => Some(reaper::main()),
        _ => None,
    }
}
