//! What a directory in the form of an overlay's upper one changes of the layers below it.
//!
//! ```text
//! upper/a            a file, directory or link     the entry "a"
//! upper/b            character device 0/0, or an empty file with user.overlay.whiteout
//!                                                  "b" is hidden
//! upper/c            a directory with user.overlay.opaque=y
//!                                                  nothing of "c" shows from below
//! ```
//!
//! Lives here: [`walk`], the changes in order; [`Below`], what the layers below
//! have under a name.
//! Must not: write anything (`write` makes a tar of changes).
//! Called by: `image::layer::write`, `ops::diff`.
//! Always true: names come sorted by their bytes, a directory before what is in
//! it; nothing is followed, everything is opened by one name below a descriptor,
//! for the directory may be a running container's; what has gone meanwhile is
//! left out.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, Stat, openat, statat};
use rustix::io::Errno;

use super::shown;
use super::tree::{DEPTH_LIMIT, DIRECTORY, has_opaque, is_whiteout, join};
use crate::error::{Context, Error, Result};

/// What the changes are taken from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// Trees of the layers below, the lowest first; none when nobody asks what is below.
    pub below: &'a [PathBuf],
    /// Paths without a leading slash that were only made to be mounted on. What is
    /// empty there is no change, nor is a directory that has nothing else in it.
    pub mount_points: &'a [&'a str],
}

/// One change.
pub struct Change<'a> {
    /// Its path without a leading slash; empty is the root.
    pub path: &'a [u8],
    /// The directory it is in.
    pub parent: BorrowedFd<'a>,
    /// Its name there; `.` for the root.
    pub name: &'a [u8],
    /// What it is.
    pub kind: Kind<'a>,
    /// What the layers below have there, though an opaque directory may hide it.
    pub below: Option<Stat>,
}

/// What a change is.
pub enum Kind<'a> {
    /// Nothing shows from below.
    Whiteout,
    /// A directory, open; with `opaque`, nothing in it shows from below.
    Directory {
        /// The directory.
        fd: BorrowedFd<'a>,
        /// What it is.
        stat: Stat,
        /// Nothing in it shows from below.
        opaque: bool,
        /// So it is because it is opaque, or a directory above it is.
        hides: bool,
        /// What there is below, if it shows.
        below: &'a Below<'a>,
    },
    /// Anything else.
    Other(Stat),
}

/// Gives `each` all changes in their order. Returns what is no change and only
/// stands where something was mounted, a directory before what is in it.
pub fn walk(
    tree: &Path,
    scope: Scope<'_>,
    each: &mut dyn FnMut(&Change<'_>) -> Result<()>,
) -> Result<Vec<Vec<u8>>> {
    let what = || format!("cannot read \"{}\"", tree.display());
    let layers = scope
        .below
        .iter()
        .rev()
        .map(|layer| openat(CWD, layer, DIRECTORY, Mode::empty()))
        .collect::<Result<Vec<OwnedFd>, Errno>>()
        .what(|| "cannot open a layer below")?;
    let root = openat(CWD, tree, DIRECTORY, Mode::empty()).what(what)?;
    let below = Below {
        layers: &layers,
        showing: (0..layers.len()).collect(),
        path: Vec::new(),
    };
    let mut walk = Walk {
        mount_points: scope.mount_points.iter().map(|p| p.as_bytes()).collect(),
        each,
        left_out: Vec::new(),
    };
    let mut levels: Vec<Level<'_>> = Vec::new();
    let place = (root.as_fd(), b".".as_slice());
    levels.extend(walk.directory(place, Vec::new(), false, None, below)?);
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.names.next() else {
            levels.pop();
            continue;
        };
        let path = join(&level.path, &name);
        let depth = levels.len();
        if let Some(level) = levels.last()
            && let Some(below) = walk
                .visit(level, &name, &path)
                .what(|| format!("cannot read {}", shown(&path)))?
        {
            if depth > DEPTH_LIMIT {
                return Err(Error::new(format!(
                    "{} lies more than {DEPTH_LIMIT} directories deep",
                    shown(&path)
                )));
            }
            levels.push(below);
        }
    }
    Ok(walk.left_out)
}

struct Walk<'a> {
    mount_points: BTreeSet<&'a [u8]>,
    each: &'a mut dyn FnMut(&Change<'_>) -> Result<()>,
    left_out: Vec<Vec<u8>>,
}

/// A directory that is being read.
struct Level<'a> {
    fd: OwnedFd,
    path: Vec<u8>,
    names: std::vec::IntoIter<Vec<u8>>,
    hides: bool,
    below: Below<'a>,
}

