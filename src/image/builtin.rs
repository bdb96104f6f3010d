//! Images that rpod has in itself: `kubia`, the web server of a tutorial.
//!
//! ```text
//! /kubia           rpod's own executable, which is the server when called so
//! /etc/passwd, /etc/group, /dev, /proc, /sys, /tmp
//! ```
//!
//! Its entry in the index has two annotations:
//!
//! ```text
//! io.rpod.builtin             digest of the layer
//! io.rpod.builtin.executable  device:inode:size:mtime of the file it was made from
//! ```
//!
//! Lives here: making the image out of `/proc/self/exe`, once for each rpod.
//! Must not: start a thread: its caller forks afterwards.
//! Called by: `ops::pull`, for a name that [`provides`] knows.
//! Always true: an image that a user gave the name goes before ours; an rpod
//! that was replaced replaces its image; as long as it is the same file, that
//! costs one look at the index and two stat(2)s.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use crate::error::{Context, Error, Result};
use crate::image::layer;
use crate::spec::digest::Digest;
use crate::spec::idmap::IdMap;
use crate::spec::platform::Platform;
use crate::spec::reference::{DOCKER_HUB, Reference};
use crate::store::Store;
use crate::store::images::Entry;
use crate::store::layers::Durable;

/// Annotation of an entry that is ours: the digest of its layer.
pub const BUILTIN: &str = "io.rpod.builtin";
const EXECUTABLE: &str = "io.rpod.builtin.executable";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// When all of it was made, so that the same rpod makes the same image.
const CREATED: &str = "2024-08-04T18:51:00Z";

/// Says whether a name means one of them, when nobody gave it to another image.
pub fn provides(reference: &Reference) -> bool {
    *reference == name()
}

fn name() -> Reference {
    Reference {
        registry: DOCKER_HUB.to_owned(),
        repository: "library/kubia".to_owned(),
        tag: Some("latest".to_owned()),
        digest: None,
    }
}

/// Returns the entry of the name: a user's own image, or ours, which is made when it
/// is missing or of another rpod. Its layer is unpacked under the id map when it returns.
///
/// Needs no user namespace: all files are the user's own.
pub fn ensure(store: &Store, id_map: &IdMap) -> Result<Entry> {
    let what = || "cannot make the built-in image \"kubia\"";
    let found = store.find_image(&name())?;
    if let Some(entry) = &found
        && !entry.annotations.contains_key(BUILTIN)
    {
        return Ok(entry.clone());
    }
    let mut executable = File::open("/proc/self/exe").what(what)?;
    let identity = identity(&executable).what(what)?;
    let known = found.filter(|e| e.annotations.get(EXECUTABLE) == Some(&identity));
    if let Some(entry) = known
        && let Some(diff_id) = entry.annotations.get(BUILTIN)
        && let Ok(diff_id) = diff_id.parse::<Digest>()
        && store.has_blob(&entry.digest)
        && store.has_blob(&diff_id)
    {
        if !store.has_layer(&id_map.name(), &diff_id) {
            unpack(store, &diff_id, id_map).what(what)?;
        }
        return Ok(entry);
    }
    make(store, id_map, &mut executable, &identity).what(what)
}

fn make(store: &Store, id_map: &IdMap, executable: &mut File, identity: &str) -> Result<Entry> {
    let _lease = store.lease()?;
    let (diff_id, size) = add_layer(store, executable)?;
    unpack(store, &diff_id, id_map)?;
    let config = serde_json::to_vec(&config(&diff_id))?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": store.add_blob(&config)?.as_str(),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": diff_id.as_str(),
            "size": size,
        }],
    }))?;
    let digest = store.add_blob(&manifest)?;
    let mut entry = Entry::new(MANIFEST, digest, manifest.len() as u64, Some(&name()));
    entry
        .annotations
        .insert(BUILTIN.to_owned(), diff_id.to_string());
    entry
        .annotations
        .insert(EXECUTABLE.to_owned(), identity.to_owned());
    store.add_image(entry.clone())?;
    // The one of the rpod before has lost its name by now; nobody asked for it.
    store.remove_images(&|e| e.name().is_none() && e.annotations.contains_key(BUILTIN))?;
    Ok(entry)
}

fn config(diff_id: &Digest) -> serde_json::Value {
    let platform = Platform::host();
    json!({
        "created": CREATED,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": ["/kubia"],
            "ExposedPorts": { "8080/tcp": {} },
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [diff_id.as_str()] },
        "history": [
            { "created": CREATED, "created_by": "ADD rpod /kubia", "comment": "built into rpod" },
            { "created": CREATED, "created_by": "EXPOSE map[8080/tcp:{}]", "empty_layer": true },
            { "created": CREATED, "created_by": "ENTRYPOINT [\"/kubia\"]", "empty_layer": true },
        ],
    })
}

