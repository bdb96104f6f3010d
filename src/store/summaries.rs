//! What lists show of images, kept beside the index so that a list of hundreds
//! reads one file instead of thousands.
//!
//! ```text
//! images/summaries.json   { "version": 2, "images": { <digest of the manifest>: Summary } }
//! ```
//!
//! Lives here: that file.
//! Must not: be needed: without it everything is read from where it comes from.
//! Called by: `ops`.
//! Always true: what it says follows from documents that their digests name, so
//! it is never out of date: an image that changes has another digest. The size of
//! a layer that is not unpacked is not kept.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;

use serde::{Deserialize, Serialize};

use crate::spec::digest::Digest;
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::artifacts::Artifact;
use crate::store::images::Entry;

const VERSION: u32 = 2;

/// What lists show of an image, or of a list of images, which has the layers of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its id.
    pub id: Digest,
    /// When it was made.
    pub created: Option<Time>,
    /// What it is for: `linux/amd64`.
    pub platform: String,
    /// Its type, if it is an artifact and no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Bytes of its manifest and its configuration.
    pub documents: u64,
    /// Its layers, from the lowest.
    pub layers: Vec<LayerSummary>,
}

/// What lists show of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// Digest of its tar.
    pub diff_id: Digest,
    /// Its blob.
    pub blob: Digest,
    /// Bytes of its blob.
    pub packed: u64,
    /// Bytes of its files, when it is unpacked.
    pub size: Option<u64>,
}

impl Summary {
    /// Returns the bytes of its files; a layer that is in it twice is on disk once. An
    /// artifact has no files, and is as large as its blobs.
    pub fn size(&self) -> u64 {
        if self.artifact.is_some() {
            return self.packed();
        }
        let mut seen = HashSet::new();
        let once = self.layers.iter().filter(|l| seen.insert(&l.diff_id));
        once.map(|l| l.size.unwrap_or(l.packed)).sum()
    }

    /// Returns the bytes of its blobs.
    pub fn packed(&self) -> u64 {
        let mut seen = HashSet::new();
        let once = self.layers.iter().filter(|l| seen.insert(&l.blob));
        self.documents + once.map(|l| l.packed).sum::<u64>()
    }
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    version: u32,
    images: BTreeMap<Digest, Summary>,
}

impl Store {
    /// Returns the summaries of images by their manifests; an image that cannot be read has none.
    pub fn summaries(&self, entries: &[Entry]) -> HashMap<Digest, Summary> {
        let place = self.root().join("images/summaries.json");
        let kept: File = fs::read(&place)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|file: &File| file.version == VERSION)
            .unwrap_or_default();
        let mut images = kept.images;
        let before = images.len();
        let mut changed = false;
        let mut found = HashMap::with_capacity(entries.len());
        for entry in entries {
            if found.contains_key(&entry.digest) || !self.has_blob(&entry.digest) {
                continue;
            }
            let known = images.remove(&entry.digest).filter(Summary::is_complete);
            let summary = known.or_else(|| {
                changed = true;
                self.summarize(entry)
            });
            if let Some(summary) = summary {
                found.insert(entry.digest.clone(), summary);
            }
        }
        // What is left in `images` has gone from the index; it is dropped when there is more of it.
        if changed || images.len() > before / 2 {
            let complete = found.iter().filter(|(_, one)| one.is_complete());
            let file = File {
                version: VERSION,
                images: complete.map(|(d, one)| (d.clone(), one.clone())).collect(),
            };
            if let Ok(bytes) = serde_json::to_vec(&file) {
                // Where it cannot be written, it is done without.
                drop(self.write(&place, &bytes, false));
            }
        }
        found
    }

    /// Reads what lists show of one image.
    pub fn summarize(&self, entry: &Entry) -> Option<Summary> {
        if entry.is_list() {
            return self.summarize_list(entry);
        }
        if let Some(artifact) = self.artifact(entry) {
            return Some(of_artifact(entry, artifact));
        }
        let image = self.load_image(entry).ok()?;
        let bytes = |digest| fs::metadata(self.blob_path(digest)).map_or(0, |meta| meta.len());
        Some(Summary {
            created: image.config.created().as_ref().and_then(|t| t.parse().ok()),
            platform: format!("{}/{}", image.config.os(), image.config.architecture()),
            artifact: None,
            documents: bytes(&entry.digest) + bytes(&image.id),
            layers: image
                .layers
                .into_iter()
                .map(|layer| LayerSummary {
                    size: self.layer_info(&layer.diff_id).map(|info| info.size),
                    diff_id: layer.diff_id,
                    blob: layer.blob,
                    packed: layer.size,
                })
                .collect(),
            id: image.id,
        })
    }
}

