//! `ps`: which containers there are.
//!
//! Lives here: reading all records and states, and the filters.
//! Must not: take a lock, or format.
//! Called by: `cli::ps`, `inspect`, `info`, `volume`.
//! Always true: what is listed was whole when it was read; a container that
//! goes or breaks meanwhile keeps no other from being listed.

use std::fs;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::ops::filter::{self, Filter};
use crate::ops::{Session, state};
use crate::spec::container::{NetworkMode, Record, State, Status};
use crate::spec::digest::Digest;
use crate::spec::mount::Source;
use crate::spec::port::{Port, Protocol};
use crate::spec::reference::Reference;
use crate::spec::time::Time;

/// Which containers.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-a`: also those that do not run.
    pub all: bool,
    /// `-n`: the newest so many, in any state.
    pub last: Option<usize>,
    /// `-f key=value`.
    pub filters: Vec<(String, String)>,
}

/// A container with its true state.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was asked of it.
    pub record: Record,
    /// What became of it.
    pub state: State,
}

/// Returns the containers, newest first. Takes no lock; one that goes meanwhile is left out.
pub fn list(session: &Session, options: &Options) -> Result<Vec<Summary>> {
    let filters = Filters::read(session, &options.filters)?;
    let mut found = all(session)?;
    found.sort_by_key(|one| std::cmp::Reverse(one.record.created));
    // Asking for states or exit statuses means all containers, as docker has it.
    let all = options.all || options.last.is_some() || filters.asks_for_state();
    found.retain(|one| (all || one.state.status == Status::Running) && filters.fit(one));
    if let Some(last) = options.last {
        found.truncate(last);
    }
    Ok(found)
}

/// Returns all containers, in no order.
pub fn all(session: &Session) -> Result<Vec<Summary>> {
    let mut found = Vec::new();
    for id in session.store.container_ids()? {
        let summary = || -> Result<Summary> {
            Ok(Summary {
                record: session.store.load_record(&id)?,
                state: state::load(&session.host, &session.store, &id)?,
            })
        };
        match summary() {
            Ok(summary) => found.push(summary),
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => session
                .progress
                .warn(&format!("container {} is left out: {error}", id.short())),
        }
    }
    Ok(found)
}

/// How much a container takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes it has written.
    pub written: u64,
    /// The same with its image.
    pub whole: u64,
}

/// Measures a container. What other ids forbid us to read is not counted.
pub fn size(session: &Session, record: &Record) -> Size {
    let upper = session.store.container_path(&record.id).join("upper");
    let written = bytes_below(&upper);
    let layers: u64 = record
        .layers
        .iter()
        .filter_map(|layer| session.store.layer_info(layer))
        .map(|info| info.size)
        .sum();
    Size {
        written,
        whole: written + layers,
    }
}

/// Returns the bytes of the files below a directory.
pub fn bytes_below(directory: &Path) -> u64 {
    let mut total = 0;
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => waiting.push(entry.path()),
                Ok(meta) => total += meta.len(),
                Err(_) => {}
            }
        }
    }
    total
}

/// Filters, with what they name looked up once.
struct Filters {
    plain: Vec<Filter>,
    ancestors: Vec<Ancestor>,
    before: Vec<Time>,
    since: Vec<Time>,
}

/// An image that containers may be made from.
struct Ancestor {
    name: Option<Reference>,
    id: Option<Digest>,
    layers: Vec<Digest>,
}

const KEYS: &[&str] = &[
    "ancestor", "before", "exited", "expose", "id", "label", "name", "network", "publish", "since",
    "status", "volume",
];

const STATES: &[&str] = &[
    "created",
    "running",
    "paused",
    "restarting",
    "exited",
    "removing",
    "dead",
];

