//! `restart`: stop, then start.
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ops::Session;

/// Stops a container if it runs, and starts it.
pub fn restart(
    _session: &Session,
    _name: &str,
    _grace: Option<Duration>,
    _signal: Option<&str>,
) -> Result<()> {
    Err(Error::internal("restart is not built yet"))
}
