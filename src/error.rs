//! The one error type that crosses rooms: what failed, why, and what to do.
//!
//! Lives here: [`Error`], a chain of sentences with hints, and the two ways to
//! add to it ([`Context::what`], [`Error::hint`]).
//! Must not: know any room, print anything, or list all failures of the program;
//! where a caller has to branch, a room has its own small enum.
//! Called by: every room above `sys`; drawn by `cli/failure.rs` only.
//! Always true: links read outermost first and, joined by `: `, make one
//! sentence; an error survives a pipe between two rpod processes unchanged.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Result of everything above `sys`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, why, and what mends it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Error(Box<Parts>);

#[derive(Clone, Serialize, Deserialize)]
struct Parts {
    kind: Kind,
    links: Vec<String>,
    hints: Vec<String>,
    also: Vec<String>,
    errno: Option<i32>,
}

/// What the door makes of an error: its exit status and its heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// rpod could not do it: exit status 125 from `run`, `create` and `exec`, 1 elsewhere.
    Failed,
    /// The words typed make no sense: 125, and the usage is named.
    Usage,
    /// The thing named does not exist.
    NotFound,
    /// The thing exists already, or is in the wrong state.
    Conflict,
    /// The container's command exists and cannot be invoked: 126.
    CannotInvoke,
    /// The container's command does not exist: 127.
    CommandNotFound,
    /// Whoever read our output has gone: end quietly.
    BrokenPipe,
    /// A fault of rpod's own.
    Internal,
}

impl Error {
    /// Returns an error of one link: the cause in plain words.
    pub fn new(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Kind::Failed, cause)
    }

    /// Returns an error of one link and of the kind given.
    pub fn of(kind: Kind, cause: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            kind,
            links: vec![cause.into().into_owned()],
            hints: Vec::new(),
            also: Vec::new(),
            errno: None,
        }))
    }

    /// Returns an error that is a fault of rpod's own.
    pub fn internal(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Kind::Internal, cause)
    }

    /// Puts a link before the others: what could not be done, on what.
    #[must_use]
    pub fn what(mut self, outer: impl Into<Cow<'static, str>>) -> Self {
        self.0.links.insert(0, outer.into().into_owned());
        self
    }

    /// Draws lines below its words: those of a file that it is about.
    #[must_use]
    pub fn drawn(mut self, lines: &str) -> Self {
        if let Some(last) = self.0.links.last_mut() {
            last.push('\n');
            last.push_str(lines);
        }
        self
    }

    /// Adds one action that mends it, best as a command in backticks.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hints.push(hint.into().into_owned());
        self
    }

    /// Appends a failure met while clearing up; it never replaces the first.
    #[must_use]
    pub fn also(mut self, other: impl fmt::Display) -> Self {
        self.0.also.push(other.to_string());
        self
    }

    /// Changes what the door makes of it.
    #[must_use]
    pub fn kind_of(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Keeps the system's error number beside words of our own.
    #[must_use]
    pub fn errno_of(mut self, errno: i32) -> Self {
        self.0.errno = Some(errno);
        self
    }

    /// Returns what the door makes of it.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the cause alone, without what was being done.
    pub fn cause(&self) -> &str {
        self.0.links.last().map_or("", String::as_str)
    }

    /// Returns the actions that mend it.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Returns what failed while clearing up.
    pub fn also_failed(&self) -> &[String] {
        &self.0.also
    }

    /// Returns the system's error number at the root of it, if it had one.
    pub fn errno(&self) -> Option<i32> {
        self.0.errno
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.links.join(": "))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            std::io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Failed,
        };
        let mut out = Self::of(kind, plain_words(&error.to_string()));
        out.0.errno = error.raw_os_error();
        if out.0.errno == Some(rustix::io::Errno::NOSYS.raw_os_error()) {
            return out.hint("rpod needs Linux 5.12 or later; `uname -r` tells yours");
        }
        out
    }
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Self {
        std::io::Error::from(errno).into()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format!("not valid JSON: {error}"))
    }
}

/// Adds what was being done to an error on its way up.
pub trait Context<T> {
    /// Puts a link before the others: what could not be done, on what.
    fn what<S: Into<Cow<'static, str>>>(self, outer: impl FnOnce() -> S) -> Result<T>;

    /// Adds one action that mends it.
    fn hint<S: Into<Cow<'static, str>>>(self, hint: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn what<S: Into<Cow<'static, str>>>(self, outer: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| error.into().what(outer()))
    }

    fn hint<S: Into<Cow<'static, str>>>(self, hint: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| error.into().hint(hint()))
    }
}

/// "Permission denied (os error 13)" → "permission denied".
fn plain_words(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, Error, Kind};

    #[test]
    fn links_read_outermost_first_and_io_errors_in_plain_words() {
        let error: Result<(), _> = Err(std::io::Error::from_raw_os_error(13));
        let error = error
            .what(|| "cannot open \"/x\"")
            .hint(|| "run `id`")
            .expect_err("it is one");
        assert_eq!(error.to_string(), "cannot open \"/x\": permission denied");
        assert_eq!(error.hints(), ["run `id`"]);
        assert_eq!(error.errno(), Some(13));
    }

    #[test]
    fn an_error_survives_a_pipe() {
        let error = Error::of(Kind::CommandNotFound, "no such file")
            .what("cannot run \"x\"")
            .also("umount failed");
        let text = serde_json::to_string(&error).expect("it serializes");
        let back: Error = serde_json::from_str(&text).expect("it parses");
        assert_eq!(back.to_string(), error.to_string());
        assert_eq!(back.kind(), Kind::CommandNotFound);
        assert_eq!(back.also_failed(), ["umount failed"]);
    }
}
