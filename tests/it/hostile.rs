//! Archives which mean harm. Each must fail with the layer and the entry named, or
//! be unpacked so that nothing outside of the layer is touched; the image is then
//! not there, and what was there still works.

use std::path::PathBuf;

use crate::support::Sandbox;
use crate::support::image::{Entry, Image, Layer, busybox_layer};

/// A sandbox with a directory beside the store that nothing may touch.
struct Guarded {
    rpod: Sandbox,
    witness: PathBuf,
}

impl Guarded {
    fn new() -> Self {
        let rpod = Sandbox::new();
        let witness = rpod.home().join("witness");
        std::fs::create_dir(&witness).unwrap();
        std::fs::write(witness.join("file"), "untouched").unwrap();
        Guarded { rpod, witness }
    }

    /// Loads and runs an image with this layer on top; whatever is said, nothing
    /// outside is touched. Returns what was said by the one that failed, if any.
    fn try_layer(&self, layer: Layer) -> Option<crate::support::Output> {
        let image = Image::new("evil")
            .layer(busybox_layer())
            .layer(layer)
            .cmd(&["true"]);
        let loaded = self
            .rpod
            .command(&["load"])
            .stdin(image.docker_archive())
            .run();
        let ran = self.rpod.run(&["run", "--rm", "evil"]);
        self.assert_untouched();
        assert!(
            !loaded.stderr().contains("panicked") && !ran.stderr().contains("panicked"),
            "{loaded}\n{ran}"
        );
        if loaded.code != Some(0) {
            Some(loaded)
        } else if ran.code != Some(0) {
            Some(ran)
        } else {
            None
        }
    }

    fn assert_untouched(&self) {
        let entries = std::fs::read_dir(&self.witness).unwrap().count();
        assert_eq!(entries, 1, "something is new in {}", self.witness.display());
        let content = std::fs::read_to_string(self.witness.join("file")).unwrap();
        assert_eq!(content, "untouched");
        for outside in ["/tmp/escaped-by-rpod-test", "/escaped-by-rpod-test"] {
            assert!(!std::path::Path::new(outside).exists(), "{outside}");
        }
        let above = std::fs::read_dir(self.rpod.path()).unwrap().count();
        assert_eq!(
            above,
            3,
            "something is new in {}",
            self.rpod.path().display()
        );
    }

    fn refuses(&self, layer: Layer, named: &str) {
        let failed = self
            .try_layer(layer)
            .unwrap_or_else(|| panic!("{named:?} was accepted"));
        failed.refuses().stderr_has(named).stderr_has("layer");
    }
}

#[test]
fn names_that_climb_out_are_refused() {
    let host = Guarded::new();
    for name in [
        "../escaped-by-rpod-test",
        "a/../../escaped-by-rpod-test",
        "..",
        "a/b/../../../x",
    ] {
        host.refuses(Layer::new().file(name, "x"), name);
    }
}

#[test]
fn absolute_names_stay_inside() {
    let host = Guarded::new();
    let outcome = host.try_layer(Layer::new().file("/escaped-by-rpod-test", "x"));
    if let Some(refused) = outcome {
        refused.refuses().stderr_has("escaped-by-rpod-test");
    }
}

#[test]
fn symbolic_links_lead_nowhere_outside() {
    let host = Guarded::new();
    let witness = host.witness.to_str().unwrap().to_owned();
    for target in [
        witness.as_str(),
        "../../../../../../../../../../../tmp",
        "/tmp",
    ] {
        let layer = Layer::new()
            .link("way", target)
            .file("way/escaped-by-rpod-test", "x")
            .file("way/file", "changed");
        host.try_layer(layer);
        let layer = Layer::new().link("way", target).whiteout("way/file");
        host.try_layer(layer);
    }
    let layer = Layer::new()
        .link("one", "two")
        .link("two", "one")
        .file("one/x", "");
    host.try_layer(layer);
}

