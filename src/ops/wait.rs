//! `wait`: until a container ends.
use crate::error::{Error, Result};
use crate::ops::Session;

/// Waits until a container is not running and returns its exit status.
pub fn wait(_session: &Session, _name: &str) -> Result<i32> {
    Err(Error::internal("wait is not built yet"))
}
