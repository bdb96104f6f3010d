//! `untag`: names taken from an image, which stays.
//!
//! Lives here: which names go.
//! Must not: remove an image.
//! Called by: `cli::untag`.
//! Always true: an image whose last name goes stays in the index without one.

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, pull};
use crate::spec::digest::Digest;
use crate::spec::reference::Reference;
use crate::store::images::{Entry, put};

/// Takes names from an image: those given, or all that it has.
pub fn untag(session: &Session, image: &str, names: &[String]) -> Result<()> {
    let what = || format!("cannot untag \"{image}\"");
    let names: Vec<Reference> = names
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_>>()
        .what(what)?;
    let found = pull::existing(session, image).what(what)?;
    let found = found.ok_or_else(pull::no_such).what(what)?;
    session
        .store
        .change_images(|entries| take(entries, &found.digest, &names), |(), _| {})
        .what(what)
}

fn take(entries: &mut Vec<Entry>, image: &Digest, names: &[Reference]) -> Result<()> {
    let has = |entry: &Entry, name: &Reference| {
        entry.digest == *image && entry.name().as_ref() == Some(name)
    };
    if let Some(other) = names.iter().find(|n| !entries.iter().any(|e| has(e, n))) {
        return Err(Error::of(
            Kind::NotFound,
            format!("it has no name \"{}\"", other.familiar()),
        ));
    }
    let goes = |entry: &Entry| {
        entry.digest == *image
            && entry.name().is_some()
            && (names.is_empty() || names.iter().any(|name| has(entry, name)))
    };
    let (gone, stays): (Vec<Entry>, Vec<Entry>) =
        std::mem::take(entries).into_iter().partition(goes);
    *entries = stays;
    if let Some(last) = gone.into_iter().next()
        && !entries.iter().any(|entry| entry.digest == *image)
    {
        put(entries, last.without_name());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::take;
    use crate::spec::digest::Digest;
    use crate::store::images::Entry;

    #[test]
    fn the_last_name_leaves_the_image_without_one() {
        let digest = Digest::of(b"m");
        let name = |text: &str| text.parse().expect("a name");
        let entry = |text: &str| Entry::new("m", digest.clone(), 1, Some(&name(text)));
        let mut entries = vec![entry("one"), entry("two")];
        let error = take(&mut entries, &digest, &[name("three")]).expect_err("it has none");
        assert_eq!(error.to_string(), "it has no name \"three:latest\"");
        take(&mut entries, &digest, &[name("one")]).expect("taken");
        assert_eq!(entries, [entry("two")]);
        take(&mut entries, &digest, &[]).expect("taken");
        assert_eq!(entries, [Entry::new("m", digest.clone(), 1, None)]);
    }
}
