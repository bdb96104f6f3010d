//! Artifacts: what registries keep beside container images, in manifests of the same
//! form: charts, signatures, lists of materials, models (OCI image spec 1.1, manifest.md,
//! "Guidelines for Artifact Usage").
//!
//! Lives here: telling them from images, and what is known of one.
//! Must not: read a part of one; its parts have no meaning here.
//! Called by: `store::images`, `image`, `ops`.
//! Always true: an artifact's manifest is kept byte for byte as an image's is; it has no
//! layers to unpack, and its id is its manifest's digest, since many share a configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Kind};
use crate::spec::digest::Digest;
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::images::{DOCUMENT_LIMIT, Entry, parse_document};

/// An artifact of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What it is: its own type, or that of its configuration.
    pub kind: String,
    /// When it was made, if it says so.
    pub created: Option<Time>,
    /// The manifest it is about, if there is one.
    pub subject: Option<Digest>,
    /// What its manifest says of it.
    pub annotations: BTreeMap<String, String>,
    /// Its blobs, the configuration first, each with its bytes.
    pub blobs: Vec<(Digest, u64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    artifact_type: Option<String>,
    config: Part,
    #[serde(default)]
    layers: Vec<Part>,
    subject: Option<Part>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    #[serde(default)]
    size: u64,
}

const CREATED: &str = "org.opencontainers.image.created";

/// Says whether a configuration of this type is an image's.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json"
            // Docker of 1.10 pushed so; and some archives say nothing.
            | "application/octet-stream"
            | ""
    )
}

/// Reads a manifest as an artifact's; nothing if it is an image's, a list or unreadable.
pub fn parse(manifest: &[u8]) -> Option<Artifact> {
    let manifest: Manifest = parse_document(manifest).ok()?;
    if is_image_config(&manifest.config.media_type) {
        return None;
    }
    let created = manifest.annotations.get(CREATED);
    Some(Artifact {
        kind: kind(manifest.artifact_type, manifest.config.media_type),
        created: created.and_then(|text| text.parse().ok()),
        subject: manifest.subject.map(|part| part.digest),
        annotations: manifest.annotations,
        blobs: std::iter::once((manifest.config.digest, manifest.config.size))
            .chain(manifest.layers.into_iter().map(|l| (l.digest, l.size)))
            .collect(),
    })
}

/// Returns what an artifact is: what it says itself, or else what its configuration is.
pub fn kind(own: Option<String>, config: String) -> String {
    clean(&own.filter(|own| !own.is_empty()).unwrap_or(config))
}

/// Says why an artifact cannot be used as an image.
pub fn no_image(kind: &str) -> Error {
    Error::of(
        Kind::Conflict,
        format!("it is an artifact of type \"{kind}\", not a container image"),
    )
}

/// Makes somebody else's words fit for a sentence: short, and without letters that move a cursor.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

impl Store {
    /// Returns what is known of an artifact; nothing if the entry is none.
    pub fn artifact(&self, entry: &Entry) -> Option<Artifact> {
        parse(&self.read_blob(&entry.digest, DOCUMENT_LIMIT).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;
    use crate::spec::digest::Digest;

    #[test]
    fn an_artifact_is_told_by_its_configuration() {
        let digest = Digest::of(b"{}");
        let manifest = |config: &str, kind: Option<&str>| {
            let text = json!({ "schemaVersion": 2, "artifactType": kind,
                "config": { "mediaType": config, "digest": digest, "size": 2 },
                "layers": [{ "mediaType": "text/plain", "digest": digest, "size": 2 }],
                "subject": { "mediaType": "m", "digest": digest, "size": 7 } });
            parse(text.to_string().as_bytes()).map(|artifact| artifact.kind)
        };
        let empty = "application/vnd.oci.empty.v1+json";
        let image = "application/vnd.oci.image.config.v1+json";
        let chart = "application/vnd.cncf.helm.config.v1+json";
        for (config, kind, expected) in [
            (
                empty,
                Some("application/spdx+json"),
                Some("application/spdx+json"),
            ),
            (empty, None, Some(empty)),
            (chart, None, Some(chart)),
            (chart, Some("a\u{1b}[1mb"), Some("a[1mb")),
            // An image may say what it is besides.
            (image, Some("application/x"), None),
            (image, None, None),
        ] {
            assert_eq!(manifest(config, kind).as_deref(), expected, "{config}");
        }
        assert_eq!(parse(br#"{"manifests":[]}"#), None);
    }
}
