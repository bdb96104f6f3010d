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
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, openat, renameat, statat, unlinkat,
};

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

/// Deletes a file or a whole directory, also one whose permissions forbid it (a volatile
/// overlay leaves directories of mode 0 in its work directory), and however deep its
/// directories are in each other: a program can make more levels than a process may
/// have descriptors. What cannot be deleted is left.
pub fn delete(path: &Path) {
    if fs::remove_file(path).is_ok() {
        return;
    }
    if let Some(top) = directory(CWD, path) {
        let mut raised = Vec::new();
        empty(&top, &top, LEVELS, &mut raised);
        while let Some(name) = raised.pop() {
            if let Some(inner) = directory(&top, &name) {
                empty(&inner, &top, LEVELS, &mut raised);
            }
            unlinkat(&top, &name, AtFlags::REMOVEDIR).ok();
        }
    }
    drop(fs::remove_dir(path));
}

/// Deletes what is in a directory. What is too deep below it is raised to `top` first.
fn empty(from: &OwnedFd, top: &OwnedFd, levels: u32, raised: &mut Vec<String>) {
    for entry in Dir::read_from(from).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if unlinkat(from, name, AtFlags::empty()).is_ok() {
            continue;
        }
        if levels == 0 {
            let place = random_name();
            // A directory that moves has its `..` written.
            let opened = directory(from, name);
            if opened.is_some() && renameat(from, name, top, &place).is_ok() {
                raised.push(place);
            }
            continue;
        }
        if let Some(inner) = directory(from, name) {
            empty(&inner, top, levels - 1, raised);
        }
        unlinkat(from, name, AtFlags::REMOVEDIR).ok();
    }
}

/// Opens a directory to delete what is in it; no link is followed.
fn directory<P: rustix::path::Arg + Copy>(at: impl AsFd, path: P) -> Option<OwnedFd> {
    let stat = statat(&at, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        return None;
    }
    chmodat(&at, path, Mode::RWXU, AtFlags::empty()).ok();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, path, flags, Mode::empty()).ok()
}

/// Directories in each other that are open at a time; each has two descriptors.
const LEVELS: u32 = 100;

/// Says that nobody is making a thing, and keeps it so while the lock is held;
/// some things cannot be opened, and so nobody's lock is on them.
pub(super) fn claim(path: &Path) -> Option<Option<File>> {
    let open = File::options()
        .read(true)
        .custom_flags(
            (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
                .bits()
                .cast_signed(),
        )
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
    fn a_link_among_what_is_deleted_is_not_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (dir, store) = store();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).expect("made");
        std::fs::write(outside.join("file"), "kept").expect("written");
        let mode = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(&outside, mode).expect("set");
        let mut place = store.tmp().join("trash-1");
        for _ in 0..super::LEVELS * 2 + 5 {
            std::fs::create_dir(&place).expect("made");
            symlink(&outside, place.join("link")).expect("linked");
            std::fs::write(place.join("file"), "gone").expect("written");
            place = place.join("d");
        }
        super::delete(&store.tmp().join("trash-1"));
        assert!(!store.tmp().join("trash-1").exists());
        let meta = std::fs::metadata(&outside).expect("there");
        assert_eq!(meta.permissions().mode() & 0o777, 0o500);
        assert!(outside.join("file").exists());
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
    fn a_write_replaces_the_whole_file() {
        let (_dir, store) = store();
        let place = store.root().join("x.json");
        store.write(&place, b"one", true).expect("written");
        store.write(&place, b"2", false).expect("written");
        assert_eq!(std::fs::read(&place).expect("read"), b"2");
        assert_eq!(std::fs::read_dir(store.tmp()).expect("listed").count(), 0);
    }
}
