//! The store looks after itself: what nothing needs is found and deleted, also
//! on a full disk, and never what somebody is just adding.

use std::time::{Duration, SystemTime};

use crate::require;
use crate::support::image::{Image, Layer, built, busybox_layer};
use crate::support::registry::{HostileRegistry, Kind, Reply};
use crate::support::{Sandbox, eventually, probe};

/// Blobs and unpacked layers of the store.
fn parts(rpod: &Sandbox) -> usize {
    let count = |path| std::fs::read_dir(path).into_iter().flatten().count();
    let maps = std::fs::read_dir(rpod.store().join("layers"));
    let layers: usize = maps.unwrap().flatten().map(|map| count(map.path())).sum();
    layers + count(rpod.store().join("images/blobs/sha256"))
}

fn loaded(image: &Image, name: &str) -> Sandbox {
    let rpod = Sandbox::new();
    let archive = rpod.write(&format!("{name}.tar"), image.docker_archive());
    rpod.load(&archive);
    rpod
}

#[test]
fn with_no_byte_free_rmi_makes_room() {
    require!(probe::user_namespaces(), "user namespaces are forbidden");
    let rpod = Sandbox::new();
    let script = r#"
        mount -t tmpfs -o size=64m,mode=700 tmpfs "$HOME"
        "$RPOD" load -q -i "$ARCHIVE"
        cat /dev/zero > "$HOME/filler" 2> /dev/null || true
        echo x 2> /dev/null > "$HOME/more" && [ -s "$HOME/more" ] && exit 90
        "$RPOD" rmi busybox
        for i in $(seq 50); do
            [ -z "$(ls -A "$HOME/.local/share/rpod/tmp")" ] && break
            sleep 0.1
        done
        echo "left:" $(ls "$HOME"/.local/share/rpod/images/blobs/sha256 "$HOME"/.local/share/rpod/tmp | grep -v :)
        rm "$HOME/filler"
        "$RPOD" load -q -i "$ARCHIVE"
        "$RPOD" run --rm --network none busybox echo recovered
    "#;
    let ran = rpod
        .other("unshare", &["-Urm", "sh", "-ec", script])
        .env("RPOD", rpod.program())
        .env("ARCHIVE", built("busybox"))
        .run();
    ran.success()
        .stdout_has("Untagged: busybox:latest\nDeleted: sha256:")
        .stdout_has("left:\n")
        .stdout_has("recovered");
}

#[test]
fn an_image_removed_while_another_is_pulled_is_collected_after_it() {
    let image = Image::new("slow").layer(busybox_layer().gzip());
    let rpod = loaded(
        &Image::new("quick").layer(Layer::new().file("f", "f")),
        "quick",
    );
    let registry = HostileRegistry::serve(&image, |request| {
        if request.kind() == Kind::Blob {
            std::thread::sleep(Duration::from_secs(1));
        }
        Reply::Honest
    });
    let name = registry.name("slow");
    let pull = rpod.command(&["pull", &name]).spawn();
    eventually("the pull has begun", || !registry.requests().is_empty());
    rpod.run(&["rmi", "quick"])
        .success()
        .stdout_has("Deleted: ");
    pull.wait().success();
    eventually("what was removed is collected", || parts(&rpod) == 4);
    rpod.run(&["run", "--rm", &name, "true"]).success();
}

#[test]
fn what_a_killed_command_left_goes_with_the_next_removal() {
    let rpod = loaded(&Image::new("one").layer(Layer::new().file("f", "f")), "one");
    let before = parts(&rpod);
    let blobs = rpod.store().join("images/blobs/sha256");
    std::fs::write(blobs.join("a".repeat(64)), "of no image").unwrap();
    let map = std::fs::read_dir(rpod.store().join("layers")).unwrap();
    let map = map.flatten().next().unwrap().path();
    std::fs::create_dir_all(map.join("b".repeat(64)).join("tree")).unwrap();
    assert_eq!(parts(&rpod), before + 2);
    rpod.run(&["tag", "one", "two"]).success();
    rpod.run(&["rmi", "two"]).success();
    assert_eq!(parts(&rpod), before + 2, "no image went");
    rpod.run(&["rmi", "one"]).success();
    assert_eq!(parts(&rpod), 0);
}

