//! `exec`: commands in a running container.

use crate::support::{Sandbox, eventually};

fn running() -> Sandbox {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&[
        "--name", "box", "-e", "FROM=run", "busybox", "sleep", "1000",
    ]);
    rpod
}

#[test]
fn exec_runs_beside_the_program_and_returns_its_code() {
    let rpod = running();
    let shown = rpod.run(&["exec", "box", "ps"]);
    shown.success().stdout_has("sleep 1000");
    rpod.run(&["exec", "box", "sh", "-c", "exit 11"]).fails(11);
    rpod.run(&["exec", "box", "no-such-program"]).fails(127);
    rpod.run(&["exec", "box", "/etc/passwd"]).fails(126);
    rpod.remove_all();
}

#[test]
fn exec_takes_environment_directory_and_user() {
    let rpod = running();
    let script = "echo $FROM $OWN; pwd; id -u; id -g";
    rpod.run(&[
        "exec", "-e", "OWN=exec", "-w", "/tmp", "box", "sh", "-c", script,
    ])
    .success()
    .stdout_is("run exec\n/tmp\n0\n0\n");
    rpod.remove_all();
}

#[test]
fn exec_i_passes_input() {
    let rpod = running();
    rpod.command(&["exec", "-i", "box", "cat"])
        .stdin("through")
        .run()
        .success()
        .stdout_is("through");
    rpod.command(&["exec", "box", "cat"])
        .stdin("not")
        .run()
        .success()
        .stdout_is("");
    rpod.remove_all();
}

#[test]
fn exec_it_is_a_conversation() {
    let rpod = running();
    let mut shell = rpod
        .command(&["exec", "-it", "box", "sh"])
        .spawn_on_terminal();
    shell.write("tty; stty size; echo is-$((1 + 1))\n");
    shell
        .wait_for_stdout("/dev/pts/")
        .wait_for_stdout("24 80")
        .wait_for_stdout("is-2");
    shell.write("exit 8\n");
    shell.wait().fails(8);
    rpod.remove_all();
}

#[test]
fn exec_d_goes_on_alone() {
    let rpod = running();
    rpod.run(&["exec", "-d", "box", "sh", "-c", "sleep 0.3; touch /done"])
        .success();
    eventually("the command ran", || {
        rpod.run(&["exec", "box", "test", "-e", "/done"]).code == Some(0)
    });
    rpod.remove_all();
}

#[test]
fn exec_sees_the_containers_own_network_files_and_limits() {
    let rpod = running();
    let inside = rpod.run(&["exec", "box", "hostname"]).success().line();
    assert!(rpod.inspect("box", "{{.Id}}").starts_with(&inside));
    let caps = "grep CapEff /proc/self/status";
    let from_exec = rpod
        .run(&["exec", "box", "sh", "-c", caps])
        .success()
        .stdout();
    let from_run = rpod
        .run(&["run", "--rm", "busybox", "sh", "-c", caps])
        .success()
        .stdout();
    assert_eq!(from_exec, from_run);
    rpod.remove_all();
}

#[test]
fn exec_ends_with_the_container() {
    let rpod = running();
    let mut long = rpod
        .command(&["exec", "box", "sh", "-c", "echo on; sleep 1000"])
        .spawn();
    long.wait_for_stdout("on");
    rpod.run(&["kill", "box"]).success();
    long.wait().fails(137);
    rpod.remove_all();
}

#[test]
fn exec_refuses_a_container_that_does_not_run_and_says_how_to_start_it() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["create", "--name", "idle", "busybox", "true"])
        .success();
    rpod.run(&["exec", "idle", "true"])
        .refuses()
        .stderr_has("idle")
        .stderr_has("never started")
        .stderr_has("rpod start idle");
    rpod.run(&["exec", "missing", "true"])
        .refuses()
        .stderr_has("missing");
    rpod.remove_all();
}
