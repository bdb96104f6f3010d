//! Entries of a tar written into a directory.
//!
//! An entry is done in this order, each step for a reason:
//! 1. its name is made plain: `a/../b` is `b`, `/etc` is `etc`, `../x` is refused;
//! 2. its parent is opened component by component; only where one is a symbolic
//!    link does openat2(2) with `RESOLVE_IN_ROOT` decide what it means, so that
//!    the tree is the whole world a link can see;
//! 3. what has the name already is removed, unless both are directories;
//! 4. it is made by name below that descriptor, never by path;
//! 5. data, owner, attributes, mode, time: chown(2) and write(2) take away
//!    set-user-id bits and file capabilities, so those come after them;
//!    (small files that replace nothing are made by threads, see `crew`);
//! 6. times of directories, and modes that would keep us out of them, wait for
//!    the end, because every entry made inside changes them.
//!
//! What cannot be had without privileges is kept as an extended attribute:
//!
//! ```text
//! user.rpod.owner   "UID:GID"         ids that the map does not have (files and directories only)
//! user.rpod.device  "c MAJOR:MINOR"   on the empty file that stands for a device
//! ```
//!
//! A whiteout is a character device 0/0, which needs no privilege since Linux
//! 5.8 (in a user namespace since 4.18). A file system that refuses it (the
//! overlay of another container) gets an empty file with `user.overlay.whiteout`
//! in a directory with `user.overlay.opaque=x`, read so since Linux 6.7.
//!
//! Lives here: all that writes below `layers/…/tree` while a layer is staged.
//! Must not: read the tar (`entries`).
//! Called by: `image::layer`.
//! Always true: nothing outside of the tree is read or written.

mod chain;
mod crew;
mod making;
mod names;

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode, XattrFlags};
use rustix::io::Errno;

use self::chain::{Chain, Directory, no_parent};
use self::crew::{Ahead, Crew, Job};
use self::making::{Making, set_attribute, times};
use self::names::{Mark, mark};
use super::entries::{Entries, Entry, Kind};
use super::shown;
use crate::error::{Context, Error, Result};
use crate::spec::idmap::IdMap;
use crate::store::layers::LayerInfo;

pub use self::chain::DIRECTORY;
pub use self::making::{capability, is_kept};
pub use self::names::{join, plain_name, split};

/// What came of it.
pub struct Unpacked {
    pub info: LayerInfo,
    /// Extended attributes that the file system or the kernel refused.
    pub attributes_lost: u64,
}

const ENTRY_LIMIT: u64 = 10_000_000;
const NAME_LIMIT: usize = 4095;
pub const DEPTH_LIMIT: usize = 512;
/// Bytes of the names of all directories, which wait in memory for the end.
const DIRECTORY_NAMES_LIMIT: usize = 256 << 20;

/// What hides all of a directory below.
pub const OPAQUE: &str = "user.overlay.opaque";
/// What an empty file has that hides a name below.
pub const WHITEOUT: &str = "user.overlay.whiteout";

/// Unpacks a plain tar into the directory `tree`, which exists and is empty. At most
/// `threads` make small files meanwhile; they have ended when it returns.
pub fn unpack(input: impl BufRead, tree: &Path, ids: &IdMap, threads: usize) -> Result<Unpacked> {
    let making = Making::new(ids);
    let crew = Crew::new(making);
    thread::scope(|scope| {
        let _open = crew.open();
        let hire = || {
            let thread = thread::Builder::new();
            thread.spawn_scoped(scope, || crew.serve()).is_ok()
        };
        let ahead = Ahead::new(&crew, threads, &hire);
        let mut writer = Writer::open(tree, making, ahead)
            .what(|| format!("cannot write \"{}\"", tree.display()))?;
        let mut entries = Entries::new(input);
        while let Some(entry) = entries.next_entry()? {
            let done = writer.entry(&entry, &mut entries);
            // What failed in a thread came first, and may be why this one did.
            if let Some(error) = writer.ahead.failed.take() {
                return Err(error);
            }
            done.what(|| format!("entry {}", shown(&entry.name)))?;
        }
        writer.finish()
    })
}

