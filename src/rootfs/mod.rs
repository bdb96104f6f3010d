//! Layers into one tree.
//!
//! Lives here: the ladder of ways to do it; today its first rung, the kernel
//! overlay. A FUSE overlay and a copy have their places beside it.
//! Must not: know images or containers; it gets paths.
//! Called by: `runtime`, `ops`.
//! Always true: a mount lives in the mount namespace of the process that asked.
