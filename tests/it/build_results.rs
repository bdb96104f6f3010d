//! What comes of a build: layers made one, images for several platforms, lists,
//! archives, and images at registries.

use crate::build::{build, id_of, inside};
use crate::require;
use crate::support::Sandbox;
use crate::support::flat::Flat;
use crate::support::image::{Entry, Layer, busybox};
use crate::support::registry::Registry;

/// What `image inspect` says of the built image.
fn said(rpod: &Sandbox, format: &str) -> String {
    let out = rpod.run(&["image", "inspect", "--format", format, "made"]);
    out.success();
    out.line()
}

const LAYERS: &str = "FROM busybox\n\
    RUN echo s3$((1+1))cret > /secret; mkdir /d; echo 1 > /d/a; ln /d/a /d/hard\n\
    RUN rm /secret; rm -r /d; mkdir /d; echo 2 > /d/b; rm -f /bin/false; chown 5:7 /d/b || true\n\
    RUN rm -r /home; echo file > /home\n\
    CMD [\"sh\"]\n";

/// All files of the built image, as a tar lists them without their times.
fn files(rpod: &Sandbox) -> String {
    let script = "cd /; find . -xdev \\( -path ./proc -o -path ./sys -o -path ./dev -o -path ./etc \\) -prune \
                  -o -exec stat -c '%A %u %g %n' {} + | sort -k 4; find d -type f -exec stat -c '%h %s %n' {} +";
    inside(rpod, script)
}

#[test]
fn new_layers_become_one_and_hide_what_they_hid() {
    let rpod = Sandbox::with(&["busybox"]);
    build(&rpod, LAYERS, &[]).success();
    let plain = files(&rpod);
    assert_eq!(said(&rpod, "{{len .RootFS.Layers}}"), "4");
    build(&rpod, LAYERS, &["--squash"]).success();
    assert_eq!(said(&rpod, "{{len .RootFS.Layers}}"), "2");
    assert!(files(&rpod) == plain);
    let squashed = id_of(&rpod);
    build(&rpod, LAYERS, &["--squash"]).success();
    assert_eq!(id_of(&rpod), squashed);
    build(&rpod, LAYERS, &["--squash-all"]).success();
    assert_eq!(said(&rpod, "{{len .RootFS.Layers}}"), "1");
    assert!(files(&rpod) == plain);
    // What was taken away again is in no layer.
    rpod.run(&["save", "-o", "all.tar", "made"]).success();
    let found = rpod.other("grep", &["-c", "s32cret", "all.tar"]).run();
    assert_eq!(found.stdout().trim(), "0");
    build(&rpod, "FROM busybox\n", &["--squash"]).success();
    build(&rpod, "FROM busybox\nENV A=b\n", &["--squash"]).success();
    assert_eq!(said(&rpod, "{{len .RootFS.Layers}}"), "1");
    assert_eq!(inside(&rpod, "echo $A"), "b\n");
}

#[test]
fn without_layers_nothing_is_taken_or_kept() {
    let rpod = Sandbox::with(&["busybox"]);
    build(&rpod, LAYERS, &["--layers=false"]).success();
    assert_eq!(said(&rpod, "{{len .RootFS.Layers}}"), "2");
    let first = id_of(&rpod);
    let out = rpod.run(&["builder", "du", "--format", "{{.ID}}"]);
    out.success();
    out.stdout_is("");
    build(&rpod, LAYERS, &[]).success();
    let out = build(&rpod, LAYERS, &["--layers=false"]);
    out.success();
    let cached = out.stderr().matches("CACHED").count();
    assert_eq!(cached, 1, "only the base is there already");
    assert_eq!(id_of(&rpod), first);
}

