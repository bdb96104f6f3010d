//! How one rpod process starts another and talks to it.
//!
//! Lives here: identities, user namespaces, channels, frames, a program's pipes.
//! Must not: know what a process is for.
//! Called by: `ops`, `role`, `monitor`, `dataplane`.
//! Always true: a process that forks, unshares or joins a user namespace has one
//! thread; an error of a child reaches its parent whole.

pub mod activation;
pub mod channel;
pub mod frames;
pub mod identity;
pub mod laps;
pub mod leave;
pub mod pipe;
pub mod userns;
