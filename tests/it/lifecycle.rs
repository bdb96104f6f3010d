//! A container's life: `create`, `start`, `stop`, `kill`, `restart`, `wait`, `rm`,
//! `ps`, `rename`, `pause`, restart policies. What it printed is in `logs`.

use crate::support::normalise::normalise;
use crate::support::{Sandbox, eventually};

#[test]
fn create_start_wait_is_run_in_steps() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = rpod
        .run(&[
            "create",
            "--name",
            "steps",
            "busybox",
            "sh",
            "-c",
            "echo done; exit 5",
        ])
        .success()
        .line();
    assert_eq!(id.len(), 64);
    assert_eq!(rpod.inspect("steps", "{{.State.Status}}"), "created");
    rpod.run(&["start", "steps"]).success().stdout_is("steps\n");
    rpod.run(&["wait", "steps"]).success().stdout_is("5\n");
    assert_eq!(
        rpod.inspect("steps", "{{.State.Status}} {{.State.ExitCode}}"),
        "exited 5"
    );
    rpod.remove_all();
}

#[test]
fn start_keeps_id_and_files() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "echo again >> /count; cat /count | wc -l";
    let id = rpod.start(&["--name", "again", "busybox", "sh", "-c", script]);
    rpod.run(&["wait", "again"]).success();
    rpod.run(&["start", "-a", "again"])
        .success()
        .stdout_is("2\n");
    assert_eq!(rpod.inspect("again", "{{.Id}}"), id);
    rpod.remove_all();
}

#[test]
fn start_a_i_gives_input_and_ends_with_the_programs_code() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "create",
        "-i",
        "--name",
        "talk",
        "busybox",
        "sh",
        "-c",
        "cat; exit 4",
    ])
    .success();
    rpod.command(&["start", "-ai", "talk"])
        .stdin("hello")
        .run()
        .fails(4)
        .stdout_is("hello");
    rpod.remove_all();
}

#[test]
fn start_of_a_running_container_is_no_error() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "up", "busybox", "sleep", "1000"]);
    rpod.run(&["start", "up"]).success().stdout_is("up\n");
    rpod.remove_all();
}

#[test]
fn stop_asks_first_and_kills_after_the_grace_period() {
    let rpod = Sandbox::with(&["busybox"]);
    let polite = "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done";
    rpod.start(&["--name", "polite", "busybox", "sh", "-c", polite]);
    let stubborn = "trap '' TERM; while :; do sleep 0.1; done";
    rpod.start(&["--name", "stubborn", "busybox", "sh", "-c", stubborn]);
    rpod.run(&["stop", "polite"])
        .success()
        .stdout_is("polite\n");
    let stopped = rpod.run(&["stop", "-t", "1", "stubborn"]);
    stopped.success();
    assert!(stopped.took.as_millis() >= 900, "{stopped}");
    assert_eq!(rpod.inspect("polite", "{{.State.ExitCode}}"), "0");
    assert_eq!(rpod.inspect("stubborn", "{{.State.ExitCode}}"), "137");
    rpod.run(&["stop", "polite"]).success();
    rpod.remove_all();
}

#[test]
fn stop_uses_the_signal_asked_for() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "trap 'exit 33' QUIT; while :; do sleep 0.1; done";
    rpod.start(&[
        "--name",
        "quit",
        "--stop-signal",
        "SIGQUIT",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    rpod.run(&["stop", "quit"]).success();
    assert_eq!(rpod.inspect("quit", "{{.State.ExitCode}}"), "33");
    rpod.remove_all();
}

#[test]
fn kill_sends_any_signal() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "trap 'echo hup' HUP; echo ready; while :; do sleep 0.1; done";
    rpod.start(&["--name", "kk", "busybox", "sh", "-c", script]);
    let logs = || rpod.run(&["logs", "kk"]).success().stdout();
    eventually("the trap is set", || logs().contains("ready"));
    rpod.run(&["kill", "-s", "HUP", "kk"])
        .success()
        .stdout_is("kk\n");
    eventually("the signal arrives", || logs().contains("hup"));
    rpod.run(&["kill", "--signal", "9", "kk"]).success();
    rpod.run(&["wait", "kk"]).success().stdout_is("137\n");
    rpod.run(&["kill", "kk"])
        .refuses()
        .stderr_has("not running");
    rpod.remove_all();
}

