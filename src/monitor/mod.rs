//! Watching over one container: its output, its clients, its end.
//!
//! Lives here: the parts of the monitor process, and the log's format.
//! Must not: make namespaces or mounts (`runtime`), or print.
//! Called by: `role::monitor`; `ops::logs` reads logs.
//! Always true: one thread, one loop, bounded memory.

pub mod log;
pub mod supervise;
