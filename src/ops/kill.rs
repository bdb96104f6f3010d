//! `kill`: send a signal to a container's program.
use crate::error::{Error, Result};
use crate::ops::Session;

/// Sends a signal, by name (`TERM`, `SIGTERM`) or number.
pub fn kill(_session: &Session, _name: &str, _signal: &str) -> Result<()> {
    Err(Error::internal("kill is not built yet"))
}