#[test]
fn restart_starts_it_anew() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&[
        "--name",
        "rr",
        "busybox",
        "sh",
        "-c",
        "echo up; exec sleep 1000",
    ]);
    let pid = rpod.inspect("rr", "{{.State.Pid}}");
    rpod.run(&["restart", "-t", "0", "rr"])
        .success()
        .stdout_is("rr\n");
    assert_ne!(rpod.inspect("rr", "{{.State.Pid}}"), pid);
    assert_eq!(rpod.inspect("rr", "{{.State.Running}}"), "true");
    rpod.remove_all();
}

#[test]
fn wait_returns_when_it_ends() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "ww", "busybox", "sh", "-c", "sleep 1; exit 3"]);
    rpod.run(&["wait", "ww", "ww"])
        .success()
        .stdout_is("3\n3\n");
    rpod.remove_all();
}

#[test]
fn rm_refuses_a_running_container_and_f_kills_it() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "busy", "busybox", "sleep", "1000"]);
    let refused = rpod.run(&["rm", "busy"]);
    assert_ne!(refused.code, Some(0));
    refused.stderr_has("busy").stderr_has("running");
    rpod.run(&["rm", "-f", "busy"])
        .success()
        .stdout_is("busy\n");
    rpod.run(&["ps", "-aq"]).success().stdout_is("");
}

#[test]
fn rm_takes_flags_after_operands_and_says_what_is_not_there() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "one", "busybox", "sleep", "1000"]);
    rpod.start(&["--name", "two", "-v", "/data", "busybox", "sleep", "1000"]);
    rpod.run(&["rm", "one", "two", "-f", "-v"])
        .success()
        .stdout_is("one\ntwo\n");
    rpod.run(&["volume", "ls", "-q"]).success().stdout_is("");
    let missing = rpod.run(&["rm", "one"]);
    assert_ne!(missing.code, Some(0));
    missing.stderr_has("one");
    rpod.run(&["rm", "-f", "one"]).success();
}

#[test]
fn commands_on_many_do_the_rest_when_one_fails() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["create", "--name", "there", "busybox", "true"])
        .success();
    let removed = rpod.run(&["rm", "missing", "there"]);
    assert_ne!(removed.code, Some(0));
    removed.stdout_is("there\n").stderr_has("missing");
}

#[test]
fn ps_shows_what_runs_and_a_what_there_is() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = rpod.start(&[
        "--name",
        "up",
        "-p",
        "127.0.0.1::80",
        "busybox",
        "sleep",
        "1000",
    ]);
    rpod.start(&[
        "--name",
        "down",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "exit 2",
    ]);
    rpod.run(&["wait", "down"]).success();
    let shown = rpod.run(&["ps"]).success().stdout();
    let columns = [
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ];
    let header: Vec<_> = shown
        .lines()
        .next()
        .unwrap()
        .split("   ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(header, columns);
    assert_eq!(shown.lines().count(), 2);
    let row = shown.lines().nth(1).unwrap();
    for part in [
        &id[..12],
        "busybox",
        "\"sleep 1000\"",
        "Up ",
        "127.0.0.1:",
        "->80/tcp",
        "up",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
    let all = rpod.run(&["ps", "-a"]).success().stdout();
    assert_eq!(all.lines().count(), 3);
    assert!(all.contains("Exited (2) "), "{all}");
    rpod.run(&["ps", "-q"])
        .success()
        .stdout_is(&format!("{}\n", &id[..12]));
    let long = rpod.run(&["ps", "-q", "--no-trunc"]).success().line();
    assert_eq!(long, id);
    rpod.remove_all();
}

#[test]
fn ps_filters_and_formats() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&[
        "--name", "a1", "--label", "tier=web", "busybox", "sleep", "1000",
    ]);
    rpod.run(&["create", "--name", "a2", "busybox", "true"])
        .success();
    let names = |filter: &str| {
        rpod.run(&["ps", "-a", "--filter", filter, "--format", "{{.Names}}"])
            .success()
            .stdout()
    };
    assert_eq!(names("name=a1"), "a1\n");
    assert_eq!(names("status=created"), "a2\n");
    assert_eq!(names("label=tier=web"), "a1\n");
    rpod.remove_all();
}

#[test]
fn ps_of_an_empty_store_is_a_header() {
    let rpod = Sandbox::new();
    let shown = rpod.run(&["ps", "-a"]).success().stdout();
    assert_eq!(normalise(&shown).lines().count(), 1);
    assert!(shown.starts_with("CONTAINER ID"));
}

#[test]
fn rename_gives_the_name_and_frees_the_old_one() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = rpod
        .run(&["create", "--name", "old", "busybox", "true"])
        .success()
        .line();
    rpod.run(&["rename", "old", "new"]).success();
    assert_eq!(rpod.inspect("new", "{{.Id}}"), id);
    assert_eq!(rpod.inspect("new", "{{.Name}}"), "/new");
    rpod.run(&["create", "--name", "old", "busybox", "true"])
        .success();
    rpod.run(&["rename", "old", "new"])
        .refuses()
        .stderr_has("new");
    rpod.remove_all();
}

