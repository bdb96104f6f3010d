//! `pull`: images from their registries, and the image that a name means.
//!
//! Lives here: where an image comes from (the store, rpod itself, a registry or its
//! mirrors), whether it may, and what is said on the way.
//! Must not: speak HTTP (`image::registry`) or unpack (`image::layer`).
//! Called by: `cli`, `ops::create`, `ops::manifest`.
//! Always true: an image that is all there costs a few reads: no thread, no
//! fork, no network. What unpacks does so inside the user's namespace. Nothing is
//! asked for that the policy does not admit.

mod places;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::places::Places;
use crate::error::{Context, Error, Kind, Result};
use crate::host::Host;
use crate::image::policy::{self, Policy};
use crate::image::registry::settings::{Files, Settings};
use crate::image::{builtin, registry, transfer};
use crate::ops::access::Asked;
use crate::ops::{Session, sweep};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::progress::{Progress, Silent};
use crate::spec::container::PullPolicy;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::{DOCKER_HUB, Reference, is_short};
use crate::store::images::{Entry, Image};

/// How images are to be pulled.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// When their registries are asked at all.
    pub policy: PullPolicy,
    /// `--platform`; none is this machine's.
    pub platform: Option<Platform>,
    /// `--all-tags`.
    pub all_tags: bool,
    /// Artifacts too, of which no container can be made.
    pub artifacts: bool,
    /// No name in the index is to mean it: it is fetched for what is in it.
    pub nameless: bool,
    /// `-q`: only the last line.
    pub quiet: bool,
    /// How its registry is to be spoken to.
    pub asked: Asked,
    /// `--retry`: how often more something is tried.
    pub retries: Option<u32>,
    /// `--retry-delay`: how long before the second try.
    pub delay: Option<Duration>,
}

/// What came of a pull.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pulled {
    /// Its name.
    pub reference: Reference,
    /// The entry now in the index.
    pub entry: Entry,
    /// Digest of what the registry has under the name (a list's, if it is one); none
    /// where it was not asked.
    pub digest: Option<Digest>,
    /// The name means something else than before.
    pub newer: bool,
}

/// Pulls images by the names typed: blobs into the store, layers unpacked, the names in
/// the index. Says docker's lines through the session's progress. One that fails keeps
/// no other from it; what came of each is returned.
pub fn pull(session: &Session, request: &Request, names: &[String]) -> Result<Vec<Result<Pulled>>> {
    let progress: Arc<dyn Progress> = if request.quiet {
        Arc::new(Silent)
    } else {
        Arc::clone(&session.progress)
    };
    let identity = Identity::of(&session.host)?;
    let settings = settings(&session.host)?;
    let trust = Policy::read(&policy::files(&session.host.home, &variable))?;
    let mut places = Places::new(&session.host, &settings, request);
    let mut done = Vec::new();
    let mut orders = Vec::new();
    for name in names {
        let what = || format!("cannot pull \"{name}\"");
        match plan(session, &settings, &mut places, request, name).what(what) {
            Ok(Plan::There(pulled)) => done.push(Ok(*pulled)),
            Ok(Plan::Ask(order)) => orders.push(order),
            Err(error) => done.push(Err(error)),
        }
    }
    if orders.is_empty() {
        return Ok(done);
    }
    let asked = run_inside(&identity, || {
        // Layers that pulls before us were killed at.
        session.store.sweep();
        let orders = orders.iter().map(|order| {
            if request.all_tags {
                all_tags(order, &progress)
            } else {
                vec![Ok(order.clone())]
            }
        });
        let admitted = orders.flatten().map(|order| {
            let order = order?;
            let admitted = trust.as_ref().map_or(Ok(()), |t| t.admit(&order.reference));
            admitted.map_err(|error| Failed(order.reference.clone(), error))?;
            Ok(order)
        });
        fetch(session, &identity, admitted.collect(), &progress)
    })?;
    sweep::settle(session);
    for one in asked {
        done.push(finish(session, &places, request, &progress, one));
    }
    Ok(done)
}

/// What is to be done for one name.
enum Plan {
    /// Nothing: it is there, and that is enough.
    There(Box<Pulled>),
    Ask(transfer::Order),
}

