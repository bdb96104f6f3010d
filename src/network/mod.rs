//! The network on paper: addresses, names and the files that tell them.
//!
//! Lives here: pure decisions from data: [`plan`] (subnets and addresses),
//! [`options`] (what `network create --opt` can say), [`hosts`] and [`resolv`] (the
//! texts a container finds in `/etc`).
//! Must not: open a socket or a file.
//! Called by: `dataplane`, `ops`, `role`.
//! Always true: the same input gives the same plan.

pub mod hosts;
pub mod options;
pub mod plan;
pub mod resolv;

/// Returns the name of a container's n-th device; it is `eth` and a number, or the
/// prefix that a network has chosen.
pub fn device(prefix: Option<&str>, n: usize) -> String {
    format!("{}{n}", prefix.unwrap_or("eth"))
}
