//! What a path means inside a root: a directory and a name in it.
//!
//! Lives here: the lookup, which follows a last link by hand where that is
//! wanted, so that what it leads to can be replaced or made.
//! Must not: change anything.
//! Called by: `ops::cp`.
//! Always true: the directory lies inside the root, whatever links say.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, OFlags, Stat, readlinkat, statat};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::runtime::inside;

/// A name in a directory, and what is there.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub parent: OwnedFd,
    /// The directory's path from the root.
    pub parent_path: PathBuf,
    /// The name; `.` when the path is the directory's own.
    pub name: OsString,
    /// What is there, if anything is; a link is not followed.
    pub stat: Option<Stat>,
}

impl Place {
    /// Says whether a directory is there.
    pub fn is_directory(&self) -> bool {
        self.file_type() == Some(FileType::Directory)
    }

    /// Returns what is there.
    pub fn file_type(&self) -> Option<FileType> {
        self.stat
            .as_ref()
            .map(|stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// Returns its path from the root.
    pub fn path(&self) -> PathBuf {
        if self.name == "." {
            return self.parent_path.clone();
        }
        self.parent_path.join(&self.name)
    }
}

/// Finds a path inside a root. With `follow`, the last name may be a link, also
/// one that leads to nothing yet.
///
/// # Errors
/// When the directory the name is in does not exist; the error names it.
pub fn find(root: BorrowedFd<'_>, path: &Path, follow: bool) -> Result<Place> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let place = find_once(root, &path)?;
        if !follow || place.file_type() != Some(FileType::Symlink) {
            return Ok(place);
        }
        let link = readlinkat(&place.parent, &place.name, Vec::new())
            .what(|| format!("cannot read link \"{}\"", path.display()))?;
        path = place
            .parent_path
            .join(OsString::from_vec(link.into_bytes()));
    }
    Err(Errno::LOOP).what(|| format!("cannot find \"{}\"", path.display()))
}

/// Links followed at most, as many as the kernel follows.
const LINKS: usize = 40;

fn find_once(root: BorrowedFd<'_>, path: &Path) -> Result<Place> {
    let (parent_path, name) = split(path);
    let parent = inside::open(root, &parent_path, OFlags::PATH | OFlags::DIRECTORY)
        .what(|| format!("cannot open directory \"{}\"", parent_path.display()))?;
    let stat = match statat(parent.as_fd(), &name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(stat),
        Err(Errno::NOENT) => None,
        Err(errno) => return Err(errno).what(|| format!("cannot look at \"{}\"", path.display())),
    };
    Ok(Place {
        parent,
        parent_path,
        name,
        stat,
    })
}

/// Splits off the last name. A path that ends with `..`, or is the root, is a
/// directory for itself.
fn split(path: &Path) -> (PathBuf, OsString) {
    match path.components().next_back() {
        Some(Component::Normal(name)) if !path.as_os_str().as_bytes().ends_with(b"/.") => (
            path.parent().unwrap_or(Path::new("/")).to_owned(),
            name.to_owned(),
        ),
        _ => (path.to_owned(), OsStr::new(".").to_owned()),
    }
}
