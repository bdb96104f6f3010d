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

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RawMode, ResolveFlags, SeekFrom, Timespec,
    Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::entries::{Entries, Entry, Kind, Pieces};
use super::shown;
use crate::error::{Context, Error, Result};
use crate::spec::idmap::IdMap;
use crate::store::layers::LayerInfo;

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

/// Unpacks a plain tar into the directory `tree`, which exists and is empty.
pub fn unpack(input: impl BufRead, tree: &Path, ids: &IdMap) -> Result<Unpacked> {
    let mut writer =
        Writer::open(tree, ids).what(|| format!("cannot write \"{}\"", tree.display()))?;
    let mut entries = Entries::new(input);
    while let Some(entry) = entries.next_entry()? {
        writer
            .entry(&entry, &mut entries)
            .what(|| format!("entry {}", shown(&entry.name)))?;
    }
    writer.finish()
}

struct Writer<'a> {
    root: Rc<OwnedFd>,
    ids: &'a IdMap,
    /// Bits of a mode that the process takes away from what it makes.
    umask: RawMode,
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
    parent: Rc<OwnedFd>,
    name: Vec<u8>,
    path: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn open(tree: &Path, ids: &'a IdMap) -> Result<Self> {
        let root = rustix::fs::openat(CWD, tree, DIRECTORY, Mode::empty())?;
        let stat = rustix::fs::fstat(&root)?;
        let group = rustix::process::getegid();
        if stat.st_gid != group.as_raw() {
            // The store stands in a directory that hands on its group.
            rustix::fs::fchown(&root, None, Some(group))?;
        }
        rustix::fs::fchmod(&root, Mode::from_raw_mode(0o755))?;
        let root = Rc::new(root);
        Ok(Self {
            parents: Chain::new(&root),
            targets: Chain::new(&root),
            root,
            ids,
            umask: umask(),
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
                self.set_opaque(&fd, b"y")
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
            let root = Rc::clone(&self.root);
            return self.directory_attributes(&root, path, entry);
        }
        let (parent, name) = split(&path);
        let place = Place {
            parent: self.directory(parent)?,
            name: name.to_vec(),
            path: path.clone(),
        };
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
    fn directory(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>> {
        if self.stale {
            self.parents.clear();
            self.targets.clear();
            self.stale = false;
        }
        let umask = self.umask;
        let mut replaced = Vec::new();
        let opened = self.parents.open(path, |parent, name| {
            let made = match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
                Err(Errno::EXIST) if is_whiteout(parent, name)? => {
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
        });
        let fd = opened.map_err(|errno| no_parent(errno, path))?;
        for fd in replaced {
            self.set_opaque(&fd, b"y")?;
        }
        Ok(fd)
    }

    fn file<R: BufRead>(
        &mut self,
        entry: &Entry,
        place: &Place,
        entries: &mut Entries<R>,
    ) -> Result<()> {
        let has_attributes = !entry.xattrs.is_empty() || !self.has_owner(entry);
        // Attributes can be written only where the file can.
        let first = (entry.mode & 0o777) | if has_attributes { 0o600 } else { 0 };
        let fd = self.create(place, first)?;
        match &entry.pieces {
            None => write_all(&fd, &mut entries.data())?,
            Some(pieces) => write_pieces(&fd, &mut entries.data(), pieces, entry.size)?,
        }
        self.attributes(fd.as_fd(), entry)?;
        if first != entry.mode || first & self.umask != 0 {
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(entry.mode))?;
        }
        rustix::fs::futimens(&fd, &times(entry.mtime))?;
        self.out.info.size = self.out.info.size.saturating_add(entry.size);
        Ok(())
    }

    /// Makes an empty file, in the place of whatever has the name.
    fn create(&mut self, place: &Place, mode: RawMode) -> Result<OwnedFd> {
        let create = || {
            rustix::fs::openat(
                &place.parent,
                place.name.as_slice(),
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::from_raw_mode(mode),
            )
        };
        self.instead(place, create)
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
            self.set_opaque(&fd, b"y")?;
        }
        self.directory_attributes(&fd, place.path.clone(), entry)
    }

    fn directory_attributes(
        &mut self,
        fd: &Rc<OwnedFd>,
        path: Vec<u8>,
        entry: &Entry,
    ) -> Result<()> {
        self.attributes(fd.as_fd(), entry)?;
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
        let parent = self
            .targets
            .open(parent, |_, _| Err(Errno::NOENT))
            .what(what)?;
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
        self.owner_at(place, entry)?;
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
        self.owner_at(place, entry)?;
        if entry.mode & (self.umask | 0o7000) != 0 {
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
        self.set_attribute(fd.as_fd(), "user.rpod.device", device.as_bytes())?;
        self.attributes(fd.as_fd(), entry)?;
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
        if let Ok(stat) = stat(&place.parent, name) {
            // This layer has something of that name itself. That hides a file
            // below by being there; a directory must say so.
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let path = join(parent, name);
                let fd = self.directory(&path)?;
                return self.set_opaque(&fd, b"y");
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
            self.set_opaque(&place.parent, b"x")?;
        }
        Ok(())
    }

    fn set_opaque(&mut self, fd: &OwnedFd, value: &[u8]) -> Result<()> {
        rustix::fs::fsetxattr(fd, OPAQUE, value, XattrFlags::empty())
            .what(|| "cannot hide a directory of a lower layer: this file system has no extended attributes for users")
            .hint(|| "put the store on a disk that has them: `XDG_DATA_HOME=/some/directory rpod …`")
    }

    fn has_owner(&self, entry: &Entry) -> bool {
        self.owner(entry).is_some()
    }

    /// Returns the owner, if the map has it.
    fn owner(&self, entry: &Entry) -> Option<(u32, u32)> {
        let uid = u32::try_from(entry.uid).ok()?;
        let gid = u32::try_from(entry.gid).ok()?;
        (self.ids.has_user(uid) && self.ids.has_group(gid)).then_some((uid, gid))
    }

    /// Gives owner and extended attributes to a file or directory.
    fn attributes(&mut self, fd: BorrowedFd<'_>, entry: &Entry) -> Result<()> {
        match self.owner(entry) {
            // What we make is ours, and we are 0 inside.
            Some((0, 0)) => {}
            Some((uid, gid)) => {
                rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                    .what(|| format!("cannot give it to {uid}:{gid}"))?
            }
            None => {
                let owner = format!("{}:{}", entry.uid, entry.gid);
                self.set_attribute(fd, "user.rpod.owner", owner.as_bytes())?;
            }
        }
        for (name, value) in &entry.xattrs {
            let Ok(name) = std::str::from_utf8(name) else {
                self.out.attributes_lost += 1;
                continue;
            };
            if name == "security.capability" {
                self.set_attribute(fd, name, &capability(value))?;
            } else if is_kept(name) {
                self.set_attribute(fd, name, value)?;
            }
        }
        Ok(())
    }

    fn owner_at(&mut self, place: &Place, entry: &Entry) -> Result<()> {
        match self.owner(entry) {
            None | Some((0, 0)) => Ok(()),
            Some((uid, gid)) => rustix::fs::chownat(
                &place.parent,
                place.name.as_slice(),
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .what(|| format!("cannot give it to {uid}:{gid}")),
        }
    }

    /// Sets an extended attribute; one that this file system or user may not set is counted.
    fn set_attribute(&mut self, fd: BorrowedFd<'_>, name: &str, value: &[u8]) -> Result<()> {
        match rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()) {
            Err(
                Errno::NOTSUP
                | Errno::PERM
                | Errno::NOSPC
                | Errno::TOOBIG
                | Errno::RANGE
                | Errno::INVAL,
            ) => {
                self.out.attributes_lost += 1;
                Ok(())
            }
            set => set.what(|| format!("cannot set extended attribute \"{name}\"")),
        }
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

/// The directories that lead to the one used last, open.
struct Chain {
    root: Rc<OwnedFd>,
    path: Vec<u8>,
    /// How many bytes of the path each of them is, ascending.
    open: Vec<(usize, Rc<OwnedFd>)>,
}

/// Directories of a chain that are open at most.
const CHAIN_LIMIT: usize = 64;

impl Chain {
    fn new(root: &Rc<OwnedFd>) -> Self {
        Self {
            root: Rc::clone(root),
            path: Vec::new(),
            open: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.open.clear();
        self.path.clear();
    }

    /// Opens a directory by its plain path; `make` makes one that is missing.
    fn open(
        &mut self,
        path: &[u8],
        mut make: impl FnMut(BorrowedFd<'_>, &[u8]) -> Result<(), Errno>,
    ) -> Result<Rc<OwnedFd>, Errno> {
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
            Some((end, fd)) => (*end, Rc::clone(fd)),
            None => (0, Rc::clone(&self.root)),
        };
        while at < path.len() {
            let start = if at == 0 { 0 } else { at + 1 };
            let end = path[start..]
                .iter()
                .position(|b| *b == b'/')
                .map_or(path.len(), |i| start + i);
            let opened = enter(&self.root, &fd, &path[..end], &path[start..end], &mut make);
            fd = Rc::new(match opened {
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
            self.open.push((end, Rc::clone(&fd)));
            at = end;
        }
        Ok(fd)
    }
}

/// Opens one directory more: `name` in `parent`, `path` from the root.
fn enter(
    root: &OwnedFd,
    parent: &OwnedFd,
    path: &[u8],
    name: &[u8],
    make: &mut impl FnMut(BorrowedFd<'_>, &[u8]) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let open = || rustix::fs::openat(parent, name, DIRECTORY, Mode::empty());
    match open() {
        Err(Errno::NOENT) => {
            make(parent.as_fd(), name)?;
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
            make(parent.as_fd(), name)?;
            open()
        }
        opened => opened,
    }
}

pub const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn no_parent(errno: Errno, path: &[u8]) -> Error {
    let cause = match errno {
        Errno::NOTDIR => Error::new("it is no directory"),
        Errno::NOENT => Error::new("it is a symbolic link that leads nowhere in this layer"),
        Errno::LOOP => Error::new("it is a symbolic link that leads to itself"),
        other => other.into(),
    };
    cause.what(format!("cannot open directory {}", shown(path)))
}

fn stat(parent: &OwnedFd, name: &[u8]) -> Result<rustix::fs::Stat, Errno> {
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

pub fn has_opaque(fd: &OwnedFd, wanted: &[u8]) -> bool {
    let mut value = [0_u8; 8];
    rustix::fs::fgetxattr(fd, OPAQUE, &mut value)
        .is_ok_and(|length| value.get(..length) == Some(wanted))
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

/// Copies the data of an entry, in the pieces in which they come. Where there is nothing
/// but zeros the file has a hole, so that room costs no disk.
fn write_all(fd: &OwnedFd, data: &mut impl BufRead) -> Result<()> {
    let (mut size, mut ends_in_hole) = (0, false);
    loop {
        let bytes = data.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        ends_in_hole = is_room(bytes);
        let count = if ends_in_hole {
            let length = bytes.len();
            rustix::fs::seek(fd, SeekFrom::Current(i64::try_from(length).unwrap_or(0)))?;
            length
        } else {
            rustix::io::write(fd, bytes)?
        };
        size += count as u64;
        data.consume(count);
    }
    if ends_in_hole {
        rustix::fs::ftruncate(fd, size)?;
    }
    Ok(())
}

/// Says whether a large piece is zeros and nothing else.
fn is_room(bytes: &[u8]) -> bool {
    bytes.len() >= HOLE && bytes[0] == 0 && bytes[..bytes.len() - 1] == bytes[1..]
}

/// Bytes of zeros that are worth a hole.
const HOLE: usize = 64 << 10;

fn write_pieces(fd: &OwnedFd, data: &mut impl BufRead, pieces: &Pieces, size: u64) -> Result<()> {
    for (offset, length) in pieces {
        let mut at = *offset;
        let end = offset + length;
        while at < end {
            let bytes = data.fill_buf()?;
            let wanted = bytes
                .len()
                .min(usize::try_from(end - at).unwrap_or(usize::MAX));
            if wanted == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let count = rustix::io::pwrite(fd, &bytes[..wanted], at)?;
            data.consume(count);
            at += count as u64;
        }
    }
    Ok(rustix::fs::ftruncate(fd, size)?)
}

/// A name that means something to the layers below.
enum Mark<'a> {
    /// Nothing of this directory shows from below.
    Opaque(&'a [u8]),
    /// This name in this directory does not show.
    Whiteout(&'a [u8], &'a [u8]),
    /// A note that other tools made for themselves.
    Ignored,
}

/// Reads the mark in a plain path, if it is one (OCI image spec, layer.md, "Whiteouts").
fn mark(path: &[u8]) -> Result<Option<Mark<'_>>> {
    let (parent, name) = split(path);
    if name == b".wh..wh..opq" && !has_mark(parent) {
        return Ok(Some(Mark::Opaque(parent)));
    }
    if path
        .split(|b| *b == b'/')
        .any(|c| c.starts_with(b".wh..wh."))
    {
        return Ok(Some(Mark::Ignored));
    }
    if has_mark(parent) {
        return Err(Error::new("a whiteout cannot have anything in it"));
    }
    match name.strip_prefix(b".wh.") {
        None => Ok(None),
        Some(b"" | b"." | b"..") => Err(Error::new("it is a whiteout of no name")),
        Some(hidden) => Ok(Some(Mark::Whiteout(parent, hidden))),
    }
}

fn has_mark(path: &[u8]) -> bool {
    path.split(|b| *b == b'/').any(|c| c.starts_with(b".wh."))
}

/// Makes a name plain: relative to the root, without `.` and `..`.
pub fn plain_name(name: &[u8]) -> Result<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                if parts.pop().is_none() {
                    return Err(Error::new("its name leads out of the image"));
                }
            }
            part if part.len() > 255 => {
                return Err(Error::new("a part of its name has more than 255 bytes"));
            }
            part => parts.push(part),
        }
        if parts.len() > DEPTH_LIMIT {
            return Err(Error::new(format!(
                "it lies more than {DEPTH_LIMIT} directories deep"
            )));
        }
    }
    let path = parts.join(&b'/');
    if path.len() > NAME_LIMIT {
        return Err(Error::new(format!(
            "its name has more than {NAME_LIMIT} bytes"
        )));
    }
    Ok(path)
}

/// Parts a plain path into the directory and the last name.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

pub fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() {
        name.to_vec()
    } else {
        [parent, b"/", name].concat()
    }
}

/// Attributes of a user's are kept, but for those that steer an overlay or that we write ourselves.
pub fn is_kept(name: &str) -> bool {
    let steers = ["user.overlay.", "user.fuseoverlayfs.", "user.rpod."];
    name.starts_with("user.") && !steers.iter().any(|prefix| name.starts_with(prefix))
}

/// A capability of revision 3 names the root of another user namespace; as
/// revision 2 the kernel gives it ours (capabilities(7), "Namespaced file capabilities").
pub fn capability(value: &[u8]) -> Vec<u8> {
    match value {
        [flags, 0, 0, 3, rest @ ..] if rest.len() == 20 => {
            [&[*flags, 0, 0, 2], &rest[..16]].concat()
        }
        other => other.to_vec(),
    }
}

fn times((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// The process's umask. It can be read nowhere else without being changed
/// (umask(2)); where /proc has no such line, every mode is set again.
fn umask() -> RawMode {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|text| RawMode::from_str_radix(text.trim(), 8).ok())
        .unwrap_or(0o777)
}
