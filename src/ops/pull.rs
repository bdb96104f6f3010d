//! `pull`: images from their registries, and the image that a name means.
//!
//! Lives here: where an image comes from (the store, rpod itself, a registry),
//! and what is said on the way.
//! Must not: speak HTTP (`image::registry`) or unpack (`image::layer`).
//! Called by: `cli`, `ops::create`.
//! Always true: an image that is all there costs a few reads: no thread, no
//! fork, no network. What unpacks does so inside the user's namespace.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::image::{builtin, transfer};
use crate::ops::Session;
use crate::ops::access::Asked;
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::progress::{Progress, Silent};
use crate::spec::container::PullPolicy;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::{DOCKER_HUB, Reference};
use crate::store::images::{Entry, Image};

/// What is to be pulled.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image.
    pub reference: Reference,
    /// `--platform`; none is this machine's.
    pub platform: Option<Platform>,
    /// `-q`: only the last line.
    pub quiet: bool,
    /// How its registry is to be spoken to.
    pub asked: Asked,
}

/// What came of a pull.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pulled {
    /// The entry now in the index.
    pub entry: Entry,
    /// Digest of what the registry has under the name (a list's, if it is one).
    pub digest: Digest,
    /// The name means something else than before.
    pub newer: bool,
}

/// Pulls one image: blobs into the store, layers unpacked, the name in the index.
/// Says docker's lines through the session's progress.
pub fn pull(session: &Session, request: &Request) -> Result<Pulled> {
    let reference = &request.reference;
    let identity = Identity::of(&session.host)?;
    let progress: Arc<dyn Progress> = if request.quiet {
        Arc::new(Silent)
    } else {
        Arc::clone(&session.progress)
    };
    // A helper that opens a session's key store has to be asked by the user, not by root inside.
    let way = request
        .asked
        .way(&session.host, &reference.registry, &reference.repository);
    let order = transfer::Order {
        reference: reference.clone(),
        platform: request.platform.clone(),
        access: way.access.clone(),
    };
    let pulled = run_inside(&identity, || {
        let done = transfer::pull(&session.store, &identity.map, order, Arc::clone(&progress))?;
        Ok(Pulled {
            entry: done.entry,
            digest: done.digest,
            newer: done.newer,
        })
    })
    .map_err(|error| {
        let error = way.explain(error);
        with_suggestion(session, reference, error).what(format!("cannot pull \"{reference}\""))
    })?;
    progress.line(&format!("Digest: {}", pulled.digest));
    let name = reference.familiar();
    progress.line(&if pulled.newer {
        format!("Status: Downloaded newer image for {name}")
    } else {
        format!("Status: Image is up to date for {name}")
    });
    Ok(pulled)
}

/// Returns the image that `text` means for `run` and `create`, by the policy: from the
/// store, out of rpod itself, or pulled. Its layers are unpacked under the user's id map when it returns.
pub fn ensure(
    session: &Session,
    text: &str,
    policy: PullPolicy,
    platform: Option<Platform>,
) -> Result<Image> {
    let reference = text.parse::<Reference>();
    let found = find(session, text)?;
    // An id names no registry, so there is nobody to ask.
    let is_id = match (&found, &reference) {
        (Some(_), Ok(reference)) => session.store.find_image(reference)?.is_none(),
        (found, Err(_)) => found.is_some(),
        (None, Ok(_)) => false,
    };
    if let Some(entry) = found
        && (policy != PullPolicy::Always || is_id)
    {
        let image = session.store.load_image(&entry)?;
        if fits(&image, platform.as_ref()) {
            match unpacked(session, image) {
                Err(Lack::Blob(layer)) if policy == PullPolicy::Never || is_id => {
                    return Err(Error::new(format!(
                        "image \"{text}\" is not whole: its layer {} is gone",
                        layer.short()
                    ))
                    .hint("remove it with `rpod rmi -f`, and pull it again"));
                }
                Err(Lack::Blob(_)) => {}
                Err(Lack::Other(error)) => return Err(error),
                Ok(image) => return Ok(image),
            }
        } else if is_id {
            return Err(wrong_platform(text, &image, platform.as_ref()));
        }
    }
    let reference = reference?;
    if policy == PullPolicy::Never {
        return Err(absent(session, &reference));
    }
    if policy == PullPolicy::Missing {
        session.progress.line(&format!(
            "Unable to find image '{}' locally",
            reference.familiar()
        ));
    }
    let request = Request {
        reference,
        platform,
        quiet: false,
        asked: Asked::default(),
    };
    let pulled = pull(session, &request)?;
    session.store.load_image(&pulled.entry)
}

