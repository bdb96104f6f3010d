//! `start`: a container that is not running begins again, with its files as they were.
use crate::error::{Error, Result};
use crate::ops::Session;

/// How `start` stands to its container.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-a`: show its output until it ends.
    pub attach: bool,
    /// `-i`: give it our input.
    pub interactive: bool,
    /// `--sig-proxy`.
    pub sig_proxy: bool,
    /// `--detach-keys`.
    pub detach_keys: Option<String>,
}

/// Starts a container; with `attach`, returns its exit status once it ended.
/// One that runs already is left alone.
pub fn start(_session: &Session, _name: &str, _options: &Options) -> Result<Option<i32>> {
    Err(Error::internal("start is not built yet"))
}
