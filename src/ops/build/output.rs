//! What is made of the last step: an image in the store, or files.
//!
//! Lives here: the image's configuration and names, and the other places a result
//! can go to; the image of the state before a step that failed.
//! Must not: do steps (`solve`).
//! Called by: `ops::build`, inside the builder.
//! Always true: an image gets its names when all of it is in the store.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rustix::mount::{MountPropagationFlags, mount_change};

use crate::error::{Context, Error, Result};
use crate::image::assemble::{self, Config, PLAIN_TAR};
use crate::image::layer::write::{self, Options};
use crate::ops::build::copy::{Target, Writer, Writing};
use crate::ops::build::gather::Look;
use crate::ops::build::graph::{Id, Times};
use crate::ops::build::hashes::Hashes;
use crate::ops::build::plan::{self, Plan};
use crate::ops::build::solve::{self, Solved};
use crate::ops::build::step::{Site, trees, view};
use crate::ops::build::{Built, Request};
use crate::spec::digest::Digest;
use crate::spec::time::Time;
use crate::store::images::Layer;
use crate::sys::namespace;

/// Where a result goes, beside or instead of the image store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The image store, under the image's names.
    Image,
    /// A directory with the files, all the user's own.
    Directory(PathBuf),
    /// A tar of the files; none is standard output.
    Tar(Option<PathBuf>),
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
    let wanted: Vec<Id> = plan.last.into_iter().collect();
    let solved = solve::solve(site, &plan.graph, &wanted)?;
    if let Some((id, error)) = &solved.failed {
        return Err(failure(site, plan, &solved, *id, error.clone(), known));
    }
    let layers = plan
        .last
        .and_then(|last| solved.layers[last].clone())
        .unwrap_or_default();
    for output in &request.outputs {
        match output {
            Output::Image => {}
            Output::Directory(path) => to_directory(site, &layers, path)
                .what(|| format!("cannot write the result to \"{}\"", path.display()))?,
            Output::Tar(path) => to_tar(site, &layers, path.as_deref())
                .what(|| "cannot write the result as a tar")?,
        }
    }
    if !request.outputs.contains(&Output::Image) {
        return Ok(Built::default());
    }
    image(site, request, plan, &solved, &layers, known)
}

fn image(
    site: &Site<'_>,
    request: &Request,
    plan: &Plan,
    solved: &Solved,
    layers: &[Digest],
    known: &HashMap<Digest, Layer>,
) -> Result<Built> {
    let created = Time::from_unix(plan.created);
    let mut config = plan.base.clone();
    *config.settings() = plan.settings.clone();
    config.set_created(created);
    if let Some(author) = &plan.author {
        config.set_author(author);
    }
    for row in &plan.rows {
        let made = row.step.and_then(|id| solved.made[id].as_ref());
        let layer = made.and_then(|made| made.layer.as_ref());
        config.add(created, &plan::history(row), layer);
    }
    let blobs = layers
        .iter()
        .map(|layer| blob(site, known, layer))
        .collect::<Result<Vec<Layer>>>()?;
    let made = assemble::add_annotated(
        site.store,
        &config,
        &blobs,
        request.format,
        &request.tags,
        &request.annotations,
    )?;
    Ok(Built {
        id: Some(made.id),
        manifest: Some(made.entry.digest),
    })
}

/// Copies the result's files; each becomes the user's own, as docker has it.
fn to_directory(site: &Site<'_>, layers: &[Digest], path: &Path) -> Result<()> {
    alone()?;
    let (root, _mounted) = view(site, layers)?;
    fs::create_dir_all(path)?;
    let to = File::open(path)?;
    let mut hashes = Hashes::none();
    let mut look = Look {
        root: root.as_fd(),
        ignore: None,
        owners: false,
        hashes: &mut hashes,
        name: "the result",
        left_out: 0,
    };
    let piece = look.piece(b"", None)?;
    let mut writer = Writer::new(Writing {
        root: to.as_fd(),
        layer: None,
        map: &site.identity.map,
        owner: Some((0, 0)),
        chmod: None,
        times: Times::Kept,
        fresh: true,
    });
    let target = Target {
        path: "/",
        directory: true,
    };
    writer.copy(root.as_fd(), &piece, &target)?;
    writer.finish()
}

fn to_tar(site: &Site<'_>, layers: &[Digest], path: Option<&Path>) -> Result<()> {
    alone()?;
    let (root, _mounted) = view(site, layers)?;
    // By its descriptor: where it is mounted may be the layer itself.
    let tree = PathBuf::from(format!("/proc/self/fd/{}/.", root.as_raw_fd()));
    match path {
        Some(path) => {
            let what = || format!("cannot write \"{}\"", path.display());
            let file = File::create(path).what(what)?;
            write::write(&tree, Options::default(), &file).map(drop)
        }
        None => {
            let out = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 0)?;
            write::write(&tree, Options::default(), File::from(out)).map(drop)
        }
    }
}

/// The builder's own mounts are seen by nobody else.
fn alone() -> Result<()> {
    namespace::unshare(namespace::MOUNT).what(|| "cannot make a mount namespace")?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .what(|| "cannot keep mounts to itself")
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
    let error = error.what(format!("build step {} failed", step_number(&node.name)));
    let Some(state) = plan.states.get(&id) else {
        return error;
    };
    let below = node
        .parent
        .and_then(|parent| solved.layers[parent].clone())
        .unwrap_or_default();
    let made = || -> Result<Digest> {
        let time = Time::from_unix(plan.created);
        let mut config: Config = state.base.clone();
        *config.settings() = state.settings.clone();
        config.settings().remove("Entrypoint");
        config
            .settings()
            .insert("Cmd".into(), serde_json::json!(["/bin/sh"]));
        config.clear_layers();
        for layer in &below {
            let history = assemble::History {
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
        Ok(id) => error
            .hint(format!(
                "look around in the state before it: `rpod run -it --rm {} sh`",
                id.short()
            ))
            .hint("or build with --debug-shell to get a shell where it failed"),
        // The state's image is a help; that it could not be made is no news.
        Err(_) => error,
    }
}

/// `[build 2/5] RUN make` → `build 2/5`.
fn step_number(name: &str) -> &str {
    name.strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or(name, |(number, _)| number)
}
