//! The network on paper: addresses, names and the files that tell them.
//!
//! Lives here: pure decisions from data.
//! Must not: open a socket or a file.
//! Called by: `dataplane`, `ops`, `role`.
//! Always true: the same input gives the same plan.
