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

/// Returns the name of a container's n-th device.
pub fn device(n: usize) -> String {
    format!("eth{n}")
}
