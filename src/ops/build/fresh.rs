//! A directory that was not there, filled by several threads.
//!
//! ```text
//! 1  the directories, in their order
//! 2  the files, some hundred at a time, by as many threads as there are cores
//! 3  second names of files
//! 4  the directories' owners, permissions and times, the inner ones first
//! ```
//!
//! Nothing lies below what is new, so it is written to the layer itself, not through
//! the overlay that shows the whole tree: that costs a third of the time.
//!
//! Lives here: that order.
//! Must not: write to a directory that was there (`copy` does), or make a second
//! name of a file that lies elsewhere.
//! Called by: `copy`.
//! Always true: no link is followed below the new directory; all threads have ended
//! when [`fill`] returns.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Mode, fstat, linkat, mkdirat};

use crate::error::{Context, Error, Result};
use crate::ops::build::ahead::{self, beneath};
use crate::ops::build::copy::{Writing, open_directory};
use crate::ops::build::gather::{Item, Kind, Piece, join, shown, split};

/// Files that a thread takes at a time.
const BATCH: usize = 256;

/// Opens a directory of the layer, by the place it has in the tree.
///
/// None where what is made in it would not be root's: then the tree has to say whose it is.
pub fn open(layer: BorrowedFd<'_>, place: &[u8]) -> Option<OwnedFd> {
    let fd = beneath(layer, place).ok()?;
    let stat = fstat(&fd).ok()?;
    (stat.st_mode & 0o2000 == 0).then_some(fd)
}

/// What is copied, and where to.
pub struct Fresh<'a> {
    /// How.
    pub writing: &'a Writing<'a>,
    /// The root of where it comes from.
    pub source: BorrowedFd<'a>,
    /// What is copied: a directory, or a part of it.
    pub piece: &'a Piece,
    /// Which of its items: all that is in the directory, without itself.
    pub items: &'a [Item],
    /// The directory's path in the piece.
    pub base: &'a [u8],
    /// The new directory, in the layer.
    pub top: BorrowedFd<'a>,
    /// Its path in the tree, for errors.
    pub target: &'a [u8],
}

impl Fresh<'_> {
    /// Copies all that is in the piece.
    pub fn fill(&self) -> Result<()> {
        for item in self.items {
            if item.kind == Kind::Directory {
                let (parent, name) = split(self.below(item));
                let parent = beneath(self.top, parent).what(|| self.cannot(item))?;
                mkdirat(&parent, OsStr::from_bytes(name), Mode::RWXU).what(|| self.cannot(item))?;
            }
        }
        self.files()?;
        for item in self.items {
            if let Kind::Same(first) = item.kind {
                self.second_name(item, first).what(|| self.cannot(item))?;
            }
        }
        for item in self.items.iter().rev() {
            if item.kind == Kind::Directory {
                self.dress(item).what(|| self.cannot(item))?;
            }
        }
        Ok(())
    }

    /// An item's path below the new directory.
    fn below<'i>(&self, item: &'i Item) -> &'i [u8] {
        let path = item.path.strip_prefix(self.base).unwrap_or(&item.path);
        path.strip_prefix(b"/").unwrap_or(path)
    }

    fn cannot(&self, item: &Item) -> String {
        format!(
            "cannot write \"/{}\"",
            shown(&join(self.target, &item.path))
        )
    }

    fn files(&self) -> Result<()> {
        let runs = self.runs();
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        let work = || {
            while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.run(run.clone()) {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert(error);
                    // What the others have begun is soon done; nobody begins more.
                    next.store(runs.len(), Ordering::Relaxed);
                }
            }
        };
        ahead::together(ahead::threads().min(runs.len()), work);
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok(()), Err)
    }

    /// Files beside each other in the same directory.
    fn runs(&self) -> Vec<Range<usize>> {
        let items = self.items;
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            if matches!(item.kind, Kind::Directory | Kind::Same(_)) {
                continue;
            }
            match runs.last_mut() {
                Some(run)
                    if run.end == at
                        && run.len() < BATCH
                        && split(&items[run.start].path).0 == split(&item.path).0 =>
                {
                    run.end += 1;
                }
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    fn run(&self, run: Range<usize>) -> Result<()> {
        let items = &self.items[run];
        let Some(first) = items.first() else {
            return Ok(());
        };
        let to = beneath(self.top, split(self.below(first)).0).what(|| self.cannot(first))?;
        let from = open_directory(self.source, &join(&self.piece.path, split(&first.path).0))?;
        for item in items {
            let name = split(&item.path).1;
            self.writing
                .put(from.as_fd(), name, item, &to, name, true)
                .what(|| self.cannot(item))?;
        }
        Ok(())
    }

    fn second_name(&self, item: &Item, first: usize) -> Result<()> {
        let Some(first) = self.piece.items.get(first) else {
            return Err(Error::internal("another name of nothing"));
        };
        let (below, name) = split(self.below(item));
        let (old_below, old) = split(self.below(first));
        let (to, there) = (beneath(self.top, below)?, beneath(self.top, old_below)?);
        let (old, name) = (OsStr::from_bytes(old), OsStr::from_bytes(name));
        Ok(linkat(&there, old, &to, name, AtFlags::empty())?)
    }

    fn dress(&self, item: &Item) -> Result<()> {
        let fd = beneath(self.top, self.below(item))?;
        self.writing.own(fd.as_fd(), item.owner)?;
        if self.writing.keeps_attributes() {
            let from = open_directory(self.source, &join(&self.piece.path, &item.path))?;
            self.writing.copy_attributes(from.as_fd(), fd.as_fd());
        }
        self.writing.finish_directory(&fd, item)
    }
}