#[test]
fn links_of_a_lower_layer_lead_nowhere_outside() {
    let host = Guarded::new();
    let witness = host.witness.to_str().unwrap();
    let image = Image::new("evil")
        .layer(busybox_layer().link("way", witness))
        .layer(
            Layer::new()
                .file("way/escaped", "x")
                .file("way/file", "changed"),
        )
        .cmd(&["true"]);
    let _said = host
        .rpod
        .command(&["load"])
        .stdin(image.docker_archive())
        .run();
    let _said = host.rpod.run(&["run", "--rm", "evil"]);
    host.assert_untouched();
}

#[test]
fn hard_links_reach_nothing_outside() {
    let host = Guarded::new();
    let file = host.witness.join("file");
    let layer = |target: &str| {
        let link = Layer::new().hard_link("mine", target);
        link.file("mine", "changed")
    };
    host.refuses(layer(file.to_str().unwrap()), "mine");
    host.refuses(layer("../../../../../../../../etc/passwd"), "mine");
    let through = Layer::new()
        .link("way", host.witness.to_str().unwrap())
        .hard_link("mine", "way/file")
        .file("mine", "changed");
    host.try_layer(through);
    host.refuses(Layer::new().hard_link("mine", "not-there"), "mine");
}

#[test]
fn whiteouts_remove_nothing_outside() {
    let host = Guarded::new();
    for name in [
        ".wh...",
        ".wh..",
        "a/.wh...",
        ".wh.",
        "../.wh.witness",
        "a/../../.wh.file",
    ] {
        host.try_layer(Layer::new().directory("a").file(name, ""));
    }
    assert!(host.rpod.store().is_dir());
}

#[test]
fn devices_are_never_the_hosts() {
    let host = Guarded::new();
    let layer = Layer::new()
        .entry(Entry::device("disk", 8, 0))
        .entry(Entry::device("null2", 1, 3));
    host.try_layer(layer);
    let mut found = host.rpod.other(
        "find",
        &[
            host.rpod.store().to_str().unwrap(),
            "-type",
            "b",
            "-o",
            "-type",
            "c",
            "-size",
            "0",
            "-name",
            "disk",
        ],
    );
    found = found.timeout(20);
    found.run().stdout_lacks("disk");
}

#[test]
fn odd_extended_headers_are_no_way_out() {
    let host = Guarded::new();
    let entry = || Entry::file("plain", "x");
    host.refuses(
        Layer::new().entry(entry().record("path", "../escaped-by-rpod-test")),
        "escaped-by-rpod-test",
    );
    host.try_layer(Layer::new().entry(entry().record("path", "")));
    host.try_layer(Layer::new().entry(entry().record("path", "a\0b")));
    host.try_layer(Layer::new().entry(entry().record("size", "99999999999999999999")));
    host.try_layer(Layer::new().entry(entry().record("size", "-1")));
    host.try_layer(Layer::new().entry(entry().record("mtime", "1e999")));
    host.try_layer(Layer::new().entry(entry().record("SCHILY.xattr.security.capability", "junk")));
    host.try_layer(
        Layer::new().entry(entry().record("SCHILY.xattr.trusted.overlay.redirect", "/../../..")),
    );
    host.try_layer(
        Layer::new().entry(entry().record("SCHILY.xattr.user.overlay.redirect", "/../../..")),
    );
    host.try_layer(Layer::new().entry(Entry::new("x", b'x').claims_size(u64::MAX >> 31)));
    let broken = b"99 path=short\n".to_vec();
    let mut header = Entry::file("PaxHeaders/x", broken);
    header = header.claims_size(14);
    host.try_layer(Layer::new().entry(header));
}

#[test]
fn broken_archives_are_refused() {
    let host = Guarded::new();
    host.refuses(
        Layer::new().entry(Entry::file("short", "x").claims_size(1 << 30)),
        "short",
    );
    let failed = host.try_layer(Layer::new().raw(&[0xff; 512]).file("after", ""));
    failed.expect("junk was accepted").refuses();
}

