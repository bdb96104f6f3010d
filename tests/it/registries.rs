//! What a user says about registries in files: mirrors, short names, and which
//! images may come in at all.

use std::path::PathBuf;

use crate::require;
use crate::support::image::{Image, Layer, busybox_layer};
use crate::support::registry::{HostileRegistry, Kind, Registry, Reply};
use crate::support::{Sandbox, free_port};

const NO_REGISTRY: &str = "docker-registry is not installed";

fn tiny() -> Image {
    Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("greeting", "mirrored").gzip())
        .cmd(&["cat", "/greeting"])
}

fn configure(rpod: &Sandbox, name: &str, text: &str) -> PathBuf {
    let path = rpod.home().join(".config").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn dockers_mirrors_serve_what_docker_hub_would() {
    require!(Registry::available(), "{NO_REGISTRY}");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    registry.push_as(&tiny(), "library/tiny:latest");
    let (dead, mirror) = (free_port(), registry.address());
    configure(
        &rpod,
        "docker/daemon.json",
        &format!(r#"{{"registry-mirrors": ["http://127.0.0.1:{dead}", "http://{mirror}"]}}"#),
    );
    let ran = rpod.run(&["run", "--rm", "tiny"]);
    ran.success().stdout_is("mirrored");
    let said = ran.stderr();
    assert_eq!(
        ran.lines_of_the_first()[0],
        "Unable to find image 'tiny:latest' locally"
    );
    ran.stderr_has("latest: Pulling from library/tiny")
        .stderr_has("Status: Downloaded newer image for tiny:latest");
    let passed = format!("mirror \"127.0.0.1:{dead}\" is passed over: cannot reach");
    assert_eq!(said.matches(&passed).count(), 1, "{ran}");
    rpod.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .success()
        .stdout_is("tiny:latest\n");
}

#[test]
fn a_mirror_of_registries_conf_that_lies_is_passed_over_for_its_registry() {
    let rpod = Sandbox::new();
    let honest = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
    let liar = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Blob => Reply::Corrupted,
        _ => Reply::Honest,
    });
    let (name, mirror) = (honest.address(), liar.address());
    configure(
        &rpod,
        "containers/registries.conf",
        &format!(
            "[[registry]]\nprefix = \"pictures.example\"\nlocation = \"{name}\"\n\
             [[registry.mirror]]\nlocation = \"{mirror}\"\n"
        ),
    );
    let pulled = rpod.run(&["pull", "pictures.example/tiny:1"]);
    pulled
        .success()
        .stdout_is("pictures.example/tiny:1\n")
        .stderr_has(&format!(
            "mirror \"{mirror}\" is passed over: what {mirror} sent has digest"
        ))
        .stderr_has("Pull complete");
    rpod.run(&["run", "--rm", "pictures.example/tiny:1"])
        .success()
        .stdout_is("mirrored");
    let asked = |registry: &HostileRegistry, kind| {
        let requests = registry.requests();
        requests.iter().filter(|one| one.kind() == kind).count()
    };
    assert_eq!(asked(&honest, Kind::Manifest), 0, "the mirror has it");
    assert_eq!(asked(&honest, Kind::Blob), 2);
}

#[test]
fn a_login_is_not_shown_to_a_mirror() {
    let rpod = Sandbox::new();
    let mirror = HostileRegistry::serve(&tiny(), |request| match request.kind() {
        Kind::Ping => Reply::Honest,
        _ => Reply::Status(
            401,
            "WWW-Authenticate: Basic realm=\"x\"\r\n".into(),
            String::new(),
        ),
    });
    let registry = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
    configure(
        &rpod,
        "containers/registries.conf",
        &format!(
            "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}\"\n",
            registry.address(),
            mirror.address()
        ),
    );
    let auth = "YWxpY2U6aHVudGVyMg==";
    configure(
        &rpod,
        "containers/auth.json",
        &format!(
            r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#,
            registry.address()
        ),
    );
    rpod.run(&["pull", &registry.name("tiny")]).success();
    let shown: Vec<_> = mirror.requests();
    assert!(!shown.is_empty());
    assert!(
        shown.iter().all(|one| one.authorization().is_none()),
        "{shown:#?}"
    );
}

