//! `kill -9` of rpod at any instant: afterwards everything works, and what was
//! staged is swept. `RPOD_TEST_KILLS` says how often (60; 500 with
//! `RPOD_TEST_FULL=1`).

use std::time::Duration;

use crate::support::image::{Image, Layer, busybox_layer};
use crate::support::registry::{HostileRegistry, Reply};
use crate::support::{Sandbox, eventually, kill, probe};

fn kills() -> u32 {
    let told = std::env::var("RPOD_TEST_KILLS").ok();
    let usual = if probe::full() { 500 } else { 60 };
    told.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Spread over the time a command takes, without a source of chance: the same
/// instants in every run are no loss, as no two runs are equally fast.
fn instants(count: u32, whole: Duration) -> impl Iterator<Item = Duration> {
    let longest = whole + whole / 4;
    (0..count).map(move |n| {
        let part = f64::from(n.wrapping_mul(2_654_435_769) >> 8) / f64::from(1 << 24);
        longest.mul_f64(part)
    })
}

/// Runs a command again and again, each time killed at another instant.
fn kill_at_instants(rpod: &Sandbox, count: u32, arguments: &[&str], between: impl Fn()) {
    let whole = rpod.run(arguments).took;
    between();
    for instant in instants(count, whole) {
        let mut running = rpod.command(arguments).spawn();
        std::thread::sleep(instant);
        running.signal("KILL");
        drop(running);
        between();
    }
}

fn swept(rpod: &Sandbox) {
    eventually("what was staged is swept", || {
        rpod.run(&["images", "-q"]).success();
        rpod.run(&["ps", "-aq"]).success();
        if !rpod.staged().is_empty() {
            rpod.run(&["system", "check", "--repair"]).success();
        }
        rpod.staged().is_empty()
    });
}

fn image() -> Image {
    Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(Layer::new().file("greeting", "sound").gzip())
        .cmd(&["cat", "/greeting"])
}

#[test]
fn killed_while_pulling() {
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&image(), |_| Reply::Honest);
    let name = registry.name("tiny");
    kill_at_instants(&rpod, kills() / 4, &["pull", &name], || {
        let _gone = rpod.run(&["rmi", "-f", &name]);
    });
    rpod.run(&["system", "check"]).success();
    rpod.run(&["pull", &name]).success();
    rpod.run(&["run", "--rm", &name])
        .success()
        .stdout_is("sound");
    rpod.run(&["system", "check"]).success();
    swept(&rpod);
}

#[test]
fn killed_while_loading() {
    let rpod = Sandbox::new();
    let archive = rpod.write("image.tar", image().docker_archive());
    let words = ["load", "-i", archive.to_str().unwrap()];
    kill_at_instants(&rpod, kills() / 4, &words, || {
        let _gone = rpod.run(&["rmi", "-f", "tiny"]);
    });
    rpod.run(&["system", "check"]).success();
    rpod.run(&words).success();
    rpod.run(&["run", "--rm", "tiny"])
        .success()
        .stdout_is("sound");
    rpod.run(&["system", "check"]).success();
    swept(&rpod);
}

#[test]
fn killed_while_running() {
    let rpod = Sandbox::with(&["busybox"]);
    let words = ["run", "--rm", "--name", "same", "busybox", "true"];
    kill_at_instants(&rpod, kills() / 4, &words, || {
        rpod.run(&["rm", "-f", "same"]).success();
    });
    rpod.run(&words).success();
    rpod.remove_all();
    swept(&rpod);
}

#[test]
fn killed_while_removing() {
    let rpod = Sandbox::with(&["busybox"]);
    let make = || {
        rpod.run(&["rm", "-f", "same"]).success();
        rpod.start(&["--name", "same", "busybox", "sleep", "1000"]);
    };
    make();
    kill_at_instants(&rpod, kills() / 4, &["rm", "-f", "same"], make);
    rpod.remove_all();
    swept(&rpod);
}

