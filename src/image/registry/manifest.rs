//! Manifests: what a registry says an image is made of.
//!
//! Lives here: telling the kinds of manifests apart, refusing what is no image,
//! and choosing a platform out of a list.
//! Must not: fetch, or change a byte: a digest is of the bytes as they came.
//! Called by: `transfer`.
//! Always true: what is returned names its parts by valid digests; a document
//! that could be read as two things is refused (CVE-2021-41190).

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::store::artifacts::{self, clean, is_image_config};
use crate::store::images::parse_document;

/// What we say we understand, the newest first.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// An image, as OCI has it.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A list, as OCI has it.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image, as docker has it.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A list, as docker has it.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Layers of an image at most; more than an overlay could ever stack.
const LAYERS: usize = 1024;

/// Addresses of one layer that are tried.
const URLS: usize = 4;

/// A part of an image, by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where it lies if not at registries: what may not be passed on is kept by its makers.
    pub elsewhere: Vec<String>,
}

/// A manifest that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// An image for one platform.
    Image {
        /// What the manifest is.
        media_type: String,
        /// Its configuration.
        config: Part,
        /// Its layers from the lowest.
        layers: Vec<Part>,
    },
    /// Something else than an image, kept at registries as images are.
    Artifact {
        /// What the manifest is.
        media_type: String,
        /// What it is itself.
        kind: String,
        /// Its blobs: the configuration, and then the others.
        config: Part,
        /// The others.
        blobs: Vec<Part>,
    },
    /// A list of manifests, with the platforms of those that are images.
    List(Vec<(Part, Option<Platform>)>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<RawPart>,
    layers: Option<Vec<RawPart>>,
    manifests: Option<Vec<RawPart>>,
    fs_layers: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPart {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<RawPlatform>,
    urls: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Understands a manifest that came with the content type `served_as`.
pub fn parse(bytes: &[u8], served_as: Option<&str>) -> Result<Manifest> {
    let raw: Raw = check_objects(bytes)
        .and_then(|()| parse_document(bytes))
        .map_err(|error| error.what("what the registry has under this name is no manifest"))?;
    if raw.fs_layers.is_some() || raw.schema_version == Some(1) {
        return Err(Error::new(
            "it is kept in an old form (manifest schema 1), which nothing proves to be unchanged",
        )
        .hint("have its owner push it again with a program of 2017 or later"));
    }
    let named = raw.media_type.as_deref().or(served_as).unwrap_or_default();
    let is_list = raw.manifests.is_some();
    let is_image = raw.layers.is_some() || raw.config.is_some();
    if is_list && is_image {
        return Err(Error::new(
            "its manifest could be read as an image and as a list of images",
        ));
    }
    match named {
        OCI_INDEX | DOCKER_LIST if is_image => return Err(unlike(named)),
        OCI_MANIFEST | DOCKER_MANIFEST if is_list => return Err(unlike(named)),
        _ => {}
    }
    if let Some(manifests) = raw.manifests {
        return Ok(Manifest::List(list(manifests)));
    }
    let (Some(config), Some(layers)) = (raw.config, raw.layers) else {
        let named = clean(named);
        return Err(Error::new(format!(
            "what the registry has under this name is no image (its type is \"{named}\")"
        )));
    };
    if layers.len() > LAYERS {
        return Err(Error::new(format!("it has {} layers", layers.len())));
    }
    if !is_image_config(&config.media_type) {
        return Ok(Manifest::Artifact {
            media_type: OCI_MANIFEST.to_owned(),
            kind: artifacts::kind(raw.artifact_type, config.media_type.clone()),
            config: part(config)?,
            blobs: layers.into_iter().map(part).collect::<Result<_>>()?,
        });
    }
    for layer in &layers {
        check_is_layer(layer)?;
    }
    let media_type = match named {
        DOCKER_MANIFEST => DOCKER_MANIFEST,
        _ if config.media_type.starts_with("application/vnd.docker.") => DOCKER_MANIFEST,
        _ => OCI_MANIFEST,
    };
    Ok(Manifest::Image {
        media_type: media_type.to_owned(),
        config: part(config)?,
        layers: layers.into_iter().map(part).collect::<Result<_>>()?,
    })
}

/// What has names for us is an object: serde would take a list of the values as well, and
/// whoever changes a field of the document finds no field there.
fn check_objects(bytes: &[u8]) -> Result<()> {
    let value: Value = serde_json::from_slice(bytes)?;
    let listed = ["layers", "manifests"].map(|key| value[key].as_array());
    let mut parts = listed.into_iter().flatten().flatten();
    let sound = |part: &Value| part.is_object() || part.is_null();
    if value.is_object() && sound(&value["config"]) && parts.all(sound) {
        return Ok(());
    }
    Err(Error::new("a part of it is no object"))
}

fn unlike(named: &str) -> Error {
    Error::new(format!(
        "its manifest is not what it says it is (\"{named}\")"
    ))
}

fn list(manifests: Vec<RawPart>) -> Vec<(Part, Option<Platform>)> {
    manifests
        .into_iter()
        .filter_map(|mut raw| {
            let platform = raw.platform.take().map(|p| Platform {
                os: p.os,
                architecture: p.architecture,
                variant: p.variant.filter(|v| !v.is_empty()),
            });
            // One with a digest of a kind we do not know is one we cannot choose.
            Some((part(raw).ok()?, platform))
        })
        .collect()
}

fn part(raw: RawPart) -> Result<Part> {
    // Addresses in other parts are nobody's need; a manifest must not send us about.
    let is_foreign = ["nondistributable", ".foreign."]
        .iter()
        .any(|word| raw.media_type.contains(word));
    let urls = raw.urls.unwrap_or_default();
    Ok(Part {
        digest: raw.digest.parse()?,
        media_type: raw.media_type,
        size: raw.size,
        elsewhere: urls.into_iter().filter(|_| is_foreign).take(URLS).collect(),
    })
}

fn check_is_layer(layer: &RawPart) -> Result<()> {
    let known = [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];
    let compressed = ["", "+gzip", "+zstd", ".gzip", ".zstd"];
    let fits = known.iter().any(|base| {
        let rest = layer.media_type.strip_prefix(base);
        rest.is_some_and(|rest| compressed.contains(&rest))
    });
    if fits {
        return Ok(());
    }
    let kind = clean(&layer.media_type);
    Err(Error::new(format!(
        "it has a layer of type \"{kind}\": rpod reads tars, plain, with gzip or with zstd"
    )))
}

/// Chooses the manifest for a platform, if the list has one.
pub fn choose<'a>(list: &'a [(Part, Option<Platform>)], wanted: &Platform) -> Option<&'a Part> {
    let best = list
        .iter()
        .filter_map(|(part, platform)| Some((part, platform.as_ref()?)))
        .filter(|(_, platform)| wanted.accepts(platform))
        .min_by_key(|(_, platform)| rank(wanted, platform));
    if let Some((part, _)) = best {
        return Some(part);
    }
    // A list of one that names no platform has nothing else to mean.
    match list {
        [(part, None)] => Some(part),
        _ => None,
    }
}

