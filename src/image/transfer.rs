//! Transfer: images from their registries into the store.
//!
//! ```text
//! manifest ─ config ─┬─ layer: lock ─ fetch ─▶ partial/<digest> ─▶ blob ─┬─ index
//!                    │           (a thread hashes)  └─▶ unpack ──────────┤
//!                    └─ layer: …                       (a thread)        ┘
//! ```
//!
//! Lives here: the order of a pull, what is fetched at once, going on where a
//! connection broke or a command was killed, and from which place.
//! Must not: know users' words; the lines it says are docker's.
//! Called by: `ops::pull`, in a process that is root of the user's namespace and
//! that forks nothing afterwards: it starts threads.
//! Always true:
//!
//! - A blob gets its name after its digest was checked; until then its bytes
//!   are in `partial/`, where the next try finds them.
//! - A layer is unpacked while it comes, and gets its name after its blob.
//! - One process fetches a blob and the others wait for it: nothing is fetched
//!   twice. A fetch waits for no unpacking, so nobody waits in a circle.
//! - The index names an image only while all of it is there, which is looked at
//!   under the index's lock: `rmi` may have deleted a part that we had found.
//! - One thread talks to the network; it neither hashes nor writes.
//! - Mirrors are asked before the registry, and believed no more than it.

mod partial;
mod sources;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use self::partial::{Finished, Partial, Tail};
use self::sources::{Index, Sources};
use crate::error::{Context, Error, Result};
use crate::image::layer::{self, Report};
use crate::image::registry::Document;
use crate::image::registry::http::{Answer, Fault, FaultKind, Limits};
use crate::image::registry::manifest::{self, Manifest, Part};
use crate::progress::{Progress, Step};
use crate::spec::digest::Digest;
use crate::spec::idmap::IdMap;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::artifacts::{self, clean};
use crate::store::images::{self, DOCUMENT_LIMIT, Entry, Image, Layer};

pub use self::sources::Source;

/// Blobs fetched at once.
const DOWNLOADS: usize = 4;

/// Chunks of a body that wait to be hashed at most.
const QUEUE: usize = 16;

/// Bytes that a broken connection must have brought for the tries to begin anew.
const FRUIT: u64 = 64 << 10;

/// Documents that are read to find one image among lists of lists.
const DOCUMENTS: usize = 16;

/// How long threads have to clear up after a failure.
const CLEARING_UP: Duration = Duration::from_secs(2);

/// Images pulled at once.
const IMAGES: usize = 3;

/// What is to be pulled, and from where.
#[derive(Clone)]
pub struct Order {
    /// The image.
    pub reference: Reference,
    /// The platform; none is this machine's, or what there is.
    pub platform: Option<Platform>,
    /// Whether it may be an artifact, which no container can be made of.
    pub artifacts: bool,
    /// It is not put into the index: whoever asks holds a lease, or has it named already.
    pub nameless: bool,
    /// Where it is asked for, in this order; the last is the registry itself.
    pub sources: Vec<Source>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The entry that is now in the index, or would be.
    pub entry: Entry,
    /// Digest of what the registry has under the name.
    pub digest: Digest,
    /// The name means something else than before.
    pub newer: bool,
}

/// Pulls images; their layers are unpacked under `id_map`. What came of each is returned
/// in the order in which they were asked for.
pub fn pull(
    store: &Store,
    id_map: &IdMap,
    orders: Vec<Order>,
    progress: &Arc<dyn Progress>,
) -> Result<Vec<Result<Fetched>>> {
    let _lease = store.lease()?;
    let shared = Arc::new(Shared {
        store: store.clone(),
        id_map: id_map.clone(),
        progress: Arc::clone(progress),
        downloads: Semaphore::new(DOWNLOADS),
        unpacks: Semaphore::new(cores().max(DOWNLOADS)),
        images: Semaphore::new(IMAGES),
    });
    on_this_thread(async move {
        let mut tasks = JoinSet::new();
        let mut done: Vec<Result<Fetched>> = Vec::new();
        for (index, order) in orders.into_iter().enumerate() {
            let engine = Arc::new(Engine::new(order, Arc::clone(&shared)));
            done.push(Err(Error::internal("a task ended")));
            tasks.spawn(async move {
                let _turn = engine.shared.images.acquire().await;
                (index, engine.run().await)
            });
        }
        while let Some(one) = tasks.join_next().await {
            let (index, one) = one.map_err(|e| Error::internal(format!("a task ended: {e}")))?;
            done[index] = one;
        }
        Ok(done)
    })
}

