//! What containers have changed, and images and tars of it: `diff`, `commit`,
//! `export`, `import`.

use crate::support::image::{Entry, Image, Layer, busybox_layer, digest};
use crate::support::registry::{HostileRegistry, Reply};
use crate::support::{Sandbox, eventually};

const CHANGES: &str = "echo new > /new; rm /etc/group; rm -r /var/www; mkdir /var/www; \
     echo n > /var/www/n; echo more >> /etc/passwd; mkdir -p /a/b";

/// The names of a tar, sorted.
fn names_in(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap();
    let names = entries.map(|entry| {
        let entry = entry.unwrap();
        String::from_utf8(entry.path_bytes().into_owned()).unwrap()
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn diff_tells_what_a_container_has_changed_running_or_not() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = format!("{CHANGES}; echo ready; sleep 1000");
    rpod.start(&["--name", "box", "busybox", "sh", "-c", &script]);
    eventually("its changes are made", || {
        rpod.run(&["logs", "box"]).stdout().contains("ready")
    });
    let wanted = "A /a\nA /a/b\nC /etc\nD /etc/group\nC /etc/passwd\nA /new\nC /var\nC /var/www\n\
                  D /var/www/index.html\nA /var/www/n\n";
    rpod.run(&["diff", "box"]).success().stdout_is(wanted);
    rpod.run(&["kill", "box"]).success();
    rpod.run(&["wait", "box"]).success();
    rpod.run(&["container", "diff", "box"])
        .success()
        .stdout_is(wanted);
    let json = rpod.run(&["diff", "--format", "json", "box"]);
    let listed: serde_json::Value = serde_json::from_slice(json.success().stdout_bytes()).unwrap();
    assert_eq!(
        listed["deleted"],
        serde_json::json!(["/etc/group", "/var/www/index.html"])
    );
    rpod.run(&["commit", "box", "changed"]).success();
    rpod.run(&["image", "diff", "changed"])
        .success()
        .stdout_is(wanted);
    rpod.run(&["diff", "nothing"])
        .refuses()
        .stderr_has("neither a container nor an image");
    rpod.remove_all();
}

#[test]
fn diff_of_an_untouched_container_is_empty_and_so_is_its_layer() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--name", "box", "busybox", "true"])
        .success();
    rpod.run(&["diff", "box"]).success().stdout_is("");
    rpod.run(&["commit", "box", "same"]).success();
    let layers = |image: &str| {
        let format = "{{json .RootFS.Layers}}";
        rpod.run(&["image", "inspect", "-f", format, image])
            .success()
            .line()
    };
    assert_eq!(layers("same"), layers("busybox"));
    rpod.remove_all();
}

#[test]
fn commit_of_a_running_container_keeps_its_settings_and_lets_it_go_on() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "i=0; while true; do i=$((i+1)); echo $i > /next; mv /next /count; done";
    rpod.start(&[
        "--name", "box", "-e", "KEPT=yes", "-l", "a=b", "-w", "/tmp", "busybox", "sh", "-c", script,
    ]);
    eventually("it counts", || {
        let shown = rpod.run(&["exec", "box", "cat", "/count"]);
        shown.stdout().trim().parse::<u64>().is_ok()
    });
    let id = rpod
        .run(&["commit", "-m", "said", "-a", "Ann", "box", "counted:net"])
        .success()
        .line();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    let field = |format: &str| {
        rpod.run(&["image", "inspect", "-f", format, "counted:net"])
            .success()
            .line()
    };
    assert_eq!(field("{{.Id}}"), id);
    assert_eq!(
        field("{{.Config.WorkingDir}} {{.Config.Labels.a}}"),
        "/tmp b"
    );
    assert_eq!(
        field("{{json .Config.Cmd}}"),
        format!("[\"sh\",\"-c\",\"{script}\"]")
    );
    assert_eq!(field("{{.Author}} {{.Comment}}"), "Ann said");
    let before: u64 = rpod
        .run(&["run", "--rm", "counted:net", "cat", "/count"])
        .success()
        .line()
        .parse()
        .unwrap();
    rpod.run(&["run", "--rm", "counted:net", "env"])
        .success()
        .stdout_has("KEPT=yes");
    eventually("it has gone on", || {
        let shown = rpod.run(&["exec", "box", "cat", "/count"]).stdout();
        shown.trim().parse::<u64>().is_ok_and(|now| now > before)
    });
    assert_eq!(rpod.inspect("box", "{{.State.Status}}"), "running");
    rpod.remove_all();
}

