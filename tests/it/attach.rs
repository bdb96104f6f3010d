//! `attach`: a terminal or pipes on a container's own program.

use crate::support::Sandbox;

#[test]
fn attach_shows_output_and_returns_the_code() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "read line; echo got-$line; exit 12";
    rpod.start(&["-i", "--name", "att", "busybox", "sh", "-c", script]);
    rpod.command(&["attach", "att"])
        .stdin("word\n")
        .run()
        .fails(12)
        .stdout_has("got-word");
    rpod.remove_all();
}

#[test]
fn attach_by_two_shows_both() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "while :; do echo tick; sleep 0.1; done";
    rpod.start(&["--name", "att", "busybox", "sh", "-c", script]);
    let mut one = rpod.command(&["attach", "--no-stdin", "att"]).spawn();
    let mut two = rpod.command(&["attach", "--no-stdin", "att"]).spawn();
    one.wait_for_stdout("tick");
    two.wait_for_stdout("tick");
    rpod.run(&["kill", "att"]).success();
    one.wait().fails(137);
    two.wait().fails(137);
    rpod.remove_all();
}

#[test]
fn attach_on_a_terminal_detaches_by_keys() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["-it", "--name", "att", "busybox", "sh"]);
    let mut shell = rpod.command(&["attach", "att"]).spawn_on_terminal();
    shell.write("echo sum-$((40 + 2))\n");
    shell.wait_for_stdout("sum-42");
    shell.write("\x10\x11");
    shell.wait().success();
    assert_eq!(rpod.inspect("att", "{{.State.Running}}"), "true");
    rpod.remove_all();
}
