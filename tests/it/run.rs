//! `run`: the program, its input, output, environment and exit code. What is
//! shared with other verbs (names, ports, volumes, users) has files of its own.

use crate::support::{Sandbox, free_port, http_get};

/// A sandbox where rpod has said already what it says once of a user with one id.
fn warned() -> Sandbox {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "busybox", "true"]).success();
    rpod
}

#[test]
fn run_prints_what_the_program_prints() {
    let rpod = warned();
    let ran = rpod.run(&["run", "--rm", "busybox", "echo", "Hello World"]);
    ran.success().stdout_is("Hello World\n");
    assert_eq!(ran.stderr(), "");
}

#[test]
fn run_keeps_stdout_and_stderr_apart() {
    let rpod = warned();
    let script = "echo out; echo err >&2";
    let ran = rpod.run(&["run", "--rm", "busybox", "sh", "-c", script]);
    ran.success().stdout_is("out\n");
    assert_eq!(ran.stderr(), "err\n");
}

#[test]
fn run_kubia_needs_no_image_and_answers_on_its_port() {
    let rpod = Sandbox::new();
    let port = free_port();
    let publish = format!("{port}:8080");
    let id = rpod.start(&["--name", "kubia-container", "-p", &publish, "kubia"]);
    let expected = format!(
        "Hey there, this is {}. Your IP is 172.17.0.1. \n",
        &id[..12]
    );
    assert_eq!(http_get(format!("127.0.0.1:{port}"), "/"), expected);
    let logs = rpod.run(&["logs", "kubia-container"]).success().stdout();
    let lines: Vec<_> = logs.lines().collect();
    let hostname = format!("Local hostname is {}", &id[..12]);
    assert_eq!(
        lines,
        [
            "Kubia server starting...",
            &hostname,
            "Listening on port 8080",
            "Received request for / from 172.17.0.1",
        ]
    );
    rpod.run(&["stop", "kubia-container"])
        .success()
        .stdout_is("kubia-container\n");
    rpod.remove_all();
}

#[test]
fn run_ends_with_the_code_of_the_program() {
    let rpod = Sandbox::with(&["busybox"]);
    for code in [0, 1, 42, 125, 255] {
        let script = format!("exit {code}");
        rpod.run(&["run", "--rm", "busybox", "sh", "-c", &script])
            .fails(code);
    }
}

#[test]
fn run_ends_with_127_when_the_program_is_not_there() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "busybox", "no-such-program"])
        .fails(127)
        .stderr_has("no-such-program");
    rpod.run(&["run", "--rm", "busybox", "/no/such/program"])
        .fails(127)
        .stderr_has("/no/such/program");
}

#[test]
fn run_ends_with_126_when_the_program_cannot_be_invoked() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "busybox", "/etc/passwd"])
        .fails(126)
        .stderr_has("/etc/passwd");
    rpod.run(&["run", "--rm", "busybox", "/etc"])
        .fails(126)
        .stderr_has("/etc");
}

#[test]
fn run_ends_with_125_when_rpod_itself_refuses() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "--no-such-flag", "busybox", "true"])
        .fails(125)
        .stderr_has("--no-such-flag");
    rpod.run(&["run", "--rm", "Busy Box", "true"]).refuses();
}

#[test]
fn run_ends_with_137_when_the_program_is_killed() {
    let rpod = Sandbox::with(&["busybox"]);
    // A container's first process ignores signals from inside; a child does not.
    let script = "sh -c 'kill -9 $$'; exit $?";
    rpod.run(&["run", "--rm", "busybox", "sh", "-c", script])
        .fails(137);
    rpod.start(&["--name", "victim", "busybox", "sleep", "1000"]);
    rpod.run(&["kill", "victim"]).success();
    rpod.run(&["wait", "victim"]).success().stdout_is("137\n");
    rpod.remove_all();
}

#[test]
fn run_sets_variables_of_the_environment() {
    let rpod = Sandbox::with(&["busybox"]);
    let file = rpod.write("variables", "# a remark\nFROM_FILE=a b\nPASSED\n\nEMPTY=\n");
    let words = ["run", "--rm", "-e", "ONE=1", "--env", "TWO=two words"];
    let mut words = words.to_vec();
    words.extend(["-e", "PASSED_ALONE", "-e", "NOT_THERE", "--env-file"]);
    words.extend([file.to_str().unwrap(), "busybox", "env"]);
    let ran = rpod
        .command(&words)
        .env("PASSED", "from outside")
        .env("PASSED_ALONE", "alone")
        .run();
    ran.success();
    let lines: Vec<_> = ran.stdout().lines().map(str::to_owned).collect();
    for expected in [
        "ONE=1",
        "TWO=two words",
        "PASSED_ALONE=alone",
        "FROM_FILE=a b",
        "PASSED=from outside",
        "EMPTY=",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected}\n{ran}"
        );
    }
    ran.stdout_lacks("NOT_THERE").stdout_lacks("XDG_");
    ran.stdout_has("HOME=/root").stdout_has("HOSTNAME=");
}