#[test]
fn rmi_of_many_files_does_not_wait_for_them() {
    let mut layer = busybox_layer();
    for n in 0..20_000 {
        layer = layer.file(&format!("d{}/{n}", n % 100), "");
    }
    let rpod = loaded(&Image::new("many").layer(layer), "many");
    let took = rpod.run(&["rmi", "many"]).success().took;
    // Deleting them takes far longer than that; how long rmi takes the benchmark measures.
    assert!(
        !rpod.staged().is_empty(),
        "they were deleted within {took:?}"
    );
    eventually("they are deleted", || rpod.staged().is_empty());
}

#[test]
fn a_container_deeper_than_descriptors_may_be_open_is_deleted() {
    let rpod = Sandbox::with(&["busybox"]);
    let make = "p=$(yes d | head -n 900 | tr '\\n' /); cd /home; mkdir -p one/$p two/$p three/$p; \
                mv two one/$p; mv one three/$p; mv three all";
    rpod.run(&[
        "run",
        "--name",
        "deep",
        "--network",
        "none",
        "busybox",
        "sh",
        "-ec",
        make,
    ])
    .success();
    rpod.command(&["rm", "deep"])
        .inside(&["prlimit", "--nofile=256:256"])
        .run()
        .success();
    eventually("its files are deleted", || rpod.staged().is_empty());
}

#[test]
fn system_df_counts_once_what_images_share() {
    let rpod = Sandbox::new();
    let shared = || Layer::new().file("shared", vec![b's'; 500_000]);
    for (name, size) in [("one", 100_000), ("two", 200_000)] {
        let own = Layer::new().file("own", vec![b'o'; size]);
        let image = Image::new(name).layer(shared()).layer(own).cmd(&["/own"]);
        rpod.load(&rpod.write(&format!("{name}.tar"), image.docker_archive()));
    }
    rpod.run(&["create", "--name", "user", "-v", "mine:/data", "one"])
        .success();
    let shown = rpod.run(&["system", "df"]).success().stdout();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines[0],
        "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE"
    );
    let cells: Vec<_> = lines[1].split_whitespace().collect();
    // The files, and the tars that they came in.
    assert_eq!(cells[..3], ["Images", "2", "1"], "{shown}");
    assert!(
        cells[3].starts_with("1.6") && cells[4].starts_with("40"),
        "{shown}"
    );
    assert_eq!(lines[2], "Containers      1         0         0B        0B");
    assert_eq!(lines[3], "Local Volumes   1         1         0B        0B");
    assert_eq!(lines[4], "Build Cache     0         0         0B        0B");
    let all = rpod.run(&["system", "df", "-v"]).success().stdout();
    for part in [
        "Images space usage:\n\nREPOSITORY   TAG",
        "SHARED SIZE   UNIQUE SIZE   CONTAINERS\n",
        "600kB     500kB         100kB         1",
        "700kB     500kB         200kB         0",
        "\nContainers space usage:\n\nCONTAINER ID",
        "\nLocal Volumes space usage:\n\nVOLUME NAME   LINKS     SIZE\nmine          1         0B\n",
        "\nBuild cache usage: 0B\n",
    ] {
        assert!(all.contains(part), "no {part:?} in\n{all}");
    }
    rpod.run(&["system", "df", "--format", "{{.Type}}: {{.TotalCount}}"])
        .success()
        .stdout_has("Images: 2\n");
    rpod.remove_all();
}

