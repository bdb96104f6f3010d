//! `images`: which images there are.
//!
//! Lives here: rows, filters and their order.
//! Must not: format; sizes and times are drawn by `cli`.
//! Called by: `cli`.
//! Always true: takes no lock; an image that goes meanwhile is left out.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::error::{Error, Kind, Result};
use crate::ops::Session;
use crate::ops::filter::{self, Filter as Pair};
use crate::spec::digest::Digest;
use crate::spec::reference::{DOCKER_HUB, Reference};
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::images::Entry;
use crate::store::summaries::Summary;

/// Which images.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only of this name, which may have `*`.
    pub name: Option<String>,
    /// `-f key=value`.
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
    /// Those of them that other images have as well.
    pub shared: u64,
    /// Bytes of its blobs.
    pub packed: u64,
    /// What it is for.
    pub platform: String,
    /// Its type, if it is an artifact and no image.
    pub artifact: Option<String>,
    /// Containers made from it.
    pub containers: usize,
}

/// Returns the images, newest first.
pub fn list(session: &Session, options: &Options) -> Result<Vec<Row>> {
    let store = &session.store;
    let entries = store.image_entries()?;
    let all = All {
        store,
        users: users(store)?,
        summaries: store.summaries(&entries),
    };
    let filters = options
        .filters
        .iter()
        .map(|(key, value)| Filter::parse(&all, key, value))
        .collect::<Result<Vec<_>>>()?;
    let shared = shared_layers(&all);
    let mut rows = Vec::new();
    for entry in entries {
        let Some(summary) = all.summaries.get(&entry.digest) else {
            continue;
        };
        let name = entry.name();
        let shown = Shown {
            name: name.as_ref(),
            entry: &entry,
            summary,
        };
        let named = options.name.as_deref().is_none_or(|pattern| {
            name.as_ref().is_some_and(|name| is_named(name, pattern)) || is_id(&summary.id, pattern)
        });
        if named && admitted(&filters, &all, &shown) {
            rows.push(row(&all, &shared, &shown));
        }
    }
    rows.sort_by(|a, b| {
        let newest = b.created.cmp(&a.created);
        newest.then_with(|| (&a.repository, &a.tag).cmp(&(&b.repository, &b.tag)))
    });
    Ok(rows)
}

fn row(all: &All<'_>, shared: &HashSet<Digest>, shown: &Shown<'_>) -> Row {
    let Shown { entry, summary, .. } = shown;
    let mut seen = HashSet::new();
    let others = summary
        .layers
        .iter()
        .filter(|l| shared.contains(&l.diff_id) && seen.insert(&l.diff_id));
    Row {
        repository: shown.name.map(Reference::familiar_name),
        tag: shown.name.and_then(|name| name.tag.clone()),
        digest: entry.pulled_digest(),
        created: entry.built_at().or(summary.created),
        size: summary.size(),
        shared: others.map(|l| l.size.unwrap_or(l.packed)).sum(),
        packed: summary.packed(),
        platform: summary.platform.clone(),
        artifact: summary.artifact.clone(),
        containers: all.users.get(&summary.id).copied().unwrap_or(0),
        id: summary.id.clone(),
    }
}

/// All images, and who uses them.
struct All<'a> {
    store: &'a Store,
    users: BTreeMap<Digest, usize>,
    summaries: HashMap<Digest, Summary>,
}

/// Returns the layers that more than one image has. Several manifests may have one
/// configuration: they are one image.
fn shared_layers(all: &All<'_>) -> HashSet<Digest> {
    let mut images: HashMap<&Digest, HashSet<&Digest>> = HashMap::new();
    for summary in all.summaries.values() {
        let layers = summary.layers.iter().map(|layer| &layer.diff_id);
        images.entry(&summary.id).or_default().extend(layers);
    }
    let mut seen = HashSet::new();
    let layers = images.values().flatten();
    layers
        .filter(|layer| !seen.insert(**layer))
        .map(|layer| (*layer).clone())
        .collect()
}

/// Counts the containers of each image.
pub fn users(store: &Store) -> Result<BTreeMap<Digest, usize>> {
    let mut users = BTreeMap::new();
    for id in store.container_ids()? {
        if let Ok(record) = store.load_record(&id) {
            *users.entry(record.image_id).or_default() += 1;
        }
    }
    Ok(users)
}

struct Shown<'a> {
    name: Option<&'a Reference>,
    entry: &'a Entry,
    summary: &'a Summary,
}

