//! Images from registries: a real one, and one that misbehaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::require;
use crate::support::image::{INDEX, Image, Layer, MANIFEST, busybox_layer, descriptor};
use crate::support::registry::{HostileRegistry, Kind, Registry, Reply};
use crate::support::{Sandbox, normalise::normalise};

const NO_REGISTRY: &str = "docker-registry is not installed";

fn tiny() -> Image {
    Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("greeting", "pulled").gzip())
        .cmd(&["cat", "/greeting"])
}

#[test]
fn pull_prints_what_docker_prints_and_the_name_on_stdout() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let name = registry.push(&tiny());
    let pulled = rpod.run(&["pull", &name]);
    pulled.success();
    let said = format!("{}{}", pulled.stderr(), pulled.stdout());
    for line in [
        format!(
            "latest: Pulling from {}",
            name.trim_end_matches(":latest").split_once('/').unwrap().1
        ),
        format!("Digest: {}", tiny().digest()),
        format!("Status: Downloaded newer image for {name}"),
    ] {
        assert!(said.contains(&line), "{line}\n{pulled}");
    }
    assert_eq!(
        normalise(&said).matches("<id12>: Pull complete").count(),
        2,
        "{pulled}"
    );
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("pulled");
    let again = rpod.run(&["pull", &name]);
    again.success();
    let said = format!("{}{}", again.stderr(), again.stdout());
    assert!(said.contains("Status: Image is up to date for"), "{again}");
}

#[test]
fn run_pulls_what_is_not_there_and_keeps_stdout_for_the_program() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let name = registry.push(&tiny());
    let ran = rpod.run(&["run", "--rm", &name]);
    ran.success().stdout_is("pulled");
    let first = format!("Unable to find image '{name}' locally");
    assert_eq!(ran.lines_of_the_first()[0], first);
    ran.stderr_has("Pull complete")
        .stderr_has("Digest: sha256:")
        .stderr_has("Status: Downloaded newer image");
    drop(registry);
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("pulled");
}

#[test]
fn pull_fetches_only_missing_layers() {
    let rpod = Sandbox::new();
    let first = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
    rpod.run(&["pull", &first.name("tiny")]).success();
    let other = Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("more", "x").gzip())
        .cmd(&["true"]);
    let second = HostileRegistry::serve(&other, |_| Reply::Honest);
    rpod.run(&["pull", &second.name("tiny")]).success();
    let fetched = second
        .requests()
        .iter()
        .filter(|request| request.kind() == Kind::Blob && request.method == "GET")
        .count();
    assert_eq!(fetched, 1, "{:#?}", second.requests());
}

#[test]
fn pull_by_digest_checks_the_manifest() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    registry.push(&tiny());
    let name = registry.name(&format!("tiny@{}", tiny().digest()));
    rpod.run(&["pull", &name]).success();
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("pulled");
    let rude = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Manifest => Reply::Corrupted,
        _ => Reply::Honest,
    });
    let name = rude.name(&format!("tiny@{}", tiny().digest()));
    rpod.run(&["pull", &name]).refuses();
}

#[test]
fn pull_picks_this_machine_from_an_index_and_names_those_there_are() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let put = |tag: &str, architecture: &str| {
        let image = tiny().platform(architecture, "linux");
        registry.push_as(&image, &format!("multi:{tag}-{architecture}"));
        let mut entry = descriptor(MANIFEST, &image.manifest_blob());
        entry["platform"] = json!({ "architecture": architecture, "os": "linux" });
        entry
    };
    let index = |tag: &str, entries: serde_json::Value| {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        registry.put_manifest("multi", tag, INDEX, index.to_string().as_bytes());
    };
    index(
        "all",
        json!([
            put("a", "s390x"),
            put("a", crate::support::image::architecture())
        ]),
    );
    index("other", json!([put("b", "s390x"), put("b", "mips64le")]));
    rpod.run(&["run", "--rm", &registry.name("multi:all")])
        .success()
        .stdout_is("pulled");
    rpod.run(&["pull", &registry.name("multi:other")])
        .refuses()
        .stderr_has("s390x")
        .stderr_has("mips64le");
}

