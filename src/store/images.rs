//! Images: the index of the OCI layout, which names manifests.
//!
//! ```text
//! images/index.json   { "manifests": [ { mediaType, digest, size,
//!     annotations: { "org.opencontainers.image.ref.name": "docker.io/library/busybox:latest" } } ] }
//! images/lock         held by whoever changes the index
//! ```
//!
//! An entry may also name a list, an index of its own that names manifests for
//! several platforms (`rpod manifest`).
//!
//! Lives here: reading and changing the index; reading an image's manifest and
//! configuration; the image of a list for a platform.
//! Must not: fetch, or change a blob.
//! Called by: `image`, `ops`.
//! Always true: an image in the index has its manifest, its configuration and
//! its layers' blobs in the store, and a list all of its images. Readers take no lock.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use oci_spec::image::{ImageConfiguration, ImageManifest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Context, Error, Kind, Result};
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::artifacts::{self, clean, is_image_config};

/// Bytes of a manifest or configuration at most: 4 MiB, as registries have it.
pub const DOCUMENT_LIMIT: u64 = 4 << 20;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const PUSHED_DIGEST: &str = "rpod.pushed.digest";
const LIST_DIGEST: &str = "rpod.list.digest";
const TAGGED: &str = "rpod.tagged";
const BUILT: &str = "rpod.built";

/// What a list that is made here is.
pub const LIST_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST_TYPE: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// One line of the index: a manifest, and a name for it if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// What the manifest is.
    pub media_type: String,
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest's size in bytes.
    pub size: u64,
    /// The name and what else is kept of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Entry {
    /// Returns the entry of a manifest, named or not.
    pub fn new(media_type: &str, digest: Digest, size: u64, name: Option<&Reference>) -> Self {
        let annotations = name
            .map(|name| (REF_NAME.to_owned(), name.to_string()))
            .into_iter()
            .collect();
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            annotations,
        }
    }

    /// Keeps the digest that a registry has under its name: its own, or that of the list
    /// of platforms it was chosen from.
    #[must_use]
    pub fn chosen_from(mut self, list: &Digest) -> Self {
        let text = list.to_string();
        self.annotations.insert(LIST_DIGEST.to_owned(), text);
        self
    }

    /// Takes its name away.
    #[must_use]
    pub fn without_name(mut self) -> Self {
        self.annotations.remove(REF_NAME);
        self.annotations.remove(TAGGED);
        self.annotations.remove(PUSHED_DIGEST);
        self
    }

    /// Keeps when it was given its name here.
    #[must_use]
    pub fn tagged(mut self, when: Time) -> Self {
        let text = when.to_string();
        self.annotations.insert(TAGGED.to_owned(), text);
        self
    }

    /// Returns when it was given its name here; nothing for a name it came with.
    pub fn tagged_at(&self) -> Option<Time> {
        self.annotations.get(TAGGED)?.parse().ok()
    }

    /// Keeps when it was built here, whatever time the image says itself.
    #[must_use]
    pub fn built(mut self, when: Time) -> Self {
        let text = when.to_string();
        self.annotations.insert(BUILT.to_owned(), text);
        self
    }

    /// Returns when it was built here; nothing for one that came from elsewhere.
    pub fn built_at(&self) -> Option<Time> {
        self.annotations.get(BUILT)?.parse().ok()
    }

    /// Keeps the digest under which its name was pushed: another than its own, where
    /// layers were compressed on the way.
    #[must_use]
    pub fn pushed_as(mut self, digest: &Digest) -> Self {
        let text = digest.to_string();
        self.annotations.insert(PUSHED_DIGEST.to_owned(), text);
        self
    }

    /// Returns the entry of the same image under another name.
    #[must_use]
    pub fn renamed(&self, name: &Reference) -> Self {
        let mut entry = self.clone();
        entry.annotations.remove(PUSHED_DIGEST);
        entry
            .annotations
            .insert(REF_NAME.to_owned(), name.to_string());
        entry
    }

    /// Says whether it came from a registry: then its bytes are kept as they are.
    pub fn is_from_registry(&self) -> bool {
        self.annotations.contains_key(LIST_DIGEST)
    }

    /// Returns the digest that a registry has under its name: what was pushed last, a
    /// list's if it was chosen from one, or its own.
    pub fn pulled_digest(&self) -> Digest {
        [PUSHED_DIGEST, LIST_DIGEST]
            .iter()
            .find_map(|name| self.annotations.get(*name)?.parse().ok())
            .unwrap_or_else(|| self.digest.clone())
    }

    /// Returns the digest that its registry has under its name, if it came from one or
    /// was pushed to it.
    pub fn registry_digest(&self) -> Option<Digest> {
        let pushed = self.annotations.contains_key(PUSHED_DIGEST);
        // A name that was given here is none of the registry that the image came from.
        let pulled = self.is_from_registry() && self.tagged_at().is_none();
        (pushed || pulled).then(|| self.pulled_digest())
    }

    /// Says whether it is a list of images for several platforms.
    pub fn is_list(&self) -> bool {
        matches!(self.media_type.as_str(), LIST_TYPE | DOCKER_LIST_TYPE)
    }

    /// Returns its name, if it has one.
    pub fn name(&self) -> Option<Reference> {
        self.annotations.get(REF_NAME)?.parse().ok()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default = "index_type")]
    media_type: String,
    #[serde(default)]
    manifests: Vec<Entry>,
}