struct Writer<'a> {
    root: Arc<Directory>,
    making: Making<'a>,
    ahead: Ahead<'a>,
    parents: Chain,
    targets: Chain,
    /// Something that a chain may go through has been removed.
    stale: bool,
    waiting: BTreeMap<Vec<u8>, Waiting>,
    waiting_bytes: usize,
    device_whiteouts: bool,
    out: Unpacked,
}

/// What a directory gets at the end.
struct Waiting {
    mtime: (i64, u32),
    mode: Option<RawMode>,
}

/// Where an entry goes: an open directory and a name in it.
struct Place {
    parent: Arc<Directory>,
    name: Vec<u8>,
    path: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn open(tree: &Path, making: Making<'a>, ahead: Ahead<'a>) -> Result<Self> {
        let root = rustix::fs::openat(CWD, tree, DIRECTORY, Mode::empty())?;
        let stat = rustix::fs::fstat(&root)?;
        let group = rustix::process::getegid();
        if stat.st_gid != group.as_raw() {
            // The store stands in a directory that hands on its group.
            rustix::fs::fchown(&root, None, Some(group))?;
        }
        rustix::fs::fchmod(&root, Mode::from_raw_mode(0o755))?;
        let root = Arc::new(Directory::new(root)?);
        Ok(Self {
            parents: Chain::new(&root),
            targets: Chain::new(&root),
            root,
            making,
            ahead,
            stale: false,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            device_whiteouts: true,
            out: Unpacked {
                info: LayerInfo::default(),
                attributes_lost: 0,
            },
        })
    }

    fn entry<R: BufRead>(&mut self, entry: &Entry, entries: &mut Entries<R>) -> Result<()> {
        self.out.info.files += 1;
        if self.out.info.files > ENTRY_LIMIT {
            return Err(Error::new(format!(
                "the layer has more than {ENTRY_LIMIT} entries"
            )));
        }
        let path = plain_name(&entry.name)?;
        let Some(mark) = mark(&path)? else {
            return self.place(entry, path, entries);
        };
        match mark {
            Mark::Opaque(directory) => {
                let fd = self.directory(directory)?;
                set_opaque(&fd, b"y")
            }
            Mark::Whiteout(parent, name) => self.whiteout(parent, name),
            Mark::Ignored => Ok(()),
        }
    }

    fn place<R: BufRead>(
        &mut self,
        entry: &Entry,
        path: Vec<u8>,
        entries: &mut Entries<R>,
    ) -> Result<()> {
        if path.is_empty() {
            if entry.kind != Kind::Directory {
                return Err(Error::new("the root of an image can only be a directory"));
            }
            let root = Arc::clone(&self.root);
            return self.directory_attributes(&root, path, entry);
        }
        let (parent, name) = split(&path);
        let place = Place {
            parent: self.directory(parent)?,
            name: name.to_vec(),
            path: path.clone(),
        };
        self.ahead.settle(&place.parent, &place.name);
        match entry.kind {
            Kind::File => self.file(entry, &place, entries),
            Kind::Directory => self.make_directory(entry, &place),
            Kind::HardLink => self.hard_link(entry, &place),
            Kind::Symlink => self.symlink(entry, &place),
            Kind::Fifo => self.fifo(entry, &place),
            Kind::Character(major, minor) => {
                self.device(entry, &place, &format!("c {major}:{minor}"))
            }
            Kind::Block(major, minor) => self.device(entry, &place, &format!("b {major}:{minor}")),
        }
    }

    /// Opens a directory of the tree, making what is missing of it.
    fn directory(&mut self, path: &[u8]) -> Result<Arc<Directory>> {
        if self.stale {
            self.parents.clear();
            self.targets.clear();
            self.stale = false;
        }
        let mut replaced = Vec::new();
        let opened = match self.open_or_make(path, &mut replaced) {
            // What it leads through may be a file that is not there yet.
            Err(Errno::NOENT) if self.ahead.finish() => self.open_or_make(path, &mut replaced),
            opened => opened,
        };
        let directory = opened.map_err(|errno| no_parent(errno, path))?;
        for fd in replaced {
            set_opaque(&fd, b"y")?;
        }
        Ok(directory)
    }

