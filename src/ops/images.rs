//! `images`: which images there are.
use crate::error::{Error, Result};
use crate::ops::Session;
use crate::spec::digest::Digest;
use crate::spec::time::Time;

/// Which images.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only of this name, which may have `*`.
    pub name: Option<String>,
    /// `-f key=value`: dangling, reference, before, since, label, until.
    pub filters: Vec<(String, String)>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Repository, short: `busybox`; none for an image without a name.
    pub repository: Option<String>,
    /// Tag.
    pub tag: Option<String>,
    /// Image id.
    pub id: Digest,
    /// Digest of the manifest.
    pub digest: Digest,
    /// When it was made.
    pub created: Option<Time>,
    /// Bytes of its layers unpacked.
    pub size: u64,
    /// Containers made from it.
    pub containers: usize,
}

/// Returns the images, newest first.
pub fn list(_session: &Session, _options: &Options) -> Result<Vec<Row>> {
    Err(Error::internal("images is not built yet"))
}
