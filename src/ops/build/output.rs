//! What is made of the last steps: images in the store, or files.
//!
//! `created` in an image is the time of what it is built upon, so that the same file and
//! context give the same id on every day. When it was built is kept beside its name in the
//! index, and `images` shows that, unless a time was asked for.
//!
//! Lives here: an image's configuration, and its names, or those of a list when it is
//! for several platforms; the image of the state before a step that failed.
//! Must not: do steps (`solve`).
//! Called by: `ops::build`, inside the builder.
//! Always true: an image gets its names when all of it is in the store.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::error::{Context, Error, Result};
use crate::image::assemble::{self, Config, History, Made, PLAIN_TAR};
use crate::ops::build::graph::{From, Id, Work};
use crate::ops::build::plan::{self, Plan, Target};
use crate::ops::build::solve::{self, Solved};
use crate::ops::build::step::{Site, trees};
use crate::ops::build::{Built, Request, Squash, cache, files, squash};
use crate::ops::manifest;
use crate::spec::digest::Digest;
use crate::spec::time::Time;
use crate::store::images::{Entry, Layer};

/// Where a result goes, beside or instead of the image store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The image store, under the image's names.
    Image,
    /// The registry of each of the image's names, and the store.
    Registry,
    /// An archive of the image, or with `directory` an OCI layout; no path is standard
    /// output.
    Archive {
        /// docker's form rather than OCI's.
        docker: bool,
        /// A directory rather than a tar.
        directory: bool,
        /// Where to.
        path: Option<PathBuf>,
    },
    /// A directory with the files, all the user's own.
    Directory(PathBuf),
    /// A tar of the files; none is standard output.
    Tar(Option<PathBuf>),
}

impl Output {
    /// Says whether an image is needed for it.
    pub fn is_image(&self) -> bool {
        !matches!(self, Self::Directory(_) | Self::Tar(_))
    }

    /// Says whether the image is to be found in the store afterwards.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Image | Self::Registry)
    }
}

/// Does the steps and makes of them what was asked for.
pub fn build(
    site: &Site<'_>,
    request: &Request,
    plan: &Plan,
    known: &HashMap<Digest, Layer>,
) -> Result<Built> {
    if !site.store.garbage().is_empty() {
        // What an earlier process left; only from here can all of it be deleted.
        site.store.sweep();
    }
    let wanted: Vec<Id> = plan
        .targets
        .iter()
        .filter_map(|target| target.last)
        .collect();
    let solved = solve::solve(site, &plan.graph, &wanted)?;
    if let Some((id, error)) = &solved.failed {
        return Err(failure(site, plan, &solved, *id, error.clone(), known));
    }
    let finished = plan
        .targets
        .iter()
        .map(|target| finish(site, request, plan, target, &solved))
        .collect::<Result<Vec<Finished>>>()?;
    for output in &request.outputs {
        match output {
            Output::Directory(path) => files::to_directory(site, plan, &finished, path)
                .what(|| format!("cannot write the result to \"{}\"", path.display()))?,
            Output::Tar(path) => files::to_tar(site, plan, &finished, path.as_deref())
                .what(|| "cannot write the result as a tar")?,
            _ => {}
        }
    }
    let blob = |layer: &Digest| blob(site, known, layer);
    let write = |export: &cache::Export| cache::write(site, plan, &solved, export.all, &blob);
    let caches = request.cache_to.iter().map(write);
    let caches = caches.collect::<Result<Vec<Entry>>>()?;
    if !request.outputs.iter().any(Output::is_image) {
        return Ok(Built {
            caches,
            ..Built::default()
        });
    }
    let mut images = Vec::new();
    for (target, finished) in plan.targets.iter().zip(&finished) {
        images.push(image(
            site, request, plan, target, &solved, finished, &blob,
        )?);
    }
    let mut built = keep(site, request, images)?;
    built.caches = caches;
    Ok(built)
}

/// What a target came to.
pub struct Finished {
    /// Its layers from the lowest.
    pub layers: Vec<Digest>,
    /// What was new is one layer.
    squashed: bool,
}

