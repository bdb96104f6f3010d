//! Garbage: what nothing in the store leads to any more.
//!
//! ```text
//! index.json ─▶ lists ─▶ manifests ─┬─▶ configurations ─▶ unpacked layers, of every id map
//!                                   └─▶ blobs of layers
//! containers/<id>/container.json ───────▶ unpacked layers
//! build/steps/<key>                 ────▶ layers that a step of a build made, and their blobs
//! partial/<digest>                        kept for PARTIAL_LIFE, so that a pull goes on
//! partial/<digest>.lock                   kept while somebody holds it
//! tmp/…                                   kept while its maker lives (`atomic`)
//! tmp/container-…, its maker dead         the anonymous volumes that it names go with it
//! ```
//!
//! Whoever adds blobs or layers holds a shared lease until the index names them;
//! whoever collects holds it alone, or waits, or leaves it to the next:
//!
//! ```text
//! pull, load, commit, build    let _lease = store.lease()?;
//! rmi, prune                   store.collect(Patience::Skip, …)
//! the child they leave behind  store.collect(Patience::Wait, …)
//! ```
//!
//! Lives here: the lease, the walk, and taking what it did not reach out of its place.
//! Must not: decide that an image or a container goes (`ops`).
//! Called by: `image` for the lease, `ops` and `role` for the rest.
//! Always true: the lease is flock(2) on a directory, so it ends with whoever
//! holds it; a collection reads, renames and deletes, and needs no room, so that
//! it works on a full disk; where a document that is reached cannot be read,
//! nobody knows what it leads to, and every blob and layer stays.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::error::{Context, Error, Kind, Result};
use crate::spec::container::Record;
use crate::spec::digest::Digest;
use crate::store::Store;
use crate::store::artifacts::is_image_config;
use crate::store::atomic::{claim, delete};
use crate::store::images::{DOCUMENT_LIMIT, Entry, parse_document};

/// How long the beginning of a blob is kept for a pull that goes on: 7 days after its last byte.
pub const PARTIAL_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Keeps collectors away while it lives.
#[derive(Debug)]
#[must_use = "it is given back when it is dropped"]
pub struct Lease(#[allow(dead_code, reason = "it is held open, and the lock with it")] File);

/// What a collector does while somebody adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It leaves all as it is.
    Skip,
    /// It waits for the end of it, unless another one waits already.
    Wait,
}

/// Which beginnings of blobs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partials {
    /// Those older than [`PARTIAL_LIFE`].
    Expired,
    /// All.
    All,
}

/// One thing that nothing leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// A blob.
    Blob(Digest),
    /// An unpacked layer: its id map and its diff id.
    Layer(String, Digest),
    /// The beginning of a blob: its file's name.
    Partial(String),
}

/// What was found, or collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The things.
    pub things: Vec<Garbage>,
    /// Bytes they hold.
    pub bytes: u64,
    /// Documents that are reached and cannot be read: because of them no blob and no
    /// layer is garbage.
    pub unreadable: Vec<Digest>,
}

/// What the index and the containers lead to.
#[derive(Debug, Default)]
pub struct Reached {
    /// Blobs.
    pub blobs: HashSet<Digest>,
    /// Layers, by their diff ids.
    pub layers: HashSet<Digest>,
    /// Documents that cannot be read.
    pub unreadable: Vec<Digest>,
}

impl Store {
    /// Keeps collectors away until the lease is dropped. For whoever adds blobs or
    /// layers, until the index names them; waits while somebody collects.
    pub fn lease(&self) -> Result<Lease> {
        let what = || "cannot keep others from collecting what is being added";
        let directory = self.lease_directory().what(what)?;
        directory.lock_shared().what(what)?;
        Ok(Lease(directory))
    }

    /// Returns the lease for one alone; nothing while others add, or another waits for it.
    pub fn lease_alone(&self, patience: Patience) -> Result<Option<Lease>> {
        let what = || "cannot wait for those who add to the store";
        let directory = self.lease_directory().what(what)?;
        if directory.try_lock().is_ok() {
            return Ok(Some(Lease(directory)));
        }
        if patience == Patience::Skip {
            return Ok(None);
        }
        // One that waits is enough: it walks when all are done.
        let turn = File::open(self.root().join("layers")).what(what)?;
        if turn.try_lock().is_err() {
            return Ok(None);
        }
        directory.lock().what(what)?;
        Ok(Some(Lease(directory)))
    }

    /// A directory, because it is always there: on a full disk no file can be made.
    fn lease_directory(&self) -> std::io::Result<File> {
        File::open(self.root().join("images/blobs"))
    }