/// Returns the tags that a repository has.
pub fn tags(sources: Vec<Source>, progress: &Arc<dyn Progress>) -> Result<Vec<String>> {
    let sources = Sources::new(sources, Arc::clone(progress));
    on_this_thread(sources.ask(|source| source.registry.tags(&source.repository)))
}

/// Returns what a repository has under a tag or a digest.
pub fn document(
    sources: Vec<Source>,
    wanted: &str,
    progress: &Arc<dyn Progress>,
) -> Result<Document> {
    let sources = Sources::new(sources, Arc::clone(progress));
    on_this_thread(sources.ask(|source| source.registry.manifest(&source.repository, wanted)))
}

/// Returns the descriptors of what a repository has that is about a manifest.
pub fn referrers(
    sources: Vec<Source>,
    subject: &Digest,
    progress: &Arc<dyn Progress>,
) -> Result<Vec<serde_json::Value>> {
    let sources = Sources::new(sources, Arc::clone(progress));
    on_this_thread(sources.ask(|source| source.registry.referrers(&source.repository, subject)))
}

fn on_this_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .what(|| "cannot set up for the network")?;
    let done = runtime.block_on(work);
    // After a failure threads may still be unpacking: they hear that nothing more comes,
    // and clear up. One that waits for another process's lock is not waited for.
    runtime.shutdown_timeout(CLEARING_UP);
    done
}

/// Unpacks those layers of an image that are not there under `id_map`, from its blobs.
pub fn unpack(store: &Store, id_map: &IdMap, image: &Image, progress: &dyn Progress) -> Result<()> {
    let map = id_map.name();
    let missing: Vec<&Layer> = image
        .layers
        .iter()
        .filter(|layer| !store.has_layer(&map, &layer.diff_id))
        .collect();
    let one = |layer: &Layer| {
        let step = progress.begin(layer.blob.short(), "Extracting", Some(layer.size));
        let report = Report { progress, step };
        let done = layer::unpack_blob(store, layer, id_map, report);
        progress.end(step, if done.is_ok() { "Unpacked" } else { "Failed" });
        done.map(drop)
    };
    for some in missing.chunks(cores()) {
        thread::scope(|scope| -> Result<()> {
            let threads: Vec<_> = some.iter().map(|l| scope.spawn(|| one(l))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(Error::internal("a thread that unpacks a layer ended")))
            })
        })?;
    }
    Ok(())
}

/// Says whether all of an image is in the store, its layers unpacked under a map.
pub fn is_whole(store: &Store, map: &str, image: &Image) -> bool {
    store.has_blob(&image.manifest)
        && store.has_blob(&image.id)
        && image
            .layers
            .iter()
            .all(|l| store.has_blob(&l.blob) && store.has_layer(map, &l.diff_id))
}

/// What the pulls of one command share.
struct Shared {
    store: Store,
    id_map: IdMap,
    progress: Arc<dyn Progress>,
    downloads: Semaphore,
    unpacks: Semaphore,
    images: Semaphore,
}

/// The pull of one image.
struct Engine {
    reference: Reference,
    platform: Option<Platform>,
    artifacts: bool,
    nameless: bool,
    sources: Sources,
    shared: Arc<Shared>,
}

impl std::ops::Deref for Engine {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Engine {
    fn new(order: Order, shared: Arc<Shared>) -> Self {
        Self {
            reference: order.reference,
            platform: order.platform,
            artifacts: order.artifacts,
            nameless: order.nameless,
            sources: Sources::new(order.sources, Arc::clone(&shared.progress)),
            shared,
        }
    }

