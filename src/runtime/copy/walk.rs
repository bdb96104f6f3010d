//! A tree as a source of entries.
//!
//! Lives here: reading a file or a whole directory, by names below descriptors.
//! Must not: follow a link, or cross into what was no directory when it was looked at.
//! Called by: `ops::cp`.
//! Always true: one descriptor is open for each level, and levels are bounded.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fgetxattr, fstat, openat, readlinkat, statat,
};

use crate::error::{Context, Error, Result};
use crate::runtime::copy::{Content, Entry, Kind, Sink};

/// Gives `sink` what `name` in `parent` is, and all that is in it, under the path `under`.
pub fn walk(parent: BorrowedFd<'_>, name: &OsStr, under: &Path, sink: &mut dyn Sink) -> Result<()> {
    let mut walk = Walk {
        sink,
        seen: HashMap::new(),
    };
    let mut levels = Vec::new();
    levels.extend(walk.visit(parent, name, under.to_owned())?);
    while let Some(level) = levels.last_mut() {
        let what = || format!("cannot read directory \"{}\"", level.path.display());
        let Some(child) = level.directory.read() else {
            levels.pop();
            continue;
        };
        let child = child.what(what)?;
        let name = child.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        // A file system of somebody's own may list anything.
        if name.contains(&b'/') {
            return Err(Error::new("it lists a name with a slash")).what(what);
        }
        let name = OsStr::from_bytes(name);
        let fd = level.directory.fd().what(what)?;
        let below = walk.visit(fd, name, level.path.join(name))?;
        if below.is_some() && levels.len() == LEVELS {
            return Err(Error::new(format!(
                "cannot read a tree of more than {LEVELS} directories in each other"
            )));
        }
        levels.extend(below);
    }
    Ok(())
}

struct Walk<'a> {
    sink: &'a mut dyn Sink,
    /// Files of several names, by device and number, and the first name met.
    seen: HashMap<(u64, u64), PathBuf>,
}

/// A directory that is being read.
struct Level {
    directory: Dir,
    path: PathBuf,
}

/// Directories in each other at most: each has a descriptor open, of which a
/// process has a thousand.
const LEVELS: usize = 900;

impl Walk<'_> {
    /// Gives away what a name is; a directory is returned, to be read.
    fn visit(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        path: PathBuf,
    ) -> Result<Option<Level>> {
        let what = || format!("cannot read \"{}\"", path.display());
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).what(what)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let directory = open(parent, name, OFlags::DIRECTORY).what(what)?;
                return self.directory(directory, path).map(Some);
            }
            FileType::RegularFile => self.file(parent, name, path)?,
            FileType::Symlink => {
                let link = readlinkat(parent, name, Vec::new()).what(what)?;
                let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
                self.give(path, &stat, Kind::Link(link))?;
            }
            FileType::Fifo => self.give(path, &stat, Kind::Fifo)?,
            FileType::Socket => self.give(path, &stat, Kind::Other("a socket"))?,
            _ => self.give(path, &stat, Kind::Other("a device"))?,
        }
        Ok(None)
    }

    fn give(&mut self, path: PathBuf, stat: &Stat, kind: Kind) -> Result<()> {
        self.sink
            .put(&entry(path, stat, kind, None), Content::Nothing)
    }

    fn directory(&mut self, directory: OwnedFd, path: PathBuf) -> Result<Level> {
        let what = || format!("cannot read directory \"{}\"", path.display());
        let stat = fstat(&directory).what(what)?;
        let owner = recorded_owner(directory.as_fd());
        self.sink.put(
            &entry(path.clone(), &stat, Kind::Directory, owner),
            Content::Nothing,
        )?;
        let directory = Dir::new(directory).what(what)?;
        Ok(Level { directory, path })
    }

    fn file(&mut self, parent: BorrowedFd<'_>, name: &OsStr, path: PathBuf) -> Result<()> {
        let what = || format!("cannot read \"{}\"", path.display());
        // It may have become a FIFO since: opening must not wait.
        let file = File::from(open(parent, name, OFlags::NONBLOCK).what(what)?);
        let stat = fstat(&file).what(what)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::new("it is being replaced").what(what()));
        }
        let key = (stat.st_dev, stat.st_ino);
        if stat.st_nlink > 1 {
            if let Some(first) = self.seen.get(&key) {
                let kind = Kind::Same(first.clone());
                return self.give(path, &stat, kind);
            }
            self.seen.insert(key, path.clone());
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let owner = recorded_owner(file.as_fd());
        let entry = entry(path, &stat, Kind::File(size), owner);
        self.sink.put(&entry, Content::File(&file))
    }
}

fn open(parent: BorrowedFd<'_>, name: &OsStr, more: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    openat(parent, name, flags, Mode::empty())
}

fn entry(path: PathBuf, stat: &Stat, kind: Kind, owner: Option<(u32, u32)>) -> Entry {
    let (uid, gid) = owner.unwrap_or((stat.st_uid, stat.st_gid));
    Entry {
        path,
        kind,
        mode: stat.st_mode & 0o7777,
        uid,
        gid,
        mtime: (
            stat.st_mtime,
            u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        ),
    }
}

/// Where a user has a single id, the owner an image wanted is kept beside the file.
fn recorded_owner(file: BorrowedFd<'_>) -> Option<(u32, u32)> {
    let mut bytes = [0u8; 32];
    let length = fgetxattr(file, super::plant::OWNER, &mut bytes[..]).ok()?;
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    let (uid, gid) = text.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}