enum Filter {
    Dangling(bool),
    Reference(String),
    Before(Option<Time>),
    Since(Option<Time>),
    Until(Time),
    Label(Pair),
    Containers(bool),
    Intermediate(bool),
    ReadOnly(bool),
    Id(String),
    Digest(String),
}

const KEYS: &str = "before, containers, dangling, digest, id, intermediate, label, readonly, reference, since or until";

impl Filter {
    fn parse(all: &All<'_>, key: &str, value: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::of(
                Kind::Usage,
                format!("cannot filter images by \"{key}={value}\": {why}"),
            )
        };
        let time_of = |text: &str| -> Result<Option<Time>> {
            let entry = all
                .store
                .resolve_image(text)?
                .ok_or_else(|| bad("there is no such image"))?;
            let own = || all.summaries.get(&entry.digest).and_then(|s| s.created);
            Ok(entry.built_at().or_else(own))
        };
        let truth = || match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(bad("write true or false")),
        };
        Ok(match key {
            "dangling" => Self::Dangling(truth()?),
            "containers" => Self::Containers(truth()?),
            "intermediate" => Self::Intermediate(truth()?),
            "readonly" => Self::ReadOnly(truth()?),
            "reference" => Self::Reference(value.to_owned()),
            "before" => Self::Before(time_of(value)?),
            "since" | "after" => Self::Since(time_of(value)?),
            "until" => Self::Until(Time::parse_since(value)?),
            "id" => Self::Id(value.to_owned()),
            "digest" => Self::Digest(value.to_owned()),
            "label" | "label!" => Self::Label((key.to_owned(), value.to_owned())),
            _ => return Err(bad(&format!("it can be {KEYS}"))),
        })
    }

    fn admits(&self, all: &All<'_>, shown: &Shown<'_>) -> bool {
        let created = shown.entry.built_at().or(shown.summary.created);
        match self {
            Self::Dangling(wanted) => shown.name.is_none() == *wanted,
            Self::Reference(pattern) => shown.name.is_some_and(|name| is_named(name, pattern)),
            Self::Before(time) => created < *time,
            Self::Since(time) => created > *time,
            Self::Until(time) => created.is_some_and(|created| created < *time),
            Self::Label(pair) => {
                filter::labels(std::slice::from_ref(pair), &labels(all.store, shown.entry))
            }
            Self::Containers(wanted) => all.users.contains_key(&shown.summary.id) == *wanted,
            Self::Intermediate(wanted) => is_intermediate(all, shown) == *wanted,
            // No image is in a place that may not be written.
            Self::ReadOnly(wanted) => !wanted,
            Self::Id(text) => is_id(&shown.summary.id, text),
            Self::Digest(text) => [&shown.entry.digest, &shown.entry.pulled_digest()]
                .iter()
                .any(|digest| digest.as_str().starts_with(text.as_str())),
        }
    }
}

/// Returns an image's labels; none when it cannot be read.
pub fn labels(store: &Store, entry: &Entry) -> BTreeMap<String, String> {
    let config = store.load_image(entry).ok();
    let config = config.and_then(|image| image.config.config().clone());
    let labels = config.and_then(|config| config.labels().clone());
    labels.unwrap_or_default().into_iter().collect()
}

/// As podman has it: it has no name, and another image is built upon it.
fn is_intermediate(all: &All<'_>, shown: &Shown<'_>) -> bool {
    let own = &shown.summary.layers;
    let built_upon = |other: &Summary| {
        let layers = &other.layers;
        layers.len() > own.len() && layers.iter().zip(own).all(|(a, b)| a.diff_id == b.diff_id)
    };
    shown.name.is_none() && !own.is_empty() && all.summaries.values().any(built_upon)
}

/// Filters of one kind are alternatives, as docker has it; of different kinds all must fit.
fn admitted(filters: &[Filter], all: &All<'_>, shown: &Shown<'_>) -> bool {
    filters.iter().all(|filter| {
        let alternative = |other: &&Filter| {
            matches!(
                filter,
                Filter::Reference(_) | Filter::Dangling(_) | Filter::Id(_) | Filter::Digest(_)
            ) && std::mem::discriminant(*other) == std::mem::discriminant(filter)
        };
        filter.admits(all, shown)
            || filters
                .iter()
                .filter(alternative)
                .any(|f| f.admits(all, shown))
    })
}

fn is_id(id: &Digest, text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() >= 4 && id.hex().starts_with(hex)
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
