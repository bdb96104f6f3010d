//! Chains: directories of the tree, open.
//!
//! Lives here: finding a directory from the root, one component at a time; what is
//! open from the last time is used again.
//! Must not: make anything; whoever asks says how.
//! Called by: `tree`.
//! Always true: only where a component is a symbolic link does openat2(2) with
//! `RESOLVE_IN_ROOT` decide what it means, so that nothing leads out of the tree.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::is_whiteout;
use crate::error::Error;
use crate::image::layer::shown;

/// A directory of the tree, open.
pub struct Directory {
    fd: OwnedFd,
    /// What it is, by whichever path it was reached (`st_ino`).
    pub number: u64,
}

impl Directory {
    pub fn new(fd: OwnedFd) -> Result<Self, Errno> {
        let number = rustix::fs::fstat(&fd)?.st_ino;
        Ok(Self { fd, number })
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The directories that lead to the one used last, open.
pub struct Chain {
    root: Arc<Directory>,
    path: Vec<u8>,
    /// How many bytes of the path each of them is, ascending.
    open: Vec<(usize, Arc<Directory>)>,
}

/// Directories of a chain that are open at most.
const CHAIN_LIMIT: usize = 64;

impl Chain {
    pub fn new(root: &Arc<Directory>) -> Self {
        Self {
            root: Arc::clone(root),
            path: Vec::new(),
            open: Vec::new(),
        }
    }

    pub fn clear(&mut self) {
        self.open.clear();
        self.path.clear();
    }

    /// Opens a directory by its plain path; `make` makes one that is missing.
    pub fn open(
        &mut self,
        path: &[u8],
        mut make: impl FnMut(&Directory, &[u8]) -> Result<(), Errno>,
    ) -> Result<Arc<Directory>, Errno> {
        let common = self
            .path
            .iter()
            .zip(path)
            .take_while(|(a, b)| a == b)
            .count();
        let leads = |end: usize| end <= common && path.get(end).is_none_or(|b| *b == b'/');
        while self.open.last().is_some_and(|(end, _)| !leads(*end)) {
            self.open.pop();
        }
        self.path.clear();
        self.path.extend_from_slice(path);
        let (mut at, mut fd) = match self.open.last() {
            Some((end, fd)) => (*end, Arc::clone(fd)),
            None => (0, Arc::clone(&self.root)),
        };
        while at < path.len() {
            let start = if at == 0 { 0 } else { at + 1 };
            let end = path[start..]
                .iter()
                .position(|b| *b == b'/')
                .map_or(path.len(), |i| start + i);
            let opened = enter(&self.root, &fd, &path[..end], &path[start..end], &mut make)
                .and_then(Directory::new);
            fd = Arc::new(match opened {
                Ok(fd) => fd,
                Err(errno) => {
                    // What is open is right, but the path ends with it.
                    let known = self.open.last().map_or(0, |(end, _)| *end);
                    self.path.truncate(known);
                    return Err(errno);
                }
            });
            if self.open.len() == CHAIN_LIMIT {
                self.open.remove(CHAIN_LIMIT / 2);
            }
            self.open.push((end, Arc::clone(&fd)));
            at = end;
        }
        Ok(fd)
    }
}

/// Opens one directory more: `name` in `parent`, `path` from the root.
fn enter(
    root: &Directory,
    parent: &Directory,
    path: &[u8],
    name: &[u8],
    make: &mut impl FnMut(&Directory, &[u8]) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let open = || rustix::fs::openat(parent, name, DIRECTORY, Mode::empty());
    match open() {
        Err(Errno::NOENT) => {
            make(parent, name)?;
            open()
        }
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                return rustix::fs::openat2(
                    root,
                    path,
                    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                    Mode::empty(),
                    ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
                );
            }
            if !is_whiteout(parent.as_fd(), name)? {
                return Err(Errno::NOTDIR);
            }
            make(parent, name)?;
            open()
        }
        opened => opened,
    }
}

pub const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

pub fn no_parent(errno: Errno, path: &[u8]) -> Error {
    let cause = match errno {
        Errno::NOTDIR => Error::new("it is no directory"),
        Errno::NOENT => Error::new("it is a symbolic link that leads nowhere in this layer"),
        Errno::LOOP => Error::new("it is a symbolic link that leads to itself"),
        other => other.into(),
    };
    cause.what(format!("cannot open directory {}", shown(path)))
}