#[test]
fn a_killed_monitor_is_found_out() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "orphan", "busybox", "sleep", "1000"]);
    let monitors = rpod.processes();
    let monitor = monitors
        .iter()
        .find(|process| process.name.contains("monitor"));
    let pid = monitor.expect("a process named rpod-monitor").pid;
    assert!(kill(pid));
    eventually("ps tells the truth", || {
        let alive = rpod
            .processes()
            .iter()
            .any(|process| process.name == "sleep");
        let running = rpod.inspect("orphan", "{{.State.Running}}") == "true";
        alive == running
    });
    rpod.run(&["rm", "-f", "orphan"]).success();
    rpod.run(&["run", "--rm", "--name", "orphan", "busybox", "echo", "fine"])
        .success()
        .stdout_is("fine\n");
}

#[test]
fn a_killed_network_process_is_replaced() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.start(&["--name", "one", "busybox", "sleep", "1000"]);
    let all = rpod.processes();
    let Some(net) = all.iter().find(|process| process.name.contains("net")) else {
        panic!("a process named rpod-net");
    };
    assert!(kill(net.pid));
    rpod.run(&["run", "--rm", "busybox", "ip", "route"])
        .success()
        .stdout_has("172.17.0.1");
    rpod.remove_all();
}

#[test]
fn killed_while_collecting_and_somebody_loads() {
    let rpod = Sandbox::new();
    let archive = rpod.write("image.tar", image().docker_archive());
    let other = Image::new("other").layer(Layer::new().file("f", "f"));
    let other = rpod.write("other.tar", other.docker_archive());
    let load = ["load", "-q", "-i", archive.to_str().unwrap()];
    let prune = ["system", "prune", "-a", "-f"];
    rpod.load(&other);
    let whole = rpod.run(&prune).took;
    for instant in instants(kills() / 4, whole) {
        rpod.load(&other);
        let loading = rpod.command(&load).spawn();
        let mut pruning = rpod.command(&prune).spawn();
        std::thread::sleep(instant);
        pruning.signal("KILL");
        drop(pruning);
        loading.wait().success();
        rpod.run(&["system", "check"]).success();
    }
    rpod.run(&load).success();
    rpod.run(&["run", "--rm", "tiny"])
        .success()
        .stdout_is("sound");
    rpod.run(&prune).success();
    swept(&rpod);
    let blobs = std::fs::read_dir(rpod.store().join("images/blobs/sha256"));
    assert_eq!(blobs.unwrap().count(), 0, "blobs of no image");
}

#[test]
fn a_killed_create_leaves_no_volume_without_an_owner() {
    let rpod = Sandbox::with(&["busybox"]);
    let words = ["create", "--name", "same", "-v", "/data", "busybox", "true"];
    kill_at_instants(&rpod, kills() / 4, &words, || {
        rpod.run(&["rm", "-f", "-v", "same"]).success();
    });
    rpod.run(&["rm", "-f", "-v", "same"]).success();
    swept(&rpod);
    rpod.run(&["volume", "ls", "-q"]).success().stdout_is("");
}

#[test]
fn killed_while_images_change_the_store_stays_sound() {
    let rpod = Sandbox::new();
    let archive = rpod.write("image.tar", image().docker_archive());
    rpod.load(&archive);
    rpod.run(&["run", "--name", "made", "tiny"]).success();
    for words in [
        &["tag", "tiny", "second"][..],
        &["rmi", "second"],
        &["commit", "made", "third"],
        &["rmi", "third"],
        &["image", "prune", "-f"],
    ] {
        kill_at_instants(&rpod, (kills() / 20).max(2), words, || {
            rpod.run(&["system", "check"]).success();
            rpod.run(&["commit", "-q", "made", "third"]).success();
            rpod.run(&["tag", "tiny", "second"]).success();
        });
    }
    rpod.run(&["run", "--rm", "third"])
        .success()
        .stdout_is("sound");
    rpod.remove_all();
    swept(&rpod);
}

