//! Images to registries: real ones, guarded ones, and ways that break.

use serde_json::{Value, json};

use crate::require;
use crate::support::authority::Authority;
use crate::support::between::{Between, Treatment};
use crate::support::image::{Image, Layer, MANIFEST, busybox, busybox_layer, digest};
use crate::support::registry::{
    Answer, Guard, HostileRegistry, PASSWORD, Registry, Reply, USER, exchange,
};
use crate::support::tokens::TokenServer;
use crate::support::{Sandbox, probe};

const NO_REGISTRY: &str = "docker-registry is not installed";
const NO_OPENSSL: &str = "openssl is not installed";

/// Loads an image whose layers are plain tars, as those made here are, and names it.
fn made_here(rpod: &Sandbox, image: &Image, name: &str) {
    let archive = rpod.work().join("made.tar");
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    rpod.run(&["tag", &image.name, name]).success();
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn manifest(registry: &Registry, repository: &str, name: &str) -> Answer {
    let path = format!("/v2/{repository}/manifests/{name}");
    let accept = format!(
        "Accept: {MANIFEST}\r\nAccept: application/vnd.docker.distribution.manifest.v2+json\r\n"
    );
    let answer = exchange(registry.address(), "GET", &path, &accept, b"").unwrap();
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    answer
}

fn layers(registry: &Registry, repository: &str) -> Vec<Value> {
    let answer = manifest(registry, repository, "latest");
    let parsed: Value = serde_json::from_slice(&answer.body).unwrap();
    parsed["layers"].as_array().unwrap().clone()
}

/// Proves what a registry has with another program, which checks every digest.
fn skopeo_reads(rpod: &Sandbox, name: &str) {
    require!(
        probe::program("skopeo").is_some(),
        "skopeo is not installed"
    );
    let to = format!("dir:{}", rpod.work().join("copied").display());
    let from = format!("docker://{name}");
    rpod.other("skopeo", &["copy", "--src-tls-verify=false", &from, &to])
        .run()
        .success();
}

#[test]
fn push_says_what_docker_says_and_finds_the_second_time_that_all_is_there() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let image = Image::new("own")
        .layer(busybox_layer())
        .layer(Layer::new().file("greeting", "pushed"))
        .cmd(&["cat", "/greeting"]);
    let name = registry.name("my/own:1.0");
    made_here(&rpod, &image, &name);
    let pushed = rpod.run(&["push", &name]);
    pushed.success();
    let answer = manifest(&registry, "my/own", "1.0");
    let digest = digest(&answer.body);
    let size = answer.body.len();
    pushed.stdout_is(&format!("1.0: digest: {digest} size: {size}\n"));
    let repository = name.trim_end_matches(":1.0");
    pushed.stderr_has(&format!("The push refers to repository [{repository}]"));
    assert_eq!(pushed.stderr().matches(": Pushed").count(), 2, "{pushed}");
    let again = rpod.run(&["push", &name]);
    again.success().stdout_is(&pushed.stdout());
    let there = again.stderr().matches(": Layer already exists").count();
    assert_eq!(there, 2, "{again}");
    // The name has the digest now that the registry has.
    let format = "{{join .RepoDigests \" \"}}";
    let digests = rpod.inspect(&name, format);
    assert!(
        digests.contains(&format!("{repository}@{digest}")),
        "{digests}"
    );
    rpod.run(&["images", "--digests"])
        .success()
        .stdout_has(&digest);
    let layers = answer.body;
    let layers: Value = serde_json::from_slice(&layers).unwrap();
    for layer in layers["layers"].as_array().unwrap() {
        assert!(
            layer["mediaType"].as_str().unwrap().ends_with("tar+gzip"),
            "{layer}"
        );
    }
    skopeo_reads(&rpod, &name);
    // The round trip of the tutorials: away with it, and back again.
    rpod.run(&["rmi", "own", &name]).success();
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("pushed");
    let by_digest = format!("{repository}@{digest}");
    rpod.run(&["run", "--rm", &by_digest])
        .success()
        .stdout_is("pushed");
}