#[test]
fn run_starts_in_the_directory_that_was_asked_for_and_makes_it() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "-w", "/made/for/it", "busybox", "pwd"])
        .success()
        .stdout_is("/made/for/it\n");
    rpod.run(&["run", "--rm", "busybox", "pwd"])
        .success()
        .stdout_is("/\n");
}

#[test]
fn run_replaces_the_entrypoint() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm",
        "--entrypoint",
        "/bin/echo",
        "busybox",
        "a",
        "b",
    ])
    .success()
    .stdout_is("a b\n");
    // The image's command belongs to the image's entrypoint, and goes with it.
    rpod.run(&["run", "--rm", "--entrypoint", "/bin/echo", "busybox"])
        .success()
        .stdout_is("\n");
}

#[test]
fn run_names_the_host_after_the_container_or_as_told() {
    let rpod = Sandbox::with(&["busybox"]);
    let words = ["run", "--rm", "--hostname", "web.test", "busybox"];
    rpod.run(&[&words[..], &["sh", "-c", "hostname; cat /etc/hostname"]].concat())
        .success()
        .stdout_is("web.test\nweb.test\n");
    let id = rpod.start(&["busybox", "hostname"]);
    rpod.run(&["wait", &id]).success();
    let expected = format!("{}\n", &id[..12]);
    rpod.run(&["logs", &id]).success().stdout_is(&expected);
    rpod.remove_all();
}

#[test]
fn run_read_only_refuses_writes_outside_of_volumes() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "touch /x 2>/dev/null && echo wrote; touch /dev/shm/y && echo shm; \
                  touch /tmp/z && echo tmp";
    let words = ["run", "--rm", "--read-only", "--tmpfs", "/tmp", "busybox"];
    rpod.run(&[&words[..], &["sh", "-c", script]].concat())
        .success()
        .stdout_is("shm\ntmp\n");
}

#[test]
fn run_init_reaps_orphans_and_passes_signals_on() {
    let rpod = Sandbox::with(&["busybox"]);
    let words = ["run", "--rm", "--init", "busybox", "sh", "-c"];
    let script =
        "echo $$; (sleep 0.1 &) ; sleep 0.5; grep -l '^State:.Z' /proc/[0-9]*/status || echo none";
    let ran = rpod.run(&[&words[..], &[script]].concat());
    ran.success().stdout_lacks("1\n1").stdout_has("none");
    assert_ne!(ran.stdout().lines().next(), Some("1"));
    let mut running = rpod
        .command(&[
            "run",
            "--rm",
            "--init",
            "busybox",
            "sh",
            "-c",
            "echo up; sleep 1000",
        ])
        .spawn();
    running.wait_for_stdout("up");
    running.signal("TERM");
    running.wait().fails(143);
}

#[test]
fn run_without_init_gives_the_program_pid_1() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["run", "--rm", "busybox", "sh", "-c", "echo $$"])
        .success()
        .stdout_is("1\n");
}

#[test]
fn run_writes_the_id_to_a_file() {
    let rpod = Sandbox::with(&["busybox"]);
    let file = rpod.work().join("id");
    let id = rpod.start(&["--cidfile", file.to_str().unwrap(), "busybox", "true"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), id);
    let words = [
        "run",
        "--cidfile",
        file.to_str().unwrap(),
        "busybox",
        "true",
    ];
    rpod.run(&words).refuses().stderr_has("id");
    rpod.remove_all();
}

#[test]
fn run_rm_leaves_nothing() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run", "--rm", "-v", "/data", "busybox", "touch", "/data/x", "/y",
    ])
    .success();
    rpod.run(&["ps", "-aq"]).success().stdout_is("");
    rpod.run(&["volume", "ls", "-q"]).success().stdout_is("");
    for noun in ["containers", "names"] {
        let entries = std::fs::read_dir(rpod.store().join(noun));
        let left: Vec<_> = entries.into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "{noun}: {left:?}");
    }
}

#[test]
fn run_gives_its_input_to_the_program_when_asked() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.command(&["run", "--rm", "-i", "busybox", "cat"])
        .stdin("one\ntwo")
        .run()
        .success()
        .stdout_is("one\ntwo");
    rpod.command(&["run", "--rm", "busybox", "cat"])
        .stdin("not for it")
        .run()
        .success()
        .stdout_is("");
}

#[test]
fn run_passes_megabytes_both_ways_unchanged() {
    let rpod = Sandbox::with(&["busybox"]);
    let bytes: Vec<u8> = (0..4_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let ran = rpod
        .command(&["run", "--rm", "-i", "busybox", "cat"])
        .stdin(bytes.clone())
        .run();
    assert!(ran.success().stdout_bytes() == bytes, "bytes differ");
}

#[test]
fn run_t_gives_the_program_a_terminal() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.command(&["run", "--rm", "-t", "busybox", "tty"])
        .spawn_on_terminal()
        .wait()
        .success()
        .stdout_has("/dev/pts/0");
    rpod.run(&["run", "--rm", "busybox", "tty"])
        .fails(1)
        .stdout_has("not a tty");
}

