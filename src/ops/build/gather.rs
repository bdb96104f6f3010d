//! What a `COPY` or a bind mount reads, and the digest of it.
//!
//! ```text
//! pattern ─ resolve ─▶ paths ─ scan ─▶ digest (`summary`) ─▶ the step's key
//!                                 └─ walk ─▶ pieces of items ─▶ copy
//! ```
//!
//! Most steps are known by their key, and those that are not should begin soon: the
//! items are made when they are needed, of what the scan has seen.
//!
//! Lives here: looking paths up below a root, and walking them.
//! Must not: write anything but what `hashes` keeps.
//! Called by: `copy`, `run`, in a step's own process; `files`, in the builder.
//! Always true: nothing outside of the root is read, wherever links lead; only
//! what was asked for is read, each directory in the order of its names.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, fstat, openat, openat2, readlinkat,
    statat,
};
use rustix::io::Errno;

use crate::build::ignore::Ignore;
use crate::build::pattern;
use crate::error::{Context, Error, Kind as ErrorKind, Result};
use crate::ops::build::ahead::{self, Ahead, Asked, Content, Fate, Fates, Seen};
use crate::ops::build::facts::{Facts, Stamp};
use crate::ops::build::hashes::{Hashes, Sum};
use crate::ops::build::summary::{FileDigest, Head, TreeDigest, field};
use crate::spec::digest::Hasher;

/// Where things are looked up.
pub struct Look<'a> {
    /// The root: the whole world of paths and links.
    pub root: BorrowedFd<'a>,
    /// What is left out of it.
    pub ignore: Option<&'a Ignore>,
    /// Owners count; else all is root's, as in a context.
    pub owners: bool,
    /// What is known of its files; without it their contents are not read, and there is
    /// no digest of them.
    pub hashes: Option<&'a mut Hashes>,
    /// How it is called in an error: `the build context`.
    pub name: &'a str,
    /// How many things were left out.
    pub left_out: usize,
}

/// One thing that was asked for, with all that is in it.
#[derive(Debug)]
pub struct Piece {
    /// Its path below the root, as it was found.
    pub path: Vec<u8>,
    /// Its name in a directory it is copied to: of a link, the link's.
    pub name: Vec<u8>,
    /// What it is and what is in it, each directory before what is inside.
    pub items: Vec<Item>,
}

/// A file or a directory of a piece.
#[derive(Debug)]
pub struct Item {
    /// Its path below the piece; empty for the piece itself.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// When it was changed.
    pub modified: (i64, u32),
    /// Tells whether it is the file that was read.
    pub stamp: Stamp,
}

/// What an item is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file of so many bytes with this content, if somebody asked for it.
    File(u64, Option<Sum>),
    /// Another name of an earlier item of the piece.
    Same(usize),
    /// A link and where it leads.
    Link(Vec<u8>),
    /// A FIFO.
    Fifo,
}

impl Piece {
    /// Says whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.items
            .first()
            .is_some_and(|item| item.kind == Kind::Directory)
    }
}

/// Directories in each other at most: each has a descriptor open.
const LEVELS: usize = 500;
/// Things that are read for one step at most.
const MOST: usize = 5_000_000;
/// Of these, what is looked at ahead: each takes some 300 bytes until the walk is there.
const AHEAD: usize = 500_000;

/// Names that are looked at for one that was meant.
const NEAR: usize = 10_000;

