//! Transfer: an image from its registry into the store.
//!
//! ```text
//! manifest ─ config ─┬─ layer: lock ─ fetch ─▶ partial/<digest> ─▶ blob ─ unpack ─┬─ index
//!                    ├─ layer: …            (a thread hashes)        (a thread)   │
//!                    └─ layer: …                                                  ┘
//! ```
//!
//! Lives here: the order of a pull, what is fetched at once, and going on where a
//! connection broke or a command was killed.
//! Must not: know users' words; the lines it says are docker's.
//! Called by: `ops::pull`, in a process that is root of the user's namespace and
//! that forks nothing afterwards: it starts threads.
//! Always true:
//!
//! - A blob gets its name after its digest was checked; until then its bytes
//!   are in `partial/`, where the next try finds them.
//! - One process fetches a blob and the others wait for it: nothing is fetched
//!   twice. A task holds one lock at a time, so nobody waits in a circle.
//! - The index names an image only while all of it is there, which is looked at
//!   under the index's lock: `rmi` may have deleted a part that we had found.
//! - One thread talks to the network; it neither hashes nor writes.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::Arc;
use std::thread;

use hyper::body::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::error::{Context, Error, Result};
use crate::image::layer::{self, Report};
use crate::image::registry::http::{Answer, Fault, FaultKind};
use crate::image::registry::manifest::{self, Manifest, Part};
use crate::image::registry::{Access, Document, Registry};
use crate::progress::{Progress, Step};
use crate::spec::digest::{Digest, Hasher};
use crate::spec::idmap::IdMap;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::Store;
use crate::store::images::{self, DOCUMENT_LIMIT, Entry, Image, Layer};

/// Blobs fetched at once.
const DOWNLOADS: usize = 4;

/// Chunks of a body that wait to be hashed at most.
const QUEUE: usize = 16;

/// Lists in lists that are followed.
const LISTS: usize = 3;

/// What is to be pulled, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// The image.
    pub reference: Reference,
    /// The platform; none is this machine's, or what there is.
    pub platform: Option<Platform>,
    /// How its registry is spoken to.
    pub access: Access,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The entry that is now in the index.
    pub entry: Entry,
    /// Digest of what the registry has under the name.
    pub digest: Digest,
    /// The name means something else than before.
    pub newer: bool,
}

/// Pulls an image; its layers are unpacked under `id_map`.
pub fn pull(
    store: &Store,
    id_map: &IdMap,
    order: Order,
    progress: Arc<dyn Progress>,
) -> Result<Fetched> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .what(|| "cannot set up for the network")?;
    let engine = Arc::new(Engine {
        registry: Registry::new(&order.reference.registry, order.access),
        reference: order.reference,
        platform: order.platform,
        store: store.clone(),
        id_map: id_map.clone(),
        progress,
        downloads: Semaphore::new(DOWNLOADS),
        unpacks: Semaphore::new(cores()),
    });
    let done = runtime.block_on(engine.run());
    // After a failure threads may still be unpacking: what they make is swept later.
    runtime.shutdown_background();
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

struct Engine {
    registry: Registry,
    reference: Reference,
    platform: Option<Platform>,
    store: Store,
    id_map: IdMap,
    progress: Arc<dyn Progress>,
    downloads: Semaphore,
    unpacks: Semaphore,
}

