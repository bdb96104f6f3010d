//! Images put together on this machine: layers, a configuration, a manifest, names.
//!
//! ```text
//! directory ─ layer::write ─▶ blob (a plain tar)      layers/<map>/<diff-id>/tree
//!                               │                        ▲ moved there, or unpacked again
//! Config + history + layers ─▶ configuration, manifest ─▶ index
//! ```
//!
//! Lives here: what `commit`, `import` and a build have in common.
//! Must not: decide what is in an image.
//! Called by: `ops`, which holds the store's lease (`Store::lease`) from before the
//! first layer until the image is in the index: else a collector takes them.
//! Always true: layers are kept as plain tars, so that nothing is compressed
//! before it leaves the machine; an entry comes into the index only while every
//! blob it needs is in the store.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Context, Error, Kind, Result};
use crate::image::layer::write::{self, Options, Written};
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::images::{DOCUMENT_LIMIT, Entry, Image, Layer, put};

/// Which media types a manifest has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Those of the OCI image specification.
    #[default]
    Oci,
    /// Docker's schema 2.
    Docker,
}

/// A plain tar, as layers made here are.
pub const PLAIN_TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// One line of an image's history.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What made it.
    pub created_by: String,
    /// Who did.
    pub author: String,
    /// What is said of it.
    pub comment: String,
}

/// An image's configuration, with all that its makers wrote into it.
#[derive(Clone, Debug)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Returns the configuration of an image with nothing in it.
    pub fn scratch(platform: &Platform) -> Self {
        let mut map = Map::new();
        map.insert("os".into(), platform.os.clone().into());
        map.insert("architecture".into(), platform.architecture.clone().into());
        if let Some(variant) = &platform.variant {
            map.insert("variant".into(), variant.clone().into());
        }
        map.insert("config".into(), json!({}));
        map.insert("rootfs".into(), json!({ "type": "layers", "diff_ids": [] }));
        map.insert("history".into(), json!([]));
        Self(map)
    }

    /// Reads an image's.
    pub fn of(store: &Store, image: &Image) -> Result<Self> {
        let bytes = store.read_blob(&image.id, DOCUMENT_LIMIT)?;
        let what = || format!("cannot read image {}", image.id);
        match serde_json::from_slice(&bytes).what(what)? {
            Value::Object(mut map) => {
                // What docker remembers of the container it was made in is no longer true.
                for key in [
                    "comment",
                    "container",
                    "container_config",
                    "docker_version",
                    "id",
                    "parent",
                ] {
                    map.remove(key);
                }
                Ok(Self(map))
            }
            _ => Err(Error::new("its configuration is no object").what(what())),
        }
    }

    /// Returns what containers of the image get: `Cmd`, `Env` and so on, in docker's words.
    pub fn settings(&mut self) -> &mut Map<String, Value> {
        object(self.0.entry("config").or_insert_with(|| json!({})))
    }

    /// Returns what it is for; what is not said is this machine's.
    pub fn platform(&self) -> Platform {
        let text = |key: &str| Some(self.0.get(key)?.as_str()?.to_owned());
        let host = Platform::host();
        Platform {
            os: text("os").unwrap_or(host.os),
            architecture: text("architecture").unwrap_or(host.architecture),
            variant: text("variant"),
        }
    }

    /// Keeps something of our own beside what the image says.
    pub fn set_extra(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    /// Says when it was made.
    pub fn set_created(&mut self, time: Time) {
        self.0.insert("created".into(), text_of(time).into());
    }

    /// Says who made it.
    pub fn set_author(&mut self, author: &str) {
        self.0.insert("author".into(), author.into());
    }

    /// Says what docker tells beside the history.
    pub fn set_comment(&mut self, comment: &str) {
        self.0.insert("comment".into(), comment.into());
    }

    /// Adds a line of history, and the layer it made; none when it made none.
    pub fn add(&mut self, time: Time, history: &History, layer: Option<&Digest>) {
        let mut line = Map::new();
        line.insert("created".into(), text_of(time).into());
        for (key, text) in [
            ("created_by", &history.created_by),
            ("author", &history.author),
            ("comment", &history.comment),
        ] {
            if !text.is_empty() {
                line.insert(key.into(), text.clone().into());
            }
        }
        match layer {
            Some(layer) => self.diff_ids().push(layer.as_str().into()),
            None => drop(line.insert("empty_layer".into(), true.into())),
        }
        array(self.0.entry("history").or_insert_with(|| json!([]))).push(line.into());
    }

    /// Forgets all layers and their history.
    pub fn clear_layers(&mut self) {
        self.diff_ids().clear();
        self.0.insert("history".into(), json!([]));
    }

    fn diff_ids(&mut self) -> &mut Vec<Value> {
        let rootfs = object(self.0.entry("rootfs").or_insert_with(|| json!({})));
        rootfs.insert("type".into(), "layers".into());
        array(rootfs.entry("diff_ids").or_insert_with(|| json!([])))
    }
}

