//! `run`: create, start and, in the foreground, stay until it ends.
use crate::error::{Error, Result};
use crate::ops::Session;
use crate::spec::container::Request;
use crate::spec::id::ContainerId;

/// How `run` stands to its container.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-d`: leave at once.
    pub detach: bool,
    /// `-a`: streams to attach (stdin, stdout, stderr); empty means the default.
    pub attach: Vec<String>,
    /// `--sig-proxy`: signals that reach us are the program's.
    pub sig_proxy: bool,
    /// `--detach-keys`; none means ctrl-p,ctrl-q.
    pub detach_keys: Option<String>,
}

/// What became of a `run`.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It runs in the background; its id is to be printed.
    Detached(ContainerId),
    /// It ran to its end in the foreground.
    Exited(i32),
}

/// Runs a new container.
pub fn run(_session: &Session, _request: Request, _options: Options) -> Result<Outcome> {
    Err(Error::internal("run is not built yet"))
}