#[test]
fn an_archive_is_whole_or_not_there_when_its_save_is_killed() {
    let (rpod, other) = (Sandbox::new(), Sandbox::new());
    rpod.load(&rpod.write("image.tar", image().docker_archive()));
    let saved = rpod.work().join("saved.tar");
    let words = ["save", "-o", saved.to_str().unwrap(), "tiny"];
    let whole = rpod.run(&words).success().took;
    let first = std::fs::read(&saved).unwrap();
    let (mut there, mut absent) = (0, 0);
    for instant in instants(kills() / 4, whole) {
        std::fs::remove_file(&saved).unwrap();
        let mut running = rpod.command(&words).spawn();
        std::thread::sleep(instant);
        running.signal("KILL");
        drop(running);
        match std::fs::read(&saved) {
            Ok(bytes) => {
                assert_eq!(bytes.len(), first.len());
                there += 1;
            }
            Err(_) => {
                absent += 1;
                rpod.run(&words).success();
            }
        }
    }
    assert!(absent > 0 || there < 5, "it was never killed in time");
    other.load(&saved);
    other
        .run(&["run", "--rm", "tiny"])
        .success()
        .stdout_is("sound");
    // One that replaces another leaves the old or the new.
    for instant in instants(kills() / 10, whole) {
        std::fs::write(&saved, "old").unwrap();
        let mut running = rpod.command(&words).spawn();
        std::thread::sleep(instant);
        running.signal("KILL");
        drop(running);
        let bytes = std::fs::read(&saved).unwrap();
        assert!(bytes == b"old" || bytes.len() == first.len());
    }
    // A directory is made in its place: one that was cut off says so, and is replaced.
    let place = rpod.work().join("layout");
    let words = [
        "save",
        "--format",
        "oci-dir",
        "-o",
        place.to_str().unwrap(),
        "tiny",
    ];
    for instant in instants(kills() / 10, whole) {
        let mut running = rpod.command(&words).spawn();
        std::thread::sleep(instant);
        running.signal("KILL");
        drop(running);
        if !place.join("index.json").exists() {
            rpod.run(&words).success();
        }
        other.run(&["rmi", "-f", "tiny"]).success();
        other
            .run(&["load", "-i", place.to_str().unwrap()])
            .success();
        std::fs::remove_dir_all(&place).unwrap();
    }
    swept(&rpod);
}

#[test]
fn killed_while_resetting() {
    let rpod = Sandbox::new();
    let archive = rpod.write("image.tar", image().docker_archive());
    let fill = || {
        rpod.load(&archive);
        rpod.run(&["rm", "-f", "-v", "made"]).success();
        rpod.run(&[
            "run", "-d", "--name", "made", "-v", "/data", "tiny", "sleep", "1000",
        ])
        .success();
        rpod.run(&["network", "rm", "-f", "blue"]).success();
        rpod.run(&["network", "create", "blue"]).success();
        rpod.run(&["volume", "create", "kept"]).success();
    };
    let reset = ["system", "reset", "-f"];
    fill();
    let whole = rpod.run(&reset).success().took;
    for instant in instants(kills() / 2, whole) {
        fill();
        let mut running = rpod.command(&reset).spawn();
        std::thread::sleep(instant);
        running.signal("KILL");
        drop(running);
        for words in [
            &["ps", "-a"][..],
            &["images", "-a"],
            &["volume", "ls"],
            &["network", "ls"],
            &["system", "df"],
            &["info"],
            &["system", "check", "--repair"],
        ] {
            rpod.run(words).success();
        }
    }
    rpod.run(&reset).success();
    fill();
    rpod.run(&["run", "--rm", "tiny"])
        .success()
        .stdout_is("sound");
    rpod.run(&reset).success();
    swept(&rpod);
}
