//! The OCI runtime: from a plan to a running program.
//!
//! Lives here: the numbered sequence and the workshop of each of its steps.
//! Must not: read records from the store; it gets its paths inside the job.
//! Called by: `role::init`, `ops`.
//! Always true: every step fails with its own words.

pub mod capabilities;
pub mod plan;
pub mod rlimit;
pub mod seccomp;
pub mod user;
