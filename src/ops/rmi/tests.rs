//! What goes when an image is removed, and what stays.
//! Lives here: tests only.
//! Must not: touch the user's own store.
//! Called by: the test command.
//! Always true: each test says what it holds in its name.

use serde_json::json;

use super::{Options, Plan};
use crate::error::{Error, Kind};
use crate::ops::ps::tests::{put, record, session};
use crate::ops::{Session, images, tag};
use crate::spec::container::Status;
use crate::spec::digest::Digest;
use crate::store::gc::{Partials, Patience};
use crate::store::images::Entry;
use crate::store::layers::{Durable, LayerInfo};

/// Puts an image into the store whose layers are the words given; returns its id.
fn image(session: &Session, name: &str, layers: &[&str]) -> Digest {
    let store = &session.store;
    let diff_ids: Vec<Digest> = layers.iter().map(|l| Digest::of(l.as_bytes())).collect();
    for diff_id in &diff_ids {
        let staged = store.stage_layer().expect("staged");
        let info = LayerInfo::default();
        store
            .publish_layer(staged, "single", diff_id, info, Durable::Later)
            .expect("published");
    }
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2024-08-04T18:51:00Z",
        "config": { "Labels": { "for": name } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = serde_json::to_vec(&config).expect("written");
    let id = store.add_blob(&config).expect("stored");
    let parts: Vec<_> = layers
        .iter()
        .map(|layer| {
            json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": store.add_blob(layer.as_bytes()).expect("stored"), "size": layer.len(),
            })
        })
        .collect();
    let manifest = json!({
        "schemaVersion": 2, "layers": parts,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": id, "size": config.len(),
        },
    });
    let manifest = serde_json::to_vec(&manifest).expect("written");
    let digest = store.add_blob(&manifest).expect("stored");
    let size = manifest.len() as u64;
    let name = name.parse().expect("a name");
    let entry = Entry::new("application/x", digest, size, Some(&name));
    store.add_image(entry).expect("added");
    id
}

fn untagged(plan: &Plan) -> Vec<String> {
    plan.names.iter().map(|name| name.familiar()).collect()
}

fn blobs(session: &Session) -> usize {
    let path = session.store.root().join("images/blobs/sha256");
    std::fs::read_dir(path).expect("listed").count()
}

fn unname(session: &Session, name: &str, force: bool) -> crate::error::Result<Plan> {
    let options = Options {
        force,
        ..Options::default()
    };
    let plan = super::unname(session, name, &options)?;
    let collected = session.store.collect(Patience::Skip, Partials::Expired);
    assert!(collected.expect("collected").is_some());
    Ok(plan)
}

fn refused(session: &Session, name: &str, force: bool) -> Error {
    let before = session.store.image_entries().expect("read");
    let error = unname(session, name, force).expect_err("in use");
    assert_eq!(session.store.image_entries().expect("read"), before);
    error
}

#[test]
fn the_last_name_takes_the_image_and_leaves_what_others_have() {
    let (_dir, session) = session();
    let id = image(&session, "one", &["shared", "own"]);
    image(&session, "two", &["shared", "more"]);
    tag::tag(&session, "one", "localhost:5000/my-one").expect("tagged");
    let plan = unname(&session, "one", false).expect("untagged");
    assert_eq!(
        (untagged(&plan), plan.image),
        (vec!["one:latest".to_owned()], None)
    );
    assert_eq!(blobs(&session), 7);
    let plan = unname(&session, "localhost:5000/my-one", false).expect("removed");
    assert_eq!(plan.image, Some(id));
    // The configuration, the manifest and the layer that were its alone.
    assert_eq!(blobs(&session), 4);
    for (layer, stays) in [("shared", true), ("own", false), ("more", true)] {
        let diff_id = Digest::of(layer.as_bytes());
        assert_eq!(
            session.store.has_layer("single", &diff_id),
            stays,
            "{layer}"
        );
        assert_eq!(session.store.has_blob(&diff_id), stays, "{layer}");
    }
    assert_eq!(session.store.garbage().len(), 4);
    let error = refused(&session, "one", false);
    assert_eq!(error.kind(), Kind::NotFound);
}

#[test]
fn an_id_with_several_names_needs_force() {
    let (_dir, session) = session();
    let id = image(&session, "one", &["x"]);
    tag::tag(&session, id.short(), "team/two:2").expect("tagged");
    let error = refused(&session, id.short(), false);
    assert_eq!(
        error.to_string(),
        "it has several names: one:latest, team/two:2"
    );
    let plan = unname(&session, id.short(), true).expect("removed");
    assert_eq!(untagged(&plan), ["one:latest", "team/two:2"]);
    assert_eq!(blobs(&session), 0);
}

#[test]
fn an_image_in_use_stays_and_its_containers_are_named() {
    let (_dir, session) = session();
    let id = image(&session, "one", &["x"]);
    let container = json!({ "image_id": id, "layers": [Digest::of(b"x")] });
    let web = record(&session, "web", container.clone());
    put(&session, &web, Status::Exited);
    let error = refused(&session, "one", false);
    assert_eq!(error.to_string(), "it is in use by container \"web\"");
    assert!(error.hints()[0].contains("`rpod rm web`"), "{error:?}");
    let shop = record(&session, "shop", container);
    put(&session, &shop, Status::Running);
    let error = refused(&session, "one", true);
    assert_eq!(
        error.to_string(),
        "it is in use by the running container \"shop\""
    );
    session.store.remove_container(&shop).expect("removed");
    let plan = unname(&session, "one", true).expect("removed");
    assert_eq!(plan.image, Some(id));
    // The container that is left still has its files.
    assert!(session.store.has_layer("single", &Digest::of(b"x")));
}

#[test]
fn two_names_of_an_image_are_two_rows_with_one_id() {
    let (_dir, session) = session();
    let id = image(&session, "one", &["x"]);
    tag::tag(&session, "one", "two:1").expect("tagged");
    image(&session, "three", &["x"]);
    let container = json!({ "image_id": id });
    put(
        &session,
        &record(&session, "web", container),
        Status::Exited,
    );
    let rows = |name: Option<&str>, filter: Option<(&str, &str)>| {
        let options = images::Options {
            name: name.map(str::to_owned),
            filters: filter
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
        };
        images::list(&session, &options).expect("listed")
    };
    let same: Vec<_> = rows(None, None)
        .into_iter()
        .filter(|row| row.id == id)
        .collect();
    let names: Vec<_> = same.iter().map(|row| row.repository.as_deref()).collect();
    assert_eq!(names, [Some("one"), Some("two")]);
    assert!(same.iter().all(|row| row.containers == 1));
    for (name, filter, count) in [
        (Some("two"), None, 1),
        (Some("t*"), None, 2),
        (None, Some(("label", "for=three")), 1),
        (None, Some(("label", "for")), 3),
        (None, Some(("dangling", "true")), 0),
        (None, Some(("reference", "two:*")), 1),
        (None, Some(("before", "three")), 0),
    ] {
        assert_eq!(rows(name, filter).len(), count, "{name:?} {filter:?}");
    }
}

#[test]
fn a_digest_cannot_be_given_and_what_is_not_there_not_tagged() {
    let (_dir, session) = session();
    image(&session, "one", &["x"]);
    let digest = format!("one@{}", Digest::of(b""));
    assert!(tag::tag(&session, "one", &digest).is_err());
    let error = tag::tag(&session, "nothing", "x").expect_err("not there");
    assert_eq!(
        error.to_string(),
        "cannot tag \"nothing\" as \"x\": no such image: \"nothing\""
    );
}
