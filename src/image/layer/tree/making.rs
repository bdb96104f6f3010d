//! Making: files with their data, owners, attributes, modes and times.
//!
//! Lives here: what an entry's file is given once there is one.
//! Must not: find places, or remove what has a name already.
//! Called by: `tree`, and `crew` in its threads.
//! Always true: chown(2) and write(2) take away set-user-id bits and file
//! capabilities, so the mode comes after them and the time last.

use std::io::{self, BufRead};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RawMode, SeekFrom, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::image::layer::entries::{Entry, Pieces};
use crate::spec::idmap::IdMap;

/// How things are made by this process.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// The ids that there are.
    pub ids: &'a IdMap,
    /// Bits of a mode that the process takes away from what it makes.
    pub umask: RawMode,
}

/// Counts extended attributes that the file system or the kernel refused.
pub type Lost = u64;

impl<'a> Making<'a> {
    pub fn new(ids: &'a IdMap) -> Self {
        let umask = umask();
        Self { ids, umask }
    }

    /// Makes an entry's file, empty.
    pub fn create(
        self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        mode: RawMode,
    ) -> Result<OwnedFd, Errno> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(mode))
    }

    /// Returns the mode with which an entry's file is created.
    pub fn first_mode(self, entry: &Entry) -> RawMode {
        let has_attributes = !entry.xattrs.is_empty() || self.owner(entry).is_none();
        // Attributes can be written only where the file can.
        (entry.mode & 0o777) | if has_attributes { 0o600 } else { 0 }
    }

    /// Gives a file that was just created what its entry says.
    pub fn fill(
        self,
        fd: &OwnedFd,
        entry: &Entry,
        data: &mut impl BufRead,
        lost: &mut Lost,
    ) -> Result<()> {
        match &entry.pieces {
            None => write_all(fd, data)?,
            Some(pieces) => write_pieces(fd, data, pieces, entry.size)?,
        }
        self.attributes(fd.as_fd(), entry, lost)?;
        let first = self.first_mode(entry);
        if first != entry.mode || first & self.umask != 0 {
            rustix::fs::fchmod(fd, Mode::from_raw_mode(entry.mode))?;
        }
        Ok(rustix::fs::futimens(fd, &times(entry.mtime))?)
    }

    /// Returns the owner, if the map has it.
    pub fn owner(self, entry: &Entry) -> Option<(u32, u32)> {
        let uid = u32::try_from(entry.uid).ok()?;
        let gid = u32::try_from(entry.gid).ok()?;
        (self.ids.has_user(uid) && self.ids.has_group(gid)).then_some((uid, gid))
    }

    /// Gives owner and extended attributes to a file or directory.
    pub fn attributes(self, fd: BorrowedFd<'_>, entry: &Entry, lost: &mut Lost) -> Result<()> {
        match self.owner(entry) {
            // What we make is ours, and we are 0 inside.
            Some((0, 0)) => {}
            Some((uid, gid)) => {
                rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                    .what(|| format!("cannot give it to {uid}:{gid}"))?
            }
            None => {
                let owner = format!("{}:{}", entry.uid, entry.gid);
                set_attribute(fd, "user.rpod.owner", owner.as_bytes(), lost)?;
            }
        }
        for (name, value) in &entry.xattrs {
            let Ok(name) = std::str::from_utf8(name) else {
                *lost += 1;
                continue;
            };
            if name == "security.capability" {
                set_attribute(fd, name, &capability(value), lost)?;
            } else if is_kept(name) {
                set_attribute(fd, name, value, lost)?;
            }
        }
        Ok(())
    }

    /// Gives an owner to what cannot be opened.
    pub fn owner_at(self, parent: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> Result<()> {
        match self.owner(entry) {
            None | Some((0, 0)) => Ok(()),
            Some((uid, gid)) => rustix::fs::chownat(
                parent,
                name,
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .what(|| format!("cannot give it to {uid}:{gid}")),
        }
    }
}

/// Sets an extended attribute; one that this file system or user may not set is counted.
pub fn set_attribute(fd: BorrowedFd<'_>, name: &str, value: &[u8], lost: &mut Lost) -> Result<()> {
    match rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()) {
        Err(
            Errno::NOTSUP
            | Errno::PERM
            | Errno::NOSPC
            | Errno::TOOBIG
            | Errno::RANGE
            | Errno::INVAL,
        ) => {
            *lost += 1;
            Ok(())
        }
        set => set.what(|| format!("cannot set extended attribute \"{name}\"")),
    }
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

pub fn times((seconds, nanoseconds): (i64, u32)) -> Timestamps {
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
