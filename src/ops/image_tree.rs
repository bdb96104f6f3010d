//! `image tree`: an image's layers, and which images end with each.
//!
//! Lives here: those facts.
//! Must not: draw.
//! Called by: `cli::image`.
//! Always true: layers are in their order from the lowest.

use std::collections::HashMap;

use crate::error::{Error, Kind, Result};
use crate::ops::{Session, pull};
use crate::spec::digest::Digest;
use crate::store::images::Entry;

/// An image and its layers.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Its id.
    pub id: Digest,
    /// Its names.
    pub tags: Vec<String>,
    /// Bytes of its files.
    pub size: u64,
    /// Its layers.
    pub layers: Vec<Layer>,
}

/// A layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Digest of its tar.
    pub diff_id: Digest,
    /// Bytes of its files.
    pub size: u64,
    /// Names of the images whose uppermost layer it is.
    pub top_of: Vec<String>,
}

/// Returns an image's layers.
pub fn tree(session: &Session, name: &str) -> Result<Tree> {
    let entry = pull::find(session, name)?.ok_or_else(|| {
        Error::of(Kind::NotFound, format!("no such image: \"{name}\""))
            .hint("`rpod images` lists the images there are")
    })?;
    let entries = session.store.image_entries()?;
    let summaries = session.store.summaries(&entries);
    let own = summaries
        .get(&entry.digest)
        .ok_or_else(|| Error::new(format!("image \"{name}\" cannot be read")))?;
    // What is below a layer counts: two images may end with the same tar upon others.
    let mut ends: HashMap<Vec<&Digest>, Vec<String>> = HashMap::new();
    for (digest, summary) in &summaries {
        let chain = summary.layers.iter().map(|layer| &layer.diff_id).collect();
        ends.entry(chain)
            .or_default()
            .extend(names(&entries, digest));
    }
    let chain: Vec<&Digest> = own.layers.iter().map(|layer| &layer.diff_id).collect();
    let layers = own.layers.iter().enumerate().map(|(n, layer)| {
        let mut top_of = ends.get(&chain[..=n]).cloned().unwrap_or_default();
        top_of.sort();
        Layer {
            diff_id: layer.diff_id.clone(),
            size: layer.size.unwrap_or(layer.packed),
            top_of,
        }
    });
    Ok(Tree {
        id: own.id.clone(),
        tags: names(&entries, &entry.digest),
        size: own.size(),
        layers: layers.collect(),
    })
}

/// Says whether there is such an image.
pub fn exists(session: &Session, name: &str) -> Result<bool> {
    Ok(pull::find(session, name)?.is_some())
}

fn names(entries: &[Entry], digest: &Digest) -> Vec<String> {
    let same = entries.iter().filter(|entry| entry.digest == *digest);
    same.filter_map(Entry::name).map(|n| n.familiar()).collect()
}