#[test]
fn commit_takes_changes_in_the_words_of_a_dockerfile() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--name", "box", "busybox", "touch", "/made"])
        .success();
    rpod.write("id", "old");
    let id = rpod
        .run(&[
            "commit",
            "-q",
            "--iidfile",
            "id",
            "-c",
            "CMD [\"echo\", \"hi\"]",
            "--change",
            "ENV A=\"b c\"",
            "-c",
            "EXPOSE 80",
            "-c",
            "USER root",
            "-c",
            "ONBUILD RUN true",
            "-f",
            "docker",
            "box",
            "changed",
        ])
        .success()
        .line();
    assert_eq!(std::fs::read_to_string(rpod.work().join("id")).unwrap(), id);
    rpod.run(&["run", "--rm", "changed"])
        .success()
        .stdout_is("hi\n");
    rpod.run(&[
        "run",
        "--rm",
        "changed",
        "sh",
        "-c",
        "echo $A; id -un; ls /made",
    ])
    .success()
    .stdout_is("b c\nroot\n/made\n");
    let inspected = rpod
        .run(&["image", "inspect", "changed"])
        .success()
        .stdout();
    assert!(
        inspected.contains("80/tcp") && inspected.contains("RUN true"),
        "{inspected}"
    );
    let index = std::fs::read_to_string(rpod.store().join("images/index.json")).unwrap();
    assert!(
        index.contains("vnd.docker.distribution.manifest.v2+json"),
        "{index}"
    );
    rpod.run(&["commit", "-c", "RUN true", "box"])
        .refuses()
        .stderr_has("is no change of an image");
    rpod.run(&["commit", "none"])
        .refuses()
        .stderr_has("no such container");
    rpod.remove_all();
}

#[test]
fn commit_squashes_into_one_layer_with_the_same_files() {
    let rpod = Sandbox::new();
    let upper = Layer::new().file("two", "2").whiteout("etc/group");
    let image = Image::new("base")
        .layer(busybox_layer())
        .layer(upper)
        .cmd(&["sh"]);
    let archive = rpod.write("image.tar", image.docker_archive());
    rpod.load(&archive);
    let script = "echo 3 > /three; rm /two";
    rpod.run(&["run", "--name", "box", "base", "sh", "-c", script])
        .success();
    rpod.run(&["commit", "--squash", "box", "flat"]).success();
    let count = rpod
        .run(&["image", "inspect", "-f", "{{len .RootFS.Layers}}", "flat"])
        .success()
        .line();
    assert_eq!(count, "1");
    rpod.run(&["run", "--rm", "flat", "sh", "-c", "cat /three; ls / /etc"])
        .success()
        .stdout_has("3\n")
        .stdout_lacks("two")
        .stdout_lacks("group");
    rpod.remove_all();
}

#[test]
fn owners_and_links_come_back_out_of_a_commit_and_an_export() {
    let rpod = Sandbox::new();
    let layer = Layer::new()
        .entry(Entry::file("theirs", "x").owner(1234, 5678))
        .entry(Entry::file("far", "x").owner(3_000_000, 7))
        .file("one", "linked")
        .hard_link("other", "one");
    let image = Image::new("owned")
        .layer(busybox_layer())
        .layer(layer)
        .cmd(&["sh"]);
    let archive = rpod.write("image.tar", image.docker_archive());
    rpod.load(&archive);
    // Copied up: an overlay keeps what it can.
    let script = "chmod 600 /theirs /far; echo more >> /one";
    rpod.run(&["run", "--name", "box", "owned", "sh", "-c", script])
        .success();
    rpod.run(&["commit", "box", "again"]).success();
    rpod.run(&["create", "--name", "out", "again"]).success();
    let tar = rpod.run(&["export", "out"]);
    let mut archive = tar::Archive::new(tar.success().stdout_bytes());
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        if ["theirs", "far"].contains(&name.as_str()) {
            // A pax header says what does not fit.
            let header = entry.header();
            seen.push((name, header.uid().unwrap(), header.mode().unwrap()));
        }
    }
    seen.sort();
    let far = ("far".to_owned(), 3_000_000, 0o600);
    assert_eq!(seen, [far, ("theirs".to_owned(), 1234, 0o600)]);
    rpod.remove_all();
}

