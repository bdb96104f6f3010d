//! What is in the store and what it is called: `images`, `tag`, `rmi`.

use crate::require;
use crate::support::Sandbox;
use crate::support::image::{Image, Layer, busybox, busybox_layer, digest};
use crate::support::normalise::normalise;
use crate::support::registry::Registry;

fn with_busybox() -> (Sandbox, String) {
    let rpod = Sandbox::new();
    let image = busybox("tiny:1.0");
    let archive = rpod.work().join("tiny.tar");
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    (rpod, image.id())
}

#[test]
fn images_shows_names_ids_and_sizes() {
    let (rpod, id) = with_busybox();
    let shown = rpod.run(&["images"]).success().stdout();
    let header: Vec<_> = shown
        .lines()
        .next()
        .unwrap()
        .split("  ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(header, ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    let row: Vec<_> = shown
        .lines()
        .nth(1)
        .unwrap()
        .split("  ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(row[..3], ["tiny", "1.0", &id[7..19]]);
    assert!(
        row[3].ends_with(" ago") && row[4].ends_with("MB"),
        "{row:?}"
    );
    rpod.run(&["images", "-q"])
        .success()
        .stdout_is(&format!("{}\n", &id[7..19]));
    rpod.run(&["images", "-q", "--no-trunc"])
        .success()
        .stdout_is(&format!("{id}\n"));
}

#[test]
fn tag_gives_a_second_name_and_rmi_takes_names_before_the_image() {
    let (rpod, id) = with_busybox();
    rpod.run(&["tag", "tiny:1.0", "other/name:2"])
        .success()
        .stdout_is("");
    let shown = rpod.run(&["images"]).success().stdout();
    assert_eq!(shown.matches(&id[7..19]).count(), 2, "{shown}");
    let first = rpod.run(&["rmi", "other/name:2"]).success().stdout();
    assert_eq!(first, "Untagged: other/name:2\n");
    let last = rpod.run(&["rmi", "tiny:1.0"]).success().stdout();
    let lines: Vec<_> = last.lines().collect();
    assert_eq!(lines[0], "Untagged: tiny:1.0");
    assert_eq!(lines[1], format!("Deleted: {id}"));
    assert!(
        normalise(&last)
            .lines()
            .skip(1)
            .all(|line| line == "Deleted: <digest>")
    );
    assert_eq!(rpod.run(&["images", "-q"]).success().stdout(), "");
}

#[test]
fn rmi_says_what_docker_says_of_names_digests_and_layers() {
    require!(Registry::available(), "docker-registry is not installed");
    let (rpod, registry) = (Sandbox::new(), Registry::start());
    let base = Layer::new().file("base", "base\n").gzip();
    let image = Image::new("team/app:1")
        .layer(base.clone())
        .layer(Layer::new().file("middle", "m\n").gzip())
        .layer(Layer::new().file("top", "t\n").gzip());
    let other = Image::new("team/other:1").layer(base);
    let (name, shared) = (registry.push(&image), registry.push(&other));
    rpod.run(&["pull", "-q", &name, &shared]).success();
    let layers: Vec<String> = {
        let shown = rpod.inspect(&name, "{{json .RootFS.Layers}}");
        serde_json::from_str(&shown).unwrap()
    };
    let by_digest = format!("{}@{}", registry.name("team/app"), image.digest());
    // The digest goes with the last name in its repository.
    let second = registry.name("team/app:2");
    rpod.run(&["tag", &name, &second]).success();
    rpod.run(&["tag", &name, "mine:1"]).success();
    rpod.run(&["rmi", &second])
        .success()
        .stdout_is(&format!("Untagged: {second}\n"));
    rpod.run(&["rmi", &name])
        .success()
        .stdout_is(&format!("Untagged: {name}\nUntagged: {by_digest}\n"));
    rpod.run(&["rmi", "--platform", "linux/s390x", "mine:1"])
        .refuses()
        .stderr_has("there is none for linux/s390x");
    // The lowest layer is the other image's as well.
    let two = digest(format!("{} {}", layers[0], layers[1]).as_bytes());
    let three = digest(format!("{two} {}", layers[2]).as_bytes());
    let id = image.id();
    rpod.run(&["rmi", "--platform", "linux/amd64", "mine:1"])
        .success()
        .stdout_is(&format!(
            "Untagged: mine:1\nDeleted: {id}\nDeleted: {three}\nDeleted: {two}\n"
        ));
    let removed = rpod.run(&["rmi", &shared]);
    removed
        .success()
        .stdout_has(&format!("Deleted: {}\n", layers[0]));
}

#[test]
fn rmi_by_id_refuses_several_names_unless_forced() {
    let (rpod, id) = with_busybox();
    rpod.run(&["tag", "tiny:1.0", "two"]).success();
    let refused = rpod.run(&["rmi", &id[7..19]]);
    assert_ne!(refused.code, Some(0));
    rpod.run(&["rmi", "-f", &id[7..19]]).success();
    assert_eq!(rpod.run(&["images", "-q"]).success().stdout(), "");
}

#[test]
fn rmi_refuses_what_a_container_uses_and_names_it() {
    let (rpod, _) = with_busybox();
    rpod.run(&["create", "--name", "user", "tiny:1.0", "true"])
        .success();
    let refused = rpod.run(&["rmi", "tiny:1.0"]);
    assert_ne!(refused.code, Some(0));
    refused.stderr_has("user");
    rpod.run(&["rm", "user"]).success();
    rpod.run(&["rmi", "tiny:1.0"]).success();
}

#[test]
fn rmi_frees_the_disk() {
    let (rpod, _) = with_busybox();
    rpod.run(&["rmi", "tiny:1.0"]).success();
    let blobs = rpod.store().join("images/blobs/sha256");
    let left = std::fs::read_dir(blobs).into_iter().flatten().count();
    assert_eq!(left, 0, "blobs of no image");
    let maps = std::fs::read_dir(rpod.store().join("layers"));
    for map in maps.into_iter().flatten().flatten() {
        let layers = std::fs::read_dir(map.path()).into_iter().flatten().count();
        assert_eq!(layers, 0, "layers of no image in {:?}", map.path());
    }
}

#[test]
fn layers_that_images_share_are_stored_once() {
    let rpod = Sandbox::new();
    for name in ["one", "two"] {
        let archive = rpod.work().join(format!("{name}.tar"));
        let own = Layer::new().file("name", name);
        let image = Image::new(name)
            .layer(busybox_layer())
            .layer(own)
            .cmd(&["cat", "/name"]);
        image.write_docker_archive(&archive);
        rpod.load(&archive);
        rpod.run(&["run", "--rm", name]).success().stdout_is(name);
    }
    let maps: Vec<_> = std::fs::read_dir(rpod.store().join("layers"))
        .unwrap()
        .flatten()
        .collect();
    let count: usize = maps
        .iter()
        .map(|map| std::fs::read_dir(map.path()).unwrap().count())
        .sum();
    assert_eq!(count, 3, "busybox once, and one of each");
}

#[test]
fn whiteouts_hide_what_is_below() {
    let rpod = Sandbox::new();
    let below = busybox_layer()
        .directory("d")
        .file("d/a", "a")
        .file("d/b", "b")
        .directory("o")
        .file("o/old", "");
    let above = Layer::new()
        .directory("d")
        .whiteout("d/a")
        .directory("o")
        .opaque("o")
        .file("o/new", "");
    let image = Image::new("white")
        .layer(below)
        .layer(above)
        .cmd(&["ls", "/d", "/o"]);
    let archive = rpod.work().join("white.tar");
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    rpod.run(&["run", "--rm", "white"])
        .success()
        .stdout_is("/d:\nb\n\n/o:\nnew\n");
}

/// Two images, the second built upon the first, and a third.
fn with_three() -> Sandbox {
    let rpod = Sandbox::new();
    let own = |text: &str| Layer::new().file("own", text);
    let made = |created: &str, image: Image| image.beside("created", created.into());
    let base = Image::new("base:1").layer(busybox_layer());
    let upper = Image::new("registry.example/team/upper:2")
        .layer(busybox_layer())
        .layer(own("four"))
        .config("Labels", serde_json::json!({ "tier": "web" }));
    let other = Image::new("other").layer(own("another"));
    for (name, image) in [
        ("base", made("2020-01-01T00:00:00Z", base)),
        ("upper", made("2021-01-01T00:00:00Z", upper)),
        ("other", made("2022-01-01T00:00:00Z", other)),
    ] {
        rpod.load(&rpod.write(&format!("{name}.tar"), image.docker_archive()));
    }
    rpod
}

#[test]
fn filters_choose_images() {
    let rpod = with_three();
    rpod.run(&["create", "--name", "user", "base:1", "true"])
        .success();
    rpod.run(&["untag", "other"]).success().stdout_is("");
    let digest = rpod
        .run(&["images", "--digests", "--format", "{{.Digest}}", "base"])
        .success()
        .line();
    for (filter, repositories) in [
        ("before=registry.example/team/upper:2", "base"),
        ("since=base:1", "<none> registry.example/team/upper"),
        ("until=2021-06-01", "registry.example/team/upper base"),
        ("dangling=true", "<none>"),
        ("label=tier", "registry.example/team/upper"),
        ("label!=tier", "<none> base"),
        (
            "reference=registry.example/*/up*:2",
            "registry.example/team/upper",
        ),
        ("containers=true", "base"),
        ("intermediate=true", ""),
        ("readonly=true", ""),
        (&format!("digest={}", &digest[..20]), "base"),
    ] {
        let shown = rpod
            .run(&["images", "--filter", filter, "--format", "{{.Repository}}"])
            .success()
            .stdout();
        let shown: Vec<_> = shown.split_whitespace().collect();
        assert_eq!(shown.join(" "), repositories, "{filter}");
    }
    rpod.run(&["images", "--filter", "colour=red"])
        .refuses()
        .stderr_has("colour");
    rpod.run(&["untag", "base:1"]).success();
    let shown = rpod.run(&["images", "-f", "intermediate=true", "-q"]);
    assert_eq!(shown.success().stdout().lines().count(), 1);
    rpod.remove_all();
}

#[test]
fn images_as_a_tree_and_the_layers_of_one() {
    let rpod = with_three();
    rpod.run(&["tag", "base:1", "base:2"]).success();
    let tree = rpod.run(&["images", "--tree"]).success().stdout();
    let lines: Vec<_> = tree.lines().collect();
    assert!(lines[0].starts_with("IMAGE") && lines[0].contains("DISK USAGE"));
    assert!(lines[1].starts_with("other:latest ") && lines[2].starts_with("└─ linux/"));
    assert!(lines[5].starts_with("base:1, base:2 "), "{tree}");
    let layers = rpod.run(&["image", "tree", "registry.example/team/upper:2"]);
    let layers = layers.success().stdout();
    assert!(
        layers.contains("Tags:     [registry.example/team/upper:2]\n"),
        "{layers}"
    );
    assert!(
        layers.contains("Top Layer of: [base:1 base:2]\n└── ID: "),
        "{layers}"
    );
    let upon = rpod.run(&["image", "tree", "--whatrequires", "base:1"]);
    let upon = upon.success().stdout();
    assert!(
        upon.contains(" Top Layer of: [base:1 base:2]\n    └── ID: ")
            && upon.ends_with(" Top Layer of: [registry.example/team/upper:2]\n"),
        "{upon}"
    );
    assert_eq!(rpod.run(&["image", "exists", "base:1"]).code, Some(0));
    assert_eq!(rpod.run(&["image", "exists", "base:9"]).code, Some(1));
}

#[test]
fn history_has_dockers_columns_and_its_0b() {
    let rpod = Sandbox::new();
    let steps = serde_json::json!([
        { "created": "2020-01-01T00:00:00Z", "created_by": "ADD app.js /app.js # buildkit",
          "comment": "buildkit.dockerfile.v0" },
        { "created": "2020-01-01T00:00:00Z", "empty_layer": true,
          "created_by": "/bin/sh -c #(nop)  CMD [\"node\" \"a-very-long-name-of-a-program.js\"]" },
    ]);
    let image = Image::new("old")
        .layer(Layer::new().file("app.js", vec![b'x'; 2500]))
        .beside("history", steps);
    rpod.load(&rpod.write("old.tar", image.docker_archive()));
    let shown = rpod.run(&["history", "old"]).success().stdout();
    let lines: Vec<_> = shown.lines().collect();
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split("   ").map(str::trim).filter(|c| !c.is_empty());
        cells.map(str::to_owned).collect()
    };
    assert_eq!(
        cells(lines[0]),
        ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"]
    );
    let top = cells(lines[1]);
    assert_eq!((&*top[0], &*top[3]), (&image.id()[7..19], "0B"));
    assert_eq!(top[2].chars().count(), 45);
    assert!(top[2].ends_with('…'), "{shown}");
    let first = cells(lines[2]);
    assert_eq!(
        [&first[0], &first[2], &first[3], &first[4]],
        [
            "<missing>",
            "ADD app.js /app.js # buildkit",
            "2.5kB",
            "buildkit.dockerfile.v0"
        ]
    );
    rpod.run(&["image", "history", "-q", "--no-trunc", "old"])
        .success()
        .stdout_is(&format!("{}\n<missing>\n", image.id()));
    rpod.run(&["history", "--human=false", "--format", "{{.Size}}", "old"])
        .success()
        .stdout_is("0\n2500\n");
}

#[test]
fn an_image_inspected_has_dockers_keys() {
    let rpod = with_three();
    let name = "registry.example/team/upper:2";
    let shown = rpod.run(&["image", "inspect", name]).success().stdout();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    for key in [
        "Id",
        "RepoTags",
        "RepoDigests",
        "Parent",
        "Comment",
        "Created",
        "DockerVersion",
        "Author",
        "Architecture",
        "Os",
        "Size",
        "GraphDriver",
        "RootFS",
        "Metadata",
        "Config",
        "Descriptor",
    ] {
        assert!(shown[0].get(key).is_some(), "there is no {key}");
    }
    let upper = shown[0]["GraphDriver"]["Data"]["UpperDir"]
        .as_str()
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(format!("{upper}/own")).unwrap(),
        "four"
    );
    let never = shown[0]["Metadata"]["LastTagTime"].as_str().unwrap();
    assert!(never.starts_with("0001-"), "{never}");
    rpod.run(&["tag", name, "mine"]).success();
    rpod.run(&[
        "inspect",
        "-f",
        "{{.Metadata.LastTagTime}} {{index .RepoTags 0}}",
        "mine",
    ])
    .success()
    .stdout_has("20")
    .stdout_lacks("0001-");
}

#[test]
fn rmi_all_takes_all_but_what_is_used() {
    let rpod = with_three();
    rpod.run(&["tag", "other", "second"]).success();
    rpod.run(&["create", "--name", "user", "base:1", "true"])
        .success();
    let removed = rpod.run(&["rmi", "--all"]);
    removed.refuses().stderr_has("\"user\"");
    assert_eq!(
        removed.stdout().matches("Untagged: ").count(),
        3,
        "{removed}"
    );
    rpod.run(&["images", "--format", "{{.Repository}}"])
        .success()
        .stdout_is("base\n");
    rpod.remove_all();
    rpod.run(&["rmi", "-a", "--no-prune"]).success();
    rpod.run(&["rmi", "--ignore", "nothing"]).success();
    rpod.run(&["rmi", "nothing"]).refuses();
}