fn finish(
    site: &Site<'_>,
    request: &Request,
    plan: &Plan,
    target: &Target,
    solved: &Solved,
) -> Result<Finished> {
    let layers = target
        .last
        .and_then(|last| solved.layers[last].clone())
        .unwrap_or_default();
    let kept = match request.squash {
        Squash::Nothing => {
            return Ok(Finished {
                layers,
                squashed: false,
            });
        }
        Squash::New => plan.graph.layers_of_base(target.last),
        Squash::All => 0,
    };
    let squashed = layers.len() > kept;
    let layers = squash::squash(site, &layers, kept).what(|| "cannot squash the layers")?;
    Ok(Finished { layers, squashed })
}

/// An image that was written, and is not yet in the index.
struct Written {
    made: Made,
    layers: Vec<Layer>,
}

fn image(
    site: &Site<'_>,
    request: &Request,
    plan: &Plan,
    target: &Target,
    solved: &Solved,
    finished: &Finished,
    blob: &dyn Fn(&Digest) -> Result<Layer>,
) -> Result<Written> {
    let created = Time::from_unix(target.created);
    let mut config = target.base.clone();
    *config.settings() = target.settings.clone();
    config.set_created(created);
    if let Some(author) = &target.author {
        config.set_author(author);
    }
    if request.squash == Squash::All {
        config.clear_layers();
    }
    let own = finished.layers.last().filter(|_| finished.squashed);
    if own.is_some() && target.rows.is_empty() {
        let history = History {
            created_by: "all layers of the base".to_owned(),
            ..History::default()
        };
        config.add(created, &history, own);
    }
    for (at, row) in target.rows.iter().enumerate() {
        let made = row.step.and_then(|id| solved.made[id].as_ref());
        let layer = match finished.squashed {
            true => own.filter(|_| at + 1 == target.rows.len()),
            false => made.and_then(|made| made.layer.as_ref()),
        };
        config.add(created, &plan::history(row), layer);
    }
    if request.inline_cache {
        cache::put_inline(site, plan, target, solved, &mut config);
    }
    let layers = finished.layers.iter().map(blob);
    let layers = layers.collect::<Result<Vec<Layer>>>()?;
    let made = assemble::write_image(
        site.store,
        &config,
        &layers,
        request.format,
        &request.annotations,
    )?;
    Ok(Written { made, layers })
}

/// Gives what was written its names: the image, or of several platforms a list.
fn keep(site: &Site<'_>, request: &Request, images: Vec<Written>) -> Result<Built> {
    let entries: Vec<Entry> = images.iter().map(|i| i.made.entry.clone()).collect();
    let mut built = Built {
        id: images.first().map(|image| image.made.id.clone()),
        manifest: entries.first().map(|entry| entry.digest.clone()),
        entry: entries.first().cloned(),
        images: entries.clone(),
        caches: Vec::new(),
    };
    let kept = request.outputs.iter().any(Output::is_kept);
    // What was given a time is shown with that one.
    let fixed = request.wishes.timestamp.or(request.wishes.epoch).is_some();
    let built_now = |entry: Entry| match fixed {
        true => entry,
        false => entry.built(Time::now()),
    };
    // Without a name it is found in the list that it is put into.
    let kept = kept && (!request.tags.is_empty() || request.list.is_none());
    if let [image] = images.as_slice() {
        if kept {
            let mut made = image.made.clone();
            made.entry = built_now(made.entry);
            assemble::put_image(site.store, &made, &image.layers, &request.tags)?;
        }
    } else {
        let list = manifest::compose(site.store, &entries)?;
        if kept {
            manifest::put_list(site.store, &built_now(list.clone()), &request.tags)?;
        }
        built.id = Some(list.digest.clone());
        built.manifest = Some(list.digest.clone());
        built.entry = Some(list);
    }
    if let Some(name) = &request.list {
        let list = manifest::amend(site.store, &entries, name)?;
        built.manifest = Some(list.digest.clone());
        built.entry = Some(list);
    }
    Ok(built)
}