#[test]
fn what_was_pulled_goes_out_byte_for_byte() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, from, to) = (Sandbox::new(), Registry::start(), Registry::start());
    let image = Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("a", "zstd").zstd())
        .layer(Layer::new().file("b", "plain"));
    let name = from.push(&image);
    rpod.run(&["pull", &name]).success();
    let other = to.name("team/tiny");
    rpod.run(&["tag", &name, &other]).success();
    rpod.run(&["push", &other])
        .success()
        .stdout_has(&image.digest());
    let answer = manifest(&to, "team/tiny", "latest");
    assert!(answer.body == image.manifest_blob());
    for blob in image.blobs() {
        let file = to.blob_file(&digest(&blob));
        assert!(std::fs::read(file).unwrap() == blob);
    }
    let fresh = Sandbox::new();
    let by_digest = to.name(&format!("team/tiny@{}", image.digest()));
    fresh
        .run(&["pull", &by_digest])
        .success()
        .stderr_has(&image.digest());
    rpod.run(&["push", &other])
        .success()
        .stdout_has(&image.digest());
}

#[test]
fn layers_leave_compressed_as_was_asked() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let image = Image::new("own")
        .layer(busybox_layer())
        .cmd(&["echo", "hi"]);
    made_here(&rpod, &image, &registry.name("zstd"));
    for tag in ["gzip1", "gzip9", "again"] {
        rpod.run(&["tag", "own", &registry.name(tag)]).success();
    }
    let push = |tag: &str, words: &[&str]| {
        let name = registry.name(tag);
        let mut all = vec!["push", "-q"];
        all.extend(words);
        all.push(&name);
        rpod.run(&all)
            .success()
            .stdout_is(&format!("{name}:latest\n"));
        layers(&registry, tag).remove(0)
    };
    let zstd = push("zstd", &["--compression-format", "zstd"]);
    assert!(
        zstd["mediaType"].as_str().unwrap().ends_with("zstd"),
        "{zstd}"
    );
    let fast = push("gzip1", &["--compression-level=1"]);
    let small = push(
        "gzip9",
        &["--compression-level", "9", "--compression-format=gzip"],
    );
    assert!(
        fast["size"].as_u64() > small["size"].as_u64(),
        "{fast} {small}"
    );
    // What was pulled in one form leaves in another only when that is asked.
    let fresh = Sandbox::new();
    for (words, end) in [(&["--force-compression"][..], "gzip"), (&[], "zstd")] {
        let name = registry.name("again");
        fresh.run(&["pull", &registry.name("zstd")]).success();
        fresh.run(&["tag", &registry.name("zstd"), &name]).success();
        let mut all = vec!["push"];
        all.extend(words);
        all.push(&name);
        fresh.run(&all).success();
        let layer = layers(&registry, "again").remove(0);
        assert!(
            layer["mediaType"].as_str().unwrap().ends_with(end),
            "{layer}"
        );
    }
    for tag in ["zstd", "gzip1", "gzip9", "again"] {
        let name = registry.name(tag);
        skopeo_reads(&rpod, &name);
        Sandbox::new()
            .run(&["run", "--rm", &name])
            .success()
            .stdout_is("hi\n");
    }
    for (words, said) in [
        (&["--compression-format", "xz"][..], "gzip or zstd"),
        (&["--compression-level", "10"], "0 to 9 with gzip"),
        (
            &["--compression-format", "zstd:chunked"],
            "does not write it",
        ),
    ] {
        let mut all = vec!["push", "x"];
        all.extend(words);
        rpod.run(&all).refuses().stderr_has(said);
    }
}

#[test]
fn a_digest_is_written_every_tag_is_pushed_and_a_second_name_may_be_given() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    made_here(&rpod, &busybox("own"), &registry.name("x:1"));
    rpod.run(&["tag", "own", &registry.name("x:2")]).success();
    let file = rpod.work().join("digest");
    let words = [
        "push",
        "--digestfile",
        file.to_str().unwrap(),
        "-a",
        &registry.name("x"),
    ];
    let all = rpod.run(&words);
    all.success()
        .stdout_has("1: digest: sha256:")
        .stdout_has("2: digest: sha256:");
    let digest = digest(&manifest(&registry, "x", "2").body);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), digest);
    let to = format!("docker://{}", registry.name("other:3"));
    rpod.run(&["push", "own", &to])
        .success()
        .stdout_has("3: digest:");
    manifest(&registry, "other", "3");
    rpod.run(&["push", "-a", &registry.name("x:1")])
        .refuses()
        .stderr_has("--all-tags");
    rpod.run(&["push", &registry.name("nothing")])
        .refuses()
        .stderr_has("there is no image");
    rpod.run(&["push", "own", "dir:/tmp/x"])
        .refuses()
        .stderr_has("rpod save");
    let id = rpod.inspect("own", "{{.Id}}");
    rpod.run(&["push", &id]).refuses().stderr_has("rpod tag");
}

