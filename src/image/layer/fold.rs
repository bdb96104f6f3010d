//! Several layers made into one.
//!
//! ```text
//! for each layer, the lowest first:
//!   1. what it hides or replaces is taken out of the tree, as an overlay would not show it
//!   2. its tar is unpacked into the tree, whiteouts and all
//! at the end: whiteouts go that hide nothing of the layers below
//! ```
//!
//! A directory that comes where something else was, or where a whiteout is, becomes
//! opaque: else what the layers below have in theirs would show again.
//!
//! Lives here: [`fold`].
//! Must not: know the store, or which layers are meant.
//! Called by: `ops::build`.
//! Always true: the layers that are folded are not changed; of the tree, no link is
//! followed, since on the way to a name all is made a directory first.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufReader, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::changes::{self, Kind, Scope};
use super::write::{self, Options};
use super::{tree, unpack_plain};
use crate::error::{Context, Result};
use crate::spec::idmap::IdMap;
use crate::store::atomic;

/// Folds layers, the lowest first, into an empty directory that lies upon `below`. A file
/// without a name is filled on the way.
///
/// The caller is root of the user namespace whose ids the files have.
pub fn fold(
    layers: &[PathBuf],
    below: &[PathBuf],
    to: &Path,
    mut file: File,
    ids: &IdMap,
) -> Result<()> {
    for layer in layers {
        make_way(layer, to)?;
        file.set_len(0)?;
        file.rewind()?;
        write::write(layer, Options::default(), &file)?;
        file.rewind()?;
        unpack_plain(BufReader::with_capacity(256 << 10, &file), to, ids)?;
    }
    drop_idle_marks(to, below)
}

fn place(tree: &Path, path: &[u8]) -> PathBuf {
    tree.join(OsStr::from_bytes(path))
}

/// Takes away what a layer hides or replaces.
fn make_way(layer: &Path, to: &Path) -> Result<()> {
    let each = &mut |change: &changes::Change<'_>| -> Result<()> {
        if change.path.is_empty() {
            return Ok(());
        }
        let place = place(to, change.path);
        let there = fs::symlink_metadata(&place).ok();
        match (&change.kind, there) {
            (_, None) => Ok(()),
            (Kind::Directory { opaque, .. }, Some(meta)) if meta.is_dir() => {
                if *opaque {
                    for entry in fs::read_dir(&place)? {
                        atomic::delete(&entry?.path());
                    }
                }
                Ok(())
            }
            (Kind::Directory { .. }, Some(_)) => {
                fs::remove_file(&place)?;
                fs::create_dir(&place)?;
                tree::make_opaque(&File::open(&place)?)
            }
            (_, Some(_)) => {
                atomic::delete(&place);
                Ok(())
            }
        }
    };
    changes::walk(layer, Scope::default(), each).map(drop)
}

/// Takes away marks that hide nothing.
fn drop_idle_marks(to: &Path, below: &[PathBuf]) -> Result<()> {
    let scope = Scope {
        below,
        mount_points: &[],
    };
    let mut idle = Vec::new();
    changes::walk(to, scope, &mut |change| {
        match change.kind {
            Kind::Whiteout if change.below.is_none() => idle.push(place(to, change.path)),
            Kind::Directory {
                fd, opaque: true, ..
            } if change.below.is_none() => tree::make_transparent(fd)?,
            _ => {}
        }
        Ok(())
    })?;
    for path in idle {
        fs::remove_file(&path).what(|| format!("cannot remove \"{}\"", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;
    use std::path::{Path, PathBuf};

    use super::fold;
    use crate::image::layer::unpack_plain;
    use crate::image::layer::write::{self, Options};
    use crate::spec::idmap::IdMap;

    /// A layer's tree of `path=content`; a path that ends with a slash is a directory.
    fn layer(dir: &Path, name: &str, entries: &[&str]) -> PathBuf {
        let mut tar = tar::Builder::new(Vec::new());
        for entry in entries {
            let (path, content) = entry.split_once('=').unwrap_or((entry, ""));
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o755);
            header.set_mtime(1000);
            header.set_size(content.len() as u64);
            if path.ends_with('/') {
                header.set_entry_type(tar::EntryType::Directory);
            }
            tar.append_data(&mut header, path, content.as_bytes())
                .expect("appended");
        }
        let tree = dir.join(name);
        fs::create_dir(&tree).expect("made");
        let bytes = tar.into_inner().expect("ended");
        unpack_plain(Cursor::new(bytes), &tree, &ids()).expect("unpacked");
        tree
    }

    fn ids() -> IdMap {
        IdMap::single(
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        )
    }

    #[test]
    fn what_later_layers_hide_is_gone_and_what_is_below_stays_hidden() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let base = layer(dir, "base", &["d/", "d/old=1", "f=1", "e/", "e/old=1"]);
        let layers = [
            layer(
                dir,
                "one",
                &["own=1", "d/", "d/new=1", ".wh.f", "x/", "x/y=1", ".wh.e"],
            ),
            layer(
                dir,
                "two",
                &[
                    ".wh.own",
                    "f/",
                    "f/in=2",
                    "d/",
                    "d/.wh..wh..opq",
                    "d/last=2",
                    "x=2",
                    "e/",
                    "e/new=2",
                ],
            ),
        ];
        let to = dir.join("to");
        fs::create_dir(&to).expect("made");
        let file = tempfile::tempfile().expect("a file");
        fold(&layers, &[base], &to, file, &ids()).expect("folded");
        let mut tar = Vec::new();
        write::write(&to, Options::default(), &mut tar).expect("written");
        let mut archive = tar::Archive::new(tar.as_slice());
        let names: Vec<String> = archive
            .entries()
            .expect("entries")
            .map(|e| {
                e.expect("one")
                    .path()
                    .expect("a path")
                    .display()
                    .to_string()
            })
            // The top itself is written where its owner is not root.
            .filter(|name| name != "./")
            .collect();
        assert_eq!(
            names,
            [
                "d/",
                "d/.wh..wh..opq",
                "d/last",
                "e/",
                "e/.wh..wh..opq",
                "e/new",
                "f/",
                "f/.wh..wh..opq",
                "f/in",
                "x"
            ]
        );
    }
}