    async fn run(self: &Arc<Self>) -> Result<Fetched> {
        let (top, document, manifest) = self.choose().await?;
        let name = self.reference.digest.as_ref().map_or_else(
            || self.reference.tag.clone().unwrap_or_default(),
            Digest::to_string,
        );
        self.progress.line(&format!(
            "{name}: Pulling from {}",
            self.reference.repository
        ));
        let entry = Entry::new(
            &manifest.media_type,
            document.digest.clone(),
            document.bytes.len() as u64,
            Some(&self.reference),
        )
        .chosen_from(&top);
        let before = self.store.find_image(&self.reference)?;
        let newer = before.is_none_or(|before| before.digest != entry.digest);
        // Another command may delete a part between our finding it and our naming it.
        for _ in 0..3 {
            let named = if manifest.is_artifact {
                self.gather_artifact(&document, &manifest).await?;
                self.name(&entry, || self.has_all(&document, &manifest))?
            } else {
                let image = self.gather(&entry, &document, &manifest).await?;
                let map = self.id_map.name();
                self.name(&entry, || is_whole(&self.store, &map, &image))?
            };
            if named {
                return Ok(Fetched {
                    entry,
                    digest: top,
                    newer,
                });
            }
        }
        Err(Error::new(
            "somebody deletes parts of it as fast as they are fetched",
        ))
    }

    /// Fetches the manifest, out of lists if it is in one; returns the digest of what the name means as well.
    async fn choose(&self) -> Result<(Digest, Document, Parts)> {
        let wanted = self.platform.clone().unwrap_or_else(Platform::host);
        let top = self.manifest(self.reference.manifest()).await?;
        let digest = top.digest.clone();
        let mut waiting = VecDeque::from([top]);
        let mut offered = Vec::new();
        let mut read = 1;
        while let Some(document) = waiting.pop_front() {
            let list = match manifest::parse(&document.bytes, document.media_type.as_deref())? {
                Manifest::Image {
                    media_type,
                    config,
                    layers,
                } => {
                    let parts = Parts {
                        media_type,
                        is_artifact: false,
                        config,
                        layers,
                    };
                    return Ok((digest, document, parts));
                }
                Manifest::Artifact { kind, .. } if !self.artifacts => {
                    return Err(artifacts::no_image(&kind));
                }
                Manifest::Artifact {
                    media_type,
                    config,
                    blobs,
                    ..
                } => {
                    let parts = Parts {
                        media_type,
                        is_artifact: true,
                        config,
                        layers: blobs,
                    };
                    return Ok((digest, document, parts));
                }
                Manifest::List(list) => list,
            };
            let chosen = manifest::choose(&list, &wanted);
            let next = chosen.map_or_else(|| manifest::lists(&list), |part| vec![part]);
            for part in next {
                read += 1;
                if read > DOCUMENTS {
                    return Err(Error::new("it is a list of lists without end"));
                }
                waiting.push_back(self.manifest(part.digest.as_str()).await?);
            }
            if chosen.is_some() {
                // The others have nothing better.
                waiting.drain(..waiting.len() - 1);
            }
            offered.extend(list.into_iter().filter_map(|(_, platform)| platform));
        }
        Err(manifest::none_fits(&offered, &wanted))
    }

    /// Fetches a manifest from the first place that has it.
    async fn manifest(&self, wanted: &str) -> Result<Document> {
        let manifest = self
            .sources
            .ask(|source| source.registry.manifest(&source.repository, wanted));
        manifest.await
    }