#[test]
fn registries_are_asked_for_bases_as_often_as_told() {
    require!(Registry::available(), "docker-registry is not installed");
    let rpod = Sandbox::new();
    let registry = Registry::start();
    let base = registry.push(&busybox("base:1").env("V=one"));
    let dockerfile = format!("FROM {base}\nRUN echo $V > /v\n");
    let out = build(&rpod, &dockerfile, &["--pull=never"]);
    out.refuses();
    out.stderr_has("--pull never");
    let version = |how: &[&str]| {
        build(&rpod, &dockerfile, how).success();
        inside(&rpod, "cat /v").trim().to_owned()
    };
    assert_eq!(version(&[]), "one");
    registry.push(&busybox("base:1").env("V=two"));
    assert_eq!(version(&["--pull=missing"]), "one");
    assert_eq!(version(&["--pull=newer"]), "two");
    registry.push(&busybox("base:1").env("V=three"));
    assert_eq!(version(&["--pull"]), "three");
    drop(registry);
    // Where nobody answers, newer means what there is; always means the end.
    assert_eq!(version(&["--pull=newer"]), "three");
    build(&rpod, &dockerfile, &["--pull=always"]).fails(1);
    build(&rpod, &dockerfile, &["--pull=often"]).refuses();
}

const CROSS: &str = "FROM --platform=$BUILDPLATFORM busybox AS make\n\
    ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH\n\
    RUN echo \"$TARGETPLATFORM $TARGETOS $TARGETARCH $TARGETVARIANT $BUILDPLATFORM $BUILDARCH\" > /out\n\
    FROM scratch\nCOPY --from=make /out /out\n";

#[test]
fn several_platforms_become_a_list() {
    let rpod = Sandbox::with(&["busybox"]);
    let platforms = ["--platform", "linux/amd64,linux/arm/v7"];
    let out = build(&rpod, CROSS, &platforms);
    out.success();
    out.stderr_has("[linux/arm/v7 make 2/2]");
    let out = rpod.run(&["manifest", "inspect", "made"]);
    out.success();
    out.stdout_has("\"architecture\": \"amd64\"")
        .stdout_has("\"variant\": \"v7\"");
    let first = out.stdout();
    build(&rpod, CROSS, &platforms).success();
    rpod.run(&["manifest", "inspect", "made"])
        .success()
        .stdout_is(&first);
    rpod.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .success()
        .stdout_lacks("<none>");
    rpod.run(
        &[
            &[
                "build",
                "-q",
                "-o",
                "out",
                "-o",
                "type=tar,dest=out.tar",
                ".",
            ],
            &platforms[..],
        ]
        .concat(),
    )
    .success();
    let host = format!("linux/{0} {0}\n", crate::support::image::architecture());
    let read = |path: &str| std::fs::read_to_string(rpod.work().join(path)).unwrap();
    assert_eq!(
        read("out/linux_arm_v7/out"),
        format!("linux/arm/v7 linux arm v7 {host}")
    );
    assert_eq!(
        read("out/linux_amd64/out"),
        format!("linux/amd64 linux amd64  {host}")
    );
    rpod.other("tar", &["-xOf", "out.tar", "linux_arm_v7/out"])
        .run()
        .stdout_is(&read("out/linux_arm_v7/out"));
}

/// A program for arm64 that makes `/made`: openat(2), then exit(2).
const FOREIGN: &str = "7f454c460201010000000000000000000200b70001000000780040000000000040000000000000000000000000000000000000004000380001000000000000000100000005000000000000000000000000004000000000000000400000000000a400000000000000a4000000000000000000010000000000600c809201010010220880d2833480d2080780d2010000d4000080d2a80b80d2010000d42f6d616465000000";

#[test]
fn a_program_for_another_machine_runs_where_qemu_is_or_says_what_lacks() {
    require!(
        crate::support::image::architecture() == "amd64",
        "this machine runs programs for arm64 by itself"
    );
    let rpod = Sandbox::new();
    let bytes: Vec<u8> = (0..FOREIGN.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&FOREIGN[at..at + 2], 16).unwrap())
        .collect();
    let program = rpod.write("program", "");
    std::fs::write(&program, bytes).unwrap();
    rpod.other("chmod", &["755", "program"]).run().success();
    let out = build(
        &rpod,
        "FROM scratch\nCOPY program /program\nRUN [\"/program\"]\n",
        &["--platform", "linux/arm64", "-o", "out"],
    );
    if out.code == Some(0) {
        assert!(rpod.work().join("out/made").exists());
    } else {
        out.refuses()
            .stderr_has("binfmt_misc")
            .stderr_has("qemu-user-static");
    }
}

