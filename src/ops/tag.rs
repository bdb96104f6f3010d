//! `tag`: another name for an image.
//!
//! Lives here: giving a name; a name that another image had moves.
//! Must not: touch a blob.
//! Called by: `cli`.
//! Always true: the image named is in the index already.

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, pull};
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::images::{Entry, put};

/// Gives the image `source` the name `target` as well.
pub fn tag(session: &Session, source: &str, target: &str) -> Result<()> {
    let what = || format!("cannot tag \"{source}\" as \"{target}\"");
    let name: Reference = target.parse().what(what)?;
    if name.digest.is_some() {
        return Err(Error::of(
            Kind::Usage,
            "a digest follows from an image's content and cannot be given to it",
        )
        .what(what()));
    }
    let found = pull::find(session, source).what(what)?;
    let Some(found) = found else {
        return Err(no_such_image(source).what(what()));
    };
    let mut entry = Entry::new(
        &found.media_type,
        found.digest.clone(),
        found.size,
        Some(&name),
    )
    .tagged(Time::now());
    if found.pulled_digest() != found.digest {
        entry = entry.chosen_from(&found.pulled_digest());
    }
    session
        .store
        .change_images(
            |entries| {
                // It may have been removed since it was found.
                if !entries.iter().any(|e| e.digest == entry.digest) {
                    return Err(no_such_image(source));
                }
                put(entries, entry);
                Ok(())
            },
            |(), _| {},
        )
        .what(what)
}

fn no_such_image(text: &str) -> Error {
    Error::of(Kind::NotFound, format!("no such image: \"{text}\""))
        .hint("`rpod images` lists the images there are")
}
