//! What registries keep beside images: artifacts, and referrers, which are about images.

use serde_json::{Value, json};

use crate::require;
use crate::support::Sandbox;
use crate::support::image::{Image, Layer, MANIFEST, busybox, digest};
use crate::support::registry::{HostileRegistry, Kind, Registry, Reply, exchange};

const NO_REGISTRY: &str = "docker-registry is not installed";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A list of materials of an image, as it is pushed: its manifest and its one blob.
fn materials(subject: Option<&Image>) -> (Vec<u8>, Vec<u8>) {
    let blob = b"{\"packages\":[]}".to_vec();
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/spdx+json",
        "config": { "mediaType": EMPTY, "digest": digest(b"{}"), "size": 2, "data": "e30=" },
        "layers": [{ "mediaType": "application/spdx+json", "digest": digest(&blob), "size": blob.len() }],
        "annotations": { "org.opencontainers.image.created": "2024-08-04T18:51:00Z", "by": "tests" },
    });
    if let Some(image) = subject {
        let size = image.manifest_blob().len();
        manifest["subject"] =
            json!({ "mediaType": MANIFEST, "digest": image.digest(), "size": size });
    }
    // Not as a program would write it: every byte counts.
    let manifest = serde_json::to_string_pretty(&manifest).unwrap() + "\n";
    (manifest.into_bytes(), blob)
}

fn put(registry: &Registry, repository: &str, tag: &str, (manifest, blob): &(Vec<u8>, Vec<u8>)) {
    registry.upload(repository, b"{}");
    registry.upload(repository, blob);
    registry.put_manifest(repository, tag, MANIFEST, manifest);
}

fn manifest_at(registry: &Registry, path: &str) -> Vec<u8> {
    let accept = format!("Accept: {MANIFEST}, {INDEX}\r\n");
    let answer = exchange(registry.address(), "GET", path, &accept, b"").unwrap();
    assert_eq!(answer.status, 200, "{path}");
    answer.body
}

#[test]
fn an_artifact_is_pulled_listed_kept_and_pushed_but_not_run() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let sbom = materials(None);
    put(&registry, "team/sbom", "v1", &sbom);
    let own = digest(&sbom.0);
    let name = registry.name("team/sbom:v1");
    rpod.run(&["pull", &name])
        .success()
        .stderr_has(&format!("Digest: {own}"));
    let shown = "{{.Repository}} {{.Tag}} {{.ID}} {{.Size}}";
    let short = &own["sha256:".len()..][..12];
    let bytes = sbom.0.len() + sbom.1.len() + 2;
    rpod.run(&["images", "--format", shown])
        .success()
        .stdout_is(&format!(
            "{} v1 {short} {bytes}B\n",
            registry.name("team/sbom")
        ));
    rpod.run(&["images", "--tree"])
        .success()
        .stdout_has("└─ application/spdx+json");
    assert_eq!(
        rpod.inspect(short, "{{.ArtifactType}}"),
        "application/spdx+json"
    );
    assert_eq!(
        rpod.inspect(&name, "{{.Annotations.by}} {{.Id}}"),
        format!("tests {own}")
    );

    let words = "it is an artifact of type \"application/spdx+json\", not a container image";
    for refused in [
        &["run", "--rm", &name][..],
        &["create", &name],
        &["history", &name],
        &["image", "tree", &name],
    ] {
        rpod.run(refused).refuses().stderr_has(words);
    }

    // Its configuration is no document, and a collection takes it for none.
    rpod.run(&["tag", &name, "localhost:1/other/sbom:v2"])
        .success();
    rpod.run(&["image", "prune", "--force"]).success();
    rpod.run(&["system", "check"]).success();
    let blob = rpod
        .store()
        .join("images/blobs/sha256")
        .join(&own["sha256:".len()..]);
    assert_eq!(std::fs::read(blob).unwrap(), sbom.0);

    let again = registry.name("again/sbom:v1");
    rpod.run(&["push", &name, &again])
        .success()
        .stdout_has(&own);
    assert_eq!(
        manifest_at(&registry, "/v2/again/sbom/manifests/v1"),
        sbom.0
    );
    rpod.run(&["rmi", "--force", &own]).success();
    rpod.run(&["images", "--quiet"]).success().stdout_is("");
}

