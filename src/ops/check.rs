//! `system check`: whether the store is what it says, and mending what is not.
//!
//! 1. every document and blob that an image needs is there and has its digest
//! 2. every unpacked layer has the files that its blob has: it is unpacked once
//!    more beside it and compared name by name
//! 3. every container has its record, its state, its name, layers and volumes
//! 4. every name leads to a container
//!
//! Mending: a document or blob comes from the image's registry again, by digest; a
//! layer is unpacked again; a name that leads nowhere goes and one that is missing
//! is made; a volume that is missing is made, empty. Then all is looked at again.
//!
//! Lives here: those looks and those remedies.
//! Must not: touch what is not broken, or a layer that a running container sees.
//! Called by: `cli::system`.
//! Always true: the look holds the store's lease, so nothing is collected under it;
//! it runs inside the user's namespace, where files of all ids can be read.

mod compare;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::image::layer::{self, Report};
use crate::ops::{Session, attach, pull, rm, state, sweep, tree};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::progress::{Silent, Step};
use crate::spec::container::{PullPolicy, Status};
use crate::spec::digest::{Digest, Hasher};
use crate::spec::id::{ContainerId, ContainerName};
use crate::spec::idmap::IdMap;
use crate::spec::mount::Source;
use crate::spec::reference::Reference;
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::gc::{Garbage, Partials};
use crate::store::images::{Entry, Image, Layer};
use crate::store::volumes::Volume;

/// How thorough, and whether to mend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `--quick`: sizes instead of digests, and no layer is unpacked.
    pub quick: bool,
    /// `--repair`.
    pub repair: bool,
    /// `--force`: with `repair`, containers that cannot be mended go.
    pub force: bool,
    /// `--max`: what nothing has needed for longer is taken for broken.
    pub max: Duration,
}

/// What was looked at and what is broken.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Images looked at.
    pub images: usize,
    /// Unpacked layers looked at.
    pub layers: usize,
    /// Containers looked at.
    pub containers: usize,
    /// What is broken.
    pub faults: Vec<Fault>,
}

/// One broken thing, and why it is taken for broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which.
    pub thing: Thing,
    /// In plain words.
    pub why: String,
}

/// What can be broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thing {
    /// A document or a layer's blob of the image whose manifest has the other digest.
    Blob(Digest, Digest),
    /// An unpacked layer of an image.
    Layer(Digest, Digest),
    /// A layer that a container needs, and that is not there.
    ContainerLayer(ContainerId, Digest),
    /// A container's record or state.
    Container(ContainerId),
    /// A container's name that does not lead to it.
    Name(ContainerId),
    /// A name that leads nowhere.
    LooseName(String),
    /// A volume, and whether it was made for one container.
    Volume(String, bool),
    /// A blob that nothing leads to.
    LooseBlob(Digest),
    /// An unpacked layer that nothing leads to.
    LooseLayer(Digest),
}

impl Fault {
    /// Returns it as one sentence.
    pub fn sentence(&self) -> String {
        let thing = match &self.thing {
            Thing::Blob(blob, image) => format!("blob {blob} of image {}", image.short()),
            Thing::Layer(layer, image) => format!("layer {layer} of image {}", image.short()),
            Thing::ContainerLayer(id, layer) => {
                format!("layer {layer} of container {}", id.short())
            }
            Thing::Container(id) => format!("container {}", id.short()),
            Thing::Name(id) => format!("the name of container {}", id.short()),
            Thing::LooseName(name) => format!("the name \"{name}\""),
            Thing::Volume(name, _) => format!("volume \"{name}\""),
            Thing::LooseBlob(blob) => format!("blob {blob}"),
            Thing::LooseLayer(layer) => format!("layer {layer}"),
        };
        format!("{thing}: {}", self.why)
    }
}

/// What a check came to.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What was looked at, and what is broken now.
    pub found: Found,
    /// What was broken and is not any more.
    pub mended: Vec<Fault>,
    /// Why something could not be mended.
    pub failures: Vec<Error>,
}

