//! A directory written as the tar of a layer.
//!
//! The same directory gives the same bytes, in whatever order it was made:
//!
//! - entries are sorted by name, and say nothing that differs between machines
//!   (no names of users, no times but that of the last change, in seconds);
//! - what ustar cannot say is said in a pax header, and only then: names of more
//!   than 255 bytes, ids above 2,097,151, sizes above 8 GiB, times before 1970,
//!   extended attributes;
//! - of a file with several names the first one in order is the file.
//!
//! A whiteout is an empty file `.wh.NAME`, an opaque directory has an empty file
//! `.wh..wh..opq` (OCI image spec, layer.md). What `tree` has kept as an attribute,
//! because it could not be had, is what it was again: owners and devices.
//!
//! Lives here: [`write`].
//! Must not: compress, or know the store.
//! Called by: `image::assemble`, `ops::export`, and whoever makes layers.
//! Always true: it is done in one pass, with memory for the names of one
//! directory a level; sockets are left out, for no tar can hold them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat, fgetxattr, flistxattr, openat, readlinkat};
use rustix::io::Errno;
use tar::{EntryType, Header};

use super::changes::{self, Change, Kind, Scope};
use super::shown;
use super::tree::{capability, is_kept, join};
use crate::error::{Context, Error, Result};
use crate::store::layers::LayerInfo;

/// How a layer is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// What belongs to it.
    pub scope: Scope<'a>,
    /// No time is later than this, in seconds since 1970 (`SOURCE_DATE_EPOCH`).
    pub latest: Option<i64>,
    /// Everything belongs to this user and group.
    pub owner: Option<(u64, u64)>,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Bytes of its files, and how many entries.
    pub info: LayerInfo,
    /// What is in the directory and not in the tar: sockets and what was only made
    /// to be mounted on, a directory before what is in it.
    pub left_out: Vec<Vec<u8>>,
}

/// Writes a directory as a plain tar.
///
/// The caller is root of the user namespace whose ids the files have.
pub fn write(tree: &Path, options: Options<'_>, to: impl Write) -> Result<Written> {
    let mut tar = Tar {
        to: BufWriter::with_capacity(BUFFER, to),
        options,
        written: Written::default(),
        links: HashMap::new(),
    };
    let left_out = changes::walk(tree, options.scope, &mut |change| {
        tar.change(change)
            .what(|| format!("entry {}", shown(change.path)))
    })?;
    tar.written.left_out.extend(left_out);
    tar.written.left_out.sort_unstable();
    tar.end().what(|| "cannot write the end of the tar")?;
    Ok(tar.written)
}

struct Tar<'a, W: Write> {
    to: BufWriter<W>,
    options: Options<'a>,
    written: Written,
    /// Files of several names, by device and number, and the first name.
    links: HashMap<(u64, u64), Vec<u8>>,
}