/// Returns the lists in a list that say nothing of a platform: an image may be in one.
pub fn lists(list: &[(Part, Option<Platform>)]) -> Vec<&Part> {
    let is_list = |part: &Part| matches!(part.media_type.as_str(), OCI_INDEX | DOCKER_LIST);
    list.iter()
        .filter(|(part, platform)| platform.is_none() && is_list(part))
        .map(|(part, _)| part)
        .collect()
}

/// Says that no image is for a platform, and which there are.
pub fn none_fits(offered: &[Platform], wanted: &Platform) -> Error {
    let mut names: Vec<String> = offered
        .iter()
        // Attestations are listed as being for nothing.
        .filter(|platform| platform.os != "unknown")
        .map(|platform| clean(&platform.to_string()))
        .collect();
    names.dedup();
    names.truncate(40);
    let error = Error::new(match names.as_slice() {
        [] => format!("there is no image for {wanted} in it, nor for another platform"),
        names => format!(
            "there is no image for {wanted} in it, only for {}",
            names.join(", ")
        ),
    });
    match names.first() {
        Some(first) => error.hint(format!(
            "to have another one though it may not run here, say `--platform {first}`"
        )),
        None => error,
    }
}

/// Less is better. Where no variant was asked for, the one that every machine of the architecture runs.
fn rank(wanted: &Platform, offered: &Platform) -> usize {
    let offered_variant = offered.variant.as_deref();
    if wanted.variant.is_some() {
        return usize::from(wanted.variant.as_deref() != offered_variant);
    }
    let order: &[Option<&str>] = match offered.architecture.as_str() {
        "arm" => &[Some("v7"), Some("v6"), Some("v5"), None],
        "arm64" => &[Some("v8"), None],
        _ => &[None, Some("v1"), Some("v2"), Some("v3"), Some("v4")],
    };
    order
        .iter()
        .position(|variant| *variant == offered_variant)
        .unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Part, choose, none_fits, parse};
    use crate::spec::digest::Digest;
    use crate::spec::platform::Platform;

    fn part(text: &str, kind: &str) -> String {
        let digest = Digest::of(text.as_bytes());
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":3}}"#)
    }

    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    fn image(config: &str, layer: &str, more: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,{more}"config":{},"layers":[{}]}}"#,
            part("c", config),
            part("l", layer)
        )
    }

    #[test]
    fn images_of_both_families_are_understood() {
        for (config, layer, kind) in [
            (CONFIG, LAYER, "application/vnd.oci.image.manifest.v1+json"),
            (
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "application/vnd.docker.distribution.manifest.v2+json",
            ),
        ] {
            let manifest = parse(image(config, layer, "").as_bytes(), None).expect("an image");
            let Manifest::Image {
                media_type, layers, ..
            } = manifest
            else {
                panic!("a list");
            };
            assert_eq!(media_type, kind);
            assert_eq!(layers[0].size, 3);
        }
    }

    #[test]
    fn what_is_no_image_is_refused_in_words() {
        let both = image(CONFIG, LAYER, r#""manifests":[],"#);
        let disguised = image(
            CONFIG,
            LAYER,
            r#""mediaType":"application/vnd.oci.image.index.v1+json","#,
        );
        let strange = image(CONFIG, "application/x-rar", "");
        for (text, why) in [
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "schema 1"),
            (both.as_str(), "as a list"),
            (disguised.as_str(), "not what it says"),
            (strange.as_str(), "application/x-rar"),
            ("{}", "no image"),
            ("<html>", "no manifest"),
            (
                r#"{"config":{"digest":"sha256:../x","size":1,"mediaType":"application/octet-stream"},"layers":[]}"#,
                "digest",
            ),
            (
                r#"{"config":{"digest":"x","size":-1},"layers":[]}"#,
                "no manifest",
            ),
        ] {
            let error = parse(text.as_bytes(), None).expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_part_that_is_a_list_of_its_values_is_refused() {
        let digest = Digest::of(b"x");
        let listed = format!(r#"["{LAYER}","{digest}",3,null,null]"#);
        let config = part("c", CONFIG);
        for manifest in [
            format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{listed}]}}"#),
            format!(r#"{{"schemaVersion":2,"config":{listed},"layers":[]}}"#),
            format!(r#"{{"schemaVersion":2,"manifests":[{listed}]}}"#),
            format!(r#"[2,null,null,null,null,[{}],null]"#, part("l", LAYER)),
        ] {
            let error = parse(manifest.as_bytes(), None).expect_err(&manifest);
            assert!(error.to_string().ends_with("is no object"), "{error}");
        }
    }

    #[test]
    fn what_is_no_image_is_an_artifact_of_its_own_type() {
        let empty = "application/vnd.oci.empty.v1+json";
        let chart = "application/vnd.cncf.helm.config.v1+json";
        for (config, more, expected) in [
            (chart, "", chart),
            (empty, r#""artifactType":"text/x","#, "text/x"),
            (empty, r#""artifactType":"","#, empty),
        ] {
            let text = image(config, "application/x-rar", more);
            let manifest = parse(text.as_bytes(), None).expect("an artifact");
            let Manifest::Artifact { kind, blobs, .. } = manifest else {
                panic!("an image");
            };
            assert_eq!((kind.as_str(), blobs.len()), (expected, 1));
        }
    }

    #[test]
    fn a_platform_is_chosen_or_the_others_are_named() {
        let entry = |name: &str, platform: &str| {
            let part = Part {
                media_type: String::new(),
                digest: Digest::of(name.as_bytes()),
                size: 1,
                elsewhere: Vec::new(),
            };
            (part, platform.parse::<Platform>().ok())
        };
        let list = [
            entry("a", "unknown/unknown"),
            entry("b", "linux/amd64/v3"),
            entry("c", "linux/amd64"),
            entry("d", "linux/arm64/v8"),
            entry("e", "linux/arm/v5"),
            entry("f", "linux/arm/v7"),
            entry("g", "windows/amd64"),
        ];
        for (wanted, name) in [
            ("linux/amd64", "c"),
            ("linux/amd64/v3", "b"),
            ("linux/arm64", "d"),
            ("linux/arm", "f"),
            ("linux/arm/v5", "e"),
            ("windows/amd64", "g"),
        ] {
            let part = choose(&list, &wanted.parse().expect(wanted)).expect(wanted);
            assert_eq!(part.digest, Digest::of(name.as_bytes()), "{wanted}");
        }
        let s390x = "linux/s390x".parse().expect("a platform");
        assert!(choose(&list, &s390x).is_none());
        let offered: Vec<Platform> = list.iter().filter_map(|(_, p)| p.clone()).collect();
        let error = none_fits(&offered, &s390x).to_string();
        assert!(error.contains("linux/s390x"), "{error}");
        assert!(
            error.contains("linux/amd64/v3, linux/amd64, linux/arm64/v8"),
            "{error}"
        );
        assert!(!error.contains("unknown"), "{error}");
        assert!(choose(&[], &s390x).is_none());
    }
}
