//! `rmi`: names of images, and images that nothing names.
//!
//! Lives here: what a removal removes, by docker's rules:
//!
//! - a name of several: the name alone goes;
//! - the last name, or an id: the image goes with all its names; by an id that
//!   has several names only with `-f`;
//! - not while a container is made from it: with `-f` while none of them runs.
//!
//! Must not: delete a part (`store::gc` finds what nothing leads to any more).
//! Called by: `cli`, the prunes.
//! Always true: the index stops naming an image before a part of it goes. A
//! container may be made of it at the same moment: after the index is written the
//! containers are looked at once more, and `create` looks at the index once more
//! after its container can be seen, so that at least one of the two gives way.

use std::collections::HashSet;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::images::names_of;
use crate::ops::{Session, pull, state, sweep};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::spec::container::{Record, Status};
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::gc::{Partials, Patience};
use crate::store::images::{Entry, put};

/// How far a removal goes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-f`: also what a container that does not run is made from, and all names of an id.
    pub force: bool,
    /// An id goes with all its names.
    pub all_names: bool,
    /// Only if it is for this platform.
    pub platform: Option<Platform>,
}

/// One line of what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A name went: `Untagged: …`.
    Untagged(String),
    /// An image went, or a layer: `Deleted: sha256:…`.
    Deleted(String),
}

/// Removes an image's name and, when it was the last, the image with its blobs and layers.
/// What those hold on the disk is deleted by a child that stays behind.
pub fn remove(session: &Session, name: &str, options: &Options) -> Result<Vec<Removed>> {
    let name = &pull::unaliased(session, name)?;
    let lines = take(session, name, options)?;
    let gone = lines.iter().any(|l| matches!(l, Removed::Deleted(_)));
    if gone && let Err(error) = sweep::collect(session, Partials::Expired) {
        session.progress.warn(&format!(
            "the files of \"{name}\" are not deleted yet: {error}"
        ));
    }
    Ok(lines)
}

/// The same, but the image's parts are left to whoever collects them.
pub fn take(session: &Session, name: &str, options: &Options) -> Result<Vec<Removed>> {
    let plan = match unname(session, name, options) {
        // A shorter index needs room before it replaces the longer one.
        Err(error) if error.errno() == Some(rustix::io::Errno::NOSPC.raw_os_error()) => {
            make_room(session, name, options).and_then(|()| unname(session, name, options))
        }
        done => done,
    }
    .what(|| format!("cannot remove image \"{name}\""))?;
    let untagged = plan.names.iter().map(Reference::familiar);
    let mut lines: Vec<Removed> = untagged.map(Removed::Untagged).collect();
    let mut digests = plan.digests;
    digests.retain(|name| !lines.contains(&Removed::Untagged(name.clone())));
    lines.extend(digests.into_iter().map(Removed::Untagged));
    let gone = plan.image.into_iter().chain(plan.layers);
    lines.extend(gone.map(|digest| Removed::Deleted(digest.to_string())));
    Ok(lines)
}

