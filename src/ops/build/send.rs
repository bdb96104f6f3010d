//! What leaves the machine after a build: archives of the image, and pushes.
//!
//! Lives here: `-o type=oci|docker|registry`, `--push`.
//! Must not: speak HTTP (`ops::push`) or write an archive (`image::archive`).
//! Called by: `ops::build`, when the image is whole. A push starts threads.
//! Always true: the build's lease is held, so an image without a name is not collected.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Context, Error, Kind, Result};
use crate::image::archive::save::{self, Saved};
use crate::image::push::Wanted;
use crate::ops::build::{Built, Output, Request};
use crate::ops::{Session, push};
use crate::spec::reference::Reference;
use crate::store::images::Entry;

/// Sends the image wherever it is to go.
pub fn send(session: &Session, request: &Request, built: &Built) -> Result<()> {
    let Some(entry) = &built.entry else {
        return Ok(());
    };
    for output in &request.outputs {
        if let Output::Archive {
            docker,
            directory,
            path,
        } = output
        {
            let image = built.images.first().unwrap_or(entry);
            let saved = [saved(session, entry, image, &request.tags)?];
            let what = || match path {
                Some(path) => format!("cannot write the image to \"{}\"", path.display()),
                None => "cannot write the image to standard output".to_owned(),
            };
            match path {
                Some(path) if *directory => layout(session, &saved, path),
                Some(path) => File::create(path)
                    .map_err(Error::from)
                    .and_then(|mut f| save::archive(&session.store, &saved, !docker, &mut f)),
                None => {
                    let mut out = std::io::stdout().lock();
                    save::archive(&session.store, &saved, !docker, &mut out)
                        .and_then(|()| Ok(out.flush()?))
                }
            }
            .what(what)?;
        }
    }
    if request.outputs.contains(&Output::Registry) {
        let names: Vec<&Reference> = request.tags.iter().chain(&request.list).collect();
        push_all(session, request, entry, &names)?;
    }
    Ok(())
}

/// Returns what is saved of an image or a list; older readers find the one image.
pub fn saved(
    session: &Session,
    entry: &Entry,
    image: &Entry,
    names: &[Reference],
) -> Result<Saved> {
    Ok(Saved {
        entry: entry.clone(),
        image: Some(session.store.load_image(image)?),
        blobs: session.store.blobs_of(entry)?,
        names: names.to_vec(),
    })
}

/// Writes an OCI layout; one that is there, whole or cut off, is replaced. What else is
/// beside it stays, and the directory itself, on which something may be mounted.
pub fn layout(session: &Session, saved: &[Saved], place: &Path) -> Result<()> {
    if place.join("oci-layout").is_file() {
        for gone in [
            fs::remove_file(place.join("index.json")),
            fs::remove_dir_all(place.join("blobs")),
        ] {
            match gone {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                gone => gone?,
            }
        }
    } else if fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::of(
            Kind::Conflict,
            "it is not empty, and no OCI layout that could be replaced",
        )
        .hint("name another directory, or empty this one"));
    }
    save::oci_directory(&session.store, saved, place)
}

/// Pushes an image or a list under all its names.
pub fn push_all(
    session: &Session,
    request: &Request,
    entry: &Entry,
    names: &[&Reference],
) -> Result<()> {
    for name in names {
        let order = push::Request {
            image: name.to_string(),
            destination: None,
            all_tags: false,
            quiet: request.quiet,
            wanted: Wanted::default(),
            platform: None,
            retries: None,
            delay: None,
            asked: request.asked.clone(),
        };
        push::send(session, vec![(entry.clone(), (*name).clone())], &order)?;
    }
    Ok(())
}