#[test]
fn a_manifest_leaves_in_the_words_that_are_asked_for() {
    require!(Registry::available(), "docker-registry is not installed");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let image = busybox("mine");
    made_here(&rpod, &image, "mine");
    let dockers = "application/vnd.docker.distribution.manifest.v2+json";
    let name = registry.name("team/docker:1");
    rpod.run(&["push", "--format", "v2s2", "mine", &name])
        .success();
    let answer = manifest(&registry, "team/docker", "1");
    let there: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(there["mediaType"], dockers);
    assert_eq!(
        there["layers"][0]["mediaType"],
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    );
    assert_eq!(there["config"]["digest"], image.id());
    skopeo_reads(&rpod, &name);
    // And back, from what was pulled.
    rpod.run(&["pull", &name]).success();
    let oci = registry.name("team/oci:1");
    rpod.run(&["push", "-f", "oci", &name, &oci]).success();
    let answer = manifest(&registry, "team/oci", "1");
    let there: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        there["layers"][0]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    rpod.run(&[
        "push",
        "--format",
        "docker",
        "--compression-format",
        "zstd",
        "mine",
        &name,
    ])
    .refuses()
    .stderr_has("no layers compressed with zstd");
    rpod.run(&["push", "--format", "rar", "mine", &name])
        .fails(1)
        .stderr_has("oci or v2s2");
    let other = ["push", "--platform", "linux/s390x", "mine", &name];
    rpod.run(&other)
        .refuses()
        .stderr_has("there is none for linux/s390x");
}

#[test]
fn a_push_tries_as_often_as_it_is_told() {
    let image = busybox("mine");
    for retries in [0, 2] {
        let rpod = Sandbox::new();
        made_here(&rpod, &image, "mine");
        let registry = HostileRegistry::serve(&image, |request| match request.method.as_str() {
            "POST" => Reply::Status(503, String::new(), String::new()),
            _ => Reply::Honest,
        });
        let times = retries.to_string();
        let words = ["push", "--retry", &times, "--retry-delay", "1ms", "mine"];
        rpod.run(&[&words[..], &[&registry.name("tiny")]].concat())
            .refuses();
        let asked = registry.requests();
        let tries = asked.iter().filter(|r| r.method == "POST").count();
        match retries {
            0 => assert_eq!(tries, 1, "{asked:?}"),
            _ => assert!((retries + 1..=9).contains(&tries), "{asked:?}"),
        }
    }
}

#[test]
fn a_layer_is_taken_from_another_repository_of_the_registry() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    made_here(&rpod, &busybox("own"), &registry.name("one"));
    rpod.run(&["push", &registry.name("one")]).success();
    let between = Between::before(&registry, |_| Treatment::Honest);
    let via = |name: &str| format!("{}/{name}", between.address());
    for name in ["one", "two"] {
        rpod.run(&["tag", "own", &via(name)]).success();
    }
    rpod.run(&["push", &via("two")])
        .success()
        .stderr_has(": Mounted from one");
    assert!(between.of("PATCH").is_empty(), "{:#?}", between.passed());
    // A repository that has it not is no obstacle.
    rpod.run(&["tag", "own", &via("empty")]).success();
    let image = Image::new("more").layer(Layer::new().file("n", noise(300_000)));
    made_here(&rpod, &image, &via("empty2"));
    rpod.run(&["tag", "more", &via("three")]).success();
    rpod.run(&["push", &via("three")])
        .success()
        .stderr_has(": Pushed");
}