impl Look<'_> {
    /// Returns the paths that a pattern means, in the order of their names. One
    /// without a wildcard is returned whether it is there or not.
    pub fn resolve(&self, text: &str) -> Result<Vec<Vec<u8>>> {
        let parts = components(text.as_bytes());
        if parts.iter().all(|part| pattern::Path::is_plain(part)) {
            return Ok(vec![parts.join(&b'/')]);
        }
        let mut found = vec![Vec::new()];
        for part in parts {
            let mut next = Vec::new();
            for path in found {
                self.match_part(&path, part, &mut next)?;
            }
            next.dedup();
            found = next;
        }
        found.retain(|path| self.ignore.is_none_or(|ignore| !ignore.excludes(path)));
        Ok(found)
    }

    fn match_part(&self, path: &[u8], part: &[u8], out: &mut Vec<Vec<u8>>) -> Result<()> {
        if pattern::Path::is_plain(part) {
            let path = join(path, part);
            if self.open_path(&path).is_ok() {
                out.push(path);
            }
            return Ok(());
        }
        if part == b"**" {
            out.push(path.to_vec());
            for (name, is_directory) in self.list(path)? {
                if is_directory {
                    self.match_part(&join(path, &name), part, out)?;
                }
            }
            return Ok(());
        }
        let pattern = pattern::Path::parse(part).map_err(|why| {
            Error::of(
                ErrorKind::Usage,
                format!("\"{}\" is no pattern: {why}", String::from_utf8_lossy(part)),
            )
        })?;
        for (name, _) in self.list(path)? {
            if pattern.matches(&name) {
                out.push(join(path, &name));
            }
        }
        Ok(())
    }

    /// The names in a directory, sorted; of what is no directory, none.
    fn list(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, bool)>> {
        let what = || format!("cannot read directory \"{}\"", shown(path));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = match self.open(path, flags) {
            Ok(fd) => fd,
            Err(Errno::NOTDIR | Errno::NOENT) => return Ok(Vec::new()),
            Err(error) => return Err(error).what(what),
        };
        let mut names = Vec::new();
        for name in names_of(directory.as_fd(), MOST).what(what)? {
            let stat = statat(
                &directory,
                OsStr::from_bytes(&name),
                AtFlags::SYMLINK_NOFOLLOW,
            );
            let is_directory = stat.is_ok_and(|s| Facts::of(&s).kind() == FileType::Directory);
            names.push((name, is_directory));
        }
        Ok(names)
    }

    fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        loop {
            match openat2(
                self.root,
                OsStr::from_bytes(path),
                flags | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            ) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
    }

    fn open_path(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open(path, OFlags::PATH)
    }

    /// Follows the links of a path, inside the root; returns where it ends.
    fn follow(&self, path: &[u8]) -> Result<Vec<u8>> {
        let plain = openat2(
            self.root,
            OsStr::from_bytes(if path.is_empty() { b"." } else { path }),
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS,
        );
        if plain.is_ok() {
            return Ok(path.to_vec());
        }
        let there = self
            .open_path(path)
            .map_err(|errno| self.missing(path, errno))?;
        let place = |fd: BorrowedFd<'_>| -> Result<Vec<u8>> {
            use std::os::fd::AsRawFd;
            let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
            Ok(link.into_os_string().into_encoded_bytes())
        };
        let (root, there) = (place(self.root)?, place(there.as_fd())?);
        let root = if root == b"/" { Vec::new() } else { root };
        let below = there.strip_prefix(root.as_slice()).unwrap_or(&there);
        Ok(below.strip_prefix(b"/").unwrap_or(below).to_vec())
    }

    fn missing(&self, path: &[u8], errno: Errno) -> Error {
        let what = format!("cannot copy \"{}\" from {}", shown(path), self.name);
        match errno {
            Errno::NOENT | Errno::NOTDIR => {
                let error = Error::of(ErrorKind::NotFound, "there is no such file or directory");
                match self.near(path) {
                    Some(near) => error.hint(format!("did you mean \"{near}\"?")).what(what),
                    None => error.what(what),
                }
            }
            errno => Error::from(errno).what(what),
        }
    }

    /// Returns a path in the same directory that was perhaps meant.
    fn near(&self, path: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(path).ok()?;
        let (parent, name) = text.rsplit_once('/').unwrap_or(("", text));
        let place = if parent.is_empty() { "." } else { parent };
        let fd = self
            .open(place.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY)
            .ok()?;
        let entries = rustix::fs::Dir::read_from(&fd).ok()?;
        let names: Vec<String> = entries
            .flatten()
            .take(NEAR)
            .filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned))
            .filter(|name| !matches!(name.as_str(), "." | ".."))
            .collect();
        let near = crate::spec::suggest::nearest(name, names.iter().map(String::as_str))?;
        Some(match parent {
            "" => near.to_owned(),
            parent => format!("{parent}/{near}"),
        })
    }

    /// Looks at what is at a path. `exclude` leaves out more, by paths below it.
    pub fn piece(&mut self, path: &[u8], exclude: Option<&Ignore>) -> Result<Piece> {
        let found = self.find(path)?;
        let (parent, top) = self.top(&found, exclude)?;
        let ahead = self.look_ahead(&parent, &top, &found, exclude);
        let items = self.walk((&parent, top), (path, &found), exclude, ahead)?;
        Ok(Piece {
            name: split(path).1.to_vec(),
            path: found,
            items,
        })
    }

    /// Reads what is at a path to its digest, with as little as that needs.
    pub fn scan(&mut self, path: &[u8], exclude: Option<&Ignore>) -> Result<Scanned> {
        let found = self.find(path)?;
        let (parent, top) = self.top(&found, exclude)?;
        let mut ahead = self.look_ahead(&parent, &top, &found, exclude);
        if let Some(hashes) = &mut self.hashes {
            hashes.learn(std::mem::take(&mut ahead.learned));
        }
        let mut tree = TreeDigest::default();
        let known = ahead.put(&mut tree, &top.facts, top.fate != Fate::Kept);
        let (digest, seen) = match known {
            Some(true) => (tree.finish(), Rest::Ahead(ahead)),
            _ => {
                let items = self.walk((&parent, top), (path, &found), exclude, ahead)?;
                (digest(&items)?, Rest::Walked(items))
            }
        };
        Ok(Scanned {
            asked: path.to_vec(),
            path: found,
            digest,
            seen,
        })
    }

    /// Follows a path to what is read, unless that is left out.
    fn find(&self, path: &[u8]) -> Result<Vec<u8>> {
        if !path.is_empty()
            && let Some(ignore) = self.ignore
            && ignore.excludes(path)
            && !ignore.may_include_below(path)
        {
            return Err(self
                .missing(path, Errno::NOENT)
                .hint("the file is there, but `.dockerignore` leaves it out of the context")
                .kind_of(ErrorKind::NotFound));
        }
        self.follow(path)
    }

    /// Looks at a piece itself, and opens the directory it is in.
    fn top(&self, path: &[u8], exclude: Option<&Ignore>) -> Result<(OwnedFd, Seen)> {
        let what = || format!("cannot read \"{}\" in {}", shown(path), self.name);
        let (parent, name) = split(path);
        let name = if name.is_empty() { b"." } else { name };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let parent = self.open(parent, flags).what(what)?;
        let at = OsStr::from_bytes(name);
        let stat = statat(&parent, at, AtFlags::SYMLINK_NOFOLLOW).what(what)?;
        let facts = Facts::of(&stat);
        let is_directory = facts.kind() == FileType::Directory;
        let of = |ignore: &Ignore, path: &[u8]| match ignore.excludes(path) {
            false => Fate::Kept,
            true if is_directory && ignore.may_include_below(path) => Fate::LeftOut,
            true => Fate::Gone,
        };
        let ignore = self.ignore.filter(|_| !path.is_empty());
        let ignored = ignore.map_or(Fate::Kept, |ignore| of(ignore, path));
        // Of a file alone `--exclude` means the name.
        let exclude = exclude.filter(|_| !is_directory);
        let excluded = exclude.map_or(Fate::Kept, |exclude| of(exclude, name));
        let fate = match (ignored, excluded) {
            (Fate::Kept, fate) => fate,
            (fate, _) => fate,
        };
        let top = Seen {
            name: name.to_vec(),
            facts,
            fate,
            content: Content::Unknown,
        };
        Ok((parent, top))
    }

    /// Most of a walk's time goes by waiting for the kernel: several threads wait at once.
    fn look_ahead(
        &self,
        parent: &OwnedFd,
        top: &Seen,
        path: &[u8],
        exclude: Option<&Ignore>,
    ) -> Ahead {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(parent, OsStr::from_bytes(&top.name), flags, Mode::empty()) {
            Ok(directory) if top.fate != Fate::Gone => ahead::look(&Asked {
                top: directory.as_fd(),
                path,
                ignore: self.ignore,
                exclude,
                hashes: self.hashes.as_deref(),
                owners: self.owners,
                levels: LEVELS,
                most: AHEAD,
            }),
            _ => Ahead::default(),
        }
    }

    fn walk(
        &mut self,
        (parent, top): (&OwnedFd, Seen),
        (path, found): (&[u8], &[u8]),
        exclude: Option<&Ignore>,
        ahead: Ahead,
    ) -> Result<Vec<Item>> {
        let mut walk = Walk {
            look: self,
            path: found,
            exclude,
            items: Vec::new(),
            waiting: Vec::new(),
            seen: HashMap::new(),
            ahead,
        };
        let place = Place {
            above: None,
            name: b"",
            fd: OnceCell::from(parent.try_clone()?),
        };
        walk.visit(&place, top, b"", 0)?;
        let items = walk.items;
        if items.is_empty() {
            return Err(self
                .missing(path, Errno::NOENT)
                .hint("sockets and devices are not copied, nor what `.dockerignore` names"));
        }
        Ok(items)
    }
}

