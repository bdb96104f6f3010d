//! Files put into a list as an artifact (OCI image spec 1.1, manifest.md, "Guidelines for
//! Artifact Usage").
//!
//! Lives here: the artifact's manifest, and its blobs, which are the files as they are.
//! Must not: put it into the list (`ops::manifest`).
//! Called by: `ops::manifest`, which holds the store's lease.
//! Always true: a list names it as it names images; it has no platform but one that was said.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::{Context, Error, Kind, Result};
use crate::image::registry::manifest::OCI_MANIFEST;
use crate::store::Store;
use crate::store::artifacts::is_image_config;

/// What an artifact is made of.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    /// Its files.
    pub files: Vec<PathBuf>,
    /// `--artifact-type`: what it is.
    pub kind: Option<String>,
    /// `--artifact-config`: a file that is its configuration.
    pub config: Option<PathBuf>,
    /// `--artifact-config-type`: what that is.
    pub config_kind: Option<String>,
    /// `--artifact-layer-type`: what its files are.
    pub layer_kind: Option<String>,
    /// `--artifact-exclude-titles`: their names are not told.
    pub nameless: bool,
}

/// What has nothing in it: two bytes (manifest.md, "Guidance for an Empty Descriptor").
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// What nobody said the type of.
const UNKNOWN: &str = "application/vnd.unknown.artifact.v1";
const BYTES: &str = "application/octet-stream";

/// Writes an artifact's blobs and its manifest; returns what a list says of it.
pub fn write(store: &Store, artifact: &Artifact, subject: Option<Value>) -> Result<Value> {
    let config_kind = artifact.config_kind.as_deref();
    if config_kind.is_some_and(is_image_config) {
        return Err(Error::of(
            Kind::Usage,
            "a configuration of this type makes it an image, and no artifact",
        )
        .hint("give it a type of its own with --artifact-config-type"));
    }
    let config = match &artifact.config {
        Some(path) => keep(store, path, config_kind.unwrap_or("application/json"))?,
        None => empty(store, config_kind.unwrap_or(EMPTY_TYPE))?,
    };
    let kind = match (&artifact.kind, &artifact.config, config_kind) {
        (Some(kind), ..) => Some(kind.as_str()),
        // An artifact says what it is, itself or by its configuration.
        (None, None, None) => Some(UNKNOWN),
        (None, ..) => None,
    };
    let mut layers = Vec::new();
    for path in &artifact.files {
        let layer = keep(store, path, artifact.layer_kind.as_deref().unwrap_or(BYTES))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let title = json!({ "org.opencontainers.image.title": name });
        layers.push(with(
            layer,
            "annotations",
            Some(title).filter(|_| !artifact.nameless),
        ));
    }
    if layers.is_empty() {
        layers.push(empty(store, EMPTY_TYPE)?);
    }
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers,
    });
    let manifest = with(manifest, "artifactType", kind.map(Value::from));
    let manifest = with(manifest, "subject", subject);
    let bytes = serde_json::to_vec(&manifest)?;
    let listed = json!({
        "mediaType": OCI_MANIFEST, "digest": store.add_blob(&bytes)?, "size": bytes.len(),
    });
    let kind = kind.or(config_kind).unwrap_or("application/json");
    Ok(with(listed, "artifactType", Some(kind.into())))
}

fn with(mut value: Value, key: &str, field: Option<Value>) -> Value {
    if let (Some(map), Some(field)) = (value.as_object_mut(), field) {
        map.insert(key.to_owned(), field);
    }
    value
}

fn empty(store: &Store, kind: &str) -> Result<Value> {
    let digest = store.add_blob(EMPTY)?;
    Ok(json!({ "mediaType": kind, "digest": digest, "size": EMPTY.len() }))
}

fn keep(store: &Store, path: &Path, kind: &str) -> Result<Value> {
    let what = || format!("cannot take \"{}\"", path.display());
    let mut file = File::open(path).what(what)?;
    if !file.metadata().what(what)?.is_file() {
        return Err(Error::of(Kind::Usage, "it is no file").what(what()));
    }
    let mut blob = store.new_blob()?;
    io::copy(&mut file, &mut blob).what(what)?;
    let (digest, size) = blob.commit(None).what(what)?;
    Ok(json!({ "mediaType": kind, "digest": digest, "size": size }))
}