fn plan(
    session: &Session,
    settings: &Settings,
    places: &mut Places<'_>,
    request: &Request,
    name: &str,
) -> Result<Plan> {
    let mut reference = settings.meaning(name)?;
    if matches!(request.policy, PullPolicy::Missing | PullPolicy::Never) {
        if let Some(entry) = session.store.find_image(&reference)? {
            return Ok(Plan::There(Box::new(Pulled {
                reference,
                entry,
                digest: None,
                newer: false,
            })));
        }
        if request.policy == PullPolicy::Never {
            return Err(absent(session, &reference));
        }
    }
    if request.all_tags {
        reference.tag = None;
    }
    Ok(Plan::Ask(transfer::Order {
        sources: places.sources(&reference)?,
        platform: request.platform.clone(),
        artifacts: request.artifacts,
        nameless: request.nameless,
        reference,
    }))
}

/// An image that could not be pulled.
#[derive(Debug, Serialize, Deserialize)]
struct Failed(Reference, Error);

fn all_tags(
    order: &transfer::Order,
    progress: &Arc<dyn Progress>,
) -> Vec<Result<transfer::Order, Failed>> {
    let tags = match transfer::tags(order.sources.clone(), progress) {
        Ok(tags) => tags,
        Err(error) => return vec![Err(Failed(order.reference.clone(), error))],
    };
    let tagged = |tag: String| {
        let mut order = order.clone();
        order.reference.tag = Some(tag);
        Ok(order)
    };
    tags.into_iter().map(tagged).collect()
}

/// Pulls what may be pulled; the others stay in their places.
fn fetch(
    session: &Session,
    identity: &Identity,
    orders: Vec<Result<transfer::Order, Failed>>,
    progress: &Arc<dyn Progress>,
) -> Result<Vec<Result<Pulled, Failed>>> {
    let admitted = orders.iter().flatten().cloned().collect();
    let fetched = transfer::pull(&session.store, &identity.map, admitted, progress)?;
    let mut fetched = fetched.into_iter();
    let outcome = |order: Result<transfer::Order, Failed>| {
        let reference = order?.reference;
        let lost = || Err(Error::internal("a pull came to nothing"));
        match fetched.next().unwrap_or_else(lost) {
            Ok(done) => Ok(Pulled {
                reference,
                entry: done.entry,
                digest: Some(done.digest),
                newer: done.newer,
            }),
            Err(error) => Err(Failed(reference, error)),
        }
    };
    Ok(orders.into_iter().map(outcome).collect())
}

/// Says what came of one.
fn finish(
    session: &Session,
    places: &Places<'_>,
    request: &Request,
    progress: &Arc<dyn Progress>,
    one: Result<Pulled, Failed>,
) -> Result<Pulled> {
    let pulled = match one {
        Ok(pulled) => pulled,
        Err(Failed(reference, error)) => {
            let there = session.store.find_image(&reference)?;
            match there.filter(|_| request.policy == PullPolicy::Newer) {
                Some(entry) => {
                    let name = reference.familiar();
                    progress.warn(&format!("\"{name}\" is used as it is: {error}"));
                    Pulled {
                        reference,
                        entry,
                        digest: None,
                        newer: false,
                    }
                }
                None => {
                    let error = with_suggestion(session, &reference, places.explain(error));
                    return Err(error.what(format!("cannot pull \"{reference}\"")));
                }
            }
        }
    };
    let name = pulled.reference.familiar();
    if let Some(digest) = &pulled.digest {
        progress.line(&format!("Digest: {digest}"));
    }
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
    let request = Request {
        policy,
        platform,
        ..Request::default()
    };
    ensure_by(session, text, &request)
}

