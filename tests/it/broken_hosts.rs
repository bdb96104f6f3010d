//! Machines that lack or forbid something: what still works, and what is said.

use std::os::unix::fs::PermissionsExt;

use crate::require;
use crate::support::{Sandbox, eventually, probe};

/// What could not be deleted where namespaces are forbidden, the next one deletes.
fn leaves_nothing(rpod: &Sandbox) {
    rpod.run(&["ps", "-aq"]).success().stdout_is("");
    rpod.run(&["run", "--rm", "busybox", "true"]).success();
    eventually("it is swept", || rpod.staged().is_empty());
}

/// `run` works with this as `XDG_RUNTIME_DIR`: rpod needs none.
fn works_without(rpod: &Sandbox, runtime: Option<&str>) {
    let command = rpod.command(&["run", "--rm", "busybox", "echo", "works"]);
    let command = match runtime {
        Some(path) => command.env("XDG_RUNTIME_DIR", path),
        None => command.env_remove("XDG_RUNTIME_DIR"),
    };
    command.run().success().stdout_is("works\n");
}

#[test]
fn without_a_runtime_directory_it_works() {
    let rpod = Sandbox::with(&["busybox"]);
    works_without(&rpod, None);
    works_without(&rpod, Some(""));
    works_without(&rpod, Some("relative"));
    works_without(&rpod, Some("/no/such/directory"));
}

#[test]
fn a_runtime_directory_that_others_may_change_is_passed_over() {
    let rpod = Sandbox::with(&["busybox"]);
    let shared = rpod.work().join("shared");
    std::fs::create_dir(&shared).unwrap();
    for mode in [0o777, 0o1777, 0o720] {
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(mode)).unwrap();
        works_without(&rpod, shared.to_str());
        let entries = std::fs::read_dir(&shared).unwrap().count();
        assert_eq!(
            entries, 0,
            "put something into a directory of mode {mode:o}"
        );
    }
}

#[test]
fn a_runtime_directory_of_someone_else_is_passed_over() {
    require!(!probe::is_root(), "root may write anywhere");
    let rpod = Sandbox::with(&["busybox"]);
    works_without(&rpod, Some("/etc"));
}

#[test]
fn the_runtime_directory_may_vanish_while_containers_run() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "up", "busybox", "sleep", "1000"]);
    std::fs::remove_dir_all(rpod.runtime()).unwrap();
    std::fs::create_dir(rpod.runtime()).unwrap();
    std::fs::set_permissions(rpod.runtime(), std::fs::Permissions::from_mode(0o700)).unwrap();
    rpod.run(&["ps", "-q"])
        .success()
        .stdout_has(&rpod.inspect("up", "{{.Id}}")[..12]);
    rpod.run(&["exec", "up", "true"]).success();
    rpod.run(&["stop", "-t", "0", "up"]).success();
    rpod.remove_all();
}

#[test]
fn a_read_only_home_is_named() {
    require!(!probe::is_root(), "root may write anywhere");
    let rpod = Sandbox::new();
    let mode = |mode| std::fs::set_permissions(rpod.home(), std::fs::Permissions::from_mode(mode));
    mode(0o500).unwrap();
    let home = rpod.home();
    let ran = rpod.run(&["run", "--rm", "kubia"]);
    mode(0o700).unwrap();
    ran.refuses().stderr_has(home.to_str().unwrap());
    assert!(!ran.stderr().contains("Os {"), "{ran}");
}

#[test]
fn without_a_home_the_message_says_what_to_set() {
    let rpod = Sandbox::new();
    let ran = rpod
        .command(&["ps"])
        .env_remove("HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .run();
    // The user's entry in /etc/passwd may serve as well.
    if ran.code != Some(0) {
        ran.refuses().stderr_has("HOME");
    }
}

#[test]
fn without_newuidmap_a_single_id_is_enough() {
    let rpod = Sandbox::with(&["busybox"]);
    let tools = rpod.work().join("bin");
    std::fs::create_dir(&tools).unwrap();
    rpod.command(&["run", "--rm", "busybox", "id", "-u"])
        .env("PATH", &tools)
        .run()
        .success()
        .stdout_is("0\n");
}

#[test]
fn an_empty_environment_is_enough_to_say_so() {
    let rpod = Sandbox::new();
    rpod.other(
        "env",
        &["-i", rpod.program().to_str().unwrap(), "--version"],
    )
    .run()
    .success()
    .stdout_has("rpod version");
}

#[test]
fn where_user_namespaces_are_forbidden_the_reason_and_the_remedy_are_told() {
    require!(
        probe::user_namespaces(),
        "user namespaces are forbidden here altogether"
    );
    let rpod = Sandbox::with(&["busybox"]);
    let script = "echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"";
    let ran = rpod
        .command(&["run", "--rm", "busybox", "true"])
        .under(&["unshare", "-Urm", "--mount-proc", "-pf"], script)
        .run();
    ran.refuses()
        .stderr_has("user namespace")
        .stderr_has("max_user_namespaces");
    leaves_nothing(&rpod);
}

#[test]
fn in_a_container_already_it_works() {
    require!(probe::user_namespaces(), "user namespaces are forbidden");
    let rpod = Sandbox::with(&["busybox"]);
    rpod.command(&[
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "echo",
        "nested",
    ])
    .inside(&["unshare", "-Urm", "--propagation", "private"])
    .run()
    .success()
    .stdout_is("nested\n");
}

#[test]
fn a_full_disk_is_named_and_nothing_half_done_is_left() {
    require!(probe::user_namespaces(), "user namespaces are forbidden");
    let rpod = Sandbox::new();
    let archive = crate::support::image::built("busybox");
    let program = rpod.program().to_str().unwrap();
    // All in one small file system: first full, then not.
    let script = r#"
        mount -t tmpfs -o size=64m,mode=700 tmpfs "$HOME"
        head -c 65600000 /dev/zero > "$HOME/filler"
        "$RPOD" load -i "$ARCHIVE" && exit 90
        echo "code $?"
        "$RPOD" images -q
        ls -A "$HOME/.local/share/rpod/tmp"
        rm "$HOME/filler"
        "$RPOD" load -q -i "$ARCHIVE"
        "$RPOD" run --rm --network none busybox echo recovered
    "#;
    let ran = rpod
        .other("unshare", &["-Urm", "sh", "-c", script])
        .env("RPOD", program)
        .env("ARCHIVE", &archive)
        .run();
    ran.success()
        .stdout_has("code 1")
        .stdout_has("recovered")
        .stderr_has("no space left");
    let before = ran.stdout();
    let before = before.split("Loaded").next().unwrap();
    assert_eq!(before.trim(), "code 1", "{ran}");
}

#[test]
fn without_tun_containers_still_run() {
    require!(probe::user_namespaces(), "user namespaces are forbidden");
    let rpod = Sandbox::with(&["busybox"]);
    let script = "mount --bind /dev/null /dev/net/tun; exec \"$@\"";
    require!(
        std::path::Path::new("/dev/net/tun").exists(),
        "there is no /dev/net/tun to hide"
    );
    rpod.command(&["run", "--rm", "busybox", "echo", "works"])
        .under(&["unshare", "-Urm"], script)
        .run()
        .success()
        .stdout_is("works\n")
        .stderr_has("reach nothing outside")
        .stderr_has("/dev/net/tun");
}
