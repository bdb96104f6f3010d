//! An unpacked layer beside the same layer unpacked once more.
//!
//! Lives here: the first difference between the two, in words.
//! Must not: change either.
//! Called by: `ops::check`, in a process that may read files of all ids.
//! Always true: a name on one side only, another type, mode, owner, attribute, target,
//! content or time is a difference; what the kernel notes down for itself is none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::io::Errno;

use crate::image::layer::shown;
use crate::image::layer::tree::{OPAQUE, WHITEOUT};

/// Returns the first difference between a tree and what it should be. The times of
/// directories are not compared: a layer made here had entries taken out of it that are
/// not in its tar.
pub fn trees(is: &Path, should: &Path, below: &Path) -> io::Result<Option<String>> {
    let list = |top: &Path| -> io::Result<Vec<_>> {
        let mut names = fs::read_dir(top.join(below))?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    };
    let (there, wanted) = (list(is)?, list(should)?);
    let show = |path: &Path| shown(path.as_os_str().as_encoded_bytes());
    if let Some(lost) = wanted
        .iter()
        .find(|name| there.binary_search(name).is_err())
    {
        return Ok(Some(format!("{} is missing", show(&below.join(lost)))));
    }
    if let Some(strange) = there
        .iter()
        .find(|name| wanted.binary_search(name).is_err())
    {
        return Ok(Some(format!(
            "{} does not belong to it",
            show(&below.join(strange))
        )));
    }
    for name in wanted {
        let path = below.join(name);
        if let Some(what) = differ(&is.join(&path), &should.join(&path))? {
            return Ok(Some(format!("{} has {what}", show(&path))));
        }
        if fs::symlink_metadata(should.join(&path))?.is_dir()
            && let Some(deeper) = trees(is, should, &path)?
        {
            return Ok(Some(deeper));
        }
    }
    Ok(None)
}

fn differ(is: &Path, should: &Path) -> io::Result<Option<&'static str>> {
    let (a, b) = (fs::symlink_metadata(is)?, fs::symlink_metadata(should)?);
    match (hides(is, &a), hides(should, &b)) {
        (true, true) => return Ok(None),
        (false, false) => {}
        (true, false) => return Ok(Some("become a mark that hides")),
        (false, true) => return Ok(Some("lost the mark that hides what is below")),
    }
    if a.file_type() != b.file_type() {
        return Ok(Some("another type"));
    }
    if a.mode() != b.mode() {
        return Ok(Some("another mode"));
    }
    if (a.uid(), a.gid()) != (b.uid(), b.gid()) {
        return Ok(Some("another owner"));
    }
    if attributes(is)? != attributes(should)? {
        return Ok(Some("other extended attributes"));
    }
    if a.is_symlink() && fs::read_link(is)? != fs::read_link(should)? {
        return Ok(Some("another target"));
    }
    if a.is_file() {
        if a.len() != b.len() {
            return Ok(Some("another size"));
        }
        if !same_content(is, should)? {
            return Ok(Some("other content"));
        }
    }
    if a.rdev() != b.rdev() {
        return Ok(Some("another device number"));
    }
    // A layer made here has finer times than its tar.
    let same_time = a.is_dir() || a.mtime() == b.mtime();
    Ok((!same_time).then_some("another time"))
}

/// A whiteout has two forms: a device of number 0, or an empty file with a mark.
fn hides(path: &Path, meta: &fs::Metadata) -> bool {
    let mut none = [0_u8; 0];
    (meta.file_type().is_char_device() && meta.rdev() == 0)
        || (meta.is_file()
            && meta.len() == 0
            && rustix::fs::lgetxattr(path, WHITEOUT, &mut none).is_ok())
}

/// Returns the extended attributes that a layer brings: not those that the kernel keeps
/// for itself while it stacks layers, and not the owner of which a user without
/// subordinate ids has to make a note.
fn attributes(path: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut names = vec![0; 64 << 10];
    let count = match rustix::fs::llistxattr(path, &mut names) {
        Ok(count) => count,
        Err(Errno::NOTSUP) => 0,
        Err(errno) => return Err(errno.into()),
    };
    let mut found = BTreeMap::new();
    for name in names[..count].split(|byte| *byte == 0) {
        let brought = name == b"security.capability"
            || name == OPAQUE.as_bytes()
            || (name.starts_with(b"user.")
                && !name.starts_with(b"user.overlay.")
                && name != b"user.rpod.owner");
        if !brought {
            continue;
        }
        let mut value = vec![0; 64 << 10];
        let count = rustix::fs::lgetxattr(path, name, &mut value)?;
        value.truncate(count);
        // Another value than this marks only that there are whiteouts below.
        if name != OPAQUE.as_bytes() || value == b"y" {
            found.insert(name.to_vec(), value);
        }
    }
    Ok(found)
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut a, mut b) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let count = one.read(&mut a)?;
        if count == 0 {
            return Ok(other.read(&mut b)? == 0);
        }
        if other.read_exact(&mut b[..count]).is_err() || a[..count] != b[..count] {
            return Ok(false);
        }
    }
}
