//! Archives written: what `save` makes of images of the store.
//!
//! ```text
//! docker-archive   oci-layout, index.json, blobs/sha256/…, and for older readers
//!                  manifest.json and repositories (as docker since 25)
//! oci-archive      oci-layout, index.json, blobs/sha256/…
//! oci-dir          the same as files of a directory
//! docker-dir       version, manifest.json, and each blob by its digits
//! ```
//!
//! Lives here: those four.
//! Must not: know what a name that was typed means (`ops::save`).
//! Called by: `ops::save`.
//! Always true: blobs go out byte for byte, each once, so that whoever loads them has
//! the same digests; but for docker-dir, whose manifest is always docker's. The same
//! images give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::error::{Context, Error, Kind, Result};
use crate::image::assemble::{Format, reword};
use crate::spec::digest::Digest;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::images::{DOCUMENT_LIMIT, Entry, Image};

/// An image, a list of images or an artifact, and the names it is saved under.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Its entry.
    pub entry: Entry,
    /// The image that older readers find: of a list one; none of an artifact.
    pub image: Option<Image>,
    /// All that it consists of, its manifest among them.
    pub blobs: BTreeSet<Digest>,
    /// Its names; none when an id was typed.
    pub names: Vec<Reference>,
}

/// Writes a docker-archive, or with `plain` an oci-archive.
pub fn archive(store: &Store, images: &[Saved], plain: bool, output: &mut dyn Write) -> Result<()> {
    let mut tar = Builder::new(output);
    for directory in ["blobs/", "blobs/sha256/"] {
        let mut header = header(EntryType::Directory, 0);
        tar.append_data(&mut header, directory, io::empty())?;
    }
    for blob in blobs(images) {
        let mut file = store.open_blob(&blob)?;
        let size = file.metadata()?.len();
        let path = format!("blobs/sha256/{}", blob.hex());
        tar.append_data(&mut header(EntryType::Regular, size), path, &mut file)
            .what(|| format!("cannot write blob {blob}"))?;
    }
    let mut documents = vec![
        ("index.json", serde_json::to_vec(&index(images, plain))?),
        ("oci-layout", LAYOUT.to_vec()),
    ];
    if !plain {
        documents.push(("manifest.json", serde_json::to_vec(&list(images))?));
        let names = repositories(images);
        if !names.is_empty() {
            documents.push(("repositories", serde_json::to_vec(&names)?));
        }
    }
    documents.sort();
    for (name, bytes) in documents {
        let mut header = header(EntryType::Regular, bytes.len() as u64);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    tar.into_inner()?.flush()?;
    Ok(())
}

/// Writes an OCI layout into a directory, which has none.
///
/// What says that it is one comes first and what says what is in it last: one that was
/// cut off is known for what it is, and holds nothing.
pub fn oci_directory(store: &Store, images: &[Saved], place: &Path) -> Result<()> {
    fs::create_dir_all(place)?;
    fs::write(place.join("oci-layout"), LAYOUT)?;
    fs::create_dir_all(place.join("blobs/sha256"))?;
    for blob in blobs(images) {
        copy(store, &blob, &place.join("blobs/sha256").join(blob.hex()))?;
    }
    let index = serde_json::to_vec(&index(images, true))?;
    fs::write(place.join(UNFINISHED), index)?;
    Ok(fs::rename(
        place.join(UNFINISHED),
        place.join("index.json"),
    )?)
}

/// The index before it is whole.
const UNFINISHED: &str = ".index.json";

/// Says whether a directory has an OCI layout whose writer was killed: nothing is in it but
/// what was written by then.
pub fn is_cut_off(place: &Path) -> bool {
    let is_begun = |entry: fs::DirEntry| {
        let name = entry.file_name();
        ["oci-layout", "blobs", UNFINISHED]
            .iter()
            .any(|one| name == *one)
    };
    place.join("oci-layout").is_file()
        && fs::read_dir(place).is_ok_and(|all| all.flatten().all(is_begun))
}

/// Writes one image as containers' tools keep it in a directory, which is empty.
pub fn docker_directory(store: &Store, saved: &Saved, place: &Path) -> Result<()> {
    let Some(image) = saved.image.as_ref().filter(|_| !saved.entry.is_list()) else {
        return Err(Error::of(
            Kind::Usage,
            "docker's form of a directory has room for one image alone",
        )
        .hint("use `--format oci-dir`, or choose an image of a list with `--platform`"));
    };
    copy(store, &image.id, &place.join(image.id.hex()))?;
    for layer in &image.layers {
        copy(store, &layer.blob, &place.join(layer.blob.hex()))?;
    }
    fs::write(place.join("version"), "Directory Transport Version: 1.1\n")?;
    let manifest = store.read_blob(&saved.entry.digest, DOCUMENT_LIMIT)?;
    let manifest = if saved.entry.media_type == Format::Docker.manifest() {
        manifest
    } else {
        let mut value: Value = serde_json::from_slice(&manifest)?;
        reword(&mut value, Format::Docker)?;
        serde_json::to_vec(&value)?
    };
    Ok(fs::write(place.join("manifest.json"), manifest)?)
}

fn copy(store: &Store, blob: &Digest, to: &Path) -> Result<()> {
    let what = || format!("cannot write \"{}\"", to.display());
    let mut from = store.open_blob(blob)?;
    let mut file = File::create(to).what(what)?;
    io::copy(&mut from, &mut file).what(what)?;
    Ok(())
}

/// All blobs of the images, each once: manifests, configurations, layers.
fn blobs(images: &[Saved]) -> BTreeSet<Digest> {
    images
        .iter()
        .flat_map(|saved| saved.blobs.clone())
        .collect()
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory {
        0o755
    } else {
        0o644
    });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// `index.json`: a descriptor for each name of each image. What docker and podman
/// call the name differs: docker has its tag alone beside the whole name.
fn index(images: &[Saved], plain: bool) -> Value {
    let mut manifests = Vec::new();
    for saved in images {
        let descriptor = json!({
            "mediaType": saved.entry.media_type,
            "digest": saved.entry.digest.as_str(),
            "size": saved.entry.size,
        });
        if saved.names.is_empty() {
            manifests.push(descriptor);
            continue;
        }
        for name in &saved.names {
            let whole = name.to_string();
            let tag = name.tag.clone().unwrap_or_default();
            let short = if plain { whole.clone() } else { tag };
            let mut descriptor = descriptor.clone();
            descriptor["annotations"] = json!({
                "io.containerd.image.name": whole,
                "org.opencontainers.image.ref.name": short,
            });
            manifests.push(descriptor);
        }
    }
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    })
}