/// Looks at the whole store, and mends it if asked to.
pub fn check(session: &Session, options: Options) -> Result<Checked> {
    let identity = Identity::of(&session.host)?;
    let look = || run_inside(&identity, || find(session, &identity.map, options));
    let found = look()?;
    let mut checked = Checked::default();
    if !options.repair {
        checked.found = found;
        return Ok(checked);
    }
    if !found.faults.is_empty() {
        checked.failures = mend(session, &identity, &found.faults, options.force);
        collect(session, &mut checked);
        let after = look()?;
        let is_mended = |fault: &Fault| !after.faults.iter().any(|f| f.thing == fault.thing);
        checked.mended = found.faults.into_iter().filter(is_mended).collect();
        checked.found = after;
    } else {
        checked.found = found;
        collect(session, &mut checked);
    }
    Ok(checked)
}

/// While a record cannot be read, anything may be needed, and nothing is collected.
fn collect(session: &Session, checked: &mut Checked) {
    if let Err(error) = sweep::collect(session, Partials::Expired) {
        let error = error.what("cannot collect what nothing needs");
        checked.failures.push(error);
    }
}

fn find(session: &Session, id_map: &IdMap, options: Options) -> Result<Found> {
    let store = &session.store;
    let _lease = store.lease()?;
    let mut look = Look {
        store,
        id_map,
        quick: options.quick,
        found: Found::default(),
        blobs: HashMap::new(),
        layers: HashSet::new(),
    };
    for entry in store.image_entries()? {
        look.image(&entry);
    }
    for id in store.container_ids()? {
        look.container(session, &id);
    }
    for (name, id) in store.names()? {
        if !store.container_path(&id).is_dir() && !store.is_being_made(&id) {
            look.say(
                Thing::LooseName(name.to_string()),
                "it leads to no container",
            );
        }
    }
    look.loose(options.max);
    Ok(look.found)
}

struct Look<'a> {
    store: &'a Store,
    id_map: &'a IdMap,
    quick: bool,
    found: Found,
    /// Blobs looked at, and whether they are sound.
    blobs: HashMap<Digest, bool>,
    layers: HashSet<Digest>,
}

