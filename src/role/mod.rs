//! Doors for processes: what an rpod process that no person started does.
//!
//! Lives here: one file a role, each with a `main`, and the two ways in: a job
//! handed to a fork ([`open`]) and a name the kernel was given ([`by_name`]).
//! Must not: decide policy.
//! Called by: `main`, and `process::launch` through the pointer it was given.
//! Always true: a role sets its name in `ps` first.

pub mod kubia;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use crate::process::job::Job;

/// Does the job and returns the exit status of the process.
pub fn open(job: Job) -> u8 {
    match job {}
}

/// Runs the role that a program name asks for, if it asks for one.
pub fn by_name(_name: &OsStr, _words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    None
}