#[test]
fn pull_brings_several_images_and_fetches_what_they_share_once() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |request| match request.path.as_str() {
        path if path.contains("/missing/") => Reply::Status(404, String::new(), String::new()),
        _ => Reply::Honest,
    });
    let names: Vec<String> = ["one:1", "two:1", "missing/x", "three:1"]
        .map(|name| registry.name(name))
        .to_vec();
    let mut words = vec!["pull"];
    words.extend(names.iter().map(String::as_str));
    let pulled = rpod.run(&words);
    pulled
        .fails(1)
        .stderr_has("cannot pull")
        .stderr_has("missing/x");
    let there: String = [&names[0], &names[1], &names[3]]
        .map(|name| format!("{name}\n"))
        .concat();
    pulled.stdout_is(&there);
    let blobs: Vec<String> = registry
        .requests()
        .iter()
        .filter(|request| request.kind() == Kind::Blob)
        .map(|request| request.path.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(blobs.len(), 2, "{blobs:#?}");
}

#[test]
fn pull_all_tags_brings_every_tag() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    for tag in ["one", "two", "three"] {
        registry.push_as(&tiny(), &format!("team/tiny:{tag}"));
    }
    let name = registry.name("team/tiny");
    let pulled = rpod.run(&["pull", "--all-tags", &name]);
    pulled.success().stderr_has("two: Pulling from team/tiny");
    let mut tags: Vec<String> = rpod
        .run(&["images", "--format", "{{.Tag}}"])
        .success()
        .stdout()
        .lines()
        .map(str::to_owned)
        .collect();
    tags.sort();
    assert_eq!(tags, ["one", "three", "two"]);
    rpod.run(&["pull", "-a", &format!("{name}:one")])
        .refuses()
        .stderr_has("--all-tags means every tag");
}

#[test]
fn pull_policies_ask_the_registry_or_not() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let name = registry.push(&tiny());
    rpod.run(&["pull", "--policy", "never", &name])
        .refuses()
        .stderr_has("forbids to fetch it");
    rpod.run(&["pull", "-q", "--policy", "missing", &name])
        .success()
        .stdout_is(&format!("{name}\n"));
    let changed = tiny().env("CHANGED=1");
    registry.push(&changed);
    let id = || rpod.run(&["images", "-q", "--no-trunc", &name]).line();
    let before = id();
    rpod.run(&["pull", "--policy", "missing", &name]).success();
    rpod.run(&["run", "--rm", "--pull", "never", &name])
        .success();
    assert_eq!(id(), before);
    rpod.run(&["pull", "--policy", "newer", &name])
        .success()
        .stderr_has("Downloaded newer image");
    assert_ne!(id(), before);
    drop(registry);
    rpod.run(&["pull", "--policy", "newer", &name])
        .success()
        .stderr_has("is used as it is")
        .stderr_has("Image is up to date");
    rpod.run(&["run", "--rm", "--pull", "newer", &name])
        .success()
        .stdout_is("pulled");
    rpod.run(&["pull", &name]).refuses();
    rpod.run(&["run", "--rm", "--pull", "always", &name])
        .fails(125);
}

#[test]
fn pull_tries_as_often_as_it_is_told() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Manifest => Reply::Status(503, String::new(), String::new()),
        _ => Reply::Honest,
    });
    let name = registry.name("tiny");
    let asked = || {
        let requests = registry.requests();
        requests
            .iter()
            .filter(|r| r.kind() == Kind::Manifest)
            .count()
    };
    rpod.run(&["pull", "--retry", "0", &name]).refuses();
    assert_eq!(asked(), 1);
    rpod.run(&["pull", "--retry", "2", "--retry-delay", "10ms", &name])
        .refuses()
        .stderr_has("503");
    assert_eq!(asked(), 4);
}

#[test]
fn pull_says_when_there_is_no_such_image_or_nobody_answers() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    registry.push(&tiny());
    rpod.run(&["pull", &registry.name("missing")])
        .refuses()
        .stderr_has("missing")
        .stderr_lacks("log in");
    rpod.run(&["pull", &registry.name("tiny:no-tag")])
        .refuses()
        .stderr_has("no-tag");
    let closed = format!("127.0.0.1:{}/tiny", crate::support::free_port());
    rpod.run(&["pull", &closed]).refuses().stderr_has("refused");
}