    /// Takes what nothing leads to out of its place; it waits in `tmp/` for a sweep.
    /// Returns nothing when somebody adds and `patience` is to skip.
    pub fn collect(&self, patience: Patience, partials: Partials) -> Result<Option<Found>> {
        let Some(_lease) = self.lease_alone(patience)? else {
            return Ok(None);
        };
        let mut found = self.find_garbage(partials)?;
        // Layers first: those that are left may be all that a container has, and as long
        // as they have not reached the disk they may have to be made anew from blobs.
        let is_blob = |thing: &Garbage| matches!(thing, Garbage::Blob(_));
        found.things.sort_by_key(is_blob);
        let mut settled = false;
        for thing in &found.things {
            if is_blob(thing) && !settled {
                settled = true;
                // A disk without room cannot note it, and room is made all the same.
                drop(self.settle_layers());
            }
            let path = match thing {
                Garbage::Blob(digest) => self.blob_path(digest),
                Garbage::Layer(map, diff_id) => self.layer_path(map, diff_id),
                Garbage::Partial(name) => self.root().join("partial").join(name),
            };
            // A directory that is full and cannot grow takes no other name.
            if self.discard(&path).is_err() {
                drop(fs::remove_file(&path));
            }
        }
        self.drop_idle_locks();
        Ok(Some(found))
    }

    /// Walks, and returns what nothing leads to. Without the lease it may name what is just being added.
    pub fn find_garbage(&self, partials: Partials) -> Result<Found> {
        let mut found = Found::default();
        // What is there is listed before what is reached, so that what appears
        // meanwhile is not taken for garbage.
        let blobs = self.all_blobs();
        let layers = self.all_layers();
        let reached = self.reached()?;
        if reached.unreadable.is_empty() {
            for (digest, bytes) in blobs {
                if !reached.blobs.contains(&digest) {
                    found.bytes += bytes;
                    found.things.push(Garbage::Blob(digest));
                }
            }
            for (map, diff_id) in layers {
                if !reached.layers.contains(&diff_id) {
                    found.bytes += self.layer_size(&map, &diff_id);
                    found.things.push(Garbage::Layer(map, diff_id));
                }
            }
        }
        for (name, bytes, age) in self.all_partials() {
            if partials == Partials::All || age > PARTIAL_LIFE {
                found.bytes += bytes;
                found.things.push(Garbage::Partial(name));
            }
        }
        found.unreadable = reached.unreadable;
        Ok(found)
    }

    /// Walks from the index and the containers.
    ///
    /// # Errors
    /// When the index or a container's record cannot be read: anything might be reached from it.
    pub fn reached(&self) -> Result<Reached> {
        self.reached_from(&self.image_entries()?)
    }

