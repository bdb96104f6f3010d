//! `rm`: remove containers.
use crate::error::{Error, Result};
use crate::ops::Session;

/// How `rm` removes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-f`: kill it first; what is not there is no error.
    pub force: bool,
    /// `-v`: its anonymous volumes go with it.
    pub volumes: bool,
}

/// Removes a container; says whether there was one.
pub fn remove(_session: &Session, _name: &str, _options: Options) -> Result<bool> {
    Err(Error::internal("rm is not built yet"))
}