/// What is at a path, as far as its digest needs it.
pub struct Scanned {
    /// The path that was asked for.
    asked: Vec<u8>,
    /// Where it is.
    path: Vec<u8>,
    /// The digest of it.
    digest: Sum,
    seen: Rest,
}

enum Rest {
    Walked(Vec<Item>),
    /// A walk is still to make items of it.
    Ahead(Ahead),
}

impl Scanned {
    /// Adds its name and its digest.
    pub fn put(&self, hasher: &mut Hasher) {
        field(hasher, b"piece", split(&self.asked).1);
        field(hasher, b"digest", &self.digest);
    }

    /// Makes a piece of it.
    pub fn piece(self, look: &mut Look<'_>, exclude: Option<&Ignore>) -> Result<Piece> {
        let items = match self.seen {
            Rest::Walked(items) => items,
            Rest::Ahead(ahead) => {
                let (parent, top) = look.top(&self.path, exclude)?;
                look.walk((&parent, top), (&self.asked, &self.path), exclude, ahead)?
            }
        };
        Ok(Piece {
            name: split(&self.asked).1.to_vec(),
            path: self.path,
            items,
        })
    }
}

struct Walk<'l, 'a> {
    look: &'l mut Look<'a>,
    /// The path of what is walked below the root.
    path: &'l [u8],
    exclude: Option<&'l Ignore>,
    items: Vec<Item>,
    /// Directories that are left out, unless something in them is not.
    waiting: Vec<Item>,
    /// Files of several names, by device and number.
    seen: HashMap<(u64, u64), usize>,
    /// Directories that were looked at before the walk comes to them.
    ahead: Ahead,
}

