//! Files put into a tree: what `COPY`, `ADD` and `WORKDIR` write.
//!
//! ```text
//! file       → over what is there, unless it is a directory
//! directory  → its content into what is there, or into a new one
//! ```
//!
//! Lives here: where each thing goes, its owner, permissions and time.
//! Must not: decide what is copied (`gather`) or when (`solve`).
//! Called by: `step`, in a process of its own with the tree mounted.
//! Always true: nothing outside of the tree is written, wherever links in it
//! lead; a link in the place of a file is replaced, not followed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat,
    fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, futimens, linkat, mkdirat, mknodat,
    openat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::error::{Context, Error, Kind as ErrorKind, Result};
use crate::ops::build::chmod;
use crate::ops::build::fresh::{self, Fresh};
use crate::ops::build::gather::{
    Item, Kind, Piece, components, is_below, join, open_unchanged, shown, split,
};
use crate::ops::build::graph::{Chmod, Times};
use crate::ops::build::hashes;
use crate::runtime::copy::plant::{self, Ground, Owners, Plant};
use crate::runtime::copy::{Content, Entry, Kind as EntryKind, Sink, archive};
use crate::runtime::{inside, user};
use crate::spec::idmap::{IdMap, Range};

/// How files are written.
pub struct Writing<'a> {
    /// The tree's root.
    pub root: BorrowedFd<'a>,
    /// Where the layer's own files are, if the tree is more than that.
    pub layer: Option<BorrowedFd<'a>>,
    /// The ids that exist.
    pub map: &'a IdMap,
    /// Whose everything is; none leaves owners as they are.
    pub owner: Option<(u32, u32)>,
    /// Permissions everything gets.
    pub chmod: Option<&'a Chmod>,
    /// Times.
    pub times: Times,
    /// Files come from a context, whose times say when somebody checked it out.
    pub fresh: bool,
}

/// Where pieces go.
pub struct Target<'a> {
    /// The path, absolute.
    pub path: &'a str,
    /// It is a directory, there or not.
    pub directory: bool,
}

/// Writes to a tree.
pub struct Writer<'a> {
    writing: Writing<'a>,
    /// Directories whose times and modes are set at the end: what is written in them changes them.
    later: Vec<Later>,
}

struct Later {
    path: Vec<u8>,
    mode: Option<u32>,
    modified: (i64, u32),
}

impl<'a> Writer<'a> {
    /// Begins.
    pub fn new(writing: Writing<'a>) -> Self {
        Self {
            writing,
            later: Vec::new(),
        }
    }

    /// Copies a piece, read below `source`.
    pub fn copy(
        &mut self,
        source: BorrowedFd<'_>,
        piece: &Piece,
        target: &Target<'_>,
    ) -> Result<()> {
        let (path, name) = self.place(&piece.name, piece.is_directory(), target)?;
        if piece.is_directory() {
            self.directory(source, piece, &path)
        } else {
            let parent = self.ensure(&path, 0o755)?;
            let from = open_parent(source, &piece.path)?;
            let item = &piece.items[0];
            let from_name = last(&piece.path);
            self.item(from.as_fd(), from_name, item, piece, &parent, &name, &path)
        }
    }