    /// Walks from some entries of the index and all containers.
    pub fn reached_from(&self, entries: &[Entry]) -> Result<Reached> {
        let mut reached = Reached::default();
        for entry in entries {
            let list = entry.pulled_digest();
            self.walk(&entry.digest, true, &mut reached);
            // Of a list of platforms most are not here, and often not the list itself.
            if list != entry.digest && self.has_blob(&list) {
                self.walk(&list, false, &mut reached);
            }
        }
        for id in self.container_ids()? {
            match self.load_record(&id) {
                Ok(record) => reached.layers.extend(record.layers),
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        for layer in self.layers_of_steps() {
            reached.blobs.insert(layer.clone());
            reached.layers.insert(layer);
        }
        Ok(reached)
    }

    /// Returns all blobs that an entry of the index consists of.
    pub fn blobs_of(&self, entry: &Entry) -> Result<BTreeSet<Digest>> {
        let mut reached = Reached::default();
        self.walk(&entry.digest, true, &mut reached);
        match reached.unreadable.first() {
            None => Ok(reached.blobs.into_iter().collect()),
            Some(document) => Err(Error::new(format!(
                "its document {document} cannot be read"
            ))),
        }
    }

    /// A layer made here is a plain tar: its diff id is its blob's digest as well. A step
    /// that cannot be read is made again.
    pub fn layers_of_steps(&self) -> impl Iterator<Item = Digest> {
        entries(&self.root().join("build/steps")).filter_map(|entry| {
            let step: Step = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
            step.layer
        })
    }

    /// Follows a document to all that it names. One that is not `needed` may be missing.
    fn walk(&self, top: &Digest, needed: bool, reached: &mut Reached) {
        let mut waiting = vec![(top.clone(), needed)];
        while let Some((digest, needed)) = waiting.pop() {
            if !needed && !self.has_blob(&digest) {
                continue;
            }
            if !reached.blobs.insert(digest.clone()) {
                continue;
            }
            let document = self
                .read_blob(&digest, DOCUMENT_LIMIT)
                .and_then(|bytes| parse_document::<Document>(&bytes));
            let Ok(document) = document else {
                reached.unreadable.push(digest);
                continue;
            };
            let digests =
                |links: Vec<Link>| links.into_iter().filter_map(|l| l.digest.parse().ok());
            waiting.extend(digests(document.manifests).map(|d| (d, false)));
            // Only an image's configuration is a document that leads anywhere.
            let (configs, others): (Vec<Link>, Vec<Link>) = document
                .config
                .into_iter()
                .partition(|config| is_image_config(&config.media_type));
            waiting.extend(digests(configs).map(|d| (d, true)));
            reached.blobs.extend(digests(others));
            reached.blobs.extend(digests(document.layers));
            let diff_ids = document.rootfs.unwrap_or_default().diff_ids;
            let diff_ids = diff_ids.iter().filter_map(|text| text.parse().ok());
            reached.layers.extend(diff_ids);
        }
    }

    /// Returns every blob and its bytes.
    pub fn all_blobs(&self) -> Vec<(Digest, u64)> {
        entries(&self.root().join("images/blobs/sha256"))
            .filter_map(|entry| {
                let name = entry.file_name();
                let digest = format!("sha256:{}", name.to_str()?).parse().ok()?;
                Some((digest, entry.metadata().ok()?.len()))
            })
            .collect()
    }

    /// Returns every unpacked layer: its id map and its diff id.
    pub fn all_layers(&self) -> Vec<(String, Digest)> {
        let mut all = Vec::new();
        for map in entries(&self.root().join("layers")) {
            for layer in entries(&map.path()) {
                let (map, layer) = (map.file_name(), layer.file_name());
                if let (Some(map), Some(layer)) = (map.to_str(), layer.to_str())
                    && let Ok(diff_id) = format!("sha256:{layer}").parse()
                {
                    all.push((map.to_owned(), diff_id));
                }
            }
        }
        all
    }

    /// Returns every beginning of a blob: its name, its bytes and how long ago it grew.
    pub fn all_partials(&self) -> Vec<(String, u64, Duration)> {
        let now = SystemTime::now();
        entries(&self.root().join("partial"))
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let meta = entry.metadata().ok().filter(|_| !name.ends_with(".lock"))?;
                let age = now.duration_since(meta.modified().ok()?);
                Some((name, meta.len(), age.unwrap_or_default()))
            })
            .collect()
    }

    /// Deletes the locks of blobs that nobody holds.
    fn drop_idle_locks(&self) {
        for entry in entries(&self.root().join("partial")) {
            let is_lock = entry.file_name().to_string_lossy().ends_with(".lock");
            // Held while it goes: whoever opened it meanwhile sees that it has gone (`lock_blob`).
            if is_lock && let Some(_held) = claim(&entry.path()) {
                drop(fs::remove_file(entry.path()));
            }
        }
    }

    /// Deletes what waits in `tmp/`. Files of other ids need a process inside their user namespace.
    pub fn sweep(&self) {
        for path in self.staged() {
            // The lock is held while it is deleted: whoever had just made it sees
            // that it is taken, and makes another.
            if let Some(_held) = claim(&path) {
                self.sweep_volumes_of(&path);
                delete(&path);
            }
        }
    }

    /// A container whose maker was killed before it was published leaves the volumes
    /// that were made for it alone; its record, which waits beside it, names them.
    fn sweep_volumes_of(&self, staged: &Path) {
        let name = staged.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("container-") {
            return;
        }
        let Some(record) = fs::read(staged.join("container.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok())
        else {
            return;
        };
        if self.container_path(&record.id).exists() {
            return;
        }
        for volume in &record.anonymous_volumes {
            if let Ok(trash) = self.remove_volume(volume) {
                delete(&trash);
            }
        }
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten()
}

/// What the walk needs of a list, a manifest or a configuration.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    manifests: Vec<Link>,
    #[serde(default)]
    config: Option<Link>,
    #[serde(default)]
    layers: Vec<Link>,
    #[serde(default)]
    rootfs: Option<RootFs>,
}

/// What the walk needs of a step of a build.
#[derive(Deserialize)]
struct Step {
    layer: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    /// A configuration's own `config`, its settings, has none.
    #[serde(default)]
    digest: String,
    #[serde(default)]
    media_type: String,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

#[cfg(test)]
mod tests;
