//! `push`: images of this machine to their registries.
//!
//! Lives here: which images are meant, and what the index remembers afterwards.
//! Must not: speak HTTP (`image::registry`) or compress (`image::compress`).
//! Called by: `cli`, `ops::manifest`.
//! Always true: what a name has at its registry is remembered only after the
//! registry took it. This starts threads, and forks nothing afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};
use crate::image::push::{self, Order, Pushed, Wanted};
use crate::image::registry::settings::Place;
use crate::ops::access::Asked;
use crate::ops::{Session, pull};
use crate::progress::{Progress, Silent};
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::images::Entry;

/// What is to be pushed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image, by a name or an id.
    pub image: String,
    /// What it is to be called at the registry; none is its own name.
    pub destination: Option<String>,
    /// `-a`: every tag of the repository.
    pub all_tags: bool,
    /// `-q`: only the last line.
    pub quiet: bool,
    /// How layers leave.
    pub wanted: Wanted,
    /// Out of a list the image for this platform; an image only if it is for it.
    pub platform: Option<Platform>,
    /// `--retry`: how often more something is tried.
    pub retries: Option<u32>,
    /// `--retry-delay`: how long before the second try.
    pub delay: Option<Duration>,
    /// How the registry is to be spoken to.
    pub asked: Asked,
}

/// What is at the registry now, under a name.
#[derive(Clone, Debug)]
pub struct Done {
    /// The name.
    pub name: Reference,
    /// What it is.
    pub pushed: Pushed,
}

/// Pushes an image, or every tag of a repository. Says docker's lines through the
/// session's progress.
pub fn push(session: &Session, request: &Request) -> Result<Vec<Done>> {
    let mut chosen = if request.all_tags {
        tags(session, &request.image)?
    } else {
        vec![one(session, request)?]
    };
    if let Some(wanted) = &request.platform {
        for (entry, name) in &mut chosen {
            let found = for_platform(session, entry, wanted);
            *entry = found.what(|| format!("cannot push \"{}\"", name.familiar()))?;
        }
    }
    send(session, chosen, request)
}

/// Returns the image of an entry that is for a platform.
fn for_platform(session: &Session, entry: &Entry, wanted: &Platform) -> Result<Entry> {
    let mut chosen = session.store.choose(entry, Some(wanted))?;
    session.store.load_image(&chosen)?.check_platform(wanted)?;
    // Whether its layers leave as they came is known of the entry.
    chosen.annotations.clone_from(&entry.annotations);
    Ok(chosen)
}

/// Pushes entries, each under a name of one repository.
pub fn send(
    session: &Session,
    chosen: Vec<(Entry, Reference)>,
    request: &Request,
) -> Result<Vec<Done>> {
    let Some((_, first)) = chosen.first() else {
        return Ok(Vec::new());
    };
    let what = format!("cannot push \"{}\"", first.familiar());
    let progress: Arc<dyn Progress> = if request.quiet {
        Arc::new(Silent)
    } else {
        Arc::clone(&session.progress)
    };
    let repository = format!("{}/{}", first.registry, first.repository);
    progress.line(&format!("The push refers to repository [{repository}]"));
    let place = at(session, first).map_err(|error| error.what(what.clone()))?;
    let mut asked = request.asked.clone();
    asked.insecure |= place.insecure;
    let mut way = asked.way(&session.host, &first.registry, &first.repository);
    way.access.plain = place.plain;
    way.access.limits = way.access.limits.tried(request.retries, request.delay);
    let orders = chosen
        .iter()
        .map(|(entry, name)| Order {
            entry: entry.clone(),
            name: name.clone(),
            host: place.host.clone(),
            repository: place.repository.clone(),
            access: way.access.clone(),
            wanted: request.wanted,
        })
        .collect();
    let pushed = push::push(&session.store, orders, progress)
        .map_err(|error| way.explain(error).what(what))?;
    let mut done = Vec::new();
    for ((entry, name), pushed) in chosen.into_iter().zip(pushed) {
        remember(session, &entry, &name, &pushed)?;
        done.push(Done { name, pushed });
    }
    Ok(done)
}

