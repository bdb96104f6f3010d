//! Layers: tars unpacked once per id map, the lower directories of overlays.
//!
//! ```text
//! layers/<map>/<diff-id>/tree/        the files
//! layers/<map>/<diff-id>/layer.json   { "size": bytes of the files, "files": how many, "boot": see below }
//! layers/<map>/<diff-id>/durable      empty: the files have reached the disk
//! ```
//!
//! A layer whose blob is in the store need not wait for the disk, which takes as long as
//! unpacking it: it gets its name at once, counts in the boot in which it was unpacked,
//! and counts for ever when [`Store::settle_layers`] has waited for the disk, which a
//! child does that stays behind. So a process can be killed at any moment and nothing is
//! lost; a machine that loses power before that unpacks the layer again from its blob,
//! which was made durable before it got its name.
//!
//! Lives here: finding, staging and publishing of unpacked layers.
//! Must not: unpack (`image::layer`).
//! Called by: `image`, `ops`.
//! Always true: a layer that counts ([`Store::has_layer`]) is whole; nobody changes it
//! afterwards. `durable` is only made after the files of the layer were.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{IFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::spec::digest::Digest;
use crate::store::Store;
use crate::store::atomic::{self, Staged};

/// What is known of an unpacked layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// Bytes of its files.
    pub size: u64,
    /// How many entries it has.
    pub files: u64,
}

/// When a layer's files have to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Before it gets its name: no registry has what it is made of.
    Now,
    /// Some time after it: its blob is in the store, or what made it is done again.
    Later,
}

/// What `layer.json` says.
#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    info: LayerInfo,
    /// The boot in which it was unpacked; older layers say none, and were made durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
}

/// Layers that are settled at once at most: each is held open meanwhile.
const SETTLED_AT_ONCE: usize = 256;

impl Store {
    /// Returns the directory of an unpacked layer, there or not.
    pub fn layer_path(&self, id_map: &str, diff_id: &Digest) -> PathBuf {
        self.root().join("layers").join(id_map).join(diff_id.hex())
    }

    /// Returns the files of an unpacked layer, there or not.
    pub fn layer_tree(&self, id_map: &str, diff_id: &Digest) -> PathBuf {
        self.layer_path(id_map, diff_id).join("tree")
    }

    /// Says whether a layer is unpacked under an id map.
    pub fn has_layer(&self, id_map: &str, diff_id: &Digest) -> bool {
        counts(&self.layer_path(id_map, diff_id))
    }

    /// Returns what is known of a layer, unpacked under whichever map.
    pub fn layer_info(&self, diff_id: &Digest) -> Option<LayerInfo> {
        let maps = fs::read_dir(self.root().join("layers")).ok()?;
        maps.flatten().find_map(|map| {
            let path = map.path().join(diff_id.hex()).join("layer.json");
            serde_json::from_slice(&fs::read(path).ok()?).ok()
        })
    }

    /// Returns the bytes of a layer's files under one id map.
    pub fn layer_size(&self, id_map: &str, diff_id: &Digest) -> u64 {
        let path = self.layer_path(id_map, diff_id).join("layer.json");
        let info: Option<LayerInfo> = fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        info.map_or(0, |info| info.size)
    }

    /// Begins a layer: a directory with an empty `tree/` in it.
    pub fn stage_layer(&self) -> Result<Staged> {
        let staged = self.stage("layer")?;
        spread(staged.path());
        let tree = staged.path().join("tree");
        // The name it is made with decides where on the disk it lies.
        let first = staged.path().join(atomic::random_name());
        fs::create_dir(&first)
            .and_then(|()| fs::rename(&first, &tree))
            .what(|| format!("cannot make \"{}\"", tree.display()))?;
        Ok(staged)
    }

    /// Makes a layer of a directory, which is moved; `left_out` is removed from it, a
    /// directory before what is in it. It is durable when layers are settled.
    pub fn adopt_layer(
        &self,
        tree: &Path,
        left_out: &[Vec<u8>],
        id_map: &str,
        diff_id: &Digest,
        info: LayerInfo,
    ) -> Result<()> {
        let what = || format!("cannot store layer {diff_id}");
        let staged = self.stage_layer()?;
        let place = staged.path().join("tree");
        fs::rename(tree, &place).what(what)?;
        for path in left_out.iter().rev() {
            let path = place.join(OsStr::from_bytes(path));
            fs::remove_file(&path)
                .or_else(|_| fs::remove_dir(&path))
                .what(what)?;
        }
        self.publish_layer(staged, id_map, diff_id, info, Durable::Later)
    }

