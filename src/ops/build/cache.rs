//! `--cache-from` and `--cache-to`: what steps made, brought from elsewhere and sent there.
//!
//! ```text
//! OCI manifest ─▶ configuration { …, "rpod.build.cache": { "version": 1, "steps": [
//!              │      { "key", "layer": diff id or null, "step", "size", "created" }, … ] } }
//!              └▶ the layers of these steps
//! ```
//!
//! It has the form of an image, so that every registry takes it and a directory holds it
//! as an OCI layout. `type=inline` writes the same into the image itself: the steps whose
//! layers it has. A key is made of content alone, so it is the same on every machine.
//!
//! Lives here: [`Place`], [`Export`], and both ways.
//! Must not: speak HTTP (`ops::pull`, `ops::push`) or do steps.
//! Called by: `ops::build` brings in and sends; `output` writes, inside the builder.
//! Always true: a step is only believed when its layer is here, whole; a cache that
//! cannot be had makes the build slower, and not fail; it never is in the index: the
//! build's lease keeps what was fetched until its steps are noted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Context, Error, Result};
use crate::image::assemble::{self, Config, Format};
use crate::ops::build::graph::Id;
use crate::ops::build::plan::{Plan, Target};
use crate::ops::build::solve::Solved;
use crate::ops::build::step::Site;
use crate::ops::build::{Built, Request, send};
use crate::ops::{Session, load, pull};
use crate::process::identity::Identity;
use crate::spec::container::PullPolicy;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::build::StepRecord;
use crate::store::images::{DOCUMENT_LIMIT, Entry, Layer};

/// Where a cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a registry, under a name.
    Registry(Reference),
    /// In a directory, as an OCI layout.
    Directory(PathBuf),
}

/// Where a cache goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Where to.
    pub place: Place,
    /// `mode=max`: the steps of all stages, and not only those of the target.
    pub all: bool,
    /// `ignore-error=true`.
    pub ignore_error: bool,
}

const KEY: &str = "rpod.build.cache";

#[derive(Serialize, Deserialize)]
struct Cache {
    version: u32,
    steps: Vec<Known>,
}

#[derive(Serialize, Deserialize)]
struct Known {
    key: Digest,
    layer: Option<Digest>,
    step: String,
    size: u64,
    /// In seconds since 1970; none in an image, which has to be the same every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<i64>,
}

/// Brings in what others have built.
pub fn bring_in(session: &Session, request: &Request) -> Result<()> {
    for place in &request.cache_from {
        let brought = match place {
            Place::Registry(name) => from_registry(session, request, name),
            Place::Directory(path) => from_directory(session, path),
        };
        if let Err(error) = brought {
            session
                .progress
                .warn(&format!("the build goes on without this cache: {error}"));
        }
    }
    Ok(())
}

fn from_registry(session: &Session, request: &Request, name: &Reference) -> Result<()> {
    let wanted = pull::Request {
        policy: PullPolicy::Always,
        nameless: true,
        quiet: true,
        asked: request.asked.clone(),
        ..pull::Request::default()
    };
    let pulled = pull::pull(session, &wanted, &[name.to_string()])?;
    let pulled = pulled.into_iter().next();
    let pulled = pulled.unwrap_or_else(|| Err(Error::internal("a pull came to nothing")))?;
    take(session, &pulled.entry).what(|| format!("cannot use \"{name}\""))
}

fn from_directory(session: &Session, path: &Path) -> Result<()> {
    let mut taken = Ok(());
    for entry in load::take(session, path)? {
        taken = taken.and(take(session, &entry));
    }
    taken.what(|| format!("cannot use \"{}\"", path.display()))
}

