//! `logs`: what containers wrote, while they run and afterwards.

use crate::support::{Sandbox, eventually};

fn finished(script: &str) -> Sandbox {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "ll", "busybox", "sh", "-c", script]);
    rpod.run(&["wait", "ll"]).success();
    rpod
}

#[test]
fn logs_keeps_both_streams_apart_after_the_end() {
    let rpod = finished("echo out; echo err >&2; printf 'no newline'");
    let logs = rpod.run(&["logs", "ll"]);
    logs.success().stdout_is("out\nno newline");
    assert_eq!(logs.stderr(), "err\n");
    rpod.remove_all();
}

#[test]
fn logs_tail_shows_the_last_lines() {
    let rpod = finished("seq 1 100");
    rpod.run(&["logs", "--tail", "2", "ll"])
        .success()
        .stdout_is("99\n100\n");
    rpod.run(&["logs", "--tail", "0", "ll"])
        .success()
        .stdout_is("");
    let all = rpod
        .run(&["logs", "--tail", "all", "ll"])
        .success()
        .stdout();
    assert_eq!(all.lines().count(), 100);
    rpod.remove_all();
}

#[test]
fn logs_t_puts_the_time_before_each_line() {
    let rpod = finished("echo one; echo two");
    let logs = rpod.run(&["logs", "-t", "ll"]).success().stdout();
    let normal = crate::support::normalise::normalise(&logs);
    assert_eq!(normal, "<time> one\n<time> two\n");
    rpod.remove_all();
}

#[test]
fn logs_since_and_until_cut_by_time() {
    let rpod = finished("echo early; sleep 2; echo late");
    let logs = rpod.run(&["logs", "-t", "ll"]).success().stdout();
    let late = logs.lines().last().unwrap().split(' ').next().unwrap();
    rpod.run(&["logs", "--since", late, "ll"])
        .success()
        .stdout_is("late\n");
    rpod.run(&["logs", "--since", "1h", "ll"])
        .success()
        .stdout_is("early\nlate\n");
    rpod.run(&["logs", "--until", "1h", "ll"])
        .success()
        .stdout_is("");
    rpod.remove_all();
}

#[test]
fn logs_f_follows_to_the_end() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "echo first; while ! test -e /go; do sleep 0.05; done; echo last";
    rpod.start(&["--name", "ll", "busybox", "sh", "-c", script]);
    let mut follow = rpod.command(&["logs", "-f", "ll"]).spawn();
    follow.wait_for_stdout("first\n");
    rpod.run(&["exec", "ll", "touch", "/go"]).success();
    follow.wait().success().stdout_is("first\nlast\n");
    rpod.remove_all();
}

#[test]
fn logs_are_there_as_soon_as_the_program_wrote() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&[
        "--name",
        "ll",
        "busybox",
        "sh",
        "-c",
        "printf prompt; sleep 1000",
    ]);
    eventually("a line without its end", || {
        rpod.run(&["logs", "ll"]).success().stdout() == "prompt"
    });
    rpod.remove_all();
}

#[test]
fn logs_keep_long_lines_and_odd_bytes() {
    let rpod = finished("head -c 100000 /dev/zero | tr '\\0' x; echo; printf '\\377\\001\\n'");
    let logs = rpod.run(&["logs", "ll"]);
    let mut expected = vec![b'x'; 100_000];
    expected.extend(b"\n\xff\x01\n");
    assert!(logs.success().stdout_bytes() == expected, "bytes differ");
    rpod.remove_all();
}

#[test]
fn logs_tail_of_a_line_without_end_takes_no_memory() {
    let script = "echo first; busybox dd if=/dev/zero bs=1M count=64 2> /dev/null";
    let rpod = finished(script);
    let limit = ["prlimit", "--data=41943040"];
    let shown = |tail: &str| {
        let logs = rpod.command(&["logs", "-n", tail, "ll"]).inside(&limit);
        logs.run().success().stdout_bytes().len()
    };
    assert_eq!(shown("1"), 64 << 20);
    assert_eq!(shown("2"), (64 << 20) + "first\n".len());
    assert_eq!(shown("0"), 0);
    rpod.remove_all();
}