/// Without the digits of a second that are zeros, as Go writes times.
fn text_of(time: Time) -> String {
    let text = time.to_string();
    let short = text.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", short.trim_end_matches('.'))
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made one"),
    }
}

fn array(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = json!([]);
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!("it was made one"),
    }
}

/// Writes a directory as the blob of a layer.
///
/// The caller is root of the user namespace whose ids the files have.
pub fn write_layer(store: &Store, tree: &Path, options: Options<'_>) -> Result<(Layer, Written)> {
    let mut blob = store.new_blob()?;
    let written = write::write(tree, options, &mut blob)?;
    Ok((plain_layer(blob.commit(None)?), written))
}

/// Returns the layer of a blob that is a plain tar: its digest is its diff id as well.
pub fn plain_layer((digest, size): (Digest, u64)) -> Layer {
    Layer {
        blob: digest.clone(),
        media_type: PLAIN_TAR.to_owned(),
        size,
        diff_id: digest,
    }
}

/// An image that was put together.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its id: the digest of its configuration.
    pub id: Digest,
    /// Its entry in the index, under the first of its names.
    pub entry: Entry,
}

/// Writes an image's documents and puts it into the index, under all its names.
pub fn add_image(
    store: &Store,
    config: &Config,
    layers: &[Layer],
    format: Format,
    names: &[Reference],
) -> Result<Made> {
    add_annotated(store, config, layers, format, names, &BTreeMap::new())
}

/// The same, with annotations in the manifest.
pub fn add_annotated(
    store: &Store,
    config: &Config,
    layers: &[Layer],
    format: Format,
    names: &[Reference],
    annotations: &BTreeMap<String, String>,
) -> Result<Made> {
    let made = write_image(store, config, layers, format, annotations)?;
    put_image(store, &made, layers, names)
}

/// Writes an image's documents; nothing leads to them yet.
pub fn write_image(
    store: &Store,
    config: &Config,
    layers: &[Layer],
    format: Format,
    annotations: &BTreeMap<String, String>,
) -> Result<Made> {
    let config_bytes = serde_json::to_vec(&config.0)?;
    let id = store.add_blob(&config_bytes)?;
    let listed = layers
        .iter()
        .map(|layer| {
            Ok(json!({
                "mediaType": layer_type(&layer.media_type, format)?,
                "digest": layer.blob.as_str(),
                "size": layer.size,
            }))
        })
        .collect::<Result<Vec<Value>>>()?;
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": format.manifest(),
        "config": {
            "mediaType": format.config(),
            "digest": id.as_str(),
            "size": config_bytes.len(),
        },
        "layers": listed,
    });
    if !annotations.is_empty() {
        manifest["annotations"] = json!(annotations);
    }
    let manifest = serde_json::to_vec(&manifest)?;
    let digest = store.add_blob(&manifest)?;
    let size = manifest.len() as u64;
    let entry = Entry::new(format.manifest(), digest, size, None);
    Ok(Made { id, entry })
}

/// Puts an image that was written into the index, under all its names.
pub fn put_image(
    store: &Store,
    made: &Made,
    layers: &[Layer],
    names: &[Reference],
) -> Result<Made> {
    let entries: Vec<Entry> = match names {
        [] => vec![made.entry.clone()],
        names => names.iter().map(|name| made.entry.renamed(name)).collect(),
    };
    let entry = entries[0].clone();
    store.change_images(
        |index| {
            let documents = [&made.id, &made.entry.digest];
            let needed = layers.iter().map(|l| &l.blob).chain(documents);
            for blob in needed {
                if !store.has_blob(blob) {
                    return Err(Error::of(
                        Kind::Conflict,
                        format!("blob {blob} of the image it is made from has been removed"),
                    )
                    .hint("pull or build that image again"));
                }
            }
            for entry in entries {
                put(index, entry);
            }
            Ok(())
        },
        |(), _| {},
    )?;
    Ok(Made {
        id: made.id.clone(),
        entry,
    })
}

impl Format {
    /// Returns the media type of its manifests.
    pub fn manifest(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    /// Returns the media type of its configurations.
    pub fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }
}

/// Returns the object that a document from elsewhere has under a name, made where there is
/// none.
///
/// # Errors
/// When there is something else.
pub fn object_in<'a>(value: &'a mut Value, key: &str) -> Result<&'a mut Map<String, Value>> {
    let one = object_of(value)?.entry(key).or_insert(Value::Null);
    if one.is_null() {
        *one = json!({});
    }
    let other = || Error::new(format!("what it has under \"{key}\" is no object"));
    one.as_object_mut().ok_or_else(other)
}

