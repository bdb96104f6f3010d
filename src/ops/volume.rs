//! `volume`: create, ls, inspect, rm, prune.
//!
//! Lives here: who uses a volume, and what may go.
//! Must not: touch what containers put into one.
//! Called by: `cli::volume`; `create` makes volumes through it too.
//! Always true: a volume that a container's record names is not removed. What
//! was removed waits in `tmp/`; what of it other ids own is swept by a process
//! inside their user namespace.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::ops::filter::{self, Filter};
use crate::ops::{Session, ps, sweep};
use crate::spec::container::Record;
use crate::spec::id::{check_name, hex};
use crate::spec::mount::Source;
use crate::spec::time::Time;
use crate::store::volumes::Volume;
use crate::store::{Store, atomic};

/// Makes a volume, or finds the one of that name; none makes a name up. Returns its name.
pub fn create(
    session: &Session,
    name: Option<&str>,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
) -> Result<String> {
    if let Some(name) = name {
        check_name("volume", 2, name)?;
    }
    if let Some((key, value)) = options.iter().next() {
        return Err(Error::of(
            Kind::Usage,
            format!("rpod has no volume option {key}={value} yet"),
        )
        .hint("mount what you need at `run`, with `-v` or `--mount`"));
    }
    let volume = Volume {
        version: 1,
        name: name.map_or_else(|| hex(&atomic::random_bytes::<32>()), str::to_owned),
        created: Time::now(),
        labels,
        options,
        anonymous: name.is_none(),
    };
    session.store.create_volume(&volume)?;
    Ok(volume.name)
}

/// Returns the volumes that fit the filters (name, label, dangling, driver).
pub fn list(session: &Session, filters: &[Filter]) -> Result<Vec<Volume>> {
    filter::check(filters, &["dangling", "driver", "label", "name"])?;
    let asks_use = filters.iter().any(|(key, _)| key == "dangling");
    for (_, value) in filters.iter().filter(|(key, _)| key == "dangling") {
        if is_true(value).is_none() {
            return Err(Error::of(
                Kind::Usage,
                format!("filter dangling={value} makes no sense: its value is true or false"),
            ));
        }
    }
    let records = if asks_use {
        session.store.load_records()?
    } else {
        Vec::new()
    };
    let fits = |volume: &Volume| {
        let free = || users(&records, &volume.name).is_empty();
        filter::any(filters, "name", |v| filter::name(v, &volume.name))
            && filter::any(filters, "driver", |v| v == "local")
            && filter::any(filters, "dangling", |v| is_true(v) == Some(free()))
            && filter::labels(filters, &volume.labels)
    };
    let mut volumes = session.store.volumes()?;
    volumes.retain(fits);
    Ok(volumes)
}

/// Removes a volume that no container uses.
pub fn remove(session: &Session, name: &str, _force: bool) -> Result<()> {
    let what = || format!("cannot remove volume \"{name}\"");
    session
        .store
        .load_volume(name)
        .map_err(|e| e.what(what()))?;
    let records = session.store.load_records()?;
    let users = users(&records, name);
    if !users.is_empty() {
        let names: Vec<String> = users.iter().map(|r| format!("\"{}\"", r.name)).collect();
        let plain: Vec<&str> = users.iter().map(|r| r.name.as_str()).collect();
        let noun = if users.len() == 1 {
            "container"
        } else {
            "containers"
        };
        return Err(Error::of(
            Kind::Conflict,
            format!("it is in use by {noun} {}", names.join(", ")),
        )
        .what(what())
        .hint(format!("remove them first: `rpod rm {}`", plain.join(" "))));
    }
    session.store.remove_volume(name)?;
    // Its files may be of other ids, which only a process inside can delete.
    sweep::sweep(session);
    Ok(())
}

/// What a prune took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names of the volumes.
    pub names: Vec<String>,
    /// Bytes they held, as far as we may read them.
    pub bytes: u64,
}

