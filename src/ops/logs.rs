//! `logs`: what a container wrote.
use crate::error::{Error, Result};
use crate::ops::Session;
use crate::spec::time::Time;

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-f`: go on until it ends.
    pub follow: bool,
    /// `-n`: so many from the end; none is all.
    pub tail: Option<u64>,
    /// `--since`.
    pub since: Option<Time>,
    /// `--until`.
    pub until: Option<Time>,
}

/// A line, or a piece of one that had no end yet.
#[derive(Clone, Debug)]
pub struct Line {
    /// It was written to standard error.
    pub stderr: bool,
    /// When.
    pub time: Time,
    /// What, with its newline if it had one.
    pub text: Vec<u8>,
}

/// Gives the lines of a container to `show`, which says whether to go on.
pub fn logs(
    _session: &Session,
    _name: &str,
    _options: &Options,
    _show: &mut dyn FnMut(Line) -> bool,
) -> Result<()> {
    Err(Error::internal("logs is not built yet"))
}