    /// Gives a layer its name. When somebody else was first, theirs stays.
    pub fn publish_layer(
        &self,
        staged: Staged,
        id_map: &str,
        diff_id: &Digest,
        info: LayerInfo,
        durable: Durable,
    ) -> Result<()> {
        let place = self.layer_path(id_map, diff_id);
        let boot = boot().filter(|_| durable == Durable::Later);
        let note = Note {
            info,
            boot: boot.map(str::to_owned),
        };
        let publish = || -> io::Result<()> {
            fs::create_dir_all(self.root().join("layers").join(id_map))?;
            fs::write(staged.path().join("layer.json"), serde_json::to_vec(&note)?)?;
            if note.boot.is_none() {
                // The files were written through the page cache: all of them are made
                // durable at once before the name says that they are there. The name
                // itself may be lost with the power: the layer is unpacked again then.
                atomic::sync_file_system(staged.path())?;
                File::create(staged.path().join(DURABLE))?;
            }
            // One that lost its power has the place, and does not count. Nobody else may
            // put a sound one there between the look and its removal.
            let mut turn = None;
            if place.exists() && !counts(&place) {
                let map = File::open(self.root().join("layers").join(id_map))?;
                map.lock()?;
                turn = Some(map);
                if !counts(&place) {
                    drop(self.discard(&place));
                }
            }
            match staged.publish(&place, false) {
                // Theirs was not, perhaps.
                Err(error) if is_there(&error) && note.boot.is_none() => self.settle(&place),
                Err(error) if is_there(&error) => Ok(()),
                done => done,
            }?;
            drop(turn);
            Ok(())
        };
        publish().what(|| format!("cannot store layer {diff_id}"))
    }

    /// Waits until the files of all layers that count have reached the disk, and notes it.
    pub fn settle_layers(&self) -> Result<()> {
        let what = || "cannot make unpacked layers durable";
        let fresh: Vec<File> = self
            .fresh_layers()
            .filter_map(|path| File::open(path).ok())
            .take(SETTLED_AT_ONCE)
            .collect();
        self.settle_open(&fresh).what(what)
    }

    /// The same for one layer that has its place.
    fn settle(&self, layer: &Path) -> io::Result<()> {
        match layer.join(DURABLE).exists() {
            true => Ok(()),
            false => self.settle_open(&[File::open(layer)?]),
        }
    }

    fn settle_open(&self, fresh: &[File]) -> io::Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        atomic::sync_file_system(&self.root().join("layers"))?;
        for layer in fresh {
            // By what is open: another layer may have the name by now.
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            match rustix::fs::openat(layer, DURABLE, flags, Mode::from_raw_mode(0o644)) {
                Err(rustix::io::Errno::NOENT) => {}
                made => drop(made?),
            }
        }
        Ok(())
    }

    /// Says whether there is something to settle.
    pub fn has_fresh_layers(&self) -> bool {
        self.fresh_layers().next().is_some()
    }

    /// Returns the layers that count in this boot, and perhaps not after the next one.
    fn fresh_layers(&self) -> impl Iterator<Item = PathBuf> {
        self.all_layers()
            .into_iter()
            .map(|(map, diff_id)| self.layer_path(&map, &diff_id))
            .filter(|path| !path.join(DURABLE).exists() && counts(path))
    }
}

/// Says whether a layer may be used: its files are on the disk, or nothing has happened
/// since they were written.
fn counts(layer: &Path) -> bool {
    if !layer.join("tree").is_dir() {
        return false;
    }
    if layer.join(DURABLE).exists() {
        return true;
    }
    let note = fs::read(layer.join("layer.json")).ok();
    let note = note.and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
    note.is_some_and(|note| note.boot.is_none_or(|unpacked| Some(&*unpacked) == boot()))
}

const DURABLE: &str = "durable";

