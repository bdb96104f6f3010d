//! `rename`: a container's name changes, nothing else.
use crate::error::{Error, Result};
use crate::ops::Session;

/// Renames a container.
pub fn rename(_session: &Session, _old: &str, _new: &str) -> Result<()> {
    Err(Error::internal("rename is not built yet"))
}
