//! `--squash`: the new layers of an image made into one.
//!
//! Lives here: finding such a layer again, and keeping it.
//! Must not: fold (`image::layer::fold`), or say what is new (`plan`).
//! Called by: `output`, inside the builder.
//! Always true: the same layers give the same one, by the same name.

use std::fs;

use crate::error::{Context, Result};
use crate::image::layer::fold;
use crate::image::layer::write::{self, Options};
use crate::ops::build::gather::field;
use crate::ops::build::step::{Sink, Site, directory, trees};
use crate::spec::digest::{Digest, Hasher};
use crate::spec::time::Time;
use crate::store::build::StepRecord;

/// Makes one layer of all but the lowest `kept`; returns the layers there are then.
pub fn squash(site: &Site<'_>, layers: &[Digest], kept: usize) -> Result<Vec<Digest>> {
    let (below, new) = layers.split_at(kept.min(layers.len()));
    if new.len() < 2 {
        return Ok(layers.to_vec());
    }
    let mut hasher = Hasher::default();
    field(&mut hasher, b"rpod", b"squash 1");
    for layer in below {
        field(&mut hasher, b"below", layer.as_str().as_bytes());
    }
    for layer in new {
        field(&mut hasher, b"layer", layer.as_str().as_bytes());
    }
    let key = hasher.finish();
    let _turn = site.store.lock_blob(&key)?;
    let map = site.identity.map.name();
    let known = site.store.find_step(&key).and_then(|record| record.layer);
    let one = match known.filter(|layer| site.store.has_layer(&map, layer)) {
        Some(layer) => layer,
        None => fold_new(site, below, new, &key)?,
    };
    Ok(below.iter().cloned().chain([one]).collect())
}

fn fold_new(site: &Site<'_>, below: &[Digest], new: &[Digest], key: &Digest) -> Result<Digest> {
    let staged = site.store.stage("squash")?;
    let tree = staged.path().join("tree");
    directory(&tree, 0o755).what(|| format!("cannot make \"{}\"", tree.display()))?;
    let file = fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(staged.path().join("layer.tar"))?;
    fold::fold(
        &trees(site, new)?,
        &trees(site, below)?,
        &tree,
        file,
        &site.identity.map,
    )?;
    let mut sink = Sink::default();
    let written = write::write(&tree, Options::default(), &mut sink)?;
    let layer = sink.finish();
    let map = site.identity.map.name();
    if !site.store.has_layer(&map, &layer) {
        site.store
            .adopt_layer(&tree, &written.left_out, &map, &layer, written.info)?;
    }
    if site.keep {
        let record = StepRecord {
            layer: Some(layer.clone()),
            step: format!("{} layers squashed", new.len()),
            size: written.info.size,
            created: Time::now().unix(),
            content: None,
        };
        site.store.save_step(key, &record)?;
    }
    Ok(layer)
}