/// What an entry says of itself.
struct Said<'a> {
    kind: EntryType,
    link: &'a [u8],
    size: u64,
    owner: (u64, u64),
    device: Option<(u32, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<W: Write> Tar<'_, W> {
    fn change(&mut self, change: &Change<'_>) -> Result<()> {
        match &change.kind {
            Kind::Whiteout => {
                let (directory, name) = super::tree::split(change.path);
                self.mark(&join(directory, &[b".wh.", name].concat()))
            }
            Kind::Directory {
                fd, stat, opaque, ..
            } => self.directory(change.path, *fd, stat, *opaque),
            Kind::Other(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => self.file(change, stat),
                FileType::Symlink => self.symlink(change, stat),
                FileType::Fifo => self.node(change.path, stat, EntryType::Fifo),
                FileType::CharacterDevice => self.node(change.path, stat, EntryType::Char),
                FileType::BlockDevice => self.node(change.path, stat, EntryType::Block),
                _ => {
                    self.written.left_out.push(change.path.to_vec());
                    Ok(())
                }
            },
        }
    }

    /// A name that means something to the layers below: an empty file of root's.
    fn mark(&mut self, path: &[u8]) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        self.written.info.files += 1;
        self.header(path, header, 0, &Said::plain(EntryType::Regular))
    }

    fn directory(
        &mut self,
        path: &[u8],
        fd: BorrowedFd<'_>,
        stat: &Stat,
        opaque: bool,
    ) -> Result<()> {
        let mut said = Said::plain(EntryType::Directory);
        let kept = attributes(fd)?;
        said.owner = self.owner(stat, kept.owner);
        said.xattrs = kept.xattrs;
        let plain_root = path.is_empty()
            && stat.st_mode & 0o7777 == 0o755
            && said.owner == (0, 0)
            && said.xattrs.is_empty();
        // Every tree has a root; one like all others is not told.
        if !plain_root {
            let name = match path {
                b"" => b"./".to_vec(),
                path => [path, b"/"].concat(),
            };
            self.entry(&name, stat, &said)?;
        }
        if opaque && !path.is_empty() {
            self.mark(&join(path, b".wh..wh..opq"))?;
        }
        Ok(())
    }

    fn file(&mut self, change: &Change<'_>, stat: &Stat) -> Result<()> {
        if self.linked(change.path, stat)? {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match openat(change.parent, change.name, flags, Mode::empty()) {
            // It has gone, or has become something else.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(()),
            fd => fd?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let kept = attributes(fd.as_fd())?;
        let mut said = Said::plain(EntryType::Regular);
        said.owner = self.owner(&stat, kept.owner);
        said.xattrs = kept.xattrs;
        if let Some((kind, numbers)) = kept.device {
            said.kind = kind;
            said.device = Some(numbers);
            return self.entry(change.path, &stat, &said);
        }
        said.size = u64::try_from(stat.st_size).unwrap_or(0);
        self.entry(change.path, &stat, &said)?;
        self.data(File::from(fd), said.size)
    }

    /// Writes a link, if the file has been written under another name.
    fn linked(&mut self, path: &[u8], stat: &Stat) -> Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let key = (stat.st_dev, stat.st_ino);
        let Some(first) = self.links.get(&key).cloned() else {
            self.links.insert(key, path.to_vec());
            return Ok(false);
        };
        let mut said = Said::plain(EntryType::Link);
        said.link = &first;
        said.owner = self.owner(stat, None);
        self.entry(path, stat, &said)?;
        Ok(true)
    }

    fn symlink(&mut self, change: &Change<'_>, stat: &Stat) -> Result<()> {
        let target = match readlinkat(change.parent, change.name, Vec::new()) {
            Err(Errno::NOENT | Errno::INVAL) => return Ok(()),
            target => target?,
        };
        let mut said = Said::plain(EntryType::Symlink);
        said.link = target.as_bytes();
        said.owner = self.owner(stat, None);
        self.entry(change.path, stat, &said)
    }

    fn node(&mut self, path: &[u8], stat: &Stat, kind: EntryType) -> Result<()> {
        let mut said = Said::plain(kind);
        said.owner = self.owner(stat, None);
        if kind != EntryType::Fifo {
            let (major, minor) = (
                rustix::fs::major(stat.st_rdev),
                rustix::fs::minor(stat.st_rdev),
            );
            said.device = Some((major, minor));
        }
        self.entry(path, stat, &said)
    }

    /// An owner that was kept as an attribute counts as long as nobody gave the file another.
    fn owner(&self, stat: &Stat, kept: Option<(u64, u64)>) -> (u64, u64) {
        if let Some(owner) = self.options.owner {
            return owner;
        }
        match (stat.st_uid, stat.st_gid, kept) {
            (0, 0, Some(kept)) => kept,
            (uid, gid, _) => (uid.into(), gid.into()),
        }
    }

    fn entry(&mut self, name: &[u8], stat: &Stat, said: &Said<'_>) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_mode(match said.kind {
            EntryType::Symlink => 0o777,
            _ => stat.st_mode & 0o7777,
        });
        let time = match self.options.latest {
            Some(latest) => stat.st_mtime.min(latest),
            None => stat.st_mtime,
        };
        self.written.info.files += 1;
        self.written.info.size += said.size;
        self.header(name, header, time, said)
    }

    fn header(
        &mut self,
        name: &[u8],
        mut header: Header,
        time: i64,
        said: &Said<'_>,
    ) -> Result<()> {
        let mut pax = Vec::new();
        header.set_entry_type(said.kind);
        header.set_size(said.size);
        if said.size > MOST_SIZE {
            record(&mut pax, b"size", said.size.to_string().as_bytes());
        }
        set_name(&mut header, name, &mut pax);
        set_link(&mut header, said.link, &mut pax);
        let mut small = |key: &[u8], number: u64| {
            if number > MOST_ID {
                record(&mut pax, key, number.to_string().as_bytes());
                return 0;
            }
            number
        };
        header.set_uid(small(b"uid", said.owner.0));
        header.set_gid(small(b"gid", said.owner.1));
        match u64::try_from(time) {
            Ok(time) if time <= MOST_SIZE => header.set_mtime(time),
            _ => {
                record(&mut pax, b"mtime", time.to_string().as_bytes());
                header.set_mtime(0);
            }
        }
        if let Some((major, minor)) = said.device {
            header.set_device_major(major)?;
            header.set_device_minor(minor)?;
        }
        for (name, value) in &said.xattrs {
            record(
                &mut pax,
                &[b"SCHILY.xattr.", name.as_slice()].concat(),
                value,
            );
        }
        if !pax.is_empty() {
            self.extended(&pax)?;
        }
        header.set_cksum();
        Ok(self.to.write_all(header.as_bytes())?)
    }

    fn extended(&mut self, records: &[u8]) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        if let Some(ustar) = header.as_ustar_mut() {
            ustar.name[..9].copy_from_slice(b"PaxHeader");
        }
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(records.len() as u64);
        header.set_cksum();
        self.to.write_all(header.as_bytes())?;
        self.to.write_all(records)?;
        self.pad(records.len() as u64)
    }

    /// Exactly as many bytes as were said: a file that has become shorter since is filled up.
    fn data(&mut self, file: File, size: u64) -> Result<()> {
        let copied = io::copy(&mut file.take(size), &mut self.to)?;
        if copied < size {
            io::copy(&mut io::repeat(0).take(size - copied), &mut self.to)?;
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let zeros = [0_u8; 512];
        let rest = usize::try_from(size % 512).unwrap_or(0);
        if rest > 0 {
            self.to.write_all(&zeros[rest..])?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.to.write_all(&[0; 1024])?;
        self.to.flush()
    }
}

impl Said<'_> {
    fn plain(kind: EntryType) -> Self {
        Self {
            kind,
            link: b"",
            size: 0,
            owner: (0, 0),
            device: None,
            xattrs: Vec::new(),
        }
    }
}

