//! Images as archives, there and back: `save`, and what others read and write.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::image::{Image, Layer, built_layout, busybox_layer};
use crate::support::{Sandbox, probe};

/// The digests of all blobs in a store.
fn blobs(rpod: &Sandbox) -> BTreeSet<String> {
    let entries = std::fs::read_dir(rpod.store().join("images/blobs/sha256")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// The documents of an archive or directory.
fn document(tar: &Path, name: &str) -> Value {
    let mut archive = tar::Archive::new(std::fs::File::open(tar).unwrap());
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        if entry.path().unwrap().to_str() == Some(name) {
            return serde_json::from_reader(entry).unwrap();
        }
    }
    panic!("there is no {name}");
}

fn two_layers(layer: impl Fn(Layer) -> Layer) -> Image {
    let own = layer(Layer::new().file("greeting", "hello"));
    Image::new("greet")
        .layer(layer(busybox_layer()))
        .layer(own)
        .cmd(&["cat", "/greeting"])
}

fn layers(rpod: &Sandbox, image: &str) -> String {
    let format = "{{json .RootFS.Layers}}";
    rpod.run(&["image", "inspect", "-f", format, image])
        .success()
        .line()
}

fn layout_of(rpod: &Sandbox, image: &Image) {
    let directory = rpod.work().join("layout");
    image.write_layout(&directory);
    rpod.load(&directory);
}

#[test]
fn what_was_saved_and_loaded_has_every_digest_it_had() {
    for layer in [|layer: Layer| layer, Layer::gzip, Layer::zstd] {
        let rpod = Sandbox::new();
        layout_of(&rpod, &two_layers(layer));
        rpod.run(&["tag", "greet", "other.example/deep/name:v1"])
            .success();
        let before = rpod
            .run(&["images", "--digests", "--no-trunc"])
            .success()
            .stdout();
        for form in ["docker-archive", "oci-archive"] {
            let words = [
                "save",
                "--format",
                form,
                "greet",
                "other.example/deep/name:v1",
            ];
            let saved = rpod.run(&words);
            let other = Sandbox::new();
            let loaded = other
                .command(&["load"])
                .stdin(saved.success().stdout_bytes())
                .run();
            loaded.success().stdout_is(
                "Loaded image: greet:latest\nLoaded image: other.example/deep/name:v1\n",
            );
            assert_eq!(blobs(&other), blobs(&rpod), "{form}");
            let after = other
                .run(&["images", "--digests", "--no-trunc"])
                .success()
                .stdout();
            let ids = |text: &str| {
                let words = text
                    .split_whitespace()
                    .filter(|word| word.starts_with("sha256:"));
                words.map(str::to_owned).collect::<BTreeSet<_>>()
            };
            assert_eq!(ids(&after), ids(&before), "{form}");
            other
                .run(&["run", "--rm", "greet"])
                .success()
                .stdout_is("hello");
        }
    }
}

#[test]
fn save_takes_names_repositories_and_ids_to_a_file() {
    let rpod = Sandbox::new();
    layout_of(&rpod, &two_layers(Layer::gzip));
    rpod.run(&["tag", "greet", "greet:1"]).success();
    let tar = rpod.work().join("images.tar");
    let names = |words: &[&str]| {
        let all = [&["save", "-o", "images.tar"], words].concat();
        rpod.run(&all).success().stdout_is("");
        let list = document(&tar, "manifest.json");
        let index = document(&tar, "index.json");
        let described = index["manifests"].as_array().unwrap().len();
        (
            list[0]["RepoTags"].clone(),
            list.as_array().unwrap().len(),
            described,
        )
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(names(&["greet:1"]), (json(r#"["greet:1"]"#), 1, 1));
    let both = json(r#"["greet:1", "greet:latest"]"#);
    assert_eq!(names(&["greet"]), (both, 1, 2));
    let id = rpod.run(&["images", "-q", "greet:1"]).success().line();
    assert_eq!(names(&[&id]), (Value::Null, 1, 1));
    rpod.command(&["load"])
        .stdin(std::fs::read(&tar).unwrap())
        .run()
        .success()
        .stdout_has("Loaded image ID: sha256:");
    rpod.run(&["save", "-m", "-o", "images.tar", "greet", "nothing"])
        .refuses()
        .stderr_has("\"nothing\"");
    assert!(tar.exists(), "what was there before stays");
    rpod.run(&["save", "--platform", "linux/s390x", "greet"])
        .refuses()
        .stderr_has("there is none for linux/s390x");
    let mut running = rpod.command(&["save", "greet"]).spawn_on_terminal();
    running.wait_for_stdout("use -o or a pipe");
}

#[test]
fn load_takes_the_platform_that_is_asked_for_and_no_other() {
    let rpod = Sandbox::new();
    let image = two_layers(|layer| layer).platform("s390x", "linux");
    let archive = rpod.write("image.tar", image.docker_archive());
    let archive = archive.to_str().unwrap();
    rpod.run(&["load", "--platform", "linux/arm64", "-i", archive])
        .refuses()
        .stderr_has("linux/s390x, and there is none for linux/arm64");
    rpod.run(&["load", "--platform", "linux/s390x", "-q", "-i", archive])
        .success();
}

#[test]
fn save_writes_directories_that_load_reads() {
    let rpod = Sandbox::new();
    layout_of(&rpod, &two_layers(Layer::gzip));
    let id = rpod
        .run(&["images", "-q", "--no-trunc", "greet"])
        .success()
        .line();
    for form in ["oci-dir", "docker-dir"] {
        rpod.run(&["save", "--format", form, "-o", form, "greet"])
            .success();
        let other = Sandbox::new();
        other.load(&rpod.work().join(form));
        assert_eq!(
            other.run(&["images", "-q", "--no-trunc"]).success().line(),
            id
        );
        rpod.run(&["save", "--format", form, "-o", form, "greet"])
            .refuses()
            .stderr_has("it is not empty");
    }
    rpod.run(&["save", "--format", "oci-dir", "greet"])
        .refuses()
        .stderr_has("-o");
}

#[test]
fn skopeo_reads_what_was_saved_and_writes_what_is_loaded() {
    if probe::program("skopeo").is_none() {
        probe::record_skip("save", "skopeo is not installed");
        return;
    }
    let rpod = Sandbox::new();
    rpod.load(&built_layout("busybox"));
    let id = rpod.run(&["images", "-q", "--no-trunc"]).success().line();
    for (form, name) in [
        ("docker-archive", "docker-archive:saved"),
        ("oci-archive", "oci-archive:saved"),
        ("oci-dir", "oci:saved"),
        ("docker-dir", "dir:saved"),
    ] {
        let place = rpod.work().join("saved");
        std::fs::remove_dir_all(&place)
            .or_else(|_| std::fs::remove_file(&place))
            .ok();
        rpod.run(&["save", "--format", form, "-o", "saved", "busybox"])
            .success();
        let config = rpod
            .other("skopeo", &["inspect", "--raw", "--config", name])
            .timeout(120);
        let bytes = config.run();
        let digest = crate::support::image::digest(bytes.success().stdout_bytes());
        assert_eq!(digest, id, "{form}");
        for target in [
            "docker-archive:copied:busybox:copied",
            "oci-archive:copied",
            "dir:copied",
        ] {
            let place = rpod.work().join("copied");
            std::fs::remove_dir_all(&place)
                .or_else(|_| std::fs::remove_file(&place))
                .ok();
            let words = ["copy", "-q", "--insecure-policy", name, target];
            let copy = rpod.other("skopeo", &words).timeout(120);
            copy.run().success();
            let other = Sandbox::new();
            other.load(&place);
            // skopeo may write the configuration in other words; the layers are the same.
            let loaded = other.run(&["images", "-q"]).success().line();
            assert_eq!(
                layers(&other, &loaded),
                layers(&rpod, "busybox"),
                "{form} to {target}"
            );
        }
    }
}

#[test]
fn podman_loads_what_was_saved_and_saves_what_is_loaded() {
    if probe::program("podman").is_none() {
        probe::record_skip("save", "podman is not installed");
        return;
    }
    if !probe::subordinate_ids() && !probe::is_root() {
        probe::record_skip(
            "save",
            "podman needs subordinate ids for the owners of busybox",
        );
        return;
    }
    let rpod = Sandbox::with(&["busybox"]);
    // podman keeps a process that holds its user namespace.
    rpod.may_leave_processes();
    rpod.run(&[
        "run",
        "--name",
        "box",
        "busybox",
        "sh",
        "-c",
        "rm /etc/group; echo hi > /hi",
    ])
    .success();
    rpod.run(&["commit", "-c", "CMD cat /hi", "box", "localhost/made:1"])
        .success();
    let id = rpod
        .run(&["images", "-q", "--no-trunc", "localhost/made:1"])
        .success()
        .line();
    rpod.run(&["save", "-o", "made.tar", "localhost/made:1"])
        .success();
    let podman = |words: &[&str]| {
        let all = [
            &["--root", "p", "--runroot", "r", "--storage-driver", "vfs"],
            words,
        ]
        .concat();
        rpod.other("podman", &all).timeout(120).run()
    };
    podman(&["load", "-i", "made.tar"])
        .success()
        .stdout_has("localhost/made:1");
    podman(&["images", "-q", "--no-trunc"])
        .success()
        .stdout_has(&id);
    for form in ["docker-archive", "oci-archive"] {
        let file = format!("{form}.tar");
        podman(&["save", "--format", form, "-o", &file, "localhost/made:1"]).success();
        let other = Sandbox::new();
        other.load(&rpod.work().join(&file));
        other
            .run(&["run", "--rm", "localhost/made:1"])
            .success()
            .stdout_is("hi\n");
    }
    podman(&["rmi", "-a", "-f"]).success();
    rpod.remove_all();
}