#[test]
fn image_prune_asks_and_takes_what_has_no_name() {
    let rpod = loaded(
        &Image::new("one").layer(Layer::new().file("f", vec![b'x'; 70_000])),
        "one",
    );
    rpod.run(&["untag", "one"]).success();
    let asked = rpod.command(&["image", "prune"]).stdin("n\n").run();
    asked.success().stdout_is("").stderr_has(
        "WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] ",
    );
    let pruned = rpod.command(&["image", "prune"]).stdin("y\n").run();
    pruned
        .success()
        .stdout_has("Deleted Images:\ndeleted: sha256:")
        .stdout_has("\n\nTotal reclaimed space: 14");
    assert_eq!(parts(&rpod), 0);
    rpod.run(&["image", "prune", "-f"])
        .success()
        .stdout_is("Total reclaimed space: 0B\n");
}

#[test]
fn system_prune_takes_all_that_is_not_used() {
    let rpod = Sandbox::with(&["busybox"]);
    let image = Image::new("unused").layer(Layer::new().file("f", "f"));
    rpod.load(&rpod.write("unused.tar", image.docker_archive()));
    rpod.start(&["--name", "up", "busybox", "sleep", "1000"]);
    rpod.run(&[
        "create",
        "--name",
        "down",
        "-v",
        "/anonymous",
        "busybox",
        "true",
    ])
    .success();
    rpod.run(&["network", "create", "idle"]).success();
    let partial = "c".repeat(64);
    std::fs::write(rpod.store().join("partial").join(&partial), "half").unwrap();
    let young = rpod.run(&["container", "prune", "-f", "--filter", "until=1h"]);
    young.success().stdout_is("Total reclaimed space: 0B\n");
    let pruned = rpod.run(&["system", "prune", "-f"]).success().stdout();
    assert!(pruned.starts_with("Deleted Containers:\n"), "{pruned}");
    assert!(
        pruned.contains("\n\nDeleted Networks:\nidle\n\n"),
        "{pruned}"
    );
    assert!(
        !pruned.contains("Deleted Images:") && !pruned.contains(&partial),
        "{pruned}"
    );
    let refused = rpod.run(&["system", "prune", "--volumes", "-f", "--filter", "until=1h"]);
    refused.refuses().stderr_has("until");
    let all = rpod.run(&["system", "prune", "-a", "--volumes", "-f"]);
    all.success()
        .stdout_has("Deleted Volumes:\n")
        .stdout_has("untagged: unused:latest\n")
        .stdout_has(&format!("Deleted Partial Downloads:\n{partial}\n"));
    rpod.run(&["images", "--format", "{{.Repository}}"])
        .success()
        .stdout_is("busybox\n");
    rpod.run(&["exec", "up", "true"]).success();
    rpod.remove_all();
    rpod.run(&["volume", "ls", "-q"]).success().stdout_is("");
}

/// A sandbox with an image from a registry, a container of it and a volume.
fn with_container() -> (Sandbox, HostileRegistry, Image) {
    let own = Layer::new()
        .directory("d")
        .file("d/greeting", "sound")
        .executable("d/tool", "#!");
    let image = Image::new("tiny")
        .layer(busybox_layer().gzip())
        .layer(own.gzip())
        .cmd(&["cat", "/d/greeting"]);
    let rpod = Sandbox::new();
    let registry = HostileRegistry::serve(&image, |_| Reply::Honest);
    rpod.run(&["pull", &registry.name("tiny")]).success();
    rpod.run(&[
        "create",
        "--name",
        "user",
        "-v",
        "mine:/data",
        &registry.name("tiny"),
    ])
    .success();
    (rpod, registry, image)
}

/// The check says this; mending mends it; the container runs.
fn is_found_and_mended(rpod: &Sandbox, words: &str) {
    let found = rpod.run(&["system", "check"]);
    found.fails(1).stdout_has("broken: ").stdout_has(words);
    let mended = rpod.run(&["system", "check", "--repair"]);
    mended
        .success()
        .stdout_has("mended: ")
        .stdout_has("nothing is broken");
    rpod.run(&["system", "check"]).success();
    rpod.run(&["start", "-a", "user"])
        .success()
        .stdout_is("sound");
}

