//! Archives: images that were saved by docker, podman and others.
//!
//! ```text
//! docker-archive  manifest.json, <config>.json, <layer>.tar …   (docker before 25, podman)
//! OCI layout      oci-layout, index.json, blobs/sha256/…        (docker since 25 has both)
//! directory       version, manifest.json, <digits> …            (skopeo's dir:, podman's docker-dir)
//! ```
//!
//! 1. Take the files out of the stream or directory into `tmp/`, hashed on the way.
//! 2. Read the index, or manifest.json, and choose the manifests for the platform.
//! 3. Give every blob that an image needs its name, when its digest is the one said.
//! 4. Unpack the layers, which checks their diff ids.
//! 5. Put the names into the index.
//!
//! Lives here: the steps, and the OCI layout; below, `content` (the files),
//! `docker` (docker's own form), and [`save`], the way back.
//! Must not: print, or keep a file that no image needs.
//! Called by: `ops::{load, save}`.
//! Always true: memory is bounded whatever the archive says: files go to the
//! disk, and only documents of at most 4 MiB are read into memory.

mod content;
mod docker;
pub mod save;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use oci_spec::image::{ImageConfiguration, ImageManifest};
use serde::Deserialize;

use crate::error::{Context, Error, Kind, Result};
use crate::image::layer::{self, Report};
use crate::progress::Progress;
use crate::spec::digest::Digest;
use crate::spec::idmap::IdMap;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::artifacts;
use crate::store::images::{Entry, parse_document};
use content::Content;
pub use content::Source;

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its names; none when the archive says none.
    pub names: Vec<Reference>,
    /// Its id.
    pub id: Digest,
}

/// Loads all images of an archive into the store and unpacks their layers.
///
/// The caller is root of a user namespace with that map when it has more than
/// the user's own id, and may start threads.
pub fn load(
    store: &Store,
    source: Source<'_>,
    platform: Option<&Platform>,
    id_map: &IdMap,
    progress: &dyn Progress,
) -> Result<Vec<Loaded>> {
    let _lease = store.lease()?;
    let mut loaded = Vec::new();
    bring(store, source, platform, (id_map, progress), |found| {
        loaded.push(name(store, found)?);
        Ok(())
    })?;
    Ok(loaded)
}

/// Does the same and puts none into the index: they stay as long as the caller's lease.
/// Returns what the index would say of them.
pub fn take(
    store: &Store,
    source: Source<'_>,
    id_map: &IdMap,
    progress: &dyn Progress,
) -> Result<Vec<Entry>> {
    let mut taken = Vec::new();
    bring(store, source, None, (id_map, progress), |found| {
        taken.push(found.entry);
        Ok(())
    })?;
    Ok(taken)
}

/// Steps 1 to 4, and what `keep` does with each image.
fn bring(
    store: &Store,
    source: Source<'_>,
    platform: Option<&Platform>,
    (id_map, progress): (&IdMap, &dyn Progress),
    mut keep: impl FnMut(Found) -> Result<()>,
) -> Result<()> {
    let content = Content::take(store, source)?;
    let found = if content.has("index.json") {
        layout(&content, platform)?
    } else if content.has("version") {
        vec![directory(&content)?]
    } else if content.has("manifest.json") {
        docker::images(&content)?
    } else {
        return Err(Error::new(
            "it holds no image: there is neither a manifest.json nor an index.json in it",
        )
        .hint("`rpod load` reads what `save` of docker or podman has written"));
    };
    if found.is_empty() {
        return Err(Error::new("it holds no image: its list of images is empty"));
    }
    for image in &found {
        check_platform(store, image, platform)?;
    }
    for image in found {
        unpack(&content, &image, id_map, progress)?;
        keep(image)?;
    }
    Ok(())
}

/// A manifest whose blobs are all in the store, and the names it is to have.
struct Found {
    entry: Entry,
    names: Vec<Reference>,
}

/// Step 4.
fn unpack(content: &Content, found: &Found, id_map: &IdMap, progress: &dyn Progress) -> Result<()> {
    let store = content.store();
    // Of a list the image for this machine is unpacked; of an artifact nothing.
    let image = match found.entry.is_list() || store.artifact(&found.entry).is_some() {
        false => Some(store.load_image(&found.entry)?),
        true if found.entry.is_list() => store.load_for_here(&found.entry).ok(),
        true => None,
    };
    for layer in image.iter().flat_map(|image| &image.layers) {
        let step = progress.begin(layer.diff_id.short(), "Loading layer", Some(layer.size));
        let unpacked = layer::unpack_blob(store, layer, id_map, Report { progress, step });
        progress.end(step, if unpacked.is_ok() { "Loaded" } else { "Failed" });
        unpacked?;
    }
    Ok(())
}