/// Notes the steps that an image tells of, if their layers are here.
fn take(session: &Session, entry: &Entry) -> Result<()> {
    let store = &session.store;
    let image = store.load_image(entry)?;
    let config: Value = serde_json::from_slice(&store.read_blob(&image.id, DOCUMENT_LIMIT)?)?;
    let cache: Cache = match config.get(KEY) {
        Some(cache) => serde_json::from_value(cache.clone()).what(|| "its steps cannot be read")?,
        None => return Err(Error::new("it tells of no steps of a build")),
    };
    if cache.version != 1 {
        return Err(Error::new("another version of rpod wrote it"));
    }
    let map = Identity::of(&session.host)?.map.name();
    for known in cache.steps {
        let there = known
            .layer
            .as_ref()
            .is_none_or(|layer| store.has_layer(&map, layer));
        if there && store.find_whole_step(&known.key, &map).is_none() {
            let record = StepRecord {
                layer: known.layer,
                step: known.step,
                size: known.size,
                created: known.created.unwrap_or_else(|| Time::now().unix()),
                content: None,
            };
            store.save_step(&known.key, &record)?;
        }
    }
    Ok(())
}

/// The steps of a target from the lowest, or with `all` those of the whole graph.
fn steps(plan: &Plan, target: &Target, all: bool) -> Vec<Id> {
    if all {
        return (0..plan.graph.nodes.len()).collect();
    }
    let mut chain: Vec<Id> =
        std::iter::successors(target.last, |id| plan.graph.nodes[*id].parent).collect();
    chain.reverse();
    chain
}

fn known(site: &Site<'_>, plan: &Plan, solved: &Solved, ids: &[Id], dated: bool) -> Vec<Known> {
    let one = |id: &Id| {
        let made = solved.made[*id].as_ref()?;
        let record = site.store.find_step(&made.key);
        let created = record
            .as_ref()
            .map_or_else(|| Time::now().unix(), |r| r.created);
        Some(Known {
            key: made.key.clone(),
            layer: made.layer.clone(),
            step: plan.graph.nodes[*id].text.clone(),
            size: record.map_or(0, |record| record.size),
            created: dated.then_some(created),
        })
    };
    ids.iter().filter_map(one).collect()
}

/// Writes into an image's configuration which steps made its layers.
pub fn put_inline(
    site: &Site<'_>,
    plan: &Plan,
    target: &Target,
    solved: &Solved,
    config: &mut Config,
) {
    let steps = known(site, plan, solved, &steps(plan, target, false), false);
    config.set_extra(KEY, json!(Cache { version: 1, steps }));
}

/// Writes the steps that a cache is to have, and their layers, into the store.
pub fn write(
    site: &Site<'_>,
    plan: &Plan,
    solved: &Solved,
    all: bool,
    blob: &dyn Fn(&Digest) -> Result<Layer>,
) -> Result<Entry> {
    let mut ids: Vec<Id> = plan
        .targets
        .iter()
        .flat_map(|target| steps(plan, target, all))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let steps = known(site, plan, solved, &ids, true);
    let mut config = Config::scratch(&Platform::host());
    let mut seen = BTreeSet::new();
    let mut layers = Vec::new();
    for layer in steps.iter().filter_map(|step| step.layer.as_ref()) {
        if seen.insert(layer.clone()) {
            config.add(
                Time::from_unix(0),
                &assemble::History::default(),
                Some(layer),
            );
            layers.push(blob(layer)?);
        }
    }
    config.set_extra(KEY, json!(Cache { version: 1, steps }));
    let made = assemble::write_image(
        site.store,
        &config,
        &layers,
        Format::Oci,
        &Default::default(),
    )?;
    Ok(made.entry)
}

/// Sends caches to where they go.
pub fn send_out(session: &Session, request: &Request, built: &Built) -> Result<()> {
    for (export, entry) in request.cache_to.iter().zip(&built.caches) {
        let what = || match &export.place {
            Place::Registry(name) => format!("cannot send the cache to \"{name}\""),
            Place::Directory(path) => format!("cannot write the cache to \"{}\"", path.display()),
        };
        let sent = match &export.place {
            Place::Registry(name) => send::push_all(session, request, entry, &[name]),
            Place::Directory(path) => send::saved(session, entry, entry, &[])
                .and_then(|saved| send::layout(session, &[saved], path)),
        };
        match sent.what(what) {
            Err(error) if export.ignore_error => session.progress.warn(&error.to_string()),
            sent => sent?,
        }
    }
    Ok(())
}
