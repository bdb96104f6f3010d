//! `rmi`: names of images, and images that nothing names.
//!
//! Lives here: what a removal removes, by docker's rules:
//!
//! - a name of several: the name alone goes;
//! - the last name, or an id: the image goes with all its names; by an id that
//!   has several names only with `-f`;
//! - not while a container is made from it: with `-f` while none of them runs.
//!
//! Must not: delete what another image or a container has.
//! Called by: `cli`.
//! Always true: the index stops naming an image before a part of it goes, and
//! both happen under the index's lock, so that a pull that found a part sees
//! that it has gone.

use std::collections::HashSet;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::images::names_of;
use crate::ops::{Session, state};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::spec::container::{Record, Status};
use crate::spec::digest::Digest;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::images::{Entry, Image};

/// One line of what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A name went: `Untagged: …`.
    Untagged(String),
    /// An image went: `Deleted: sha256:…`.
    Deleted(String),
}

/// Removes an image's name and, when it was the last, the image with its blobs and layers.
pub fn remove(session: &Session, name: &str, force: bool) -> Result<Vec<Removed>> {
    let what = || format!("cannot remove image \"{name}\"");
    let store = &session.store;
    let plan = store
        .change_images(
            |entries| {
                let plan = plan(session, entries, name, force)?;
                entries.retain(|entry| !plan.entries.contains(entry));
                Ok(plan)
            },
            |plan, left| {
                if plan.image.is_some() {
                    delete_parts(store, plan, left);
                }
            },
        )
        .what(what)?;
    if plan.image.is_some() {
        // The files of layers have subordinate ids, so only root inside can delete
        // them. What stays is swept later: the image has gone already.
        let identity = Identity::of(&session.host)?;
        let swept = run_inside(&identity, || {
            store.sweep();
            Ok(())
        });
        if let Err(error) = swept {
            session.progress.warn(&format!(
                "the files of \"{name}\" could not be deleted yet: {error}"
            ));
        }
    }
    let mut lines: Vec<Removed> = plan
        .names
        .iter()
        .map(|name| Removed::Untagged(name.familiar()))
        .collect();
    lines.extend(plan.image.map(|image| Removed::Deleted(image.to_string())));
    Ok(lines)
}

/// What a removal removes.
struct Plan {
    /// Entries of the index.
    entries: Vec<Entry>,
    /// Names that go.
    names: Vec<Reference>,
    /// The image's id, if it goes itself.
    image: Option<Digest>,
}

fn plan(session: &Session, entries: &[Entry], text: &str, force: bool) -> Result<Plan> {
    let store = &session.store;
    let found = store.resolve_image(text)?.ok_or_else(|| {
        Error::of(Kind::NotFound, "there is no such image")
            .hint("`rpod images` lists the images there are")
    })?;
    // An entry that cannot be read is removed by its name, and its parts are left.
    let Ok(image) = store.load_image(&found) else {
        let names = found.name().into_iter().collect();
        return Ok(Plan {
            image: Some(found.digest.clone()),
            entries: vec![found],
            names,
        });
    };
    // Several manifests may have one configuration: they are one image.
    let same: Vec<Entry> = entries
        .iter()
        .filter(|e| store.load_image(e).is_ok_and(|other| other.id == image.id))
        .cloned()
        .collect();
    let digests: HashSet<Digest> = same.iter().map(|e| e.digest.clone()).collect();
    let names = names_of(entries, &digests);
    let by_name = text
        .parse::<Reference>()
        .ok()
        .filter(|reference| found.name().as_ref() == Some(reference) || reference.digest.is_some());
    if by_name.is_some()
        && names.len() > 1
        && let Some(name) = found.name()
    {
        return Ok(Plan {
            entries: vec![found],
            names: vec![name],
            image: None,
        });
    }
    if by_name.is_none() && names.len() > 1 && !force {
        let list: Vec<String> = names.iter().map(Reference::familiar).collect();
        return Err(Error::of(
            Kind::Conflict,
            format!("it has several names: {}", list.join(", ")),
        )
        .hint(format!(
            "remove it with all its names: `rpod rmi -f {text}`"
        )));
    }
    check_unused(session, &image, text, force)?;
    Ok(Plan {
        entries: same,
        names,
        image: Some(image.id),
    })
}