/// Step 5.
fn name(store: &Store, found: Found) -> Result<Loaded> {
    let named = |name| {
        Entry::new(
            &found.entry.media_type,
            found.entry.digest.clone(),
            found.entry.size,
            name,
        )
    };
    if found.names.is_empty() {
        store.add_image(named(None))?;
    }
    for name in &found.names {
        store.add_image(named(Some(name)))?;
    }
    Ok(Loaded {
        id: store.id_of(&found.entry).unwrap_or(found.entry.digest),
        names: found.names,
    })
}

/// A list of manifests: `index.json`, or an index among the blobs (OCI image spec, image-index.md).
#[derive(Debug, Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    platform: Option<Platform>,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
/// Indexes in indexes.
const DEPTH_LIMIT: usize = 4;

/// Who asks for a platform gets no other; who asks for none gets what there is.
fn check_platform(store: &Store, found: &Found, wanted: Option<&Platform>) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    store.load_image(&found.entry)?.check_platform(wanted)
}

/// Steps 2 and 3 for a directory of containers' tools: a manifest, and each blob by its digits.
fn directory(content: &Content) -> Result<Found> {
    let what = || "cannot read manifest.json";
    let held = content.find("manifest.json").what(what)?;
    let manifest: ImageManifest = parse_document(&content.read(&held)?).what(what)?;
    let config = manifest.config();
    for blob in manifest.layers().iter().chain([config]) {
        let digest: Digest = blob.digest().as_ref().parse().what(what)?;
        content.keep_as(digest.hex(), &digest, blob.size())?;
    }
    content.keep(&held)?;
    let media_type = manifest.media_type().as_ref();
    let media_type = media_type.map_or_else(|| MANIFEST.to_owned(), ToString::to_string);
    Ok(Found {
        entry: Entry::new(&media_type, held.digest.clone(), held.size, None),
        names: Vec::new(),
    })
}

/// Steps 2 and 3 for an OCI layout.
fn layout(content: &Content, platform: Option<&Platform>) -> Result<Vec<Found>> {
    let what = || "cannot read index.json";
    let index: Index = parse_document(&content.document("index.json")?).what(what)?;
    // Docker's own list beside it names images that the index does not.
    let tags = docker::tags(content);
    let mut found: Vec<Found> = Vec::new();
    for descriptor in fitting(index.manifests, platform).what(what)? {
        let names = names(&descriptor.annotations)?;
        let (entry, names) = match take_list(content, &descriptor, platform)? {
            Some(entry) => (entry, names),
            None => {
                let manifest = manifest(content, descriptor, platform, 0)?;
                let (entry, config) = take_manifest(content, &manifest)?;
                let names = match names.as_slice() {
                    [] => tags.get(&config).cloned().unwrap_or_default(),
                    _ => names,
                };
                (entry, names)
            }
        };
        // An image with several names has several entries.
        match found.iter_mut().find(|f| f.entry.digest == entry.digest) {
            Some(known) => known.names.extend(names),
            None => found.push(Found { entry, names }),
        }
    }
    for image in &mut found {
        image.names.sort();
        image.names.dedup();
    }
    Ok(found)
}

/// Brings a list into the store as it is, with all its images: where no platform is asked
/// for, it is for several, and the archive has all that it names. None says that an
/// image of it is to be taken.
fn take_list(
    content: &Content,
    descriptor: &Descriptor,
    platform: Option<&Platform>,
) -> Result<Option<Entry>> {
    if platform.is_some() || !INDEXES.contains(&descriptor.media_type.as_str()) {
        return Ok(None);
    }
    let what = || format!("cannot read index {}", descriptor.digest);
    let bytes = content.blob_document(&descriptor.digest, descriptor.size)?;
    let index: Index = parse_document(&bytes).what(what)?;
    // What is said of an image is listed as being for nothing.
    let is_image = |d: &&Descriptor| d.platform.as_ref().is_some_and(|p| p.os != "unknown");
    let is_there = |d: &Descriptor| {
        !INDEXES.contains(&d.media_type.as_str())
            && content.has(&format!("blobs/sha256/{}", d.digest.hex()))
    };
    if index.manifests.iter().filter(is_image).count() < 2 || !index.manifests.iter().all(is_there)
    {
        return Ok(None);
    }
    for member in &index.manifests {
        take_manifest(content, member)?;
    }
    content.keep_blob(&descriptor.digest, descriptor.size)?;
    let (media_type, digest) = (&descriptor.media_type, descriptor.digest.clone());
    Ok(Some(Entry::new(media_type, digest, descriptor.size, None)))
}