#[test]
fn an_image_goes_to_its_registry_and_comes_back() {
    require!(Registry::available(), "docker-registry is not installed");
    let rpod = Sandbox::with(&["busybox"]);
    let registry = Registry::start();
    let name = |image: &str| registry.name(image);
    let back = |image: &str| {
        rpod.run(&["rmi", "-f", image]).success();
        let out = rpod.run(&["run", "--rm", image, "cat", "/x"]);
        out.success();
        out.stdout()
    };
    let dockerfile = "FROM busybox\nRUN echo pushed > /x\n";
    rpod.write("Dockerfile", dockerfile);
    rpod.run(&[
        "build",
        "--push",
        "-t",
        &name("a:1"),
        "-t",
        &name("b:1"),
        ".",
    ])
    .success();
    assert_eq!(back(&name("a:1")), "pushed\n");
    assert_eq!(back(&name("b:1")), "pushed\n");
    let output = format!("type=image,\"name={},{}\",push=true", name("c"), name("d"));
    rpod.run(&["build", "-o", &output, "."]).success();
    assert_eq!(back(&name("c")), "pushed\n");
    assert_eq!(back(&name("d")), "pushed\n");
    rpod.run(&["build", "--push", "."])
        .refuses()
        .stderr_has("-t HOST/NAME");
    rpod.write("Dockerfile", CROSS);
    let list = name("list:1");
    rpod.run(&[
        "build",
        "--push",
        "-t",
        &list,
        "--platform",
        "linux/amd64",
        "--platform",
        "linux/arm64",
        ".",
    ])
    .success();
    rpod.run(&["rmi", "-f", &list]).success();
    rpod.run(&["pull", "--platform", "linux/arm64", &list])
        .success();
    let out = rpod.run(&["image", "inspect", "--format", "{{.Architecture}}", &list]);
    out.stdout_is("arm64\n");
    // An image for another machine is a base, and takes no name from one that is here.
    rpod.run(&["pull", "--platform", "linux/amd64", &list])
        .success();
    build(
        &rpod,
        &format!("FROM {list}\nCOPY Dockerfile /\n"),
        &["--platform", "linux/arm64"],
    )
    .success();
    assert_eq!(said(&rpod, "{{.Architecture}}"), "arm64");
    let out = rpod.run(&["image", "inspect", "--format", "{{.Architecture}}", &list]);
    out.stdout_is("amd64\n");
}

#[test]
fn images_are_put_into_a_list_one_after_the_other() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("Dockerfile", CROSS);
    for platform in ["linux/amd64", "linux/s390x"] {
        rpod.run(&[
            "build",
            "-q",
            "--platform",
            platform,
            "--manifest",
            "all",
            ".",
        ])
        .success();
    }
    let out = rpod.run(&["manifest", "inspect", "all"]);
    out.success();
    out.stdout_has("\"amd64\"").stdout_has("\"s390x\"");
    rpod.run(&["images", "--format", "{{.Repository}}"])
        .success()
        .stdout_lacks("<none>");
}

#[test]
fn images_are_written_as_archives() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("Dockerfile", "FROM busybox\nRUN echo archived > /x\n");
    rpod.run(&[
        "build",
        "-t",
        "made",
        "-o",
        "type=docker,dest=d.tar",
        "-o",
        "type=oci,dest=o.tar",
        "-o",
        "type=oci,dest=layout,tar=false",
        ".",
    ])
    .success();
    rpod.run(&["image", "inspect", "made"]).fails(1);
    for archive in ["d.tar", "o.tar", "layout"] {
        rpod.run(&["load", "-i", archive])
            .success()
            .stdout_has("Loaded image: made:latest");
        assert_eq!(inside(&rpod, "cat /x"), "archived\n");
        rpod.run(&["rmi", "made"]).success();
    }
    let out = rpod.run(&["build", "-q", "-t", "made", "-o", "type=docker", "."]);
    out.success();
    assert_eq!(inside(&rpod, "cat /x"), "archived\n");
    let out = rpod.run(&["build", "-o", "type=oci,dest=-", "."]);
    out.success();
    assert!(out.stdout_bytes().len() > 10_000);
    for bad in [
        "type=what",
        "type=local",
        "type=image,dest=x",
        "type=oci,tar=false",
        "to=x",
    ] {
        rpod.run(&["build", "-o", bad, "."]).refuses();
    }
}