#[test]
fn a_file_in_the_place_of_a_directory_and_the_reverse_are_unpacked() {
    let host = Guarded::new();
    let layer = Layer::new()
        .file("etc", "now a file")
        .file("thing", "file")
        .file("thing/below", "now a directory");
    host.try_layer(layer);
    let layer = Layer::new()
        .directory("d")
        .file("d/x", "")
        .file("d", "file");
    host.try_layer(layer);
}

#[test]
fn a_digest_that_is_a_path_is_refused() {
    let host = Guarded::new();
    let config = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    for (name, layers) in [
        ("../../x.json", "[]"),
        ("c.json", "[\"../../etc/passwd\"]"),
        ("/etc/passwd", "[]"),
    ] {
        let manifest = format!(
            "[{{\"Config\":\"{name}\",\"RepoTags\":[\"evil:latest\"],\"Layers\":{layers}}}]"
        );
        let archive = Layer::new()
            .file("c.json", config)
            .file("manifest.json", manifest)
            .tar();
        host.rpod.command(&["load"]).stdin(archive).run().refuses();
        host.assert_untouched();
    }
    let index = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:../../../etc/passwd\",\"size\":1}]}";
    let archive = Layer::new()
        .file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}")
        .file("index.json", index)
        .tar();
    host.rpod.command(&["load"]).stdin(archive).run().refuses();
}

#[test]
fn a_layer_whose_bytes_are_not_its_digest_is_refused() {
    let host = Guarded::new();
    let image = Image::new("evil")
        .layer(busybox_layer().gzip())
        .cmd(&["true"]);
    let layout = host.rpod.work().join("layout");
    image.write_layout(&layout);
    let digest = crate::support::image::digest(&image.blobs()[0]);
    let blob = layout.join("blobs").join(digest.replace(':', "/"));
    let mut bytes = std::fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let layout = layout.to_str().unwrap();
    host.rpod
        .run(&["load", "-i", layout])
        .refuses()
        .stderr_has(&digest[7..19]);
    assert_eq!(host.rpod.run(&["images", "-q"]).success().stdout(), "");
}

#[test]
fn a_volume_of_an_image_is_a_path_inside_and_never_one_of_the_machine() {
    let guarded = Guarded::new();
    let text = format!("{}:/theirs", guarded.witness.display());
    let image = Image::new("evil")
        .layer(busybox_layer())
        .config("Volumes", serde_json::json!({ text: {} }))
        .cmd(&[
            "sh",
            "-c",
            "rm -f /theirs/file; touch /theirs/new; ls /theirs",
        ]);
    let load = guarded.rpod.command(&["load"]);
    load.stdin(image.docker_archive()).run().success();
    let ran = guarded.rpod.run(&["run", "--rm", "evil"]);
    ran.stdout_lacks("file");
    guarded.assert_untouched();
}

#[test]
fn an_image_cannot_have_rpod_itself_run_as_its_program() {
    let guarded = Guarded::new();
    let layer = busybox_layer()
        .executable("bin/script", "#!/proc/self/exe --version\n")
        .executable("bin/scripted", "#! /bin/script\n")
        .link("bin/linked", "/proc/self/exe");
    let image = Image::new("evil").layer(layer).cmd(&["true"]);
    let load = guarded.rpod.command(&["load"]);
    load.stdin(image.docker_archive()).run().success();
    let programs = [
        "/proc/self/exe",
        "/proc/1/exe",
        "linked",
        "script",
        "scripted",
    ];
    for program in programs {
        let ran = guarded
            .rpod
            .run(&["run", "--rm", "evil", program, "--version"]);
        ran.fails(126).stderr_has("rpod's own file");
    }
    guarded
        .rpod
        .run(&["run", "-d", "--name", "on", "evil", "sleep", "60"])
        .success();
    for program in programs {
        let ran = guarded.rpod.run(&["exec", "on", program, "--version"]);
        // There, the first process is the container's own program.
        match program {
            "/proc/1/exe" => ran.stdout_lacks("rpod"),
            _ => ran.fails(126).stderr_has("rpod's own file"),
        };
    }
    guarded.rpod.remove_all();
}
