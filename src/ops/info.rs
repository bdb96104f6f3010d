//! `info` and `version`: this rpod and this machine.
use serde_json::Value;

use crate::error::{Error, Result};
use crate::ops::Session;

/// Returns what `info` shows, with docker's keys where docker has them.
pub fn info(_session: &Session) -> Result<Value> {
    Err(Error::internal("info is not built yet"))
}
