//! `commit`: an image of what a container is now.
//!
//! 1. its processes stop, unless they are to go on
//! 2. its changes become a layer on those of its image
//! 3. its processes go on, also when that failed
//! 4. its image's settings, with what was asked at `run` and the changes asked now,
//!    become the settings of the new one
//!
//! Lives here: those steps.
//! Must not: write a tar or a manifest (`image`).
//! Called by: `cli`.
//! Always true: the container is left as it was found; volumes are not in the image.

use serde_json::{Map, Value, json};

use crate::error::{Context, Error, Kind, Result};
use crate::image::assemble::{self, Config, Format, History};
use crate::image::change;
use crate::image::layer::changes::Scope;
use crate::image::layer::write::Options;
use crate::image::layer::{Report, unpack_blob};
use crate::ops::{Session, export, pause, state, sweep, tree};
use crate::process::userns;
use crate::progress::{Silent, Step};
use crate::runtime::plan::MOUNT_POINTS;
use crate::spec::container::{Record, Status};
use crate::spec::digest::Digest;
use crate::spec::mount::Source;
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::images::{Entry, Image, Layer};

/// How a container becomes an image.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Container as typed.
    pub container: String,
    /// The image's name; none leaves it without one.
    pub name: Option<Reference>,
    /// `-a`.
    pub author: String,
    /// `-m`.
    pub message: String,
    /// `-c`, in order.
    pub changes: Vec<String>,
    /// `--pause`.
    pub pause: bool,
    /// `--squash`: one layer instead of those of its image and its own.
    pub squash: bool,
    /// `-f`.
    pub format: Format,
}

/// Makes the image; returns its id.
pub fn commit(session: &Session, request: &Request) -> Result<Digest> {
    let what = || format!("cannot commit container \"{}\"", request.container);
    // Before anything stops.
    change::apply(&mut Map::new(), &request.changes)?;
    let id = session
        .store
        .find_container(&request.container)
        .what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    let _lease = session.store.lease().what(what)?;
    let image = image_of(session, &record).what(what)?;
    let layer = layer(session, &record, request).what(what)?;
    let now = Time::now();
    let mut config = Config::of(&session.store, &image).what(what)?;
    let mut layers = image.layers;
    if request.squash {
        config.clear_layers();
        layers.clear();
    }
    settings(config.settings(), &record);
    change::apply(config.settings(), &request.changes)?;
    config.set_created(now);
    if !request.author.is_empty() {
        config.set_author(&request.author);
    }
    if !request.message.is_empty() {
        config.set_comment(&request.message);
    }
    let history = History {
        created_by: record.command.join(" "),
        author: request.author.clone(),
        comment: request.message.clone(),
    };
    config.add(now, &history, layer.as_ref().map(|layer| &layer.diff_id));
    layers.extend(layer);
    let names: Vec<Reference> = request.name.iter().cloned().collect();
    let made = assemble::add_image(&session.store, &config, &layers, request.format, &names);
    Ok(made.what(what)?.id)
}

/// Returns the image that a container was made from.
fn image_of(session: &Session, record: &Record) -> Result<Image> {
    let is_it = |entry: Entry| {
        let image = session.store.load_image(&entry).ok()?;
        (image.id == record.image_id).then_some(image)
    };
    let entries = session.store.image_entries()?;
    let images = entries
        .iter()
        .flat_map(|entry| session.store.members(entry).unwrap_or_default());
    images.into_iter().find_map(is_it).ok_or_else(|| {
        Error::of(
            Kind::NotFound,
            format!("its image \"{}\" has been removed", record.image),
        )
        .hint(format!(
            "get it back with `rpod pull {}`, or keep the files alone: `rpod export {} | rpod import -`",
            record.image, record.name
        ))
    })
}

/// Steps 1 to 3; none when nothing was changed.
fn layer(session: &Session, record: &Record, request: &Request) -> Result<Option<Layer>> {
    let lock = session.store.lock_container(&record.id)?;
    let present = state::load(&session.host, &session.store, &record.id)?;
    let runs = present.status == Status::Running;
    let pauses = runs && request.pause && !present.paused;
    if pauses {
        pause::stop(session, record, &present)
            .hint(|| "commit it while it goes on: `rpod commit --pause=false …`")?;
    }
    let written = write(session, record, request.squash);
    if pauses {
        match (pause::go_on(session, record, &present), &written) {
            (Err(error), Ok(_)) => return Err(error),
            (Err(also), Err(_)) => return written.map_err(|error| error.also(also)),
            (Ok(()), _) => {}
        }
    }
    drop(lock);
    written
}

fn write(session: &Session, record: &Record, squash: bool) -> Result<Option<Layer>> {
    let identity = tree::identity(session, record)?;
    let tree = tree::tree(&session.store, record)?;
    let written: Option<(Digest, u64)> = userns::run_inside(&identity, || {
        let store = &session.store;
        let options = Options {
            scope: Scope {
                below: &tree.layers,
                mount_points: &MOUNT_POINTS,
            },
            ..Options::default()
        };
        let mut blob = store.new_blob()?;
        let written = if squash {
            let options = Options::default();
            export::write_whole(session, record, options, &mut blob)?
        } else {
            crate::image::layer::write::write(&tree.upper, options, &mut blob)?
        };
        if written.info.files == 0 {
            return Ok(None);
        }
        let layer = assemble::plain_layer(blob.commit(None)?);
        let (progress, step) = (&Silent, Step(0));
        unpack_blob(store, &layer, &identity.map, Report { progress, step })?;
        Ok(Some((layer.diff_id, layer.size)))
    })?;
    sweep::settle(session);
    Ok(written.map(assemble::plain_layer))
}

/// What was asked of the container is what containers of the image get.
fn settings(settings: &mut Map<String, Value>, record: &Record) {
    let mut set = |key: &str, value: Value, is_empty: bool| {
        if is_empty {
            settings.remove(key);
        } else {
            settings.insert(key.to_owned(), value);
        }
    };
    set("Cmd", json!(record.command), record.command.is_empty());
    let entrypoint = &record.entrypoint;
    set("Entrypoint", json!(entrypoint), entrypoint.is_empty());
    set("User", json!(record.user), record.user.is_empty());
    set("WorkingDir", json!(record.workdir), record.workdir == "/");
    set("Labels", json!(record.labels), record.labels.is_empty());
    let ports: Map<String, Value> = record
        .expose
        .iter()
        .map(|port| (port.to_string(), json!({})))
        .collect();
    let none = ports.is_empty();
    set("ExposedPorts", ports.into(), none);
    let own = [
        format!("HOSTNAME={}", record.hostname),
        "TERM=xterm".to_owned(),
    ];
    // What a start adds by itself says nothing of the image.
    let env: Vec<&String> = record.env.iter().filter(|e| !own.contains(e)).collect();
    set("Env", json!(env), false);
    if record.stop_signal != "SIGTERM" {
        set("StopSignal", json!(record.stop_signal), false);
    }
    let anonymous = |source: &Source| match source {
        Source::Volume(name) => record.anonymous_volumes.contains(name),
        _ => false,
    };
    let volumes = record.mounts.iter().filter(|m| anonymous(&m.source));
    let targets: Vec<&String> = volumes.map(|mount| &mount.target).collect();
    if !targets.is_empty() {
        let all: Map<String, Value> = targets
            .iter()
            .map(|target| ((*target).clone(), json!({})))
            .collect();
        set("Volumes", all.into(), false);
    }
}