/// Returns what a document from elsewhere has, which may be no object.
pub fn object_of(value: &mut Value) -> Result<&mut Map<String, Value>> {
    let other = || Error::new("a part of it is no object");
    value.as_object_mut().ok_or_else(other)
}

/// Makes an image's manifest say the same in the words of a format. What docker's has no
/// place for (annotations, what it is about) goes.
pub fn reword(manifest: &mut Value, format: Format) -> Result<()> {
    let say = |one: &mut Map<String, Value>, kind: &str| {
        one.insert("mediaType".to_owned(), kind.into());
    };
    say(object_of(manifest)?, format.manifest());
    say(object_in(manifest, "config")?, format.config());
    if let Some(Value::Array(layers)) = manifest.get_mut("layers") {
        for layer in layers {
            let said = layer["mediaType"].as_str().unwrap_or_default();
            let kind = layer_type(said, format)?;
            say(object_of(layer)?, &kind);
        }
    }
    if format == Format::Docker
        && let Some(manifest) = manifest.as_object_mut()
    {
        for key in ["annotations", "artifactType", "subject"] {
            manifest.remove(key);
        }
    }
    Ok(())
}

/// Returns what a format calls a layer that another may call otherwise.
fn layer_type(media_type: &str, format: Format) -> Result<String> {
    let foreign = ["foreign", "nondistributable"]
        .iter()
        .any(|word| media_type.contains(word));
    let compression = if media_type.ends_with("gzip") {
        "gzip"
    } else if media_type.ends_with("zstd") {
        "zstd"
    } else {
        ""
    };
    let base = match (format, foreign) {
        (Format::Oci, false) => PLAIN_TAR,
        (Format::Oci, true) => "application/vnd.oci.image.layer.nondistributable.v1.tar",
        (Format::Docker, false) => "application/vnd.docker.image.rootfs.diff.tar",
        (Format::Docker, true) => "application/vnd.docker.image.rootfs.foreign.diff.tar",
    };
    Ok(match (format, compression) {
        (_, "") => base.to_owned(),
        (Format::Oci, compression) => format!("{base}+{compression}"),
        (Format::Docker, "gzip") => format!("{base}.gzip"),
        _ => {
            return Err(
                Error::new("docker's format has no layers compressed with zstd")
                    .hint("write it in the other one: `--format oci`"),
            );
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Config, Format, History, add_image, write_layer};
    use crate::image::layer::write::Options;
    use crate::image::layer::{Report, unpack_blob};
    use crate::progress::{Silent, Step};
    use crate::spec::idmap::IdMap;
    use crate::spec::platform::Platform;
    use crate::spec::time::Time;
    use crate::store::Store;

    #[test]
    fn a_directory_becomes_an_image_whichever_way_its_layer_was_made() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        let ids = IdMap::single(
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        let tree = dir.path().join("rpod/upper");
        fs::create_dir(&tree).expect("made");
        fs::write(tree.join("f"), "hello").expect("written");
        let options = Options {
            owner: Some((0, 0)),
            ..Options::default()
        };
        let (copied, _) = write_layer(&store, &tree, options).expect("written");
        let (progress, step) = (&Silent, Step(0));
        unpack_blob(&store, &copied, &ids, Report { progress, step }).expect("unpacked");
        let copy = store.layer_tree("single", &copied.diff_id);
        assert_eq!(fs::read(copy.join("f")).expect("there"), b"hello");
        assert!(tree.exists());

        fs::write(tree.join("g"), "more").expect("written");
        let (moved, written) = write_layer(&store, &tree, Options::default()).expect("written");
        let (left_out, info) = (&written.left_out, written.info);
        store
            .adopt_layer(&tree, left_out, "single", &moved.diff_id, info)
            .expect("moved");
        let there = store.layer_tree("single", &moved.diff_id);
        assert_eq!(fs::read(there.join("g")).expect("there"), b"more");
        assert!(!tree.exists());

        let mut config = Config::scratch(&Platform::host());
        config.settings().insert("Cmd".into(), vec!["/f"].into());
        for layer in [&copied, &moved] {
            config.add(Time::now(), &History::default(), Some(&layer.diff_id));
        }
        let names = ["a:1".parse().expect("a name"), "b".parse().expect("a name")];
        let layers = [copied, moved];
        let made = add_image(&store, &config, &layers, Format::Docker, &names).expect("made");
        for name in &names {
            let entry = store.find_image(name).expect("read").expect("there");
            let image = store.load_image(&entry).expect("an image");
            assert_eq!((&image.id, image.layers.len()), (&made.id, 2));
        }
        fs::remove_file(store.blob_path(&layers[0].blob)).expect("removed");
        let error = add_image(&store, &config, &layers, Format::Oci, &names).expect_err("refused");
        assert!(error.to_string().contains("has been removed"), "{error}");
    }
}
