//! `rmi`: names of images, and images that nothing names.
use crate::error::{Error, Result};
use crate::ops::Session;

/// One line of what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A name went: `Untagged: …`.
    Untagged(String),
    /// An image went: `Deleted: sha256:…`.
    Deleted(String),
}

/// Removes an image's name and, when it was the last, the image with its blobs and layers.
pub fn remove(_session: &Session, _name: &str, _force: bool) -> Result<Vec<Removed>> {
    Err(Error::internal("rmi is not built yet"))
}