impl Engine {
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
            let image = self.gather(&entry, &document, &manifest).await?;
            if self.name(&image, &entry)? {
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

    /// Fetches the manifest, out of a list if it is one; returns the digest of what the name means as well.
    async fn choose(&self) -> Result<(Digest, Document, Parts)> {
        let repository = &self.reference.repository;
        let wanted = self.platform.clone().unwrap_or_else(Platform::host);
        let mut document = self
            .registry
            .manifest(repository, self.reference.manifest())
            .await?;
        let top = document.digest.clone();
        for _ in 0..=LISTS {
            match manifest::parse(&document.bytes, document.media_type.as_deref())? {
                Manifest::Image {
                    media_type,
                    config,
                    layers,
                } => {
                    let parts = Parts {
                        media_type,
                        config,
                        layers,
                    };
                    return Ok((top, document, parts));
                }
                Manifest::List(list) => {
                    let part = manifest::choose(&list, &wanted)?;
                    document = self
                        .registry
                        .manifest(repository, part.digest.as_str())
                        .await?;
                }
            }
        }
        Err(Error::new("it is a list of lists of lists"))
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
        self.fetch(&manifest.config, None)
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

    /// Puts the image into the index, if all of it is still there.
    fn name(&self, image: &Image, entry: &Entry) -> Result<bool> {
        let map = self.id_map.name();
        self.store.change_images(
            |entries| {
                let whole = is_whole(&self.store, &map, image);
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
        let offered = Platform {
            os: image.config.os().to_string(),
            architecture: image.config.architecture().to_string(),
            variant: image.config.variant().clone(),
        };
        let host = Platform::host();
        match &self.platform {
            Some(wanted) if !wanted.accepts(&offered) => Err(Error::new(format!(
                "it is an image for {}, not for {wanted}",
                manifest::clean(&offered.to_string())
            ))),
            None if !host.accepts(&offered) => {
                self.progress.warn(&format!(
                    "{} is an image for {}, and this machine is {host}",
                    self.reference.familiar(),
                    manifest::clean(&offered.to_string())
                ));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn layer(&self, layer: Layer, part: &Part, step: Step) -> Result<()> {
        let map = self.id_map.name();
        if self.store.has_blob(&layer.blob) && self.store.has_layer(&map, &layer.diff_id) {
            self.progress.end(step, "Already exists");
            return Ok(());
        }
        self.fetch(part, Some(step))
            .await
            .what(|| format!("cannot fetch layer {}", layer.blob.short()))?;
        let _turn = self.unpacks.acquire().await;
        self.progress.turn(step, "Extracting", Some(layer.size));
        let (store, id_map) = (self.store.clone(), self.id_map.clone());
        let progress = Arc::clone(&self.progress);
        blocking(move || {
            let progress = progress.as_ref();
            layer::unpack_blob(&store, &layer, &id_map, Report { progress, step })
        })
        .await?;
        self.progress.end(step, "Pull complete");
        Ok(())
    }

    /// Brings a blob into the store, unless it is there.
    async fn fetch(&self, part: &Part, step: Option<Step>) -> Result<()> {
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
        let mut kept = partial.size > 0;
        loop {
            self.turn(step, &partial);
            partial = self.fill(partial, step).await?;
            let (store, bytes) = (self.store.clone(), partial);
            match blocking(move || bytes.finish(&store)).await? {
                Finished::Published => break,
                // What an earlier command left may have been spoilt; our own bytes were not.
                Finished::Wrong(empty, _) if kept => {
                    kept = false;
                    partial = *empty;
                }
                Finished::Wrong(_, digest) => {
                    return Err(Error::new(format!(
                        "what {} sent has digest {digest}, not {}",
                        self.reference.registry, part.digest
                    )));
                }
            }
        }
        drop(lock);
        Ok(())
    }

    fn turn(&self, step: Option<Step>, partial: &Partial) {
        if let Some(step) = step {
            let total = Some(partial.part.size);
            self.progress.turn(step, "Downloading", total);
            self.progress.advance(step, partial.size);
        }
    }

    /// Fetches what a partial blob lacks, going on where a connection broke.
    async fn fill(&self, mut partial: Partial, step: Option<Step>) -> Result<Partial> {
        let limits = *self.registry.limits();
        let mut fruitless = 0;
        while partial.size < partial.part.size {
            let before = partial.size;
            let (back, done) = self.stream(partial, step).await?;
            partial = back;
            match done {
                Ok(()) => {}
                // It was reached for the manifest, so one that is gone may come back.
                Err(fault) if fault.kind != FaultKind::Final => {
                    fruitless = if partial.size > before {
                        0
                    } else {
                        fruitless + 1
                    };
                    if fruitless >= limits.attempts {
                        return Err(fault.error);
                    }
                    sleep(limits.pause * 2u32.saturating_pow(fruitless)).await;
                }
                Err(fault) => return Err(fault.error),
            }
        }
        Ok(partial)
    }

    /// One request for the rest of a blob. The partial blob comes back whatever became of it.
    async fn stream(
        &self,
        mut partial: Partial,
        step: Option<Step>,
    ) -> Result<(Partial, Result<(), Fault>)> {
        let repository = &self.reference.repository;
        let (digest, from) = (partial.part.digest.clone(), partial.size);
        let mut answer = match self.registry.blob(repository, &digest, from).await {
            Ok(answer) => answer,
            Err(fault) => {
                let error = elsewhere(fault.error, &partial.part);
                return Ok((partial, Err(Fault::new(fault.kind, error))));
            }
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
}

/// An image's parts.
struct Parts {
    media_type: String,
    config: Part,
    layers: Vec<Part>,
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

/// Layers that may not be passed on lie at their makers' own addresses.
fn elsewhere(error: Error, part: &Part) -> Error {
    match &part.elsewhere {
        Some(url) => error.what(format!(
            "it is kept at {}, which rpod does not ask, and not at the registry",
            manifest::clean(url)
        )),
        None => error,
    }
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

/// A blob on its way. Whoever has one holds the blob's lock.
struct Partial {
    part: Part,
    file: File,
    hasher: Hasher,
    size: u64,
}

enum Finished {
    /// It is in the store.
    Published,
    /// It was another content, with this digest; it begins anew.
    Wrong(Box<Partial>, Digest),
}

impl Partial {
    /// Opens what an earlier try has left, or begins.
    fn open(store: &Store, part: &Part) -> Result<Self> {
        let path = store.partial_path(&part.digest);
        let what = || format!("cannot write \"{}\"", path.display());
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .what(what)?;
        let mut partial = Self {
            part: part.clone(),
            file,
            hasher: Hasher::default(),
            size: 0,
        };
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = partial.file.read(&mut buffer).what(what)?;
            if count == 0 {
                return Ok(partial);
            }
            partial.hasher.update(&buffer[..count]);
            partial.size += count as u64;
            if partial.size > part.size {
                partial.restart()?;
                return Ok(partial);
            }
        }
    }

    fn restart(&mut self) -> Result<()> {
        self.hasher = Hasher::default();
        self.size = 0;
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .what(|| format!("cannot write blob {}", self.part.digest))
    }

    /// Takes chunks until there are no more.
    fn take(mut self, mut chunks: mpsc::Receiver<Bytes>) -> Result<Self> {
        while let Some(bytes) = chunks.blocking_recv() {
            self.file
                .write_all(&bytes)
                .what(|| format!("cannot write blob {}", self.part.digest))?;
            self.hasher.update(&bytes);
            self.size += bytes.len() as u64;
        }
        Ok(self)
    }

    /// Gives it its name, if its digest is right.
    fn finish(mut self, store: &Store) -> Result<Finished> {
        let digest = std::mem::take(&mut self.hasher).finish();
        if digest == self.part.digest {
            store.publish_partial(&digest)?;
            return Ok(Finished::Published);
        }
        self.restart()?;
        Ok(Finished::Wrong(Box::new(self), digest))
    }
}

#[cfg(test)]
mod tests;
