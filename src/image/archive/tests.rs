//! Archives made byte by byte, honest and hostile.

use std::fs;
use std::io::Write;

use serde_json::{Value, json};

use super::{Loaded, Source, load};
use crate::error::Result;
use crate::image::layer::entries::tests::{entry, header, tar};
use crate::progress::Silent;
use crate::spec::digest::Digest;
use crate::spec::idmap::IdMap;
use crate::store::Store;

struct Home {
    dir: tempfile::TempDir,
    store: Store,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        Self { dir, store }
    }

    fn load_from(&self, source: Source<'_>) -> Result<Vec<Loaded>> {
        let ids = IdMap::single(
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        load(&self.store, source, None, &ids, &Silent)
    }

    fn load(&self, parts: &[Vec<u8>]) -> Result<Vec<Loaded>> {
        let archive = tar(parts);
        let loaded = self.load_from(Source::Stream(&mut &archive[..]));
        let left = fs::read_dir(self.store.tmp()).expect("listed").count();
        assert_eq!(left, 0, "something is left in tmp/");
        loaded
    }

    fn refuses(&self, parts: &[Vec<u8>]) -> String {
        let error = self.load(parts).expect_err("refused").to_string();
        assert_eq!(self.store.image_entries().expect("read"), []);
        error
    }
}

fn layer() -> Vec<u8> {
    tar(&[entry(b'0', "f", "", b"hello")])
}

fn config(diff_ids: &[Digest]) -> Vec<u8> {
    let ids: Vec<&str> = diff_ids.iter().map(Digest::as_str).collect();
    json!({
        "architecture": "amd64", "os": "linux", "config": null,
        "rootfs": { "type": "layers", "diff_ids": ids },
    })
    .to_string()
    .into_bytes()
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    entry(b'0', name, "", data)
}

fn list(config: &str, layers: &[&str]) -> Vec<u8> {
    let list = json!([{ "Config": config, "RepoTags": ["x:1"], "Layers": layers }]);
    file("manifest.json", list.to_string().as_bytes())
}

fn blob(data: &[u8]) -> Vec<u8> {
    file(&format!("blobs/sha256/{}", Digest::of(data).hex()), data)
}

fn describe(media_type: &str, data: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(data).as_str(), "size": data.len() })
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn manifest(config: &[u8], layer: &[u8]) -> Vec<u8> {
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": describe("application/vnd.oci.image.config.v1+json", config),
        "layers": [describe("application/vnd.oci.image.layer.v1.tar", layer)],
    })
    .to_string()
    .into_bytes()
}

fn index(manifests: &[Value]) -> Vec<u8> {
    json!({ "schemaVersion": 2, "manifests": manifests })
        .to_string()
        .into_bytes()
}

#[test]
fn a_docker_archive_keeps_its_configuration_byte_for_byte() {
    let (home, layer) = (Home::new(), layer());
    let config = config(&[Digest::of(&layer), Digest::of(&layer)]);
    let name = format!("{}.json", Digest::of(&config).hex());
    // Older dockers write a layer once and lead to it from everywhere else.
    let loaded = home
        .load(&[
            file("a/layer.tar", &layer),
            file("a/VERSION", b"1.0"),
            entry(b'2', "b/layer.tar", "../a/layer.tar", b""),
            file(&name, &config),
            list(&name, &["a/layer.tar", "b/layer.tar"]),
        ])
        .expect("loaded");
    assert_eq!(loaded[0].id, Digest::of(&config));
    let entry = home.store.find_image(&"x:1".parse().expect("a name"));
    let image = home.store.load_image(&entry.expect("read").expect("there"));
    assert_eq!(image.expect("an image").layers.len(), 2);
    let tree = home.store.layer_tree("single", &Digest::of(&layer));
    assert_eq!(fs::read(tree.join("f")).expect("read"), b"hello");
    // Layer, configuration and manifest: nothing else of the archive stays.
    let blobs = home.dir.path().join("rpod/images/blobs/sha256");
    assert_eq!(fs::read_dir(blobs).expect("listed").count(), 3);
}

