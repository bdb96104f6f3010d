//! Paths inside a container's tree, which may be hostile.
//!
//! Lives here: opening and making what a path means inside a root directory.
//! Must not: follow anything out of it; every lookup goes through openat2(2)
//! with `RESOLVE_IN_ROOT`, so that `..`, absolute links and links to links end
//! inside.
//! Called by: the other files of this room, `ops::cp`.
//! Always true: what is returned lies inside the root.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::io::Errno;

use crate::error::{Context, Error, Result};

/// What is to be at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A directory.
    Directory,
    /// Anything else: a file to mount something on.
    File,
}

/// Opens what a path means inside `root`, for anything `flags` say.
pub fn open(root: impl AsFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let relative = if relative.as_os_str().is_empty() {
        Path::new(".")
    } else {
        relative
    };
    loop {
        match openat2(
            &root,
            relative,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        ) {
            // Somebody renamed something meanwhile, and the kernel cannot tell whether it escaped.
            Err(Errno::AGAIN | Errno::INTR) => {}
            done => return done,
        }
    }
}

/// Opens what a path means inside `root` as a place to mount on, making it where it is missing.
pub fn ensure(root: impl AsFd, path: &Path, wanted: Wanted) -> Result<OwnedFd> {
    ensure_through(root.as_fd(), path, wanted, LINKS)
}

fn ensure_through(root: BorrowedFd<'_>, path: &Path, wanted: Wanted, links: u8) -> Result<OwnedFd> {
    let what = || format!("cannot make \"{}\" in the container", path.display());
    match open(root, path, OFlags::PATH) {
        Err(Errno::NOENT) => {}
        done => return done.what(what),
    }
    let parent = match path.parent() {
        Some(parent) if parent != path => ensure_through(root, parent, Wanted::Directory, links)?,
        _ => return Err(Error::internal("a root directory that does not exist")),
    };
    let Some(name) = path.file_name() else {
        return Err(Error::new("its path ends with \"..\"")).what(what);
    };
    // A link that leads nowhere, such as /etc/resolv.conf to a service's file:
    // what it means is made.
    if let Ok(link) = rustix::fs::readlinkat(&parent, name, Vec::new()) {
        let link = Path::new(OsStr::from_bytes(link.as_bytes())).to_owned();
        let meant = path.parent().unwrap_or(Path::new("/")).join(link);
        return match links {
            0 => Err(Errno::LOOP).what(what),
            _ => ensure_through(root, &meant, wanted, links - 1),
        };
    }
    match wanted {
        Wanted::Directory => match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).what(what),
        },
        Wanted::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            match rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)) {
                Ok(_) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error).what(what),
            }
        }
    }
    open(root, path, OFlags::PATH).what(what)
}

/// Links that lead nowhere followed at most, as many as the kernel follows others.
const LINKS: u8 = 40;