impl Look<'_> {
    fn say(&mut self, thing: Thing, why: impl Into<String>) {
        let why = why.into();
        self.found.faults.push(Fault { thing, why });
    }

    /// Looks for what nothing leads to, though it is old enough to have been collected.
    fn loose(&mut self, max: Duration) {
        // Where a record cannot be read, nobody knows what is needed; that was said.
        let Ok(garbage) = self.store.find_garbage(Partials::Expired) else {
            return;
        };
        for thing in garbage.things {
            let (path, thing) = match thing {
                Garbage::Blob(blob) => (self.store.blob_path(&blob), Thing::LooseBlob(blob)),
                Garbage::Layer(map, layer) => (
                    self.store.layer_path(&map, &layer),
                    Thing::LooseLayer(layer),
                ),
                Garbage::Partial(_) => continue,
            };
            let age = fs::symlink_metadata(&path).and_then(|meta| meta.modified());
            if age.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > max)) {
                self.say(thing, "nothing needs it");
            }
        }
    }

    fn image(&mut self, entry: &Entry) {
        if self.blobs.contains_key(&entry.digest) {
            return;
        }
        self.found.images += 1;
        let top = &entry.digest;
        if !self.blob(top, top, Some(entry.size)) {
            return;
        }
        if entry.is_list() {
            match self.store.members(entry) {
                Ok(members) => members.iter().for_each(|member| self.image(member)),
                Err(error) => {
                    self.say(Thing::Blob(top.clone(), top.clone()), error.to_string());
                }
            }
            return;
        }
        if let Some(artifact) = self.store.artifact(entry) {
            for (blob, size) in &artifact.blobs {
                self.blob(blob, top, Some(*size));
            }
            return;
        }
        let image = match self.store.load_image(entry) {
            Ok(image) => image,
            Err(error) => {
                // Its manifest is sound, so it is its configuration that is not.
                match self.store.config_of(entry) {
                    Some(config) if !self.blob(&config, top, None) => {}
                    _ => self.say(Thing::Blob(top.clone(), top.clone()), error.to_string()),
                }
                return;
            }
        };
        self.blob(&image.id, top, None);
        for layer in &image.layers {
            let sound = self.blob(&layer.blob, top, Some(layer.size));
            if sound && self.layers.insert(layer.diff_id.clone()) {
                self.layer(layer, top);
            }
        }
    }

    /// Looks at a blob; says whether it is sound.
    fn blob(&mut self, digest: &Digest, image: &Digest, size: Option<u64>) -> bool {
        if let Some(sound) = self.blobs.get(digest) {
            return *sound;
        }
        let why = self.why_broken(digest, size);
        self.blobs.insert(digest.clone(), why.is_none());
        match why {
            None => true,
            Some(why) => {
                self.say(Thing::Blob(digest.clone(), image.clone()), why);
                false
            }
        }
    }

    fn why_broken(&self, digest: &Digest, size: Option<u64>) -> Option<String> {
        let path = self.store.blob_path(digest);
        let meta = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Some("it is not there".to_owned());
            }
            Err(error) => return Some(error.to_string()),
            Ok(meta) => meta,
        };
        if let Some(size) = size.filter(|size| *size != meta.len() && *size > 0) {
            return Some(format!("it has {} bytes instead of {size}", meta.len()));
        }
        if self.quick {
            return None;
        }
        match digest_of(&path) {
            Ok(is) if is == *digest => None,
            Ok(is) => Some(format!("its content has digest {is}")),
            Err(error) => Some(error.to_string()),
        }
    }

    fn layer(&mut self, layer: &Layer, image: &Digest) {
        let map = self.id_map.name();
        // One that is not unpacked is unpacked when it is needed.
        if !self.store.layer_path(&map, &layer.diff_id).exists() {
            return;
        }
        self.found.layers += 1;
        let why = if self.store.has_layer(&map, &layer.diff_id) {
            match self.quick {
                true => Ok(None),
                false => self.differs(layer),
            }
        } else if self.store.layer_tree(&map, &layer.diff_id).is_dir() {
            let why = "the machine stopped before its files had reached the disk";
            Ok(Some(why.to_owned()))
        } else {
            Ok(Some("it has no files".to_owned()))
        };
        match why {
            Ok(None) => {}
            Ok(Some(why)) => self.say(Thing::Layer(layer.diff_id.clone(), image.clone()), why),
            Err(error) => self.say(
                Thing::Layer(layer.diff_id.clone(), image.clone()),
                error.to_string(),
            ),
        }
    }

    /// Unpacks a layer once more and says where the one there is another.
    fn differs(&self, layer: &Layer) -> Result<Option<String>> {
        let staged = self.store.stage_layer()?;
        let tree = staged.path().join("tree");
        let (progress, step) = (&Silent, Step(0));
        let blob = self.store.open_blob(&layer.blob)?;
        let (_, digest) = layer::unpack(blob, &tree, self.id_map, Report { progress, step })?;
        if digest != layer.diff_id {
            return Err(Error::new(format!(
                "the tar in its blob has digest {digest}, not the one that the image's configuration says"
            )));
        }
        let there = self.store.layer_tree(&self.id_map.name(), &layer.diff_id);
        let difference = compare::trees(&there, &tree, Path::new(""))
            .what(|| "it cannot be compared with its blob")?;
        Ok(difference)
    }

    fn container(&mut self, session: &Session, id: &ContainerId) {
        self.found.containers += 1;
        let store = self.store;
        let record = match store.load_record(id) {
            Ok(record) => record,
            Err(_) if !store.container_path(id).is_dir() => return,
            Err(error) => return self.say(Thing::Container(id.clone()), error.to_string()),
        };
        if let Err(error) = state::load(&session.host, store, id)
            && store.container_path(id).is_dir()
        {
            self.say(Thing::Container(id.clone()), error.to_string());
        }
        if store.named(&record.name).as_ref() != Some(id) {
            let why = format!("\"{}\" does not lead to it", record.name);
            self.say(Thing::Name(id.clone()), why);
        }
        for layer in &record.layers {
            if !store.has_layer(&record.id_map, layer) {
                let thing = Thing::ContainerLayer(id.clone(), layer.clone());
                self.say(thing, "it is not unpacked");
            }
        }
        for mount in &record.mounts {
            let Source::Volume(name) = &mount.source else {
                continue;
            };
            let whole = store.load_volume(name).is_ok() && store.volume_data(name).is_dir();
            if !whole && store.container_path(id).is_dir() {
                let anonymous = record.anonymous_volumes.contains(name);
                let why = format!("container \"{}\" has it, and it is not there", record.name);
                self.say(Thing::Volume(name.clone(), anonymous), why);
            }
        }
    }
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Mends what can be mended; returns why the rest cannot.
fn mend(session: &Session, identity: &Identity, faults: &[Fault], force: bool) -> Vec<Error> {
    let mut failures = Vec::new();
    let mut images: Vec<&Digest> = Vec::new();
    for fault in faults {
        if let Thing::Blob(blob, image) = &fault.thing {
            drop(session.store.discard(&session.store.blob_path(blob)));
            if !images.contains(&image) {
                images.push(image);
            }
        }
    }
    for image in images {
        if let Err(error) = fetch(session, image) {
            failures.push(error);
        }
    }
    // What a registry that does not answer has is not lost.
    let all_asked = failures.iter().all(|e: &Error| e.kind() == Kind::NotFound);
    let mut forgotten: HashSet<ContainerId> = HashSet::new();
    for fault in faults {
        let done = match &fault.thing {
            Thing::Blob(..) => Ok(()),
            Thing::Layer(layer, image) => unpack(session, identity, layer, image),
            // It went for another of its layers.
            Thing::ContainerLayer(id, _) if forgotten.contains(id) => Ok(()),
            Thing::ContainerLayer(id, layer) => {
                let record = session.store.load_record(id);
                match record.and_then(|r| tree::unpack_for(session, identity, &r, layer)) {
                    Err(_)
                        if force
                            && all_asked
                            && is_lost(&session.store, layer).unwrap_or(false) =>
                    {
                        forgotten.insert(id.clone());
                        forget(session, id)
                    }
                    done => done,
                }
            }
            Thing::Container(id) if force => forget(session, id),
            Thing::Container(_) => Err(Error::new("nobody else knows what was in it")
                .hint("remove it with what is left of it: `rpod system check --repair --force`")),
            // The collection takes it.
            Thing::LooseBlob(_) | Thing::LooseLayer(_) => Ok(()),
            Thing::Name(id) => session
                .store
                .load_record(id)
                .and_then(|record| session.store.take_name(&record.name, id)),
            Thing::LooseName(name) => name
                .parse::<ContainerName>()
                .map(|name| session.store.drop_loose_name(&name)),
            Thing::Volume(name, anonymous) => volume(session, name, *anonymous),
        };
        failures.extend(
            done.err()
                .map(|e| e.what(format!("cannot mend {}", fault.sentence()))),
        );
    }
    failures
}