#[test]
fn a_blocked_registry_is_refused() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
    let text = format!(
        "[[registry]]\nlocation = \"{}\"\nblocked = true\n",
        registry.address()
    );
    configure(&rpod, "containers/registries.conf", &text);
    rpod.run(&["pull", &registry.name("tiny")])
        .refuses()
        .stderr_has("is blocked by")
        .stderr_has("registries.conf");
    assert!(registry.requests().is_empty());
}

#[test]
fn an_alias_is_what_a_short_name_means() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
    configure(
        &rpod,
        "containers/registries.conf.d/aliases.conf",
        &format!("[aliases]\n\"wee\" = \"{}\"\n", registry.name("tiny")),
    );
    rpod.run(&["pull", "wee"])
        .success()
        .stdout_is(&format!("{}:latest\n", registry.name("tiny")));
    drop(registry);
    rpod.run(&["run", "--rm", "--pull", "never", "wee"])
        .success()
        .stdout_is("mirrored");
    // So it does in the verbs that ask no registry.
    rpod.run(&["inspect", "-f", "{{.Os}}", "wee"])
        .success()
        .stdout_is("linux\n");
    rpod.run(&["history", "-q", "wee"]).success();
    rpod.run(&["save", "-o", "wee.tar", "wee"]).success();
    rpod.run(&["rmi", "wee"]).success();
    rpod.run(&["rmi", "wee"]).fails(1);
}

#[test]
fn strict_short_names_are_refused_with_the_whole_name() {
    let rpod = Sandbox::new();
    configure(&rpod, "rpod/config.toml", "short-names = \"strict\"\n");
    rpod.run(&["pull", "user/app"])
        .refuses()
        .stderr_has("does not say its registry")
        .stderr_has("docker.io/user/app:latest");
}

#[test]
fn a_file_that_cannot_be_understood_refuses_and_is_named() {
    let rpod = Sandbox::new();
    configure(
        &rpod,
        "containers/registries.conf",
        "[[registry]]\nlocation = \n",
    );
    rpod.run(&["pull", "r.example/x"])
        .refuses()
        .stderr_has("registries.conf")
        .stderr_has("line 2");
}

#[test]
fn a_policy_admits_by_the_most_specific_scope() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&tiny(), |_| Reply::Honest);
    let address = registry.address();
    let policy = |rules: &str| {
        let text = format!(
            r#"{{"default": [{{"type": "reject"}}], "transports": {{"docker": {{ {rules} }} }} }}"#
        );
        configure(&rpod, "containers/policy.json", &text);
    };
    let accept = r#"[{"type": "insecureAcceptAnything"}]"#;
    let signed = r#"[{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/key"}]"#;
    policy(&format!(
        r#""{address}/tiny": {accept}, "{address}/tiny:signed": {signed}"#
    ));
    rpod.run(&["pull", &registry.name("other")])
        .refuses()
        .stderr_has("rejects it (rule \"reject\" of the default)")
        .stderr_has("policy.json");
    rpod.run(&["run", "--rm", &registry.name("tiny:signed")])
        .fails(125)
        .stderr_has("rule \"signedBy\"")
        .stderr_has(&format!("scope \"{address}/tiny:signed\""))
        .stderr_has("rpod cannot");
    assert!(
        registry.requests().is_empty(),
        "nothing is asked for before"
    );
    rpod.run(&["pull", &registry.name("tiny:1")]).success();
    configure(&rpod, "containers/policy.json", "{\"default\": ");
    rpod.run(&["pull", &registry.name("tiny:2")])
        .refuses()
        .stderr_has("cannot read the policy");
    assert_eq!(
        rpod.run(&["images", "-q"])
            .success()
            .stdout()
            .lines()
            .count(),
        1
    );
}
