//! What a walk reaches, and what a collection takes and leaves.
//! Lives here: tests only.
//! Must not: touch the user's own store.
//! Called by: the test command.
//! Always true: each test says what it holds in its name.

use std::time::SystemTime;

use serde_json::json;

use super::{Garbage, PARTIAL_LIFE, Partials, Patience};
use crate::spec::digest::Digest;
use crate::store::Store;
use crate::store::images::Entry;
use crate::store::layers::{Durable, LayerInfo};

const OURS: &str = "single";

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("rpod")).expect("a store");
    (dir, store)
}

/// Stores an image of one layer; returns its manifest's digest.
fn image(store: &Store, layer: &str) -> Digest {
    let diff_id = Digest::of(layer.as_bytes());
    let staged = store.stage_layer().expect("staged");
    let info = LayerInfo { size: 10, files: 1 };
    store
        .publish_layer(staged, OURS, &diff_id, info, Durable::Now)
        .expect("published");
    let add = |value: serde_json::Value| store.add_blob(value.to_string().as_bytes());
    let config = add(json!({ "config": { "Cmd": ["sh"] },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] } }))
    .expect("added");
    let blob = store.add_blob(layer.as_bytes()).expect("added");
    add(json!({ "config": { "digest": config }, "layers": [{ "digest": blob }] })).expect("added")
}

fn named(store: &Store, digest: &Digest, name: &str) {
    let name = name.parse().expect("a name");
    let entry = Entry::new("m", digest.clone(), 1, Some(&name));
    store.add_image(entry).expect("added");
}

fn collect(store: &Store) -> Vec<Garbage> {
    let found = store.collect(Patience::Skip, Partials::Expired);
    found.expect("collected").expect("alone").things
}

#[test]
fn what_a_list_leads_to_stays_and_the_rest_goes() {
    let (_dir, store) = store();
    let (ours, theirs) = (image(&store, "ours"), Digest::of(b"of another machine"));
    let list = json!({ "manifests": [{ "digest": ours }, { "digest": theirs }] }).to_string();
    let list = store.add_blob(list.as_bytes()).expect("added");
    named(&store, &list, "list");
    assert_eq!(collect(&store), []);
    let loose = image(&store, "loose");
    let gone = collect(&store);
    assert_eq!(gone.len(), 4, "{gone:?}");
    assert!(gone.contains(&Garbage::Blob(loose)));
    let diff_id = Digest::of(b"loose");
    assert!(gone.contains(&Garbage::Layer(OURS.to_owned(), diff_id.clone())));
    assert!(!store.has_layer(OURS, &diff_id) && store.has_layer(OURS, &Digest::of(b"ours")));
    assert_eq!(store.garbage().len(), 4);
    store.sweep();
    assert_eq!(store.garbage().len(), 0);
}

#[test]
fn a_document_that_cannot_be_read_keeps_every_blob_and_layer() {
    let (_dir, store) = store();
    let broken = store.add_blob(b"{").expect("added");
    named(&store, &broken, "broken");
    image(&store, "loose");
    let found = store.collect(Patience::Skip, Partials::Expired);
    let found = found.expect("collected").expect("alone");
    assert_eq!((found.things, found.unreadable), (vec![], vec![broken]));
}

#[test]
fn nothing_is_collected_while_somebody_adds() {
    let (_dir, store) = store();
    let lease = store.lease().expect("a lease");
    let other = store.lease().expect("another lease");
    image(&store, "being added");
    let skip = || store.collect(Patience::Skip, Partials::All);
    assert_eq!(skip().expect("no error"), None);
    drop(lease);
    assert_eq!(skip().expect("no error"), None);
    let waits = {
        let store = store.clone();
        std::thread::spawn(move || store.collect(Patience::Wait, Partials::All))
    };
    drop(other);
    let found = waits.join().expect("ended").expect("no error");
    assert_eq!(found.expect("collected").things.len(), 4);
}

#[test]
fn beginnings_expire_and_idle_locks_go() {
    let (_dir, store) = store();
    let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
    for digest in [&old, &new] {
        std::fs::write(store.partial_path(digest), b"half").expect("written");
        drop(store.lock_blob(digest).expect("locked"));
    }
    let file = std::fs::File::options()
        .write(true)
        .open(store.partial_path(&old))
        .expect("opened");
    let then = SystemTime::now() - PARTIAL_LIFE - PARTIAL_LIFE / 100;
    file.set_modified(then).expect("set");
    let held = store.lock_blob(&new).expect("locked");
    assert_eq!(collect(&store), [Garbage::Partial(old.hex().to_owned())]);
    let partial = store.root().join("partial");
    let count = || std::fs::read_dir(&partial).expect("listed").count();
    assert_eq!(count(), 2, "the young one and its lock, which is held");
    drop(held);
    collect(&store);
    assert_eq!(count(), 1);
    let all = store.collect(Patience::Skip, Partials::All);
    assert_eq!(all.expect("no error").expect("alone").bytes, 4);
    assert_eq!(count(), 0);
}

#[test]
fn a_lock_that_was_deleted_under_us_is_made_again() {
    let (_dir, store) = store();
    let digest = Digest::of(b"x");
    let first = store.lock_blob(&digest).expect("locked");
    let waits = {
        let (store, digest) = (store.clone(), digest.clone());
        std::thread::spawn(move || store.lock_blob(&digest))
    };
    std::thread::sleep(std::time::Duration::from_millis(50));
    let path = store.partial_path(&digest).with_extension("lock");
    std::fs::remove_file(&path).expect("removed");
    drop(first);
    let second = waits.join().expect("ended").expect("locked");
    let third = std::fs::File::open(&path).expect("it is there again");
    assert!(third.try_lock().is_err(), "and it is the one that is held");
    drop(second);
}