impl Filters {
    fn read(session: &Session, typed: &[Filter]) -> Result<Self> {
        filter::check(typed, KEYS)?;
        let values = |key: &'static str| {
            typed
                .iter()
                .filter(move |(k, _)| k == key)
                .map(|(_, value)| value.as_str())
        };
        for value in values("status") {
            one_of("status", value, STATES)?;
        }
        for value in values("exited") {
            value
                .parse::<i32>()
                .map_err(|_| bad("exited", value, "a number"))?;
        }
        for key in ["publish", "expose"] {
            for value in values(key) {
                ports(value).ok_or_else(|| bad(key, value, "a port, such as 8080/tcp"))?;
            }
        }
        let created = |name: &str| -> Result<Time> {
            let id = session.store.find_container(name)?;
            Ok(session.store.load_record(&id)?.created)
        };
        Ok(Self {
            plain: typed.to_vec(),
            ancestors: values("ancestor")
                .map(|text| ancestor(session, text))
                .collect::<Result<_>>()?,
            before: values("before").map(created).collect::<Result<_>>()?,
            since: values("since").map(created).collect::<Result<_>>()?,
        })
    }

    fn asks_for_state(&self) -> bool {
        self.plain
            .iter()
            .any(|(key, _)| matches!(key.as_str(), "status" | "exited"))
    }

    fn fit(&self, one: &Summary) -> bool {
        let Summary { record, state } = one;
        let any = |key: &str, fits: &dyn Fn(&str) -> bool| filter::any(&self.plain, key, fits);
        let ended = matches!(state.status, Status::Exited | Status::Dead);
        any("id", &|v| record.id.as_str().starts_with(v))
            && any("name", &|v| filter::name(v, record.name.as_str()))
            && any("status", &|v| state.word() == v)
            && any("exited", &|v| ended && v.parse().ok() == state.exit_code)
            && any("network", &|v| on_network(one, v))
            && any("volume", &|v| has_mount(record, v))
            && any("publish", &|v| publishes(state, v))
            && any("expose", &|v| exposes(record, v))
            && filter::labels(&self.plain, &record.labels)
            && (self.ancestors.is_empty() || self.ancestors.iter().any(|a| a.fits(record)))
            && self.before.iter().all(|time| record.created < *time)
            && self.since.iter().all(|time| record.created > *time)
    }
}

fn bad(key: &str, value: &str, wanted: &str) -> Error {
    Error::of(
        Kind::Usage,
        format!("filter {key}={value} makes no sense: its value is {wanted}"),
    )
}

fn one_of(key: &str, value: &str, words: &[&str]) -> Result<()> {
    if words.contains(&value) {
        return Ok(());
    }
    Err(bad(key, value, &format!("one of {}", words.join(", "))))
}

fn ancestor(session: &Session, text: &str) -> Result<Ancestor> {
    let entry = session.store.resolve_image(text)?;
    let image = entry.and_then(|entry| session.store.load_for_here(&entry).ok());
    Ok(Ancestor {
        name: text.parse().ok(),
        id: image.as_ref().map(|image| image.id.clone()),
        layers: image
            .map(|image| image.layers.into_iter().map(|l| l.diff_id).collect())
            .unwrap_or_default(),
    })
}

impl Ancestor {
    /// A container's image is this one, has its name, or was built upon it.
    fn fits(&self, record: &Record) -> bool {
        let named = || record.image.parse::<Reference>().ok();
        self.id.as_ref() == Some(&record.image_id)
            || (self.name.is_some() && self.name == named())
            || (!self.layers.is_empty() && record.layers.starts_with(&self.layers))
    }
}

/// Says whether a container is on a network, given by its name or an id's beginning.
fn on_network(one: &Summary, wanted: &str) -> bool {
    let named = match &one.record.network {
        NetworkMode::Bridge | NetworkMode::Private => {
            one.record.attachments().iter().any(|a| a.network == wanted)
        }
        mode => mode.name(&[]).trim_start_matches("container:") == wanted,
    };
    let mut endpoints = one.state.endpoints.iter();
    named || (wanted.len() >= 12 && endpoints.any(|e| e.network_id.as_str().starts_with(wanted)))
}

fn has_mount(record: &Record, wanted: &str) -> bool {
    record.mounts.iter().any(|mount| {
        mount.target == wanted.trim_end_matches('/')
            || match &mount.source {
                Source::Bind(path) => path == wanted,
                Source::Volume(name) => name == wanted,
                Source::Anonymous | Source::Device(_) | Source::Tmpfs { .. } => false,
            }
    })
}

/// `8080`, `8080/udp`, `8000-8080/tcp`: the first and the last number, and what is carried.
fn ports(text: &str) -> Option<(u16, u16, Protocol)> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    Some((
        first.parse().ok()?,
        last.parse().ok()?,
        protocol.parse().ok()?,
    ))
}

fn publishes(state: &State, wanted: &str) -> bool {
    let Some((first, last, protocol)) = ports(wanted) else {
        return false;
    };
    state.ports.iter().any(|mapping| {
        mapping.container.protocol == protocol
            && mapping
                .host_port
                .is_some_and(|port| (first..=last).contains(&port))
    })
}

fn exposes(record: &Record, wanted: &str) -> bool {
    let Some((first, last, protocol)) = ports(wanted) else {
        return false;
    };
    let fits = |port: &Port| port.protocol == protocol && (first..=last).contains(&port.number);
    record.expose.iter().any(fits) || record.publish.iter().any(|m| fits(&m.container))
}

#[cfg(test)]
pub mod tests;
