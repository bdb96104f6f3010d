//! What a launched process is to do.
//!
//! Lives here: [`Job`], plain values and descriptors.
//! Must not: hold anything that needs the parent to live.
//! Called by: `ops` makes them, `role` does them.
//! Always true: one variant a role.

/// One role and all it needs.
pub enum Job {}