/// A directory the walk is in, opened when something in it has to be.
struct Place<'p> {
    above: Option<&'p Place<'p>>,
    name: &'p [u8],
    fd: OnceCell<OwnedFd>,
}

impl Place<'_> {
    fn open(&self) -> Result<BorrowedFd<'_>, Errno> {
        if let (None, Some(above)) = (self.fd.get(), self.above) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let above = above.open()?;
            let fd = openat(above, OsStr::from_bytes(self.name), flags, Mode::empty())?;
            return Ok(self.fd.get_or_init(|| fd).as_fd());
        }
        self.fd.get().map(AsFd::as_fd).ok_or(Errno::BADF)
    }
}

impl Walk<'_, '_> {
    fn cannot(&self, below: &[u8]) -> String {
        let path = join(self.path, below);
        format!("cannot read \"{}\" in {}", shown(&path), self.look.name)
    }

    fn visit(&mut self, parent: &Place<'_>, seen: Seen, below: &[u8], level: usize) -> Result<()> {
        let facts = &seen.facts;
        if facts.kind() == FileType::Directory {
            if seen.fate == Fate::Gone {
                self.look.left_out += 1;
                return Ok(());
            }
            let place = Place {
                above: Some(parent),
                name: &seen.name,
                fd: OnceCell::new(),
            };
            return self.directory(&place, below, level, (facts, seen.fate != Fate::Kept));
        }
        if seen.fate != Fate::Kept {
            self.look.left_out += 1;
            return Ok(());
        }
        let kind = match (facts.kind(), seen.content) {
            (FileType::RegularFile, content) => {
                self.file(parent, (&seen.name, content), below, facts)?
            }
            (FileType::Symlink, Content::Link(link)) => Kind::Link(link),
            (FileType::Symlink, _) => {
                let parent = parent.open().what(|| self.cannot(below))?;
                let link = readlinkat(parent, OsStr::from_bytes(&seen.name), Vec::new());
                Kind::Link(link.what(|| self.cannot(below))?.into_bytes())
            }
            (FileType::Fifo, _) => Kind::Fifo,
            // As docker's client: a socket means something only to its process.
            _ => return Ok(()),
        };
        let item = self.item(below, facts, kind);
        self.add(item)
    }