#[test]
fn a_sound_store_is_called_sound() {
    let (rpod, _registry, _) = with_container();
    rpod.run(&["system", "check"])
        .success()
        .stdout_is("Checked 1 images, 2 layers and 1 containers: nothing is broken\n");
    rpod.run(&["system", "check", "--quick"]).success();
    rpod.remove_all();
}

#[test]
fn broken_blobs_and_documents_are_fetched_again() {
    let (rpod, registry, image) = with_container();
    let blobs = rpod.store().join("images/blobs/sha256");
    let config = image.id().replace("sha256:", "");
    let manifest = image.digest().replace("sha256:", "");
    std::fs::remove_file(blobs.join(&config)).unwrap();
    is_found_and_mended(&rpod, "it is not there");
    std::fs::write(blobs.join(&manifest), "{").unwrap();
    is_found_and_mended(&rpod, "it has 1 bytes instead of");
    let layer = std::fs::read_dir(&blobs).unwrap().flatten();
    let layer = layer.map(|entry| entry.path());
    let layer = layer
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&layer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&layer, bytes).unwrap();
    rpod.run(&["system", "check", "--quick"]).success();
    let before = registry.requests().len();
    is_found_and_mended(&rpod, "its content has digest sha256:");
    let fetched = registry.requests();
    let fetched = fetched[before..].iter().filter(|r| r.kind() == Kind::Blob);
    assert_eq!(fetched.count(), 1, "only what was broken is fetched");
    rpod.run(&["images", "--format", "{{.Tag}}"])
        .success()
        .stdout_is("latest\n");
    rpod.remove_all();
}

#[test]
fn broken_layers_are_unpacked_again() {
    use std::os::unix::fs::PermissionsExt;
    let (rpod, registry, _) = with_container();
    let find = || {
        let maps = std::fs::read_dir(rpod.store().join("layers")).unwrap();
        let layers = maps
            .flatten()
            .flat_map(|map| std::fs::read_dir(map.path()).unwrap());
        let mut trees = layers.flatten().map(|layer| layer.path().join("tree"));
        trees.find(|tree| tree.join("d/greeting").exists()).unwrap()
    };
    let before = registry.requests().len();
    std::fs::write(find().join("d/greeting"), "SOUND").unwrap();
    is_found_and_mended(&rpod, "\"d/greeting\" has other content");
    std::fs::remove_file(find().join("d/tool")).unwrap();
    is_found_and_mended(&rpod, "\"d/tool\" is missing");
    std::fs::write(find().join("d/more"), "").unwrap();
    is_found_and_mended(&rpod, "\"d/more\" does not belong to it");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(find().join("d/tool"), mode).unwrap();
    is_found_and_mended(&rpod, "\"d/tool\" has another mode");
    let tool = std::fs::File::open(find().join("d/tool")).unwrap();
    tool.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(7))
        .unwrap();
    is_found_and_mended(&rpod, "\"d/tool\" has another time");
    rustix::fs::setxattr(
        find().join("d/greeting"),
        "user.strange",
        b"1",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    is_found_and_mended(&rpod, "\"d/greeting\" has other extended attributes");
    std::fs::rename(find(), find().with_file_name("tree.gone")).unwrap();
    is_found_and_mended(&rpod, "it has no files");
    assert_eq!(registry.requests().len(), before, "nothing was fetched");
    rpod.remove_all();
}