/// Writes the layer as a blob: a plain tar, whose digest is its diff id as well.
fn add_layer(store: &Store, executable: &mut File) -> Result<(Digest, u64)> {
    let mut blob = store.new_blob()?;
    let size = executable.metadata()?.len();
    write_tar(&mut blob, executable, size).what(|| "cannot write its layer")?;
    blob.commit(None)
}

fn write_tar(to: &mut impl io::Write, executable: &mut impl Read, size: u64) -> io::Result<()> {
    const PASSWD: &str = "root:x:0:0:root:/:/kubia\nnobody:x:65534:65534:nobody:/:/kubia\n";
    const GROUP: &str = "root:x:0:\nnobody:x:65534:\n";
    let mut tar = tar::Builder::new(to);
    let mut add = |path: &str, mode: u32, size: u64, content: &mut dyn Read| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(match path.ends_with('/') {
            true => tar::EntryType::Directory,
            false => tar::EntryType::Regular,
        });
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(MADE);
        header.set_size(size);
        tar.append_data(&mut header, path, content)
    };
    for (path, mode) in [
        ("dev/", 0o755),
        ("etc/", 0o755),
        ("proc/", 0o555),
        ("sys/", 0o555),
        ("tmp/", 0o1777),
    ] {
        add(path, mode, 0, &mut io::empty())?;
    }
    for (path, text) in [("etc/passwd", PASSWD), ("etc/group", GROUP)] {
        add(path, 0o644, text.len() as u64, &mut text.as_bytes())?;
    }
    add("kubia", 0o755, size, &mut executable.take(size))?;
    tar.finish()
}

/// [`CREATED`], in seconds since 1970.
const MADE: u64 = 1_722_797_460;

fn unpack(store: &Store, diff_id: &Digest, id_map: &IdMap) -> Result<()> {
    let staged = store.stage_layer()?;
    let tar = BufReader::with_capacity(256 << 10, store.open_blob(diff_id)?);
    let info = layer::unpack_plain(tar, &staged.path().join("tree"), id_map)?;
    store.publish_layer(staged, &id_map.name(), diff_id, info, Durable::Now)
}

/// Tells one file from another, and from itself after a change.
fn identity(file: &File) -> Result<String> {
    let meta = file.metadata()?;
    let modified = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or(Duration::ZERO);
    if !meta.is_file() {
        return Err(Error::new("rpod's own executable is no regular file"));
    }
    Ok(format!(
        "{}:{}:{}:{}",
        meta.dev(),
        meta.ino(),
        meta.len(),
        modified.as_nanos()
    ))
}

#[cfg(test)]
mod tests {
    use super::{BUILTIN, EXECUTABLE, ensure, name};
    use crate::spec::digest::Digest;
    use crate::spec::idmap::IdMap;
    use crate::store::Store;
    use crate::store::images::Entry;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        (dir, store)
    }

    fn own_ids() -> IdMap {
        IdMap::single(
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        )
    }

    #[test]
    fn it_is_made_once_and_is_an_ordinary_image() {
        let (_dir, store) = store();
        let entry = ensure(&store, &own_ids()).expect("made");
        let image = store.load_image(&entry).expect("an image");
        let tree = store.layer_tree("single", &image.layers[0].diff_id);
        let own = std::fs::metadata("/proc/self/exe").expect("there").len();
        assert_eq!(
            std::fs::metadata(tree.join("kubia")).expect("there").len(),
            own
        );
        assert!(tree.join("tmp").is_dir() && tree.join("etc/passwd").is_file());
        assert_eq!(ensure(&store, &own_ids()).expect("there"), entry);
    }

    #[test]
    fn another_rpod_replaces_it_and_leaves_no_image_without_a_name() {
        let (_dir, store) = store();
        let mut old = Entry::new("m", Digest::of(b"old"), 3, Some(&name()));
        old.annotations
            .insert(BUILTIN.into(), Digest::of(b"l").to_string());
        old.annotations.insert(EXECUTABLE.into(), "1:2:3:4".into());
        store.add_image(old).expect("added");
        let entry = ensure(&store, &own_ids()).expect("made");
        assert_eq!(store.image_entries().expect("read"), [entry]);
    }

    #[test]
    fn an_image_that_a_user_called_so_goes_before_it() {
        let (_dir, store) = store();
        let own = Entry::new("m", Digest::of(b"own"), 3, Some(&name()));
        store.add_image(own.clone()).expect("added");
        assert_eq!(ensure(&store, &own_ids()).expect("there"), own);
    }
}
