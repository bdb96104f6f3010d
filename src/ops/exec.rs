//! `exec`: another program in a running container.
use crate::error::{Error, Result};
use crate::ops::Session;

/// What is to be run, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Container, as typed.
    pub container: String,
    /// The program and its words.
    pub command: Vec<String>,
    /// `-d`.
    pub detach: bool,
    /// `-i`.
    pub interactive: bool,
    /// `-t`.
    pub tty: bool,
    /// `-e` and `--env-file`.
    pub env: Vec<String>,
    /// `-w`.
    pub workdir: Option<String>,
    /// `-u`.
    pub user: Option<String>,
    /// `--privileged`.
    pub privileged: bool,
    /// `--detach-keys`.
    pub detach_keys: Option<String>,
}

/// Runs it; returns its exit status, 0 for a detached one.
pub fn exec(_session: &Session, _request: &Request) -> Result<i32> {
    Err(Error::internal("exec is not built yet"))
}