    fn file(
        &mut self,
        parent: &Place<'_>,
        (name, content): (&[u8], Content),
        below: &[u8],
        facts: &Facts,
    ) -> Result<Kind> {
        if facts.several {
            let next = self.items.len() + self.waiting.len();
            match self.seen.get(&(facts.device, facts.inode)) {
                Some(first) => return Ok(Kind::Same(*first)),
                None => drop(self.seen.insert((facts.device, facts.inode), next)),
            }
        }
        let size = facts.size;
        let hashes = match (&mut self.look.hashes, content) {
            (_, Content::Sum(sum)) => return Ok(Kind::File(size, Some(sum))),
            (None, _) => return Ok(Kind::File(size, None)),
            (Some(hashes), _) => hashes,
        };
        let mut open = || open_unchanged(parent.open()?, name, facts.stamp());
        let sum = hashes.sum(&mut open, facts).map_err(|error| {
            let denied = error.errno() == Some(Errno::ACCESS.raw_os_error());
            let error = error.what(self.cannot(below));
            if denied {
                error.hint(
                    "leave it out with a line in `.dockerignore`, or make it readable: `chmod u+r`",
                )
            } else {
                error
            }
        })?;
        Ok(Kind::File(size, Some(sum)))
    }

    fn directory(
        &mut self,
        place: &Place<'_>,
        below: &[u8],
        level: usize,
        (facts, left_out): (&Facts, bool),
    ) -> Result<()> {
        let (path, name_of_root) = (self.path, self.look.name);
        let what = || {
            format!(
                "cannot read directory \"{}\" in {name_of_root}",
                shown(&join(path, below))
            )
        };
        if level == LEVELS {
            return Err(Error::new(format!(
                "it has more than {LEVELS} directories in each other"
            )))
            .what(what);
        }
        let item = self.item(below, facts, Kind::Directory);
        let (before, depth) = (self.items.len(), self.waiting.len());
        if left_out {
            self.waiting.push(item);
        } else {
            self.add(item)?;
        }
        match self.ahead.take(below) {
            Some(known) => {
                self.items.reserve(known.len());
                for seen in known {
                    let below = join(below, &seen.name);
                    self.visit(place, seen, &below, level + 1)?;
                }
            }
            None => {
                let directory = place.open().what(what)?;
                let names = names_of(directory, MOST).what(what)?;
                self.unknown((place, directory), names, below, level)?;
            }
        }
        if left_out && self.items.len() == before {
            self.waiting.truncate(depth);
        }
        Ok(())
    }

    /// Visits what is in a directory that was not looked at ahead.
    fn unknown(
        &mut self,
        (place, directory): (&Place<'_>, BorrowedFd<'_>),
        names: Vec<Vec<u8>>,
        below: &[u8],
        level: usize,
    ) -> Result<()> {
        let mut fates = Fates::new(self.look.ignore, self.exclude, self.path, below);
        for name in names {
            let inside = join(below, &name);
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let stat =
                statat(directory, OsStr::from_bytes(&name), flags).what(|| self.cannot(&inside))?;
            let facts = Facts::of(&stat);
            let seen = Seen {
                fate: fates.of(&name, facts.kind() == FileType::Directory),
                name,
                facts,
                content: Content::Unknown,
            };
            self.visit(place, seen, &inside, level + 1)?;
        }
        Ok(())
    }

    fn item(&self, below: &[u8], facts: &Facts, kind: Kind) -> Item {
        Item {
            path: below.to_vec(),
            kind,
            mode: facts.permissions(),
            owner: if self.look.owners {
                facts.owner
            } else {
                (0, 0)
            },
            modified: facts.modified,
            stamp: facts.stamp(),
        }
    }

