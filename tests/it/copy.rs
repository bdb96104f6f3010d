//! Files between a container and the host: `cp`.

use crate::support::Sandbox;

#[test]
fn cp_carries_files_both_ways_running_or_not() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("in", "to the container");
    rpod.run(&["create", "--name", "box", "busybox", "sleep", "1000"])
        .success();
    for round in 0..2 {
        if round == 1 {
            rpod.run(&["start", "box"]).success();
        }
        let inside = format!("box:/tmp/copy{round}");
        rpod.run(&["cp", "in", &inside]).success();
        let back = format!("back{round}");
        rpod.run(&["cp", &inside, &back]).success();
        let copied = std::fs::read_to_string(rpod.work().join(back)).unwrap();
        assert_eq!(copied, "to the container");
    }
    rpod.run(&["exec", "box", "cat", "/tmp/copy0", "/tmp/copy1"])
        .success()
        .stdout_is("to the containerto the container");
    rpod.remove_all();
}

#[test]
fn cp_sees_the_files_that_a_start_has_written_running_or_not() {
    let rpod = Sandbox::with(&["busybox"]);
    let words = [
        "--name",
        "box",
        "--hostname",
        "hector",
        "--add-host",
        "db:10.9.8.7",
    ];
    rpod.start(&[&words[..], &["busybox", "sleep", "1000"]].concat());
    for _ in 0..2 {
        for (file, text) in [
            ("hostname", "hector"),
            ("hosts", "10.9.8.7"),
            ("resolv.conf", "nameserver"),
        ] {
            rpod.run(&["cp", &format!("box:/etc/{file}"), "."])
                .success();
            let copied = std::fs::read_to_string(rpod.work().join(file)).unwrap();
            assert!(copied.contains(text), "{file}: {copied:?}");
        }
        rpod.run(&["stop", "-t", "0", "box"]).success();
    }
    rpod.remove_all();
}

#[test]
fn cp_carries_directories() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("tree/a/b", "deep");
    rpod.start(&["--name", "box", "busybox", "sleep", "1000"]);
    rpod.run(&["cp", "tree", "box:/tmp"]).success();
    rpod.run(&["exec", "box", "cat", "/tmp/tree/a/b"])
        .success()
        .stdout_is("deep");
    rpod.run(&["cp", "tree/.", "box:/home"]).success();
    rpod.run(&["exec", "box", "cat", "/home/a/b"])
        .success()
        .stdout_is("deep");
    rpod.run(&["cp", "box:/tmp/tree", "back"]).success();
    assert_eq!(
        std::fs::read_to_string(rpod.work().join("back/a/b")).unwrap(),
        "deep"
    );
    rpod.remove_all();
}

#[test]
fn cp_speaks_tar_on_a_dash() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "box", "busybox", "sleep", "1000"]);
    let archive = crate::support::image::Layer::new()
        .file("hello", "from tar")
        .tar();
    rpod.command(&["cp", "-", "box:/tmp"])
        .stdin(archive)
        .run()
        .success();
    let out = rpod.run(&["cp", "box:/tmp/hello", "-"]);
    out.success().stdout_has("from tar");
    rpod.remove_all();
}

#[test]
fn cp_follows_no_link_out_of_the_container() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "box", "busybox", "sleep", "1000"]);
    let target = rpod.write("outside/file", "untouched");
    let directory = target.parent().unwrap().to_str().unwrap().to_owned();
    let script = format!("ln -s {directory} /way; ln -s ../../../../../../etc/hostname /name");
    rpod.run(&["exec", "box", "sh", "-c", &script]).success();
    rpod.write("new", "changed");
    let _said = rpod.run(&["cp", "new", "box:/way/file"]);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "untouched");
    let _said = rpod.run(&["cp", "-L", "box:/way/file", "stolen"]);
    assert!(!rpod.work().join("stolen").exists());
    rpod.remove_all();
}

#[test]
fn cp_says_which_side_is_missing() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["create", "--name", "box", "busybox", "true"])
        .success();
    let missing = rpod.run(&["cp", "box:/nothing", "."]);
    assert_ne!(missing.code, Some(0));
    missing.stderr_has("/nothing");
    let missing = rpod.run(&["cp", "nothing", "box:/"]);
    assert_ne!(missing.code, Some(0));
    missing.stderr_has("nothing");
    let neither = rpod.run(&["cp", "one", "two"]);
    assert_ne!(neither.code, Some(0));
    rpod.remove_all();
}
