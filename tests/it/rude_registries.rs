//! Registries which mean harm. Each pull ends in a clear error, in bounded time and
//! memory, and the store is as it was; a login goes nowhere but to whom it is for.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::image::{Image, Layer, busybox_layer, digest};
use crate::support::registry::{HostileRegistry, Kind, Reply, Request};

fn tiny() -> Image {
    Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("greeting", "pulled").gzip())
        .cmd(&["cat", "/greeting"])
}

/// All files of the store, but for beginnings of blobs and locks.
fn files(store: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut waiting = vec![store.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(store).unwrap().display().to_string();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(path);
            } else if !name.starts_with("partial/") && !name.ends_with("lock") {
                all.push(name);
            }
        }
    }
    all.sort();
    all
}

/// Pulls from a registry that answers so; returns what was said.
fn refused(
    image: &Image,
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    words: &[&str],
) {
    let rpod = Sandbox::new();
    rpod.run(&["images"]).success();
    let before = files(&rpod.store());
    let registry = HostileRegistry::serve(image, answer);
    let began = Instant::now();
    let pulled = rpod
        .command(&[
            "pull",
            "--retry",
            "2",
            "--retry-delay",
            "20ms",
            &registry.name("tiny"),
        ])
        .timeout(60)
        .run();
    pulled.refuses();
    for word in words {
        pulled.stderr_has(word);
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{pulled}");
    pulled.stderr_lacks("panicked");
    let after: Vec<String> = files(&rpod.store())
        .into_iter()
        // What was right is kept for the next try: nothing names it, and `prune` takes it.
        .filter(|name| !name.starts_with("images/blobs/") && !name.starts_with("layers/"))
        .filter(|name| !before.contains(name))
        .collect();
    assert_eq!(after, Vec::<String>::new(), "{pulled}");
    assert_eq!(rpod.run(&["images", "-aq"]).success().stdout(), "");
}

fn spoilt(kind: Kind, reply: Reply) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |request| {
        if request.kind() == kind {
            reply.clone()
        } else {
            Reply::Honest
        }
    }
}

#[test]
fn a_manifest_of_100_mb_is_not_read() {
    let large = "x".repeat(100 << 20);
    let reply = Reply::Status(200, String::new(), large);
    refused(
        &tiny(),
        spoilt(Kind::Manifest, reply),
        &["larger than 4 MiB"],
    );
}

#[test]
fn logins_that_are_never_enough_end() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Ping => Reply::Honest,
        Kind::Token => Reply::Token("t".into()),
        _ => Reply::AskForToken,
    });
    let pulled = rpod.run(&["pull", "--creds", "alice:hunter2", &registry.name("tiny")]);
    pulled.refuses().stderr_has("401").stderr_lacks("hunter2");
    assert!(registry.requests().len() < 10, "{:#?}", registry.requests());
}

#[test]
fn a_login_does_not_follow_to_another_host() {
    for kind in [Kind::Manifest, Kind::Blob] {
        let rpod = Sandbox::new();
        let elsewhere = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
        let there = elsewhere.address().to_owned();
        let registry = HostileRegistry::serve(&tiny(), move |request| {
            if request.authorization().is_none() && request.kind() != Kind::Ping {
                let challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n";
                return Reply::Status(401, challenge.into(), String::new());
            }
            if request.kind() == kind {
                return Reply::Redirect(format!("http://{there}{}", request.path));
            }
            Reply::Honest
        });
        rpod.run(&["pull", "--creds", "alice:hunter2", &registry.name("tiny")])
            .success();
        let requests = elsewhere.requests();
        assert!(!requests.is_empty(), "{kind:?}");
        assert!(
            requests.iter().all(|r| r.authorization().is_none()),
            "{requests:#?}"
        );
    }
}

#[test]
fn a_realm_without_tls_gets_no_password_and_odd_ones_are_refused() {
    for realm in ["ftp://x/token", "http://user:pw@127.0.0.1/token", "", "\\"] {
        let challenge = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"x\"\r\n");
        refused(
            &tiny(),
            spoilt(Kind::Manifest, Reply::Status(401, challenge, String::new())),
            &[],
        );
    }
}

