//! A tree as a sink of entries.
//!
//! ```text
//! file        written under a name of its own, then renamed over what is there
//! directory   made, or taken as it is when one is there
//! the rest    made anew in place of what is there
//! at the end  modes and times of directories, which writing into them changes
//! ```
//!
//! Lives here: making files, directories, links and FIFOs below a directory.
//! Must not: replace a directory by anything else, or anything else by a
//! directory, as docker does not.
//! Called by: `ops::cp`.
//! Always true: no link is followed but on the way to an entry's directory, and
//! there only as [`Ground`] allows.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, chmodat,
    chownat, fchmod, fchown, fsetxattr, fstat, linkat, mkdirat, mknodat, openat, openat2, renameat,
    statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::error::{Context, Error, Result};
use crate::runtime::copy::{Content, Copied, Entry, Kind, Sink};

/// Where a user has a single id, the owner that cannot be given: `UID:GID`.
pub const OWNER: &str = "user.rpod.owner";

/// Where entries go.
#[derive(Debug)]
pub enum Ground {
    /// Below a directory of the machine; no link leads anywhere.
    Machine(OwnedFd),
    /// Below a path inside a container's root; links lead where they do for its programs.
    Container(OwnedFd, PathBuf),
}

impl Ground {
    fn open(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        let (root, path, resolve) = match self {
            Self::Machine(directory) => (
                directory,
                path.to_owned(),
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            ),
            Self::Container(root, below) => (
                root,
                Path::new(".").join(relative(below)).join(path),
                ResolveFlags::IN_ROOT,
            ),
        };
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &path
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = resolve | ResolveFlags::NO_MAGICLINKS;
        loop {
            match openat2(root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
    }
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// What becomes of owners and rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// They are kept.
    Kept,
    /// All belongs to root inside the container.
    Root,
    /// All belongs to the person; set-user-id and set-group-id bits go, since
    /// they would let others act as that person.
    Person,
}

/// Makes the entries it is given.
pub struct Plant {
    ground: Ground,
    owners: Owners,
    copied: Copied,
    directories: Vec<(PathBuf, Entry)>,
    last: Option<(PathBuf, OwnedFd)>,
}

impl Plant {
    /// Begins.
    pub fn new(ground: Ground, owners: Owners) -> Self {
        Self {
            ground,
            owners,
            copied: Copied::default(),
            directories: Vec::new(),
            last: None,
        }
    }

    /// Returns what was copied.
    pub fn copied(self) -> Copied {
        self.copied
    }

    /// Opens the directory an entry goes into, making what is missing of it.
    fn parent(&mut self, path: &Path) -> Result<OwnedFd> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if let Some((known, fd)) = &self.last
            && known == parent
        {
            return fd.try_clone().what(|| "cannot open a directory again");
        }
        let fd = self.ensure(parent)?;
        self.last = Some((parent.to_owned(), fd.try_clone()?));
        Ok(fd)
    }

    /// A tar may name a file without having named its directory.
    fn ensure(&self, path: &Path) -> Result<OwnedFd> {
        let what = || format!("cannot open directory \"{}\"", path.display());
        match self.ground.open(path) {
            Err(Errno::NOENT) if path.parent().is_some() => {}
            done => return done.what(what),
        }
        let above = self.ensure(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().unwrap_or(OsStr::new("."));
        match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).what(what),
        }
        self.ground.open(path).what(what)
    }

