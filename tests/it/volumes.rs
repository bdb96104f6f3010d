//! Named and anonymous volumes, directories of the host, and `--mount`.

use crate::support::Sandbox;
use crate::support::image::{Image, busybox_layer};

#[test]
fn a_directory_of_the_host_is_the_same_inside() {
    let rpod = Sandbox::with(&["busybox"]);
    let file = rpod.write("shared/in", "from the host");
    let volume = format!("{}:/mnt/shared", file.parent().unwrap().display());
    let script = "cat /mnt/shared/in; echo -n from inside > /mnt/shared/out";
    rpod.run(&["run", "--rm", "-v", &volume, "busybox", "sh", "-c", script])
        .success()
        .stdout_is("from the host");
    let out = std::fs::read_to_string(rpod.work().join("shared/out")).unwrap();
    assert_eq!(out, "from inside");
}

#[test]
fn a_relative_directory_is_that_of_the_caller() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.write("shared/in", "relative");
    rpod.run(&[
        "run",
        "--rm",
        "-v",
        "./shared:/s",
        "busybox",
        "cat",
        "/s/in",
    ])
    .success()
    .stdout_is("relative");
}

#[test]
fn ro_refuses_writes() {
    let rpod = Sandbox::with(&["busybox"]);
    let file = rpod.write("shared/in", "x");
    let directory = file.parent().unwrap().display();
    for flag in [
        ["-v".to_owned(), format!("{directory}:/s:ro")],
        [
            "--mount".to_owned(),
            format!("type=bind,source={directory},target=/s,readonly"),
        ],
    ] {
        let words = [
            "run",
            "--rm",
            &flag[0],
            &flag[1],
            "busybox",
            "sh",
            "-c",
            "cat /s/in; touch /s/x",
        ];
        rpod.run(&words)
            .fails(1)
            .stdout_is("x")
            .stderr_has("Read-only");
    }
    assert!(!rpod.work().join("shared/x").exists());
}

#[test]
fn a_single_file_can_be_mounted() {
    let rpod = Sandbox::with(&["busybox"]);
    let file = rpod.write("motd", "of the day");
    let volume = format!("{}:/etc/motd", file.display());
    rpod.run(&["run", "--rm", "-v", &volume, "busybox", "cat", "/etc/motd"])
        .success()
        .stdout_is("of the day");
}

#[test]
fn a_named_volume_outlives_its_containers() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm",
        "-v",
        "mydb:/data",
        "busybox",
        "sh",
        "-c",
        "echo -n kept > /data/x",
    ])
    .success();
    rpod.run(&[
        "run",
        "--rm",
        "-v",
        "mydb:/other",
        "busybox",
        "cat",
        "/other/x",
    ])
    .success()
    .stdout_is("kept");
    rpod.run(&["volume", "ls", "-q"])
        .success()
        .stdout_is("mydb\n");
    rpod.run(&["volume", "rm", "mydb"])
        .success()
        .stdout_is("mydb\n");
    rpod.run(&["volume", "ls", "-q"]).success().stdout_is("");
}

#[test]
fn an_empty_named_volume_starts_with_what_the_image_has_there() {
    let rpod = Sandbox::new();
    let layer = busybox_layer()
        .directory("data")
        .file("data/seed", "from the image");
    let image = Image::new("seeded")
        .layer(layer)
        .cmd(&["cat", "/data/seed"]);
    rpod.command(&["load"])
        .stdin(image.docker_archive())
        .run()
        .success();
    rpod.run(&["run", "--rm", "-v", "vol:/data", "seeded"])
        .success()
        .stdout_is("from the image");
    rpod.run(&[
        "run",
        "--rm",
        "-v",
        "vol:/data",
        "seeded",
        "rm",
        "/data/seed",
    ])
    .success();
    // As docker: one that was emptied is filled again.
    rpod.run(&["run", "--rm", "-v", "vol:/data", "seeded"])
        .success()
        .stdout_is("from the image");
    rpod.run(&["volume", "rm", "vol"]).success();
}

