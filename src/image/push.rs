//! Push: an image of the store to a registry.
//!
//! ```text
//! manifest ─┬─ layer: there? ─ mount? ─ upload ─┐
//!           ├─ layer: …        (a thread reads,  ├─ configuration ─ manifest under its name
//!           └─ layer: …         or compresses)   ┘
//! ```
//!
//! A layer that was made here is a plain tar; it is compressed while it is sent, and
//! only then has the digest that the manifest names. What came from a registry goes
//! out as it came, byte for byte.
//!
//! Lives here: the order of a push, what is sent at once, and going on where a
//! connection broke.
//! Must not: know users' words; the lines it says are docker's.
//! Called by: `ops::push`, `ops::manifest`. It starts threads.
//! Always true: a manifest is put after all that it names is at the registry; no
//! blob is in memory as a whole.

mod supply;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::error::{Context, Error, Result};
use crate::image::assemble::{self, reword};
use crate::image::compress::{Format, Settings};
use crate::image::push::supply::{Sent, Supply};
use crate::image::registry::body::{Body, Piece};
use crate::image::registry::http::{Fault, FaultKind};
use crate::image::registry::manifest::{self, Manifest, Part};
use crate::image::registry::upload::{Begun, Session, Taken};
use crate::image::registry::{Access, Registry, referrers};
use crate::progress::{Progress, Step};
use crate::spec::digest::Digest;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::compressed::Form;
use crate::store::images::{DOCUMENT_LIMIT, Entry};

/// Layers sent at once.
const UPLOADS: usize = 5;

/// Layers compressed at once: one keeps all processors busy, a second while it waits.
const COMPRESSIONS: usize = 2;

/// Pieces of a layer that wait to be sent at most.
const QUEUE: usize = 8;

/// A blob of at most so many bytes is sent with the request that ends the upload.
const SMALL: u64 = 64 << 10;

/// Bytes of a chunk where an upload cannot be one request; it is halved while it is too large.
const CHUNK: u64 = 8 << 20;

/// The least it is halved to.
const LEAST: u64 = 256 << 10;

/// Repositories of the same registry that a layer may be taken from, tried for each.
const MOUNTS: usize = 2;

/// Lists in lists that are followed.
const LISTS: usize = 3;

/// How layers leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Compressed with this; none is gzip.
    pub format: Option<Format>,
    /// This hard; none is what is usual.
    pub level: Option<i32>,
    /// Also those that are compressed already, in another way.
    pub force: bool,
    /// In these words the manifests; none is as they are.
    pub manifest: Option<assemble::Format>,
    /// Of a list its images too, which else are at the registry already.
    pub members: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            format: None,
            level: None,
            force: false,
            manifest: None,
            members: true,
        }
    }
}

/// What is to be pushed, and where to.
#[derive(Clone, Debug)]
pub struct Order {
    /// The image, or the list of images.
    pub entry: Entry,
    /// What it is to be called.
    pub name: Reference,
    /// The registry's host, where settings say that it is another than in the name.
    pub host: String,
    /// The repository there.
    pub repository: String,
    /// How the registry is spoken to.
    pub access: Access,
    /// How layers leave.
    pub wanted: Wanted,
}