/// Returns what the kernel calls the time since it was started.
fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned()).filter(|id| !id.is_empty())
    };
    BOOT.get_or_init(read).as_deref()
}

/// Tells ext4 that the directories made in one belong to nothing else (chattr(1), `T`):
/// each layer gets a region of the disk of its own, by its name's hash. Layers that are
/// unpacked at the same time do not wait for each other, and few are put where another was
/// just deleted, which without a journal makes every new file look at all those that have
/// gone. Other file systems need no such word and refuse it.
fn spread(directory: &Path) {
    let Ok(directory) = File::open(directory) else {
        return;
    };
    let set = |flags| rustix::fs::ioctl_setflags(&directory, flags | IFlags::TOPDIR);
    rustix::fs::ioctl_getflags(&directory).and_then(set).ok();
}

fn is_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{DURABLE, Durable, LayerInfo};
    use crate::spec::digest::Digest;
    use crate::store::Store;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        (dir, store)
    }

    /// Publishes a layer with one file that holds `text`; returns its directory.
    fn publish(store: &Store, diff_id: &Digest, text: &str, durable: Durable) -> PathBuf {
        let staged = store.stage_layer().expect("staged");
        fs::write(staged.path().join("tree/f"), text).expect("written");
        let info = LayerInfo { size: 1, files: 1 };
        store
            .publish_layer(staged, "single", diff_id, info, durable)
            .expect("published");
        store.layer_path("single", diff_id)
    }

    /// What the disk holds of a layer after the power went in another boot.
    fn lose_power(layer: &std::path::Path) {
        let note = r#"{"size":1,"files":1,"boot":"another"}"#;
        fs::write(layer.join("layer.json"), note).expect("written");
    }

    #[test]
    fn a_layer_counts_at_once_and_after_a_boot_only_when_it_was_settled() {
        let (_dir, store) = store();
        let diff_id = Digest::of(b"one");
        let layer = publish(&store, &diff_id, "old", Durable::Later);
        assert!(store.has_layer("single", &diff_id) && store.has_fresh_layers());
        lose_power(&layer);
        assert!(!store.has_layer("single", &diff_id) && !store.has_fresh_layers());
        store.settle_layers().expect("nothing to do");
        assert!(!layer.join(DURABLE).exists(), "nobody knows what it holds");
        // It is unpacked again into the same place.
        publish(&store, &diff_id, "new", Durable::Later);
        assert_eq!(fs::read(layer.join("tree/f")).expect("there"), b"new");
        store.settle_layers().expect("settled");
        lose_power(&layer);
        assert!(store.has_layer("single", &diff_id) && !store.has_fresh_layers());
    }

    #[test]
    fn a_layer_without_its_note_does_not_count() {
        let (_dir, store) = store();
        let diff_id = Digest::of(b"one");
        let layer = publish(&store, &diff_id, "x", Durable::Later);
        for spoilt in ["", "{\"size\":1"] {
            fs::write(layer.join("layer.json"), spoilt).expect("written");
            assert!(!store.has_layer("single", &diff_id), "{spoilt:?}");
        }
        // As older versions left them, durable.
        fs::write(layer.join("layer.json"), r#"{"size":1,"files":1}"#).expect("written");
        assert!(store.has_layer("single", &diff_id));
    }

    #[test]
    fn a_layer_without_a_blob_is_durable_when_it_has_its_name() {
        let (_dir, store) = store();
        let diff_id = Digest::of(b"one");
        let layer = publish(&store, &diff_id, "first", Durable::Now);
        assert!(layer.join(DURABLE).exists() && !store.has_fresh_layers());
        publish(&store, &diff_id, "second", Durable::Now);
        assert_eq!(fs::read(layer.join("tree/f")).expect("there"), b"first");
        // One that somebody else has just unpacked, and that has its blob, is waited for.
        let other = Digest::of(b"other");
        let layer = publish(&store, &other, "first", Durable::Later);
        assert!(!layer.join(DURABLE).exists());
        publish(&store, &other, "second", Durable::Now);
        assert_eq!(fs::read(layer.join("tree/f")).expect("there"), b"first");
        assert!(layer.join(DURABLE).exists() && !store.has_fresh_layers());
    }
}
