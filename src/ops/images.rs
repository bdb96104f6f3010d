//! `images`: which images there are.
//!
//! Lives here: rows, filters and their order.
//! Must not: format; sizes and times are drawn by `cli`.
//! Called by: `cli`.
//! Always true: takes no lock; an image that goes meanwhile is left out.

use std::collections::{BTreeMap, HashSet};

use crate::error::{Error, Kind, Result};
use crate::ops::Session;
use crate::spec::digest::Digest;
use crate::spec::reference::{DOCKER_HUB, Reference};
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::images::{Entry, Image};

/// Which images.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only of this name, which may have `*`.
    pub name: Option<String>,
    /// `-f key=value`: dangling, reference, before, since, label, until.
    pub filters: Vec<(String, String)>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Repository, short: `busybox`; none for an image without a name.
    pub repository: Option<String>,
    /// Tag.
    pub tag: Option<String>,
    /// Image id.
    pub id: Digest,
    /// Digest of the manifest.
    pub digest: Digest,
    /// When it was made.
    pub created: Option<Time>,
    /// Bytes of its layers unpacked.
    pub size: u64,
    /// Containers made from it.
    pub containers: usize,
}

/// Returns the images, newest first.
pub fn list(session: &Session, options: &Options) -> Result<Vec<Row>> {
    let store = &session.store;
    let filters = options
        .filters
        .iter()
        .map(|(key, value)| Filter::parse(store, key, value))
        .collect::<Result<Vec<_>>>()?;
    let users = users(store)?;
    let mut rows = Vec::new();
    for entry in store.image_entries()? {
        let Ok(image) = store.load_image(&entry) else {
            continue;
        };
        let name = entry.name();
        let created = created(&image);
        let shown = Shown {
            name: name.as_ref(),
            created,
            image: &image,
        };
        let named = options.name.as_deref().is_none_or(|pattern| {
            name.as_ref().is_some_and(|name| is_named(name, pattern)) || is_id(&image, pattern)
        });
        if !named || !admitted(&filters, &shown) {
            continue;
        }
        rows.push(Row {
            repository: name.as_ref().map(Reference::familiar_name),
            tag: name.and_then(|name| name.tag),
            digest: entry.pulled_digest(),
            created,
            size: size(store, &image),
            containers: users.get(&image.id).copied().unwrap_or(0),
            id: image.id,
        });
    }
    rows.sort_by(|a, b| {
        let newest = b.created.cmp(&a.created);
        newest.then_with(|| (&a.repository, &a.tag).cmp(&(&b.repository, &b.tag)))
    });
    Ok(rows)
}

/// Counts the containers of each image.
fn users(store: &Store) -> Result<BTreeMap<Digest, usize>> {
    let mut users = BTreeMap::new();
    for id in store.container_ids()? {
        if let Ok(record) = store.load_record(&id) {
            *users.entry(record.image_id).or_default() += 1;
        }
    }
    Ok(users)
}

fn created(image: &Image) -> Option<Time> {
    image.config.created().as_ref()?.parse().ok()
}

/// A layer that is in an image twice is on disk once.
fn size(store: &Store, image: &Image) -> u64 {
    let layers: HashSet<&Digest> = image.layers.iter().map(|l| &l.diff_id).collect();
    layers
        .into_iter()
        .filter_map(|layer| store.layer_info(layer))
        .map(|info| info.size)
        .sum()
}

struct Shown<'a> {
    name: Option<&'a Reference>,
    created: Option<Time>,
    image: &'a Image,
}

enum Filter {
    Dangling(bool),
    Reference(String),
    Before(Option<Time>),
    Since(Option<Time>),
    Until(Time),
    Label(String, Option<String>),
}