/// Returns where settings say that the registry of a name is; nothing is pushed to a mirror.
fn at(session: &Session, name: &Reference) -> Result<Place> {
    let places = pull::settings(&session.host)?.places(name)?;
    places
        .into_iter()
        .find(|place| !place.mirror)
        .ok_or_else(|| Error::new("settings say of it that it has mirrors only"))
}

/// Writes the digest of what was pushed, for scripts.
pub fn write_digest(path: &Path, pushed: &Pushed) -> Result<()> {
    std::fs::write(path, pushed.digest.as_str())
        .what(|| format!("cannot write the digest to \"{}\"", path.display()))
}

fn one(session: &Session, request: &Request) -> Result<(Entry, Reference)> {
    let text = &pull::unaliased(session, &request.image)?;
    let what = || format!("cannot push \"{text}\"");
    let found = pull::find(session, text)
        .what(what)?
        .ok_or_else(|| absent(text).what(what()))?;
    let name = match &request.destination {
        Some(destination) => place(destination)?,
        None => text
            .parse::<Reference>()
            .ok()
            .filter(|name| session.store.find_image(name).is_ok_and(|e| e.is_some()))
            .ok_or_else(|| {
                Error::of(Kind::Usage, "an id does not say where to push it")
                    .hint(format!(
                        "give it a name of the registry first: `rpod tag {text} HOST/NAME`"
                    ))
                    .what(what())
            })?,
    };
    Ok((found, name))
}

/// Reads podman's second operand, which may name its transport.
fn place(text: &str) -> Result<Reference> {
    let name = text.strip_prefix("docker://").unwrap_or(text);
    let transports = [
        "dir:",
        "docker-archive:",
        "docker-daemon:",
        "oci:",
        "oci-archive:",
    ];
    if let Some(transport) = transports.iter().find(|t| text.starts_with(*t)) {
        return Err(Error::of(
            Kind::Usage,
            format!("rpod pushes to registries, and \"{transport}\" is none"),
        )
        .hint("write an image into a file with `rpod save`"));
    }
    name.parse()
}

fn tags(session: &Session, text: &str) -> Result<Vec<(Entry, Reference)>> {
    let what = || format!("cannot push \"{text}\"");
    let name: Reference = text.parse().what(what)?;
    let last = text.rsplit('/').next().unwrap_or(text);
    if name.digest.is_some() || last.contains(':') {
        return Err(
            Error::of(Kind::Usage, "tag can't be used with --all-tags/-a").hint(format!(
                "leave it out: `rpod push -a {}`",
                name.familiar_name()
            )),
        );
    }
    let mut found: Vec<(Entry, Reference)> = session
        .store
        .image_entries()?
        .into_iter()
        .filter_map(|entry| entry.name().map(|own| (entry, own)))
        .filter(|(_, own)| own.registry == name.registry && own.repository == name.repository)
        .filter(|(_, own)| own.tag.is_some())
        .collect();
    found.sort_by(|(_, one), (_, other)| one.cmp(other));
    if found.is_empty() {
        return Err(absent(text).what(what()));
    }
    Ok(found)
}

fn absent(text: &str) -> Error {
    Error::of(
        Kind::NotFound,
        format!("there is no image \"{text}\" on this machine"),
    )
    .hint("`rpod images` lists the images there are")
}

/// Keeps what the name has at its registry with the name, if it still means the image.
fn remember(session: &Session, entry: &Entry, name: &Reference, pushed: &Pushed) -> Result<()> {
    session.store.change_images(
        |entries| {
            for known in entries.iter_mut() {
                if known.digest == entry.digest && known.name().as_ref() == Some(name) {
                    *known = known.clone().pushed_as(&pushed.digest);
                }
            }
            Ok(())
        },
        |(), _| {},
    )
}