/// Follows indexes to the manifest for the platform, or this machine.
fn manifest(
    content: &Content,
    descriptor: Descriptor,
    platform: Option<&Platform>,
    depth: usize,
) -> Result<Descriptor> {
    if !INDEXES.contains(&descriptor.media_type.as_str()) {
        return Ok(descriptor);
    }
    if depth == DEPTH_LIMIT {
        return Err(Error::new(format!(
            "its indexes are nested more than {DEPTH_LIMIT} deep"
        )));
    }
    let what = || format!("cannot read index {}", descriptor.digest);
    let bytes = content.blob_document(&descriptor.digest, descriptor.size)?;
    let index: Index = parse_document(&bytes).what(what)?;
    let chosen = fitting(index.manifests, platform).what(what)?;
    let chosen = chosen
        .into_iter()
        .next()
        .ok_or_else(|| Error::new("it lists no image").what(what()))?;
    manifest(content, chosen, platform, depth + 1)
}

/// Leaves out what is for other machines, and what is no image but is about one.
fn fitting(manifests: Vec<Descriptor>, platform: Option<&Platform>) -> Result<Vec<Descriptor>> {
    let host = platform.cloned().unwrap_or_else(Platform::host);
    let images: Vec<Descriptor> = manifests
        .into_iter()
        .filter(|d| !d.annotations.contains_key("vnd.docker.reference.type"))
        .collect();
    let fits = |d: &Descriptor| d.platform.as_ref().is_none_or(|p| host.accepts(p));
    if images.is_empty() || images.iter().any(fits) {
        return Ok(images.into_iter().filter(fits).collect());
    }
    let there: Vec<String> = images
        .iter()
        .filter_map(|d| d.platform.as_ref().map(Platform::to_string))
        .collect();
    Err(Error::of(
        Kind::NotFound,
        format!("it has no image for {host}, only for {}", there.join(", ")),
    ))
}

/// Brings a manifest, its configuration and its layers into the store; returns its
/// entry, without a name, and the configuration's digest.
fn take_manifest(content: &Content, descriptor: &Descriptor) -> Result<(Entry, Digest)> {
    let what = || format!("cannot read manifest {}", descriptor.digest);
    let bytes = content.blob_document(&descriptor.digest, descriptor.size)?;
    let manifest: ImageManifest = parse_document(&bytes).what(what)?;
    let config: Digest = manifest.config().digest().as_ref().parse().what(what)?;
    if artifacts::parse(&bytes).is_none() {
        let document = content.blob_document(&config, manifest.config().size())?;
        let _: ImageConfiguration =
            parse_document(&document).what(|| format!("{} is no image", descriptor.digest))?;
    }
    for layer in manifest.layers() {
        let digest: Digest = layer.digest().as_ref().parse().what(what)?;
        content.keep_blob(&digest, layer.size())?;
    }
    content.keep_blob(&config, manifest.config().size())?;
    content.keep_blob(&descriptor.digest, descriptor.size)?;
    let media_type = match descriptor.media_type.as_str() {
        "" => MANIFEST,
        said => said,
    };
    let entry = Entry::new(media_type, descriptor.digest.clone(), descriptor.size, None);
    Ok((entry, config))
}

/// Returns the names that annotations give. A bare word is a tag of a name that
/// only the user knows.
fn names(annotations: &BTreeMap<String, String>) -> Result<Vec<Reference>> {
    let said = |key: &str| {
        annotations
            .get(key)
            .filter(|name| name.contains([':', '/']))
    };
    said("io.containerd.image.name")
        .or_else(|| said("org.opencontainers.image.ref.name"))
        .map(|name| name.parse())
        .transpose()
        .map(|name| name.into_iter().collect())
}