    /// Says where something goes: a directory and a name in it; a directory's own path and nothing.
    fn place(
        &self,
        name: &[u8],
        is_directory: bool,
        target: &Target<'_>,
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let path = components(target.path.as_bytes()).join(&b'/');
        if is_directory {
            return Ok((path, Vec::new()));
        }
        if target.directory || path.is_empty() {
            return Ok((path, name.to_vec()));
        }
        match self.open(&path, OFlags::PATH) {
            Ok(fd) => {
                let stat = fstat(&fd).what(|| format!("cannot read \"/{}\"", shown(&path)))?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    return Ok((path, name.to_vec()));
                }
            }
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => return Err(error).what(|| format!("cannot read \"/{}\"", shown(&path))),
        }
        let (parent, name) = split(&path);
        Ok((parent.to_vec(), name.to_vec()))
    }

    fn directory(&mut self, source: BorrowedFd<'_>, piece: &Piece, target: &[u8]) -> Result<()> {
        let top = &piece.items[0];
        let is_new = self.open(target, OFlags::PATH).is_err();
        let made = self.ensure(target, self.writing.mode(top))?;
        if is_new {
            self.dress_directory(made.as_fd(), top, target)?;
            if let Some(layer) = self.layer_of(made.as_fd()) {
                return self.fill(source, piece, (0, layer), target);
            }
        }
        // Names of one file may be in a new directory and in one that was there.
        let alone = !piece.items.iter().any(|i| matches!(i.kind, Kind::Same(_)));
        let mut to: (Vec<u8>, Rc<OwnedFd>) = (Vec::new(), made);
        let mut from: (Vec<u8>, OwnedFd) = (Vec::new(), open_directory(source, &piece.path)?);
        let mut at = 1;
        while let Some(item) = piece.items.get(at) {
            let (parent, name) = split(&item.path);
            if parent != to.0 {
                let path = join(target, parent);
                let opened = self.open(&path, OFlags::RDONLY | OFlags::DIRECTORY);
                let opened = opened.what(|| format!("cannot open \"/{}\"", shown(&path)))?;
                to = (parent.to_vec(), Rc::new(opened));
            }
            if parent != from.0 {
                from = (
                    parent.to_vec(),
                    open_directory(source, &join(&piece.path, parent))?,
                );
            }
            if item.kind == Kind::Directory {
                let path = join(target, &item.path);
                let new = self.inner_directory(item, &to.1, name, &path, &from.1)?;
                if let Some(new) = new
                    && alone
                    && let Some(layer) = self.layer_of(new.as_fd())
                {
                    self.fill(source, piece, (at, layer), target)?;
                    at += inside(&piece.items, at).len();
                }
            } else {
                let directory = join(target, parent);
                self.item(from.1.as_fd(), name, item, piece, &to.1, name, &directory)?;
            }
            at += 1;
        }
        Ok(())
    }

    /// Fills a new directory, which is an item of the piece.
    fn fill(
        &self,
        source: BorrowedFd<'_>,
        piece: &Piece,
        (at, layer): (usize, OwnedFd),
        target: &[u8],
    ) -> Result<()> {
        Fresh {
            writing: &self.writing,
            source,
            piece,
            items: inside(&piece.items, at),
            base: &piece.items[at].path,
            top: layer.as_fd(),
            target,
        }
        .fill()
    }

    /// Returns a directory of the tree as it is in the layer, where it was just made.
    fn layer_of(&self, made: BorrowedFd<'_>) -> Option<OwnedFd> {
        let layer = self.writing.layer?;
        let place = |fd: BorrowedFd<'_>| -> Option<Vec<u8>> {
            let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
            Some(link.into_os_string().into_encoded_bytes())
        };
        let (root, made) = (place(self.writing.root)?, place(made)?);
        let below = made.strip_prefix(root.as_slice())?.strip_prefix(b"/")?;
        fresh::open(layer, below)
    }

    /// Makes a directory in another, if there is none; returns one that is new.
    fn inner_directory(
        &mut self,
        item: &Item,
        parent: &OwnedFd,
        name: &[u8],
        path: &[u8],
        from: &OwnedFd,
    ) -> Result<Option<OwnedFd>> {
        let what = || format!("cannot make directory \"/{}\"", shown(path));
        let new = match mkdirat(parent, OsStr::from_bytes(name), Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error).what(what),
        };
        let fd = match self.open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOTDIR | Errno::NOENT) => {
                return Err(Error::new(
                    "something that is no directory is there, and is not replaced by one",
                ))
                .what(what);
            }
            fd => fd.what(what)?,
        };
        self.dress_directory(fd.as_fd(), item, path)?;
        if self.writing.keeps_attributes() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let from = openat(from, OsStr::from_bytes(name), flags, Mode::empty()).what(what)?;
            self.writing.copy_attributes(from.as_fd(), fd.as_fd());
        }
        Ok(new.then_some(fd))
    }

    fn dress_directory(&mut self, fd: BorrowedFd<'_>, item: &Item, path: &[u8]) -> Result<()> {
        self.writing.own(fd, item.owner)?;
        self.later.push(Later {
            path: path.to_vec(),
            mode: Some(self.writing.mode(item)),
            modified: self.writing.time(item.modified),
        });
        Ok(())
    }

    /// Writes what is no directory. `directory` is where it goes, `parent` the same, open.
    #[allow(
        clippy::too_many_arguments,
        reason = "both ends have a directory and a name"
    )]
    fn item(
        &mut self,
        from: BorrowedFd<'_>,
        from_name: &[u8],
        item: &Item,
        piece: &Piece,
        parent: &OwnedFd,
        name: &[u8],
        directory: &[u8],
    ) -> Result<()> {
        let what = || format!("cannot write \"/{}\"", shown(&join(directory, name)));
        match &item.kind {
            Kind::Same(first) => {
                let first = piece.items.get(*first);
                let Some(first) = first.filter(|_| piece.is_directory()) else {
                    return Err(Error::internal("another name of nothing"));
                };
                let top = directory.len() - split(&item.path).0.len();
                let root = directory[..top]
                    .strip_suffix(b"/")
                    .unwrap_or(&directory[..top]);
                let (below, old) = split(&first.path);
                let there = self
                    .open(&join(root, below), OFlags::RDONLY | OFlags::DIRECTORY)
                    .what(what)?;
                over(parent, name, || {
                    linkat(
                        &there,
                        OsStr::from_bytes(old),
                        parent,
                        OsStr::from_bytes(name),
                        AtFlags::empty(),
                    )
                })
                .what(what)
            }
            _ => self
                .writing
                .put(from, from_name, item, parent, name, false)
                .what(what),
        }
    }

    fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        inside::open(self.writing.root, Path::new(OsStr::from_bytes(path)), flags)
    }

    /// Opens a directory, making what is missing of its path.
    pub fn ensure(&mut self, path: &[u8], mode: u32) -> Result<Rc<OwnedFd>> {
        let what = || format!("cannot make directory \"/{}\"", shown(path));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match self.open(path, flags) {
            Ok(fd) => return Ok(Rc::new(fd)),
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR) => {
                return Err(Error::new("something that is no directory is in its place"))
                    .what(what);
            }
            Err(error) => return Err(error).what(what),
        }
        let (parent, name) = split(path);
        let parent = self.ensure(parent, 0o755)?;
        match mkdirat(&parent, OsStr::from_bytes(name), Mode::from_raw_mode(mode)) {
            Ok(()) => {
                let fd = self.open(path, flags).what(what)?;
                self.writing.own(fd.as_fd(), (0, 0))?;
                self.later.push(Later {
                    path: path.to_vec(),
                    mode: Some(mode),
                    modified: self.writing.time(NOW),
                });
                Ok(Rc::new(fd))
            }
            Err(Errno::EXIST) => {
                Err(Error::new("a link that leads nowhere is in its place")).what(what)
            }
            Err(error) => Err(error).what(what),
        }
    }

    /// Unpacks an archive into a directory.
    pub fn unpack(&mut self, archive: impl Read, target: &str) -> Result<()> {
        let path = components(target.as_bytes()).join(&b'/');
        self.ensure(&path, 0o755)?;
        let root = rustix::io::fcntl_dupfd_cloexec(self.writing.root, 0)?;
        let ground = Ground::Container(root, PathBuf::from(OsStr::from_bytes(&path)));
        let mut dressed = Dressed {
            plant: Plant::new(ground, Owners::Kept),
            writer: self,
        };
        archive::read(BufReader::with_capacity(128 << 10, archive), &mut dressed)?;
        dressed.plant.finish()
    }

    /// Writes a file that was not there.
    pub fn write(
        &mut self,
        name: &str,
        content: &mut dyn Read,
        mode: u32,
        modified: Option<i64>,
        target: &Target<'_>,
    ) -> Result<()> {
        let (path, name) = self.place(name.as_bytes(), false, target)?;
        let parent = self.ensure(&path, 0o755)?;
        let what = || format!("cannot write \"/{}\"", shown(&join(&path, &name)));
        let item = Item {
            path: Vec::new(),
            kind: Kind::Fifo,
            mode,
            owner: (0, 0),
            modified: modified.map_or(NOW, |time| (time, 0)),
            stamp: (0, 0, 0),
        };
        let mode = self.writing.mode(&item);
        let mut file = File::from(
            over(&parent, &name, || {
                openat(
                    &parent,
                    OsStr::from_bytes(&name),
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC,
                    Mode::from_raw_mode(mode & 0o777),
                )
            })
            .what(what)?,
        );
        std::io::copy(content, &mut file).what(what)?;
        file.flush().what(what)?;
        self.writing.own(file.as_fd(), item.owner).what(what)?;
        fchmod(&file, Mode::from_raw_mode(mode)).what(what)?;
        futimens(&file, &times(self.writing.time(item.modified))).what(what)
    }

    /// Does what had to wait: directories' permissions and times, the inner ones first.
    pub fn finish(&mut self) -> Result<()> {
        for later in std::mem::take(&mut self.later).iter().rev() {
            let what = || format!("cannot finish directory \"/{}\"", shown(&later.path));
            let fd = self
                .open(&later.path, OFlags::RDONLY | OFlags::DIRECTORY)
                .what(what)?;
            if let Some(mode) = later.mode {
                fchmod(&fd, Mode::from_raw_mode(mode)).what(what)?;
            }
            futimens(&fd, &times(later.modified)).what(what)?;
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Writes what is neither a directory nor a second name. In a directory of its own
    /// nothing is there yet, and all that is made in it is root's.
    pub fn put(
        &self,
        from: BorrowedFd<'_>,
        from_name: &[u8],
        item: &Item,
        parent: &OwnedFd,
        name: &[u8],
        alone: bool,
    ) -> Result<()> {
        match &item.kind {
            Kind::File(size, _) => {
                let source = open_unchanged(from, from_name, item.stamp)?;
                self.file(&source, item, *size, parent, name, alone)
            }
            Kind::Link(link) => {
                over(parent, name, || {
                    symlinkat(OsStr::from_bytes(link), parent, OsStr::from_bytes(name))
                })?;
                self.dress_name(parent, name, item)
            }
            Kind::Fifo => {
                let mode = Mode::from_raw_mode(self.mode(item));
                over(parent, name, || {
                    mknodat(parent, OsStr::from_bytes(name), FileType::Fifo, mode, 0)
                })?;
                chmodat(parent, OsStr::from_bytes(name), mode, AtFlags::empty())?;
                self.dress_name(parent, name, item)
            }
            Kind::Directory | Kind::Same(_) => Err(Error::internal("a directory among files")),
        }
    }

    fn file(
        &self,
        source: &File,
        item: &Item,
        size: u64,
        parent: &OwnedFd,
        name: &[u8],
        alone: bool,
    ) -> Result<()> {
        let mode = self.mode(item);
        let target = File::from(over(parent, name, || {
            openat(
                parent,
                OsStr::from_bytes(name),
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC,
                Mode::from_raw_mode(mode & 0o777),
            )
        })?);
        pour(source, &target, size)?;
        if !alone || self.owner(item.owner) != (0, 0) {
            self.own(target.as_fd(), item.owner)?;
        }
        if self.keeps_attributes() {
            self.copy_attributes(source.as_fd(), target.as_fd());
        }
        if mode & 0o7000 != 0 {
            fchmod(&target, Mode::from_raw_mode(mode))?;
        }
        futimens(&target, &times(self.time(item.modified)))?;
        Ok(())
    }

    fn dress_name(&self, parent: &OwnedFd, name: &[u8], item: &Item) -> Result<()> {
        let name = OsStr::from_bytes(name);
        let (uid, gid) = self.owner(item.owner);
        if (uid, gid) != (0, 0) && self.has(uid, gid) {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            chownat(
                parent,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        let times = times(self.time(item.modified));
        utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    /// An id that does not exist here is written down beside the file.
    pub fn own(&self, fd: BorrowedFd<'_>, owner: (u32, u32)) -> Result<()> {
        let (uid, gid) = self.owner(owner);
        if self.has(uid, gid) {
            if (uid, gid) != (0, 0) || fstat(fd)?.st_gid != 0 {
                fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            }
            return Ok(());
        }
        let text = format!("{uid}:{gid}");
        match fsetxattr(fd, plant::OWNER, text.as_bytes(), XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A directory's permissions and time, when nothing more is written to it.
    pub fn finish_directory(&self, fd: &OwnedFd, item: &Item) -> Result<()> {
        fchmod(fd, Mode::from_raw_mode(self.mode(item)))?;
        Ok(futimens(fd, &times(self.time(item.modified)))?)
    }

    fn has(&self, uid: u32, gid: u32) -> bool {
        self.map.has_user(uid) && self.map.has_group(gid)
    }

    fn owner(&self, own: (u32, u32)) -> (u32, u32) {
        self.owner.unwrap_or(own)
    }

    fn mode(&self, item: &Item) -> u32 {
        match self.chmod {
            None => item.mode,
            Some(Chmod::Octal(mode)) => *mode,
            Some(Chmod::Symbolic(text)) => {
                chmod::apply(text, item.mode, item.kind == Kind::Directory).unwrap_or(item.mode)
            }
        }
    }

    fn time(&self, own: (i64, u32)) -> (i64, u32) {
        match self.times {
            Times::Kept => own,
            Times::Exactly(time) => (time, 0),
            Times::Most(most) if self.fresh || own.0 >= most => (most, 0),
            Times::Most(_) => own,
        }
    }

    /// Says whether attributes come along, as they do between stages.
    pub fn keeps_attributes(&self) -> bool {
        !self.fresh
    }

    /// Copies capabilities of a file, attributes of users' and owners that were written
    /// down. Whoever gives the file an owner does so before: chown(2) takes capabilities
    /// away, and an owner that was asked for is another than what is written there.
    pub fn copy_attributes(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
        for name in attribute_names(from).split(|b| *b == 0) {
            let wanted = name == b"security.capability"
                || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."));
            if !wanted || (self.owner.is_some() && name == plant::OWNER.as_bytes()) {
                continue;
            }
            let name = OsStr::from_bytes(name);
            let mut value = vec![0; MOST_OF_ATTRIBUTES];
            if let Ok(length) = fgetxattr(from, name, &mut value[..]) {
                // Where they cannot be had, they could not be had in a container either.
                fsetxattr(to, name, &value[..length], XattrFlags::empty()).ok();
            }
        }
    }
}

/// All that is in a directory among items.
fn inside(items: &[Item], at: usize) -> &[Item] {
    let top = &items[at].path;
    let rest = &items[at + 1..];
    let is_in = |item: &&Item| is_below(&item.path, top);
    let count = rest.iter().take_while(is_in).count();
    &rest[..count]
}

/// Entries of an archive, with the owner, permissions and times that were asked for.
struct Dressed<'w, 'a> {
    plant: Plant,
    writer: &'w Writer<'a>,
}

impl Sink for Dressed<'_, '_> {
    fn put(&mut self, entry: &Entry, content: Content<'_>) -> Result<()> {
        let mut entry = entry.clone();
        (entry.uid, entry.gid) = self.writer.writing.owner((entry.uid, entry.gid));
        let item = Item {
            path: Vec::new(),
            kind: match entry.kind {
                EntryKind::Directory => Kind::Directory,
                _ => Kind::Fifo,
            },
            mode: entry.mode,
            owner: (0, 0),
            modified: entry.mtime,
            stamp: (0, 0, 0),
        };
        entry.mode = self.writer.writing.mode(&item);
        entry.mtime = match self.writer.writing.times {
            // What is in an archive is the same on every machine.
            Times::Most(most) if entry.mtime.0 < most => entry.mtime,
            _ => self.writer.writing.time(entry.mtime),
        };
        self.plant.put(&entry, content)
    }

    fn finish(&mut self) -> Result<()> {
        self.plant.finish()
    }
}

/// A time that nothing is newer than; to the kernel, the present (utimensat(2), `UTIME_NOW`).
const NOW: (i64, u32) = (i64::MAX, 0x3fff_ffff);

/// Makes a name; what has it already goes, unless it is a directory.
fn over<T>(parent: &OwnedFd, name: &[u8], make: impl Fn() -> Result<T, Errno>) -> Result<T> {
    match make() {
        Err(Errno::EXIST) => {
            let stat = statat(parent, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                return Err(Error::of(
                    ErrorKind::Conflict,
                    "a directory is there, and is not replaced by a file",
                ));
            }
            unlinkat(parent, OsStr::from_bytes(name), AtFlags::empty())?;
            Ok(make()?)
        }
        done => Ok(done?),
    }
}

fn pour(mut source: &File, mut target: &File, size: u64) -> Result<()> {
    const SMALL: u64 = 64 << 10;
    if size > SMALL {
        if rustix::fs::ioctl_ficlone(target, source).is_err() {
            std::io::copy(&mut source, &mut target)?;
        }
        return Ok(());
    }
    // A byte more than it has, so that the end is seen at once.
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(0) + 1];
    let mut total = 0;
    loop {
        let count = source.read(&mut buffer)?;
        target.write_all(&buffer[..count])?;
        total += count as u64;
        if hashes::is_end(count, buffer.len(), total, size) {
            return Ok(());
        }
    }
}

/// The names of a file's extended attributes, each with a zero byte behind it.
fn attribute_names(file: BorrowedFd<'_>) -> Vec<u8> {
    let mut names = Vec::with_capacity(256);
    loop {
        match flistxattr(file, spare_capacity(&mut names)) {
            Err(Errno::RANGE) if names.capacity() < MOST_OF_ATTRIBUTES => {
                names.reserve(MOST_OF_ATTRIBUTES);
            }
            Ok(_) => return names,
            Err(_) => return Vec::new(),
        }
    }
}

/// listxattr(2) and getxattr(2) give at most 64 KiB.
const MOST_OF_ATTRIBUTES: usize = 64 << 10;

fn times(modified: (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: modified.0,
        tv_nsec: modified.1.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Opens a directory, wherever links lead inside of the root.
pub fn open_directory(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    inside::open(
        root,
        Path::new(OsStr::from_bytes(path)),
        OFlags::RDONLY | OFlags::DIRECTORY,
    )
    .what(|| format!("cannot read directory \"{}\"", shown(path)))
}

fn open_parent(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    open_directory(root, split(path).0)
}

fn last(path: &[u8]) -> &[u8] {
    split(path).1
}

/// Returns whom `--chown` means, by the tree's own files. A number without a group
/// has the group of that number.
pub fn owner(root: BorrowedFd<'_>, text: &str) -> Result<(u32, u32)> {
    let (name, group) = text.split_once(':').unwrap_or((text, ""));
    let number = |text: &str| text.parse::<u32>().ok();
    if let Some(uid) = number(name) {
        let group = match (group, number(group)) {
            ("", _) => Some(uid),
            (_, gid) => gid,
        };
        if let Some(gid) = group {
            return Ok((uid, gid));
        }
    }
    let everybody = IdMap {
        users: vec![ALL],
        groups: vec![ALL],
    };
    let asked = user::Asked {
        user: text,
        groups: &[],
        map: &everybody,
        person: "",
    };
    let found = user::resolve(root, asked).map_err(|error| {
        // Its own words are about a container's user.
        let why = Error::of(error.kind(), error.to_string());
        why.what(format!("cannot give files to \"{text}\""))
            .hint("give numbers instead, which need no line: `--chown=1000:1000`")
    })?;
    Ok((number(name).unwrap_or(found.uid), found.gid))
}

const ALL: Range = Range {
    inside: 0,
    outside: 0,
    length: u32::MAX,
};