#[test]
fn an_artifact_goes_through_save_and_load_unchanged() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, other, registry) = (Sandbox::new(), Sandbox::new(), Registry::start());
    let sbom = materials(None);
    put(&registry, "sbom", "v1", &sbom);
    let name = registry.name("sbom:v1");
    rpod.run(&["pull", &name]).success();
    for format in ["docker-archive", "oci-archive"] {
        let file = rpod.work().join(format);
        let path = file.to_str().unwrap();
        rpod.run(&["save", "--format", format, "-o", path, &name])
            .success();
        other
            .command(&["load"])
            .stdin(std::fs::read(&file).unwrap())
            .run()
            .success()
            .stdout_is(&format!("Loaded image: {name}\n"));
        assert_eq!(other.inspect(&name, "{{.Id}}"), digest(&sbom.0), "{format}");
        other.run(&["system", "check"]).success();
        other.run(&["rmi", &name]).success();
    }
    let directory = rpod.work().join("directory");
    rpod.run(&[
        "save",
        "--format",
        "docker-dir",
        "-o",
        directory.to_str().unwrap(),
        &name,
    ])
    .refuses()
    .stderr_has("oci-dir");
}

#[test]
fn what_is_about_an_image_is_listed_where_the_registry_keeps_no_list() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let image = busybox("tiny:latest");
    let name = registry.push(&image);
    let listed = |what: &[&str]| -> Vec<Value> {
        let mut words = vec!["manifest", "inspect", "--referrers"];
        words.extend(what);
        let shown = rpod.run(&words);
        let shown: Value = serde_json::from_str(&shown.success().stdout()).unwrap();
        assert_eq!(shown["mediaType"], INDEX);
        shown["manifests"].as_array().unwrap().clone()
    };
    assert_eq!(listed(&[&name]), Vec::<Value>::new());

    // Debian's registry does not know what a subject is: the tag is ours to keep.
    let elsewhere = Registry::start();
    let sbom = materials(Some(&image));
    put(&elsewhere, "sbom", "v1", &sbom);
    let from = elsewhere.name("sbom:v1");
    rpod.run(&["pull", &from]).success();
    for _ in 0..2 {
        rpod.run(&["push", &from, &registry.name("tiny:sbom")])
            .success();
    }
    let expected = json!({
        "mediaType": MANIFEST, "digest": digest(&sbom.0), "size": sbom.0.len(),
        "artifactType": "application/spdx+json",
        "annotations": { "org.opencontainers.image.created": "2024-08-04T18:51:00Z", "by": "tests" },
    });
    assert_eq!(listed(&[&name]), std::slice::from_ref(&expected));
    let by_digest = registry.name(&format!("tiny@{}", image.digest()));
    assert_eq!(listed(&[&by_digest]), [expected]);
    let tag = format!("/v2/tiny/manifests/{}", image.digest().replace(':', "-"));
    let index: Value = serde_json::from_slice(&manifest_at(&registry, &tag)).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    // And each of them can be had.
    let by_digest = registry.name(&format!("tiny@{}", digest(&sbom.0)));
    rpod.run(&["pull", &by_digest]).success();
    assert_eq!(rpod.inspect(&by_digest, "{{.Subject}}"), image.digest());
}

