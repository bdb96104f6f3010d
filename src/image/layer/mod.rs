//! Layers: a tar applied to a tree, and a tree written as a tar.
//!
//! ```text
//! blob ─ inflate ─┬─ hash                      (a thread)
//!   (a thread)    └─ entries ─ tree            (the caller)
//!                              └─ small files  (a few threads)
//!
//! upper directory ─ changes ─ write ─ tar      (the caller)
//! ```
//!
//! Lives here: [`unpack_blob`] (a blob of the store into the store's layers) and
//! [`unpack`] (any stream into any directory); below them `inflate` (magic bytes,
//! threads), `entries` (tar as a sequence, no disk) and `tree` (the disk). The way
//! back: [`changes`] and [`write`].
//! Must not: fetch, or know names of images.
//! Called by: `image::{archive, assemble, builtin}`, `ops`; inside a user namespace
//! when the layer has other ids than the user's own.
//! Always true: no entry leaves the tree, whatever it is called and wherever a
//! link leads; a layer is published only when the tar had the digest that the
//! image's configuration names; memory is bounded whatever the tar says.
//!
//! Limits: 10,000,000 entries; 256 GiB of tar, and beyond 1 GiB no more than 250
//! times the blob; names of 4,095 bytes and 512
//! levels; 1 MiB of extended headers an entry.

pub mod changes;
pub mod entries;
pub mod fold;
pub mod inflate;
pub mod tree;
pub mod write;

pub use tree::plain_name;

#[cfg(test)]
mod tests;

use std::io::{BufRead, Read};
use std::path::Path;
use std::thread;

use crate::error::{Context, Error, Result};
use crate::progress::{Progress, Step};
use crate::spec::digest::Digest;
use crate::spec::idmap::IdMap;
use crate::store::Store;
use crate::store::images::Layer;
use crate::store::layers::{Durable, LayerInfo};

/// Who hears of it: the step is advanced by each byte of the blob, as stored.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// Where it is said.
    pub progress: &'a dyn Progress,
    /// The step that goes on.
    pub step: Step,
}

/// Unpacks a layer's blob into the store under an id map, unless it is there already.
///
/// One process at a time does it for a layer; others wait and find it done. The
/// caller must be root of a user namespace with that map when it has more than
/// the user's own id.
pub fn unpack_blob(
    store: &Store,
    layer: &Layer,
    id_map: &IdMap,
    report: Report<'_>,
) -> Result<LayerInfo> {
    staged(store, layer, id_map, |tree| {
        unpack(store.open_blob(&layer.blob)?, tree, id_map, report)
    })
}

/// Does what [`unpack_blob`] does with a blob that is still on its way. The stream ends
/// only when the blob is in the store, and fails when it will not be.
pub fn unpack_stream(
    store: &Store,
    layer: &Layer,
    id_map: &IdMap,
    report: Report<'_>,
    blob: impl Read + Send,
) -> Result<LayerInfo> {
    staged(store, layer, id_map, |tree| {
        unpack(blob, tree, id_map, report)
    })
}

fn staged(
    store: &Store,
    layer: &Layer,
    id_map: &IdMap,
    unpack: impl FnOnce(&Path) -> Result<(LayerInfo, Digest)>,
) -> Result<LayerInfo> {
    let map = id_map.name();
    let there = || store.has_layer(&map, &layer.diff_id);
    let info = || store.layer_info(&layer.diff_id).unwrap_or_default();
    if there() {
        return Ok(info());
    }
    let what = || format!("cannot unpack layer {}", layer.diff_id.short());
    // Not the diff id's own lock: of a plain tar it is the blob's digest as well,
    // and whoever fetches the blob may hold that one.
    let turn = Digest::of(format!("unpack {map} {}", layer.diff_id).as_bytes());
    let _turn = store.lock_blob(&turn).what(what)?;
    if there() {
        return Ok(info());
    }
    let staged = store.stage_layer().what(what)?;
    let (info, digest) = unpack(&staged.path().join("tree")).what(what)?;
    if digest != layer.diff_id {
        return Err(Error::new(format!(
            "its tar has digest {digest}, not {} as the image's configuration says",
            layer.diff_id
        ))
        .what(what()));
    }
    store.publish_layer(staged, &map, &layer.diff_id, info, Durable::Later)?;
    Ok(info)
}

/// Unpacks a tar, plain or compressed with gzip or zstd, into the directory `tree`.
/// Returns what it holds and the digest of the tar without its compression.
///
/// Starts threads, so the caller must not be a process that forks later.
pub fn unpack(
    input: impl Read + Send,
    tree: &Path,
    id_map: &IdMap,
    report: Report<'_>,
) -> Result<(LayerInfo, Digest)> {
    let heard = inflate::Counted::new(input, |bytes| report.progress.advance(report.step, bytes));
    let (unpacked, digest) =
        inflate::hashed(heard, |tar| tree::unpack(tar, tree, id_map, helpers()))?;
    if unpacked.attributes_lost > 0 {
        report.progress.warn(&format!(
            "{} extended attributes of a layer could not be kept: this file system or user may not set them",
            unpacked.attributes_lost
        ));
    }
    Ok((unpacked.info, digest))
}

/// Threads that help to make the small files of one layer.
fn helpers() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (cores - 1).min(3)
}

/// Unpacks a plain tar of our own making, without a thread.
pub fn unpack_plain(tar: impl BufRead, tree: &Path, id_map: &IdMap) -> Result<LayerInfo> {
    Ok(tree::unpack(tar, tree, id_map, 0)?.info)
}

/// Shows a name that may hold anything: quoted, with control characters escaped.
pub fn shown(name: &[u8]) -> String {
    let mut text = format!("{:?}", String::from_utf8_lossy(name));
    if text.len() > 300 {
        let end = (0..=280).rev().find(|i| text.is_char_boundary(*i));
        text.truncate(end.unwrap_or(0));
        text.push_str("…\"");
    }
    text
}
