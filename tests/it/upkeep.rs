//! The store looks after itself: what nothing needs is found and deleted, also
//! on a full disk, and never what somebody is just adding.

use std::time::Duration;

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
