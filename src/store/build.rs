//! What builds leave behind: results of steps by their keys, directories that
//! outlive a build, and what was found out about a context's files.
//!
//! ```text
//! build/steps/<key>             { "layer": diff id or null, … }: what a step made
//! build/mounts/<hash>-<n>/      a cache mount: data/, mount.json; lock on the directory
//! build/contexts/<dev>-<ino>    digests of a directory's files (`ops::build::hashes`)
//! build/fetched/<hash>/         files and commits that were fetched (`ops::build::remote`)
//! ```
//!
//! A step's time of last use is its file's time of modification. A layer that a
//! step names is kept as an image's are; whoever deletes one deletes the step
//! first, and whoever finds a step without its layer takes it for unknown.
//!
//! Lives here: reading and writing these files.
//! Must not: know what a key is made of, or run anything.
//! Called by: `ops::build`, `store::gc`.
//! Always true: a file under its name is whole; losing any of them only costs time.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::spec::digest::Digest;
use crate::store::{Store, atomic};

/// What a step made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The layer, by its diff id; none when it changed nothing.
    pub layer: Option<Digest>,
    /// What was done, for people.
    pub step: String,
    /// Bytes of the layer's files.
    pub size: u64,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// A digest that the key was found by, where it takes long to find: of a step's sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
}

/// A step of the store, with its key and when it was last used.
#[derive(Clone, Debug)]
pub struct KnownStep {
    /// Its key.
    pub key: String,
    /// What it made.
    pub record: StepRecord,
    /// When it was last used.
    pub used: SystemTime,
}

/// A directory that outlives builds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MountRecord {
    /// What it is called in `--mount=type=cache,id=`.
    pub id: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

/// A cache mount of the store.
#[derive(Clone, Debug)]
pub struct KnownMount {
    /// Its directory.
    pub path: PathBuf,
    /// What is known of it.
    pub record: MountRecord,
    /// When it was last used.
    pub used: SystemTime,
}

impl Store {
    fn build_path(&self, what: &str) -> PathBuf {
        self.root().join("build").join(what)
    }

    /// Makes the directories of builds.
    pub fn prepare_build(&self) -> Result<()> {
        for name in ["steps", "mounts", "contexts", "fetched"] {
            let path = self.build_path(name);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .what(|| format!("cannot make \"{}\"", path.display()))?;
        }
        Ok(())
    }

    /// Returns what a step made, and notes that it was used.
    pub fn find_step(&self, key: &Digest) -> Option<StepRecord> {
        let path = self.build_path("steps").join(key.hex());
        let record = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        let now = SystemTime::now();
        if let Ok(file) = File::options().write(true).open(&path) {
            drop(file.set_modified(now));
        }
        Some(record)
    }

    /// Returns what a step made, if its layer is here, unpacked under an id map.
    pub fn find_whole_step(&self, key: &Digest, id_map: &str) -> Option<StepRecord> {
        let is_here = |layer: &Digest| self.has_layer(id_map, layer);
        self.find_step(key)
            .filter(|record| record.layer.as_ref().is_none_or(is_here))
    }

    /// Returns how long ago a step was made.
    pub fn step_age(record: &StepRecord) -> Duration {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        now.saturating_sub(Duration::from_secs(record.created.max(0).unsigned_abs()))
    }

    /// Keeps what a step made.
    pub fn save_step(&self, key: &Digest, record: &StepRecord) -> Result<()> {
        let place = self.build_path("steps").join(key.hex());
        self.write(&place, &serde_json::to_vec(record)?, false)
    }

    /// Forgets what a step made.
    pub fn forget_step(&self, key: &str) {
        drop(fs::remove_file(self.build_path("steps").join(key)));
    }

    /// Returns all steps.
    pub fn known_steps(&self) -> Vec<KnownStep> {
        let entries = fs::read_dir(self.build_path("steps"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let used = entry.metadata().ok()?.modified().ok()?;
                let record = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
                Some(KnownStep {
                    key: entry.file_name().into_string().ok()?,
                    record,
                    used,
                })
            })
            .collect()
    }