    /// A directory that was left out is needed for what is in it.
    fn add(&mut self, item: Item) -> Result<()> {
        self.items.append(&mut self.waiting);
        self.items.push(item);
        if self.items.len() > MOST {
            return Err(Error::new(format!("there are more than {MOST} files")));
        }
        Ok(())
    }
}

/// Opens a file, if it is still the one that was looked at.
pub fn open_unchanged(parent: BorrowedFd<'_>, name: &[u8], was: Stamp) -> Result<File> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = openat(parent, OsStr::from_bytes(name), flags, Mode::empty())?;
    let now = Facts::of(&fstat(&fd)?);
    if now.stamp() != was || now.kind() != FileType::RegularFile {
        return Err(Error::new("it was changed while the build read it")
            .hint("build again when nothing writes to it"));
    }
    Ok(File::from(fd))
}

/// The names in an open directory, sorted; so many at most.
pub fn names_of(directory: BorrowedFd<'_>, most: usize) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    each_name(directory, most, |name| names.push(name.to_bytes().to_vec()))?;
    names.sort_unstable();
    Ok(names)
}

/// Tells the names in an open directory, in the kernel's order; so many at most.
pub fn each_name(
    directory: BorrowedFd<'_>,
    most: usize,
    mut tell: impl FnMut(&CStr),
) -> Result<()> {
    let mut count = 0;
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || name.to_bytes().contains(&b'/') {
            continue;
        }
        if count == most {
            return Err(Error::new(format!("there are more than {most} files")));
        }
        count += 1;
        tell(name);
    }
    Ok(())
}

/// Returns the digest of what is in a piece whose files were read.
fn digest(items: &[Item]) -> Result<Sum> {
    struct Open<'i> {
        path: &'i [u8],
        head: Head,
        files: FileDigest,
    }
    let mut tree = TreeDigest::default();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut alone = FileDigest::default();
    let close = |tree: &mut TreeDigest, one: Open<'_>| {
        tree.directory(one.path, one.head, &one.files.finish());
    };
    for item in items {
        while let Some(one) = open.pop_if(|one| !is_below(&item.path, one.path)) {
            close(&mut tree, one);
        }
        let head = Head::new(item.mode, item.owner);
        let (path, name) = (&item.path, split(&item.path).1);
        let files = open.last_mut().map_or(&mut alone, |one| &mut one.files);
        match resolved(items, item) {
            Kind::Directory => open.push(Open {
                path,
                head,
                files: FileDigest::default(),
            }),
            Kind::File(size, Some(sum)) => files.file(name, head, *size, sum),
            Kind::Link(link) => files.link(name, head, link),
            Kind::Fifo => files.fifo(name, head),
            Kind::File(_, None) | Kind::Same(_) => {
                return Err(Error::internal("the digest of files that nobody read"));
            }
        }
    }
    let is_tree = !open.is_empty();
    while let Some(one) = open.pop() {
        close(&mut tree, one);
    }
    if !is_tree {
        tree.file(&alone.finish());
    }
    Ok(tree.finish())
}

/// Says whether a path lies in a directory; all but the piece itself lies in the piece.
pub fn is_below(path: &[u8], directory: &[u8]) -> bool {
    let below = path.strip_prefix(directory);
    directory.is_empty() || below.is_some_and(|below| below.starts_with(b"/"))
}

/// A second name has the content of the first: a checkout may have made two files of them.
fn resolved<'a>(items: &'a [Item], item: &'a Item) -> &'a Kind {
    match item.kind {
        Kind::Same(first) => items.get(first).map_or(&item.kind, |i| &i.kind),
        _ => &item.kind,
    }
}

/// Parts a path into its components, `.` and `..` done away with, inside its root.
pub fn components(path: &[u8]) -> Vec<&[u8]> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts
}

/// Parts a path into its directory and its name.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// Joins two paths.
pub fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    match (parent, name) {
        (b"", name) => name.to_vec(),
        (parent, b"") => parent.to_vec(),
        (parent, name) => [parent, b"/", name].concat(),
    }
}