fn index_type() -> String {
    LIST_TYPE.to_owned()
}

/// A list, as far as images are chosen from it.
#[derive(Deserialize)]
struct List {
    manifests: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    media_type: String,
    digest: Digest,
    size: u64,
    platform: Option<Platform>,
}

impl Listed {
    fn entry(self) -> Entry {
        Entry::new(&self.media_type, self.digest, self.size, None)
    }
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its blob.
    pub blob: Digest,
    /// What the blob is: a plain, gzip or zstd tar.
    pub media_type: String,
    /// The blob's size in bytes.
    pub size: u64,
    /// Digest of the tar itself.
    pub diff_id: Digest,
}

/// An image with all that is said of it.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its manifest's digest.
    pub manifest: Digest,
    /// Its id: the digest of its configuration.
    pub id: Digest,
    /// Its configuration.
    pub config: ImageConfiguration,
    /// Its layers from the lowest.
    pub layers: Vec<Layer>,
}

impl Image {
    /// Returns what it is for.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.config.os().to_string(),
            architecture: self.config.architecture().to_string(),
            variant: self.config.variant().clone(),
        }
    }

    /// Refuses an image that is for another platform.
    pub fn check_platform(&self, wanted: &Platform) -> Result<()> {
        let own = self.platform();
        match wanted.accepts(&own) {
            true => Ok(()),
            false => Err(Error::of(
                Kind::NotFound,
                format!(
                    "it is for {}, and there is none for {wanted}",
                    clean(&own.to_string())
                ),
            )),
        }
    }
}

impl Store {
    /// Returns all entries of the index.
    pub fn image_entries(&self) -> Result<Vec<Entry>> {
        Ok(self.read_index()?.manifests)
    }

