//! Images as all builders write them: both families of manifests, every compression
//! that a layer may have, and what is no image at all.

use serde_json::{Value, json};

use crate::require;
use crate::support::Sandbox;
use crate::support::image::{Image, Layer, busybox_layer, digest};
use crate::support::registry::{HostileRegistry, Kind, Registry, Reply};

const NO_REGISTRY: &str = "docker-registry is not installed";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// One layer of each compression.
fn mixed() -> Image {
    Image::new("mixed")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("plain", "plain\n"))
        .layer(Layer::new().file("zstd", "zstd\n").zstd())
        .cmd(&["cat", "/plain", "/zstd"])
}

/// The image's manifest, changed.
fn changed(image: &Image, change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut manifest: Value = serde_json::from_slice(&image.manifest_blob()).unwrap();
    change(&mut manifest);
    serde_json::to_vec(&manifest).unwrap()
}

/// A registry that has this document as the manifest.
fn with_manifest(image: &Image, media_type: &str, document: Vec<u8>) -> HostileRegistry {
    let header = format!("Content-Type: {media_type}\r\n");
    let document = String::from_utf8(document).unwrap();
    HostileRegistry::serve(image, move |request| match request.kind() {
        Kind::Manifest => Reply::Status(200, header.clone(), document.clone()),
        _ => Reply::Honest,
    })
}

#[test]
fn layers_are_plain_gzip_and_zstd() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let name = registry.push(&mixed());
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("plain\nzstd\n");
}

#[test]
fn zstd_chunked_is_read_as_zstd() {
    // What containers write: frames, and frames to be skipped that hold an index.
    let tar = Layer::new().file("chunked", "chunked\n").tar();
    let mut blob = Vec::new();
    for piece in tar.chunks(512) {
        blob.extend(zstd::encode_all(piece, 3).unwrap());
    }
    let index = [0_u8; 64];
    blob.extend([0x50, 0x2a, 0x4d, 0x18, 64, 0, 0, 0]);
    blob.extend(index);
    let layer = Layer::new().file("chunked", "chunked\n").zstd();
    let image = Image::new("chunked")
        .layer(busybox_layer().gzip())
        .layer(layer)
        .cmd(&["cat", "/chunked"]);
    let (old, new) = (image.blobs()[1].clone(), blob.clone());
    assert_ne!(digest(&old), digest(&new));
    let manifest = changed(&image, |manifest| {
        manifest["layers"][1]["digest"] = json!(digest(&new));
        manifest["layers"][1]["size"] = json!(new.len());
        manifest["layers"][1]["annotations"] = json!({
            "io.github.containers.zstd-chunked.manifest-checksum": digest(b"index"),
            "io.github.containers.zstd-chunked.manifest-position": "1:2:3:1",
        });
    });
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    registry.push(&image);
    registry.upload("chunked", &blob);
    let kind = crate::support::image::MANIFEST;
    registry.put_manifest("chunked", "new", kind, &manifest);
    rpod.run(&["run", "--rm", &registry.name("chunked:new")])
        .success()
        .stdout_is("chunked\n");
}

#[test]
fn dockers_manifests_are_kept_byte_for_byte() {
    let image = Image::new("tiny")
        .layer(busybox_layer().gzip())
        .config("Labels", json!({ "maker": "docker" }))
        .cmd(&["true"]);
    let manifest = changed(&image, |manifest| {
        manifest["mediaType"] = json!(DOCKER_MANIFEST);
        manifest["config"]["mediaType"] = json!("application/vnd.docker.container.image.v1+json");
        manifest["layers"][0]["mediaType"] =
            json!("application/vnd.docker.image.rootfs.diff.tar.gzip");
        manifest["annotations"] = json!({ "made.by": "hand", "unknown": "kept" });
    });
    let spaced = [b"  ".as_slice(), &manifest, b"\n"].concat();
    let registry = with_manifest(&image, DOCKER_MANIFEST, spaced.clone());
    let rpod = Sandbox::new();
    let name = registry.name("tiny");
    rpod.run(&["pull", &name])
        .success()
        .stderr_has(&format!("Digest: {}", digest(&spaced)));
    rpod.run(&["run", "--rm", &name]).success();
    let hex = digest(&spaced).replace("sha256:", "");
    let kept = rpod.store().join("images/blobs/sha256").join(hex);
    assert_eq!(std::fs::read(kept).unwrap(), spaced);
    let hex = image.id().replace("sha256:", "");
    let kept = rpod.store().join("images/blobs/sha256").join(hex);
    assert_eq!(std::fs::read(kept).unwrap(), image.config_blob());
    assert_eq!(rpod.inspect(&name, "{{.Config.Labels.maker}}"), "docker");
}

#[test]
fn schema_1_is_refused_with_what_to_do() {
    let schema = json!({
        "schemaVersion": 1, "name": "tiny", "tag": "latest", "architecture": "amd64",
        "fsLayers": [{ "blobSum": digest(b"x") }], "history": [{ "v1Compatibility": "{}" }],
    });
    let kind = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let registry = with_manifest(&mixed(), kind, serde_json::to_vec(&schema).unwrap());
    let rpod = Sandbox::new();
    rpod.run(&["pull", &registry.name("tiny")])
        .refuses()
        .stderr_has("schema 1")
        .stderr_has("push it again");
}

#[test]
fn artifacts_are_not_run_and_named_by_what_they_are() {
    let rpod = Sandbox::new();
    let empty = json!({
        "mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2
    });
    let cases = [
        (
            json!({ "artifactType": "application/vnd.example.sbom", "config": empty.clone() }),
            "an artifact of type \"application/vnd.example.sbom\"",
        ),
        (
            json!({ "config": { "mediaType": "application/vnd.cncf.helm.config.v1+json",
                                "digest": digest(b"{}"), "size": 2 } }),
            "an artifact of type \"application/vnd.cncf.helm.config.v1+json\"",
        ),
        (
            json!({ "config": empty, "subject": { "digest": digest(b"y"), "size": 1,
                    "mediaType": crate::support::image::MANIFEST } }),
            "an artifact of type \"application/vnd.oci.empty.v1+json\"",
        ),
    ];
    for (mut manifest, words) in cases {
        manifest["schemaVersion"] = json!(2);
        manifest["layers"] = json!([{
            "mediaType": "application/octet-stream", "digest": digest(b"z"), "size": 1
        }]);
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let kind = crate::support::image::MANIFEST;
        let registry = with_manifest(&mixed(), kind, bytes);
        let name = registry.name("thing");
        for verb in [["run", "--rm"], ["create", "--quiet"]] {
            let refused = rpod.run(&[verb[0], verb[1], &name]);
            refused.fails(125).stderr_has(words);
            refused.stderr_has("not a container image");
        }
        // It was not fetched either.
        let asked = registry.requests();
        assert!(asked.iter().all(|r| r.kind() != Kind::Blob), "{asked:?}");
    }
}

#[test]
fn a_layer_of_an_unknown_kind_is_refused_by_its_name() {
    let image = mixed();
    let manifest = changed(&image, |manifest| {
        manifest["layers"][1]["mediaType"] = json!("application/vnd.example.squashfs");
    });
    let registry = with_manifest(&image, crate::support::image::MANIFEST, manifest);
    let rpod = Sandbox::new();
    rpod.run(&["pull", &registry.name("mixed")])
        .refuses()
        .stderr_has("application/vnd.example.squashfs");
}
