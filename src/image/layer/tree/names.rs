//! Names: made plain, taken apart, and read as marks.
//!
//! Lives here: what a name says, without the disk.
//! Must not: open anything.
//! Called by: `tree`, and by the way back (`changes`, `write`).
//! Always true: a plain name stays below the root whatever it was before.

use super::{DEPTH_LIMIT, NAME_LIMIT};
use crate::error::{Error, Result};

/// A name that means something to the layers below.
pub enum Mark<'a> {
    /// Nothing of this directory shows from below.
    Opaque(&'a [u8]),
    /// This name in this directory does not show.
    Whiteout(&'a [u8], &'a [u8]),
    /// A note that other tools made for themselves.
    Ignored,
}

/// Reads the mark in a plain path, if it is one (OCI image spec, layer.md, "Whiteouts").
pub fn mark(path: &[u8]) -> Result<Option<Mark<'_>>> {
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