    /// Directories that were hidden, and are there again, go into `replaced`.
    fn open_or_make(
        &mut self,
        path: &[u8],
        replaced: &mut Vec<OwnedFd>,
    ) -> Result<Arc<Directory>, Errno> {
        let umask = self.making.umask;
        let ahead = &self.ahead;
        self.parents.open(path, |parent, name| {
            if ahead.holds(parent, name) {
                return Err(Errno::NOENT);
            }
            let made = match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
                Err(Errno::EXIST) if is_whiteout(parent.as_fd(), name)? => {
                    // It was hidden and is there again: nothing of the layers below shows.
                    rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
                    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
                    let fd = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())?;
                    replaced.push(fd);
                    Ok(())
                }
                made => made,
            };
            made?;
            if umask & 0o755 != 0 {
                let fd = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())?;
                rustix::fs::fchmod(fd, Mode::from_raw_mode(0o755))?;
            }
            Ok(())
        })
    }

    fn file<R: BufRead>(
        &mut self,
        entry: &Entry,
        place: &Place,
        entries: &mut Entries<R>,
    ) -> Result<()> {
        self.out.info.size = self.out.info.size.saturating_add(entry.size);
        if self.ahead.takes(entry) && !is_there(place)? {
            let mut data = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0));
            entries.data().read_to_end(&mut data)?;
            self.ahead.hand_over(Job {
                parent: Arc::clone(&place.parent),
                name: place.name.clone(),
                entry: entry.clone(),
                data,
            });
            return Ok(());
        }
        let fd = self.create(place, self.making.first_mode(entry))?;
        let lost = &mut self.out.attributes_lost;
        self.making.fill(&fd, entry, &mut entries.data(), lost)
    }

    /// Makes an empty file, in the place of whatever has the name.
    fn create(&mut self, place: &Place, mode: RawMode) -> Result<OwnedFd> {
        let making = self.making;
        self.instead(place, || {
            making.create(place.parent.as_fd(), &place.name, mode)
        })
    }

    /// Makes something, after removing what has its name.
    fn instead<T>(&mut self, place: &Place, make: impl Fn() -> Result<T, Errno>) -> Result<T> {
        match make() {
            Err(Errno::EXIST) => {
                self.remove(place)?;
                Ok(make()?)
            }
            made => Ok(made?),
        }
    }

    fn make_directory(&mut self, entry: &Entry, place: &Place) -> Result<()> {
        // Others are let in at the end, and we at once.
        let first = Mode::from_raw_mode((entry.mode & 0o777) | 0o700);
        let make = || rustix::fs::mkdirat(&place.parent, place.name.as_slice(), first);
        let mut was_hidden = false;
        match make() {
            Err(Errno::EXIST) => {
                let stat = stat(&place.parent, &place.name)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                    was_hidden = is_whiteout(place.parent.as_fd(), &place.name)?;
                    self.remove(place)?;
                    make()?;
                }
            }
            made => made?,
        }
        let fd = self.directory(&place.path)?;
        if was_hidden {
            set_opaque(&fd, b"y")?;
        }
        self.directory_attributes(&fd, place.path.clone(), entry)
    }

    fn directory_attributes(
        &mut self,
        fd: &Arc<Directory>,
        path: Vec<u8>,
        entry: &Entry,
    ) -> Result<()> {
        self.making
            .attributes(fd.as_fd(), entry, &mut self.out.attributes_lost)?;
        self.waiting_bytes += path.len() + 64;
        if self.waiting_bytes > DIRECTORY_NAMES_LIMIT {
            return Err(Error::new(format!(
                "the names of the layer's directories have more than {DIRECTORY_NAMES_LIMIT} bytes"
            )));
        }
        let now = rustix::fs::fstat(fd)?.st_mode & 0o7777;
        let waiting = Waiting {
            mtime: entry.mtime,
            mode: (now != entry.mode).then_some(entry.mode),
        };
        self.waiting.insert(path, waiting);
        Ok(())
    }

    fn hard_link(&mut self, entry: &Entry, place: &Place) -> Result<()> {
        let target =
            plain_name(&entry.link).what(|| format!("hard link to {}", shown(&entry.link)))?;
        let what = || format!("cannot link to {}", shown(&entry.link));
        if target.is_empty() {
            return Err(Error::new("it is a directory").what(what()));
        }
        let (parent, name) = split(&target);
        // `place` was opened just before, so nothing is stale here.
        let mut open = || self.targets.open(parent, |_, _| Err(Errno::NOENT));
        let opened = match open() {
            Err(Errno::NOENT) if self.ahead.finish() => open(),
            opened => opened,
        };
        let parent = opened.what(what)?;
        self.ahead.settle(&parent, name);
        let found = stat(&parent, name).what(what)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            return Err(Error::new("it is a directory").what(what()));
        }
        if let Ok(own) = stat(&place.parent, &place.name)
            && (own.st_ino, own.st_dev) == (found.st_ino, found.st_dev)
        {
            return Ok(());
        }
        let link = || {
            rustix::fs::linkat(
                &parent,
                name,
                &place.parent,
                place.name.as_slice(),
                AtFlags::empty(),
            )
        };
        self.instead(place, link).what(what)
    }

    fn symlink(&mut self, entry: &Entry, place: &Place) -> Result<()> {
        if entry.link.is_empty() || entry.link.len() > NAME_LIMIT {
            return Err(Error::new(
                "a symbolic link leads to 1 to 4095 bytes of name",
            ));
        }
        let name = place.name.as_slice();
        self.instead(place, || {
            rustix::fs::symlinkat(entry.link.as_slice(), &place.parent, name)
        })?;
        // Links have no attributes of a user's: an owner that cannot be had is lost.
        self.making.owner_at(place.parent.as_fd(), name, entry)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::utimensat(
            &place.parent,
            name,
            &times(entry.mtime),
            flags,
        )?)
    }

    fn fifo(&mut self, entry: &Entry, place: &Place) -> Result<()> {
        let name = place.name.as_slice();
        let mode = Mode::from_raw_mode(entry.mode);
        self.instead(place, || {
            rustix::fs::mknodat(&place.parent, name, FileType::Fifo, mode, 0)
        })?;
        self.making.owner_at(place.parent.as_fd(), name, entry)?;
        if entry.mode & (self.making.umask | 0o7000) != 0 {
            // It was made a moment ago and is no link.
            rustix::fs::chmodat(&place.parent, name, mode, AtFlags::empty())?;
        }
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::utimensat(
            &place.parent,
            name,
            &times(entry.mtime),
            flags,
        )?)
    }

    /// Nobody without privileges can make a device: an empty file stands for it.
    fn device(&mut self, entry: &Entry, place: &Place, device: &str) -> Result<()> {
        let fd = self.create(place, (entry.mode & 0o777) | 0o600)?;
        let lost = &mut self.out.attributes_lost;
        set_attribute(fd.as_fd(), "user.rpod.device", device.as_bytes(), lost)?;
        self.making
            .attributes(fd.as_fd(), entry, &mut self.out.attributes_lost)?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(entry.mode))?;
        Ok(rustix::fs::futimens(&fd, &times(entry.mtime))?)
    }

    /// Hides a name of the layers below.
    fn whiteout(&mut self, parent: &[u8], name: &[u8]) -> Result<()> {
        let place = Place {
            parent: self.directory(parent)?,
            name: name.to_vec(),
            path: join(parent, name),
        };
        self.ahead.settle(&place.parent, name);
        if let Ok(stat) = stat(&place.parent, name) {
            // This layer has something of that name itself. That hides a file
            // below by being there; a directory must say so.
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let path = join(parent, name);
                let fd = self.directory(&path)?;
                return set_opaque(&fd, b"y");
            }
            return Ok(());
        }
        if self.device_whiteouts {
            let made = rustix::fs::mknodat(
                &place.parent,
                name,
                FileType::CharacterDevice,
                Mode::empty(),
                0,
            );
            match made {
                Err(Errno::PERM) => self.device_whiteouts = false,
                made => return Ok(made?),
            }
        }
        let fd = self.create(&place, 0o644)?;
        let cannot = || "cannot hide a file of a lower layer: this file system has neither whiteouts nor extended attributes";
        rustix::fs::fsetxattr(&fd, WHITEOUT, b"y", XattrFlags::empty()).what(cannot)?;
        if !has_opaque(&place.parent, b"y") {
            set_opaque(&place.parent, b"x")?;
        }
        Ok(())
    }

    /// Removes what an earlier entry of the same layer made.
    fn remove(&mut self, place: &Place) -> Result<()> {
        let stat = stat(&place.parent, &place.name)?;
        let what = || "cannot remove what an earlier entry made";
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            self.stale |= FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
            return rustix::fs::unlinkat(&place.parent, place.name.as_slice(), AtFlags::empty())
                .what(what);
        }
        // Some of what it is to hold may not be there yet.
        self.ahead.finish();
        self.stale = true;
        self.forget(&place.path);
        remove_directory(place.parent.as_fd(), &place.name).what(what)
    }

    /// Drops what waits for a directory and for those below it.
    fn forget(&mut self, path: &[u8]) {
        self.waiting.remove(path);
        let below = [path, b"/"].concat();
        let gone: Vec<Vec<u8>> = self
            .waiting
            .range(below.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&below))
            .cloned()
            .collect();
        for path in gone {
            self.waiting.remove(&path);
        }
    }

    /// Gives directories their times and modes, the deepest first.
    fn finish(mut self) -> Result<Unpacked> {
        self.ahead.finish();
        if let Some(error) = self.ahead.failed.take() {
            return Err(error);
        }
        self.out.attributes_lost += self.ahead.lost();
        self.parents.clear();
        for (path, waiting) in std::mem::take(&mut self.waiting).into_iter().rev() {
            let Ok(fd) = self.parents.open(&path, |_, _| Err(Errno::NOENT)) else {
                // Reached by another name, it has been replaced.
                continue;
            };
            let what = || format!("entry {}", shown(&path));
            rustix::fs::futimens(&fd, &times(waiting.mtime)).what(what)?;
            if let Some(mode) = waiting.mode {
                rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)).what(what)?;
            }
        }
        Ok(self.out)
    }
}