/// `manifest.json`, which has images alone.
fn list(images: &[Saved]) -> Value {
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let of_one = |saved: &Saved| {
        let image = saved.image.as_ref()?;
        let names: Vec<String> = saved.names.iter().map(Reference::familiar).collect();
        let layers = image.layers.iter();
        Some(json!({
            "Config": path(&image.id),
            "RepoTags": if names.is_empty() { Value::Null } else { json!(names) },
            "Layers": layers.map(|layer| path(&layer.blob)).collect::<Vec<_>>(),
        }))
    };
    images.iter().filter_map(of_one).collect()
}

/// `repositories`: the highest layer of each name, for readers older than `manifest.json`.
fn repositories(images: &[Saved]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for saved in images {
        let Some(image) = &saved.image else { continue };
        for name in &saved.names {
            let Some(tag) = &name.tag else { continue };
            let familiar = name.familiar();
            let repository = familiar.strip_suffix(&format!(":{tag}"));
            let top = image.layers.last().map(|layer| &layer.blob);
            let top = top.unwrap_or(&image.id);
            all.entry(repository.unwrap_or(&familiar).to_owned())
                .or_default()
                .insert(tag.clone(), top.hex().to_owned());
        }
    }
    all
}

/// Says that a blob is missing before anything is written.
pub fn check(store: &Store, saved: &Saved) -> Result<()> {
    for blob in &saved.blobs {
        if !store.has_blob(blob) {
            return Err(Error::new(format!("its blob {blob} is not in the store"))
                .hint("pull it again; `rpod rmi` removes what is left of it"));
        }
    }
    Ok(())
}