#[test]
fn pull_refuses_bytes_that_are_not_what_was_promised() {
    let cases: [(Kind, Reply, &str); 6] = [
        (Kind::Blob, Reply::Corrupted, "digest"),
        (Kind::Config, Reply::Corrupted, "digest"),
        (Kind::Blob, Reply::Endless, ""),
        (Kind::Manifest, Reply::Endless, ""),
        (Kind::Blob, Reply::WrongLength(100), ""),
        (
            Kind::Manifest,
            Reply::Status(200, "Content-Type: text/html\r\n".into(), "<html>".into()),
            "",
        ),
    ];
    for (kind, reply, word) in cases {
        let rpod = Sandbox::new();
        let told = reply.clone();
        let registry = HostileRegistry::serve(&tiny(), move |request| {
            if request.kind() == kind {
                told.clone()
            } else {
                Reply::Honest
            }
        });
        let pulled = rpod
            .command(&["pull", &registry.name("tiny")])
            .timeout(120)
            .run();
        pulled.refuses().stderr_has(word);
        assert_eq!(
            rpod.run(&["images", "-q"]).success().stdout(),
            "",
            "{kind:?} {reply:?}"
        );
    }
}

#[test]
fn pull_goes_on_where_a_connection_broke() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Blob if request.earlier == 0 => Reply::Truncated(1000),
        _ => Reply::Honest,
    });
    let name = registry.name("tiny");
    rpod.run(&["pull", &name]).success();
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("pulled");
}

#[test]
fn pull_tries_again_when_the_registry_is_busy() {
    let rpod = Sandbox::new();
    let registry =
        HostileRegistry::serve(&tiny(), |request| match (request.kind(), request.earlier) {
            (Kind::Manifest, 0) => {
                Reply::Status(429, "Retry-After: 1\r\n".into(), "slow down".into())
            }
            (Kind::Blob, 0) => Reply::Status(503, String::new(), "busy".into()),
            _ => Reply::Honest,
        });
    rpod.run(&["pull", &registry.name("tiny")]).success();
}

#[test]
fn pull_gives_up_when_the_registry_stays_broken() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Blob => Reply::Status(500, String::new(), "broken".into()),
        _ => Reply::Honest,
    });
    let pulled = rpod
        .command(&["pull", &registry.name("tiny")])
        .timeout(120)
        .run();
    pulled.refuses().stderr_has("500");
    assert!(
        registry.requests().len() < 60,
        "{} requests",
        registry.requests().len()
    );
}

#[test]
fn pull_shows_a_token_and_sends_it_nowhere_else() {
    let rpod = Sandbox::new();
    let storage = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
    let elsewhere = storage.address().to_owned();
    let registry = HostileRegistry::serve(&tiny(), move |request| match request.kind() {
        Kind::Token => Reply::Token("secret-token".into()),
        _ if request.authorization() != Some("Bearer secret-token") => Reply::AskForToken,
        Kind::Blob => Reply::Redirect(format!("http://{elsewhere}{}", request.path)),
        _ => Reply::Honest,
    });
    rpod.run(&["pull", &registry.name("tiny")]).success();
    let blobs = storage.requests();
    assert!(!blobs.is_empty(), "the redirect was not followed");
    for request in blobs {
        assert_eq!(request.authorization(), None, "{request:#?}");
    }
}

#[test]
fn pull_says_log_in_when_the_registry_wants_a_name() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Token => Reply::Status(401, String::new(), "{\"errors\":[]}".into()),
        _ => Reply::AskForToken,
    });
    rpod.run(&["pull", &registry.name("tiny")])
        .refuses()
        .stderr_has("log in first");
}

#[test]
fn pull_leaves_redirects_that_go_round() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Blob => Reply::Redirect(request.path.clone()),
        _ => Reply::Honest,
    });
    rpod.run(&["pull", &registry.name("tiny")])
        .refuses()
        .stderr_has("from one address to another");
}

#[test]
fn pull_can_be_interrupted_and_leaves_the_store_sound() {
    let rpod = Sandbox::new();
    let interrupted = AtomicBool::new(false);
    let registry = HostileRegistry::serve(&tiny(), move |request| match request.kind() {
        Kind::Blob if !interrupted.swap(true, Ordering::Relaxed) => {
            Reply::Silent(Duration::from_secs(30))
        }
        _ => Reply::Honest,
    });
    let name = registry.name("tiny");
    let mut pulling = rpod.command(&["pull", &name]).spawn();
    crate::support::eventually("a layer is asked for", || {
        registry
            .requests()
            .iter()
            .any(|request| request.kind() == Kind::Blob)
    });
    pulling.signal("INT");
    let output = pulling.finish(Duration::from_secs(10));
    assert_ne!(output.code, Some(0), "{output}");
    assert_eq!(rpod.run(&["images", "-q"]).success().stdout(), "");
    // What it was unpacking is cleared up by the next one.
    rpod.run(&["pull", &name]).success();
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("pulled");
}