#[test]
fn names_and_volumes_are_made_again_and_loose_names_go() {
    let (rpod, _registry, _) = with_container();
    let names = rpod.store().join("names");
    std::fs::remove_file(names.join("user")).unwrap();
    let found = rpod.run(&["system", "check"]);
    found.fails(1).stdout_has("\"user\" does not lead to it");
    rpod.run(&["system", "check", "--repair"]).success();
    rpod.run(&["start", "-a", "user"])
        .success()
        .stdout_is("sound");
    std::os::unix::fs::symlink("e".repeat(64), names.join("loose")).unwrap();
    is_found_and_mended(&rpod, "the name \"loose\": it leads to no container");
    std::fs::remove_dir_all(rpod.store().join("volumes/mine")).unwrap();
    is_found_and_mended(&rpod, "volume \"mine\": container \"user\" has it");
    let id = rpod.inspect("user", "{{.Id}}");
    let record = rpod
        .store()
        .join("containers")
        .join(&id)
        .join("container.json");
    let kept = std::fs::read(&record).unwrap();
    std::fs::write(&record, "{").unwrap();
    let broken = rpod.run(&["system", "check", "--repair"]);
    broken.fails(1).stdout_has("broken: container ");
    broken.stderr_has("rpod system check --repair --force");
    std::fs::write(&record, kept).unwrap();
    rpod.run(&["start", "-a", "user"])
        .success()
        .stdout_is("sound");
    std::fs::write(&record, "{").unwrap();
    rpod.run(&["system", "check", "--repair", "--force"])
        .success()
        .stdout_has("mended: container ");
    rpod.run(&["ps", "-aq"]).success().stdout_is("");
    rpod.run(&["system", "check"]).success();
}

#[test]
fn what_nothing_has_needed_for_long_is_found_and_taken() {
    let (rpod, _registry, _) = with_container();
    rpod.run(&["rm", "user"]).success();
    let stray = rpod
        .store()
        .join("images/blobs/sha256")
        .join("a".repeat(64));
    std::fs::write(&stray, "of no image").unwrap();
    rpod.run(&["system", "check"]).success();
    std::thread::sleep(Duration::from_millis(20));
    rpod.run(&["system", "check", "--max", "10ms"])
        .fails(1)
        .stdout_has("aaa: nothing needs it");
    rpod.run(&["system", "check", "--repair", "-m", "10ms"])
        .success()
        .stdout_has("mended: blob ");
    assert!(!stray.exists());
}

#[test]
fn a_container_starts_though_its_layers_had_not_reached_the_disk() {
    let (rpod, registry, _) = with_container();
    let maps = std::fs::read_dir(rpod.store().join("layers")).unwrap();
    let layers = maps
        .flatten()
        .flat_map(|map| std::fs::read_dir(map.path()).unwrap());
    let layers: Vec<_> = layers.flatten().map(|layer| layer.path()).collect();
    assert_eq!(layers.len(), 2);
    for layer in &layers {
        // The child that waits for the disk has to be done.
        eventually("the layer is durable", || layer.join("durable").exists());
        std::fs::remove_file(layer.join("durable")).unwrap();
        let note = r#"{"size":1,"files":1,"boot":"one that has ended"}"#;
        std::fs::write(layer.join("layer.json"), note).unwrap();
    }
    let asked = registry.requests().len();
    rpod.run(&["start", "-a", "user"])
        .success()
        .stdout_is("sound");
    assert_eq!(registry.requests().len(), asked, "its blobs are here");
    for layer in &layers {
        let note = std::fs::read_to_string(layer.join("layer.json")).unwrap();
        assert!(!note.contains("one that has ended"), "{note}");
    }
    rpod.remove_all();
}

#[test]
fn layers_built_and_committed_here_are_called_sound() {
    let rpod = Sandbox::with(&["busybox"]);
    let make = "mkdir /a; echo one > /a/f; ln -s f /a/l; ln /a/f /a/h; mkfifo /a/p; chown 33 /a/f; \
                rm /bin/true; rm -r /home; mkdir /home; chmod 4755 /a/h; touch -d 2001-02-03 /a/f";
    rpod.run(&["run", "--name", "made", "busybox", "sh", "-c", make])
        .success();
    rpod.run(&["commit", "made", "committed"]).success();
    rpod.run(&["rm", "made"]).success();
    rpod.run(&["run", "--rm", "committed", "cat", "/a/f"])
        .success()
        .stdout_is("one\n");
    rpod.write(
        "Dockerfile",
        "FROM committed\nRUN rm /a/h && touch /a/more && rm /etc/group\n",
    );
    rpod.command(&["build", "-t", "built", "."])
        .directory(&rpod.work())
        .run()
        .success();
    rpod.run(&["system", "check"]).success();
}