/// Removes every volume that no container uses: anonymous ones, and with `all` those with a name.
pub fn prune(session: &Session, all: bool, filters: &[Filter]) -> Result<Pruned> {
    filter::check(filters, &["all", "label", "label!"])?;
    let all = all
        || filters
            .iter()
            .any(|(key, value)| key == "all" && is_true(value) == Some(true));
    let records = session.store.load_records()?;
    let mut pruned = Pruned::default();
    for volume in session.store.volumes()? {
        let goes = (all || volume.anonymous)
            && filter::labels(filters, &volume.labels)
            && users(&records, &volume.name).is_empty();
        if !goes {
            continue;
        }
        let bytes = ps::bytes_below(&session.store.volume_data(&volume.name));
        match remove(session, &volume.name, false) {
            Ok(()) => {
                pruned.names.push(volume.name);
                pruned.bytes += bytes;
            }
            // It went, or somebody took it into use, since we looked.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pruned)
}

/// Returns the containers that have a volume.
pub fn users<'a>(records: &'a [Record], name: &str) -> Vec<&'a Record> {
    let uses = |record: &&Record| {
        record.anonymous_volumes.iter().any(|n| n == name)
            || record
                .mounts
                .iter()
                .any(|m| matches!(&m.source, Source::Volume(n) if n == name))
    };
    records.iter().filter(uses).collect()
}

/// Takes the volumes that were made for a container, which has gone, out of the store;
/// one that another container has as well stays. Returns what waits to be deleted.
pub fn forget(store: &Store, record: &Record) -> Result<Vec<PathBuf>> {
    if record.anonymous_volumes.is_empty() {
        return Ok(Vec::new());
    }
    let others = store.load_records()?;
    let mut trash = Vec::new();
    for name in &record.anonymous_volumes {
        if !users(&others, name).is_empty() {
            continue;
        }
        match store.remove_volume(name) {
            Ok(path) => trash.push(path),
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(trash)
}

fn is_true(text: &str) -> Option<bool> {
    match text {
        "1" | "true" | "True" | "t" => Some(true),
        "0" | "false" | "False" | "f" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{create, list, prune, remove};
    use crate::ops::ps::tests::{put, record, session};
    use crate::spec::container::Status;

    #[test]
    fn a_volume_in_use_stays_and_names_its_users() {
        let (_dir, session) = session();
        let make = |name| create(&session, name, BTreeMap::new(), BTreeMap::new());
        assert_eq!(make(Some("mydb")).ok().as_deref(), Some("mydb"));
        assert_eq!(make(Some("mydb")).ok().as_deref(), Some("mydb"));
        assert!(make(Some("../x")).is_err());
        let loose = make(None).expect("made");
        assert_eq!(loose.len(), 64);
        let mount =
            json!([{ "source": { "volume": "mydb" }, "target": "/db", "read_only": false }]);
        let db = record(&session, "db", json!({ "mounts": mount }));
        put(&session, &db, Status::Created);
        let error = remove(&session, "mydb", false).expect_err("it is in use");
        assert_eq!(
            error.to_string(),
            "cannot remove volume \"mydb\": it is in use by container \"db\""
        );
        let dangling = [("dangling".to_owned(), "true".to_owned())];
        let free = list(&session, &dangling).expect("listed");
        assert_eq!(free.iter().map(|v| &v.name).collect::<Vec<_>>(), [&loose]);
        make(Some("other")).expect("made");
        assert_eq!(prune(&session, false, &[]).expect("pruned").names, [loose]);
        assert_eq!(prune(&session, true, &[]).expect("pruned").names, ["other"]);
        assert_eq!(list(&session, &[]).expect("listed").len(), 1);
        session.store.remove_container(&db).expect("removed");
        remove(&session, "mydb", false).expect("removed");
        let error = remove(&session, "mydb", false).expect_err("it has gone");
        assert_eq!(error.kind(), crate::error::Kind::NotFound);
    }
}
