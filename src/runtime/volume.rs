//! The first mount of a volume: it gets what the image has at its target.
//!
//! ```text
//! volumes/<name>/filling    stands while _data is being filled
//! ```
//!
//! Lives here: the copy and its crash safety.
//! Must not: decide which volumes are filled (`ops::create`).
//! Called by: `sequence`, before the volume covers its target.
//! Always true: a volume is empty, or whole: the mark of one that was being
//! filled when its process was killed makes the next start begin anew.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, chownat, fchmod, fchown,
    futimens, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, utimensat,
};

use crate::error::{Context, Result};
use crate::runtime::inside;

/// A volume that may have to be filled.
#[derive(Clone, Debug)]
pub struct Fill {
    /// The volume's data directory.
    pub data: PathBuf,
    /// Where it will be mounted.
    pub target: PathBuf,
}

/// Fills a volume that is empty from the tree at `root`.
pub fn fill(root: BorrowedFd<'_>, fill: &Fill) -> Result<()> {
    let what = || format!("cannot fill the volume for \"{}\"", fill.target.display());
    let Some(volume) = fill.data.parent() else {
        return Ok(());
    };
    let mark = volume.join("filling");
    let is_empty = || fs::read_dir(&fill.data).is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty() && !mark.exists() {
        return Ok(());
    }
    let Ok(source) = inside::open(root, &fill.target, OFlags::RDONLY | OFlags::DIRECTORY) else {
        return Ok(());
    };
    // Two containers may start on the same new volume at once.
    let lock = File::open(volume).what(what)?;
    lock.lock().what(what)?;
    if !is_empty() && !mark.exists() {
        return Ok(());
    }
    File::create(&mark).what(what)?;
    for entry in fs::read_dir(&fill.data).what(what)?.flatten() {
        drop(fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path())));
    }
    let data = openat(
        CWD,
        &fill.data,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .what(what)?;
    copy_directory(&source, &data).what(what)?;
    rustix::fs::syncfs(&data).what(what)?;
    fs::remove_file(&mark).what(what)
}

fn copy_directory(from: &OwnedFd, to: &OwnedFd) -> rustix::io::Result<()> {
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let name = Path::new(OsStr::from_bytes(name.to_bytes()));
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                mkdirat(to, name, Mode::RWXU)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = openat(from, name, flags, Mode::empty())?;
                let made = openat(to, name, flags, Mode::empty())?;
                copy_directory(&below, &made)?;
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let source = File::from(openat(from, name, flags, Mode::empty())?);
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let target = File::from(openat(to, name, flags, Mode::RUSR | Mode::WUSR)?);
                copy_content(&source, &target)?;
                own(target.as_fd(), &stat)?;
            }
            kind => {
                match kind {
                    FileType::Symlink => {
                        symlinkat(readlinkat(from, name, Vec::new())?, to, name)?;
                    }
                    FileType::Fifo | FileType::Socket => mknodat(to, name, kind, mode, 0)?,
                    _ => continue,
                }
                chownat(
                    to,
                    name,
                    owner(&stat).0,
                    owner(&stat).1,
                    AtFlags::SYMLINK_NOFOLLOW,
                )?;
                utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)?;
            }
        }
    }
    own(to.as_fd(), &rustix::fs::fstat(from)?)
}

/// Gives what is open an owner, a mode and times. Through the descriptor, never by
/// name: a container that has the volume may put a link in the place of a file.
/// Owner first: changing it clears set-user-id bits.
fn own(made: BorrowedFd<'_>, stat: &Stat) -> rustix::io::Result<()> {
    let (uid, gid) = owner(stat);
    fchown(made, uid, gid)?;
    fchmod(made, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    futimens(made, &times(stat))
}

fn owner(stat: &Stat) -> (Option<rustix::fs::Uid>, Option<rustix::fs::Gid>) {
    let uid = rustix::fs::Uid::from_raw(stat.st_uid);
    let gid = rustix::fs::Gid::from_raw(stat.st_gid);
    (Some(uid), Some(gid))
}

fn times(stat: &Stat) -> Timestamps {
    let at_time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    Timestamps {
        last_access: at_time(stat.st_atime, stat.st_atime_nsec),
        last_modification: at_time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn copy_content(source: &File, target: &File) -> rustix::io::Result<()> {
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return Ok(());
    }
    std::io::copy(&mut &*source, &mut &*target)
        .map(|_| ())
        .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))
}
