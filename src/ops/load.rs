//! `load`: images from an archive or a directory.
//!
//! Lives here: where the archive is, and how what was loaded is called.
//! Must not: read archives (`image::archive`).
//! Called by: `cli`, `ops::build` for caches.
//! Always true: files of subordinate ids are written in a child that is root of
//! the user's namespace; this process starts no thread.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::image::archive::{self, Source};
use crate::ops::{Session, sweep};
use crate::process::identity::Identity;
use crate::process::userns;
use crate::spec::platform::Platform;
use crate::store::images::Entry;

/// What was loaded, as docker tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Loaded {
    /// A name that an image has now.
    Name(String),
    /// An image without a name.
    Id(String),
}

/// Loads a docker-archive or OCI archive from a stream (compressed or not), or an OCI layout or archive at `path`.
/// Returns what was loaded.
pub fn load(
    session: &Session,
    path: Option<&str>,
    platform: Option<&Platform>,
    input: &mut (dyn Read + Send),
) -> Result<Vec<Loaded>> {
    let Some(path) = path else {
        return load_from(session, Source::Stream(input), platform)
            .what(|| "cannot load images from standard input");
    };
    let what = || format!("cannot load images from \"{path}\"");
    let place = Path::new(path);
    if place.is_dir() {
        return load_from(session, Source::Directory(place), platform).what(what);
    }
    let mut file = File::open(place).what(what)?;
    load_from(session, Source::Stream(&mut file), platform).what(what)
}

/// Brings the images of an OCI layout into the store, under no name and not in the index:
/// they stay as long as a lease that the caller holds.
pub fn take(session: &Session, layout: &Path) -> Result<Vec<Entry>> {
    let identity = Identity::of(&session.host)?;
    let taken = userns::run_inside(&identity, || {
        archive::take(
            &session.store,
            Source::Directory(layout),
            &identity.map,
            session.progress.as_ref(),
        )
    });
    sweep::settle(session);
    taken.what(|| format!("cannot read \"{}\"", layout.display()))
}

fn load_from(
    session: &Session,
    source: Source<'_>,
    platform: Option<&Platform>,
) -> Result<Vec<Loaded>> {
    let identity = Identity::of(&session.host)?;
    let loaded = userns::run_inside(&identity, || {
        let loaded = archive::load(
            &session.store,
            source,
            platform,
            &identity.map,
            session.progress.as_ref(),
        )?;
        Ok(loaded
            .into_iter()
            .flat_map(|image| match image.names.as_slice() {
                [] => vec![Loaded::Id(image.id.to_string())],
                names => names
                    .iter()
                    .map(|name| Loaded::Name(name.familiar()))
                    .collect(),
            })
            .collect())
    });
    sweep::settle(session);
    loaded
}