#[test]
fn a_gzipped_layer_is_checked_when_it_is_unpacked() {
    let (home, layer) = (Home::new(), layer());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&layer).expect("written");
    let gzip = gzip.finish().expect("finished");
    let wrong = config(&[Digest::of(b"other")]);
    let parts = |config: &[u8]| {
        [
            file("c.json", config),
            file("l", &gzip),
            list("c.json", &["l"]),
        ]
    };
    let error = home.refuses(&parts(&wrong));
    assert!(error.contains("its tar has digest"), "{error}");
    home.load(&parts(&config(&[Digest::of(&layer)])))
        .expect("loaded");
}

#[test]
fn what_a_docker_archive_gets_wrong_is_said() {
    let layer = layer();
    let good = config(&[Digest::of(&layer)]);
    let lie = format!("{}.json", "a".repeat(64));
    for (parts, why) in [
        (vec![], "holds no image"),
        (
            vec![file("manifest.json", b"[]")],
            "its list of images is empty",
        ),
        (vec![file("manifest.json", b"{")], "not valid JSON"),
        (vec![list("c.json", &[])], "\"c.json\" is not in it"),
        (vec![list("../c", &[])], "leads out"),
        (
            vec![file("c", &good), list("c", &["l"])],
            "\"l\" is not in it",
        ),
        (
            vec![file("c", &good), list("c", &[])],
            "0 layers and the configuration 1",
        ),
        (
            vec![file("c", &good), file("l", b"other"), list("c", &["l"])],
            "layer \"l\": it is damaged",
        ),
        (
            vec![file(&lie, &good), file("l", &layer), list(&lie, &["l"])],
            "the configuration is damaged",
        ),
        (
            vec![file("c", b"1"), file("c", b"2"), list("c", &[])],
            "there twice",
        ),
        (vec![file("../../etc/x", b"1")], "leads out"),
        (vec![entry(b'2', "a/l", "../../x", b"")], "leads out"),
        (
            vec![
                entry(b'2', "a", "b", b""),
                entry(b'2', "b", "a", b""),
                list("a", &[]),
            ],
            "\"a\" is not in it",
        ),
    ] {
        let error = Home::new().refuses(&parts);
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn a_document_is_not_read_into_memory_when_it_is_huge() {
    let big = vec![b' '; (4 << 20) + 1];
    for name in ["manifest.json", "index.json"] {
        let error = Home::new().refuses(&[file(name, &big)]);
        assert!(error.contains("a document has at most 4194304"), "{error}");
    }
    // A size of gigabytes, and nothing behind it.
    let mut lie = header(b'0', b"manifest.json", b"", 4 << 30).to_vec();
    lie.extend([b' '; 4096]);
    let home = Home::new();
    let error = home
        .load_from(Source::Stream(&mut &lie[..]))
        .expect_err("refused");
    assert!(error.to_string().contains("in the middle"), "{error}");
}

#[test]
fn a_layout_gives_the_manifest_for_this_machine_byte_for_byte() {
    let (home, layer) = (Home::new(), layer());
    let config = config(&[Digest::of(&layer)]);
    let own = manifest(&config, &layer);
    let host = crate::spec::platform::Platform::host();
    let mut other = describe(MANIFEST, b"other");
    other["platform"] = json!({ "os": "linux", "architecture": "s390x" });
    let mut ours = describe(MANIFEST, &own);
    ours["platform"] = json!({ "os": "linux", "architecture": host.architecture });
    let mut about = describe(MANIFEST, b"about");
    about["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    let inner = index(&[about, other.clone(), ours]);
    let mut named = describe(INDEX, &inner);
    named["annotations"] = json!({
        "io.containerd.image.name": "docker.io/library/y:2",
        "org.opencontainers.image.ref.name": "2",
    });
    let parts = |top: &[u8]| {
        [
            file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
            file("index.json", top),
            blob(&inner),
            blob(&own),
            blob(&config),
            blob(&layer),
        ]
    };
    let loaded = home.load(&parts(&index(&[named]))).expect("loaded");
    let name = "y:2".parse().expect("a name");
    assert_eq!(loaded[0].names, std::slice::from_ref(&name));
    let entry = home.store.find_image(&name).expect("read").expect("there");
    assert_eq!(entry.digest, Digest::of(&own));
    let error = Home::new().refuses(&parts(&index(&[other])));
    assert!(error.contains("only for linux/s390x"), "{error}");
    // A bare word is no name.
    let mut bare = describe(MANIFEST, &own);
    bare["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
    let loaded = Home::new().load(&parts(&index(&[bare]))).expect("loaded");
    assert_eq!(loaded[0].names, []);
}

#[test]
fn a_layout_is_read_from_a_directory_as_well() {
    let (home, layer) = (Home::new(), layer());
    let config = config(&[Digest::of(&layer)]);
    let manifest = manifest(&config, &layer);
    let place = home.dir.path().join("layout");
    fs::create_dir_all(place.join("blobs/sha256")).expect("made");
    for data in [&layer, &config, &manifest] {
        let name = place.join("blobs/sha256").join(Digest::of(data).hex());
        fs::write(name, data).expect("written");
    }
    fs::write(
        place.join("index.json"),
        index(&[describe(MANIFEST, &manifest)]),
    )
    .expect("written");
    let loaded = home.load_from(Source::Directory(&place)).expect("loaded");
    assert_eq!(loaded[0].id, Digest::of(&config));
    // A link that leads out of the directory is not followed.
    let blob = place.join("blobs/sha256").join(Digest::of(&layer).hex());
    fs::rename(&blob, home.dir.path().join("away")).expect("moved");
    std::os::unix::fs::symlink("../../../away", &blob).expect("linked");
    let error = Home::new().load_from(Source::Directory(&place));
    assert!(
        error
            .expect_err("refused")
            .to_string()
            .contains("is not in it")
    );
}

#[test]
fn what_a_layout_gets_wrong_is_said() {
    let layer = layer();
    let config = config(&[Digest::of(&layer)]);
    let good = manifest(&config, &layer);
    let damaged = |data: &[u8]| file(&format!("blobs/sha256/{}", Digest::of(data).hex()), b"x");
    let top = file("index.json", &index(&[describe(MANIFEST, &good)]));
    let mut short = describe(MANIFEST, &good);
    short["size"] = json!(3);
    let nested = (0..6).fold(good.clone(), |inner, depth| {
        let kind = if depth == 0 { MANIFEST } else { INDEX };
        index(&[describe(kind, &inner)])
    });
    let chain: Vec<Vec<u8>> = {
        let mut all = vec![good.clone()];
        for depth in 0..6 {
            let kind = if depth == 0 { MANIFEST } else { INDEX };
            all.push(index(&[describe(kind, &all[depth])]));
        }
        all
    };
    let deep = [
        vec![file("index.json", &index(&[describe(INDEX, &nested)]))],
        chain.iter().map(|data| blob(data)).collect(),
    ]
    .concat();
    for (parts, why) in [
        (vec![top.clone()], "is not in it"),
        (vec![top.clone(), damaged(&good)], "is damaged"),
        (vec![top.clone(), blob(&good)], "is not in it"),
        (
            vec![top.clone(), blob(&good), blob(&config), damaged(&layer)],
            "is damaged",
        ),
        (
            vec![file("index.json", &index(&[short])), blob(&good)],
            "of 3 bytes is damaged",
        ),
        (
            vec![file("index.json", b"{}")],
            "its list of images is empty",
        ),
        (deep, "nested more than 4"),
    ] {
        let error = Home::new().refuses(&parts);
        assert!(error.contains(why), "{why}: {error}");
    }
}
