//! `builder prune` and `builder du`: what builds keep.
//!
//! Lives here: which of it nothing needs, and how much of the disk it takes.
//! Must not: build.
//! Called by: `cli`.
//! Always true: what an image or a container is made of stays; no file of a layer
//! is deleted while a build goes on.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ops::Session;
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::spec::digest::Digest;
use crate::store::gc::{Partials, Patience};

/// Something that builds keep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Its id: a step's key, or a cache mount's directory.
    pub id: String,
    /// What it is: `regular` or `exec.cachemount`, as docker calls them.
    pub kind: String,
    /// What made it.
    pub description: String,
    /// Bytes of its files; those of an image's layer count there.
    pub size: u64,
    /// An image or a container is made of it.
    pub in_use: bool,
    /// Seconds since it was used.
    pub unused: u64,
}

/// What was deleted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pruned {
    /// Ids.
    pub ids: Vec<String>,
    /// Bytes.
    pub bytes: u64,
}

/// Returns what builds keep, the latest used first.
pub fn list(session: &Session) -> Result<Vec<Kept>> {
    let store = &session.store;
    let needed = needed(session)?;
    let now = SystemTime::now();
    let unused = |used: SystemTime| now.duration_since(used).unwrap_or_default().as_secs();
    let mut all = Vec::new();
    for step in store.known_steps() {
        // What was found out about files takes no room worth telling.
        if step.record.content.is_some() {
            continue;
        }
        let in_use = step
            .record
            .layer
            .as_ref()
            .is_some_and(|l| needed.contains(l));
        all.push(Kept {
            id: step.key,
            kind: "regular".to_owned(),
            description: step.record.step,
            size: step.record.size,
            in_use,
            unused: unused(step.used),
        });
    }
    let mounts = store.known_mounts();
    if !mounts.is_empty() {
        // Their files have other ids.
        let identity = Identity::of(&session.host)?;
        let sizes = run_inside(&identity, || {
            Ok(mounts.iter().map(|m| weigh(&m.path)).collect::<Vec<u64>>())
        })?;
        for (mount, size) in mounts.iter().zip(sizes) {
            all.push(Kept {
                id: name_of(&mount.path),
                kind: "exec.cachemount".to_owned(),
                description: format!("cache mount {}", mount.record.id),
                size,
                in_use: false,
                unused: unused(mount.used),
            });
        }
    }
    all.sort_by_key(|kept| kept.unused);
    Ok(all)
}

/// Deletes what is in no image; with `all`, everything builds keep. With `until`, only
/// what was not used for so long.
pub fn prune(session: &Session, all: bool, until: Option<Duration>) -> Result<Pruned> {
    let store = &session.store;
    store.prepare_build()?;
    let needed = needed(session)?;
    let now = SystemTime::now();
    let old = |used: SystemTime| {
        until.is_none_or(|until| now.duration_since(used).unwrap_or_default() >= until)
    };
    let mut pruned = Pruned::default();
    for step in store.known_steps() {
        let in_use = step
            .record
            .layer
            .as_ref()
            .is_some_and(|l| needed.contains(l));
        if old(step.used) && (all || !in_use) {
            store.forget_step(&step.key);
            if step.record.content.is_none() {
                pruned.ids.push(step.key);
            }
        }
    }
    let mut trash: Vec<PathBuf> = Vec::new();
    let identity = Identity::of(&session.host)?;
    if all {
        store.forget_contexts();
        let mounts: Vec<_> = store
            .known_mounts()
            .into_iter()
            .filter(|m| old(m.used))
            .collect();
        let sizes = run_inside(&identity, || {
            Ok(mounts.iter().map(|m| weigh(&m.path)).collect::<Vec<u64>>())
        })?;
        for (mount, size) in mounts.iter().zip(sizes) {
            if let Some(path) = store.discard_mount(mount) {
                pruned.ids.push(name_of(&mount.path));
                pruned.bytes += size;
                trash.push(path);
            }
        }
        trash.extend(store.discard_fetched());
    }
    match store.collect(Patience::Skip, Partials::Expired)? {
        Some(found) => pruned.bytes += found.bytes,
        None => session.progress.warn(
            "a build or a pull goes on: the files of what was deleted go when the next one is removed",
        ),
    }
    if !pruned.ids.is_empty() || !trash.is_empty() {
        run_inside(&identity, || {
            store.sweep();
            Ok(())
        })?;
    }
    Ok(pruned)
}

/// The layers that images and containers are made of.
fn needed(session: &Session) -> Result<HashSet<Digest>> {
    let store = &session.store;
    let mut needed = HashSet::new();
    for entry in store.image_entries()? {
        for member in store.members(&entry).unwrap_or_default() {
            let Ok(image) = store.load_image(&member) else {
                continue;
            };
            needed.extend(image.layers.into_iter().map(|layer| layer.diff_id));
        }
    }
    for id in store.container_ids()? {
        if let Ok(record) = store.load_record(&id) {
            needed.extend(record.layers);
        }
    }
    Ok(needed)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn weigh(path: &Path) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| weigh(&entry.path())).sum()
}
