//! What `ADD` fetches: files by URL and repositories of git.
//!
//! Lives here: putting what was fetched into the tree.
//! Must not: fetch (`remote`): that is done before steps run, outside of their namespaces.
//! Called by: `step`.
//! Always true: a file has mode 0600 and the server's time, as docker has it.

use std::fs::File;
use std::os::fd::AsFd;

use crate::error::{Context, Result};
use crate::ops::build::archive;
use crate::ops::build::copy::{Target, Writer};
use crate::ops::build::gather::Look;
use crate::ops::build::graph::{CopyWork, Fetch};

/// Puts what was fetched where it was asked for.
pub fn place(
    writer: &mut Writer<'_>,
    fetched: &Fetch,
    work: &CopyWork,
    target: &Target<'_>,
) -> Result<()> {
    let what = || format!("cannot add \"{}\"", fetched.url);
    match &fetched.name {
        Some(name) => {
            let mut file = File::open(&fetched.path).what(what)?;
            if work.unpack_fetched
                && let Some(tar) = archive::recognize(file.try_clone()?)?
            {
                return writer.unpack(tar, &work.target).what(what);
            }
            std::io::Seek::rewind(&mut file)?;
            writer
                .write(name, &mut file, 0o600, fetched.modified, target)
                .what(what)
        }
        None => {
            let root = File::open(&fetched.path).what(what)?;
            let mut look = Look {
                root: root.as_fd(),
                ignore: None,
                owners: false,
                hashes: None,
                name: "the repository",
                left_out: 0,
            };
            let piece = look.piece(b"", None)?;
            let target = Target {
                directory: true,
                ..*target
            };
            writer.copy(root.as_fd(), &piece, &target).what(what)
        }
    }
}