#[test]
fn who_is_not_logged_in_is_told_so_and_a_token_allows_what_a_push_needs() {
    require!(Registry::available(), "{NO_REGISTRY}");
    require!(TokenServer::available(), "{NO_OPENSSL}");
    let (rpod, tokens) = (Sandbox::new(), TokenServer::start());
    let registry = Registry::with(Guard::Tokens(&tokens));
    let host = registry.address();
    made_here(&rpod, &busybox("own"), &registry.name("a/one"));
    rpod.run(&["tag", "own", &registry.name("b")]).success();
    let refused = rpod.run(&["push", &registry.name("a/one")]);
    refused
        .refuses()
        .stderr_has(&format!("log in first: `rpod login {host}`"))
        .stderr_lacks("UNAUTHORIZED");
    rpod.command(&["login", "-u", USER, "--password-stdin", host])
        .stdin(PASSWORD)
        .run()
        .success();
    // Tokens that end at once have to be got again, and are.
    tokens.set_lifetime(1);
    rpod.run(&["push", &registry.name("a/one")]).success();
    let mounted = rpod.run(&["push", &registry.name("b")]);
    mounted.success().stderr_has(": Mounted from a/one");
    let scopes: Vec<Vec<String>> = tokens.asked().into_iter().map(|a| a.scopes).collect();
    let push = "repository:b:pull,push".to_owned();
    assert!(scopes.contains(&vec![push.clone()]), "{scopes:?}");
    assert!(
        scopes.contains(&vec![push, "repository:a/one:pull".to_owned()]),
        "{scopes:?}"
    );
}

#[test]
fn a_registry_with_a_password_and_one_with_an_authority_of_its_own_are_pushed_to() {
    require!(Registry::available(), "{NO_REGISTRY}");
    require!(Authority::available(), "{NO_OPENSSL}");
    let (rpod, authority) = (Sandbox::new(), Authority::new());
    let guarded = Registry::with(Guard::Password);
    made_here(&rpod, &busybox("own"), &guarded.name("x"));
    let refused = rpod.run(&["push", &guarded.name("x")]);
    refused.refuses().stderr_has("log in first");
    let creds = format!("{USER}:{PASSWORD}");
    rpod.run(&["push", "--creds", &creds, &guarded.name("x")])
        .success();
    let secure = Registry::with(Guard::Tls(&authority, true));
    rpod.run(&["tag", "own", &secure.name("x")]).success();
    rpod.run(&["push", &secure.name("x")]).refuses();
    let certificates = rpod.work().join("certs");
    std::fs::create_dir(&certificates).unwrap();
    for name in ["ca.crt", "guest.cert", "guest.key"] {
        std::fs::copy(authority.path(name), certificates.join(name)).unwrap();
    }
    let directory = certificates.to_str().unwrap();
    rpod.run(&["push", "--cert-dir", directory, &secure.name("x")])
        .success();
    rpod.run(&["pull", "--cert-dir", directory, &secure.name("x")])
        .success();
}

/// An image whose one layer is of some size and does not compress.
fn heavy(name: &str) -> Image {
    Image::new(name).layer(Layer::new().file("noise", noise(3_000_000)))
}

#[test]
fn an_upload_that_breaks_goes_on_where_it_was() {
    require!(Registry::available(), "{NO_REGISTRY}");
    for pulled in [false, true] {
        let (rpod, registry) = (Sandbox::new(), Registry::start());
        let between = Between::before(&registry, |request| {
            match (request.method.as_str(), request.earlier) {
                ("PATCH", 0) => Treatment::CutAfter(2_000_000),
                ("PATCH", 1) => Treatment::Refused(503, String::new()),
                _ => Treatment::Honest,
            }
        });
        let name = format!("{}/heavy:latest", between.address());
        if pulled {
            let other = Registry::start();
            let from = other.push(&heavy("heavy"));
            rpod.run(&["pull", &from]).success();
            rpod.run(&["tag", &from, &name]).success();
        } else {
            made_here(&rpod, &heavy("own"), &name);
        }
        rpod.run(&["push", &name]).success();
        let patches = between.of("PATCH");
        let sent: usize = patches.iter().map(|p| p.length).sum();
        // The 503 had the rest as well; nothing else went twice.
        assert!(sent < 3_000_000 + 1_100_000 + 50_000, "{patches:#?}");
        assert!(!between.of("GET").is_empty());
        let fresh = Sandbox::new();
        fresh.run(&["pull", &registry.name("heavy")]).success();
        skopeo_reads(&rpod, &registry.name("heavy"));
    }
}

#[test]
fn requests_that_are_too_large_become_smaller() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let allowed = 600_000;
    let between = Between::before(&registry, move |request| {
        let length = request.headers.get("content-length");
        let length: usize = length.map_or(usize::MAX, |text| text.parse().unwrap());
        match request.method.as_str() {
            "PATCH" if length > allowed => Treatment::Status(413, String::new()),
            _ => Treatment::Honest,
        }
    });
    let name = format!("{}/heavy:latest", between.address());
    made_here(&rpod, &heavy("own"), &name);
    rpod.run(&["push", &name]).success();
    skopeo_reads(&rpod, &registry.name("heavy"));
    let strict = Between::before(&registry, |request| match request.method.as_str() {
        "PATCH" => Treatment::Status(413, String::new()),
        _ => Treatment::Honest,
    });
    let name = format!("{}/strict:latest", strict.address());
    rpod.run(&["tag", "own", &name]).success();
    rpod.run(&["push", &name]).refuses().stderr_has("413");
}

