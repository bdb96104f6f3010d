//! Starting an rpod process by fork, without executing anything anew.
//!
//! Lives here: the pointer to the roles, and the forks.
//! Must not: import a role; it is given the way up by `main`.
//! Called by: `ops`, `role`.
//! Always true: a child never returns into its parent's code.

use std::sync::OnceLock;

use crate::process::job::Job;

static ROLES: OnceLock<fn(Job) -> u8> = OnceLock::new();

/// Tells once where the roles are.
pub fn install(roles: fn(Job) -> u8) {
    ROLES.get_or_init(|| roles);
}