#[test]
fn an_image_is_shown_with_the_time_it_was_built_or_the_one_it_was_given() {
    let rpod = Sandbox::new();
    rpod.write("f", "file");
    let created = || {
        let out = rpod.run(&["images", "--format", "{{.CreatedAt}}", "made"]);
        out.success();
        out.line()
    };
    let dockerfile = "FROM scratch\nCOPY f /f\n";
    build(&rpod, dockerfile, &[]).success();
    assert!(!created().starts_with("1980"), "{}", created());
    assert!(said(&rpod, "{{.Created}}").starts_with("1980-01-01"));
    let plain = id_of(&rpod);
    build(&rpod, dockerfile, &["--timestamp", "1000000000"]).success();
    assert!(created().starts_with("2001-09-09"), "{}", created());
    assert_ne!(id_of(&rpod), plain);
    for words in [
        &["--source-date-epoch", "1000000000"][..],
        &["--build-arg", "SOURCE_DATE_EPOCH=1000000000"],
    ] {
        build(&rpod, dockerfile, words).success();
        assert!(said(&rpod, "{{.Created}}").starts_with("2001-09-09"));
    }
    rpod.command(&["build", "-q", "-t", "made", "."])
        .env("SOURCE_DATE_EPOCH", "1000000000")
        .run()
        .success();
    assert!(said(&rpod, "{{.Created}}").starts_with("2001-09-09"));
    build(&rpod, dockerfile, &["--source-date-epoch", "today"]).refuses();
}

const CACHED: &str = "FROM busybox AS make\nRUN echo make-$((1+1)) | tee /m\n\
    FROM busybox\nCOPY --from=make /m /m\nRUN echo last-$((1+1)); cat /m > /n\n";

#[test]
fn steps_go_to_a_registry_and_are_not_done_again_on_another_machine() {
    require!(Registry::available(), "docker-registry is not installed");
    let registry = Registry::start();
    let one = Sandbox::with(&["busybox"]);
    let (most, least) = (registry.name("most:1"), registry.name("least"));
    let to = |name: &str, mode: &str| format!("type=registry,ref={name},mode={mode}");
    build(
        &one,
        CACHED,
        &[
            "--cache-to",
            &to(&most, "max"),
            "--cache-to",
            &to(&least, "min"),
        ],
    )
    .success();
    let names = one.run(&["images", "--format", "{{.Repository}}"]);
    names
        .success()
        .stdout_lacks("127.0.0.1")
        .stdout_lacks("<none>");
    let other = Sandbox::with(&["busybox"]);
    let out = build(&other, CACHED, &["--cache-from", &most]);
    out.success();
    out.stderr_lacks("make-2").stderr_lacks("last-2");
    assert_eq!(id_of(&other), id_of(&one));
    assert_eq!(inside(&other, "cat /n"), "make-2\n");
    other
        .run(&["images", "--format", "{{.Repository}}"])
        .success()
        .stdout_lacks("127.0.0.1")
        .stdout_lacks("<none>");
    // Of the least, only what the target itself did.
    let third = Sandbox::with(&["busybox"]);
    let from = format!("type=registry,ref={least}");
    let out = build(&third, CACHED, &["--cache-from", &from]);
    out.success();
    out.stderr_has("make-2").stderr_lacks("last-2");
    let out = build(&third, CACHED, &["--no-cache", "--cache-from", &from]);
    out.stderr_has("last-2");
    // A cache that is not there costs time, and no more; one that cannot be sent is a fault.
    let nowhere = registry.name("nowhere");
    let out = build(&third, CACHED, &["--cache-from", &nowhere]);
    out.success();
    out.stderr_has("the build goes on without this cache");
    drop(registry);
    build(&third, CACHED, &["--cache-to", &nowhere]).fails(1);
    let ignored = format!("type=registry,ref={nowhere},ignore-error=true");
    build(&third, CACHED, &["--cache-to", &ignored]).success();
}

