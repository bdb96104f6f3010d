//! `manifest`: lists of images for several platforms, made here and pushed whole.
//!
//! ```text
//! index.json ─▶ list (an OCI index among the blobs) ─▶ manifests of its images
//! ```
//!
//! Lives here: making a list, what it says of its images, and what is done with it.
//! Must not: send (`ops::push`) or fetch (`ops::pull`).
//! Called by: `cli::manifest`, `ops::build`.
//! Always true: a list is never changed: another takes its name, under the lock of the
//! index, so that of two who add at once none is lost. It names only images whose
//! manifests are in the store.

mod artifact;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use self::artifact::Artifact;
use crate::error::{Context, Error, Kind, Result};
use crate::image::assemble::{object_in, object_of};
use crate::image::credentials::base64;
use crate::image::registry::manifest::{self, Manifest};
use crate::ops::access::Asked;
use crate::ops::rmi::{self, Removed};
use crate::ops::{Session, pull, push};
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::images::{DOCUMENT_LIMIT, Entry, LIST_TYPE, put};

/// What a list is to say of an image, where it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// `--os`.
    pub os: Option<String>,
    /// `--arch`.
    pub architecture: Option<String>,
    /// `--variant`.
    pub variant: Option<String>,
    /// `--os-version`.
    pub os_version: Option<String>,
    /// `--os-features`.
    pub os_features: Vec<String>,
    /// `--features`.
    pub features: Vec<String>,
    /// `--annotation`.
    pub annotations: BTreeMap<String, String>,
}

/// What a list is to say of itself.
#[derive(Clone, Debug, Default)]
pub struct OfList {
    /// `--index --annotation`.
    pub annotations: BTreeMap<String, String>,
    /// `--subject`: the image it is about.
    pub subject: Option<String>,
}

/// Which images are to be put into a list.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// By their names or ids, or by names of a registry.
    pub images: Vec<String>,
    /// `--all`: of those that are lists, all images.
    pub all: bool,
    /// What is said of them.
    pub details: Details,
    /// How their registries are to be spoken to.
    pub asked: Asked,
}

/// Makes a list; with `amend` it may be there already. Returns its name.
pub fn create(session: &Session, name: &str, wanted: &Wanted, amend: bool) -> Result<Reference> {
    let what = || format!("cannot create list \"{name}\"");
    let reference: Reference = name.parse().what(what)?;
    if reference.digest.is_some() {
        return Err(Error::of(
            Kind::Usage,
            "a digest follows from what is in it, and cannot be given to it",
        )
        .what(what()));
    }
    let store = &session.store;
    check_free(store.find_image(&reference)?.as_ref(), amend).what(what)?;
    let added = gather(session, wanted).what(what)?;
    let _lease = store.lease().what(what)?;
    let make = |entries: &mut Vec<Entry>| put_into(store, entries, &reference, added, amend);
    store.change_images(make, |_, _| {}).what(what)?;
    Ok(reference)
}

fn check_free(known: Option<&Entry>, amend: bool) -> Result<()> {
    match known {
        None => Ok(()),
        Some(entry) if !entry.is_list() => Err(Error::of(Kind::Conflict, "an image has this name")
            .hint("give the list another name, or remove the image with `rpod rmi`")),
        Some(_) if amend => Ok(()),
        Some(_) => Err(Error::of(Kind::Conflict, "there is a list of this name")
            .hint("`--amend` adds to it, and `rpod manifest rm` removes it")),
    }
}

/// Makes a list of images that are in the store. Nothing leads to it yet.
pub fn compose(store: &Store, images: &[Entry]) -> Result<Entry> {
    let mut value = json!({ "schemaVersion": 2, "mediaType": LIST_TYPE, "manifests": [] });
    let described = images.iter().map(|image| describe(store, image));
    take_in(store, &mut value, described.collect::<Result<_>>()?)?;
    let (digest, size) = write(store, &value)?;
    Ok(Entry::new(LIST_TYPE, digest, size, None))
}

/// Puts a list that was composed into the index, under these names. What had the names
/// before leaves with them.
pub fn put_list(store: &Store, list: &Entry, names: &[Reference]) -> Result<()> {
    let named: Vec<Entry> = match names {
        [] => vec![list.clone()],
        names => names.iter().map(|name| list.renamed(name)).collect(),
    };
    let put_all = |entries: &mut Vec<Entry>| {
        named.into_iter().for_each(|entry| put(entries, entry));
        Ok(())
    };
    store.change_images(put_all, |(), _| {})
}

