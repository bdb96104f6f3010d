//! Who the user is inside a container, and who the files belong to. Tests that
//! need more ids than one say so; the others hold for a single id, too.

use crate::support::image::{Entry, Image, built_directory, busybox_layer};
use crate::support::{Sandbox, probe};
use crate::{require, support};

const NEEDS_IDS: &str = "this user has no subordinate ids";

#[test]
fn the_user_is_root_inside_and_owns_what_it_makes_outside() {
    let rpod = Sandbox::with(&["busybox"]);
    let shared = rpod.work().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let volume = format!("{}:/shared", shared.display());
    rpod.run(&[
        "run",
        "--rm",
        "-v",
        &volume,
        "busybox",
        "sh",
        "-c",
        "id -u; id -g; touch /shared/made",
    ])
    .success()
    .stdout_is("0\n0\n");
    use std::os::unix::fs::MetadataExt;
    let made = std::fs::metadata(shared.join("made")).unwrap();
    assert_eq!(made.uid(), rustix::process::geteuid().as_raw());
}

#[test]
fn run_u_takes_numbers_and_names() {
    require!(support::probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::with(&["busybox"]);
    let id = |user: &str| {
        let words = [
            "run",
            "--rm",
            "-u",
            user,
            "busybox",
            "sh",
            "-c",
            "echo $(id -u):$(id -g):$(id -G)",
        ];
        rpod.run(&words).success().line()
    };
    assert_eq!(id("app"), "1000:1000:1000 2000");
    assert_eq!(id("1000"), "1000:1000:1000 2000");
    assert_eq!(id("1234"), "1234:0:0");
    assert_eq!(id("1234:2000"), "1234:2000:2000");
    assert_eq!(id("app:extra"), "1000:2000:2000");
    let unknown = rpod.run(&["run", "--rm", "-u", "nobody-here", "busybox", "true"]);
    unknown.refuses().stderr_has("nobody-here");
}

#[test]
fn users_home_comes_from_passwd() {
    require!(probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm",
        "-u",
        "app",
        "busybox",
        "sh",
        "-c",
        "echo $HOME; cd; touch x",
    ])
    .success()
    .stdout_is("/home/app\n");
}

#[test]
fn users_other_than_root_have_no_capabilities() {
    require!(probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm",
        "-u",
        "app",
        "busybox",
        "grep",
        "CapEff",
        "/proc/self/status",
    ])
    .success()
    .stdout_has("0000000000000000");
}

#[test]
fn owners_in_layers_are_kept() {
    require!(probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::new();
    let layer = busybox_layer().entry(Entry::file("owned", "").owner(12, 34).mode(0o640));
    let archive = rpod.work().join("owned.tar");
    let image = Image::new("owned")
        .layer(layer)
        .cmd(&["stat", "-c", "%u:%g %a", "/owned"]);
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    rpod.run(&["run", "--rm", "owned"])
        .success()
        .stdout_is("12:34 640\n");
}

#[test]
fn images_user_and_directory_are_used() {
    require!(probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::new();
    let archive = rpod.work().join("user.tar");
    let image = Image::new("user")
        .layer(busybox_layer())
        .config("User", "app".into())
        .config("WorkingDir", "/srv/app".into())
        .cmd(&["sh", "-c", "id -un; pwd"]);
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    rpod.run(&["run", "--rm", "user"])
        .success()
        .stdout_is("app\n/srv/app\n");
    rpod.run(&["run", "--rm", "-u", "0", "user"])
        .success()
        .stdout_is("root\n/srv/app\n");
}

#[test]
fn chown_works_inside_also_with_a_single_id() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "touch /x && chown 1000:1000 /x && chmod 4755 /x && echo done";
    rpod.run(&["run", "--rm", "busybox", "sh", "-c", script])
        .success()
        .stdout_is("done\n");
}

#[test]
fn a_single_id_runs_what_needs_no_other_and_says_so_once() {
    require!(!probe::subordinate_ids(), "this user has subordinate ids");
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "busybox", "id", "-u"])
        .success()
        .stdout_is("0\n");
    let again = rpod.run(&["run", "--rm", "busybox", "true"]);
    again.success();
    assert_eq!(again.stderr(), "");
}

