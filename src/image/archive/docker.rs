//! Docker's own archive: `manifest.json` beside configurations and layers.
//!
//! ```text
//! [ { "Config": "<hex>.json", "RepoTags": ["busybox:latest"], "Layers": ["<hex>/layer.tar", …] } ]
//! ```
//!
//! Lives here: reading that list, and the OCI manifest that is made for each image.
//! Must not: unpack.
//! Called by: `image::archive`.
//! Always true: the configuration is kept byte for byte, so the image has the id
//! it had; layers are kept as they come, so the manifest names plain tars where
//! the archive has those. The same archive gives the same manifest.

use std::collections::BTreeMap;

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;
use serde_json::json;

use super::content::{Content, Held};
use super::{Found, MANIFEST};
use crate::error::{Context, Error, Result};
use crate::image::layer::inflate::Compression;
use crate::spec::digest::Digest;
use crate::spec::reference::Reference;
use crate::store::images::{Entry, parse_document};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Vec<String>,
    #[serde(default)]
    layers: Vec<String>,
}

/// Brings the images of an archive into the store.
pub fn images(content: &Content) -> Result<Vec<Found>> {
    items(content)?
        .iter()
        .map(|item| image(content, item).what(|| format!("image {:?}", item.config)))
        .collect()
}

/// Returns the names that the list gives to configurations; none when there is no list.
pub fn tags(content: &Content) -> BTreeMap<Digest, Vec<Reference>> {
    if !content.has("manifest.json") {
        return BTreeMap::new();
    }
    let named = |item: &Item| Some((content.find(&item.config).ok()?.digest, names(item).ok()?));
    items(content)
        .unwrap_or_default()
        .iter()
        .filter_map(named)
        .collect()
}

fn items(content: &Content) -> Result<Vec<Item>> {
    parse_document(&content.document("manifest.json")?).what(|| "cannot read manifest.json")
}

fn names(item: &Item) -> Result<Vec<Reference>> {
    item.repo_tags.iter().map(|tag| tag.parse()).collect()
}

fn image(content: &Content, item: &Item) -> Result<Found> {
    let names = names(item)?;
    let config = content.find(&item.config)?;
    check_name(&item.config, &config)?;
    let document: ImageConfiguration = parse_document(&content.read(&config)?)
        .what(|| format!("cannot read {:?}", item.config))?;
    let diff_ids = document.rootfs().diff_ids();
    if diff_ids.len() != item.layers.len() {
        return Err(Error::new(format!(
            "manifest.json names {} layers and the configuration {}",
            item.layers.len(),
            diff_ids.len()
        )));
    }
    let mut layers = Vec::new();
    for (name, diff_id) in item.layers.iter().zip(diff_ids) {
        let held = content.find(name)?;
        let media_type = media_type(&held, &diff_id.parse()?).what(|| format!("layer {name:?}"))?;
        content.keep(&held)?;
        layers.push(descriptor(media_type, &held));
    }
    content.keep(&config)?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": layers,
    }))?;
    let digest = content.store().add_blob(&manifest)?;
    Ok(Found {
        entry: Entry::new(MANIFEST, digest, manifest.len() as u64, None),
        names,
    })
}

fn descriptor(media_type: &str, held: &Held) -> serde_json::Value {
    json!({
        "mediaType": media_type,
        "digest": held.digest.as_str(),
        "size": held.size,
    })
}

/// A configuration is called by its digest; what is not is refused before it is anyone's image.
fn check_name(name: &str, held: &Held) -> Result<()> {
    let base = name.rsplit('/').next().unwrap_or_default();
    let hex = base.strip_suffix(".json").unwrap_or(base);
    match format!("sha256:{hex}").parse::<Digest>() {
        Ok(said) if said != held.digest => Err(Error::new(format!(
            "the configuration is damaged: its digest is {}",
            held.digest
        ))),
        _ => Ok(()),
    }
}

/// Tells what a layer is from its first bytes. A plain tar can be checked at
/// once, others when they are unpacked.
fn media_type(held: &Held, diff_id: &Digest) -> Result<&'static str> {
    match held.compression {
        Compression::Gzip => Ok("application/vnd.oci.image.layer.v1.tar+gzip"),
        Compression::Zstd => Ok("application/vnd.oci.image.layer.v1.tar+zstd"),
        Compression::Plain if held.digest == *diff_id => {
            Ok("application/vnd.oci.image.layer.v1.tar")
        }
        Compression::Plain => Err(Error::new(format!(
            "it is damaged: its digest is {}, not {diff_id} as the configuration says",
            held.digest
        ))),
        Compression::Xz | Compression::Bzip2 => Err(Error::new(
            "it is compressed in a way that no layer of an image may be",
        )),
    }
}
