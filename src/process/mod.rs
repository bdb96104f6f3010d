//! How one rpod process starts another and talks to it.
//!
//! Lives here: jobs, launching, user namespaces, channels and their frames.
//! Must not: know what a job is for.
//! Called by: `ops`, `role`, `monitor`, `dataplane`.
//! Always true: a process that forks, unshares or joins a user namespace has one
//! thread; an error of a child reaches its parent whole.

pub mod channel;
pub mod identity;
pub mod job;
pub mod launch;
pub mod userns;
