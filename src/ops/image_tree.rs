//! `image tree`: an image's layers, and which images end with each; or what is built upon it.
//!
//! Lives here: those facts.
//! Must not: draw.
//! Called by: `cli::image`.
//! Always true: layers are in their order from the lowest.

use std::collections::{BTreeMap, HashMap};

use crate::error::{Error, Kind, Result};
use crate::ops::{Session, pull};
use crate::spec::digest::Digest;
use crate::store::artifacts::no_image;
use crate::store::images::Entry;
use crate::store::summaries::LayerSummary;

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
    /// How many layers of the tree are below it.
    pub depth: usize,
    /// None of those that are upon the same layer comes after it.
    pub last: bool,
}

/// Returns an image's layers; with `upon` its uppermost, and all that other images have
/// upon it.
pub fn tree(session: &Session, name: &str, upon: bool) -> Result<Tree> {
    let entry = pull::find(session, name)?.ok_or_else(|| {
        Error::of(Kind::NotFound, format!("no such image: \"{name}\""))
            .hint("`rpod images` lists the images there are")
    })?;
    let entries = session.store.image_entries()?;
    let summaries = session.store.summaries(&entries);
    let own = summaries
        .get(&entry.digest)
        .ok_or_else(|| Error::new(format!("image \"{name}\" cannot be read")))?;
    if let Some(kind) = &own.artifact {
        return Err(no_image(kind).what(format!("cannot show \"{name}\"")));
    }
    // What is below a layer counts: two images may end with the same tar upon others.
    let mut ends: HashMap<Vec<&Digest>, Vec<String>> = HashMap::new();
    for (digest, summary) in &summaries {
        let chain = summary.layers.iter().map(|layer| &layer.diff_id).collect();
        ends.entry(chain)
            .or_default()
            .extend(names(&entries, digest));
    }
    let chain: Vec<&Digest> = own.layers.iter().map(|layer| &layer.diff_id).collect();
    let layer = |chain: &[&Digest], layer: &LayerSummary| {
        let mut top_of = ends.get(chain).cloned().unwrap_or_default();
        top_of.sort();
        Layer {
            diff_id: layer.diff_id.clone(),
            size: layer.size.unwrap_or(layer.packed),
            top_of,
            depth: 0,
            last: false,
        }
    };
    let mut layers: Vec<Layer> = Vec::new();
    if !upon {
        layers.extend(
            own.layers
                .iter()
                .enumerate()
                .map(|(n, one)| layer(&chain[..=n], one)),
        );
        layers
            .last_mut()
            .into_iter()
            .for_each(|top| top.last = true);
    } else if let Some(base) = own.layers.len().checked_sub(1) {
        // In their order, what is upon a layer comes right after it.
        let mut all: BTreeMap<Vec<&Digest>, &LayerSummary> = BTreeMap::new();
        for summary in summaries.values() {
            let other: Vec<&Digest> = summary.layers.iter().map(|l| &l.diff_id).collect();
            if summary.artifact.is_none() && other.starts_with(&chain) {
                let upper = summary.layers.iter().enumerate().skip(base);
                all.extend(upper.map(|(n, one)| (other[..=n].to_vec(), one)));
            }
        }
        for (place, (path, one)) in all.iter().enumerate() {
            let parent = &path[..path.len() - 1];
            let mut later = all.keys().skip(place + 1);
            layers.push(Layer {
                depth: path.len() - 1 - base,
                last: !later.any(|o| o.len() == path.len() && o.starts_with(parent)),
                ..layer(path, one)
            });
        }
    }
    Ok(Tree {
        id: own.id.clone(),
        tags: names(&entries, &entry.digest),
        size: own.size(),
        layers,
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