#[test]
fn reset_leaves_an_empty_store_that_works() {
    let (rpod, registry, _) = with_container();
    rpod.run(&["network", "create", "blue"]).success();
    rpod.run(&["volume", "create", "kept"]).success();
    rpod.start(&["--name", "runs", &registry.name("tiny"), "sleep", "1000"]);
    // Whoever does not say yes keeps all.
    rpod.command(&["system", "reset"])
        .stdin("n\n")
        .run()
        .success()
        .stderr_has("all containers, also those that run");
    assert_eq!(rpod.run(&["ps", "-aq"]).stdout().lines().count(), 2);
    rpod.run(&["system", "reset", "--force"])
        .success()
        .stdout_is("");
    for empty in [
        &["ps", "-aq"][..],
        &["images", "-q"],
        &["volume", "ls", "-q"],
        &["network", "ls", "-q", "--filter", "type=custom"],
    ] {
        rpod.run(empty).success().stdout_is("");
    }
    assert_eq!(parts(&rpod), 0);
    rpod.run(&["pull", &registry.name("tiny")]).success();
    rpod.run(&["run", "--rm", &registry.name("tiny")])
        .success()
        .stdout_is("sound");
    rpod.run(&["system", "check"]).success();
}

#[test]
fn migrate_takes_what_was_unpacked_for_other_ids_and_names_what_is_stuck() {
    let (rpod, _registry, _) = with_container();
    rpod.run(&["system", "migrate"])
        .success()
        .stdout_is("Looked at 1 containers and 1 images: nothing to migrate\n");
    let other = rpod.store().join("layers/other-ids").join("b".repeat(64));
    std::fs::create_dir_all(other.join("tree")).unwrap();
    rpod.run(&["system", "migrate"])
        .success()
        .stdout_has("removed 1 layer of other subordinate ids");
    assert!(!other.exists());
    let id = rpod.inspect("user", "{{.Id}}");
    let record = rpod.store().join("containers").join(&id);
    let record = record.join("container.json");
    let kept = std::fs::read_to_string(&record).unwrap();
    let newer = kept.replacen("\"version\":1", "\"version\":9", 1);
    assert_ne!(kept, newer);
    std::fs::write(&record, newer).unwrap();
    rpod.run(&["system", "migrate"])
        .fails(1)
        .stdout_has("container \"user\" is written in form 9");
    std::fs::write(&record, kept).unwrap();
    rpod.remove_all();
}

#[test]
fn migrate_takes_no_layer_while_a_container_cannot_be_read() {
    let (rpod, _registry, _) = with_container();
    let other = rpod.store().join("layers/other-ids").join("b".repeat(64));
    std::fs::create_dir_all(other.join("tree")).unwrap();
    let id = rpod.inspect("user", "{{.Id}}");
    let record = rpod.store().join("containers").join(&id);
    let record = record.join("container.json");
    let kept = std::fs::read(&record).unwrap();
    std::fs::write(&record, "{").unwrap();
    rpod.run(&["system", "migrate"])
        .fails(1)
        .stdout_has("cannot be read")
        .stdout_has("Looked at 1 containers and 1 images: nothing was removed\n");
    assert!(other.exists());
    std::fs::write(&record, kept).unwrap();
    rpod.remove_all();
}

