//! Pulls that were broken off and begun again: what is on disk is not fetched twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::image::{Image, busybox_layer};
use crate::support::registry::{HostileRegistry, Kind, Reply, Request};
use crate::support::{Sandbox, eventually};

/// Bytes that cannot be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    std::iter::repeat_with(|| next().to_le_bytes())
        .flatten()
        .take(length)
        .collect()
}

/// An image whose one layer is a few MB, and the size of that.
fn large() -> (Image, usize) {
    let layer = busybox_layer().file("noise", noise(4 << 20)).gzip();
    let size = layer.blob().len();
    (Image::new("large").layer(layer).cmd(&["true"]), size)
}

/// The registry of an image whose layer is answered for as the test says.
fn registry(
    image: &Image,
    layer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> HostileRegistry {
    HostileRegistry::serve(image, move |request| match request.kind() {
        Kind::Blob => layer(request),
        _ => Reply::Honest,
    })
}

/// At most 1.02 times the blob, and the image runs.
fn fetched_once(rpod: &Sandbox, registry: &HostileRegistry, size: usize) {
    let sent = registry.blob_bytes();
    assert!(sent >= size, "{sent} of {size} bytes");
    assert!(
        sent <= size * 102 / 100,
        "{sent} bytes for a blob of {size}"
    );
    rpod.run(&["run", "--rm", "--pull", "never", &registry.name("large")])
        .success();
}

#[test]
fn a_blob_cut_at_nine_tenths_goes_on_in_the_same_pull() {
    let rpod = Sandbox::new();
    let (image, size) = large();
    let registry = registry(&image, move |request| match request.earlier {
        0 => Reply::Cut(size * 9 / 10),
        _ => Reply::Honest,
    });
    rpod.run(&["pull", &registry.name("large")]).success();
    fetched_once(&rpod, &registry, size);
}

#[test]
fn a_blob_cut_at_nine_tenths_goes_on_in_a_later_pull() {
    let rpod = Sandbox::new();
    let (image, size) = large();
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let registry = registry(&image, move |request| {
        match (request.earlier, is_broken.load(Ordering::Relaxed)) {
            (0, true) => Reply::Cut(size * 9 / 10),
            (_, true) => Reply::Status(500, String::new(), String::new()),
            (_, false) => Reply::Honest,
        }
    });
    let name = registry.name("large");
    rpod.run(&["pull", "--retry", "1", &name]).refuses();
    assert_eq!(rpod.run(&["images", "-q"]).success().stdout(), "");
    broken.store(false, Ordering::Relaxed);
    rpod.run(&["pull", &name]).success();
    fetched_once(&rpod, &registry, size);
}

#[test]
fn a_blob_cut_by_a_kill_goes_on_in_a_later_pull() {
    let rpod = Sandbox::new();
    let (image, size) = large();
    let registry = registry(&image, move |request| match request.earlier {
        0 => Reply::Stall(size * 9 / 10),
        _ => Reply::Honest,
    });
    let name = registry.name("large");
    let mut pulling = rpod.command(&["pull", &name]).spawn();
    let partial = rpod.store().join("partial");
    eventually("nine tenths are on disk", || {
        let sizes = std::fs::read_dir(&partial).into_iter().flatten().flatten();
        sizes
            .filter_map(|entry| entry.metadata().ok())
            .any(|meta| meta.len() as usize >= size * 9 / 10)
    });
    pulling.signal("KILL");
    let killed = pulling.finish(Duration::from_secs(10));
    assert_ne!(killed.code, Some(0), "{killed}");
    rpod.run(&["pull", &name]).success();
    fetched_once(&rpod, &registry, size);
}

#[test]
fn a_blob_that_one_mirror_began_is_finished_by_the_registry() {
    let rpod = Sandbox::new();
    let (image, size) = large();
    let mirror = registry(&image, move |request| match request.earlier {
        0 => Reply::Cut(size * 9 / 10),
        _ => Reply::Status(500, String::new(), String::new()),
    });
    let own = registry(&image, |_| Reply::Honest);
    let conf = rpod.home().join(".config/containers/registries.conf");
    std::fs::create_dir_all(conf.parent().unwrap()).unwrap();
    let text = format!(
        "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}\"\n",
        own.address(),
        mirror.address()
    );
    std::fs::write(conf, text).unwrap();
    rpod.run(&["pull", &own.name("large")])
        .success()
        .stderr_has("is passed over");
    let sent = mirror.blob_bytes() + own.blob_bytes();
    assert!(
        sent <= size * 102 / 100,
        "{sent} bytes for a blob of {size}"
    );
}

#[test]
fn two_pulls_at_once_fetch_a_layer_once() {
    let rpod = Sandbox::new();
    let (image, size) = large();
    let waiting = Arc::new(Mutex::new(()));
    let gate = Arc::clone(&waiting);
    let held = waiting.lock().unwrap();
    let registry = registry(&image, move |_| {
        drop(gate.lock().unwrap());
        Reply::Honest
    });
    let (one, two) = (registry.name("large:1"), registry.name("large:2"));
    let first = rpod.command(&["pull", &one]).spawn();
    let second = rpod.command(&["pull", &two]).spawn();
    let manifests = || {
        let requests = registry.requests();
        requests
            .iter()
            .filter(|r| r.kind() == Kind::Manifest)
            .count()
    };
    eventually("both are under way", || manifests() >= 2);
    drop(held);
    for pull in [first, second] {
        pull.finish(Duration::from_secs(60)).success();
    }
    assert_eq!(registry.blob_bytes(), size);
}