impl Filter {
    fn parse(store: &Store, key: &str, value: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::of(
                Kind::Usage,
                format!("cannot filter images by \"{key}={value}\": {why}"),
            )
        };
        let time_of = |text: &str| -> Result<Option<Time>> {
            let entry = store
                .resolve_image(text)?
                .ok_or_else(|| bad("there is no such image"))?;
            Ok(created(&store.load_image(&entry)?))
        };
        Ok(match key {
            "dangling" => match value {
                "true" | "1" => Self::Dangling(true),
                "false" | "0" => Self::Dangling(false),
                _ => return Err(bad("write true or false")),
            },
            "reference" => Self::Reference(value.to_owned()),
            "before" => Self::Before(time_of(value)?),
            "since" | "after" => Self::Since(time_of(value)?),
            "until" => Self::Until(Time::parse_since(value)?),
            "label" => match value.split_once('=') {
                Some((name, value)) => Self::Label(name.to_owned(), Some(value.to_owned())),
                None => Self::Label(value.to_owned(), None),
            },
            _ => {
                return Err(bad(
                    "it can be dangling, reference, before, since, until or label",
                ));
            }
        })
    }

    fn admits(&self, shown: &Shown<'_>) -> bool {
        match self {
            Self::Dangling(wanted) => shown.name.is_none() == *wanted,
            Self::Reference(pattern) => shown.name.is_some_and(|name| is_named(name, pattern)),
            Self::Before(time) => shown.created < *time,
            Self::Since(time) => shown.created > *time,
            Self::Until(time) => shown.created.is_some_and(|created| created < *time),
            Self::Label(name, value) => shown
                .image
                .config
                .config()
                .as_ref()
                .and_then(|config| config.labels().as_ref())
                .and_then(|labels| labels.get(name))
                .is_some_and(|found| value.as_ref().is_none_or(|value| value == found)),
        }
    }
}

/// Filters of one kind are alternatives, as docker has it; of different kinds all must fit.
fn admitted(filters: &[Filter], shown: &Shown<'_>) -> bool {
    filters.iter().all(|filter| {
        let alternative = |other: &&Filter| {
            matches!(filter, Filter::Reference(_) | Filter::Dangling(_))
                && std::mem::discriminant(*other) == std::mem::discriminant(filter)
        };
        filter.admits(shown) || filters.iter().filter(alternative).any(|f| f.admits(shown))
    })
}

fn is_id(image: &Image, text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() >= 4 && image.id.hex().starts_with(hex)
}

/// Says whether a pattern (`busybox`, `localhost:5000/*:1.*`) means a name. Without a tag it means all.
pub fn is_named(name: &Reference, pattern: &str) -> bool {
    let mut forms = vec![
        name.familiar_name(),
        format!("{}/{}", name.registry, name.repository),
    ];
    if name.registry == DOCKER_HUB {
        forms.push(format!("{DOCKER_HUB}/{}", name.familiar_name()));
    }
    let tag = name.tag.as_deref().unwrap_or_default();
    forms
        .iter()
        .any(|form| fits(pattern, form) || fits(pattern, &format!("{form}:{tag}")))
        || fits(pattern, &name.familiar())
}

/// Matches `*` (anything but `/`) and `?`. Memory and time grow with the product of the lengths at most.
fn fits(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for wanted in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        for place in 0..=text.len() {
            next[place] = match (wanted, place) {
                ('*', 0) => reached[0],
                ('*', _) => reached[place] || (next[place - 1] && text[place - 1] != '/'),
                (_, 0) => false,
                ('?', _) => reached[place - 1] && text[place - 1] != '/',
                _ => reached[place - 1] && text[place - 1] == wanted,
            };
        }
        reached = next;
    }
    reached[text.len()]
}

/// Returns the names of an image among entries, short.
pub fn names_of(entries: &[Entry], digests: &HashSet<Digest>) -> Vec<Reference> {
    entries
        .iter()
        .filter(|entry| digests.contains(&entry.digest))
        .filter_map(Entry::name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn a_pattern_means_a_repository_or_a_name() {
        for (name, pattern, means) in [
            ("busybox", "busybox", true),
            ("busybox:1", "busybox", true),
            ("busybox:1", "busybox:1", true),
            ("busybox:1", "busybox:2", false),
            ("busybox:1", "busy*", true),
            ("busybox:1", "*:1", true),
            ("busybox", "docker.io/busybox", true),
            ("busybox", "docker.io/library/busybox:latest", true),
            ("localhost:5000/my-ubuntu", "localhost:5000/*", true),
            ("localhost:5000/a/b", "localhost:5000/*", false),
            ("localhost:5000/a/b", "localhost:5000/*/?", true),
            ("redis", "re", false),
        ] {
            let reference = name.parse().expect(name);
            assert_eq!(is_named(&reference, pattern), means, "{name} {pattern}");
        }
    }
}