/// Returns the image of this machine that `text` means: by a name, an id or the beginning
/// of one. The image that rpod itself carries is made when it is asked for.
pub fn find(session: &Session, text: &str) -> Result<Option<Entry>> {
    if text
        .parse()
        .is_ok_and(|reference| builtin::provides(&reference))
    {
        let identity = Identity::of(&session.host)?;
        return builtin::ensure(&session.store, &identity.map).map(Some);
    }
    session.store.resolve_image(text)
}

fn fits(image: &Image, wanted: Option<&Platform>) -> bool {
    wanted.is_none_or(|wanted| wanted.accepts(&platform_of(image)))
}

fn platform_of(image: &Image) -> Platform {
    Platform {
        os: image.config.os().to_string(),
        architecture: image.config.architecture().to_string(),
        variant: image.config.variant().clone(),
    }
}

fn wrong_platform(text: &str, image: &Image, wanted: Option<&Platform>) -> Error {
    Error::new(format!(
        "image \"{text}\" is for {}, not for {}",
        platform_of(image),
        wanted.unwrap_or(&Platform::host())
    ))
}

/// What keeps an image of the store from being used as it is.
enum Lack {
    /// A layer is neither unpacked nor kept.
    Blob(Digest),
    Other(Error),
}

/// Sees to it that an image's layers are unpacked under the user's id map: they are not
/// after the user was given other subordinate ids.
fn unpacked(session: &Session, image: Image) -> Result<Image, Lack> {
    let identity = Identity::of(&session.host).map_err(Lack::Other)?;
    let map = identity.map.name();
    let store = &session.store;
    let mut missing = image
        .layers
        .iter()
        .filter(|layer| !store.has_layer(&map, &layer.diff_id))
        .peekable();
    if missing.peek().is_none() {
        return Ok(image);
    }
    if let Some(gone) = missing.find(|layer| !store.has_blob(&layer.blob)) {
        return Err(Lack::Blob(gone.blob.clone()));
    }
    let progress = session.progress.as_ref();
    run_inside(&identity, || {
        transfer::unpack(store, &identity.map, &image, progress)
    })
    .map_err(Lack::Other)?;
    Ok(image)
}

fn absent(session: &Session, reference: &Reference) -> Error {
    let error = Error::of(
        Kind::NotFound,
        format!(
            "there is no image \"{}\" on this machine, and `--pull never` forbids to fetch it",
            reference.familiar()
        ),
    );
    match nearest(session, reference) {
        Some(near) => error.hint(format!("did you mean the local image \"{near}\"?")),
        None => error.hint(format!(
            "fetch it with `rpod pull {}`",
            reference.familiar()
        )),
    }
}

/// Adds the name of a local image that was perhaps meant.
fn with_suggestion(session: &Session, reference: &Reference, error: Error) -> Error {
    // A registry that hides what is private says 401 of what does not exist.
    let hidden = reference.registry == DOCKER_HUB && error.to_string().contains("(401 from");
    if error.kind() != Kind::NotFound && !hidden {
        return error;
    }
    match nearest(session, reference) {
        Some(near) => error.hint(format!(
            "did you mean the local image \"{near}\"? run `rpod images` to see what you have"
        )),
        None => error,
    }
}

/// Returns the name of the local image that is most like another, if one is like it.
fn nearest(session: &Session, reference: &Reference) -> Option<String> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let wanted = last(&reference.repository);
    let entries = session.store.image_entries().ok()?;
    entries
        .iter()
        .filter_map(Entry::name)
        .map(|name| (distance(&wanted, &last(&name.repository)), name))
        .filter(|(distance, name)| {
            *distance <= 2.min(wanted.len().div_ceil(3)) && name != reference
        })
        .min()
        .map(|(_, name)| name.familiar())
}

/// Counts the letters to add, take out or change to make one word of another.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn the_distance_counts_letters() {
        for (from, to, letters) in [
            ("kubja", "kubia", 1),
            ("busybox", "busibix", 2),
            ("", "abc", 3),
            ("redis", "rdis", 1),
            ("x", "x", 0),
        ] {
            assert_eq!(distance(from, to), letters, "{from} {to}");
        }
    }
}