#[test]
fn what_is_about_an_image_is_listed_as_the_registry_says_page_by_page() {
    let image = Image::new("tiny:latest").layer(Layer::new().file("a", "b").gzip());
    let page = |number: usize| {
        let one = json!({ "mediaType": MANIFEST, "digest": digest(&[number as u8]), "size": 1 });
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [one] }).to_string()
    };
    let subject = image.digest();
    let registry = HostileRegistry::serve(&image, move |request| {
        let path = format!("/v2/tiny/referrers/{subject}");
        match request.path.strip_prefix(&path) {
            Some("") => {
                let link = format!("Link: <{path}?page=2>; rel=\"next\"\r\n");
                Reply::Status(200, link, page(1))
            }
            Some(_) => Reply::Status(200, String::new(), page(2)),
            None => Reply::Honest,
        }
    });
    let rpod = Sandbox::new();
    let shown = rpod.run(&["manifest", "inspect", "--referrers", &registry.name("tiny")]);
    let shown: Value = serde_json::from_str(&shown.success().stdout()).unwrap();
    let digests = [
        &shown["manifests"][0]["digest"],
        &shown["manifests"][1]["digest"],
    ];
    assert_eq!(digests, [&json!(digest(&[1])), &json!(digest(&[2]))]);
    assert!(registry.requests().iter().all(|r| r.kind() != Kind::Blob));
}

#[test]
fn files_become_an_artifact_of_a_list() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, other, registry) = (Sandbox::new(), Sandbox::new(), Registry::start());
    let name = registry.name("team/app:1");
    let image = busybox("tiny:latest");
    rpod.load(&rpod.write("tiny.tar", image.docker_archive()));
    rpod.run(&["manifest", "create", &name, "tiny"]).success();
    let file = rpod.write("notes.txt", "what is new");
    let file = file.to_str().unwrap();
    for refused in [
        &[
            "manifest",
            "add",
            "--artifact-type",
            "text/x",
            &name,
            "tiny",
        ][..],
        &["manifest", "add", "--artifact", "--all", &name, file],
        &["manifest", "add", "--artifact", &name, "nowhere.txt"],
        &[
            "manifest",
            "add",
            "--artifact",
            "--artifact-config-type",
            "application/vnd.oci.image.config.v1+json",
            &name,
            file,
        ],
    ] {
        rpod.run(refused).refuses();
    }
    rpod.run(&[
        "manifest",
        "add",
        "--artifact",
        "--artifact-type",
        "text/x-notes",
        "--artifact-layer-type",
        "text/plain",
        "--artifact-subject",
        "tiny",
        "--annotation",
        "by=tests",
        &name,
        file,
    ])
    .success();
    let shown = rpod.run(&["manifest", "inspect", &name]).success().stdout();
    let list: Value = serde_json::from_str(&shown).unwrap();
    let one = list["manifests"][1].clone();
    assert_eq!(one["artifactType"], "text/x-notes");
    assert_eq!(one["annotations"], json!({ "by": "tests" }));
    assert_eq!(one.get("platform"), None);
    rpod.run(&["image", "prune", "-f"]).success();
    rpod.run(&["system", "check"]).success();
    rpod.run(&["run", "--rm", &name, "true"]).success();
    rpod.run(&["manifest", "push", "--remove-signatures", &name])
        .success();
    let digest = one["digest"].as_str().unwrap();
    let path = format!("/v2/team/app/manifests/{digest}");
    let manifest: Value = serde_json::from_slice(&manifest_at(&registry, &path)).unwrap();
    assert_eq!(manifest["artifactType"], "text/x-notes");
    assert_eq!(manifest["subject"]["digest"], image.digest());
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.oci.empty.v1+json"
    );
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], "text/plain");
    assert_eq!(
        layer["digest"],
        crate::support::image::digest(b"what is new")
    );
    assert_eq!(
        layer["annotations"],
        json!({ "org.opencontainers.image.title": "notes.txt" })
    );
    // It can be had by its digest, and is what it was.
    let by_digest = registry.name(&format!("team/app@{digest}"));
    other.run(&["pull", &by_digest]).success();
    assert_eq!(
        other.inspect(&by_digest, "{{.ArtifactType}}"),
        "text/x-notes"
    );
    other.run(&["system", "check"]).success();
}