/// What is at the registry now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of what is under the name.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Pushes images one after the other to one registry.
pub fn push(store: &Store, orders: Vec<Order>, progress: Arc<dyn Progress>) -> Result<Vec<Pushed>> {
    let Some(first) = orders.first() else {
        return Ok(Vec::new());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .what(|| "cannot set up for the network")?;
    let engine = Arc::new(Engine {
        registry: Registry::new(&first.host, first.access.clone()),
        repository: first.repository.clone(),
        elsewhere: elsewhere(store, &first.name)?,
        store: store.clone(),
        progress,
        uploads: Semaphore::new(UPLOADS),
        compressions: Arc::new(Semaphore::new(COMPRESSIONS)),
    });
    let done = runtime.block_on(async {
        let mut pushed = Vec::new();
        for order in &orders {
            pushed.push(engine.image(order).await?);
        }
        Ok(pushed)
    });
    runtime.shutdown_background();
    done
}

/// Returns the repositories of the same registry that may have a blob of the store, by the blob.
fn elsewhere(store: &Store, name: &Reference) -> Result<HashMap<Digest, Vec<String>>> {
    let mut found: HashMap<Digest, Vec<String>> = HashMap::new();
    for entry in store.image_entries()? {
        let Some(other) = entry.name() else { continue };
        if other.registry != name.registry || other.repository == name.repository {
            continue;
        }
        let Ok(image) = store.load_image(&entry) else {
            continue;
        };
        for layer in image.layers {
            let repositories = found.entry(layer.blob).or_default();
            if !repositories.contains(&other.repository) {
                repositories.push(other.repository.clone());
            }
        }
    }
    Ok(found)
}

struct Engine {
    registry: Registry,
    repository: String,
    elsewhere: HashMap<Digest, Vec<String>>,
    store: Store,
    progress: Arc<dyn Progress>,
    uploads: Semaphore,
    compressions: Arc<Semaphore>,
}

/// A manifest as it is at the registry.
struct Document {
    bytes: Vec<u8>,
    media_type: String,
}

/// One blob that a manifest names.
struct Cargo {
    part: Part,
    /// What it is called in lines of progress.
    shown: String,
    /// How it is compressed on the way; none is as it is.
    settings: Option<Settings>,
}

impl Engine {
    async fn image(self: &Arc<Self>, order: &Order) -> Result<Pushed> {
        let document = self.bring(&order.entry.digest, order, 0).await?;
        let name = order.name.tag.clone().unwrap_or_else(|| {
            // A name by digest is for what has that digest.
            Digest::of(&document.bytes).to_string()
        });
        if let Some(wanted) = &order.name.digest
            && *wanted != Digest::of(&document.bytes)
        {
            return Err(Error::new(format!(
                "what would be pushed has digest {}",
                Digest::of(&document.bytes)
            )));
        }
        let digest = self.put(&name, &document).await?;
        Ok(Pushed {
            digest,
            size: document.bytes.len() as u64,
        })
    }

    async fn put(&self, name: &str, document: &Document) -> Result<Digest> {
        let Document { bytes, media_type } = document;
        let put = self
            .registry
            .put_manifest(&self.repository, name, media_type, bytes)
            .await?;
        if !put.lists_referrers
            && let Some((subject, said)) = referrers::describe(bytes, media_type)
        {
            let listed = self.list_referrer(&subject, said).await;
            listed.what(|| format!("cannot list it among what is about {}", subject.short()))?;
        }
        Ok(put.digest)
    }

    /// A registry that keeps no list of what is about a manifest has it under a tag, which
    /// whoever pushes such a thing has to keep.
    async fn list_referrer(&self, subject: &Digest, said: Value) -> Result<()> {
        let repository = &self.repository;
        let mut all = self.registry.kept_under_tag(repository, subject).await?;
        if all.iter().any(|one| one["digest"] == said["digest"]) {
            return Ok(());
        }
        all.push(said);
        let index = serde_json::to_vec(&referrers::index(&all))?;
        let tag = referrers::tag(subject);
        let put = self
            .registry
            .put_manifest(repository, &tag, manifest::OCI_INDEX, &index);
        put.await.map(drop)
    }

    /// Brings all that a manifest names to the registry; returns the manifest to be put there.
    async fn bring(
        self: &Arc<Self>,
        digest: &Digest,
        order: &Order,
        depth: usize,
    ) -> Result<Document> {
        let bytes = self.store.read_blob(digest, DOCUMENT_LIMIT)?;
        let mut value: Value =
            serde_json::from_slice(&bytes).what(|| "cannot read its manifest")?;
        match manifest::parse(&bytes, None)? {
            Manifest::Image {
                media_type,
                config,
                layers,
            } => {
                let media_type = said_type(&value).unwrap_or(media_type);
                let (media_type, changed) = self
                    .parts(&mut value, media_type, (config, layers), order, digest)
                    .await?;
                let bytes = if changed {
                    serde_json::to_vec(&value)?
                } else {
                    bytes
                };
                Ok(Document { bytes, media_type })
            }
            Manifest::Artifact {
                media_type,
                config,
                blobs,
                ..
            } => {
                if order.wanted.manifest == Some(assemble::Format::Docker) {
                    return Err(Error::new("docker's format has no artifacts")
                        .hint("push it as it is, without --format"));
                }
                let media_type = said_type(&value).unwrap_or(media_type);
                let cargo = blobs.into_iter().chain([config]).map(|part| Cargo {
                    shown: part.digest.short().to_owned(),
                    settings: None,
                    part,
                });
                self.layers(cargo.collect()).await?;
                Ok(Document { bytes, media_type })
            }
            Manifest::List(list) => {
                if depth == LISTS {
                    return Err(Error::new("it is a list of lists of lists"));
                }
                let media_type =
                    said_type(&value).unwrap_or_else(|| manifest::OCI_INDEX.to_owned());
                if !order.wanted.members {
                    return Ok(Document { bytes, media_type });
                }
                let mut changed = false;
                for (part, _) in &list {
                    let document = Box::pin(self.bring(&part.digest, order, depth + 1)).await?;
                    let own = Digest::of(&document.bytes);
                    self.put(own.as_str(), &document).await?;
                    if own != part.digest {
                        changed = true;
                        let entries = value["manifests"].as_array_mut();
                        let known = |one: &&mut Value| one["digest"] == part.digest.as_str();
                        let entry = entries.into_iter().flatten().find(known);
                        let entry =
                            entry.ok_or_else(|| Error::internal("a list without its own image"))?;
                        entry["digest"] = own.as_str().into();
                        entry["size"] = document.bytes.len().into();
                        entry["mediaType"] = document.media_type.into();
                    }
                }
                let wanted = order.wanted.manifest.map(list_type);
                let media_type = match wanted.filter(|wanted| *wanted != media_type) {
                    Some(wanted) => {
                        changed = true;
                        value["mediaType"] = wanted.into();
                        wanted.to_owned()
                    }
                    None => media_type,
                };
                let bytes = if changed {
                    serde_json::to_vec(&value)?
                } else {
                    bytes
                };
                Ok(Document { bytes, media_type })
            }
        }
    }

    /// Brings an image's layers and configuration; changes what the manifest says of those
    /// that are another blob there, and says whether it did.
    async fn parts(
        self: &Arc<Self>,
        value: &mut Value,
        media_type: String,
        (config, layers): (Part, Vec<Part>),
        order: &Order,
        digest: &Digest,
    ) -> Result<(String, bool)> {
        let names = self.names(&media_type, digest, &layers);
        let cargo: Vec<Cargo> = layers
            .iter()
            .zip(names)
            .map(|(part, shown)| Cargo {
                settings: settings(part, order),
                part: part.clone(),
                shown,
            })
            .collect();
        let sent = self.layers(cargo).await?;
        let mut changed = false;
        let mut media_type = media_type;
        for (place, part) in layers.iter().enumerate() {
            let Some((form, format)) = sent.get(&part.digest) else {
                continue;
            };
            changed = true;
            if *format == Format::Zstd && media_type == manifest::DOCKER_MANIFEST {
                media_type = manifest::OCI_MANIFEST.to_owned();
                reword(value, assemble::Format::Oci)?;
            }
            let entry = &mut value["layers"][place];
            let old = entry["mediaType"].as_str().unwrap_or_default();
            entry["mediaType"] = compressed_type(old, *format).into();
            entry["digest"] = form.digest.as_str().into();
            entry["size"] = form.size.into();
        }
        self.small(&config)
            .await
            .what(|| "cannot push its configuration")?;
        if let Some(format) = order.wanted.manifest
            && format.manifest() != media_type
        {
            reword(value, format)?;
            return Ok((format.manifest().to_owned(), true));
        }
        Ok((media_type, changed))
    }

    /// Returns what layers are called: docker calls them by their diff ids.
    fn names(&self, media_type: &str, digest: &Digest, layers: &[Part]) -> Vec<String> {
        let entry = Entry::new(media_type, digest.clone(), 0, None);
        match self.store.load_image(&entry) {
            Ok(image) => image
                .layers
                .iter()
                .map(|l| l.diff_id.short().to_owned())
                .collect(),
            Err(_) => layers.iter().map(|l| l.digest.short().to_owned()).collect(),
        }
    }

    /// Brings layers; returns what those became that were compressed.
    async fn layers(
        self: &Arc<Self>,
        cargo: Vec<Cargo>,
    ) -> Result<HashMap<Digest, (Form, Format)>> {
        let mut seen = HashSet::new();
        let mut tasks = JoinSet::new();
        for cargo in cargo {
            // Many images have the same empty layer several times.
            if !seen.insert(cargo.part.digest.clone()) {
                continue;
            }
            let step = self.progress.begin(&cargo.shown, "Preparing", None);
            let engine = Arc::clone(self);
            tasks.spawn(async move {
                let form = engine
                    .layer(&cargo, step)
                    .await
                    .what(|| format!("cannot push layer {}", cargo.shown))?;
                let format = cargo.settings.map(|settings| settings.format);
                Ok::<_, Error>((cargo.part.digest, form.zip(format)))
            });
        }
        let mut sent = HashMap::new();
        while let Some(done) = tasks.join_next().await {
            // The first failure ends the push; dropping the set ends the others.
            let (digest, form) =
                done.map_err(|error| Error::internal(format!("a task ended: {error}")))??;
            sent.extend(form.map(|form| (digest, form)));
        }
        Ok(sent)
    }

    async fn layer(&self, cargo: &Cargo, step: Step) -> Result<Option<Form>> {
        let part = &cargo.part;
        if !part.elsewhere.is_empty() && !self.store.has_blob(&part.digest) {
            self.progress.end(step, "Skipped foreign layer");
            return Ok(None);
        }
        let _turn = self.uploads.acquire().await;
        let known = match cargo.settings {
            None => Some(Form {
                digest: part.digest.clone(),
                size: part.size,
            }),
            Some(settings) => self.store.compressed_form(&part.digest, &name_of(settings)),
        };
        let mut session = None;
        if let Some(form) = &known {
            let there = self.is_there(&form.digest, &part.digest).await?;
            let form = cargo.settings.map(|_| form.clone());
            match there {
                There::Already => {
                    self.progress.end(step, "Layer already exists");
                    return Ok(form);
                }
                There::Mounted(from) => {
                    self.progress.end(step, &format!("Mounted from {from}"));
                    return Ok(form);
                }
                There::No(begun) => session = begun,
            }
        }
        let supply = Supply {
            path: self.store.blob_path(&part.digest),
            part: part.clone(),
            settings: cargo.settings,
        };
        let _compression = match cargo.settings {
            Some(_) => Arc::clone(&self.compressions).acquire_owned().await.ok(),
            None => None,
        };
        let sent = self.upload(&supply, session, Some(step)).await?;
        self.progress.end(step, "Pushed");
        let Some(settings) = cargo.settings else {
            return Ok(None);
        };
        let form = Form {
            digest: sent.digest,
            size: sent.size,
        };
        self.store
            .remember_form(&part.digest, &name_of(settings), form.clone())?;
        Ok(Some(form))
    }

    /// Says whether a blob is there, or could be taken from another repository.
    async fn is_there(&self, digest: &Digest, local: &Digest) -> Result<There> {
        if self.registry.has_blob(&self.repository, digest).await? {
            return Ok(There::Already);
        }
        let mut begun = None;
        for from in self.elsewhere.get(local).into_iter().flatten().take(MOUNTS) {
            let mount = Some((digest, from.as_str()));
            match self.registry.begin(&self.repository, mount).await {
                Ok(Begun::Mounted) => return Ok(There::Mounted(from.clone())),
                Ok(Begun::Session(session)) => begun = Some(session),
                // A repository that we may not even look at is none to take from.
                Err(_) => {}
            }
        }
        Ok(There::No(begun))
    }

    /// Brings a configuration.
    async fn small(&self, part: &Part) -> Result<()> {
        if self
            .registry
            .has_blob(&self.repository, &part.digest)
            .await?
        {
            return Ok(());
        }
        let supply = Supply {
            path: self.store.blob_path(&part.digest),
            part: part.clone(),
            settings: None,
        };
        self.upload(&supply, None, None).await.map(drop)
    }

    /// Sends a blob, going on where a connection broke.
    async fn upload(
        &self,
        supply: &Supply,
        begun: Option<Session>,
        step: Option<Step>,
    ) -> Result<Sent> {
        let limits = *self.registry.limits();
        let mut way = Way {
            session: begun,
            from: 0,
            chunk: None,
        };
        let mut fruitless = 0;
        loop {
            let before = way.from;
            match self.attempt(supply, &mut way, step).await {
                Ok(Some(sent)) => return Ok(sent),
                Ok(None) if way.from > before => fruitless = 0,
                Ok(None) => fruitless += 1,
                Err(fault) if fault.kind == FaultKind::Final => return Err(fault.error),
                Err(fault) => {
                    fruitless = if way.from > before { 0 } else { fruitless + 1 };
                    if fruitless >= limits.attempts {
                        return Err(fault.error);
                    }
                    sleep(limits.pause * 2u32.saturating_pow(fruitless)).await;
                }
            }
            if fruitless > limits.attempts * 2 {
                return Err(Error::new(
                    "the registry takes nothing of it, again and again",
                ));
            }
        }
    }

    /// Finds out where an upload stands, and sends the rest. None says that it is to be tried again.
    async fn attempt(
        &self,
        supply: &Supply,
        way: &mut Way,
        step: Option<Step>,
    ) -> Result<Option<Sent>, Fault> {
        let repository = &self.repository;
        let mut session = match way.session.take() {
            Some(session) => session,
            None => {
                way.from = 0;
                match self.registry.begin(repository, None).await? {
                    Begun::Session(session) => session,
                    Begun::Mounted => {
                        return Err(Error::internal("nothing was to be mounted").into());
                    }
                }
            }
        };
        if supply.settings.is_none() && supply.part.size <= SMALL {
            let bytes = supply.read()?;
            let digest = &supply.part.digest;
            self.registry
                .finish(repository, &session, bytes, digest)
                .await?;
            return Ok(Some(supply.whole()));
        }
        let done = self.stream(supply, way, &mut session, step).await;
        if let Ok(Some(sent)) = &done {
            let end = Bytes::new();
            self.registry
                .finish(repository, &session, end, &sent.digest)
                .await?;
            return done;
        }
        if done
            .as_ref()
            .is_err_and(|fault| fault.kind == FaultKind::Final)
        {
            return done;
        }
        // What the registry has of it need not be sent again.
        match self.registry.offset(repository, &mut session).await {
            Ok(Some(offset)) => {
                way.from = offset;
                way.session = Some(session);
            }
            // It has forgotten it, or cannot be reached: then it begins anew.
            Ok(None) | Err(_) => way.from = 0,
        }
        done
    }

    async fn stream(
        &self,
        supply: &Supply,
        way: &mut Way,
        session: &mut Session,
        step: Option<Step>,
    ) -> Result<Option<Sent>, Fault> {
        if let Some(step) = step {
            self.progress.turn(step, "Pushing", Some(supply.part.size));
        }
        let (queue, mut pieces) = mpsc::channel(QUEUE);
        let (maker, from) = (supply.clone(), way.from);
        let progress = Arc::clone(&self.progress);
        let maker = spawn_blocking(move || {
            let heard = |bytes| {
                if let Some(step) = step {
                    progress.advance(step, bytes);
                }
            };
            maker.make(from, &queue, &heard)
        });
        let length = supply.length().map(|length| length.saturating_sub(from));
        let done = match way.chunk {
            None if from == 0 || length.is_some() => {
                let range = length
                    .filter(|l| from > 0 && *l > 0)
                    .map(|l| (from, from + l - 1));
                let body = Body::made(pieces, length);
                self.whole(way, session, body, range).await
            }
            chunk => {
                let size = chunk.unwrap_or(CHUNK).max(session.least);
                way.chunk = Some(size);
                let done = self.chunks(way, session, &mut pieces).await;
                // The maker ends when nobody takes any more.
                drop(pieces);
                done
            }
        };
        let made = maker
            .await
            .map_err(|error| Error::internal(format!("a thread ended: {error}")))??;
        match (done?, made) {
            (Some(held), Some(sent)) if has_all(held, sent.size) => {
                way.from = way.from.max(sent.size);
                Ok(Some(sent))
            }
            _ => Ok(None),
        }
    }

    /// Sends all that is left in one request; returns what the registry says that it has
    /// then, or nothing when it did not take it.
    async fn whole(
        &self,
        way: &mut Way,
        session: &mut Session,
        body: Body,
        range: Option<(u64, u64)>,
    ) -> Result<Option<Held>, Fault> {
        let repository = &self.repository;
        match self
            .registry
            .patch(repository, session, body, range)
            .await?
        {
            Taken::Bytes(held) => Ok(Some(held)),
            Taken::TooLarge => {
                way.chunk = Some(CHUNK);
                Ok(None)
            }
            Taken::AskedAgain => Ok(None),
        }
    }

    /// Sends what is left in requests of some size; returns nothing when the registry did
    /// not take one.
    async fn chunks(
        &self,
        way: &mut Way,
        session: &mut Session,
        pieces: &mut mpsc::Receiver<Piece>,
    ) -> Result<Option<Held>, Fault> {
        let size = way.chunk.unwrap_or(CHUNK);
        let mut chunk: Vec<u8> = Vec::new();
        loop {
            let (more, end) = match pieces.recv().await {
                Some(Piece::Bytes(bytes)) => (bytes, false),
                Some(Piece::End) => (Bytes::new(), true),
                None => return Ok(None),
            };
            chunk.extend_from_slice(&more);
            while chunk.len() as u64 >= size || (end && !chunk.is_empty()) {
                let count = usize::try_from(size).unwrap_or(usize::MAX).min(chunk.len());
                let rest = chunk.split_off(count);
                let bytes = Bytes::from(std::mem::replace(&mut chunk, rest));
                let after = way.from + bytes.len() as u64;
                let range = Some((way.from, after - 1));
                let body = Body::whole(bytes);
                let repository = &self.repository;
                match self
                    .registry
                    .patch(repository, session, body, range)
                    .await?
                {
                    Taken::Bytes(held) if has_all(held, after) => {
                        way.from = after;
                    }
                    Taken::TooLarge if size / 2 >= LEAST.max(session.least) => {
                        way.chunk = Some(size / 2);
                        return Ok(None);
                    }
                    Taken::TooLarge => {
                        let text = "the registry, or what stands before it, takes not even small pieces of it (status 413)";
                        return Err(Error::new(text).into());
                    }
                    Taken::Bytes(_) | Taken::AskedAgain => return Ok(None),
                }
            }
            if end {
                return Ok(Some(Some(way.from)));
            }
        }
    }
}

/// Where an upload stands.
struct Way {
    session: Option<Session>,
    /// Bytes that the registry has.
    from: u64,
    /// Bytes of a request; none is all that is left.
    chunk: Option<u64>,
}

/// Bytes that a registry says it has of an upload, where it says so.
type Held = Option<u64>;

/// Says whether a registry has all of so many bytes. Some say `0-0` of everything.
fn has_all(held: Held, size: u64) -> bool {
    held.is_none_or(|held| held == 0 || held >= size)
}

/// Whether a blob is at the registry.
enum There {
    Already,
    Mounted(String),
    No(Option<Session>),
}

/// Returns how a layer is to be compressed; none is as it is.
fn settings(part: &Part, order: &Order) -> Option<Settings> {
    let own = match part.media_type.rsplit(['+', '.']).next() {
        Some("gzip") => Some(Format::Gzip),
        Some("zstd") => Some(Format::Zstd),
        _ => None,
    };
    // What may not be passed on is not remade either.
    if ["foreign", "nondistributable"]
        .iter()
        .any(|word| part.media_type.contains(word))
    {
        return None;
    }
    let Wanted {
        format,
        level,
        force,
        ..
    } = order.wanted;
    let wanted = format.unwrap_or(Format::Gzip);
    let made_here = !order.entry.is_from_registry();
    let remade = force && (own != Some(wanted) || level.is_some() || format.is_none());
    let needed = match own {
        None => made_here || force || format.is_some(),
        Some(_) => remade,
    };
    needed.then(|| Settings {
        format: wanted,
        level: level.unwrap_or(wanted.usual_level()),
    })
}

fn list_type(format: assemble::Format) -> &'static str {
    match format {
        assemble::Format::Oci => manifest::OCI_INDEX,
        assemble::Format::Docker => manifest::DOCKER_LIST,
    }
}

