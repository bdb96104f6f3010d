//! Files as people write them, and where they lead.

use std::path::Path;

use super::{Files, Place, Settings};
use crate::spec::reference::Reference;

/// A home and what is in it.
struct Home(tempfile::TempDir);

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        Self(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn read(&self) -> crate::error::Result<Settings> {
        // Nothing of this machine's own /etc.
        let mut files = Files::from_environment(self.path(), &self.path().join("rpod"), &|_| None);
        let own = |path: &Path| path.starts_with(self.path());
        files.docker.retain(|path| own(path));
        for layer in &mut files.containers {
            match layer {
                super::Layered::First(files) => files.retain(|(path, _)| own(path)),
                super::Layered::Directory(path, _) if !own(path) => *path = "/nowhere".into(),
                super::Layered::Directory(..) => {}
            }
        }
        Settings::read(&files)
    }
}

fn conf(text: &str) -> Settings {
    Home::new(&[(".config/containers/registries.conf", text)])
        .read()
        .expect("read")
}

fn shown(places: &[Place]) -> Vec<String> {
    let show = |place: &Place| {
        let scheme = if place.plain { "http://" } else { "" };
        let mut text = format!("{scheme}{}/{}", place.host, place.repository);
        text.push_str(if place.insecure { " insecure" } else { "" });
        text.push_str(if place.mirror { " mirror" } else { "" });
        text
    };
    places.iter().map(show).collect()
}

fn places(settings: &Settings, image: &str) -> Vec<String> {
    let image: Reference = image.parse().expect("a name");
    shown(&settings.places(&image).expect("places"))
}

#[test]
fn without_files_a_name_leads_to_its_registry() {
    let settings = Home::new(&[]).read().expect("read");
    assert_eq!(places(&settings, "busybox"), ["docker.io/library/busybox"]);
    assert_eq!(
        places(&settings, "r.example:5000/x:1"),
        ["r.example:5000/x"]
    );
    let meant = settings.meaning("user/app:2").expect("a name").to_string();
    assert_eq!(meant, "docker.io/user/app:2");
}

#[test]
fn mirrors_of_the_hub_are_asked_in_the_order_of_their_files() {
    let settings = Home::new(&[
        (
            "rpod/config.toml",
            "registry-mirrors = [\"https://one.example\"]\n[network]\nother = 1\n",
        ),
        (
            ".config/containers/registries.conf",
            "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"two.example/hub\"\n",
        ),
        (
            ".config/docker/daemon.json",
            r#"{"registry-mirrors":["http://three.example:5000/","https://one.example/"],
                "insecure-registries":["corp.example","10.1.0.0/16","fd00::/8"],"debug":true}"#,
        ),
    ])
    .read()
    .expect("read");
    assert_eq!(
        places(&settings, "busybox"),
        [
            "two.example/hub/library/busybox mirror",
            "one.example/library/busybox mirror",
            "http://three.example:5000/library/busybox mirror",
            "docker.io/library/busybox",
        ]
    );
    assert_eq!(
        places(&settings, "corp.example/x"),
        ["corp.example/x insecure"]
    );
    assert!(settings.is_insecure("corp.example"));
    assert!(!settings.is_insecure("docker.io"));
    for (host, insecure) in [
        ("10.1.2.3", true),
        ("10.1.2.3:5000", true),
        ("10.2.0.1:5000", false),
        ("[fd12::1]:5000", true),
        ("[fe80::1]", false),
        ("10.1.example", false),
    ] {
        assert_eq!(settings.is_insecure(host), insecure, "{host}");
    }
}

#[test]
fn the_longest_prefix_says_where() {
    let settings = conf(
        r#"
        [[registry]]
        prefix = "r.example"
        location = "inside.example/all"
        [[registry]]
        prefix = "r.example/team"
        location = "team.example:5000"
        insecure = true
        [[registry]]
        prefix = "*.wild.example"
        location = "tame.example/w"
        [[registry]]
        prefix = "*.marked.example"
        insecure = true
        "#,
    );
    for (image, place) in [
        ("r.example/x", "inside.example/all/x"),
        ("r.example/teams/x", "inside.example/all/teams/x"),
        ("r.example/team/x:1", "team.example:5000/x insecure"),
        ("a.b.wild.example/x/y", "tame.example/w/x/y"),
        ("wild.example/x", "wild.example/x"),
        ("a.marked.example/x", "a.marked.example/x insecure"),
        ("r.example.org/x", "r.example.org/x"),
    ] {
        assert_eq!(places(&settings, image), [place], "{image}");
    }
}