/// Says whether something has a name.
fn is_there(place: &Place) -> Result<bool, Errno> {
    match stat(&place.parent, &place.name) {
        Err(Errno::NOENT) => Ok(false),
        found => found.map(|_| true),
    }
}

fn stat(parent: impl AsFd, name: &[u8]) -> Result<rustix::fs::Stat, Errno> {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Says whether a name is hidden, in either form.
pub fn is_whiteout(parent: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => stat.st_rdev == 0,
        FileType::RegularFile if stat.st_size == 0 => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut value = [0_u8; 8];
            rustix::fs::openat(parent, name, flags, Mode::empty())
                .and_then(|fd| rustix::fs::fgetxattr(fd, WHITEOUT, &mut value))
                .is_ok()
        }
        _ => false,
    })
}

pub fn has_opaque(fd: impl AsFd, wanted: &[u8]) -> bool {
    let mut value = [0_u8; 8];
    rustix::fs::fgetxattr(fd, OPAQUE, &mut value)
        .is_ok_and(|length| value.get(..length) == Some(wanted))
}

/// Sees to it that nothing of the layers below shows in a directory.
pub fn make_opaque(fd: &impl AsFd) -> Result<()> {
    set_opaque(fd, b"y")
}

fn set_opaque(fd: impl AsFd, value: &[u8]) -> Result<()> {
    rustix::fs::fsetxattr(fd, OPAQUE, value, XattrFlags::empty())
        .what(|| "cannot hide a directory of a lower layer: this file system has no extended attributes for users")
        .hint(|| "put the store on a disk that has them: `XDG_DATA_HOME=/some/directory rpod …`")
}

/// Takes the mark of [`make_opaque`] away.
pub fn make_transparent(fd: impl AsFd) -> Result<()> {
    Ok(rustix::fs::fremovexattr(fd, OPAQUE)?)
}

/// Removes a directory with all that is in it. It is not deeper than [`DEPTH_LIMIT`].
fn remove_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let fd = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())?;
    for entry in rustix::fs::Dir::read_from(&fd)? {
        let entry = entry?;
        let inner = entry.file_name().to_bytes();
        if matches!(inner, b"." | b"..") {
            continue;
        }
        match rustix::fs::unlinkat(&fd, inner, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => remove_directory(fd.as_fd(), inner)?,
            removed => removed?,
        }
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}