#[test]
fn steps_are_kept_in_a_directory_and_in_the_image_itself() {
    let one = Sandbox::with(&["busybox"]);
    let place = one.work().join("cache");
    let to = format!("type=local,dest={},mode=max", place.display());
    build(&one, CACHED, &["--cache-to", &to]).success();
    build(&one, CACHED, &["--cache-to", &to]).success();
    let other = Sandbox::with(&["busybox"]);
    let from = format!("type=local,src={}", place.display());
    let out = build(&other, CACHED, &["--cache-from", &from]);
    out.success();
    out.stderr_lacks("make-2").stderr_lacks("last-2");
    assert_eq!(id_of(&other), id_of(&one));
    require!(Registry::available(), "docker-registry is not installed");
    let registry = Registry::start();
    let name = registry.name("inline:1");
    let dockerfile = "FROM busybox\nRUN echo only-$((1+1)) | tee /o\n";
    one.write("Dockerfile", dockerfile);
    let inline = ["--build-arg", "BUILDKIT_INLINE_CACHE=1"];
    one.run(&[&["build", "--push", "-t", &name, "."], &inline[..]].concat())
        .success()
        .stderr_lacks("was not used");
    one.run(&["tag", &name, "made"]).success();
    let id = id_of(&one);
    let out = build(
        &other,
        dockerfile,
        &["--cache-from", &name, "--cache-to", "type=inline"],
    );
    out.success();
    out.stderr_lacks("only-2");
    assert_eq!(id_of(&other), id);
}

#[test]
fn steps_older_than_is_wanted_are_done_again() {
    let rpod = Sandbox::with(&["busybox"]);
    let dockerfile = "FROM busybox\nRUN echo again-$((1+1))\n";
    build(&rpod, dockerfile, &[]).success();
    build(&rpod, dockerfile, &["--cache-ttl", "1h"]).stderr_lacks("again-2");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    build(&rpod, dockerfile, &["--cache-ttl", "1s"]).stderr_has("again-2");
    build(&rpod, dockerfile, &["--cache-ttl", "1h"]).stderr_lacks("again-2");
}

#[test]
fn capabilities_and_owners_of_files_come_along_between_images() {
    let rpod = Sandbox::with(&["busybox"]);
    // Version 2 of the attribute: cap_net_raw=ep.
    let mut capability = [0; 20];
    capability[..6].copy_from_slice(&[1, 0, 0, 2, 0, 0x20]);
    let key = "SCHILY.xattr.security.capability";
    let layer = Layer::new()
        .entry(Entry::directory("d").owner(5, 6))
        .entry(Entry::directory("d/sub").owner(5, 6))
        .entry(
            Entry::file("d/sub/able", "able")
                .mode(0o755)
                .owner(5, 6)
                .record(key, capability),
        );
    let image = rpod.write("able.tar", busybox("able").layer(layer).docker_archive());
    rpod.run(&["load", "-q", "-i", image.to_str().unwrap()])
        .success();
    build(
        &rpod,
        "FROM busybox\n\
         RUN mkdir -p /old/sub\n\
         COPY --from=able /d /kept\n\
         COPY --from=able --chown=7:8 /d /new\n\
         COPY --from=able --chown=7:8 /d /old\n\
         COPY --from=able --chown=7:8 /d/sub/able /alone\n",
        &[],
    )
    .success();
    let dir = rpod.path().join("made");
    let place = dir.to_str().unwrap();
    rpod.run(&["save", "-q", "--format", "docker-dir", "-o", place, "made"])
        .success();
    let flat = Flat::read(&dir);
    for (name, starts) in [
        ("kept/sub", "d 0755 5:6"),
        ("kept/sub/able", "f 0755 5:6"),
        ("new/sub", "d 0755 7:8"),
        ("new/sub/able", "f 0755 7:8"),
        ("old/sub", "d 0755 7:8"),
        ("old/sub/able", "f 0755 7:8"),
        ("alone", "f 0755 7:8"),
    ] {
        let says = &flat.files[name];
        assert!(says.starts_with(starts), "{name}: {says}");
        let able = says.contains("security.capability");
        assert_eq!(able, starts.starts_with('f'), "{name}: {says}");
    }
}