    fn directory(&mut self, entry: &Entry) -> Result<()> {
        let Some(name) = entry.path.file_name() else {
            // The destination itself is there, and is the owner's.
            return Ok(());
        };
        let parent = self.parent(&entry.path)?;
        let made = match mkdirat(&parent, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => {
                let stat = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                    return Err(Error::new(
                        "something that is no directory is there, and is not replaced by one",
                    ));
                }
                false
            }
            Err(errno) => return Err(errno.into()),
        };
        if made || self.owners == Owners::Kept {
            let mut later = entry.clone();
            later.path = PathBuf::from(name);
            self.directories.push((entry.path.clone(), later));
        }
        Ok(())
    }

    fn file(&mut self, entry: &Entry, size: u64, content: Content<'_>) -> Result<()> {
        let parent = self.parent(&entry.path)?;
        let name = name_of(entry)?;
        refuse_directory(parent.as_fd(), name)?;
        let (temporary, file) = staged(parent.as_fd())?;
        let write = || -> Result<()> {
            self.copied.bytes += pour(content, &file, size)?;
            self.dress(file.as_fd(), entry)?;
            match renameat(&parent, &temporary, &parent, name) {
                // Something is mounted there: /etc/hosts of a container. Only
                // its content can be changed.
                Err(Errno::BUSY) => {
                    overwrite(parent.as_fd(), name, &temporary)?;
                    unlinkat(&parent, &temporary, AtFlags::empty())?;
                    Ok(())
                }
                done => done.map_err(Error::from),
            }
        };
        let written = write();
        if written.is_err() {
            unlinkat(&parent, &temporary, AtFlags::empty()).ok();
        }
        written
    }

    /// Gives an open file its owner, its mode and its time, in this order: a
    /// change of owner clears bits of the mode.
    fn dress(&self, file: BorrowedFd<'_>, entry: &Entry) -> Result<()> {
        if let Some((uid, gid)) = self.owner(entry)
            && fchown(file, Some(uid), Some(gid)).is_err()
        {
            self.record_owner(file, entry)?;
        }
        fchmod(file, self.mode(entry))?;
        rustix::fs::futimens(file, &times(entry))?;
        Ok(())
    }

    /// An id that does not exist here is written down beside the file; where
    /// even that cannot be done, nothing is lost that could have been kept.
    fn record_owner(&self, file: BorrowedFd<'_>, entry: &Entry) -> Result<()> {
        let text = format!("{}:{}", entry.uid, entry.gid);
        let flags = rustix::fs::XattrFlags::empty();
        match fsetxattr(file, OWNER, text.as_bytes(), flags) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn owner(&self, entry: &Entry) -> Option<(Uid, Gid)> {
        match self.owners {
            Owners::Kept => Some((Uid::from_raw(entry.uid), Gid::from_raw(entry.gid))),
            Owners::Root => Some((Uid::ROOT, Gid::ROOT)),
            Owners::Person => None,
        }
    }

    fn mode(&self, entry: &Entry) -> Mode {
        Mode::from_raw_mode(match self.owners {
            Owners::Person => entry.mode & 0o1777,
            _ => entry.mode & 0o7777,
        })
    }

    /// Makes what is no file and no directory, in place of what is there.
    fn node(
        &mut self,
        entry: &Entry,
        make: impl Fn(&OwnedFd, &OsStr) -> rustix::io::Result<()>,
    ) -> Result<()> {
        let parent = self.parent(&entry.path)?;
        let name = name_of(entry)?;
        refuse_directory(parent.as_fd(), name)?;
        match make(&parent, name) {
            Err(Errno::EXIST) => {
                unlinkat(&parent, name, AtFlags::empty())?;
                make(&parent, name)?;
            }
            done => done?,
        }
        if let Some((uid, gid)) = self.owner(entry) {
            // There is no descriptor of a link to write an owner beside.
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            chownat(&parent, name, Some(uid), Some(gid), flags).ok();
        }
        if entry.kind == Kind::Fifo {
            chmodat(&parent, name, self.mode(entry), AtFlags::empty())?;
        }
        utimensat(&parent, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    fn same(&mut self, entry: &Entry, first: &Path) -> Result<()> {
        let there = self.ensure(first.parent().unwrap_or(Path::new("")))?;
        let first = first
            .file_name()
            .ok_or_else(|| Error::new("it is the same as a directory"))?
            .to_owned();
        let parent = self.parent(&entry.path)?;
        let name = name_of(entry)?;
        refuse_directory(parent.as_fd(), name)?;
        let link = || linkat(&there, &first, &parent, name, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) => {
                if is_same(there.as_fd(), &first, parent.as_fd(), name) {
                    return Ok(());
                }
                unlinkat(&parent, name, AtFlags::empty())?;
                link()?;
            }
            done => done?,
        }
        Ok(())
    }
}

impl Sink for Plant {
    fn put(&mut self, entry: &Entry, content: Content<'_>) -> Result<()> {
        let put = match &entry.kind {
            Kind::Directory => self.directory(entry),
            Kind::File(size) => self.file(entry, *size, content),
            Kind::Link(link) => self.node(entry, |parent, name| symlinkat(link, parent, name)),
            Kind::Fifo => self.node(entry, |parent, name| {
                mknodat(parent, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            }),
            Kind::Same(first) => self.same(entry, first),
            Kind::Other(why) => {
                self.copied.skip(entry, why);
                Ok(())
            }
        };
        put.what(|| format!("cannot write \"{}\"", entry.path.display()))
    }

    fn finish(&mut self) -> Result<()> {
        self.last = None;
        let directories = std::mem::take(&mut self.directories);
        // What is inside first: dressing a directory may take our right to enter it.
        for (path, entry) in directories.iter().rev() {
            let done = self
                .ground
                .open(path)
                .map_err(Error::from)
                .and_then(|fd| self.dress(fd.as_fd(), entry));
            done.what(|| format!("cannot finish directory \"{}\"", path.display()))?;
        }
        Ok(())
    }
}

fn name_of(entry: &Entry) -> Result<&OsStr> {
    entry
        .path
        .file_name()
        .ok_or_else(|| Error::new("a directory is there, and only a directory can take its place"))
}

fn refuse_directory(parent: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Err(
            Error::new("a directory is there, and only a directory can take its place"),
        ),
        _ => Ok(()),
    }
}

fn is_same(a: BorrowedFd<'_>, a_name: &OsStr, b: BorrowedFd<'_>, b_name: &OsStr) -> bool {
    let stat = |at, name| statat(at, name, AtFlags::SYMLINK_NOFOLLOW);
    let key = |stat: Stat| (stat.st_dev, stat.st_ino);
    match (stat(a, a_name), stat(b, b_name)) {
        (Ok(one), Ok(other)) => key(one) == key(other),
        _ => false,
    }
}

/// Makes a file that nobody knows yet.
fn staged(parent: BorrowedFd<'_>) -> Result<(String, File)> {
    loop {
        let mut bytes = [0; 8];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        let name = format!(".rpod-{:016x}", u64::from_ne_bytes(bytes));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat(parent, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => return Ok((name, File::from(fd))),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn pour(content: Content<'_>, mut file: &File, size: u64) -> Result<u64> {
    match content {
        Content::File(source) => {
            if rustix::fs::ioctl_ficlone(file, source).is_ok() {
                return Ok(fstat(file)?.st_size.cast_unsigned());
            }
            // What is written to it meanwhile is not waited for.
            let mut limited = source.take(size);
            Ok(std::io::copy(&mut limited, &mut file)?)
        }
        Content::Stream(mut stream) => {
            let bytes = std::io::copy(&mut stream, &mut file)?;
            if bytes != size {
                return Err(Error::new("its content ends too early"));
            }
            Ok(bytes)
        }
        Content::Nothing => Ok(0),
    }
}

fn overwrite(parent: BorrowedFd<'_>, name: &OsStr, from: &str) -> Result<()> {
    let open = |name: &OsStr, more| {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | more;
        openat(parent, name, flags, Mode::empty()).map(File::from)
    };
    let mut source = open(OsStr::new(from), OFlags::RDONLY)?;
    let mut target = open(name, OFlags::WRONLY | OFlags::TRUNC)?;
    std::io::copy(&mut source, &mut target)?;
    target.flush()?;
    Ok(())
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec {
        tv_sec: entry.mtime.0,
        tv_nsec: entry.mtime.1.min(999_999_999).into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
