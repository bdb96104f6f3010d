//! `--squash`: the new layers of an image made into one.
//!
//! Lives here: finding such a layer again, and keeping it.
//! Must not: fold (`image::layer::fold`), or say what is new (`plan`).
//! Called by: `output`, inside the builder.
//! Always true: the same layers give the same one, by the same name.

use std::fs;

use crate::error::{Context, Error, Result};
use crate::image::layer::fold;
use crate::image::layer::write::Options;
use crate::ops::build::step::{Site, adopt, directory, trees};
use crate::ops::build::summary::field;
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
    let known = site.store.find_whole_step(&key, &map);
    let one = match known.and_then(|record| record.layer) {
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
    let (layer, info) = adopt(site, &tree, Options::default(), false)?;
    let layer = layer.ok_or_else(|| Error::internal("a squash made no layer"))?;
    if site.keep {
        let record = StepRecord {
            layer: Some(layer.clone()),
            step: format!("{} layers squashed", new.len()),
            size: info.size,
            created: Time::now().unix(),
            content: None,
        };
        site.store.save_step(key, &record)?;
    }
    Ok(layer)
}
