//! Writing so that a reader sees the old or the new, never a half.
//!
//! ```text
//! tmp/<what>-<random>     a directory or file that somebody is making; its maker
//!                         holds flock(2) on it, so that it is known to be alive
//! tmp/trash-<random>      waits to be deleted; nobody holds a lock on it
//! ```
//!
//! Lives here: staging, publishing, and finding what a dead process left; `gc` deletes it.
//! Must not: know what is being written.
//! Called by: the other files of this room.
//! Always true: whatever in `tmp/` can be locked is garbage.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, chmodat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::spec::id::hex;
use crate::store::Store;

/// A directory in `tmp/` that this process is filling; deleted when dropped unpublished.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    _lock: File,
    published: bool,
}

impl Staged {
    /// Returns where it stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its place. With `sync`, it survives the loss of power as well.
    ///
    /// # Errors
    /// `AlreadyExists` or `DirectoryNotEmpty` when somebody else was first.
    pub fn publish(mut self, place: &Path, sync: bool) -> io::Result<()> {
        if sync {
            sync_path(&self.path)?;
        }
        fs::rename(&self.path, place)?;
        self.published = true;
        if sync {
            sync_parent(place)?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be deleted now (files of other ids) is swept later.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

impl Store {
    /// Makes a directory in `tmp/` that is this process's until it is published.
    pub fn stage(&self, what: &str) -> Result<Staged> {
        loop {
            let path = self.tmp().join(format!("{what}-{}", random_name()));
            fs::DirBuilder::new()
                .mode(0o755)
                .create(&path)
                .what(|| format!("cannot make \"{}\"", path.display()))?;
            let lock = match File::open(&path) {
                // A sweeper took it for garbage before we could lock it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.what(|| format!("cannot open \"{}\"", path.display()))?,
            };
            // Or it holds the lock now, and is deleting it.
            if lock.try_lock().is_ok() && fs::symlink_metadata(&path).is_ok_and(|m| same(&m, &lock))
            {
                return Ok(Staged {
                    path,
                    _lock: lock,
                    published: false,
                });
            }
        }
    }

    /// Makes an open, empty file in `tmp/`, locked by this process.
    pub fn stage_file(&self, what: &str) -> Result<(PathBuf, File)> {
        loop {
            let path = self.tmp().join(format!("{what}-{}", random_name()));
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&path)
                .what(|| format!("cannot make \"{}\"", path.display()))?;
            if file.try_lock().is_ok() && fs::symlink_metadata(&path).is_ok_and(|m| same(&m, &file))
            {
                return Ok((path, file));
            }
        }
    }

    /// Replaces a file's content in one step. With `sync`, it survives the loss of power as well.
    pub fn write(&self, place: &Path, bytes: &[u8], sync: bool) -> Result<()> {
        let (path, mut file) = self.stage_file("file")?;
        let written = file.write_all(bytes).and_then(|()| {
            if sync {
                file.sync_all()?;
            }
            fs::rename(&path, place)?;
            if sync { sync_parent(place) } else { Ok(()) }
        });
        if written.is_err() {
            drop(fs::remove_file(&path));
        }
        written.what(|| format!("cannot write \"{}\"", place.display()))
    }

    /// Moves something out of the way, to be deleted by whoever sweeps.
    ///
    /// # Errors
    /// `NotFound` when it has gone already.
    pub fn discard(&self, path: &Path) -> io::Result<PathBuf> {
        let trash = self.tmp().join(format!("trash-{}", random_name()));
        fs::rename(path, &trash)?;
        Ok(trash)
    }

    /// Returns what nobody alive is making: left by a process that was killed, or discarded.
    pub fn garbage(&self) -> Vec<PathBuf> {
        self.staged()
            .into_iter()
            .filter(|path| claim(path).is_some())
            .collect()
    }

    /// Returns all that is in `tmp/`.
    pub(super) fn staged(&self) -> Vec<PathBuf> {
        fs::read_dir(self.tmp())
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .collect()
    }
}

/// Deletes a file or a whole directory, also one whose permissions forbid it, or that is
/// deeper than descriptors may be open.
pub fn delete(path: &Path) {
    if fs::remove_file(path).is_ok() || fs::remove_dir_all(path).is_ok() {
        return;
    }
    drop(delete_deep(path));
}

/// Levels of a directory that are open at once. What lies deeper is moved up to the top, and
/// its turn comes there.
const LEVELS: usize = 64;

fn delete_deep(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    let top = File::open(path)?;
    while empty(&top, &top, 0)? {}
    fs::remove_dir(path)
}

/// Empties a directory; says whether anything was moved up.
fn empty(top: &File, directory: &File, level: usize) -> io::Result<bool> {
    let mut moved = false;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match unlinkat(directory, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => {}
            // What is moved up may be read twice.
            Err(Errno::NOENT) => continue,
            done => {
                done?;
                continue;
            }
        }
        if level == LEVELS {
            renameat(directory, name, top, random_name())?;
            moved = true;
            continue;
        }
        // A volatile overlay leaves directories of mode 0 in its work directory.
        chmodat(directory, name, Mode::RWXU, AtFlags::empty())?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inner = File::from(openat(directory, name, flags, Mode::empty())?);
        moved |= empty(top, &inner, level + 1)?;
        unlinkat(directory, name, AtFlags::REMOVEDIR)?;
    }
    Ok(moved)
}

/// Says that nobody is making a thing, and keeps it so while the lock is held;
/// some things cannot be opened, and so nobody's lock is on them.
pub(super) fn claim(path: &Path) -> Option<Option<File>> {
    let open = File::options()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path);
    match open {
        Ok(file) => file.try_lock().is_ok().then_some(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        // A symbolic link, or a directory whose mode forbids opening it: nothing a maker holds.
        Err(_) => Some(None),
    }
}

pub(super) fn same(meta: &fs::Metadata, file: &File) -> bool {
    file.metadata()
        .is_ok_and(|m| m.ino() == meta.ino() && m.dev() == meta.dev())
}

/// Makes what a directory lists durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => sync_path(parent),
        None => Ok(()),
    }
}

