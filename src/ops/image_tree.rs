//! `image tree`: an image's layers, and which images end with each; or what is built upon it.
//!
//! Lives here: those facts.
//! Must not: draw.
//! Called by: `cli::image`.
//! Always true: layers are in their order from the lowest.

use std::collections::{BTreeMap, HashMap};

use crate::error::{Context, Error, Result};
use crate::ops::{Session, pull};
use crate::spec::digest::Digest;
use crate::store::Store;
use crate::store::artifacts::no_image;
use crate::store::images::Entry;
use crate::store::summaries::{LayerSummary, Summary};

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
    let what = || format!("cannot show \"{name}\"");
    let store = &session.store;
    let entry = pull::find(session, name)?.ok_or_else(pull::no_such);
    let entry = entry.what(what)?;
    // Of a list it is the image for this machine, as a container has it.
    let chosen = store.choose(&entry, None).what(what)?;
    let entries = store.image_entries()?;
    let images = images(store, &entries);
    let own = images.iter().find(|one| one.digest == chosen.digest);
    let own = own
        .ok_or_else(|| Error::new("it cannot be read"))
        .what(what)?;
    if let Some(kind) = &own.summary.artifact {
        return Err(no_image(kind).what(what()));
    }
    // What is below a layer counts: two images may end with the same tar upon others.
    let mut ends: HashMap<Vec<&Digest>, Vec<String>> = HashMap::new();
    for image in &images {
        let chain = image.summary.layers.iter().map(|layer| &layer.diff_id);
        ends.entry(chain.collect())
            .or_default()
            .extend(image.names.clone());
    }
    let own = &own.summary;
    let chain: Vec<&Digest> = own.layers.iter().map(|layer| &layer.diff_id).collect();
    let layer = |chain: &[&Digest], layer: &LayerSummary| {
        let mut top_of = ends.get(chain).cloned().unwrap_or_default();
        top_of.sort();
        top_of.dedup();
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
        for Known { summary, .. } in &images {
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

/// An image of the index, or one of a list in it.
struct Known {
    digest: Digest,
    /// Its own names and those of lists that it is in.
    names: Vec<String>,
    summary: Summary,
}

fn images(store: &Store, entries: &[Entry]) -> Vec<Known> {
    let mut summaries = store.summaries(entries);
    let mut found: Vec<Known> = Vec::new();
    let mut places: HashMap<Digest, usize> = HashMap::new();
    for entry in entries {
        let name = entry.name().map(|name| name.familiar());
        for member in store.members(entry).unwrap_or_default() {
            let known = places.get(&member.digest).map(|place| &mut found[*place]);
            if let Some(known) = known {
                known.names.extend(name.clone());
                continue;
            }
            let summary = summaries.remove(&member.digest);
            let Some(summary) = summary.or_else(|| store.summarize(&member)) else {
                continue;
            };
            places.insert(member.digest.clone(), found.len());
            found.push(Known {
                digest: member.digest,
                names: name.clone().into_iter().collect(),
                summary,
            });
        }
    }
    found
}

/// Says whether there is such an image.
pub fn exists(session: &Session, name: &str) -> Result<bool> {
    Ok(pull::find(session, name)?.is_some())
}

fn names(entries: &[Entry], digest: &Digest) -> Vec<String> {
    let same = entries.iter().filter(|entry| entry.digest == *digest);
    same.filter_map(Entry::name).map(|n| n.familiar()).collect()
}
