//! `history`: how an image was made, the newest step first.
//!
//! Lives here: an image's steps, each with the layer it made.
//! Must not: format.
//! Called by: `cli::history`.
//! Always true: a step that made no layer has size 0; layers that no step claims
//! are steps without words.

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, pull};
use crate::spec::digest::Digest;
use crate::spec::time::Time;
use crate::store::images::Entry;

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The image that it made; of the steps before the last nobody knows.
    pub id: Option<Digest>,
    /// When.
    pub created: Option<Time>,
    /// What was done.
    pub created_by: String,
    /// Bytes of the files it added.
    pub size: u64,
    /// What is said of it.
    pub comment: String,
    /// Names of the image, on the last step.
    pub tags: Vec<String>,
}

/// Returns the steps of an image, newest first.
pub fn history(session: &Session, name: &str) -> Result<Vec<Step>> {
    let what = || format!("cannot show the history of \"{name}\"");
    let entry = pull::find(session, name).what(what)?.ok_or_else(|| {
        Error::of(Kind::NotFound, format!("no such image: \"{name}\""))
            .hint("`rpod images` lists the images there are")
    })?;
    let store = &session.store;
    let image = store.load_for_here(&entry).what(what)?;
    let mut layers = image.layers.iter();
    let mut next = || {
        layers.next().map(|layer| {
            let info = store.layer_info(&layer.diff_id);
            info.map_or(layer.size, |info| info.size)
        })
    };
    let mut steps = Vec::new();
    for made in image.config.history().iter().flatten() {
        let is_empty = made.empty_layer().unwrap_or(false);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        steps.push(Step {
            created: made.created().as_ref().and_then(|text| text.parse().ok()),
            created_by: text(made.created_by()),
            size: if is_empty { 0 } else { next().unwrap_or(0) },
            comment: text(made.comment()),
            ..Step::default()
        });
    }
    while let Some(size) = next() {
        steps.push(Step {
            size,
            created: image.config.created().as_ref().and_then(|t| t.parse().ok()),
            ..Step::default()
        });
    }
    if let Some(last) = steps.last_mut() {
        let entries = store.image_entries()?;
        let same = entries.iter().filter(|other| other.digest == entry.digest);
        last.tags = same.filter_map(Entry::name).map(|n| n.familiar()).collect();
        last.id = Some(image.id);
    }
    steps.reverse();
    Ok(steps)
}