impl Walk<'_> {
    /// Gives away what a name is; a directory is returned, to be read.
    fn visit<'l>(
        &mut self,
        level: &Level<'l>,
        name: &[u8],
        path: &[u8],
    ) -> Result<Option<Level<'l>>> {
        let parent = level.fd.as_fd();
        let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            stat => stat?,
        };
        if self.is_mount_point(parent, name, path, &stat)? {
            self.left_out.push(path.to_vec());
            return Ok(None);
        }
        let (below, inner) = level.below.child(name)?;
        let kind = if is_whiteout(parent, name)? {
            Kind::Whiteout
        } else if file_type(&stat) == FileType::Directory {
            let place = (parent, name);
            return self.directory(place, path.to_vec(), level.hides, below, inner);
        } else {
            Kind::Other(stat)
        };
        (self.each)(&Change {
            path,
            parent,
            name,
            kind,
            below,
        })?;
        Ok(None)
    }

    fn directory<'l>(
        &mut self,
        (parent, name): (BorrowedFd<'_>, &[u8]),
        path: Vec<u8>,
        hides: bool,
        below: Option<Stat>,
        inner: Below<'l>,
    ) -> Result<Option<Level<'l>>> {
        let fd = match openat(parent, name, DIRECTORY, Mode::empty()) {
            // It has become something else.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            fd => fd?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        let opaque = has_opaque(&fd, b"y");
        let names = names(&fd)?;
        let untouched = below.is_none_or(|b| {
            (b.st_mode, b.st_uid, b.st_gid) == (stat.st_mode, stat.st_uid, stat.st_gid)
        });
        if !names.is_empty() && !path.is_empty() && untouched && !opaque {
            let mut all = true;
            for name in &names {
                let path = join(&path, name);
                all = all
                    && self.mount_points.contains(path.as_slice())
                    && statat(&fd, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                        .map_err(Error::from)
                        .and_then(|stat| self.is_mount_point(fd.as_fd(), name, &path, &stat))?;
            }
            if all {
                self.left_out.push(path.clone());
                self.left_out
                    .extend(names.iter().map(|name| join(&path, name)));
                return Ok(None);
            }
        }
        (self.each)(&Change {
            path: &path,
            parent,
            name,
            kind: Kind::Directory {
                fd: fd.as_fd(),
                stat,
                opaque,
                hides: hides || opaque,
                below: &inner,
            },
            below,
        })?;
        Ok(Some(Level {
            fd,
            path,
            names: names.into_iter(),
            hides: hides || opaque,
            below: inner,
        }))
    }

    /// Says whether something was only made to be mounted on: it is empty.
    fn is_mount_point(
        &self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<bool> {
        if !self.mount_points.contains(path) {
            return Ok(false);
        }
        Ok(match file_type(stat) {
            FileType::RegularFile => stat.st_size == 0 && !is_whiteout(parent, name)?,
            FileType::Directory => {
                let fd = openat(parent, name, DIRECTORY, Mode::empty())?;
                !has_opaque(&fd, b"y") && names(&fd)?.is_empty()
            }
            _ => false,
        })
    }
}

/// What the layers below show of one directory.
#[derive(Clone, Debug)]
pub struct Below<'a> {
    /// All layers, the highest first.
    layers: &'a [OwnedFd],
    /// Those of them that have something in this directory which shows.
    showing: Vec<usize>,
    path: Vec<u8>,
}

impl Below<'_> {
    /// Returns what there is of a name, and the directory if it is one.
    fn child(&self, name: &[u8]) -> Result<(Option<Stat>, Self)> {
        let mut inner = Self {
            layers: self.layers,
            showing: Vec::new(),
            path: join(&self.path, name),
        };
        let mut found = None;
        for &layer in &self.showing {
            let root = self.layers[layer].as_fd();
            let stat = match statat(root, inner.path.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            if file_type(&stat) != FileType::Directory {
                if found.is_none() && !is_whiteout(root, &inner.path)? {
                    found = Some(stat);
                }
                break;
            }
            found.get_or_insert(stat);
            inner.showing.push(layer);
            let fd = openat(root, inner.path.as_slice(), DIRECTORY, Mode::empty())?;
            if has_opaque(&fd, b"y") {
                break;
            }
        }
        Ok((found, inner))
    }

    /// Returns the names that show, sorted.
    pub fn names(&self) -> Result<BTreeSet<Vec<u8>>> {
        let mut all = BTreeSet::new();
        for &layer in &self.showing {
            let root = self.layers[layer].as_fd();
            let path = if self.path.is_empty() {
                b"."
            } else {
                self.path.as_slice()
            };
            all.extend(names(&openat(root, path, DIRECTORY, Mode::empty())?)?);
        }
        let mut showing = BTreeSet::new();
        for name in all {
            if self.child(&name)?.0.is_some() {
                showing.insert(name);
            }
        }
        Ok(showing)
    }
}

fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn names(fd: &OwnedFd) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(name.to_vec());
        }
    }
    names.sort_unstable();
    Ok(names)
}