#[test]
fn an_image_with_volumes_gets_anonymous_ones() {
    let rpod = Sandbox::new();
    let image = Image::new("vols")
        .layer(busybox_layer().directory("data").file("data/seed", "s"))
        .config("Volumes", serde_json::json!({ "/data": {} }))
        .cmd(&["cat", "/data/seed"]);
    rpod.command(&["load"])
        .stdin(image.docker_archive())
        .run()
        .success();
    rpod.run(&["run", "--name", "v1", "vols"])
        .success()
        .stdout_is("s");
    let name = rpod.run(&["volume", "ls", "-q"]).success().line();
    assert_eq!(name.len(), 64, "{name}");
    rpod.run(&["rm", "v1"]).success();
    rpod.run(&["volume", "ls", "-q"])
        .success()
        .stdout_is(&format!("{name}\n"));
    rpod.run(&["volume", "rm", &name]).success();
    rpod.run(&["run", "--rm", "vols"]).success();
    rpod.run(&["volume", "ls", "-q"]).success().stdout_is("");
}

#[test]
fn volume_verbs_do_what_they_say() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&["volume", "create", "mydb"])
        .success()
        .stdout_is("mydb\n");
    rpod.run(&["volume", "create", "mydb"])
        .success()
        .stdout_is("mydb\n");
    let shown = rpod.run(&["volume", "ls"]).success().stdout();
    let header: Vec<_> = shown.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["DRIVER", "VOLUME", "NAME"]);
    assert!(
        shown
            .lines()
            .nth(1)
            .is_some_and(|row| row.starts_with("local") && row.ends_with("mydb")),
        "{shown}"
    );
    let inspected = rpod.run(&["volume", "inspect", "mydb"]).success().stdout();
    let parsed: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(parsed[0]["Name"], "mydb");
    let place = parsed[0]["Mountpoint"].as_str().unwrap();
    assert!(std::path::Path::new(place).is_dir(), "{place}");
    rpod.start(&[
        "--name", "user", "-v", "mydb:/d", "busybox", "sleep", "1000",
    ]);
    rpod.run(&["volume", "rm", "mydb"])
        .refuses()
        .stderr_has("user");
    rpod.remove_all();
    rpod.run(&["volume", "rm", "mydb"]).success();
    rpod.run(&["volume", "rm", "mydb"])
        .refuses()
        .stderr_has("mydb");
}

#[test]
fn tmpfs_is_in_memory_and_gone_afterwards() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm",
        "--tmpfs",
        "/scratch:size=1m",
        "busybox",
        "sh",
        "-c",
        "grep ' /scratch ' /proc/mounts",
    ])
    .success()
    .stdout_has("tmpfs");
    rpod.run(&[
        "run",
        "--rm",
        "--mount",
        "type=tmpfs,destination=/scratch",
        "busybox",
        "touch",
        "/scratch/x",
    ])
    .success();
}

#[test]
fn what_cannot_be_mounted_is_named() {
    let rpod = Sandbox::with(&["busybox"]);
    rpod.run(&[
        "run",
        "--rm",
        "--mount",
        "type=bind,source=/no/such/thing,target=/x",
        "busybox",
        "true",
    ])
    .refuses()
    .stderr_has("/no/such/thing");
    rpod.run(&["run", "--rm", "-v", "a/b:/x:rubbish", "busybox", "true"])
        .refuses();
    rpod.run(&["run", "--rm", "-v", "name:relative", "busybox", "true"])
        .refuses()
        .stderr_has("relative");
}

#[test]
fn mounts_through_links_of_the_image_stay_inside() {
    let rpod = Sandbox::new();
    let image = Image::new("links")
        .layer(
            busybox_layer()
                .directory("var")
                .directory("var/tmp")
                .link("way", "/../../../../../var/tmp"),
        )
        .cmd(&["true"]);
    rpod.command(&["load"])
        .stdin(image.docker_archive())
        .run()
        .success();
    rpod.write("shared/in", "here");
    rpod.run(&[
        "run",
        "--rm",
        "-v",
        "./shared:/way/shared",
        "links",
        "cat",
        "/var/tmp/shared/in",
    ])
    .success()
    .stdout_is("here");
}

#[test]
fn tmpfs_takes_the_options_of_its_kind() {
    let rpod = Sandbox::with(&["busybox"]);
    let script =
        "busybox cp /bin/busybox /scratch/true && /scratch/true && stat -c '%u %a' /scratch";
    let ran = |tmpfs: &str| {
        let words = [
            "run", "--rm", "--tmpfs", tmpfs, "busybox", "sh", "-c", script,
        ];
        rpod.run(&words)
    };
    ran("/scratch").fails(126);
    ran("/scratch:exec,mode=750,nr_inodes=1k")
        .success()
        .stdout_is("0 750\n");
    ran("/scratch:sparse").fails(125).stderr_has("sparse");
}