/// Refuses while containers are made from the image.
fn check_unused(session: &Session, image: &Image, text: &str, force: bool) -> Result<()> {
    let mut users: Vec<Record> = records(&session.store)?;
    users.retain(|record| record.image_id == image.id);
    let runs = |record: &Record| {
        let status = state::load(&session.host, &session.store, &record.id).map(|s| s.status);
        // One whose state cannot be read may be running.
        matches!(status, Err(_) | Ok(Status::Running | Status::Restarting))
    };
    let (running, ended): (Vec<Record>, Vec<Record>) = users.into_iter().partition(runs);
    let quoted = |records: &[Record]| {
        let list: Vec<String> = records.iter().map(|r| format!("\"{}\"", r.name)).collect();
        list.join(", ")
    };
    let plain = |records: &[Record]| {
        let list: Vec<&str> = records.iter().map(|r| r.name.as_str()).collect();
        list.join(" ")
    };
    let containers = |count: usize| {
        if count == 1 {
            "container"
        } else {
            "containers"
        }
    };
    if !running.is_empty() {
        return Err(Error::of(
            Kind::Conflict,
            format!(
                "it is in use by the running {} {}",
                containers(running.len()),
                quoted(&running)
            ),
        )
        .hint(format!(
            "remove what uses it first: `rpod rm -f {}`",
            plain(&running)
        )));
    }
    if !ended.is_empty() && !force {
        return Err(Error::of(
            Kind::Conflict,
            format!(
                "it is in use by {} {}",
                containers(ended.len()),
                quoted(&ended)
            ),
        )
        .hint(format!(
            "remove what uses it first: `rpod rm {}`, or take the image away from under it: `rpod rmi -f {text}`",
            plain(&ended)
        )));
    }
    Ok(())
}

fn records(store: &Store) -> Result<Vec<Record>> {
    let ids = store.container_ids()?;
    Ok(ids
        .iter()
        .filter_map(|id| store.load_record(id).ok())
        .collect())
}

/// Deletes the parts of what was removed that nothing else has. Called under the
/// index's lock. What cannot be deleted stays: the next to need it finds it.
fn delete_parts(store: &Store, plan: &Plan, left: &[Entry]) {
    let Ok(records) = records(store) else {
        return;
    };
    let mut blobs: HashSet<Digest> = HashSet::new();
    let mut layers: HashSet<Digest> = records.into_iter().flat_map(|r| r.layers).collect();
    for entry in left {
        blobs.insert(entry.digest.clone());
        // Of an image that cannot be read nobody knows what it has, so all stays.
        let Ok(image) = store.load_image(entry) else {
            return;
        };
        blobs.insert(image.id);
        for layer in image.layers {
            blobs.insert(layer.blob);
            layers.insert(layer.diff_id);
        }
    }
    // All are read before the first goes: an image is read from its blobs.
    let gone: Vec<Image> = plan
        .entries
        .iter()
        .filter_map(|entry| store.load_image(entry).ok())
        .collect();
    for image in gone {
        let mut parts = vec![image.manifest, image.id];
        for layer in image.layers {
            parts.push(layer.blob);
            if !layers.contains(&layer.diff_id) {
                discard_layer(store, &layer.diff_id);
            }
        }
        for part in parts.iter().filter(|part| !blobs.contains(part)) {
            drop(std::fs::remove_file(store.blob_path(part)));
        }
    }
}

/// Takes a layer out of the store under every id map it was unpacked under.
fn discard_layer(store: &Store, diff_id: &Digest) {
    let maps = std::fs::read_dir(store.root().join("layers"));
    for map in maps.into_iter().flatten().flatten() {
        let map = map.file_name();
        if let Some(map) = map.to_str() {
            drop(store.discard(&store.layer_path(map, diff_id)));
        }
    }
}
