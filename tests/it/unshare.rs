//! The user's own namespace, and what can be mounted there: `unshare`, `mount`,
//! `umount`, `image mount`, `image unmount`.

use crate::support::image::{Image, Layer, busybox_layer};
use crate::support::{Sandbox, probe};

#[test]
fn unshare_runs_a_program_as_root_of_the_users_namespace() {
    let rpod = Sandbox::new();
    rpod.run(&["unshare", "id", "-u"])
        .success()
        .stdout_is("0\n");
    rpod.run(&["unshare", "sh", "-c", "exit 7"]).fails(7);
    rpod.command(&["unshare", "cat"])
        .stdin("through")
        .run()
        .success()
        .stdout_is("through");
    // Without a program it is the user's shell.
    rpod.command(&["unshare"])
        .env("SHELL", "/bin/sh")
        .stdin("echo shell $((1 + 1))\n")
        .run()
        .success()
        .stdout_is("shell 2\n");
    rpod.run(&["unshare", "no-such-program"])
        .fails(127)
        .stderr_has("no such program");
    let map = rpod.run(&["unshare", "cat", "/proc/self/uid_map"]);
    let lines = map.success().stdout().lines().count();
    let many = probe::subordinate_ids() || probe::is_root();
    assert_eq!(lines > 1, many);
}

#[test]
fn unshare_passes_the_end_on_to_its_program() {
    let rpod = Sandbox::new();
    let script = "trap 'echo ended; exit 3' TERM; echo ready; while true; do sleep 0.05; done";
    let mut running = rpod.command(&["unshare", "sh", "-c", script]).spawn();
    running.wait_for_stdout("ready");
    running.signal("TERM");
    running.wait().fails(3).stdout_has("ended");
}

#[test]
fn an_image_is_mounted_inside_unshare_to_be_read() {
    let rpod = Sandbox::new();
    let layer = Layer::new()
        .file("hello", "from the image")
        .whiteout("etc/group");
    for (name, image) in [
        ("two", Image::new("two").layer(busybox_layer()).layer(layer)),
        (
            "one",
            Image::new("one").layer(busybox_layer().file("hello", "alone")),
        ),
    ] {
        let archive = rpod.write("image.tar", image.cmd(&["sh"]).docker_archive());
        rpod.load(&archive);
        let script = r#"
            path=$("$0" image mount "$1")
            cat "$path/hello"; echo; ls "$path/etc"
            touch "$path/new" 2> /dev/null && echo written
            "$0" image mount | grep -c "$1:latest $path"
            "$0" image unmount "$1" | wc -c
            ls "$path" 2> /dev/null | wc -l"#;
        let program = rpod.program().to_str().unwrap().to_owned();
        let done = rpod.run(&[
            "unshare",
            "sh",
            "-ec",
            &format!("set +e; {script}"),
            &program,
            name,
        ]);
        let shown = done.success().stdout();
        let said = if name == "two" {
            "from the image\n"
        } else {
            "alone\n"
        };
        assert!(shown.starts_with(said), "{shown}");
        assert!(shown.ends_with("1\n65\n0\n"), "{shown}");
        assert!(
            shown.contains("passwd") && !shown.contains("written"),
            "{shown}"
        );
    }
    rpod.run(&["image", "mount", "two"])
        .refuses()
        .stderr_has("only root of your own user namespace")
        .stderr_has("rpod unshare");
    rpod.run(&["image", "unmount", "two"]).refuses();
}

#[test]
fn a_containers_files_are_changed_inside_unshare() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["create", "--name", "box", "busybox", "cat", "/made"])
        .success();
    let program = rpod.program().to_str().unwrap().to_owned();
    let inside = |script: &str| rpod.run(&["unshare", "sh", "-ec", script, &program]);
    inside(r#"path=$("$0" mount box); echo by hand > "$path/made"; "$0" umount box"#)
        .success()
        .stdout_has("\n");
    rpod.run(&["start", "-a", "box"])
        .success()
        .stdout_is("by hand\n");
    rpod.start(&[
        "--name",
        "busy",
        "busybox",
        "sh",
        "-c",
        "echo live > /live; sleep 1000",
    ]);
    crate::support::eventually("it has written", || {
        rpod.run(&["diff", "busy"]).stdout().contains("/live")
    });
    inside(
        r#"path=$("$0" mount busy); cat "$path/live"; ! touch "$path/x" 2> /dev/null; "$0" mount"#,
    )
    .success()
    .stdout_has("live\n")
    .stdout_has("busy /")
    .stderr_has("mounted to be read");
    rpod.run(&["mount", "box"])
        .refuses()
        .stderr_has("rpod unshare");
    rpod.run(&["umount", "box"]).refuses();
    inside(r#""$0" umount box"#)
        .fails(1)
        .stderr_has("not mounted");
    rpod.remove_all();
}
