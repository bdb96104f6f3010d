//! `tag`: another name for an image.
use crate::error::{Error, Result};
use crate::ops::Session;

/// Gives the image `source` the name `target` as well.
pub fn tag(_session: &Session, _source: &str, _target: &str) -> Result<()> {
    Err(Error::internal("tag is not built yet"))
}