    /// Brings all parts into the store that are not there, and unpacks the layers.
    async fn gather(
        self: &Arc<Self>,
        entry: &Entry,
        document: &Document,
        manifest: &Parts,
    ) -> Result<Image> {
        let (store, bytes) = (self.store.clone(), document.bytes.clone());
        blocking(move || store.add_blob(&bytes)).await?;
        if manifest.config.size > DOCUMENT_LIMIT {
            return Err(Error::new(format!(
                "its configuration is larger than {} MiB",
                DOCUMENT_LIMIT >> 20
            )));
        }
        self.fetch(&manifest.config, None, None)
            .await
            .what(|| "cannot fetch its configuration")?;
        let image = self.store.load_image(entry)?;
        self.check_platform(&image)?;
        if is_whole(&self.store, &self.id_map.name(), &image) {
            return Ok(image);
        }
        let mut layers: Vec<(Layer, Part, Step)> = Vec::new();
        for (layer, part) in image.layers.iter().zip(&manifest.layers) {
            if layers.iter().any(|(other, _, _)| other.blob == layer.blob) {
                continue;
            }
            let step = self.progress.begin(layer.blob.short(), "Waiting", None);
            layers.push((layer.clone(), part.clone(), step));
        }
        // The largest first: it takes longest to unpack.
        layers.sort_by_key(|(layer, _, _)| std::cmp::Reverse(layer.size));
        let mut tasks = JoinSet::new();
        for (layer, part, step) in layers {
            let engine = Arc::clone(self);
            tasks.spawn(async move { engine.layer(layer, &part, step).await });
        }
        while let Some(done) = tasks.join_next().await {
            // The first failure ends the pull; dropping the set ends the others.
            done.map_err(|error| Error::internal(format!("a task ended: {error}")))??;
        }
        Ok(image)
    }

