//! `import`: an image of one layer, which is a tar of files.
//!
//! Lives here: where the tar comes from, and what is said of the image.
//! Must not: unpack (`image::layer`).
//! Called by: `cli`.
//! Always true: the layer is kept as a plain tar, whatever it was compressed with.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Map;

use crate::error::{Context, Error, Result};
use crate::image::assemble::{self, Config, Format, History};
use crate::image::layer::{self, Report, inflate};
use crate::image::{change, fetch};
use crate::ops::Session;
use crate::process::identity::Identity;
use crate::process::userns;
use crate::spec::digest::Digest;
use crate::spec::idmap::IdMap;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::images::Layer;
use crate::store::layers::Durable;

/// What is imported.
#[derive(Clone, Debug)]
pub struct Request {
    /// A file, a URL, or `-`.
    pub source: String,
    /// The image's name; none leaves it without one.
    pub name: Option<Reference>,
    /// `-m`.
    pub message: Option<String>,
    /// `-c`, in order.
    pub changes: Vec<String>,
    /// `--platform`; none is this machine's.
    pub platform: Option<Platform>,
}

/// Makes the image; returns its id. `input` is read when the source is `-`.
pub fn import(
    session: &Session,
    request: &Request,
    input: &mut (dyn Read + Send),
) -> Result<Digest> {
    let source = request.source.as_str();
    let what = || match source {
        "-" => "cannot import from standard input".to_owned(),
        _ => format!("cannot import \"{source}\""),
    };
    // Before anything is read.
    change::apply(&mut Map::new(), &request.changes)?;
    let identity = Identity::of(&session.host)?;
    let is_url = ["http://", "https://"]
        .iter()
        .any(|s| source.starts_with(s));
    let mut file = match source {
        "-" => None,
        _ if is_url => None,
        path => Some(File::open(path).what(what)?),
    };
    let _lease = session.store.lease().what(what)?;
    let blob: (Digest, u64) = userns::run_inside(&identity, || {
        if is_url {
            let (path, mut file) = session.store.stage_file("download")?;
            // Whatever becomes of us, nothing is left of it.
            drop(std::fs::remove_file(&path));
            fetch::fetch(source, None, &mut file, &*session.progress)?;
            file.seek(SeekFrom::Start(0))?;
            return take(session, &identity.map, &mut file);
        }
        match &mut file {
            Some(file) => take(session, &identity.map, file),
            None => take(session, &identity.map, input),
        }
    })
    .what(what)?;
    add(session, request, assemble::plain_layer(blob)).what(what)
}

/// Keeps a tar, without its compression, and unpacks it; only one that can be unpacked
/// gets a name in the store. Returns its digest and size.
fn take(session: &Session, map: &IdMap, input: &mut (dyn Read + Send)) -> Result<(Digest, u64)> {
    let (path, file) = session.store.stage_file("import")?;
    let taken = keep(session, map, input, &path, file);
    if taken.is_err() {
        drop(std::fs::remove_file(&path));
    }
    taken
}

fn keep(
    session: &Session,
    map: &IdMap,
    input: &mut (dyn Read + Send),
    path: &Path,
    mut file: File,
) -> Result<(Digest, u64)> {
    let size = std::io::copy(&mut inflate::plain(input)?, &mut file)?;
    if size == 0 {
        return Err(Error::new("there is nothing in it, not even an empty tar"));
    }
    file.seek(SeekFrom::Start(0))?;
    let progress = &*session.progress;
    let step = progress.begin("Layer", "Importing", Some(size));
    let staged = session.store.stage_layer()?;
    let tree = staged.path().join("tree");
    let unpacked = layer::unpack(file, &tree, map, Report { progress, step });
    progress.end(
        step,
        if unpacked.is_ok() {
            "Imported"
        } else {
            "Failed"
        },
    );
    let (info, digest) = unpacked?;
    session.store.adopt_blob(path, &digest)?;
    let map = map.name();
    let store = &session.store;
    store.publish_layer(staged, &map, &digest, info, Durable::Now)?;
    // When the store had it already.
    drop(std::fs::remove_file(path));
    Ok((digest, size))
}

fn add(session: &Session, request: &Request, layer: Layer) -> Result<Digest> {
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let now = Time::now();
    let mut config = Config::scratch(&platform);
    change::apply(config.settings(), &request.changes)?;
    config.set_created(now);
    let comment = request
        .message
        .clone()
        .unwrap_or_else(|| format!("Imported from {}", request.source));
    config.set_comment(&comment);
    let history = History {
        comment,
        ..History::default()
    };
    config.add(now, &history, Some(&layer.diff_id));
    let names: Vec<Reference> = request.name.iter().cloned().collect();
    let made = assemble::add_image(&session.store, &config, &[layer], Format::Oci, &names)?;
    Ok(made.id)
}