#[test]
fn volumes_from_another_container_are_its_own() {
    let rpod = Sandbox::new();
    let image = Image::new("vols")
        .layer(busybox_layer().directory("data"))
        .config("Volumes", serde_json::json!({ "/data": {} }))
        .cmd(&["sleep", "60"]);
    let load = rpod.command(&["load"]);
    load.stdin(image.docker_archive()).run().success();
    std::fs::create_dir(rpod.work().join("mine")).unwrap();
    let bind = format!("{}:/mine", rpod.work().join("mine").display());
    rpod.run(&["run", "-d", "--name", "first", "-v", &bind, "vols"])
        .success();
    let write = "echo kept > /data/file && echo mine > /mine/file";
    let second = [
        "create",
        "--name",
        "second",
        "--volumes-from",
        "first",
        "vols",
        "sh",
        "-c",
    ];
    rpod.run(&[&second[..], &[write]].concat()).success();
    rpod.run(&["start", "-a", "second"]).success();
    rpod.run(&["exec", "first", "cat", "/data/file", "/mine/file"])
        .success()
        .stdout_is("kept\nmine\n");
    let read_only = [
        "run",
        "--rm",
        "--volumes-from",
        "first:ro",
        "vols",
        "touch",
        "/data/x",
    ];
    rpod.run(&read_only).fails(1).stderr_has("Read-only");
    rpod.run(&["run", "--volumes-from", "nobody", "vols"])
        .fails(125)
        .stderr_has("nobody");
    // Whose volume it was goes, and with it nothing that another has.
    rpod.run(&["rm", "-f", "-v", "first"]).success();
    let read = [
        "run",
        "--rm",
        "--volumes-from",
        "second",
        "vols",
        "cat",
        "/data/file",
    ];
    rpod.run(&read).success().stdout_is("kept\n");
    rpod.run(&["rm", "second"]).success();
}

#[test]
fn a_volume_made_for_one_container_stays_while_another_has_it() {
    let rpod = Sandbox::with(&["busybox"]);
    let write = [
        "-v",
        "/data",
        "busybox",
        "sh",
        "-c",
        "echo kept > /data/file; sleep 1",
    ];
    let first = [&["run", "-d", "--rm", "--name", "first"], &write[..]].concat();
    rpod.run(&first).success();
    let name = rpod.run(&["volume", "ls", "-q"]).success().line();
    let both = format!("{name}:/data");
    rpod.run(&[
        "create",
        "--name",
        "second",
        "-v",
        &both,
        "busybox",
        "cat",
        "/data/file",
    ])
    .success();
    drop(rpod.run(&["wait", "first"]));
    crate::support::eventually("the first has gone", || {
        !rpod
            .run(&["ps", "-aq", "--filter", "name=first"])
            .stdout()
            .contains(char::is_alphanumeric)
    });
    rpod.run(&["start", "-a", "second"])
        .success()
        .stdout_is("kept\n");
    rpod.run(&["rm", "second"]).success();
    rpod.run(&["volume", "rm", &name]).success();
}

#[test]
fn devices_of_the_machine_are_given_as_they_are() {
    let rpod = Sandbox::with(&["busybox"]);
    let give = |device: &str, script: &str| {
        let words = [
            "run", "--rm", "--name", "given", "--device", device, "busybox", "sh", "-c", script,
        ];
        rpod.run(&words)
    };
    // What a container has anyway, by another name.
    give(
        "/dev/zero:/dev/nothing",
        "test -c /dev/nothing && busybox dd if=/dev/nothing bs=7 count=1 2> /x | busybox wc -c",
    )
    .success()
    .stdout_is("7\n");
    give(
        "/dev/zero:/dev/below/it:rw",
        "test -c /dev/below/it && echo there",
    )
    .success()
    .stdout_is("there\n");
    give("/dev/none-such", "true")
        .fails(125)
        .stderr_has("/dev/none-such");
    give("/etc/passwd", "true")
        .fails(125)
        .stderr_has("neither a device");
    give("/dev/zero:r", "true").fails(125).stderr_has("rights");
    let create = [
        "create",
        "--name",
        "given",
        "--device",
        "/dev/zero",
        "busybox",
        "true",
    ];
    rpod.run(&create).success();
    let shown = rpod.inspect(
        "given",
        "{{range .HostConfig.Devices}}{{.PathInContainer}}{{end}} {{len .Mounts}}",
    );
    assert_eq!(shown, "/dev/zero 0");
    rpod.run(&["rm", "given"]).success();
}