/// A path as it is shown.
pub fn shown(path: &[u8]) -> String {
    match path {
        b"" => ".".to_owned(),
        path => Path::new(OsStr::from_bytes(path)).display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::path::Path;

    use super::{Look, Rest, digest};
    use crate::build::ignore::Ignore;
    use crate::ops::build::hashes::Hashes;

    fn make(top: &Path) {
        fs::create_dir_all(top.join("a/deep/er")).expect("made");
        fs::create_dir_all(top.join("b/empty")).expect("made");
        for n in 0..600 {
            fs::write(top.join(format!("b/f{n}")), n.to_string()).expect("written");
        }
        for name in [
            "x",
            "a/x",
            "a/deep/y",
            "a/deep/er/z",
            "a.b",
            "a/deep.b",
            "b/keep",
        ] {
            fs::write(top.join(name), name).expect("written");
        }
        fs::hard_link(top.join("x"), top.join("b/x")).expect("linked");
        std::os::unix::fs::symlink("nowhere", top.join("a/link")).expect("linked");
    }

    /// The digest by the threads, that of the items, and how many items there are.
    fn both(top: &Path, path: &[u8], ignore: Option<&Ignore>) -> ([u8; 32], [u8; 32], usize) {
        let root = File::open(top).expect("open");
        let mut hashes = Hashes::none();
        let mut look = Look {
            root: root.as_fd(),
            ignore,
            owners: false,
            hashes: Some(&mut hashes),
            name: "the context",
            left_out: 0,
        };
        let scanned = look.scan(path, None).expect("scanned");
        if top.join(std::str::from_utf8(path).expect("text")).is_dir() {
            assert!(
                matches!(scanned.seen, Rest::Ahead(_)),
                "{path:?} was walked"
            );
        }
        let found = scanned.digest;
        let piece = scanned.piece(&mut look, None).expect("walked");
        (
            found,
            digest(&piece.items).expect("hashed"),
            piece.items.len(),
        )
    }

    #[test]
    fn the_threads_come_to_what_a_walk_comes_to() {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path());
        let ignore = Ignore::parse("b\n!b/keep\na/deep/er\n").expect("lines");
        let all_out = Ignore::parse("b\n!b/none\n").expect("lines");
        for ignore in [None, Some(&ignore), Some(&all_out)] {
            for path in ["", "a", "a/deep", "x", "b"] {
                if path == "b" && ignore == Some(&all_out) {
                    continue;
                }
                let (one, other, _) = both(dir.path(), path.as_bytes(), ignore);
                assert_eq!(one, other, "{path:?} without {ignore:?}");
            }
        }
        let plain = both(dir.path(), b"", None);
        assert_eq!(plain.2, 6 + 600 + 7 + 2);
        assert_eq!(both(dir.path(), b"", Some(&ignore)).2, 11);
        assert_eq!(both(dir.path(), b"", Some(&all_out)).2, 11);
    }

    #[test]
    fn whatever_counts_makes_another_digest() {
        let dir = tempfile::tempdir().expect("a directory");
        let of = |change: &dyn Fn(&Path)| {
            let top = dir.path().join("top");
            fs::create_dir(&top).expect("made");
            make(&top);
            change(&top);
            let (digest, ..) = both(&top, b"", None);
            fs::remove_dir_all(&top).expect("removed");
            digest
        };
        let plain = of(&|_| {});
        assert_eq!(of(&|_| {}), plain, "times and numbers do not count");
        let changes: [&dyn Fn(&Path); 7] = [
            &|top| fs::write(top.join("b/f7"), "8").expect("written"),
            &|top| fs::rename(top.join("b/f7"), top.join("b/g7")).expect("renamed"),
            &|top| fs::rename(top.join("a/deep/y"), top.join("a/y")).expect("renamed"),
            &|top| fs::remove_dir(top.join("b/empty")).expect("removed"),
            &|top| fs::rename(top.join("b/empty"), top.join("a/empty")).expect("renamed"),
            &|top| {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::Permissions::from_mode(0o600);
                fs::set_permissions(top.join("b/f7"), mode).expect("set");
            },
            &|top| {
                fs::remove_file(top.join("a/link")).expect("removed");
                std::os::unix::fs::symlink("nowhere2", top.join("a/link")).expect("linked");
            },
        ];
        let mut seen = vec![plain];
        for change in changes {
            let digest = of(change);
            assert!(!seen.contains(&digest));
            seen.push(digest);
        }
    }
}
