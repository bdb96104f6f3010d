//! What is in the store and what it is called: `images`, `tag`, `rmi`, `history`.

use crate::support::Sandbox;
use crate::support::image::{Image, Layer, busybox, busybox_layer};
use crate::support::normalise::normalise;

fn with_busybox() -> (Sandbox, String) {
    let rpod = Sandbox::new();
    let image = busybox("tiny:1.0");
    let archive = rpod.work().join("tiny.tar");
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    (rpod, image.id())
}

#[test]
fn images_shows_names_ids_and_sizes() {
    let (rpod, id) = with_busybox();
    let shown = rpod.run(&["images"]).success().stdout();
    let header: Vec<_> = shown
        .lines()
        .next()
        .unwrap()
        .split("  ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(header, ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    let row: Vec<_> = shown
        .lines()
        .nth(1)
        .unwrap()
        .split("  ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(row[..3], ["tiny", "1.0", &id[7..19]]);
    assert!(
        row[3].ends_with(" ago") && row[4].ends_with("MB"),
        "{row:?}"
    );
    rpod.run(&["images", "-q"])
        .success()
        .stdout_is(&format!("{}\n", &id[7..19]));
    rpod.run(&["images", "-q", "--no-trunc"])
        .success()
        .stdout_is(&format!("{id}\n"));
}

#[test]
fn tag_gives_a_second_name_and_rmi_takes_names_before_the_image() {
    let (rpod, id) = with_busybox();
    rpod.run(&["tag", "tiny:1.0", "other/name:2"])
        .success()
        .stdout_is("");
    let shown = rpod.run(&["images"]).success().stdout();
    assert_eq!(shown.matches(&id[7..19]).count(), 2, "{shown}");
    let first = rpod.run(&["rmi", "other/name:2"]).success().stdout();
    assert_eq!(first, "Untagged: other/name:2\n");
    let last = rpod.run(&["rmi", "tiny:1.0"]).success().stdout();
    let lines: Vec<_> = last.lines().collect();
    assert_eq!(lines[0], "Untagged: tiny:1.0");
    assert_eq!(lines[1], format!("Deleted: {id}"));
    assert!(
        normalise(&last)
            .lines()
            .skip(1)
            .all(|line| line == "Deleted: <digest>")
    );
    assert_eq!(rpod.run(&["images", "-q"]).success().stdout(), "");
}

#[test]
fn rmi_by_id_refuses_several_names_unless_forced() {
    let (rpod, id) = with_busybox();
    rpod.run(&["tag", "tiny:1.0", "two"]).success();
    let refused = rpod.run(&["rmi", &id[7..19]]);
    assert_ne!(refused.code, Some(0));
    rpod.run(&["rmi", "-f", &id[7..19]]).success();
    assert_eq!(rpod.run(&["images", "-q"]).success().stdout(), "");
}

#[test]
fn rmi_refuses_what_a_container_uses_and_names_it() {
    let (rpod, _) = with_busybox();
    rpod.run(&["create", "--name", "user", "tiny:1.0", "true"])
        .success();
    let refused = rpod.run(&["rmi", "tiny:1.0"]);
    assert_ne!(refused.code, Some(0));
    refused.stderr_has("user");
    rpod.run(&["rm", "user"]).success();
    rpod.run(&["rmi", "tiny:1.0"]).success();
}

#[test]
fn rmi_frees_the_disk() {
    let (rpod, _) = with_busybox();
    rpod.run(&["rmi", "tiny:1.0"]).success();
    let blobs = rpod.store().join("images/blobs/sha256");
    let left = std::fs::read_dir(blobs).into_iter().flatten().count();
    assert_eq!(left, 0, "blobs of no image");
    let maps = std::fs::read_dir(rpod.store().join("layers"));
    for map in maps.into_iter().flatten().flatten() {
        let layers = std::fs::read_dir(map.path()).into_iter().flatten().count();
        assert_eq!(layers, 0, "layers of no image in {:?}", map.path());
    }
}

#[test]
fn layers_that_images_share_are_stored_once() {
    let rpod = Sandbox::new();
    for name in ["one", "two"] {
        let archive = rpod.work().join(format!("{name}.tar"));
        let own = Layer::new().file("name", name);
        let image = Image::new(name)
            .layer(busybox_layer())
            .layer(own)
            .cmd(&["cat", "/name"]);
        image.write_docker_archive(&archive);
        rpod.load(&archive);
        rpod.run(&["run", "--rm", name]).success().stdout_is(name);
    }
    let maps: Vec<_> = std::fs::read_dir(rpod.store().join("layers"))
        .unwrap()
        .flatten()
        .collect();
    let count: usize = maps
        .iter()
        .map(|map| std::fs::read_dir(map.path()).unwrap().count())
        .sum();
    assert_eq!(count, 3, "busybox once, and one of each");
}

#[test]
fn whiteouts_hide_what_is_below() {
    let rpod = Sandbox::new();
    let below = busybox_layer()
        .directory("d")
        .file("d/a", "a")
        .file("d/b", "b")
        .directory("o")
        .file("o/old", "");
    let above = Layer::new()
        .directory("d")
        .whiteout("d/a")
        .directory("o")
        .opaque("o")
        .file("o/new", "");
    let image = Image::new("white")
        .layer(below)
        .layer(above)
        .cmd(&["ls", "/d", "/o"]);
    let archive = rpod.work().join("white.tar");
    image.write_docker_archive(&archive);
    rpod.load(&archive);
    rpod.run(&["run", "--rm", "white"])
        .success()
        .stdout_is("/d:\nb\n\n/o:\nnew\n");
}