    /// Returns a mark of the index as it is now: as long as it is the same, so is the index.
    pub fn index_mark(&self) -> Option<impl PartialEq + use<>> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(self.root().join("images/index.json")).ok()?;
        Some((meta.ino(), meta.ctime(), meta.ctime_nsec(), meta.len()))
    }

    /// Returns the entry of a name.
    pub fn find_image(&self, name: &Reference) -> Result<Option<Entry>> {
        let wanted = name.to_string();
        let untagged = name.digest.as_ref();
        let found = self.image_entries()?.into_iter().find(|entry| {
            entry.annotations.get(REF_NAME) == Some(&wanted)
                || ((untagged == Some(&entry.digest) || untagged == Some(&entry.pulled_digest()))
                    && entry.name().is_none_or(|n| {
                        n.registry == name.registry && n.repository == name.repository
                    }))
        });
        Ok(found)
    }

    /// Returns the entry that a person means by a name, an id or the beginning of an id.
    ///
    /// # Errors
    /// When the beginning of an id fits several images.
    pub fn resolve_image(&self, text: &str) -> Result<Option<Entry>> {
        if let Ok(name) = text.parse::<Reference>()
            && let Some(entry) = self.find_image(&name)?
        {
            return Ok(Some(entry));
        }
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() < 2 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(None);
        }
        let mut found: Option<(Digest, Entry)> = None;
        for entry in self.image_entries()? {
            let Some(own) = self.id_of(&entry) else {
                continue;
            };
            if !own.hex().starts_with(hex) && !entry.digest.hex().starts_with(hex) {
                continue;
            }
            match &found {
                Some((id, _)) if *id != own => {
                    return Err(Error::of(
                        Kind::Usage,
                        format!("\"{text}\" is the beginning of more than one image's id"),
                    )
                    .hint("give more digits of it; `rpod images --no-trunc` shows them"));
                }
                Some(_) => {}
                None => found = Some((own, entry)),
            }
        }
        Ok(found.map(|(_, entry)| entry))
    }

    /// Returns the entries of the images that an entry leads to: its own, or those of a list.
    pub fn members(&self, entry: &Entry) -> Result<Vec<Entry>> {
        if !entry.is_list() {
            return Ok(vec![entry.clone()]);
        }
        Ok(self.list(entry)?.into_iter().map(Listed::entry).collect())
    }

    fn list(&self, entry: &Entry) -> Result<Vec<Listed>> {
        let what = || format!("cannot read list {}", entry.digest);
        let bytes = self.read_blob(&entry.digest, DOCUMENT_LIMIT).what(what)?;
        let list: List = parse_document(&bytes).what(what)?;
        Ok(list.manifests)
    }

    /// Returns the entry of the image that an entry means: its own, or of a list the one
    /// for a platform; none is this machine's.
    pub fn choose(&self, entry: &Entry, platform: Option<&Platform>) -> Result<Entry> {
        if !entry.is_list() {
            return Ok(entry.clone());
        }
        let wanted = platform.cloned().unwrap_or_else(Platform::host);
        let list = self.list(entry)?;
        let offered: Vec<String> = list
            .iter()
            .filter_map(|one| Some(one.platform.as_ref()?.to_string()))
            .collect();
        let fits = |one: &Listed| one.platform.as_ref().is_some_and(|p| wanted.accepts(p));
        let chosen = list.into_iter().filter(fits).min_by_key(|one| {
            let variant = one.platform.as_ref().and_then(|p| p.variant.clone());
            variant != wanted.variant
        });
        chosen.map(Listed::entry).ok_or_else(|| {
            Error::of(
                Kind::NotFound,
                match offered.as_slice() {
                    [] => "it is a list, and there is no image in it".to_owned(),
                    _ => format!(
                        "there is no image for {wanted} in it, only for {}",
                        offered.join(", ")
                    ),
                },
            )
            .hint("put one into the list: `rpod manifest add LIST IMAGE`")
        })
    }

    /// Reads the manifest and configuration of the image for this machine that an entry means.
    pub fn load_for_here(&self, entry: &Entry) -> Result<Image> {
        self.load_image(&self.choose(entry, None)?)
    }

    /// Reads an image's manifest and configuration.
    pub fn load_image(&self, entry: &Entry) -> Result<Image> {
        let what = || format!("cannot read image {}", entry.digest);
        if entry.is_list() {
            return Err(Error::new("it is a list of images for several platforms").what(what()));
        }
        let document = self.read_blob(&entry.digest, DOCUMENT_LIMIT).what(what)?;
        let manifest: ImageManifest = parse_document(&document).what(what)?;
        if !is_image_config(manifest.config().media_type().as_ref())
            && let Some(artifact) = artifacts::parse(&document)
        {
            return Err(artifacts::no_image(&artifact.kind));
        }
        let id: Digest = manifest.config().digest().as_ref().parse().what(what)?;
        let config = self.read_blob(&id, DOCUMENT_LIMIT).what(what)?;
        let config: ImageConfiguration = parse_document(&config).what(what)?;
        let diff_ids = config.rootfs().diff_ids();
        if diff_ids.len() != manifest.layers().len() {
            return Err(Error::new(format!(
                "its manifest has {} layers and its configuration {}",
                manifest.layers().len(),
                diff_ids.len()
            ))
            .what(what()));
        }
        let layers = manifest
            .layers()
            .iter()
            .zip(diff_ids)
            .map(|(layer, diff_id)| {
                Ok(Layer {
                    blob: layer.digest().as_ref().parse()?,
                    media_type: layer.media_type().to_string(),
                    size: layer.size(),
                    diff_id: diff_id.parse()?,
                })
            })
            .collect::<Result<_>>()
            .what(what)?;
        Ok(Image {
            manifest: entry.digest.clone(),
            id,
            config,
            layers,
        })
    }

    /// Returns what an entry is known by: an image by its configuration's digest, a list
    /// or an artifact by its own. Nothing when it cannot be read.
    pub fn id_of(&self, entry: &Entry) -> Option<Digest> {
        if entry.is_list() || self.artifact(entry).is_some() {
            return Some(entry.digest.clone());
        }
        self.load_image(entry).ok().map(|image| image.id)
    }

    /// Returns the digest of an image's configuration, if its manifest can be read.
    pub fn config_of(&self, entry: &Entry) -> Option<Digest> {
        let manifest = self.read_blob(&entry.digest, DOCUMENT_LIMIT).ok()?;
        let manifest: ImageManifest = parse_document(&manifest).ok()?;
        manifest.config().digest().as_ref().parse().ok()
    }

    /// Puts an entry into the index; a name moves from the entry that had it, which stays without one.
    pub fn add_image(&self, entry: Entry) -> Result<()> {
        self.change_images(
            |entries| {
                put(entries, entry);
                Ok(())
            },
            |(), _| {},
        )
    }

    /// Takes entries out of the index.
    pub fn remove_images(&self, gone: &dyn Fn(&Entry) -> bool) -> Result<()> {
        self.change_images(
            |entries| {
                entries.retain(|entry| !gone(entry));
                Ok(())
            },
            |(), _| {},
        )
    }

    /// Returns where an image is mounted when somebody asks for that.
    pub fn image_mount(&self, id: &Digest) -> PathBuf {
        self.root().join("mounts").join(id.hex())
    }

    fn read_index(&self) -> Result<Index> {
        let path = self.root().join("images/index.json");
        let what = || format!("cannot read \"{}\"", path.display());
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).what(what),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Index {
                schema_version: 2,
                media_type: index_type(),
                manifests: Vec::new(),
            }),
            Err(error) => Err(error).what(what),
        }
    }

    /// Changes the index while nobody else can. Then, before anybody else can, does
    /// `then` with what `change` returned and the index as it is now on disk: what
    /// nothing names any more may be deleted there, for whoever wants to name it
    /// again looks, inside his own `change`, whether it is still there.
    pub fn change_images<T>(
        &self,
        change: impl FnOnce(&mut Vec<Entry>) -> Result<T>,
        then: impl FnOnce(&T, &[Entry]),
    ) -> Result<T> {
        let directory = self.root().join("images");
        let lock_path = directory.join("lock");
        let what = || format!("cannot lock \"{}\"", lock_path.display());
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .what(what)?;
        lock.lock().what(what)?;
        let layout = directory.join("oci-layout");
        if !layout.exists() {
            self.write(&layout, br#"{"imageLayoutVersion":"1.0.0"}"#, true)?;
        }
        let mut index = self.read_index()?;
        let before = index.manifests.clone();
        let changed = change(&mut index.manifests)?;
        if index.manifests != before {
            let bytes = serde_json::to_vec(&index)?;
            self.write(&directory.join("index.json"), &bytes, true)?;
        }
        then(&changed, &index.manifests);
        Ok(changed)
    }
}