#[test]
fn the_end_of_the_first_process_ends_all_others() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "sleep 1000 & sleep 1000 & exit 6",
    ])
    .fails(6);
}

#[test]
fn restart_policy_starts_it_again_until_it_is_stopped() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&[
        "--name",
        "pp",
        "--restart",
        "on-failure:2",
        "busybox",
        "sh",
        "-c",
        "echo try; exit 1",
    ]);
    eventually("three tries", || {
        rpod.run(&["logs", "pp"]).stdout().matches("try").count() == 3
            && rpod.inspect("pp", "{{.State.Status}}") == "exited"
    });
    assert_eq!(rpod.inspect("pp", "{{.RestartCount}}"), "2");
    rpod.start(&[
        "--name",
        "always",
        "--restart=always",
        "busybox",
        "sh",
        "-c",
        "echo on; sleep 0.2",
    ]);
    eventually("it comes back", || {
        rpod.run(&["logs", "always"]).stdout().matches("on").count() >= 2
    });
    rpod.run(&["stop", "-t", "1", "always"]).success();
    assert_eq!(rpod.inspect("always", "{{.State.Running}}"), "false");
    rpod.remove_all();
}

#[test]
fn version_and_info_tell_about_rpod_and_the_machine() {
    let rpod = Sandbox::new();
    rpod.run(&["--version"])
        .success()
        .stdout_has("rpod version");
    rpod.run(&["version"]).success().stdout_has("Version");
    let info = rpod.run(&["info"]);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    info.success()
        .stdout_has(kernel.trim())
        .stdout_has("overlay");
}

#[test]
fn what_a_container_among_the_machines_processes_leaves_behind_ends_with_it() {
    let rpod = Sandbox::with(&["busybox"]);
    // Nobody else sleeps so long.
    let mark = format!("sleep {}", 1_000_000 + std::process::id());
    let left = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = all.filter_map(|one| std::fs::read(one.path().join("cmdline")).ok());
        let text = |line: Vec<u8>| String::from_utf8_lossy(&line).replace('\0', " ");
        lines
            .filter(|line| text(line.clone()).trim_end() == mark)
            .count()
    };
    let script = format!("{mark} & exit 3");
    let words = [
        "run", "--name", "one", "--pid", "host", "busybox", "sh", "-c", &script,
    ];
    rpod.run(&words).fails(3);
    assert_eq!(left(), 0, "after its end");
    let script = format!("{mark} & {mark}");
    let words = [
        "run", "-d", "--name", "two", "--pid", "host", "busybox", "sh", "-c", &script,
    ];
    rpod.run(&words).success();
    crate::support::eventually("it runs", || left() == 2);
    rpod.run(&["stop", "-t", "0", "two"]).success();
    assert_eq!(left(), 0, "after it was stopped");
    rpod.run(&["rm", "one", "two"]).success();
}

#[test]
fn rm_deletes_directories_deeper_than_descriptors_reach() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "n=0; while [ $n -lt 2000 ] && mkdir d && cd d; do n=$((n + 1)); done; echo $n";
    let words = ["run", "--name", "deep", "busybox", "sh", "-c", script];
    rpod.run(&words).success().stdout_is("2000\n");
    let few = ["prlimit", "--nofile=256:256"];
    let removed = rpod.command(&["rm", "deep"]).inside(&few).run();
    removed.success();
    eventually("its files have gone", || rpod.staged().is_empty());
}

#[test]
fn a_signal_between_two_runs_stops_no_restarts() {
    let rpod = Sandbox::with(&["busybox"]);
    let words = [
        "run",
        "-d",
        "--name",
        "again",
        "--restart",
        "always",
        "busybox",
        "false",
    ];
    rpod.run(&words).success();
    let status = || rpod.inspect("again", "{{.State.Status}}");
    let restarts = || {
        rpod.inspect("again", "{{.RestartCount}}")
            .parse::<u32>()
            .unwrap()
    };
    // By then it waits for more than a second.
    eventually("it was started again", || {
        restarts() >= 4 && status() == "restarting"
    });
    rpod.run(&["kill", "-s", "USR1", "again"])
        .refuses()
        .stderr_has("waits to be started again");
    let before = restarts();
    eventually("it is started again", || restarts() > before);
    rpod.run(&["kill", "again"]).success();
    eventually("it has ended", || status() == "exited");
    rpod.run(&["rm", "again"]).success();
}
