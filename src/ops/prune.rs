//! `container prune`, `image prune`, `system prune`: what nobody uses goes.
//!
//! Lives here: what each of them takes away, and how many bytes that gives back.
//! Must not: ask (`cli::prune`), or decide about volumes and networks, which have
//! verbs of their own.
//! Called by: `cli::prune`.
//! Always true: what somebody takes into use meanwhile stays, and that is no error.

use crate::error::{Kind, Result};
use crate::ops::filter::{self, Filter};
use crate::ops::rmi::{self, Removed};
use crate::ops::{Session, images, ps, rm, sweep};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::spec::container::Status;
use crate::spec::time::Time;
use crate::store::gc::{Garbage, Partials};

/// What went.
#[derive(Clone, Debug, Default)]
pub struct Pruned {
    /// Ids of containers, or lines about images.
    pub names: Vec<String>,
    /// Beginnings of blobs that no pull went on with.
    pub partials: Vec<String>,
    /// Bytes that are free again.
    pub bytes: u64,
}

/// Removes all containers that do not run.
pub fn containers(session: &Session, filters: &[Filter]) -> Result<Pruned> {
    filter::check(filters, &["label", "label!", "until"])?;
    let until = until(filters)?;
    let mut ended = ps::all(session)?;
    ended.retain(|one| {
        matches!(
            one.state.status,
            Status::Created | Status::Exited | Status::Dead
        ) && filter::labels(filters, &one.record.labels)
            && until.iter().all(|time| one.record.created < *time)
    });
    ended.sort_by_key(|one| std::cmp::Reverse(one.record.created));
    let mut pruned = Pruned::default();
    if ended.is_empty() {
        return Ok(pruned);
    }
    let sizes = run_inside(&Identity::of(&session.host)?, || {
        let written = ended.iter().map(|one| {
            let path = session.store.container_path(&one.record.id);
            ps::bytes_below(&path.join("upper"))
        });
        Ok(written.collect::<Vec<u64>>())
    })?;
    for (one, bytes) in ended.iter().zip(sizes) {
        let id = one.record.id.as_str();
        match rm::remove(session, id, rm::Options::default()) {
            Ok(_) => {
                pruned.names.push(id.to_owned());
                pruned.bytes += bytes;
            }
            // It went, or somebody started it, since we looked.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pruned)
}

/// Removes the images that have no name, or with `all` those that no container is made
/// from, and whatever else of images nothing leads to.
pub fn images(session: &Session, all: bool, filters: &[Filter]) -> Result<Pruned> {
    filter::check(filters, &["dangling", "label", "label!", "until"])?;
    let wants_all = |filter: &Filter| filter.0 == "dangling" && !matches!(&*filter.1, "true" | "1");
    let all = all || filters.iter().any(wants_all);
    let mut filters = filters.to_vec();
    filters.retain(|(key, _)| key != "dangling");
    let everything = images::list(session, &images::Options::default())?;
    let fitting = images::list(
        session,
        &images::Options {
            name: None,
            filters,
        },
    )?;
    let is_named = |row: &images::Row| {
        let same = everything.iter().filter(|other| other.id == row.id);
        same.into_iter().any(|other| other.repository.is_some())
    };
    let mut ids: Vec<String> = Vec::new();
    for row in fitting {
        let id = row.id.to_string();
        if row.containers == 0 && (all || !is_named(&row)) && !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut pruned = Pruned::default();
    let options = rmi::Options {
        all_names: true,
        ..rmi::Options::default()
    };
    for id in ids {
        match rmi::take(session, &id, &options) {
            Ok(lines) => pruned
                .names
                .extend(lines.into_iter().map(|line| match line {
                    Removed::Untagged(name) => format!("untagged: {name}"),
                    Removed::Deleted(id) => format!("deleted: {id}"),
                })),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    collect(session, all, pruned)
}

/// Takes what nothing leads to any more.
fn collect(session: &Session, all: bool, mut pruned: Pruned) -> Result<Pruned> {
    let partials = if all {
        Partials::All
    } else {
        Partials::Expired
    };
    let Some(found) = sweep::collect(session, partials)? else {
        session.progress.warn(
            "something is being added to the store: what was removed is deleted when that is done",
        );
        return Ok(pruned);
    };
    for digest in &found.unreadable {
        session.progress.warn(&format!(
            "{digest} of an image cannot be read, so nobody knows what it needs and all blobs and layers stay; `rpod system check --repair` mends it"
        ));
    }
    pruned.bytes += found.bytes;
    for thing in found.things {
        if let Garbage::Partial(name) = thing {
            pruned.partials.push(name);
        }
    }
    Ok(pruned)
}

/// Returns the times before which things were made that are to go.
///
/// # Errors
/// When one is no time.
pub fn until(filters: &[Filter]) -> Result<Vec<Time>> {
    let times = filters.iter().filter(|(key, _)| key == "until");
    times.map(|(_, value)| Time::parse_since(value)).collect()
}
