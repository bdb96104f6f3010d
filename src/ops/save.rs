//! `save`: images as an archive or a directory.
//!
//! Lives here: which images and names are meant.
//! Must not: write an archive (`image::archive`).
//! Called by: `cli`.
//! Always true: what is missing is said before the first byte is written.

use std::io::Write;
use std::path::Path;

use crate::error::{Context, Error, Kind, Result};
use crate::image::archive::save::{self, Saved};
use crate::ops::{Session, pull};
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::gc::Lease;
use crate::store::images::{Entry, Image};

/// What `save` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// docker's archive, an OCI layout in it.
    DockerArchive,
    /// An OCI layout as an archive.
    OciArchive,
    /// An OCI layout as a directory.
    OciDir,
    /// A directory with docker's manifest.
    DockerDir,
}

/// Finds the images that are meant: by a name, all tags of a repository, or an id.
pub fn find(
    session: &Session,
    texts: &[String],
    platform: Option<&Platform>,
) -> Result<Vec<Saved>> {
    let mut found: Vec<Saved> = Vec::new();
    for text in texts {
        let what = || format!("cannot save \"{text}\"");
        for (entry, name) in meant(session, text).what(what)? {
            // A list is saved whole, unless one of its images is asked for.
            let entry = match platform {
                Some(_) => session.store.choose(&entry, platform).what(what)?,
                None => entry,
            };
            match found.iter_mut().find(|s| s.entry.digest == entry.digest) {
                Some(known) => known.names.extend(name),
                None => {
                    let saved = Saved {
                        image: image(session, &entry).what(what)?,
                        blobs: session.store.blobs_of(&entry).what(what)?,
                        entry,
                        names: name.into_iter().collect(),
                    };
                    check_platform(&saved, platform).what(what)?;
                    found.push(saved);
                }
            }
        }
    }
    for saved in &mut found {
        saved.names.sort();
        saved.names.dedup();
    }
    Ok(found)
}

/// Returns the image that older readers are to find: of a list the one for this machine;
/// an artifact is none.
fn image(session: &Session, entry: &Entry) -> Result<Option<Image>> {
    if entry.is_list() {
        return Ok(session.store.load_for_here(entry).ok());
    }
    if session.store.artifact(entry).is_some() {
        return Ok(None);
    }
    session.store.load_image(entry).map(Some)
}

/// Writes an archive.
pub fn to_stream(
    session: &Session,
    images: &[Saved],
    form: Form,
    output: &mut dyn Write,
) -> Result<()> {
    let what = || "cannot save images";
    let _lease = whole(session, images).what(what)?;
    save::archive(&session.store, images, form == Form::OciArchive, output).what(what)
}

/// Writes a directory.
pub fn to_directory(session: &Session, images: &[Saved], form: Form, place: &Path) -> Result<()> {
    let what = || format!("cannot save images in \"{}\"", place.display());
    let _lease = whole(session, images).what(what)?;
    std::fs::create_dir_all(place).what(what)?;
    if form == Form::OciDir && save::is_cut_off(place) {
        match std::fs::remove_dir_all(place.join("blobs")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.what(what)?,
        }
    } else if std::fs::read_dir(place).what(what)?.next().is_some() {
        return Err(Error::of(Kind::Conflict, "it is not empty")
            .what(what())
            .hint("name another directory, or empty this one"));
    }
    match (form, images) {
        (Form::DockerDir, [one]) => save::docker_directory(&session.store, one, place),
        (Form::DockerDir, _) => Err(Error::of(
            Kind::Usage,
            "docker's form of a directory has room for one image",
        )
        .hint("use `--format oci-dir` for several")),
        _ => save::oci_directory(&session.store, images, place),
    }
    .what(what)
}

/// Keeps what is saved from being collected while it is written, and looks again
/// whether it is all there.
fn whole(session: &Session, images: &[Saved]) -> Result<Lease> {
    let lease = session.store.lease()?;
    for saved in images {
        save::check(&session.store, saved)?;
    }
    Ok(lease)
}

/// Returns the entries that a text means, each with the name it is saved under.
fn meant(session: &Session, text: &str) -> Result<Vec<(Entry, Option<Reference>)>> {
    let text = &pull::unaliased(session, text)?;
    let missing = || {
        Error::of(Kind::NotFound, format!("no such image: \"{text}\""))
            .hint("`rpod images` lists the images there are")
    };
    let entry = pull::find(session, text)?;
    let reference: Option<Reference> = text.parse().ok();
    let Some(reference) = reference else {
        return Ok(vec![(entry.ok_or_else(missing)?, None)]);
    };
    if !has_tag(text) {
        // A repository means all its tags, as docker has it.
        let all: Vec<(Entry, Option<Reference>)> = session
            .store
            .image_entries()?
            .into_iter()
            .filter_map(|entry| Some((entry.name()?, entry)))
            .filter(|(name, _)| {
                name.registry == reference.registry && name.repository == reference.repository
            })
            .filter(|(name, _)| name.tag.is_some())
            .map(|(name, entry)| (entry, Some(name)))
            .collect();
        if !all.is_empty() {
            return Ok(all);
        }
    }
    let entry = entry.ok_or_else(missing)?;
    let named = entry.name().filter(|name| *name == reference);
    let named = named.filter(|name| name.tag.is_some());
    Ok(vec![(entry, named)])
}

fn has_tag(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or_default();
    last.contains([':', '@'])
}

fn check_platform(saved: &Saved, wanted: Option<&Platform>) -> Result<()> {
    match (&saved.image, wanted) {
        (Some(image), Some(wanted)) => image
            .check_platform(wanted)
            .hint(|| format!("get the other one with `rpod pull --platform {wanted} …`")),
        _ => Ok(()),
    }
}
