//! `cp`: files in and out of a container, running or not.
use std::io::{Read, Write};

use crate::error::{Error, Result};
use crate::ops::Session;

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A path of the machine.
    Host(String),
    /// A path in a container.
    Container(String, String),
    /// A tar on standard input or output (`-`).
    Stream,
}

/// How `cp` copies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-a`: owners are kept.
    pub archive: bool,
    /// `-L`: a symbolic link given as the source is followed.
    pub follow_link: bool,
}

/// Copies; `input` and `output` serve an end that is a stream. Returns the bytes copied.
pub fn copy(
    _session: &Session,
    _from: &End,
    _to: &End,
    _options: Options,
    _input: &mut dyn Read,
    _output: &mut dyn Write,
) -> Result<u64> {
    Err(Error::internal("cp is not built yet"))
}
