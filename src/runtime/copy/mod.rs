//! Files on their way into a container and out of it.
//!
//! ```text
//! a tree (walk)    ─┐                    ┌─ a tree (plant)
//!                   ├─ entry, entry, … ─▶┤
//! a tar (archive)  ─┘                    └─ a tar (archive)
//! ```
//!
//! Lives here: what an entry is, its two sources and its two sinks, and finding
//! what a path means inside a root (`place`).
//! Must not: know containers, or which rule of `cp` applies.
//! Called by: `ops::cp`.
//! Always true: names, links and whole trees may be hostile, and may change
//! while they are read. Everything is opened by one name below a descriptor, or
//! by openat2(2) inside a root; a directory comes before what is in it; a path
//! of an entry has neither a leading slash nor `..`.

pub mod archive;
pub mod place;
pub mod plant;
pub mod walk;

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// One file, directory, link or node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes, relative to the destination; empty is the destination itself.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner inside.
    pub uid: u32,
    /// Group inside.
    pub gid: u32,
    /// Last change, in seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file of so many bytes.
    File(u64),
    /// A symbolic link and what it says.
    Link(PathBuf),
    /// The same file as an entry before, by that one's path.
    Same(PathBuf),
    /// A FIFO.
    Fifo,
    /// A device or a socket, which cannot be copied.
    Other(&'static str),
}

/// The bytes of a regular file.
pub enum Content<'a> {
    /// A file of the system: the kernel can copy it by itself.
    File(&'a File),
    /// Anything else.
    Stream(&'a mut dyn Read),
    /// There are none: it is no regular file.
    Nothing,
}

/// What takes entries.
pub trait Sink {
    /// Takes one.
    fn put(&mut self, entry: &Entry, content: Content<'_>) -> Result<()>;

    /// Everything has been given: what had to wait is done now.
    fn finish(&mut self) -> Result<()>;
}

/// What became of a copy.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Copied {
    /// Bytes of regular files.
    pub bytes: u64,
    /// What could not be copied, and why; at most some.
    pub skipped: Vec<String>,
    /// How many were skipped in all.
    pub skipped_count: u64,
}

impl Copied {
    fn skip(&mut self, entry: &Entry, why: &str) {
        self.skipped_count += 1;
        if self.skipped.len() < SKIPPED_TOLD {
            let path = entry.path.display();
            self.skipped.push(format!("\"{path}\" is {why}"));
        }
    }
}

const SKIPPED_TOLD: usize = 10;

/// Returns an entry's path as it is allowed to be: without a leading slash, `.` and empty parts.
///
/// # Errors
/// When it has `..`, or a zero byte.
pub fn relative(bytes: &[u8]) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    for part in bytes.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                return Err(Error::new("it has \"..\"").what(shown(bytes)));
            }
            part if part.contains(&0) => {
                return Err(Error::new("it has a zero byte").what(shown(bytes)));
            }
            part => path.push(OsStr::from_bytes(part)),
        }
    }
    Ok(path)
}

fn shown(bytes: &[u8]) -> String {
    let path = Path::new(OsStr::from_bytes(bytes)).display();
    format!("cannot take an entry with the path \"{path}\"")
}

#[cfg(test)]
mod tests;