#[test]
fn a_container_that_runs_is_not_forgotten_though_its_state_is_lost() {
    let (rpod, registry, _) = with_container();
    let name = registry.name("tiny");
    rpod.start(&["--name", "runs", &name, "sleep", "1000"]);
    let id = rpod.inspect("runs", "{{.Id}}");
    let state = rpod.store().join("containers").join(&id).join("state.json");
    let kept = std::fs::read(&state).unwrap();
    std::fs::write(&state, "{").unwrap();
    let forced = rpod.run(&["system", "check", "--repair", "--force"]);
    forced.fails(1).stderr_has("it runs");
    assert!(state.exists());
    std::fs::write(&state, kept).unwrap();
    rpod.run(&["exec", "runs", "true"]).success();
    rpod.run(&["rm", "-f", "runs"]).success();
    // One that has ended goes, with the volume that was made for it alone.
    rpod.run(&["create", "--name", "ended", "-v", "/alone", &name])
        .success();
    let id = rpod.inspect("ended", "{{.Id}}");
    assert_eq!(
        rpod.run(&["volume", "ls", "-q"]).stdout().lines().count(),
        2
    );
    let state = rpod.store().join("containers").join(&id).join("state.json");
    std::fs::write(&state, "{").unwrap();
    rpod.run(&["system", "check", "--repair", "--force"])
        .success()
        .stdout_has("mended: container ");
    rpod.run(&["volume", "ls", "-q"])
        .success()
        .stdout_is("mine\n");
    rpod.remove_all();
}

#[test]
fn a_container_whose_layers_are_lost_is_forgotten_once() {
    let image = Image::new("two")
        .layer(Layer::new().file("a", "a"))
        .layer(Layer::new().file("b", "b"))
        .cmd(&["/a"]);
    let rpod = loaded(&image, "two");
    rpod.run(&["create", "--name", "user", "-v", "/alone", "two"])
        .success();
    rpod.run(&["rmi", "-f", "two"]).success();
    for map in std::fs::read_dir(rpod.store().join("layers")).unwrap() {
        std::fs::remove_dir_all(map.unwrap().path()).unwrap();
    }
    rpod.run(&["system", "check", "--repair"])
        .fails(1)
        .stderr_has("no image here has layer");
    let forced = rpod.run(&["system", "check", "--repair", "--force"]);
    forced.success().stdout_has("mended: layer ");
    assert_eq!(forced.stderr(), "");
    rpod.run(&["ps", "-aq"]).success().stdout_is("");
    rpod.run(&["volume", "ls", "-q"]).success().stdout_is("");
}

#[test]
fn with_no_byte_free_no_container_is_forgotten() {
    require!(probe::user_namespaces(), "user namespaces are forbidden");
    let rpod = Sandbox::new();
    let script = r#"
        mount -t tmpfs -o size=64m,mode=700 tmpfs "$HOME"
        "$RPOD" load -q -i "$ARCHIVE"
        "$RPOD" create --name kept --network none busybox echo kept
        for layer in "$HOME"/.local/share/rpod/layers/*/*; do rm -r "$layer/tree"; done
        cat /dev/zero > "$HOME/filler" 2> /dev/null || true
        "$RPOD" system check --repair --force && exit 90
        rm "$HOME/filler"
        "$RPOD" ps -a --format 'there: {{.Names}}'
        "$RPOD" system check --repair
        "$RPOD" start -a kept
    "#;
    let ran = rpod
        .other("unshare", &["-Urm", "sh", "-ec", script])
        .env("RPOD", rpod.program())
        .env("ARCHIVE", built("busybox"))
        .run();
    ran.success()
        .stdout_has("there: kept\n")
        .stdout_has("\nkept\n");
}

#[test]
fn what_was_loaded_and_broken_is_told_with_its_way_out() {
    let rpod = loaded(&Image::new("one").layer(Layer::new().file("f", "f")), "one");
    let blobs = rpod.store().join("images/blobs/sha256");
    let sizes = std::fs::read_dir(&blobs)
        .unwrap()
        .flatten()
        .map(|e| e.path());
    let layer = sizes
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    std::fs::remove_file(layer).unwrap();
    let broken = rpod.run(&["system", "check", "--repair"]);
    broken
        .fails(1)
        .stdout_has("it is not there")
        .stderr_has("no registry has it")
        .stderr_has("rpod rmi -f");
    rpod.run(&["rmi", "-f", "one"]).success();
    rpod.run(&["system", "check"]).success();
}
