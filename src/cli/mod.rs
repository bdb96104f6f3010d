//! Doors for people: one file a verb, from arguments to a request to what is shown.
//!
//! Lives here: flags, help, rendering, and the last words of a failure.
//! Must not: decide what a verb means (`ops`).
//! Called by: `main`.
//! Always true: standard output has the answer, standard error everything else.

use std::process::ExitCode;

/// Runs the command line and returns the exit status.
pub fn main(_roles: crate::ops::launch::Roles) -> ExitCode {
    ExitCode::SUCCESS
}
