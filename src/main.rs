//! rpod: containers for unprivileged users, from one file.
//!
//! Lives here: the choice of the door. A name that is a role's is that role;
//! everything else is a person at the command line.
//! Must not: do any work of its own.
//! Called by: the kernel.
//! Always true: the door is chosen before any thread or runtime exists, because
//! the roles behind it fork, unshare and join user namespaces.
//!
//! The rooms, from the lowest floor; an import only goes down
//! (`tests/architecture.rs` keeps it so):
//!
//! - 0 [`sys`]: every raw system call and all `unsafe`
//! - 1 [`spec`] nouns and their grammars, [`host`] facts about this machine,
//!   [`error`], [`progress`]
//! - 2 [`store`] what is on disk, [`process`] how rpod's processes start and talk
//! - 3 [`image`], [`runtime`], [`rootfs`], [`monitor`], [`network`], [`dataplane`]
//! - 4 [`ops`] what a verb means
//! - 5 [`cli`] doors for people, [`role`] doors for processes
//!
//! Where does a line go? Wording or a flag: `cli/<verb>`. What a verb means:
//! `ops/<verb>`. A decision made from data alone: a pure room (`spec`,
//! `network`). The disk under our root: `store`. The kernel: `sys`, used from a
//! workshop. What runs after a fork: its role.

#![cfg_attr(
    test,
    allow(
        clippy::expect_used,
        clippy::unwrap_used,
        reason = "a test that cannot go on fails"
    )
)]

mod build;
mod cli;
mod dataplane;
mod error;
mod host;
mod image;
mod monitor;
mod network;
mod ops;
mod process;
mod progress;
mod role;
mod rootfs;
mod runtime;
mod spec;
mod store;
#[allow(unsafe_code, reason = "the one room that talks to the kernel directly")]
mod sys;

use std::process::ExitCode;

fn main() -> ExitCode {
    process::laps::begin();
    let name = std::env::args_os().next().unwrap_or_default();
    if let Some(status) = role::by_name(&name) {
        return status;
    }
    cli::main(role::roles())
}