#[test]
fn a_registry_that_keeps_a_part_only_is_given_the_rest() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let between = Between::before(&registry, |request| {
        match (request.method.as_str(), request.earlier) {
            ("PATCH", 0) => Treatment::OnlyFirst(1_000_000),
            _ => Treatment::Honest,
        }
    });
    let other = Registry::start();
    let from = other.push(&heavy("heavy"));
    let name = format!("{}/heavy:latest", between.address());
    rpod.run(&["pull", &from]).success();
    rpod.run(&["tag", &from, &name]).success();
    rpod.run(&["push", &name]).success();
    assert_eq!(between.of("PATCH").len(), 2, "{:#?}", between.passed());
    skopeo_reads(&rpod, &registry.name("heavy"));
}

#[test]
fn an_upload_that_is_sent_elsewhere_takes_no_login_along() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let rpod = Sandbox::new();
    let (registry, behind) = (Registry::with(Guard::Password), Registry::start());
    let elsewhere = Between::before(&behind, |request| match request.method.as_str() {
        // It would like to know who asks.
        "PATCH" => Treatment::Refused(401, "WWW-Authenticate: Basic realm=\"x\"\r\n".into()),
        _ => Treatment::Honest,
    });
    let address = elsewhere.address().to_owned();
    let between = Between::before(&registry, move |request| match request.method.as_str() {
        "POST" => Treatment::Elsewhere(address.clone()),
        _ => Treatment::Honest,
    });
    let name = format!("{}/heavy:latest", between.address());
    made_here(&rpod, &heavy("own"), &name);
    let creds = format!("{USER}:{PASSWORD}");
    rpod.run(&["push", "--creds", &creds, &name])
        .refuses()
        .stderr_lacks("hunter2");
    let heard = elsewhere.passed();
    assert!(!heard.is_empty());
    for passing in heard {
        assert!(
            !passing.headers.contains_key("authorization"),
            "{passing:#?}"
        );
    }
}

#[test]
fn a_registry_that_breaks_every_upload_is_left_in_bounded_time() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let between = Between::before(&registry, |request| match request.method.as_str() {
        "PATCH" => Treatment::CutAfter(0),
        _ => Treatment::Honest,
    });
    let name = format!("{}/heavy:latest", between.address());
    made_here(&rpod, &heavy("own"), &name);
    rpod.run(&["push", &name])
        .refuses()
        .stderr_has("cannot push")
        .stderr_has("connection");
    let path = "/v2/heavy/manifests/latest";
    let answer = exchange(registry.address(), "GET", path, "", b"").unwrap();
    assert_eq!(answer.status, 404, "no manifest without its layers");
    let unasked = json!(between.of("PATCH").len());
    assert!(unasked.as_u64().unwrap() <= 12, "{unasked}");
}

#[test]
fn podman_pulls_and_runs_what_was_pushed() {
    require!(Registry::available(), "{NO_REGISTRY}");
    require!(
        probe::program("podman").is_some(),
        "podman is not installed"
    );
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let image = Image::new("own")
        .layer(busybox_layer())
        .cmd(&["echo", "hi"]);
    made_here(&rpod, &image, &registry.name("own"));
    rpod.run(&["push", &registry.name("own")]).success();
    // podman leaves a process that holds its namespace.
    rpod.may_leave_processes();
    let root = rpod.work().join("podman");
    let words = [
        "--root",
        root.to_str().unwrap(),
        "--storage-driver",
        "vfs",
        "pull",
        "-q",
        "--tls-verify=false",
        &registry.name("own"),
    ];
    let pulled = rpod.other("podman", &words).timeout(120).run();
    let id = rpod.inspect("own", "{{.Id}}");
    pulled
        .success()
        .stdout_has(id.trim_start_matches("sha256:"));
    // Its files have ids of their own, which only its own namespace may delete.
    if !probe::is_root() {
        let words = ["unshare", "rm", "-rf", root.to_str().unwrap()];
        rpod.other("podman", &words).run().success();
    }
}
