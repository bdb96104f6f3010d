//! Containers that stand still: `pause`, `unpause`.

use std::time::Duration;

use crate::support::{Sandbox, eventually};

/// A container whose processes fork without end and count in `/count`.
fn counting(rpod: &Sandbox, name: &str, more: &[&str]) {
    let script = "i=0; while true; do i=$((i+1)); (echo $i > /count); done";
    let mut words = vec!["--name", name];
    words.extend(more);
    words.extend(["busybox", "sh", "-c", script]);
    rpod.start(&words);
    eventually("it counts", || count(rpod, name).is_some());
}

fn count(rpod: &Sandbox, name: &str) -> Option<u64> {
    let copied = rpod.run(&["cp", &format!("{name}:/count"), "count"]);
    if copied.code != Some(0) {
        return None;
    }
    let text = std::fs::read_to_string(rpod.work().join("count")).ok()?;
    text.trim().parse().ok()
}

#[test]
fn pause_stops_every_process_and_unpause_lets_them_go_on() {
    let rpod = Sandbox::with(&["busybox"]);
    counting(&rpod, "box", &[]);
    // A program of `exec` stands still as well.
    rpod.run(&[
        "exec",
        "-d",
        "box",
        "sh",
        "-c",
        "while true; do date > /date; done",
    ])
    .success();
    for _ in 0..3 {
        rpod.run(&["pause", "box"]).success().stdout_is("box\n");
        let before = count(&rpod, "box");
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(count(&rpod, "box"), before);
        rpod.run(&["unpause", "box"]).success().stdout_is("box\n");
        eventually("it has gone on", || count(&rpod, "box") > before);
    }
    rpod.remove_all();
}

#[test]
fn a_paused_container_is_told_as_such_and_serves_nobody() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "box", "busybox", "sleep", "1000"]);
    rpod.run(&["unpause", "box"])
        .refuses()
        .stderr_has("it is not paused");
    rpod.run(&["container", "pause", "box"]).success();
    rpod.run(&["pause", "box"])
        .refuses()
        .stderr_has("it is paused already");
    rpod.run(&["ps"]).success().stdout_has("(Paused)");
    rpod.run(&["ps", "-q", "--filter", "status=running"])
        .success()
        .stdout_is("");
    let format = "{{.State.Status}} {{.State.Paused}} {{.State.Running}}";
    assert_eq!(rpod.inspect("box", format), "paused true true");
    for words in [
        &["exec", "box", "true"][..],
        &["attach", "box"],
        &["rm", "box"],
    ] {
        rpod.run(words)
            .refuses()
            .stderr_has("it is paused")
            .stderr_has("rpod unpause box");
    }
    rpod.run(&["start", "box"])
        .fails(1)
        .stderr_has("it is paused");
    rpod.run(&["info", "-f", "{{.ContainersPaused}}"])
        .success()
        .stdout_is("1\n");
    rpod.run(&["container", "unpause", "box"]).success();
    rpod.run(&["exec", "box", "true"]).success();
    rpod.remove_all();
    rpod.run(&["pause", "box"])
        .refuses()
        .stderr_has("no such container");
}

#[test]
fn a_paused_container_can_be_stopped_killed_removed_and_committed() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "trap 'exit 3' TERM; while true; do sleep 0.1; done";
    rpod.start(&["--name", "stops", "busybox", "sh", "-c", script]);
    eventually("it waits for its signal", || {
        rpod.run(&[
            "exec",
            "stops",
            "grep",
            "-c",
            "SigCgt:.*4.*",
            "/proc/1/status",
        ])
        .code
            == Some(0)
    });
    rpod.run(&["pause", "stops"]).success();
    // A commit leaves it as it found it.
    rpod.run(&["commit", "stops", "asleep"]).success();
    assert_eq!(rpod.inspect("stops", "{{.State.Status}}"), "paused");
    rpod.run(&["stop", "stops"]).success();
    assert_eq!(
        rpod.inspect("stops", "{{.State.Status}} {{.State.ExitCode}}"),
        "exited 3"
    );
    rpod.run(&["start", "stops"]).success();
    assert_eq!(rpod.inspect("stops", "{{.State.Status}}"), "running");
    rpod.start(&["--name", "killed", "busybox", "sleep", "1000"]);
    rpod.start(&["--name", "gone", "busybox", "sleep", "1000"]);
    rpod.run(&["pause", "killed", "gone"]).success();
    rpod.run(&["kill", "killed"]).success();
    rpod.run(&["wait", "killed"]).success().stdout_is("137\n");
    rpod.run(&["rm", "-f", "gone"]).success();
    rpod.run(&["pause", "killed"])
        .refuses()
        .stderr_has("is not running");
    rpod.remove_all();
}

#[test]
fn a_shell_does_not_see_that_its_job_stood_still() {
    let rpod = Sandbox::with(&["debian"]);
    let mut running = rpod
        .command(&["run", "-it", "--name", "box", "debian", "bash", "--norc"])
        .spawn_on_terminal();
    running.wait_for_stdout("#");
    running.write("sleep 1000\n");
    eventually("its job runs", || {
        rpod.run(&["exec", "box", "sh", "-c", "cat /proc/[0-9]*/comm"])
            .stdout()
            .contains("sleep")
    });
    for _ in 0..5 {
        rpod.run(&["pause", "box"]).success();
        rpod.run(&["unpause", "box"]).success();
    }
    running.write("echo never\n");
    std::thread::sleep(Duration::from_millis(300));
    let shown = running.stdout_so_far();
    assert!(!shown.contains("Stopped"), "{shown}");
    rpod.run(&["rm", "-f", "box"]).success();
    drop(running);
}