/// Puts an entry among others; a name moves from the entry that had it, which stays without one.
pub fn put(entries: &mut Vec<Entry>, entry: Entry) {
    if let Some(name) = entry.annotations.get(REF_NAME) {
        for old in entries.iter_mut() {
            if old.annotations.get(REF_NAME) == Some(name) {
                old.annotations.remove(REF_NAME);
            }
        }
        // An image without a name is listed once, and only while nothing else names it.
        let named: Vec<Digest> = entries
            .iter()
            .chain([&entry])
            .filter(|e| e.annotations.contains_key(REF_NAME))
            .map(|e| e.digest.clone())
            .collect();
        entries.retain(|e| e.annotations.contains_key(REF_NAME) || !named.contains(&e.digest));
    } else if entries.iter().any(|e| e.digest == entry.digest) {
        return;
    }
    entries.push(entry);
    entries.dedup();
}

/// Reads a manifest or configuration. Some builders write `null` where the
/// specification has a list or nothing; that is read as nothing.
pub fn parse_document<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if let Ok(document) = serde_json::from_slice(bytes) {
        return Ok(document);
    }
    let mut value: Value = serde_json::from_slice(bytes)?;
    drop_nulls(&mut value);
    Ok(serde_json::from_value(value)?)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;
    use crate::spec::digest::Digest;
    use crate::store::Store;

    #[test]
    fn a_name_moves_and_leaves_the_image_it_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        let name = "busybox".parse().expect("a name");
        let entry =
            |text: &[u8], named: bool| Entry::new("m", Digest::of(text), 1, named.then_some(&name));
        store.add_image(entry(b"old", true)).expect("added");
        store.add_image(entry(b"new", true)).expect("added");
        store.add_image(entry(b"new", false)).expect("added");
        let entries = store.image_entries().expect("read");
        assert_eq!(entries, [entry(b"old", false), entry(b"new", true)]);
        assert_eq!(
            store.find_image(&name).expect("read"),
            Some(entry(b"new", true))
        );
        store
            .remove_images(&|e| e.name().is_some())
            .expect("removed");
        assert_eq!(store.image_entries().expect("read").len(), 1);
    }
}