/// The same, where more is said of how it is pulled.
pub fn ensure_by(session: &Session, text: &str, request: &Request) -> Result<Image> {
    let (policy, platform) = (request.policy, &request.platform);
    let reference = text.parse::<Reference>();
    let found = find(session, text)?;
    // An id names no registry, so there is nobody to ask.
    let is_id = found.is_some() && by_name(session, text)?.is_none();
    let asks = matches!(policy, PullPolicy::Always | PullPolicy::Newer);
    if let Some(entry) = found
        && (!asks || is_id)
    {
        let image = chosen(session, text, &entry, platform.as_ref())?;
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
        // What is there was looked at, and is not enough.
        policy: match policy {
            PullPolicy::Missing => PullPolicy::Always,
            policy => policy,
        },
        ..request.clone()
    };
    let pulled = pull(session, &request, &[text.to_owned()])?;
    let pulled = pulled.into_iter().next();
    let pulled = pulled.unwrap_or_else(|| Err(Error::internal("a pull came to nothing")))?;
    let image = session.store.load_image(&pulled.entry)?;
    unpacked(session, image).map_err(|lack| match lack {
        Lack::Other(error) => error,
        Lack::Blob(layer) => Error::new(format!("its layer {} is gone", layer.short())),
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads what is said about registries.
pub fn settings(host: &Host) -> Result<Settings> {
    Settings::read(&Files::from_environment(
        &host.home,
        &host.config,
        &variable,
    ))
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
    existing(session, text)
}

/// The same, of the images that are there: nothing is made.
pub fn existing(session: &Session, text: &str) -> Result<Option<Entry>> {
    match session.store.resolve_image(text)? {
        None => by_name(session, text),
        found => Ok(found),
    }
}

/// The error of a verb that needs an image that is there.
pub fn no_such() -> Error {
    Error::of(Kind::NotFound, "there is no such image")
        .hint("`rpod images` lists the images there are")
}

/// Returns the name that a short one stands for where it is an alias of an image of this
/// machine; any other text as it is.
pub fn unaliased(session: &Session, text: &str) -> Result<String> {
    if is_short(text)
        && session.store.resolve_image(text)?.is_none()
        && let Some(aliased) = settings(&session.host)?.alias(text)?
        && session.store.find_image(&aliased)?.is_some()
    {
        return Ok(aliased.to_string());
    }
    Ok(text.to_owned())
}

/// Returns the image of a name, or of what it is an alias of.
fn by_name(session: &Session, text: &str) -> Result<Option<Entry>> {
    let Ok(reference) = text.parse::<Reference>() else {
        return Ok(None);
    };
    match session.store.find_image(&reference)? {
        None if is_short(text) => match settings(&session.host)?.alias(text)? {
            Some(aliased) => session.store.find_image(&aliased),
            None => Ok(None),
        },
        found => Ok(found),
    }
}

/// Returns the image that an entry means. Out of a list it is known by the list, which is
/// what the index names.
fn chosen(
    session: &Session,
    text: &str,
    entry: &Entry,
    platform: Option<&Platform>,
) -> Result<Image> {
    let one = session.store.choose(entry, platform);
    let one = one.what(|| format!("cannot use image \"{text}\""))?;
    let mut image = session.store.load_image(&one)?;
    image.manifest = entry.digest.clone();
    Ok(image)
}

/// Returns what a registry has under a name, or one of its mirrors: the document as it came.
pub fn document(session: &Session, request: &Request, name: &str) -> Result<(Reference, String)> {
    let identity = Identity::of(&session.host)?;
    let settings = settings(&session.host)?;
    let mut places = Places::new(&session.host, &settings, request);
    let reference = settings.meaning(name)?;
    let sources = places.sources(&reference)?;
    // Images may be pulled after this, which forks: what asks the network stays in a child.
    let text = run_inside(&identity, || {
        let wanted = reference.manifest();
        let document = transfer::document(sources.clone(), wanted, &session.progress)?;
        String::from_utf8(document.bytes).map_err(|_| Error::new("its manifest is no text"))
    })
    .map_err(|error| places.explain(error))?;
    Ok((reference, text))
}

/// Returns an index of what a registry has that is about what it has under a name.
pub fn referrers(session: &Session, request: &Request, name: &str) -> Result<Value> {
    let identity = Identity::of(&session.host)?;
    let settings = settings(&session.host)?;
    let mut places = Places::new(&session.host, &settings, request);
    let reference = settings.meaning(name)?;
    let sources = places.sources(&reference)?;
    run_inside(&identity, || {
        let subject = match &reference.digest {
            Some(digest) => digest.clone(),
            None => {
                let wanted = reference.manifest();
                transfer::document(sources.clone(), wanted, &session.progress)?.digest
            }
        };
        let found = transfer::referrers(sources.clone(), &subject, &session.progress)?;
        Ok(registry::referrers::index(&found))
    })
    .map_err(|error| places.explain(error))
}

fn fits(image: &Image, wanted: Option<&Platform>) -> bool {
    wanted.is_none_or(|wanted| wanted.accepts(&image.platform()))
}

fn wrong_platform(text: &str, image: &Image, wanted: Option<&Platform>) -> Error {
    Error::new(format!(
        "image \"{text}\" is for {}, not for {}",
        image.platform(),
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
    sweep::settle(session);
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
