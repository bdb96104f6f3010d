//! A terminal for a container, from its own `devpts`.
//!
//! Lives here: making one inside, and its size.
//! Must not: touch the terminal of the person outside (`ops::relay`).
//! Called by: `sequence`, `ops::exec`, `ops::relay`.
//! Always true: the container never holds a terminal of the host.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;

use crate::error::{Context, Result};
use crate::runtime::inside;

/// Both ends of a terminal.
#[derive(Debug)]
pub struct Terminal {
    /// Held outside.
    pub master: OwnedFd,
    /// The program's.
    pub slave: OwnedFd,
}

/// Rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
}

/// Makes a terminal of the `devpts` that is mounted below `root`.
pub fn make(root: BorrowedFd<'_>) -> Result<Terminal> {
    let what = || "cannot make a terminal in the container";
    let master = inside::open(
        root,
        Path::new("dev/pts/ptmx"),
        OFlags::RDWR | OFlags::NOCTTY,
    )
    .what(what)?;
    rustix::pty::unlockpt(&master).what(what)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).what(what)?;
    Ok(Terminal { master, slave })
}

/// Returns a terminal's size, if it is one.
pub fn size_of(terminal: impl AsFd) -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some(Size {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}