/// Returns what a manifest says it is; a registry wants to hear the same.
fn said_type(value: &Value) -> Option<String> {
    Some(value.get("mediaType")?.as_str()?.to_owned())
}

fn name_of(settings: Settings) -> String {
    format!("{}-{}", settings.format.name(), settings.level)
}

/// Returns the type of a layer that was compressed.
fn compressed_type(plain: &str, format: Format) -> String {
    let suffixes = ["+gzip", "+zstd", ".gzip", ".zstd"];
    let base = suffixes
        .iter()
        .find_map(|suffix| plain.strip_suffix(suffix))
        .unwrap_or(plain);
    let joint = if base.starts_with("application/vnd.docker.") {
        '.'
    } else {
        '+'
    };
    format!("{base}{joint}{}", format.name())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Format, assemble, compressed_type, reword};

    #[test]
    fn types_follow_what_layers_became() {
        let oci = "application/vnd.oci.image.layer.v1.tar";
        let docker = "application/vnd.docker.image.rootfs.diff.tar";
        for (old, format, new) in [
            (oci.to_owned(), Format::Gzip, format!("{oci}+gzip")),
            (format!("{oci}+gzip"), Format::Zstd, format!("{oci}+zstd")),
            (docker.to_owned(), Format::Gzip, format!("{docker}.gzip")),
        ] {
            assert_eq!(compressed_type(&old, format), new);
        }
        let mut manifest = json!({
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json" },
            "layers": [
                { "mediaType": format!("{docker}.gzip"), "size": 1 },
                { "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" },
                { "mediaType": docker },
            ],
        });
        reword(&mut manifest, assemble::Format::Oci).expect("it has such words");
        let layers: Vec<_> = (0..3)
            .map(|i| manifest["layers"][i]["mediaType"].clone())
            .collect();
        let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        assert_eq!(
            layers,
            [json!(format!("{oci}+gzip")), json!(foreign), json!(oci)]
        );
    }
}