#[test]
fn export_and_import_carry_a_whole_tree() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--name", "box", "busybox", "sh", "-c", CHANGES])
        .success();
    rpod.run(&["export", "-o", "out.tar", "box"]).success();
    let bytes = std::fs::read(rpod.work().join("out.tar")).unwrap();
    let names = names_in(&bytes);
    assert!(names.contains(&"new".to_owned()) && names.contains(&"bin/busybox".to_owned()));
    assert!(
        !names
            .iter()
            .any(|name| name.contains(".wh.") || name == "etc/group")
    );
    let piped = rpod.run(&["container", "export", "box"]);
    assert_eq!(
        piped.success().stdout_bytes(),
        bytes,
        "the same files give the same bytes"
    );
    let id = rpod
        .run(&[
            "import",
            "-c",
            "CMD [\"cat\", \"/new\"]",
            "-m",
            "mine",
            "out.tar",
            "whole:1",
        ])
        .success()
        .line();
    assert!(id.starts_with("sha256:"), "{id}");
    rpod.run(&["run", "--rm", "whole:1"])
        .success()
        .stdout_is("new\n");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &bytes).unwrap();
    rpod.command(&["import", "--platform", "linux/arm64", "-", "piped"])
        .stdin(gzip.finish().unwrap())
        .run()
        .success();
    let shown = rpod
        .run(&[
            "image",
            "inspect",
            "-f",
            "{{.Architecture}} {{.Comment}}",
            "piped",
        ])
        .success()
        .line();
    assert_eq!(shown, "arm64 Imported from -");
    let blobs = || {
        std::fs::read_dir(rpod.store().join("images/blobs/sha256"))
            .unwrap()
            .count()
    };
    let before = blobs();
    rpod.command(&["import", "-"])
        .stdin("no tar")
        .run()
        .refuses();
    let climbs = Layer::new().file("../outside", "x").tar();
    rpod.command(&["import", "-"]).stdin(climbs).run().refuses();
    assert_eq!(blobs(), before, "what cannot be unpacked leaves nothing");
    rpod.run(&["import", "missing.tar"])
        .refuses()
        .stderr_has("missing.tar");
    rpod.remove_all();
}

#[test]
fn import_takes_a_tar_from_a_web_server() {
    let rpod = Sandbox::new();
    let layer = busybox_layer().file("hello", "from the web").gzip();
    let digest = digest(&layer.blob());
    let image = Image::new("web").layer(layer);
    let server = HostileRegistry::serve(&image, |request| match request.path.as_str() {
        "/nothing" => Reply::Status(404, String::new(), String::new()),
        _ => Reply::Honest,
    });
    let url = format!("http://{}/v2/web/blobs/{digest}", server.address());
    rpod.run(&["import", "-c", "CMD cat /hello", &url, "web"])
        .success();
    rpod.run(&["run", "--rm", "web"])
        .success()
        .stdout_is("from the web");
    let missing = format!("http://{}/nothing", server.address());
    rpod.run(&["import", &missing]).refuses().stderr_has("404");
}

#[test]
fn export_refuses_a_terminal() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["create", "--name", "box", "busybox"]).success();
    let mut running = rpod.command(&["export", "box"]).spawn_on_terminal();
    running.wait_for_stdout("use -o or a pipe");
    drop(running);
    rpod.remove_all();
}

#[test]
fn diff_goes_into_directories_that_were_made_anew() {
    let rpod = Sandbox::new();
    let layer = Layer::new()
        .directory("d")
        .directory("d/in")
        .file("d/in/kept", "1")
        .file("d/in/gone", "1")
        .file("d/lost", "1");
    let image = Image::new("deep")
        .layer(busybox_layer())
        .layer(layer)
        .cmd(&["sh"]);
    let archive = rpod.write("image.tar", image.docker_archive());
    rpod.load(&archive);
    let script = "rm -r /d; mkdir -p /d/in; echo 2 > /d/in/kept; echo 2 > /d/in/new";
    rpod.run(&["run", "--name", "box", "deep", "sh", "-c", script])
        .success();
    let wanted = "C /d\nC /d/in\nD /d/in/gone\nC /d/in/kept\nA /d/in/new\nD /d/lost\n";
    rpod.run(&["diff", "box"]).success().stdout_is(wanted);
    // The image has no more than the container.
    rpod.run(&["commit", "box", "again"]).success();
    rpod.run(&["run", "--rm", "again", "ls", "/d", "/d/in"])
        .success()
        .stdout_has("kept")
        .stdout_lacks("gone")
        .stdout_lacks("lost");
    rpod.remove_all();
}