/// Puts images that are in the store into a list, made when there is none of the name.
pub fn amend(store: &Store, images: &[Entry], name: &Reference) -> Result<Entry> {
    let described = images.iter().map(|image| describe(store, image));
    let described = described.collect::<Result<Vec<Value>>>()?;
    let what = || format!("cannot add to list \"{name}\"");
    store
        .change_images(
            |entries| put_into(store, entries, name, described, true),
            |_, _| {},
        )
        .what(what)
}

/// Puts images into the list of a name in the index, or makes one.
fn put_into(
    store: &Store,
    entries: &mut Vec<Entry>,
    name: &Reference,
    added: Vec<Value>,
    amend: bool,
) -> Result<Entry> {
    let has = |entry: &&Entry| entry.name().as_ref() == Some(name);
    let known = entries.iter().find(has).cloned();
    check_free(known.as_ref(), amend)?;
    let mut value = match &known {
        Some(entry) => read(store, entry)?,
        None => json!({ "schemaVersion": 2, "mediaType": LIST_TYPE, "manifests": [] }),
    };
    take_in(store, &mut value, added)?;
    let (digest, size) = write(store, &value)?;
    // The list that had the name leaves with it.
    entries.retain(|entry| known.as_ref() != Some(entry));
    let entry = Entry::new(LIST_TYPE, digest, size, Some(name));
    put(entries, entry.clone());
    Ok(entry)
}

/// Puts images into a list; returns the list's digest.
pub fn add(session: &Session, list: &str, wanted: &Wanted) -> Result<Digest> {
    let what = || format!("cannot add to list \"{list}\"");
    find(&session.store, list).what(what)?;
    let added = gather(session, wanted).what(what)?;
    change(session, list, |value| take_in(&session.store, value, added)).what(what)
}

/// Puts files into a list as one artifact, which may be about an image; returns the list's
/// digest.
pub fn add_artifact(
    session: &Session,
    list: &str,
    artifact: &Artifact,
    details: &Details,
    subject: Option<&str>,
) -> Result<Digest> {
    let what = || format!("cannot add an artifact to list \"{list}\"");
    let store = &session.store;
    find(store, list).what(what)?;
    let subject = subject.map(|image| subject_of(session, image));
    let subject = subject.transpose().what(what)?;
    let _lease = store.lease().what(what)?;
    let mut made = artifact::write(store, artifact, subject).what(what)?;
    details.write(&mut made).what(what)?;
    change(session, list, |value| take_in(store, value, vec![made])).what(what)
}

/// Returns what is said of the image that something is about.
fn subject_of(session: &Session, image: &str) -> Result<Value> {
    let found = pull::find(session, image)?.ok_or_else(|| absent(image))?;
    Ok(json!({
        "mediaType": found.media_type, "digest": found.digest, "size": found.size,
    }))
}

/// Changes what a list says of an image; returns the list's digest.
pub fn annotate(session: &Session, list: &str, image: &str, details: &Details) -> Result<Digest> {
    let what = || format!("cannot annotate \"{image}\" in list \"{list}\"");
    find(&session.store, list).what(what)?;
    let digest = match image.parse::<Digest>() {
        Ok(digest) => digest,
        Err(_) => {
            let found = pull::find(session, image).what(what)?;
            found.ok_or_else(|| absent(image)).what(what)?.digest
        }
    };
    change(session, list, |value| {
        let found = manifests(value)?.iter_mut().find(|one| is(one, &digest));
        details.write(found.ok_or_else(|| no_member(&digest))?)
    })
    .what(what)
}

/// Changes what a list says of itself; returns its digest.
pub fn annotate_list(session: &Session, list: &str, said: &OfList) -> Result<Digest> {
    let what = || format!("cannot annotate list \"{list}\"");
    let store = &session.store;
    find(store, list).what(what)?;
    let subject = said.subject.as_deref();
    let subject = subject.map(|image| subject_of(session, image));
    let subject = subject.transpose().what(what)?;
    change(session, list, |value| {
        put_words(value, "annotations", &said.annotations)?;
        if let Some(subject) = subject {
            object_of(value)?.insert("subject".to_owned(), subject);
        }
        Ok(())
    })
    .what(what)
}

/// Takes an image out of a list; returns the list's digest.
pub fn remove(session: &Session, list: &str, image: &str) -> Result<Digest> {
    let what = || format!("cannot remove \"{image}\" from list \"{list}\"");
    let digest: Digest = image.parse().what(what)?;
    change(session, list, |value| {
        let all = manifests(value)?;
        let before = all.len();
        all.retain(|one| !is(one, &digest));
        if all.len() == before {
            return Err(no_member(&digest));
        }
        Ok(())
    })
    .what(what)
}

