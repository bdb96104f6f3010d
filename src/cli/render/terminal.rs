//! The two streams: the answer, and everything else.
//!
//! Lives here: writing to standard output and standard error, questions, and
//! how much is said.
//! Must not: format.
//! Called by: the verbs, `failure`, `render::progress`.
//! Always true: a write that fails is an error and never a panic; when the
//! reader has gone (`rpod images | head`), that error is quiet.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::cli::failure::NOBODY_READS;
use crate::error::{Error, Kind, Result};

/// How much is said: `--log-level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Only errors.
    Error = 0,
    /// Warnings as well.
    Warn = 1,
    /// What helps to find a fault as well.
    Debug = 2,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Warn as u8);

/// Sets how much is said; done once, before anything is said.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Says whether what helps to find a fault is wanted.
pub fn is_debugging() -> bool {
    LEVEL.load(Ordering::Relaxed) >= Level::Debug as u8
}

/// Says whether warnings are wanted.
pub fn warns() -> bool {
    LEVEL.load(Ordering::Relaxed) >= Level::Warn as u8
}

/// Writes a piece of the answer.
pub fn answer(text: &str) -> Result<()> {
    answer_bytes(text.as_bytes())
}

/// Writes a line of the answer.
pub fn line(text: &str) -> Result<()> {
    answer(&format!("{text}\n"))
}

/// Writes bytes of the answer.
pub fn answer_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(unheard)
}

/// Makes of a failed write to standard output what it means.
pub fn unheard(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::of(Kind::BrokenPipe, NOBODY_READS),
        _ => Error::from(error).what("cannot write to standard output"),
    }
}

/// Writes to standard error; where that has gone, there is nobody to tell.
pub fn complain(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Says something the user should know.
pub fn warn(text: &str) {
    if warns() {
        complain(&format!("warning: {text}\n"));
    }
}

/// Asks for consent on standard error; no answer is a no.
pub fn consents(warning: &str) -> bool {
    complain(&format!(
        "WARNING! {warning}\nAre you sure you want to continue? [y/N] "
    ));
    let mut reply = String::new();
    let read = io::stdin().lock().read_line(&mut reply);
    read.is_ok() && matches!(reply.trim(), "y" | "Y" | "yes")
}

/// Says whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Says whether standard input is a terminal.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}
