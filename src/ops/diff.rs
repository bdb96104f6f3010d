//! `diff`: what a container has changed, or an image's last layer.
//!
//! Lives here: docker's letters for changes: `A` added, `C` changed, `D` deleted.
//! Must not: show what a start makes to mount on.
//! Called by: `cli`.
//! Always true: a directory above a change is told as changed, as docker does; what
//! a directory that was made anew does not have any more is told as deleted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::image::layer::changes::{self, Change, Scope};
use crate::ops::{Session, pull, tree};
use crate::process::identity::Identity;
use crate::process::userns;
use crate::runtime::plan::MOUNT_POINTS;
use crate::spec::container::PullPolicy;

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It is new.
    Added,
    /// It is not what it was.
    Changed,
    /// It is no more.
    Deleted,
}

impl What {
    /// Returns docker's letter.
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Changed => 'C',
            Self::Deleted => 'D',
        }
    }
}

/// What `diff` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A container, or else an image.
    Any,
    /// Only an image.
    Image,
    /// Only a container.
    Container,
}

/// Returns the changes of a container or an image, sorted by path.
pub fn diff(session: &Session, name: &str, of: Of) -> Result<Vec<(What, String)>> {
    let what = || format!("cannot tell the changes of \"{name}\"");
    let found = match of {
        Of::Image => Err(Error::of(Kind::NotFound, "an image is meant")),
        _ => session.store.find_container(name),
    };
    let (identity, upper, below) = match found {
        Ok(id) => {
            let record = session.store.load_record(&id).what(what)?;
            let identity = tree::identity(session, &record).what(what)?;
            let tree = tree::tree(&session.store, &record).what(what)?;
            (identity, tree.upper, tree.layers)
        }
        Err(error) if error.kind() == Kind::NotFound && of != Of::Container => {
            let (identity, mut layers) = of_image(session, name).what(what)?;
            let Some(top) = layers.pop() else {
                return Ok(Vec::new());
            };
            (identity, top, layers)
        }
        Err(error) => return Err(error.what(what())),
    };
    userns::run_inside(&identity, || listed(&upper, &below)).what(what)
}

fn of_image(session: &Session, name: &str) -> Result<(Identity, Vec<PathBuf>)> {
    if pull::find(session, name)?.is_none() {
        return Err(Error::of(
            Kind::NotFound,
            "there is neither a container nor an image of that name",
        )
        .hint("`rpod ps -a` and `rpod images` list what there is"));
    }
    let image = pull::ensure(session, name, PullPolicy::Never, None)?;
    let identity = Identity::of(&session.host)?;
    let layers = tree::of_image(&session.store, &identity.map, &image)?;
    Ok((identity, layers))
}

fn listed(upper: &Path, below: &[PathBuf]) -> Result<Vec<(What, String)>> {
    let mut found: BTreeMap<Vec<u8>, What> = BTreeMap::new();
    let scope = Scope {
        below,
        mount_points: &MOUNT_POINTS,
    };
    changes::walk(upper, scope, &mut |change| note(change, &mut found))?;
    Ok(found
        .into_iter()
        .map(|(path, what)| (what, format!("/{}", String::from_utf8_lossy(&path))))
        .collect())
}

fn note(change: &Change<'_>, found: &mut BTreeMap<Vec<u8>, What>) -> Result<()> {
    let what = match (&change.kind, &change.below) {
        _ if change.path.is_empty() => return Ok(()),
        (changes::Kind::Whiteout, None) => return Ok(()),
        (changes::Kind::Whiteout, Some(_)) => What::Deleted,
        (_, None) => What::Added,
        (changes::Kind::Directory { stat, opaque, .. }, Some(below)) => {
            let same = (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime)
                == (below.st_mode, below.st_uid, below.st_gid, below.st_mtime);
            if same && !opaque {
                // What is in it may tell more.
                return Ok(());
            }
            What::Changed
        }
        (changes::Kind::Other(_), Some(_)) => What::Changed,
    };
    if let changes::Kind::Directory {
        hides: true, below, ..
    } = &change.kind
    {
        for name in below.names()? {
            let path = [change.path, b"/", name.as_slice()].concat();
            found.insert(path, What::Deleted);
        }
    }
    found.insert(change.path.to_vec(), what);
    let mut end = change.path.len();
    while let Some(at) = change.path[..end].iter().rposition(|b| *b == b'/') {
        found
            .entry(change.path[..at].to_vec())
            .or_insert(What::Changed);
        end = at;
    }
    Ok(())
}
