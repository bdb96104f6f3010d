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
use crate::ops::{Session, state, sweep};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::spec::container::{Record, Status};
use crate::spec::digest::Digest;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::gc::{Partials, Patience};
use crate::store::images::{Entry, Image, put};

/// How far a removal goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-f`: also what a container that does not run is made from, and all names of an id.
    pub force: bool,
    /// An id goes with all its names.
    pub all_names: bool,
}

/// One line of what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A name went: `Untagged: …`.
    Untagged(String),
    /// An image went: `Deleted: sha256:…`.
    Deleted(String),
}

/// Removes an image's name and, when it was the last, the image with its blobs and layers.
/// What those hold on the disk is deleted by a child that stays behind.
pub fn remove(session: &Session, name: &str, options: Options) -> Result<Vec<Removed>> {
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
pub fn take(session: &Session, name: &str, options: Options) -> Result<Vec<Removed>> {
    let plan = match unname(session, name, options) {
        // A shorter index needs room before it replaces the longer one.
        Err(error) if error.errno() == Some(rustix::io::Errno::NOSPC.raw_os_error()) => {
            make_room(session, name, options).and_then(|()| unname(session, name, options))
        }
        done => done,
    }
    .what(|| format!("cannot remove image \"{name}\""))?;
    let mut lines: Vec<Removed> = plan
        .names
        .iter()
        .map(|name| Removed::Untagged(name.familiar()))
        .collect();
    lines.extend(plan.image.map(|image| Removed::Deleted(image.to_string())));
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
fn unname(session: &Session, name: &str, options: Options) -> Result<Plan> {
    let store = &session.store;
    let mut image = None;
    let plan = store.change_images(
        |entries| {
            let plan = plan(session, entries, name, options, &mut image)?;
            entries.retain(|entry| !plan.entries.contains(entry));
            Ok(plan)
        },
        |_, _| {},
    )?;
    if let Some(image) = image.filter(|_| plan.image.is_some())
        && let Err(used) = check_unused(session, &image, name, options.force)
    {
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
fn make_room(session: &Session, name: &str, options: Options) -> Result<()> {
    let store = &session.store;
    let mut entries = store.image_entries()?;
    let plan = plan(session, &entries, name, options, &mut None)?;
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
#[derive(Debug)]
struct Plan {
    /// Entries of the index.
    entries: Vec<Entry>,
    /// Names that go.
    names: Vec<Reference>,
    /// The image's id, if it goes itself.
    image: Option<Digest>,
}

/// Decides what goes; leaves the image in `of` when it can be read.
fn plan(
    session: &Session,
    entries: &[Entry],
    text: &str,
    options: Options,
    of: &mut Option<Image>,
) -> Result<Plan> {
    let store = &session.store;
    let found = store.resolve_image(text)?.ok_or_else(|| {
        Error::of(Kind::NotFound, "there is no such image")
            .hint("`rpod images` lists the images there are")
    })?;
    // A list, or an entry that cannot be read, is removed by its name, and its parts are left.
    let Ok(image) = store.load_image(&found) else {
        let names = found.name().into_iter().collect();
        let others = entries.iter().filter(|e| e.digest == found.digest).count();
        return Ok(Plan {
            image: (others == 1).then(|| found.digest.clone()),
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
    check_unused(session, &image, text, options.force)?;
    let id = image.id.clone();
    *of = Some(image);
    Ok(Plan {
        entries: same,
        names,
        image: Some(id),
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

#[cfg(test)]
mod tests;
