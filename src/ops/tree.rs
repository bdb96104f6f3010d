//! What a container's files are made of, for whoever puts them together.
//!
//! Lives here: the ids they were made with, their layers, and the volumes that
//! are filled first.
//! Must not: mount anything (`rootfs`, `runtime`).
//! Called by: `ops::{launch, cp, diff, commit, export}`.
//! Always true: a start and a copy see the same tree.

use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::ops::Session;
use crate::process::identity::Identity;
use crate::rootfs::Tree;
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
        .hint(format!("get it back with `rpod pull {}`", record.image)));
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

/// Returns an image's layers, the lowest first.
pub fn of_image(store: &Store, map: &IdMap, image: &Image) -> Vec<PathBuf> {
    image
        .layers
        .iter()
        .map(|layer| store.layer_tree(&map.name(), &layer.diff_id))
        .collect()
}

/// Returns the three files of `/etc` that tell a container who and where it is: where
/// each is written at a start, and where it stands inside. Who shares a container's
/// network has that container's.
pub fn files(store: &Store, record: &Record) -> Vec<(String, String)> {
    let path = store.container_path(&network_of(store, record));
    ["hosts", "hostname", "resolv.conf"]
        .iter()
        .map(|name| {
            (
                path.join(name).display().to_string(),
                format!("/etc/{name}"),
            )
        })
        .collect()
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
