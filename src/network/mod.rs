//! The network on paper: addresses, names and the files that tell them.
//!
//! Lives here: pure decisions from data: [`plan`] (subnets and addresses),
//! [`hosts`] and [`resolv`] (the texts a container finds in `/etc`).
//! Must not: open a socket or a file.
//! Called by: `dataplane`, `ops`, `role`.
//! Always true: the same input gives the same plan.

pub mod hosts;
pub mod plan;
pub mod resolv;

/// The device a container has its address on.
pub const DEVICE: &str = "eth0";