#[test]
fn run_it_is_a_conversation_at_the_users_own_size() {
    let rpod = Sandbox::with(&["busybox"]);
    let mut shell = rpod
        .command(&["run", "--rm", "-it", "busybox", "sh"])
        .spawn_on_terminal();
    shell.write("stty size; echo sum-$((20 + 22))\n");
    shell.wait_for_stdout("24 80").wait_for_stdout("sum-42");
    shell.write("exit 7\n");
    shell.wait().fails(7);
}

#[test]
fn run_it_ctrl_c_reaches_the_program() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done";
    let mut running = rpod
        .command(&["run", "--rm", "-it", "busybox", "sh", "-c", script])
        .spawn_on_terminal();
    running.wait_for_stdout("ready");
    running.write("\x03");
    running.wait().fails(3).stdout_has("caught");
}

#[test]
fn run_it_detaches_by_keys_and_the_container_lives_on() {
    let rpod = Sandbox::with(&["busybox"]);
    let mut running = rpod
        .command(&[
            "run",
            "--name",
            "left",
            "-it",
            "busybox",
            "sh",
            "-c",
            "echo ready; sleep 1000",
        ])
        .spawn_on_terminal();
    running.wait_for_stdout("ready");
    running.write("\x10\x11");
    running.wait().success();
    assert_eq!(rpod.inspect("left", "{{.State.Running}}"), "true");
    rpod.remove_all();
}

#[test]
fn run_passes_signals_to_the_program() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "trap 'echo got-term; exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let mut running = rpod
        .command(&["run", "--rm", "busybox", "sh", "-c", script])
        .spawn();
    running.wait_for_stdout("ready");
    running.signal("TERM");
    running.wait().fails(9).stdout_has("got-term");
}

#[test]
fn run_d_prints_the_id_and_lets_go_of_its_output() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = rpod.start(&["busybox", "sleep", "1000"]);
    assert_eq!(rpod.inspect(&id, "{{.State.Status}}"), "running");
    rpod.remove_all();
}

#[test]
fn run_program_sees_only_its_own_processes_and_its_own_proc() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "ls -d /proc/[0-9]* | wc -l; cat /proc/self/mountinfo | grep -c /var/tmp";
    let ran = rpod.run(&["run", "--rm", "busybox", "sh", "-c", script]);
    let count: u32 = ran.stdout().lines().next().unwrap_or("99").parse().unwrap();
    assert!(count <= 4, "{ran}");
}

#[test]
fn run_has_the_devices_programs_expect() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "set -e; for d in null zero full random urandom tty ptmx; do test -e /dev/$d; done; \
                  echo x > /dev/null; head -c 3 /dev/zero | wc -c; test -d /dev/shm; \
                  test -L /dev/stdout; echo to-stdout > /dev/stdout; test -e /dev/mqueue";
    rpod.run(&["run", "--rm", "busybox", "sh", "-c", script])
        .success()
        .stdout_is("3\nto-stdout\n");
}

#[test]
fn run_keeps_dangerous_parts_of_proc_and_sys_away() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "cat /proc/kcore 2>/dev/null | head -c 1 | wc -c; \
                  echo x > /proc/sysrq-trigger 2>/dev/null || echo refused; \
                  echo 1 > /sys/kernel/x 2>/dev/null || echo refused; \
                  mount -t tmpfs x /mnt 2>/dev/null || echo refused";
    rpod.run(&["run", "--rm", "busybox", "sh", "-c", script])
        .success()
        .stdout_is("0\nrefused\nrefused\nrefused\n");
}

#[test]
fn run_drops_capabilities_and_forbids_new_ones() {
    let rpod = Sandbox::with(&["busybox"]);
    let read = |flags: &[&str]| {
        let script = "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status | tr -d '\\t'";
        let words = [&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat();
        rpod.run(&words).success().stdout()
    };
    let usual = read(&[]);
    assert!(
        usual.contains("CapEff:00000000800405fb") || usual.contains("CapEff:00000000a80425fb"),
        "{usual}"
    );
    assert!(read(&["--cap-drop", "all"]).contains("CapEff:0000000000000000"));
    let hardened = read(&["--security-opt", "no-new-privileges"]);
    assert!(hardened.contains("NoNewPrivs:1"), "{hardened}");
}

#[test]
fn run_pull_never_says_that_the_image_is_missing() {
    let rpod = Sandbox::new();
    rpod.run(&["run", "--rm", "--pull", "never", "nowhere", "true"])
        .refuses()
        .stderr_has("nowhere");
}
