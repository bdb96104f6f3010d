//! The OCI runtime: from a bundle to a running program.
//!
//! ```text
//! config.json (plan)  ─▶  sequence ─▶ mounts, devices, volume, user,
//!                                     capabilities, rlimit, seccomp ─▶ execute
//! ```
//!
//! Lives here: the numbered sequence and the workshop of each of its steps.
//! Must not: read records from the store; it gets its paths inside the job.
//! Called by: `role::init`, `ops`.
//! Always true: every step fails with its own words.

pub mod apt;
pub mod capabilities;
pub mod cgroup;
pub mod copy;
pub mod exec;
pub mod inside;
pub mod mounts;
pub mod plan;
pub mod program;
pub mod reaper;
pub mod rlimit;
pub mod seccomp;
pub mod sequence;
pub mod terminal;
pub mod user;
pub mod volume;