/// Makes a file, or the list of a directory, durable.
pub fn sync_path(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes durable whatever was written to the file system of `path` before the call
/// (syncfs(2)); it waits for what everybody wrote.
pub fn sync_file_system(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(path)?)?)
}

/// Returns 16 hexadecimal digits that nobody else has.
pub fn random_name() -> String {
    hex(&random_bytes::<8>())
}

/// Returns random bytes of the kernel's.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        // getrandom(2) fails only where the kernel has no such call, and waits
        // only in the first moments of a boot.
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                .unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use crate::store::Store;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        (dir, store)
    }

    #[test]
    fn what_is_being_made_is_no_garbage_until_its_maker_has_gone() {
        let (_dir, store) = store();
        let staged = store.stage("layer").expect("staged");
        let path = staged.path().to_owned();
        // flock(2) belongs to the open file: another open of ours is refused as a stranger's is.
        assert!(store.garbage().is_empty());
        std::mem::forget(staged.path().to_owned());
        drop(staged);
        assert!(!path.exists());
        std::fs::create_dir(store.tmp().join("layer-dead")).expect("made");
        assert_eq!(store.garbage().len(), 1);
        store.sweep();
        assert!(store.garbage().is_empty());
    }

    #[test]
    fn threads_that_sync_at_once_all_come_back() {
        let (_dir, store) = store();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| super::sync_file_system(store.root()).expect("synced"));
            }
        });
        assert!(super::sync_file_system(&store.root().join("missing")).is_err());
    }

    #[test]
    fn what_is_deeper_than_descriptors_may_be_open_is_deleted() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let top = dir.path().join("top");
        // Longer than any path may be: piece by piece, each into the bottom of the next.
        let piece = "d/".repeat(500);
        for round in 0..6 {
            let next = dir.path().join(format!("next{round}"));
            std::fs::create_dir_all(next.join(&piece)).expect("made");
            std::fs::write(next.join(&piece).join("file"), "x").expect("written");
            if round > 0 {
                std::fs::rename(&top, next.join(&piece).join("d")).expect("moved");
            }
            std::fs::rename(&next, &top).expect("moved");
        }
        let closed = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(top.join("d/d/d"), closed).expect("changed");
        std::fs::create_dir(top.join("empty")).expect("made");
        super::delete_deep(&top).expect("deleted");
        assert!(!top.exists());
    }

    #[test]
    fn a_write_replaces_the_whole_file() {
        let (_dir, store) = store();
        let place = store.root().join("x.json");
        store.write(&place, b"one", true).expect("written");
        store.write(&place, b"2", false).expect("written");
        assert_eq!(std::fs::read(&place).expect("read"), b"2");
        assert_eq!(std::fs::read_dir(store.tmp()).expect("listed").count(), 0);
    }
}