/// Returns a layer with its blob, which is written when there is none.
fn blob(site: &Site<'_>, known: &HashMap<Digest, Layer>, diff_id: &Digest) -> Result<Layer> {
    if let Some(layer) = known.get(diff_id)
        && site.store.has_blob(&layer.blob)
    {
        return Ok(layer.clone());
    }
    if let Ok(meta) = std::fs::metadata(site.store.blob_path(diff_id)) {
        return Ok(Layer {
            blob: diff_id.clone(),
            media_type: PLAIN_TAR.to_owned(),
            size: meta.len(),
            diff_id: diff_id.clone(),
        });
    }
    let tree = trees(site, std::slice::from_ref(diff_id))?;
    let what = || format!("cannot write layer {}", diff_id.short());
    let (layer, _) = assemble::write_layer(site.store, &tree[0], Default::default()).what(what)?;
    if layer.diff_id != *diff_id {
        return Err(Error::new("its files are not those it was made of")
            .what(what())
            .hint("forget what builds have kept, and build again: `rpod builder prune -a`"));
    }
    Ok(layer)
}

/// A step's error, with the way to look around in the state before it.
fn failure(
    site: &Site<'_>,
    plan: &Plan,
    solved: &Solved,
    id: Id,
    error: Error,
    known: &HashMap<Digest, Layer>,
) -> Error {
    let node = &plan.graph.nodes[id];
    let mut error = error.what(format!("build step {} failed", step_number(&node.name)));
    if let Some((place, lines)) = plan.places.get(&id) {
        error = error.what(place.clone()).drawn(lines);
    }
    if let Some(hint) = meant(&node.work, &node.text) {
        error = error.hint(hint);
    }
    let Some(state) = plan.states.get(&id) else {
        return error;
    };
    let below = node
        .parent
        .and_then(|parent| solved.layers[parent].clone())
        .unwrap_or_default();
    let made = || -> Result<Digest> {
        let time = Time::from_unix(plan::EARLIEST);
        let mut config: Config = state.base.clone();
        *config.settings() = state.settings.clone();
        config.settings().remove("Entrypoint");
        config
            .settings()
            .insert("Cmd".into(), serde_json::json!(["/bin/sh"]));
        config.clear_layers();
        for layer in &below {
            let history = History {
                created_by: format!("the state before: {}", node.text),
                ..Default::default()
            };
            config.add(time, &history, Some(layer));
        }
        let blobs = below
            .iter()
            .map(|layer| blob(site, known, layer))
            .collect::<Result<Vec<Layer>>>()?;
        Ok(assemble::add_image(site.store, &config, &blobs, Default::default(), &[])?.id)
    };
    match made() {
        // Two hints are enough.
        Ok(_) if error.hints().len() > 1 => error,
        Ok(id) => {
            let alone = error.hints().is_empty();
            let error = error.hint(format!(
                "look around in the state before it: `rpod run -it --rm {} sh`",
                id.short()
            ));
            match alone {
                true => error.hint("or build with --debug-shell to get a shell where it failed"),
                false => error,
            }
        }
        // The state's image is a help; that it could not be made is no news.
        Err(_) => error,
    }
}

/// What a step that failed was perhaps meant to be.
fn meant(work: &Work, text: &str) -> Option<&'static str> {
    match work {
        Work::Run(run) if text.starts_with("RUN [") && run.words.first()? == "/bin/sh" => {
            Some("a list of words is JSON, all in double quotes: `RUN [\"program\", \"word\"]`")
        }
        Work::Copy(copy)
            if matches!(copy.from, From::Context(_))
                && copy
                    .paths
                    .iter()
                    .any(|path| path.split('/').any(|part| part == "..")) =>
        {
            Some(
                "no path leads out of the context: build a directory above it, with `-f` for the Dockerfile",
            )
        }
        _ => None,
    }
}

/// `[build 2/5] RUN make` → `build 2/5`.
fn step_number(name: &str) -> &str {
    name.strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or(name, |(number, _)| number)
}
