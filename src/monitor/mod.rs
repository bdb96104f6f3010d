//! Watching over one container: its output, its clients, its end.
//!
//! Lives here: the parts of the monitor process.
//! Must not: make namespaces or mounts (`runtime`), or print.
//! Called by: `role::monitor`; `ops` uses the client half.
//! Always true: one thread, one loop, bounded memory.
