//! What is fetched: files by URL, repositories of git.
//!
//! Lives here: fetching, and checking what came.
//! Must not: put it into a tree (`fetch`).
//! Called by: `ops::build`, before the builder is started.
//! Always true: what has a checksum is what it says, or the build ends.

use crate::error::{Error, Result};
use crate::ops::Session;
use crate::ops::build::graph::Fetch;

/// Fetches what `ADD` names.
pub fn fetch(_: &Session, url: &str, _: Option<&str>, _: bool) -> Result<Fetch> {
    Err(Error::new(format!(
        "cannot fetch \"{url}\": ADD of URLs is not there yet"
    )))
}