impl Store {
    /// A list holds what its images hold. Most of them are for other machines and never
    /// unpacked: the size of their blobs has to do.
    fn summarize_list(&self, entry: &Entry) -> Option<Summary> {
        let mut summary = Summary {
            id: entry.digest.clone(),
            created: None,
            platform: String::new(),
            artifact: None,
            documents: entry.size,
            layers: Vec::new(),
        };
        for member in self.members(entry).ok()?.iter().filter(|m| !m.is_list()) {
            let Some(image) = self.summarize(member) else {
                continue;
            };
            summary.created = summary.created.max(image.created);
            summary.documents += image.documents;
            summary.layers.extend(image.layers);
        }
        for layer in &mut summary.layers {
            layer.size.get_or_insert(layer.packed);
        }
        Some(summary)
    }
}

/// An artifact has no files: its blobs are all there is of it.
fn of_artifact(entry: &Entry, artifact: Artifact) -> Summary {
    let layers = artifact
        .blobs
        .into_iter()
        .map(|(blob, bytes)| LayerSummary {
            diff_id: blob.clone(),
            blob,
            packed: bytes,
            size: Some(0),
        });
    Summary {
        id: entry.digest.clone(),
        created: artifact.created,
        platform: String::new(),
        artifact: Some(artifact.kind),
        documents: entry.size,
        layers: layers.collect(),
    }
}

impl Summary {
    fn is_complete(&self) -> bool {
        self.layers.iter().all(|layer| layer.size.is_some())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::spec::digest::Digest;
    use crate::store::Store;
    use crate::store::images::Entry;
    use crate::store::layers::{Durable, LayerInfo};

    #[test]
    fn a_size_is_kept_when_it_is_known_and_a_spoilt_file_is_made_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        let diff_id = Digest::of(b"layer");
        let config = json!({ "architecture": "amd64", "os": "linux", "created": "2024-08-04T18:51:00Z",
            "rootfs": { "type": "layers", "diff_ids": [diff_id] } });
        let id = store
            .add_blob(config.to_string().as_bytes())
            .expect("added");
        let part = |digest: &Digest| {
            json!({ "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest, "size": 7 })
        };
        let manifest =
            json!({ "schemaVersion": 2, "config": part(&id), "layers": [part(&diff_id)] });
        let digest = store
            .add_blob(manifest.to_string().as_bytes())
            .expect("added");
        let entries = [Entry::new("m", digest.clone(), 1, None)];
        assert_eq!(store.summaries(&entries)[&digest].size(), 7, "its blob's");
        let staged = store.stage_layer().expect("staged");
        let info = LayerInfo { size: 50, files: 1 };
        store
            .publish_layer(staged, "single", &diff_id, info, Durable::Later)
            .expect("published");
        let known = store.summaries(&entries);
        assert_eq!(known[&digest].size(), 50);
        // From the file alone now: the configuration is not looked at.
        std::fs::remove_file(store.blob_path(&id)).expect("removed");
        assert_eq!(store.summaries(&entries), known);
        std::fs::write(store.root().join("images/summaries.json"), "{").expect("written");
        assert!(store.summaries(&entries).is_empty());
    }
}
