//! What a container's files are made of, for whoever puts them together.
//!
//! Lives here: the ids they were made with, their layers, which are unpacked again where
//! they were lost, and the volumes that are filled first.
//! Must not: mount anything (`rootfs`, `runtime`).
//! Called by: `ops::{launch, cp, diff, commit, export, check, mount}`.
//! Always true: a start and a copy see the same tree.

use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::image::layer::{self, Report};
use crate::ops::{Session, sweep};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::progress::{Silent, Step};
use crate::rootfs::Tree;
use crate::runtime::apt;
use crate::runtime::volume::Fill;
use crate::spec::container::{NetworkMode, Record};
use crate::spec::digest::Digest;
use crate::spec::id::ContainerId;
use crate::spec::idmap::IdMap;
use crate::spec::mount::Source;
use crate::store::Store;
use crate::store::images::Image;

/// Returns the user's ids, if they are still those that the container was made with.
pub fn identity(session: &Session, record: &Record) -> Result<Identity> {
    let identity = Identity::of(&session.host)?;
    if identity.map.name() != record.id_map {
        return Err(Error::of(
            Kind::Conflict,
            "your subordinate ids are not those it was made with, so its files would belong to others",
        )
        .hint("give the user the ids back that /etc/subuid and /etc/subgid had, or make the container anew"));
    }
    Ok(identity)
}

/// Returns a container's layers and where its changes go.
pub fn tree(store: &Store, record: &Record) -> Result<Tree> {
    let path = store.container_path(&record.id);
    let there = |diff_id: &&Digest| store.has_layer(&record.id_map, diff_id);
    if let Some(missing) = record.layers.iter().find(|diff_id| !there(diff_id)) {
        return Err(Error::new(format!(
            "a layer of image \"{}\" is missing (\"{}\")",
            record.image,
            store.layer_tree(&record.id_map, missing).display()
        ))
        .hint("unpack it again, or hear what can be done: `rpod system check --repair`"));
    }
    let paths = record.layers.iter();
    let mut layers: Vec<PathBuf> = paths
        .map(|diff_id| store.layer_tree(&record.id_map, diff_id))
        .collect();
    if layers.is_empty() {
        // An overlay needs something below.
        let empty = path.join("empty");
        fs::create_dir_all(&empty)?;
        layers.push(empty);
    }
    Ok(Tree {
        layers,
        upper: path.join("upper"),
        work: path.join("work"),
        volatile: record.remove,
    })
}

/// Unpacks what is missing of a container's layers again: the machine may have stopped
/// before their files had reached the disk.
pub fn complete(session: &Session, identity: &Identity, record: &Record) -> Result<()> {
    for layer in &record.layers {
        if !session.store.has_layer(&record.id_map, layer) {
            unpack_for(session, identity, record, layer)?;
        }
    }
    Ok(())
}

/// Unpacks a layer that a container needs out of any image that has it.
pub fn unpack_for(
    session: &Session,
    identity: &Identity,
    record: &Record,
    diff_id: &Digest,
) -> Result<()> {
    if record.id_map != identity.map.name() {
        return Err(Error::new(
            "it was made with other subordinate ids than you have now",
        ));
    }
    let entries = session.store.image_entries()?;
    let mut failure = None;
    for entry in entries
        .iter()
        .flat_map(|entry| session.store.members(entry).unwrap_or_default())
    {
        if let Ok(image) = session.store.load_image(&entry)
            && image.layers.iter().any(|layer| layer.diff_id == *diff_id)
        {
            // Another image may have the same files in another blob.
            match unpack(session, identity, &image, diff_id) {
                Err(error) => failure = Some(error),
                done => return done,
            }
        }
    }
    let absent = || {
        let text = format!("no image here has layer {} any more", diff_id.short());
        Error::new(text).hint(format!("get it back with `rpod pull {}`", record.image))
    };
    Err(failure.unwrap_or_else(absent))
}

/// Unpacks one layer of an image, from its blob.
pub fn unpack(
    session: &Session,
    identity: &Identity,
    image: &Image,
    diff_id: &Digest,
) -> Result<()> {
    let layer = image.layers.iter().find(|layer| layer.diff_id == *diff_id);
    let layer = layer.ok_or_else(|| Error::internal("an image without its own layer"))?;
    run_inside(identity, || {
        let _lease = session.store.lease()?;
        let (progress, step) = (&Silent, Step(0));
        layer::unpack_blob(
            &session.store,
            layer,
            &identity.map,
            Report { progress, step },
        )
        .map(drop)
    })?;
    sweep::settle(session);
    Ok(())
}

/// Returns an image's layers, the lowest first.
///
/// # Errors
/// When one is not unpacked, or may not be whole.
pub fn of_image(store: &Store, map: &IdMap, image: &Image) -> Result<Vec<PathBuf>> {
    let map = map.name();
    let layers = image.layers.iter().map(|layer| {
        let tree = store.layer_tree(&map, &layer.diff_id);
        if store.has_layer(&map, &layer.diff_id) {
            return Ok(tree);
        }
        Err(
            Error::new(format!("a layer is not unpacked (\"{}\")", tree.display()))
                .hint("unpack it again, or hear what can be done: `rpod system check --repair`"),
        )
    });
    layers.collect()
}

/// Returns the files of ours that a container has: where each is written at a start, and
/// where it stands inside. Three of `/etc` tell who and where it is; who shares a
/// container's network has that container's.
pub fn files(store: &Store, record: &Record) -> Vec<(String, String)> {
    let path = store.container_path(&network_of(store, record));
    let mut files: Vec<(String, String)> = ["hosts", "hostname", "resolv.conf"]
        .iter()
        .map(|name| {
            (
                path.join(name).display().to_string(),
                format!("/etc/{name}"),
            )
        })
        .collect();
    if has_apt_file(store, record) {
        let path = store.container_path(&record.id).join(apt::NAME);
        files.push((path.display().to_string(), apt::TARGET.to_owned()));
    }
    files
}

/// Says whether a container has the file that lets apt work with one id.
fn has_apt_file(store: &Store, record: &Record) -> bool {
    let layers = record.layers.iter();
    let mut trees = layers.map(|layer| store.layer_tree(&record.id_map, layer));
    record.id_map == IdMap::SINGLE && trees.any(|tree| apt::is_in(&tree))
}

/// Returns the container whose network a container has: itself, unless it shares
/// another's, which may share a third's.
pub fn network_of(store: &Store, record: &Record) -> ContainerId {
    let mut owner = record.clone();
    // Nobody's network is his own by way of others, unless records were written by hand.
    for _ in 0..SHARED {
        let NetworkMode::Container(other) = &owner.network else {
            break;
        };
        match other.parse().and_then(|id| store.load_record(&id)) {
            Ok(other) => owner = other,
            Err(_) => break,
        }
    }
    owner.id
}

/// Containers that share a network by way of each other, at most.
const SHARED: usize = 64;

/// Returns the volumes that get what the image has, when they are empty.
pub fn fills(store: &Store, record: &Record) -> Vec<Fill> {
    record
        .mounts
        .iter()
        .filter(|mount| !mount.no_copy)
        .filter_map(|mount| match &mount.source {
            Source::Volume(name) => Some(Fill {
                data: store.volume_data(name),
                target: PathBuf::from(&mount.target),
            }),
            _ => None,
        })
        .collect()
}