#[test]
fn too_many_requests_are_told_with_the_time_of_the_next() {
    let headers = "Retry-After: 7200\r\nRateLimit-Limit: 100;w=21600\r\n";
    let reply = Reply::Status(429, headers.into(), String::new());
    let words = [
        "too many requests",
        "it allows 100 in 6 hours",
        "ask again in 2 hours, at ",
    ];
    refused(&tiny(), spoilt(Kind::Manifest, reply), &words);
}

#[test]
fn a_server_that_stays_broken_is_left() {
    for kind in [Kind::Manifest, Kind::Config, Kind::Blob] {
        let reply = Reply::Status(500, String::new(), "<html>".into());
        refused(&tiny(), spoilt(kind, reply), &["500"]);
    }
}

/// An image with a layer that is a tar which means harm.
fn with_layer(layer: Layer) -> Image {
    Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(layer)
        .cmd(&["true"])
}

#[test]
fn tars_that_lead_out_are_refused_by_the_entry() {
    refused(
        &with_layer(Layer::new().file("../../out", "x").gzip()),
        |_| Reply::Honest,
        &["../../out"],
    );
    let layer = Layer::new().link("way", "/").file("way/../../../out", "x");
    refused(
        &with_layer(layer.zstd()),
        |_| Reply::Honest,
        &["way/../../../out"],
    );
}

#[test]
fn a_bomb_is_refused_before_it_fills_the_disk() {
    // 64 GiB of zeros, in a few MB.
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let mut tar = Layer::new().file("room", "").tar();
    tar.truncate(512);
    // The size field of the header, base 256, and the checksum to match.
    tar[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0]);
    tar[148..156].copy_from_slice(b"        ");
    let sum: u32 = tar.iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    std::io::Write::write_all(&mut bomb, &tar).unwrap();
    let zeros = vec![0; 16 << 20];
    for _ in 0..96 {
        std::io::Write::write_all(&mut bomb, &zeros).unwrap();
    }
    let blob = bomb.finish().unwrap();
    refused(
        &with_layer(Layer::new().raw(&blob)),
        |_| Reply::Honest,
        &["more than 250 times its size"],
    );
}

/// The image's manifest, changed.
fn changed(image: &Image, change: impl Fn(&mut Value)) -> Reply {
    let mut manifest: Value = serde_json::from_slice(&image.manifest_blob()).unwrap();
    change(&mut manifest);
    Reply::Status(200, String::new(), manifest.to_string())
}

#[test]
fn a_layer_too_many_or_too_few_is_refused() {
    let image = tiny();
    let missing = changed(&image, |manifest| {
        manifest["layers"].as_array_mut().unwrap().pop();
    });
    refused(&image, spoilt(Kind::Manifest, missing), &["1 layers", "2"]);
    let double = changed(&image, |manifest| {
        let layers = manifest["layers"].as_array_mut().unwrap();
        layers.push(layers[0].clone());
    });
    refused(&image, spoilt(Kind::Manifest, double), &["3 layers", "2"]);
    let absent = changed(&image, |manifest| {
        manifest["layers"][1]["digest"] = json!(digest(b"nothing"));
    });
    refused(&image, spoilt(Kind::Manifest, absent), &["404"]);
    let swapped = changed(&image, |manifest| {
        manifest["layers"].as_array_mut().unwrap().reverse();
    });
    refused(
        &image,
        spoilt(Kind::Manifest, swapped),
        &["as the image's configuration says"],
    );
}

#[test]
fn a_size_that_is_a_lie_is_refused() {
    let image = tiny();
    for size in [json!(0), json!(1), json!(u64::MAX), json!(-1), json!("x")] {
        let lie = changed(&image, |manifest| {
            manifest["layers"][0]["size"] = size.clone()
        });
        refused(&image, spoilt(Kind::Manifest, lie), &[]);
        let lie = changed(&image, |manifest| manifest["config"]["size"] = size.clone());
        refused(&image, spoilt(Kind::Manifest, lie), &[]);
    }
}

#[test]
fn the_same_layer_twice_is_one_blob_and_one_tree() {
    let layer = || Layer::new().file("greeting", "twice").gzip();
    let image = Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(layer())
        .layer(layer())
        .cmd(&["cat", "/greeting"]);
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&image, |_| Reply::Honest);
    rpod.run(&["run", "--rm", &registry.name("tiny")])
        .success()
        .stdout_is("twice");
    let requests = registry.requests();
    let blobs = requests.iter().filter(|r| r.kind() == Kind::Blob).count();
    assert_eq!(blobs, 2, "{requests:#?}");
}