/// Returns every image once, by its id; one that cannot be read by its manifest's digest.
pub fn all(session: &Session) -> Result<Vec<String>> {
    let entries = session.store.image_entries()?;
    let summaries = session.store.summaries(&entries);
    let mut ids: Vec<String> = Vec::new();
    for entry in &entries {
        let id = match summaries.get(&entry.digest) {
            Some(summary) => summary.id.to_string(),
            None => match entry.name() {
                Some(name) => name.to_string(),
                None => entry.digest.to_string(),
            },
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// Takes out of the index. The image's parts are still there when it returns.
fn unname(session: &Session, name: &str, options: &Options) -> Result<Plan> {
    let store = &session.store;
    let plan = store.change_images(
        |entries| {
            let plan = plan(session, entries, name, options)?;
            entries.retain(|entry| !plan.entries.contains(entry));
            Ok(plan)
        },
        |_, _| {},
    )?;
    if let Err(used) = check_unused(session, &plan.used_as, name, options.force) {
        store.change_images(
            |entries| {
                plan.entries.iter().for_each(|e| put(entries, e.clone()));
                Ok(())
            },
            |(), _| {},
        )?;
        return Err(used);
    }
    Ok(plan)
}

/// On a full disk: deletes what nothing needs, and the unpacked layers that only this
/// image has. Until the index is written the image is whole: its layers are in its blobs.
fn make_room(session: &Session, name: &str, options: &Options) -> Result<()> {
    let store = &session.store;
    let mut entries = store.image_entries()?;
    let plan = plan(session, &entries, name, options)?;
    store.collect(Patience::Skip, Partials::Expired)?;
    if plan.image.is_some() {
        entries.retain(|entry| !plan.entries.contains(entry));
        let others = store.reached_from(&entries)?.layers;
        let all = store.reached()?.layers;
        for (map, diff_id) in store.all_layers() {
            if all.contains(&diff_id) && !others.contains(&diff_id) {
                drop(store.discard(&store.layer_path(&map, &diff_id)));
            }
        }
    }
    run_inside(&Identity::of(&session.host)?, || {
        store.sweep();
        Ok(())
    })
}

/// What a removal removes.
#[derive(Debug, Default)]
struct Plan {
    /// Entries of the index.
    entries: Vec<Entry>,
    /// Names that go.
    names: Vec<Reference>,
    /// The names with the digests that registries have under them: `busybox@sha256:…`.
    digests: Vec<String>,
    /// The image's id, if it goes itself.
    image: Option<Digest>,
    /// The layers that go with it, from the uppermost, as docker calls them: by a digest
    /// of all up to there.
    layers: Vec<Digest>,
    /// The images that no container may be made from: none if only a name goes.
    used_as: Vec<Digest>,
}

/// Decides what goes.
fn plan(session: &Session, entries: &[Entry], text: &str, options: &Options) -> Result<Plan> {
    let store = &session.store;
    let found = store.resolve_image(text)?.ok_or_else(pull::no_such)?;
    if let Some(wanted) = &options.platform {
        check_platform(store, &found, wanted)?;
    }
    // What cannot be read is known by its manifest.
    let id_of = |entry: &Entry| store.id_of(entry).unwrap_or_else(|| entry.digest.clone());
    let id = id_of(&found);
    // Several manifests may have one configuration: they are one image.
    let same: Vec<Entry> = entries
        .iter()
        .filter(|e| e.digest == found.digest || id_of(e) == id)
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
        let others = same.iter().filter(|other| **other != found);
        return Ok(Plan {
            digests: last_digests(&[&found], &others.collect::<Vec<_>>()),
            entries: vec![found],
            names: vec![name],
            ..Plan::default()
        });
    }
    if by_name.is_none() && names.len() > 1 && !(options.force || options.all_names) {
        let list: Vec<String> = names.iter().map(Reference::familiar).collect();
        return Err(Error::of(
            Kind::Conflict,
            format!("it has several names: {}", list.join(", ")),
        )
        .hint(format!(
            "remove it with all its names: `rpod rmi -f {text}`"
        )));
    }
    let rest: Vec<Entry> = entries
        .iter()
        .filter(|entry| !same.contains(entry))
        .cloned()
        .collect();
    let used_as = images_of(store, &found, &rest);
    check_unused(session, &used_as, text, options.force)?;
    Ok(Plan {
        digests: last_digests(&same.iter().collect::<Vec<_>>(), &[]),
        layers: released(store, &found, &rest)?,
        entries: same,
        names,
        image: Some(id),
        used_as,
    })
}

/// Who names a platform removes no image for another.
fn check_platform(store: &Store, found: &Entry, wanted: &Platform) -> Result<()> {
    if found.is_list() {
        return Err(Error::of(Kind::Usage, "it is a list, and keeps all its images").hint(
            "take an image out of it with `rpod manifest remove LIST DIGEST`, or leave out --platform",
        ));
    }
    store.load_image(found)?.check_platform(wanted)
}

/// Returns the images that go with an entry, as containers know them: those of a list that
/// nothing else has.
fn images_of(store: &Store, entry: &Entry, rest: &[Entry]) -> Vec<Digest> {
    let ids = |entry: &Entry| -> Vec<Digest> {
        let members = store.members(entry).unwrap_or_default();
        members.iter().filter_map(|m| store.id_of(m)).collect()
    };
    let mut own = ids(entry);
    if entry.is_list() && !own.is_empty() {
        let others: HashSet<Digest> = rest.iter().flat_map(ids).collect();
        own.retain(|id| !others.contains(id));
    }
    own
}

/// Returns what registries have under the names of entries that go: a repository's digest
/// goes with its last name of the image.
fn last_digests(gone: &[&Entry], stay: &[&Entry]) -> Vec<String> {
    let known = |entry: &&Entry| {
        let name = entry.name()?;
        Some(format!(
            "{}@{}",
            name.familiar_name(),
            entry.registry_digest()?
        ))
    };
    let stay: Vec<String> = stay.iter().filter_map(known).collect();
    let mut out: Vec<String> = gone.iter().filter_map(known).collect();
    out.sort();
    out.dedup();
    out.retain(|name| !stay.contains(name));
    out
}

/// Returns the layers of an image that neither another image nor a container nor a build has.
fn released(store: &Store, entry: &Entry, rest: &[Entry]) -> Result<Vec<Digest>> {
    let Ok(image) = store.load_image(entry) else {
        return Ok(Vec::new());
    };
    let summaries = store.summaries(rest);
    let of_images = summaries.into_values().flat_map(|summary| summary.layers);
    let mut kept: HashSet<Digest> = of_images.map(|layer| layer.diff_id).collect();
    kept.extend(records(store)?.into_iter().flat_map(|record| record.layers));
    kept.extend(store.layers_of_steps());
    let mut chain: Option<Digest> = None;
    let mut gone = Vec::new();
    for layer in &image.layers {
        // OCI image spec, config.md, "Layer ChainID".
        let id = match &chain {
            None => layer.diff_id.clone(),
            Some(below) => Digest::of(format!("{below} {}", layer.diff_id).as_bytes()),
        };
        if !kept.contains(&layer.diff_id) {
            gone.push(id.clone());
        }
        chain = Some(id);
    }
    gone.reverse();
    Ok(gone)
}

/// Refuses while containers are made from the images.
fn check_unused(session: &Session, images: &[Digest], text: &str, force: bool) -> Result<()> {
    if images.is_empty() {
        return Ok(());
    }
    let mut users: Vec<Record> = records(&session.store)?;
    users.retain(|record| images.contains(&record.image_id));
    let (mut running, mut ended) = (Vec::new(), Vec::new());
    for record in users {
        let status = state::load(&session.host, &session.store, &record.id).map(|s| s.status);
        match status {
            Ok(Status::Running | Status::Restarting) => running.push(record),
            Ok(_) => ended.push(record),
            // Its maker gave way to us, or somebody has just removed it.
            Err(_) if !session.store.container_path(&record.id).is_dir() => {}
            // One whose state cannot be read may be running.
            Err(_) => running.push(record),
        }
    }
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

#[cfg(test)]
mod tests;