/// Says whether there is such a list on this machine.
pub fn exists(session: &Session, list: &str) -> Result<bool> {
    let found = session.store.resolve_image(list)?;
    Ok(found.is_some_and(|entry| entry.is_list()))
}

/// Returns a list of this machine, or the manifest that a registry has under the name.
pub fn inspect(session: &Session, name: &str, asked: &Asked) -> Result<Value> {
    let what = || format!("cannot inspect manifest \"{name}\"");
    if let Some(entry) = session.store.resolve_image(name).what(what)?
        && entry.is_list()
    {
        return read(&session.store, &entry).what(what);
    }
    let request = request(asked, None);
    let (_, text) = pull::document(session, &request, without_transport(name)).what(what)?;
    serde_json::from_str(&text).what(what)
}

/// Returns docker's long form: each manifest under a name, with what the list says of it.
pub fn verbose(session: &Session, name: &str, asked: &Asked) -> Result<Value> {
    let what = || format!("cannot inspect manifest \"{name}\"");
    let store = &session.store;
    let here = store.resolve_image(name).what(what)?;
    if let Some(entry) = here.filter(Entry::is_list) {
        let of_one = |descriptor: &Value| {
            let digest: Digest = descriptor["digest"].as_str().unwrap_or_default().parse()?;
            let bytes = store.read_blob(&digest, DOCUMENT_LIMIT)?;
            let name = entry
                .name()
                .map_or_else(|| name.to_owned(), |name| name.to_string());
            long_form(&name, descriptor.clone(), &bytes)
        };
        let value = read(store, &entry).what(what)?;
        let all = value["manifests"].as_array().into_iter().flatten();
        return all
            .map(of_one)
            .collect::<Result<Vec<_>>>()
            .map(Value::from)
            .what(what);
    }
    let request = request(asked, None);
    let (reference, text) =
        pull::document(session, &request, without_transport(name)).what(what)?;
    let value: Value = serde_json::from_str(&text).what(what)?;
    let Some(descriptors) = value["manifests"].as_array() else {
        let descriptor = json!({
            "mediaType": value["mediaType"], "digest": Digest::of(text.as_bytes()), "size": text.len(),
        });
        return long_form(&reference.to_string(), descriptor, text.as_bytes()).what(what);
    };
    let of_one = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let name = format!("{}@{digest}", reference.familiar_name());
        let (_, text) = pull::document(session, &request, &name)?;
        long_form(&reference.to_string(), descriptor.clone(), text.as_bytes())
    };
    let all: Result<Vec<_>> = descriptors.iter().map(of_one).collect();
    all.map(Value::from).what(what)
}

/// What docker calls a manifest depends on its family.
fn long_form(name: &str, descriptor: Value, bytes: &[u8]) -> Result<Value> {
    let value: Value = serde_json::from_slice(bytes)?;
    let is_dockers = value["mediaType"] == manifest::DOCKER_MANIFEST;
    let key = if is_dockers {
        "SchemaV2Manifest"
    } else {
        "OCIManifest"
    };
    let digest = descriptor["digest"].as_str().unwrap_or_default();
    Ok(json!({
        "Ref": format!("{name}@{digest}"),
        "Descriptor": descriptor,
        "Raw": base64::encode(bytes),
        key: value,
    }))
}

/// Returns an index of what the registry has that is about a manifest: signatures,
/// attestations, lists of materials.
pub fn referrers(session: &Session, name: &str, asked: &Asked) -> Result<Value> {
    let request = request(asked, None);
    pull::referrers(session, &request, without_transport(name))
        .what(|| format!("cannot list what is about \"{name}\""))
}

/// Pushes a list with all its images; with `purge` it leaves this machine then.
pub fn push(session: &Session, request: &push::Request, purge: bool) -> Result<push::Done> {
    let list = &request.image;
    find(&session.store, list).what(|| format!("cannot push list \"{list}\""))?;
    let done = push::push(session, request)?;
    let last = done.into_iter().next_back();
    let last = last.ok_or_else(|| Error::internal("a push came to nothing"))?;
    if purge {
        rm(session, list)?;
    }
    Ok(last)
}

/// Removes a list; its images stay as long as they have names of their own.
pub fn rm(session: &Session, list: &str) -> Result<Vec<Removed>> {
    find(&session.store, list).what(|| format!("cannot remove list \"{list}\""))?;
    rmi::remove(session, list, &rmi::Options::default())
}

