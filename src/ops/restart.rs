//! `restart`: stop, then start.
//!
//! Lives here: that verb.
//! Must not: do more than the two.
//! Called by: `cli`.
//! Always true: a container that was not running is started all the same.

use std::time::Duration;

use crate::error::Result;
use crate::ops::{Session, start, stop};

/// Stops a container if it runs, and starts it.
pub fn restart(
    session: &Session,
    name: &str,
    grace: Option<Duration>,
    signal: Option<&str>,
) -> Result<()> {
    stop::stop(session, name, grace, signal)?;
    start::start(session, name, &start::Options::default())?;
    Ok(())
}
