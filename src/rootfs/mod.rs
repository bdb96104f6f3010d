//! Layers into one tree.
//!
//! Lives here: the ladder of ways to do it; today its first rung, the kernel's
//! overlay ([`overlay`]). A FUSE overlay and a copy have their places beside it.
//! Must not: know images or containers; it gets paths.
//! Called by: `runtime`, `ops`.
//! Always true: a mount lives in the mount namespace of the process that asked.

pub mod overlay;

use std::path::PathBuf;

/// What a container's tree is made of.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Layers, the lowest first.
    pub layers: Vec<PathBuf>,
    /// Where changes go.
    pub upper: PathBuf,
    /// Room for the overlay itself, on the same file system.
    pub work: PathBuf,
    /// Changes need not survive the loss of power: the container goes when it ends.
    pub volatile: bool,
}