#[test]
fn mirrors_serve_tags_or_digests_as_they_say() {
    let settings = conf(
        r#"
        [[registry]]
        location = "r.example"
        [[registry.mirror]]
        location = "d.example"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "t.example/deep"
        pull-from-mirror = "tag-only"
        insecure = true
        "#,
    );
    assert_eq!(
        places(&settings, "r.example/x:1"),
        ["t.example/deep/x insecure mirror", "r.example/x"]
    );
    let digest = crate::spec::digest::Digest::of(b"x");
    assert_eq!(
        places(&settings, &format!("r.example/x@{digest}")),
        ["d.example/x mirror", "r.example/x"]
    );
}

#[test]
fn a_blocked_registry_is_refused_and_the_file_named() {
    let settings = conf("[[registry]]\nprefix = \"r.example/bad\"\nblocked = true\n");
    let image: Reference = "r.example/bad/x".parse().expect("a name");
    let error = settings.places(&image).expect_err("blocked").to_string();
    assert!(error.contains("\"r.example/bad\" is blocked by"), "{error}");
    assert!(error.contains("registries.conf"), "{error}");
    assert_eq!(places(&settings, "r.example/good"), ["r.example/good"]);
    let old = conf(
        "[registries.block]\nregistries = [\"r.example\"]\n[registries.insecure]\nregistries = [\"s.example\"]\n",
    );
    assert!(old.places(&image).is_err());
    assert_eq!(places(&old, "s.example/x"), ["s.example/x insecure"]);
}

#[test]
fn aliases_lead_elsewhere_and_later_files_win() {
    let settings = Home::new(&[
        (
            ".config/containers/registries.conf",
            "unqualified-search-registries = [\"a.example\"]\n[aliases]\nfedora = \"x.example/f\"\ngone = \"x.example/g\"\n",
        ),
        (
            ".config/containers/registries.conf.d/10.conf",
            "[aliases]\nfedora = \"r.example/fedora\"\ngone = \"\"\n\"team/app\" = \"r.example/app\"\n",
        ),
        (".config/containers/registries.conf.d/readme", "[[["),
    ])
    .read()
    .expect("read");
    for (typed, meant) in [
        ("fedora", "r.example/fedora:latest"),
        ("fedora:40", "r.example/fedora:40"),
        ("gone", "docker.io/library/gone:latest"),
        ("team/app:1", "r.example/app:1"),
        (
            "docker.io/library/fedora",
            "docker.io/library/fedora:latest",
        ),
    ] {
        let reference = settings.meaning(typed).expect(typed);
        assert_eq!(reference.to_string(), meant, "{typed}");
    }
    assert_eq!(settings.search_registries(), ["a.example"]);
}

#[test]
fn strict_names_are_asked_for_by_the_user_alone() {
    for (name, text) in [
        ("rpod/config.toml", "short-names = \"strict\"\n"),
        (
            ".config/containers/registries.conf",
            "short-name-mode = \"enforcing\"\n",
        ),
    ] {
        let settings = Home::new(&[
            (name, text),
            (
                ".config/containers/registries.conf.d/a.conf",
                "[aliases]\nknown = \"r.example/known\"\n",
            ),
        ])
        .read()
        .expect("read");
        let error = settings.meaning("busybox").expect_err("short");
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.hints()[0].contains("docker.io/library/busybox"));
        settings.meaning("docker.io/busybox").expect("a whole name");
        settings.meaning("localhost/busybox").expect("a whole name");
        settings.meaning("known").expect("an alias");
    }
}

#[test]
fn a_file_that_makes_no_sense_is_named_with_its_line() {
    for (name, text, why) in [
        (
            ".config/containers/registries.conf",
            "[[registry]]\nlocation = 7\n",
            "line 2",
        ),
        (
            ".config/containers/registries.conf",
            "[[registry]]\ninsecure = true\n",
            "neither prefix nor location",
        ),
        (
            ".config/containers/registries.conf",
            "[[registry]]\nprefix = \"r.*.example\"\n",
            "as in \"*.example.com\"",
        ),
        (
            ".config/containers/registries.conf",
            "short-name-mode = \"maybe\"\n",
            "maybe",
        ),
        (".config/docker/daemon.json", "{", "daemon.json"),
        (
            ".config/docker/daemon.json",
            r#"{"registry-mirrors":["mirror.example"]}"#,
            "registry mirror \"mirror.example\"",
        ),
        ("rpod/config.toml", "short-names = \"no\"\n", "short-names"),
    ] {
        let error = Home::new(&[(name, text)]).read().expect_err(text);
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