#[test]
fn a_user_may_open_its_standard_streams_again() {
    require!(probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::with(&["busybox"]);
    let script = "echo out > /dev/stdout && echo err > /dev/stderr && cat /dev/stdin";
    let ran = |arguments: &[&str]| {
        let words = [arguments, &["sh", "-c", script]].concat();
        let ran = rpod.command(&words).stdin("in\n").run();
        ran.success().stdout_is("out\nin\n").stderr_has("err");
    };
    ran(&["run", "--rm", "-i", "-u", "1000", "busybox"]);
    rpod.run(&["run", "-d", "--name", "on", "busybox", "sleep", "60"])
        .success();
    ran(&["exec", "-i", "-u", "1000", "on"]);
    rpod.remove_all();
}

#[test]
fn a_user_has_its_own_terminal() {
    require!(probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::with(&["busybox"]);
    let script = "echo a-word > /dev/stdout; stat -L -c owner=%u /dev/stdout";
    for init in [&[][..], &["--init"][..]] {
        let words = [
            &["run", "--rm", "-t", "-u", "1000"],
            init,
            &["busybox", "sh", "-c", script],
        ]
        .concat();
        let ran = rpod.command(&words).spawn_on_terminal().wait();
        ran.success().stdout_has("a-word").stdout_has("owner=1000");
    }
}

#[test]
fn a_user_begins_in_a_directory_that_only_root_can_enter() {
    require!(probe::subordinate_ids(), "{NEEDS_IDS}");
    let rpod = Sandbox::new();
    let archive = rpod.work().join("private.tar");
    let layer = busybox_layer().entry(Entry::directory("root").mode(0o700));
    let image = Image::new("private")
        .layer(layer)
        .config("WorkingDir", "/root".into())
        .cmd(&[
            "sh",
            "-c",
            "busybox readlink /proc/self/cwd; ls . 2> /dev/null || echo closed",
        ]);
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    // As docker: the program stands there and can do nothing in it.
    rpod.run(&["run", "--rm", "-u", "1000", "private"])
        .success()
        .stdout_is("/root\nclosed\n");
}

/// apt fetches as a user of its own, which there is only with several ids.
#[test]
fn apt_works_with_one_id_as_with_many() {
    let rpod = Sandbox::with(&["debian"]);
    let repository = built_directory().join("repository");
    let repository = format!("{}:/repository:ro", repository.display());
    let script = "rm -f /etc/apt/sources.list.d/*
        echo 'deb [trusted=yes] file:/repository ./' > /etc/apt/sources.list
        apt-get update -qq && apt-get install -qq --yes jq > /dev/null 2>&1 && jq --version";
    let words = ["run", "--name", "pack", "--network=none", "-v", &repository];
    let sh = ["debian", "sh", "-c", script];
    rpod.run(&[&words[..], &sh].concat())
        .success()
        .stdout_is("jq-1.6\n");
    // What makes it so is the container's, and nothing that anybody changed.
    rpod.run(&["diff", "pack"])
        .success()
        .stdout_has("A /usr/bin/jq\n")
        .stdout_lacks("rpod");
    let text = format!(
        "FROM debian\nRUN --mount=type=bind,from=repository,target=/repository {}\n",
        script.replace("\n        ", " && ")
    );
    let file = rpod.write("Dockerfile", text);
    let repository = format!(
        "repository={}",
        built_directory().join("repository").display()
    );
    let words = [
        "build",
        "-q",
        "--network=none",
        "--build-context",
        &repository,
    ];
    let context = file.parent().unwrap().to_str().unwrap();
    rpod.run(&[&words[..], &["-t", "packed", context]].concat())
        .success();
    let had = ["run", "--rm", "packed", "jq", "--version"];
    rpod.run(&had).success().stdout_is("jq-1.6\n");
    rpod.remove_all();
}