    /// Opens the `n`-th directory of a cache mount, made when it is missing; says whether it is new.
    pub fn open_mount(&self, id: &str, n: usize) -> Result<(PathBuf, File, bool)> {
        let hash = Digest::of(id.as_bytes());
        let name = format!("{}-{n}", &hash.hex()[..32]);
        let place = self.build_path("mounts").join(name);
        let what = || format!("cannot make the cache mount \"{id}\"");
        let open = || File::open(&place);
        if let Ok(file) = open() {
            return Ok((place.join("data"), file, false));
        }
        let staged = self.stage("mount").what(what)?;
        let record = MountRecord {
            id: id.to_owned(),
            created: crate::spec::time::Time::now().unix(),
        };
        fs::write(
            staged.path().join("mount.json"),
            serde_json::to_vec(&record)?,
        )
        .and_then(|()| fs::create_dir(staged.path().join("data")))
        .what(what)?;
        let new = match staged.publish(&place, false) {
            Ok(()) => true,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                false
            }
            Err(error) => return Err(error).what(what),
        };
        Ok((place.join("data"), open().what(what)?, new))
    }

    /// Returns all cache mounts.
    pub fn known_mounts(&self) -> Vec<KnownMount> {
        let entries = fs::read_dir(self.build_path("mounts"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let path = entry.path();
                let record = serde_json::from_slice(&fs::read(path.join("mount.json")).ok()?);
                Some(KnownMount {
                    used: entry.metadata().ok()?.modified().ok()?,
                    record: record.ok()?,
                    path,
                })
            })
            .collect()
    }

    /// Moves a cache mount out of the way, unless somebody uses it now; returns what is to be deleted.
    pub fn discard_mount(&self, mount: &KnownMount) -> Option<PathBuf> {
        let file = File::open(&mount.path).ok()?;
        file.try_lock().ok()?;
        self.discard(&mount.path).ok()
    }

    /// Moves all that was fetched out of the way; returns what is to be deleted.
    pub fn discard_fetched(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.build_path("fetched"));
        let entries = entries.into_iter().flatten().flatten();
        entries
            .filter_map(|entry| self.discard(&entry.path()).ok())
            .collect()
    }

    /// Returns where what is known of a context's files is kept.
    pub fn context_path(&self, device: u64, inode: u64) -> PathBuf {
        self.build_path("contexts")
            .join(format!("{device}-{inode}"))
    }

    /// Keeps what is known of a context's files.
    pub fn save_context(&self, device: u64, inode: u64, bytes: &[u8]) -> Result<()> {
        self.write(&self.context_path(device, inode), bytes, false)
    }

    /// Forgets what is known of all contexts.
    pub fn forget_contexts(&self) {
        let entries = fs::read_dir(self.build_path("contexts"));
        for entry in entries.into_iter().flatten().flatten() {
            atomic::delete(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StepRecord;
    use crate::spec::digest::Digest;
    use crate::store::Store;

    #[test]
    fn a_step_is_found_by_its_key_until_it_is_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        store.prepare_build().expect("made");
        let key = Digest::of(b"key");
        assert_eq!(store.find_step(&key), None);
        let record = StepRecord {
            layer: Some(Digest::of(b"layer")),
            step: "RUN true".to_owned(),
            size: 5,
            created: 7,
            content: None,
        };
        store.save_step(&key, &record).expect("saved");
        assert_eq!(store.find_step(&key), Some(record.clone()));
        assert!(Store::step_age(&record).as_secs() > 1_000_000);
        store.forget_step(key.hex());
        assert!(store.known_steps().is_empty());
    }

    #[test]
    fn a_mount_in_use_is_not_discarded() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        store.prepare_build().expect("made");
        let (data, lock, new) = store.open_mount("/root/.cache", 0).expect("made");
        assert!(new && data.is_dir());
        let (_, _, again) = store.open_mount("/root/.cache", 0).expect("there");
        assert!(!again);
        lock.lock_shared().expect("locked");
        let known = store.known_mounts();
        assert_eq!(known[0].record.id, "/root/.cache");
        assert_eq!(store.discard_mount(&known[0]), None);
        drop(lock);
        assert!(store.discard_mount(&known[0]).is_some());
        assert!(store.known_mounts().is_empty());
    }
}
