//! `stop`: ask a container to end, and make it end when it does not.
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ops::Session;

/// Stops a container. `grace` of none is its own; `signal` of none is its own.
/// One that is not running is left alone.
pub fn stop(
    _session: &Session,
    _name: &str,
    _grace: Option<Duration>,
    _signal: Option<&str>,
) -> Result<()> {
    Err(Error::internal("stop is not built yet"))
}