fn find(store: &Store, text: &str) -> Result<Entry> {
    match store.resolve_image(text)? {
        Some(entry) if entry.is_list() => Ok(entry),
        Some(_) => Err(Error::of(Kind::Usage, "it is an image and no list")
            .hint("`rpod manifest create LIST IMAGE` makes a list of images")),
        None => Err(Error::of(Kind::NotFound, "there is no such list")
            .hint("`rpod manifest create` makes one; `rpod images` shows those there are")),
    }
}

fn absent(image: &str) -> Error {
    Error::of(
        Kind::NotFound,
        format!("there is no image \"{image}\" on this machine"),
    )
    .hint("name the image by its digest; `rpod manifest inspect` shows those of a list")
}

fn no_member(digest: &Digest) -> Error {
    Error::of(Kind::NotFound, format!("{digest} is not in the list"))
        .hint("`rpod manifest inspect` shows what is")
}

/// Puts another list where the one that is meant was.
fn change(
    session: &Session,
    text: &str,
    change: impl FnOnce(&mut Value) -> Result<()>,
) -> Result<Digest> {
    let store = &session.store;
    let _lease = store.lease()?;
    store.change_images(
        |entries| {
            let found = find(store, text)?;
            let mut value = read(store, &found)?;
            change(&mut value)?;
            let (digest, size) = write(store, &value)?;
            // Only under this name: two lists with the same content are still two.
            let entry = entries.iter_mut().find(|entry| **entry == found);
            let entry = entry.ok_or_else(|| Error::new("it has just been removed"))?;
            if let Some(name) = entry.name() {
                // What was pushed under the name was another list.
                *entry = entry.renamed(&name);
            }
            (entry.digest, entry.size) = (digest.clone(), size);
            Ok(digest)
        },
        |_, _| {},
    )
}

fn read(store: &Store, entry: &Entry) -> Result<Value> {
    let bytes = store.read_blob(&entry.digest, DOCUMENT_LIMIT)?;
    serde_json::from_slice(&bytes).what(|| "cannot read it")
}

fn write(store: &Store, value: &Value) -> Result<(Digest, u64)> {
    let bytes = serde_json::to_vec(value)?;
    let size = bytes.len() as u64;
    if size > DOCUMENT_LIMIT {
        return Err(Error::new("it would be larger than registries take"));
    }
    Ok((store.add_blob(&bytes)?, size))
}

fn manifests(value: &mut Value) -> Result<&mut Vec<Value>> {
    let list = value.get_mut("manifests").and_then(Value::as_array_mut);
    list.ok_or_else(|| Error::new("it has no manifests"))
}

fn put_words(value: &mut Value, key: &str, words: &BTreeMap<String, String>) -> Result<()> {
    for (name, text) in words {
        object_in(value, key)?.insert(name.clone(), text.as_str().into());
    }
    Ok(())
}

fn is(one: &Value, digest: &Digest) -> bool {
    one["digest"] == digest.as_str()
}

/// Adds images; one that is in the list already is said anew.
fn take_in(store: &Store, value: &mut Value, added: Vec<Value>) -> Result<()> {
    let all = manifests(value)?;
    for one in added {
        let digest: Digest = one["digest"].as_str().unwrap_or_default().parse()?;
        // It may have been removed since it was found.
        if !store.has_blob(&digest) {
            return Err(Error::of(
                Kind::NotFound,
                format!("image {digest} has gone"),
            ));
        }
        match all.iter_mut().find(|known| is(known, &digest)) {
            Some(known) => *known = one,
            None => all.push(one),
        }
    }
    Ok(())
}

/// Finds or pulls what is to be added; returns what a list says of it.
fn gather(session: &Session, wanted: &Wanted) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for text in &wanted.images {
        let what = || format!("cannot add \"{text}\"");
        for mut one in members(session, text, wanted).what(what)? {
            wanted.details.write(&mut one)?;
            found.push(one);
        }
    }
    Ok(found)
}

fn members(session: &Session, text: &str, wanted: &Wanted) -> Result<Vec<Value>> {
    let store = &session.store;
    let name = without_transport(text);
    let here = if name == text {
        pull::find(session, text)?
    } else {
        None
    };
    let platform = wanted.details.platform();
    match here {
        Some(entry) if entry.is_list() && wanted.all => {
            let mut value = read(store, &entry)?;
            Ok(std::mem::take(manifests(&mut value)?))
        }
        Some(entry) => {
            let entry = store.choose(&entry, platform.as_ref())?;
            Ok(vec![describe(store, &entry)?])
        }
        None => {
            let names = at_registry(session, name, wanted)?;
            let request = request(&wanted.asked, platform);
            let pulled = pull::pull(session, &request, &names)?;
            let say = |one: Result<pull::Pulled>| describe(store, &one?.entry);
            pulled.into_iter().map(say).collect()
        }
    }
}

