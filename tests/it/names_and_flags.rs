//! What may be typed: flags and their places, names and their conflicts, and what
//! is said about mistakes. What a flag does is in its theme's file.

use crate::support::Sandbox;

#[test]
fn flags_after_the_image_belong_to_the_program() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run", "--rm", "busybox", "echo", "--rm", "-it", "--name", "x",
    ])
    .success()
    .stdout_is("--rm -it --name x\n");
    rpod.run(&[
        "run",
        "--rm",
        "--entrypoint",
        "echo",
        "busybox",
        "-H",
        "--help",
    ])
    .success()
    .stdout_is("-H --help\n");
}

#[test]
fn short_flags_join_and_values_may_touch() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.command(&[
        "run",
        "--rm",
        "-ieA=1",
        "-w/tmp",
        "busybox",
        "sh",
        "-c",
        "cat; echo $A; pwd",
    ])
    .stdin("in\n")
    .run()
    .success()
    .stdout_is("in\n1\n/tmp\n");
}

#[test]
fn boolean_flags_take_a_value() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm=true",
        "--init=false",
        "busybox",
        "sh",
        "-c",
        "echo $$",
    ])
    .success()
    .stdout_is("1\n");
    rpod.run(&["ps", "-aq"]).success().stdout_is("");
}

#[test]
fn management_forms_are_the_short_forms() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["container", "run", "--name", "cc", "busybox", "true"])
        .success();
    rpod.run(&["container", "ls", "-a", "-q"]).success();
    rpod.run(&["container", "inspect", "cc"]).success();
    rpod.run(&["image", "ls"]).success().stdout_has("busybox");
    rpod.run(&["container", "rm", "-v", "cc"])
        .success()
        .stdout_is("cc\n");
    rpod.run(&["image", "remove", "busybox"])
        .success()
        .stdout_has("Untagged");
}

#[test]
fn called_docker_it_is_the_same() {
    let rpod = Sandbox::new();
    let link = rpod.work().join("docker");
    std::os::unix::fs::symlink(rpod.program(), &link).unwrap();
    rpod.other(link.to_str().unwrap(), &["ps", "-aq"])
        .run()
        .success()
        .stdout_is("");
}

#[test]
fn a_name_is_taken_once_and_the_refusal_names_the_holder() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = rpod
        .run(&["create", "--name", "web", "busybox", "true"])
        .success()
        .line();
    rpod.run(&["run", "--name", "web", "busybox", "true"])
        .refuses()
        .stderr_has("\"web\"")
        .stderr_has(&id[..12])
        .stderr_has("rpod rm");
    let all = rpod.run(&["ps", "-aq"]).success().stdout();
    assert_eq!(all.lines().count(), 1, "the refused one left nothing");
    rpod.remove_all();
}

#[test]
fn names_have_rules() {
    let rpod = Sandbox::with(&["busybox"]);
    for name in ["-a", "a/b", "a b", "é", "../x"] {
        rpod.run(&["create", &format!("--name={name}"), "busybox", "true"])
            .refuses();
    }
    for name in ["ab", "A_b-c.9", "0x"] {
        rpod.run(&["create", "--name", name, "busybox", "true"])
            .success();
    }
    rpod.remove_all();
}

#[test]
fn without_a_name_one_is_given() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = rpod.run(&["create", "busybox", "true"]).success().line();
    let name = rpod.inspect(&id, "{{.Name}}");
    assert!(
        name.len() > 4 && name.starts_with('/') && name.contains('_'),
        "{name}"
    );
    rpod.run(&["rm", &name[1..]]).success();
}

#[test]
fn a_container_answers_to_a_short_id_that_is_its_alone() {
    let rpod = Sandbox::with(&["busybox"]);
    let id = rpod.run(&["create", "busybox", "true"]).success().line();
    for length in [64, 12, 8] {
        assert_eq!(rpod.inspect(&id[..length], "{{.Id}}"), id);
    }
    rpod.remove_all();
}

#[test]
fn mistakes_are_met_with_the_nearest_word() {
    let rpod = Sandbox::new();
    rpod.run(&["imags"]).refuses().stderr_has("images");
    rpod.run(&["run", "--nane", "x", "busybox"])
        .refuses()
        .stderr_has("--name");
    rpod.run(&["rm"]).refuses();
    rpod.run(&["run"]).refuses();
}

#[test]
fn help_is_on_stdout_and_succeeds() {
    let rpod = Sandbox::new();
    rpod.run(&["--help"]).success().stdout_has("run");
    rpod.run(&["run", "--help"])
        .success()
        .stdout_has("--publish");
    rpod.run(&["help", "run"]).success().stdout_has("--publish");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let rpod = Sandbox::with(&["busybox"]);
    let script = "\"$@\" | true; test \"${PIPESTATUS[0]}\" -ne 101";
    let program = rpod.program().to_str().unwrap();
    rpod.other("bash", &["-c", script, "bash", program, "images"])
        .run()
        .success()
        .stderr_lacks("panic")
        .stderr_lacks("Broken pipe");
}

#[test]
fn completion_prints_a_script_for_each_shell() {
    let rpod = Sandbox::new();
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef rpod"),
        ("fish", "complete -c rpod"),
    ] {
        rpod.run(&["completion", shell]).success().stdout_has(sign);
    }
    rpod.run(&["completion", "tcsh"]).refuses();
}