    /// Brings an artifact's manifest and blobs into the store, byte for byte.
    async fn gather_artifact(self: &Arc<Self>, document: &Document, parts: &Parts) -> Result<()> {
        let (store, bytes) = (self.store.clone(), document.bytes.clone());
        blocking(move || store.add_blob(&bytes)).await?;
        let mut tasks = JoinSet::new();
        let mut seen = HashSet::new();
        for part in parts.all().filter(|part| seen.insert(part.digest.clone())) {
            let (engine, part) = (Arc::clone(self), part.clone());
            let short = part.digest.short();
            let step = self.progress.begin(short, "Waiting", Some(part.size));
            tasks.spawn(async move {
                let is_there = engine.store.has_blob(&part.digest);
                let fetched = engine.fetch(&part, Some(step), None).await;
                fetched.what(|| format!("cannot fetch blob {}", part.digest.short()))?;
                let last = ["Pull complete", "Already exists"][usize::from(is_there)];
                engine.progress.end(step, last);
                Ok::<_, Error>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.map_err(|error| Error::internal(format!("a task ended: {error}")))??;
        }
        Ok(())
    }

    fn has_all(&self, document: &Document, parts: &Parts) -> bool {
        self.store.has_blob(&document.digest)
            && parts.all().all(|part| self.store.has_blob(&part.digest))
    }

    /// Puts it into the index, if it is to be there and all of it still is.
    fn name(&self, entry: &Entry, is_whole: impl Fn() -> bool) -> Result<bool> {
        if self.nameless {
            return Ok(is_whole());
        }
        self.store.change_images(
            |entries| {
                let whole = is_whole();
                if whole {
                    images::put(entries, entry.clone());
                }
                Ok(whole)
            },
            |_, _| {},
        )
    }

    /// An image that is no list says its platform in its configuration alone.
    fn check_platform(&self, image: &Image) -> Result<()> {
        let offered = image.platform();
        let host = Platform::host();
        match &self.platform {
            Some(wanted) if !wanted.accepts(&offered) => Err(Error::new(format!(
                "it is an image for {}, not for {wanted}",
                clean(&offered.to_string())
            ))),
            None if !host.accepts(&offered) => {
                self.progress.warn(&format!(
                    "{} is an image for {}, and this machine is {host}",
                    self.reference.familiar(),
                    clean(&offered.to_string())
                ));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn layer(&self, layer: Layer, part: &Part, step: Step) -> Result<()> {
        let map = self.id_map.name();
        let unpacked = self.store.has_layer(&map, &layer.diff_id);
        if self.store.has_blob(&layer.blob) && unpacked {
            self.progress.end(step, "Already exists");
            return Ok(());
        }
        let meter = Arc::new(Meter::new(&self.progress, layer.size));
        let (begun, tail) = oneshot::channel();
        let fetch = async {
            let fetched = self.fetch(part, Some(step), Some(begun)).await;
            if fetched.is_ok() {
                meter.tell_from_now(step);
            }
            fetched.what(|| format!("cannot fetch layer {}", layer.blob.short()))
        };
        let unpack = async {
            let tail = tail.await.ok()?;
            let fate = tail.fate();
            let done = self.unpack(&layer, Some(tail), &meter, step).await;
            Some((done, fate))
        };
        let (fetched, unpacked) = tokio::join!(fetch, unpack);
        fetched?;
        match unpacked {
            Some((Ok(()), _)) => {}
            Some((Err(error), fate)) if fate.was_right() => return Err(error),
            // What it read was of no use, or nothing had to be fetched.
            Some(_) | None => self.unpack(&layer, None, &meter, step).await?,
        }
        self.progress.end(step, "Pull complete");
        Ok(())
    }

    /// Unpacks a layer from what comes, or from its blob.
    async fn unpack(
        &self,
        layer: &Layer,
        tail: Option<Tail>,
        meter: &Arc<Meter>,
        step: Step,
    ) -> Result<()> {
        let _turn = self.unpacks.acquire().await;
        let (store, id_map, layer) = (self.store.clone(), self.id_map.clone(), layer.clone());
        let meter = Arc::clone(meter);
        blocking(move || {
            let progress = meter.as_ref();
            let report = Report { progress, step };
            match tail {
                Some(tail) => layer::unpack_stream(&store, &layer, &id_map, report, tail),
                None => layer::unpack_blob(&store, &layer, &id_map, report),
            }
        })
        .await
        .map(drop)
    }

    /// Brings a blob into the store, unless it is there. `begun` gets what reads it meanwhile.
    async fn fetch(
        &self,
        part: &Part,
        step: Option<Step>,
        begun: Option<oneshot::Sender<Tail>>,
    ) -> Result<()> {
        if self.store.has_blob(&part.digest) {
            return Ok(());
        }
        let _turn = self.downloads.acquire().await;
        let (store, digest) = (self.store.clone(), part.digest.clone());
        let lock = blocking(move || store.lock_blob(&digest)).await?;
        if self.store.has_blob(&part.digest) {
            return Ok(());
        }
        let (store, wanted) = (self.store.clone(), part.clone());
        let mut partial = blocking(move || Partial::open(&store, &wanted)).await?;
        if let Some(begun) = begun {
            // Whoever wanted it may have failed.
            drop(begun.send(partial.tail()?));
        }
        let mut makers = Makers {
            earlier: partial.size > 0,
            served: Vec::new(),
        };
        loop {
            self.turn(step, &partial);
            partial = self.fill(partial, step, &mut makers).await?;
            let (store, bytes) = (self.store.clone(), partial);
            match blocking(move || bytes.finish(&store)).await? {
                Finished::Published => break,
                Finished::Wrong(empty, digest) => {
                    partial = *empty;
                    self.blame(&mut makers, &digest, part)?;
                }
            }
        }
        drop(lock);
        Ok(())
    }

    /// Finds out whose fault wrong bytes are, and whether another try can be made.
    fn blame(&self, makers: &mut Makers, digest: &Digest, part: &Part) -> Result<()> {
        let makers = std::mem::take(makers);
        if makers.served.is_empty() && !makers.earlier {
            return Err(Error::new(format!(
                "its manifest says that blob {} has {} bytes, which cannot be",
                part.digest, part.size
            )));
        }
        let [index] = makers.served[..] else {
            // Of several makers nobody knows which was wrong: the mirrors go.
            let error = Error::new(format!("a part of blob {} was wrong", part.digest));
            for index in makers.served {
                self.sources.pass_over(index, &error);
            }
            return Ok(());
        };
        // What an earlier command left may have been spoilt; our own bytes were not.
        if makers.earlier {
            return Ok(());
        }
        let name = self.sources.get(index).map(|source| source.registry.name());
        let error = Error::new(format!(
            "what {} sent has digest {digest}, not {}",
            name.unwrap_or_default(),
            part.digest
        ));
        if self.sources.pass_over(index, &error) {
            return Ok(());
        }
        Err(error)
    }

    fn turn(&self, step: Option<Step>, partial: &Partial) {
        if let Some(step) = step {
            let total = Some(partial.part.size);
            self.progress.turn(step, "Downloading", total);
            self.progress.advance(step, partial.size);
        }
    }

    /// Fetches what a partial blob lacks, going on where a connection broke.
    async fn fill(
        &self,
        mut partial: Partial,
        step: Option<Step>,
        makers: &mut Makers,
    ) -> Result<Partial> {
        let mut fruitless = 0;
        while partial.size < partial.part.size {
            let before = partial.size;
            let (index, _) = self.sources.current()?;
            let limits = self.limits(index);
            let (back, done) = self.stream(index, partial, step).await?;
            partial = back;
            if partial.size != before && !makers.served.contains(&index) {
                makers.served.push(index);
            }
            let Err(fault) = done else {
                continue;
            };
            // A server that gives a little each time must not keep us for ever.
            fruitless = if partial.size >= before + FRUIT {
                0
            } else {
                fruitless + 1
            };
            // It was reached for the manifest, so one that is gone may come back.
            if fault.kind != FaultKind::Final && fruitless < limits.attempts {
                sleep(limits.pause * 2u32.saturating_pow(fruitless)).await;
            } else if self.sources.pass_over(index, &fault.error) {
                fruitless = 0;
            } else {
                return Err(fault.error);
            }
        }
        Ok(partial)
    }

    fn limits(&self, index: Index) -> Limits {
        let source = self.sources.get(index);
        source.map_or_else(Limits::default, |source| *source.registry.limits())
    }

    /// One request for the rest of a blob. The partial blob comes back whatever became of it.
    async fn stream(
        &self,
        index: Index,
        mut partial: Partial,
        step: Option<Step>,
    ) -> Result<(Partial, Result<(), Fault>)> {
        let from = partial.size;
        let mut answer = match self.ask(index, &partial).await {
            Ok(answer) => answer,
            Err(fault) => return Ok((partial, Err(fault))),
        };
        if from > 0 && !goes_on(&answer, from) {
            partial.restart()?;
            self.turn(step, &partial);
            if answer.status.as_u16() == 416 {
                return Ok((partial, Ok(())));
            }
        }
        let mut left = partial.part.size - partial.size;
        if let Err(fault) = check_length(&answer, left) {
            return Ok((partial, Err(fault)));
        }
        let (queue, chunks) = mpsc::channel(QUEUE);
        let writer = spawn_blocking(move || partial.take(chunks));
        let done = loop {
            match answer.chunk().await {
                Ok(Some(bytes)) if bytes.len() as u64 > left => {
                    break Err(Error::new(format!(
                        "{} sends more bytes than its manifest says",
                        answer.url.origin
                    ))
                    .into());
                }
                Ok(Some(bytes)) => {
                    left -= bytes.len() as u64;
                    if let Some(step) = step {
                        self.progress.advance(step, bytes.len() as u64);
                    }
                    // It is refused when the writer failed; the writer says why.
                    if queue.send(bytes).await.is_err() {
                        break Ok(());
                    }
                }
                Ok(None) if left == 0 => break Ok(()),
                Ok(None) => break Err(ended_early(&answer, left)),
                // All is there; how it ends does not matter any more.
                Err(_) if left == 0 => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        drop(queue);
        let partial = writer
            .await
            .map_err(|error| Error::internal(format!("a thread ended: {error}")))??;
        Ok((partial, done))
    }

    /// Asks for a blob; what its makers keep at addresses of their own is asked for there
    /// where the registry does not have it.
    async fn ask(&self, index: Index, partial: &Partial) -> Result<Answer, Fault> {
        let Some(source) = self.sources.get(index) else {
            return Err(Error::internal("a blob is asked for nowhere").into());
        };
        let (part, from) = (&partial.part, partial.size);
        let asked = source.registry.blob(&source.repository, &part.digest, from);
        let mut fault = match asked.await {
            Err(fault) if fault.kind == FaultKind::Final && !self.sources.is_mirror(index) => fault,
            done => return done,
        };
        for url in &part.elsewhere {
            match source.registry.elsewhere(url, from).await {
                Ok(answer) => return Ok(answer),
                Err(other) => {
                    let at = clean(url.split('?').next().unwrap_or_default());
                    fault.error = fault.error.also(format!("{at}: {}", other.error));
                }
            }
        }
        Err(fault)
    }
}

/// Who made the bytes of a partial blob.
#[derive(Default)]
struct Makers {
    /// An earlier command.
    earlier: bool,
    served: Vec<Index>,
}

/// Counts what is unpacked, and tells of it from when nothing more is fetched.
struct Meter {
    progress: Arc<dyn Progress>,
    total: u64,
    seen: AtomicU64,
    tells: AtomicBool,
}

impl Meter {
    fn new(progress: &Arc<dyn Progress>, total: u64) -> Self {
        Self {
            progress: Arc::clone(progress),
            total,
            seen: AtomicU64::new(0),
            tells: AtomicBool::new(false),
        }
    }

    fn tell_from_now(&self, step: Step) {
        self.progress.turn(step, "Extracting", Some(self.total));
        self.tells.store(true, Ordering::SeqCst);
        self.progress
            .advance(step, self.seen.load(Ordering::SeqCst));
    }
}

impl Progress for Meter {
    fn line(&self, text: &str) {
        self.progress.line(text);
    }
    fn begin(&self, name: &str, doing: &str, total: Option<u64>) -> Step {
        self.progress.begin(name, doing, total)
    }
    fn turn(&self, step: Step, doing: &str, total: Option<u64>) {
        self.progress.turn(step, doing, total);
    }
    fn advance(&self, step: Step, bytes: u64) {
        self.seen.fetch_add(bytes, Ordering::SeqCst);
        if self.tells.load(Ordering::SeqCst) {
            self.progress.advance(step, bytes);
        }
    }
    fn end(&self, step: Step, last: &str) {
        self.progress.end(step, last);
    }
    fn warn(&self, text: &str) {
        self.progress.warn(text);
    }
}

/// The parts of an image, or of an artifact, whose blobs are no layers.
struct Parts {
    media_type: String,
    is_artifact: bool,
    config: Part,
    layers: Vec<Part>,
}

impl Parts {
    fn all(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

/// RFC 9110, 14.4: says whether an answer holds the bytes from `from` on.
fn goes_on(answer: &Answer, from: u64) -> bool {
    answer.status.as_u16() == 206
        && answer
            .header("content-range")
            .is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

fn check_length(answer: &Answer, left: u64) -> Result<(), Fault> {
    let status = answer.status.as_u16();
    if status == 416 {
        let text = format!("{} answered {status} to a plain request", answer.url.origin);
        return Err(Error::new(text).into());
    }
    match answer.length() {
        Some(length) if length != left => Err(Error::new(format!(
            "{} has {length} bytes where its manifest says {left}",
            answer.url.origin
        ))
        .into()),
        _ => Ok(()),
    }
}

fn ended_early(answer: &Answer, left: u64) -> Fault {
    let text = format!("{} ended {left} bytes too early", answer.url.origin);
    Fault::new(FaultKind::Cut, Error::new(text))
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does work that waits for the disk, a lock or the processor on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|error| Error::internal(format!("a thread ended: {error}")))?
}

#[cfg(test)]
mod tests;
