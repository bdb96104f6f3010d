//! `attach`: our terminal becomes a running container's.
use crate::error::{Error, Result};
use crate::ops::Session;

/// How `attach` stands to its container.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--no-stdin`.
    pub no_stdin: bool,
    /// `--sig-proxy`.
    pub sig_proxy: bool,
    /// `--detach-keys`.
    pub detach_keys: Option<String>,
}

/// Attaches until the container ends (its exit status) or the detach keys are typed (none).
pub fn attach(_session: &Session, _name: &str, _options: &Options) -> Result<Option<i32>> {
    Err(Error::internal("attach is not built yet"))
}