const BUFFER: usize = 256 << 10;
/// What eleven and seven octal digits hold (ustar).
const MOST_SIZE: u64 = 0o77_777_777_777;
const MOST_ID: u64 = 0o7_777_777;

/// A name that does not fit is cut in the header, where old readers look, and whole in a record.
fn set_name(header: &mut Header, name: &[u8], pax: &mut Vec<u8>) {
    let Some(ustar) = header.as_ustar_mut() else {
        return;
    };
    let slash = (name.len().saturating_sub(101)..name.len().min(156))
        .find(|&at| at > 0 && name[at] == b'/' && at + 1 < name.len());
    if name.len() <= 100 {
        ustar.name[..name.len()].copy_from_slice(name);
    } else if let Some(at) = slash {
        ustar.prefix[..at].copy_from_slice(&name[..at]);
        ustar.name[..name.len() - at - 1].copy_from_slice(&name[at + 1..]);
    } else {
        ustar.name.copy_from_slice(&name[..100]);
        record(pax, b"path", name);
    }
}

fn set_link(header: &mut Header, link: &[u8], pax: &mut Vec<u8>) {
    let short = &link[..link.len().min(100)];
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.linkname[..short.len()].copy_from_slice(short);
    }
    if short.len() < link.len() {
        record(pax, b"linkpath", link);
    }
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits (pax(1)).
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// What a file has beside its data.
#[derive(Default)]
struct Kept {
    owner: Option<(u64, u64)>,
    device: Option<(EntryType, (u32, u32))>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

fn attributes(fd: BorrowedFd<'_>) -> Result<Kept> {
    let mut kept = Kept::default();
    for name in attribute_names(fd)? {
        let Ok(text) = std::str::from_utf8(&name) else {
            continue;
        };
        let ours = matches!(text, "user.rpod.owner" | "user.rpod.device");
        if !ours && text != "security.capability" && !is_kept(text) {
            continue;
        }
        let Some(value) = attribute(fd, text)? else {
            continue;
        };
        match text {
            "user.rpod.owner" => kept.owner = owner(&value),
            "user.rpod.device" => kept.device = device(&value),
            "security.capability" => kept.xattrs.push((name, capability(&value))),
            _ => kept.xattrs.push((name, value)),
        }
    }
    kept.xattrs.sort_unstable();
    Ok(kept)
}

fn attribute_names(fd: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>> {
    let mut list = Vec::with_capacity(256);
    loop {
        match flistxattr(fd, rustix::buffer::spare_capacity(&mut list)) {
            Ok(_) => break,
            Err(Errno::RANGE) if list.capacity() < XATTR_LIMIT => list.reserve(XATTR_LIMIT),
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(error) => return Err(Error::from(error).what("cannot list extended attributes")),
        }
    }
    let names = list.split(|b| *b == 0).filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}

fn attribute(fd: BorrowedFd<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    let mut value = Vec::with_capacity(256);
    loop {
        match fgetxattr(fd, name, rustix::buffer::spare_capacity(&mut value)) {
            Ok(_) => return Ok(Some(value)),
            Err(Errno::RANGE) if value.capacity() < XATTR_LIMIT => value.reserve(XATTR_LIMIT),
            // It has gone, or is another user namespace's.
            Err(Errno::NODATA | Errno::NOTSUP | Errno::OVERFLOW) => return Ok(None),
            Err(error) => {
                return Err(
                    Error::from(error).what(format!("cannot read extended attribute \"{name}\""))
                );
            }
        }
    }
}

/// listxattr(2) and getxattr(2) give at most 64 KiB.
const XATTR_LIMIT: usize = 64 << 10;

fn owner(value: &[u8]) -> Option<(u64, u64)> {
    let (uid, gid) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

fn device(value: &[u8]) -> Option<(EntryType, (u32, u32))> {
    let (kind, numbers) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let (major, minor) = numbers.split_once(':')?;
    let kind = match kind {
        "c" => EntryType::Char,
        "b" => EntryType::Block,
        _ => return None,
    };
    Some((kind, (major.parse().ok()?, minor.parse().ok()?)))
}

#[cfg(test)]
mod tests;