/// Says whether a layer is in no image any more, or in none whose blob of it is sound. What
/// the disk or the memory refuses at the moment is not lost.
fn is_lost(store: &Store, layer: &Digest) -> Result<bool> {
    let temporary = |error: &Error| error.kind() != Kind::NotFound && error.errno().is_some();
    for entry in store.image_entries()? {
        let members = match store.members(&entry) {
            Err(error) if temporary(&error) => return Err(error),
            members => members.unwrap_or_default(),
        };
        for member in members {
            let image = match store.load_image(&member) {
                Err(error) if temporary(&error) => return Err(error),
                Err(_) => continue,
                Ok(image) => image,
            };
            for one in image.layers.iter().filter(|one| one.diff_id == *layer) {
                match digest_of(&store.blob_path(&one.blob)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Ok(is) if is != one.blob => {}
                    read => return read.map(|_| false).map_err(Error::from),
                }
            }
        }
    }
    Ok(true)
}

/// Takes a container away whose record or files are lost, with the volumes that were made
/// for it alone, unless it may be running.
fn forget(session: &Session, id: &ContainerId) -> Result<()> {
    let store = &session.store;
    let state = state::load(&session.host, store, id);
    if state.is_ok() && store.load_record(id).is_ok() {
        let options = rm::Options {
            force: false,
            volumes: true,
        };
        return match rm::remove(session, id.as_str(), options) {
            Err(error) if error.kind() != Kind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let lock = match store.lock_container(id) {
        Err(error) if error.kind() != Kind::NotFound => return Err(error),
        lock => lock.ok(),
    };
    let runs = match state {
        Ok(state) => matches!(state.status, Status::Running | Status::Restarting),
        // It says nothing, so the kernel is asked.
        Err(error) if error.errno().is_none() || error.kind() == Kind::NotFound => {
            attach::is_answered(store, id) || lives(id)
        }
        Err(error) => return Err(error),
    };
    if runs {
        return Err(Error::of(Kind::Conflict, "it runs").hint(
            "end its processes first: `ps -eo pid,comm` shows them, with \"rpod-monitor\" above them",
        ));
    }
    let place = store.container_path(id);
    let anonymous = store.load_record(id).map(|record| record.anonymous_volumes);
    match store.discard(&place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    drop(lock);
    for (name, other) in store.names()? {
        if other == *id {
            store.drop_loose_name(&name);
        }
    }
    for volume in anonymous.unwrap_or_default() {
        drop(store.remove_volume(&volume));
    }
    Ok(())
}

/// Says whether a process sees a container's files.
fn lives(id: &ContainerId) -> bool {
    // Of a bind mount it says the path below the root of its file system alone.
    let place = format!("containers/{id}/");
    let sees = |process: fs::DirEntry| {
        let table = fs::read_to_string(process.path().join("mountinfo"));
        table.is_ok_and(|table| table.contains(&place))
    };
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .any(sees)
}

/// Fetches what an image lacks from where it came from, by its digest.
fn fetch(session: &Session, manifest: &Digest) -> Result<()> {
    let what = || format!("cannot fetch again what image {} lacks", manifest.short());
    let entries = session.store.image_entries()?;
    // It may be one of a list, and have no entry of its own.
    let leads = |entry: &&Entry| {
        let members = || session.store.members(entry).unwrap_or_default();
        entry.digest == *manifest || members().iter().any(|one| one.digest == *manifest)
    };
    let leading: Vec<&Entry> = entries.iter().filter(leads).collect();
    let same = || leading.iter().copied();
    let at_registry = same().filter(|entry| entry.registry_digest().is_some());
    let names: Vec<Reference> = at_registry.filter_map(Entry::name).collect();
    if names.is_empty() && same().any(|entry| entry.name().is_some()) {
        return Err(Error::of(
            Kind::NotFound,
            "it was loaded or made on this machine, so no registry has it",
        )
        .what(what())
        .hint("load or build it again, or remove it with `rpod rmi -f`"));
    }
    if names.is_empty() {
        return Err(Error::of(
            Kind::NotFound,
            "it has no name, so nobody knows where it came from",
        )
        .what(what())
        .hint(format!("remove it: `rpod rmi -f {}`", manifest.hex())));
    }
    let request = pull::Request {
        policy: PullPolicy::Always,
        platform: None,
        artifacts: true,
        nameless: true,
        quiet: true,
        ..pull::Request::default()
    };
    let mut failure = None;
    for name in names {
        let by_digest = Reference {
            tag: None,
            digest: Some(manifest.clone()),
            ..name
        };
        let text = by_digest.to_string();
        let pulled =
            pull::pull(session, &request, std::slice::from_ref(&text)).and_then(|mut all| {
                all.pop()
                    .unwrap_or_else(|| Err(Error::internal("nothing was pulled")))
            });
        match pulled {
            Ok(_) => return Ok(()),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error
            .what(what())
            .hint("load or build it again, or remove it with `rpod rmi -f`")),
        None => Ok(()),
    }
}

/// Unpacks an image's layer again, unless a running container sees it.
fn unpack(session: &Session, identity: &Identity, diff_id: &Digest, image: &Digest) -> Result<()> {
    let store = &session.store;
    let map = identity.map.name();
    for id in store.container_ids()? {
        // One whose state cannot be read may be running.
        let ended = state::load(&session.host, store, &id)
            .is_ok_and(|s| !matches!(s.status, Status::Running | Status::Restarting));
        if ended || !store.container_path(&id).is_dir() {
            continue;
        }
        let record = store
            .load_record(&id)
            .map_err(|error| error.what("a container that may run upon it cannot be read"))?;
        if record.layers.contains(diff_id) {
            return Err(
                Error::new(format!("container \"{}\" runs upon it", record.name))
                    .hint(format!("stop it first: `rpod stop {}`", record.name)),
            );
        }
    }
    let image = image_of(store, image)?;
    drop(store.discard(&store.layer_path(&map, diff_id)));
    tree::unpack(session, identity, &image, diff_id)
}

fn image_of(store: &Store, manifest: &Digest) -> Result<Image> {
    let entries = store.image_entries()?;
    let mut images = entries
        .iter()
        .flat_map(|entry| store.members(entry).unwrap_or_default());
    let entry = images.find(|entry| entry.digest == *manifest);
    store.load_image(&entry.ok_or_else(|| Error::new("its image has gone"))?)
}

/// Makes a volume again; what was in it is lost.
fn volume(session: &Session, name: &str, anonymous: bool) -> Result<()> {
    session.progress.warn(&format!(
        "volume \"{name}\" is made anew where it was broken; files that were lost do not come back"
    ));
    let volume = Volume {
        version: 1,
        name: name.to_owned(),
        created: Time::now(),
        labels: [].into(),
        options: [].into(),
        anonymous,
    };
    session.store.restore_volume(&volume)
}
