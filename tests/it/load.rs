//! Images from files and standard input, and back out: `load`, `save`.

use crate::support::Sandbox;
use crate::support::image::{Image, Layer, built, built_layout, busybox_layer};

fn greeting(layer: impl Fn(Layer) -> Layer) -> Image {
    let own = layer(Layer::new().file("greeting", "hello"));
    Image::new("greet")
        .layer(layer(busybox_layer()))
        .layer(own)
        .cmd(&["cat", "/greeting"])
}

fn greets(rpod: &Sandbox) {
    rpod.run(&["run", "--rm", "greet"])
        .success()
        .stdout_is("hello");
}

#[test]
fn load_takes_an_archive_of_docker_save() {
    let rpod = Sandbox::new();
    let archive = rpod.write("image.tar", greeting(|layer| layer).docker_archive());
    let loaded = rpod.load(&archive);
    assert_eq!(loaded, "Loaded image: greet:latest\n");
    greets(&rpod);
}

#[test]
fn load_takes_an_archive_on_its_input_plain_and_compressed() {
    let image = greeting(|layer| layer);
    let plain = image.docker_archive();
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    for bytes in [plain, gzip.finish().unwrap(), zstd] {
        let rpod = Sandbox::new();
        rpod.command(&["load"])
            .stdin(bytes)
            .run()
            .success()
            .stdout_has("greet:latest");
        greets(&rpod);
    }
}

#[test]
fn load_takes_an_oci_layout_as_a_directory_and_as_an_archive() {
    for layer in [|layer: Layer| layer, Layer::gzip, Layer::zstd] {
        let image = greeting(layer);
        let rpod = Sandbox::new();
        let directory = rpod.work().join("layout");
        image.write_layout(&directory);
        rpod.load(&directory);
        greets(&rpod);
        let rpod = Sandbox::new();
        rpod.command(&["load", "-q"])
            .stdin(image.layout_archive())
            .run()
            .success();
        greets(&rpod);
    }
}

#[test]
fn load_keeps_the_image_id() {
    let rpod = Sandbox::new();
    let image = greeting(Layer::gzip);
    rpod.command(&["load"])
        .stdin(image.docker_archive())
        .run()
        .success();
    let shown = rpod.run(&["images", "-q", "--no-trunc"]).success().line();
    assert_eq!(shown, image.id());
}

#[test]
fn load_takes_the_images_of_debian() {
    let rpod = Sandbox::new();
    rpod.load(&built("busybox"));
    rpod.load(&built_layout("debian"));
    rpod.run(&["run", "--rm", "debian", "cat", "/etc/os-release"])
        .success()
        .stdout_has("bookworm");
}

#[test]
fn load_says_what_is_wrong_with_what_is_no_archive() {
    let rpod = Sandbox::new();
    let text = rpod.write("text", "this is not an archive\n".repeat(100));
    let text = text.to_str().unwrap();
    rpod.run(&["load", "-i", text]).refuses().stderr_has(text);
    rpod.run(&["load", "-i", "missing.tar"])
        .refuses()
        .stderr_has("missing.tar");
    rpod.command(&["load"]).stdin("").run().refuses();
    let whole = greeting(|layer| layer).docker_archive();
    rpod.command(&["load"])
        .stdin(&whole[..whole.len() / 2])
        .run()
        .refuses();
    assert_eq!(rpod.run(&["images", "-q"]).success().stdout(), "");
}

#[test]
fn run_warns_of_an_image_for_another_machine_and_tries() {
    let rpod = Sandbox::new();
    let image = greeting(|layer| layer).platform("s390x", "linux");
    rpod.command(&["load"])
        .stdin(image.docker_archive())
        .run()
        .success();
    // As docker: an interpreter that the kernel knows may run it. This one is not
    // really for that machine.
    rpod.run(&["run", "--rm", "greet"])
        .success()
        .stderr_has("linux/s390x");
}