/// Returns what is to be pulled: a name, or all images of a list under it by their digests.
fn at_registry(session: &Session, name: &str, wanted: &Wanted) -> Result<Vec<String>> {
    if !wanted.all {
        return Ok(vec![name.to_owned()]);
    }
    let (reference, text) = pull::document(session, &request(&wanted.asked, None), name)?;
    let Manifest::List(list) = manifest::parse(text.as_bytes(), None)? else {
        return Ok(vec![name.to_owned()]);
    };
    let repository = reference.familiar_name();
    let is_image = |platform: &Option<Platform>| {
        // Attestations are listed as being for nothing.
        platform.as_ref().is_some_and(|p| p.os != "unknown")
    };
    Ok(list
        .iter()
        .filter(|(_, platform)| is_image(platform))
        .map(|(part, _)| format!("{repository}@{}", part.digest))
        .collect())
}

fn request(asked: &Asked, platform: Option<Platform>) -> pull::Request {
    pull::Request {
        platform,
        asked: asked.clone(),
        artifacts: true,
        ..pull::Request::default()
    }
}

/// A name may say its transport, as podman has it.
fn without_transport(text: &str) -> &str {
    text.strip_prefix("docker://").unwrap_or(text)
}

/// Returns what a list says of an image (OCI image spec, image-index.md).
fn describe(store: &Store, entry: &Entry) -> Result<Value> {
    if let Some(artifact) = store.artifact(entry) {
        return Ok(json!({
            "mediaType": entry.media_type,
            "digest": entry.digest,
            "size": store.read_blob(&entry.digest, DOCUMENT_LIMIT)?.len(),
            "artifactType": artifact.kind,
        }));
    }
    let image = store.load_image(entry)?;
    let size = store.read_blob(&entry.digest, DOCUMENT_LIMIT)?.len();
    let config = store.read_blob(&image.id, DOCUMENT_LIMIT)?;
    let config: Value = serde_json::from_slice(&config)?;
    let mut platform = Map::new();
    for key in ["architecture", "os", "os.version", "os.features", "variant"] {
        if let Some(value) = config.get(key).filter(|value| !value.is_null()) {
            platform.insert(key.to_owned(), value.clone());
        }
    }
    Ok(json!({
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": size,
        "platform": platform,
    }))
}

impl Details {
    /// The platform to choose out of what is a list; none is this machine's.
    fn platform(&self) -> Option<Platform> {
        if self.os.is_none() && self.architecture.is_none() && self.variant.is_none() {
            return None;
        }
        let host = Platform::host();
        Some(Platform {
            os: self.os.clone().unwrap_or(host.os),
            architecture: self.architecture.clone().unwrap_or(host.architecture),
            variant: self.variant.clone(),
        })
    }

    fn write(&self, one: &mut Value) -> Result<()> {
        let words = [
            ("os", &self.os),
            ("architecture", &self.architecture),
            ("variant", &self.variant),
            ("os.version", &self.os_version),
        ];
        let lists = [
            ("os.features", &self.os_features),
            ("features", &self.features),
        ];
        let words = words
            .into_iter()
            .filter_map(|(k, w)| Some((k, json!(w.as_ref()?))));
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        for (key, said) in words.chain(lists.map(|(k, list)| (k, json!(list)))) {
            object_in(one, "platform")?.insert(key.to_owned(), said);
        }
        put_words(one, "annotations", &self.annotations)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Details, manifests, put_words};

    #[test]
    fn what_a_list_from_elsewhere_has_instead_of_objects_is_refused() {
        let said = Details {
            os: Some("linux".to_owned()),
            os_features: vec!["x".to_owned()],
            annotations: [("k".to_owned(), "v".to_owned())].into(),
            ..Details::default()
        };
        for (hostile, word) in [
            (json!({ "annotations": "x" }), "annotations"),
            (json!({ "platform": ["linux"] }), "platform"),
            (json!(["a"]), "a part of it"),
            (json!(7), "a part of it"),
        ] {
            let error = said.write(&mut hostile.clone()).expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
        }
        let mut list = json!([1]);
        assert!(put_words(&mut list, "annotations", &said.annotations).is_err());
        assert!(manifests(&mut list).is_err());
        let mut one = json!({ "platform": { "os": "plan9" }, "annotations": null });
        said.write(&mut one).expect("it has objects");
        let platform = json!({ "os": "linux", "os.features": ["x"] });
        assert_eq!(
            one,
            json!({ "platform": platform, "annotations": { "k": "v" } })
        );
    }
}
