//! One step of a build, in a process of its own.
//!
//! ```text
//! key ─▶ known? ─▶ take the key's turn ─▶ known now? ─▶ do it ─▶ layer ─▶ keep it
//! ```
//!
//! The key is a digest of all that the result depends on: the layers below, the
//! instruction with its variables, and what it reads. A layer is its directory: what
//! was written is moved to where layers are, and hashed once.
//!
//! Lives here: keys, trees to read from and to write to, and making the layer.
//! Must not: copy (`copy`) or run (`run`) by itself; choose what is next (`solve`).
//! Called by: `solve`, after a fork.
//! Always true: two builds that come to the same key do the work once; a process
//! that is killed here leaves nothing but garbage in `tmp/`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use serde::{Deserialize, Serialize};

use crate::build::ignore::Ignore;
use crate::error::{Context, Error, Result};
use crate::image::layer::changes::Scope;
use crate::image::layer::write::{self, Options};
use crate::network::plan::Plan;
use crate::ops::build::copy::{self, Target, Writer, Writing};
use crate::ops::build::event::{Event, Speaker};
use crate::ops::build::gather::{self, Look, Piece, Scanned};
use crate::ops::build::graph::{CopyWork, From, Id, Node, RunWork, Work};
use crate::ops::build::hashes::Hashes;
use crate::ops::build::run;
use crate::ops::build::summary::field;
use crate::ops::build::{archive, clock, fetch};
use crate::ops::launch::Roles;
use crate::process::identity::Identity;
use crate::rootfs::{self, Tree};
use crate::runtime::cgroup::Group;
use crate::spec::digest::{Digest, Hasher};
use crate::spec::time::Time;
use crate::store::Store;
use crate::store::atomic::{self, Staged};
use crate::store::build::StepRecord;
use crate::store::layers::LayerInfo;
use crate::sys::namespace;

/// What all steps of a build share.
pub struct Site<'a> {
    /// The store.
    pub store: &'a Store,
    /// The ids inside.
    pub identity: &'a Identity,
    /// Name of the person on this machine, for the words of an error.
    pub person: &'a str,
    /// The processes that can be started.
    pub roles: Roles,
    /// The contexts: the main one first.
    pub contexts: &'a [Place],
    /// Who hears of it.
    pub speaker: &'a Speaker,
    /// Settings of every `RUN`.
    pub runs: &'a run::Settings,
    /// Where the limits of every `RUN` are kept, if there are any.
    pub group: Option<&'a Group>,
    /// Where the process of the build's network serves, once there is one.
    pub network: &'a Staged,
    /// That network.
    pub network_plan: &'a Plan,
    /// Steps older than this are made anew, in seconds.
    pub ttl: Option<u64>,
    /// What steps make is kept for other builds.
    pub keep: bool,
    /// How many steps go on at once at most; none is as many as there are cores.
    pub jobs: Option<usize>,
}

/// A directory of this machine that steps read.
#[derive(Debug)]
pub struct Place {
    /// Where it is.
    pub path: PathBuf,
    /// What is left out of it.
    pub ignore: Option<Ignore>,
    /// How it is called: `the build context`.
    pub name: String,
}

/// What is known when a step begins.
pub struct Start<'a> {
    /// Which step.
    pub id: Id,
    /// The step.
    pub node: &'a Node,
    /// The layers below it.
    pub parent: &'a [Digest],
    /// The layers of a step that was done, by its number.
    pub layers_of: &'a dyn Fn(Id) -> Vec<Digest>,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its layer; none when nothing changed.
    pub layer: Option<Digest>,
    /// It had been made before.
    pub cached: bool,
    /// What it is found by.
    pub key: Digest,
}

/// Returns the key of a step that reads nothing but the layers below it.
pub fn plain_key(site: &Site<'_>, start: &Start<'_>) -> Option<Digest> {
    match &start.node.work {
        Work::Workdir { path, owner } => {
            let mut hasher = begin(start, b"workdir");
            field(&mut hasher, b"path", path.as_bytes());
            field(&mut hasher, b"owner", owner.as_bytes());
            Some(hasher.finish())
        }
        Work::Run(run) if run::reads_nothing(run) => {
            Some(run::key(begin(start, b"run"), site.runs, run, &[]))
        }
        _ => None,
    }
}

/// Returns what a step made before, if its layer is still there.
pub fn known(site: &Site<'_>, node: &Node, key: &Digest) -> Option<Made> {
    if node.no_cache {
        return None;
    }
    let record = site.store.find_whole_step(key, &site.identity.map.name())?;
    let young = site
        .ttl
        .is_none_or(|ttl| Store::step_age(&record).as_secs() <= ttl);
    young.then(|| Made {
        layer: record.layer,
        cached: true,
        key: key.clone(),
    })
}

/// Does a step, or finds that it was done.
pub fn make(site: &Site<'_>, start: &Start<'_>) -> Result<Made> {
    own_mounts()?;
    match &start.node.work {
        Work::Base(_) => Err(Error::internal("a step that has nothing to do")),
        Work::Workdir { path, owner } => {
            let key =
                plain_key(site, start).ok_or_else(|| Error::internal("a step without a key"))?;
            make_once(site, start, &key, || {
                let ground = Ground::new(site, start.parent)?;
                workdir(site, start, &ground, path, owner)?;
                ground.finish(site, start, &[])
            })
        }
        Work::Copy(work) => copy_step(site, start, work),
        Work::Run(work) => run_step(site, start, work),
    }
}

/// From here on, what this process mounts is seen by nobody else.
pub fn own_mounts() -> Result<()> {
    namespace::unshare(namespace::MOUNT).what(|| "cannot make a mount namespace")?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .what(|| "cannot keep mounts to itself")
}

/// Begins the key of a step.
fn begin(start: &Start<'_>, kind: &[u8]) -> Hasher {
    let mut hasher = Hasher::default();
    field(&mut hasher, b"rpod", b"1");
    field(&mut hasher, b"step", kind);
    for layer in start.parent {
        field(&mut hasher, b"below", layer.as_str().as_bytes());
    }
    let times = format!("{:?}", start.node.times);
    field(&mut hasher, b"times", times.as_bytes());
    hasher
}

/// One process at a time works on a key; others wait, and find it done.
fn make_once(
    site: &Site<'_>,
    start: &Start<'_>,
    key: &Digest,
    work: impl FnOnce() -> Result<(Option<Digest>, LayerInfo)>,
) -> Result<Made> {
    let _turn = site.store.lock_blob(key)?;
    if let Some(made) = known(site, start.node, key) {
        return Ok(made);
    }
    site.speaker.say(&Event::Begun(start.id));
    let (layer, info) = work()?;
    if site.keep {
        site.store.save_step(
            key,
            &StepRecord {
                layer: layer.clone(),
                step: start.node.text.clone(),
                size: info.size,
                created: Time::now().unix(),
                content: None,
            },
        )?;
    }
    Ok(Made {
        layer,
        cached: false,
        key: key.clone(),
    })
}

fn workdir(
    site: &Site<'_>,
    start: &Start<'_>,
    ground: &Ground,
    path: &str,
    owner: &str,
) -> Result<()> {
    let owner = match owner {
        "" => None,
        owner => Some(copy::owner(ground.root.as_fd(), owner)?),
    };
    let mut writer = Writer::new(Writing {
        root: ground.root.as_fd(),
        layer: None,
        map: &site.identity.map,
        owner,
        chmod: None,
        times: start.node.times,
        fresh: true,
    });
    let path = gather::components(path.as_bytes()).join(&b'/');
    writer.ensure(&path, 0o755)?;
    writer.finish()
}

fn copy_step(site: &Site<'_>, start: &Start<'_>, work: &CopyWork) -> Result<Made> {
    let source = Source::open(site, start, &work.from)?;
    let exclude = ignoring(&work.exclude)?;
    let read = Reading {
        paths: &work.paths,
        exclude: exclude.as_ref(),
        lines: &work.exclude,
    };
    let (content, mut known) = source.content(site, &read)?;
    let key = copy_key(start, work, &content);
    let made = make_once(site, start, &key, || {
        let pieces = match &mut known {
            Some(known) => {
                known.keep(site);
                source.pieces(site, &read, std::mem::take(&mut known.scanned))?
            }
            None => source.read(site, &read)?,
        };
        for (pattern, found) in work.paths.iter().zip(&pieces) {
            if found.is_empty() {
                let text = format!("\"{pattern}\" means no file: nothing is copied for it");
                site.speaker.say(&Event::Warning(Some(start.id), text));
            }
        }
        let below = if work.link { &[] } else { start.parent };
        let ground = Ground::new(site, below)?;
        write_copy(site, start, work, &source, &pieces, &ground)?;
        ground.finish(site, start, &[])
    });
    if let Some(known) = &mut known {
        known.keep(site);
    }
    made
}

fn ignoring(lines: &[String]) -> Result<Option<Ignore>> {
    match lines {
        [] => Ok(None),
        lines => Ignore::parse(&lines.join("\n"))
            .map(Some)
            .map_err(|why| Error::new(format!("cannot read --exclude: {why}"))),
    }
}

fn copy_key(start: &Start<'_>, work: &CopyWork, content: &Digest) -> Digest {
    let mut hasher = if work.link {
        let alone = Start {
            parent: &[],
            ..*start
        };
        begin(&alone, b"copy")
    } else {
        begin(start, b"copy")
    };
    field(&mut hasher, b"content", content.as_str().as_bytes());
    let how = format!(
        "{:?}",
        (
            &work.target,
            &work.chown,
            &work.chmod,
            work.parents,
            work.unpack,
            work.unpack_fetched,
            &work.inline,
            matches!(work.from, From::Context(_)),
        )
    );
    field(&mut hasher, b"how", how.as_bytes());
    if work.parents {
        field(
            &mut hasher,
            b"paths",
            format!("{:?}", work.paths).as_bytes(),
        );
    }
    for fetched in &work.fetched {
        field(&mut hasher, b"fetched", fetched.digest.as_bytes());
        let name = fetched.name.as_deref().unwrap_or_default();
        field(&mut hasher, b"name", name.as_bytes());
    }
    hasher.finish()
}

fn write_copy(
    site: &Site<'_>,
    start: &Start<'_>,
    work: &CopyWork,
    source: &Source,
    pieces: &[Vec<Piece>],
    ground: &Ground,
) -> Result<()> {
    let root = ground.root.as_fd();
    let owner = work.chown.as_deref().map(|text| copy::owner(root, text));
    let writing = |fresh| Writing {
        root,
        layer: Some(ground.layer.as_fd()),
        map: &site.identity.map,
        owner: None,
        chmod: work.chmod.as_ref(),
        times: start.node.times,
        fresh,
    };
    let owner = owner.transpose()?;
    let from_context = matches!(work.from, From::Context(_));
    let mut writer = Writer::new(Writing {
        owner,
        ..writing(from_context)
    });
    let several = pieces.iter().map(Vec::len).sum::<usize>() + work.inline.len() > 1;
    let directory = work.target.ends_with('/') || several;
    for (pattern, pieces) in work.paths.iter().zip(pieces) {
        for piece in pieces {
            let path = match work.parents {
                true => format!("{}/{}", work.target, kept_parents(pattern, piece)),
                false => work.target.clone(),
            };
            let target = Target {
                path: &path,
                directory: directory || work.parents,
            };
            if work.unpack
                && let Some(archive) = source.archive(piece)?
            {
                let what = || format!("cannot unpack \"{}\"", gather::shown(&piece.path));
                writer.unpack(archive, &work.target).what(what)?;
                continue;
            }
            writer.copy(source.root.as_fd(), piece, &target)?;
        }
    }
    let target = Target {
        path: &work.target,
        directory,
    };
    for (name, content) in &work.inline {
        writer.write(name, &mut content.as_bytes(), 0o644, None, &target)?;
    }
    writer.finish()?;
    for fetched in &work.fetched {
        let mut writer = Writer::new(Writing {
            owner,
            ..writing(true)
        });
        fetch::place(&mut writer, fetched, work, &target)?;
        writer.finish()?;
    }
    Ok(())
}

/// The directories of a source that `--parents` keeps: all, or those after `/./`. Of a
/// directory, whose content is copied, its own name as well.
fn kept_parents(pattern: &str, piece: &Piece) -> String {
    let before = match pattern.split_once("/./") {
        Some((before, _)) => gather::components(before.as_bytes()).len(),
        None => 0,
    };
    let parts = gather::components(&piece.path);
    let last = parts.len() - usize::from(!piece.is_directory()).min(parts.len());
    let kept = parts.get(before..last).unwrap_or_default();
    String::from_utf8_lossy(&kept.join(&b'/')).into_owned()
}

fn run_step(site: &Site<'_>, start: &Start<'_>, work: &RunWork) -> Result<Made> {
    let contents = run::contents(site, start, work)?;
    let key = run::key(begin(start, b"run"), site.runs, work, &contents);
    make_once(site, start, &key, || run::run(site, start, work))
}

/// What is read of a source.
pub struct Reading<'a> {
    /// Paths and patterns.
    pub paths: &'a [String],
    /// What is left out.
    pub exclude: Option<&'a Ignore>,
    /// The same, as typed.
    pub lines: &'a [String],
}

/// What was read of a source.
pub struct Found {
    /// What each pattern means.
    scanned: Vec<Vec<Scanned>>,
    /// What there is to know the next time.
    hashes: Option<Hashes>,
}

impl Found {
    /// Keeps what was learned of files: as soon as nobody has to wait for it.
    pub fn keep(&mut self, site: &Site<'_>) {
        if let Some(hashes) = self.hashes.take() {
            hashes.save(site.store);
        }
    }
}

/// A tree that is read from.
pub struct Source {
    /// Its root.
    pub root: OwnedFd,
    /// Its layers; none for a context.
    layers: Option<Vec<Digest>>,
    context: Option<usize>,
    name: String,
    /// Where its layers are mounted, until it is dropped.
    _mounted: Option<Mounted>,
}

impl Source {
    /// Opens where a step reads from.
    pub fn open(site: &Site<'_>, start: &Start<'_>, from: &From) -> Result<Self> {
        match from {
            From::Context(number) => {
                let place = &site.contexts[*number];
                let root =
                    open_directory(&place.path).what(|| format!("cannot read {}", place.name))?;
                Ok(Self {
                    root,
                    layers: None,
                    context: Some(*number),
                    name: place.name.clone(),
                    _mounted: None,
                })
            }
            From::Node(id) => {
                let layers = (start.layers_of)(*id);
                let (root, mounted) = view(site, &layers)?;
                Ok(Self {
                    root,
                    layers: Some(layers),
                    context: None,
                    name: "the stage or image it comes from".to_owned(),
                    _mounted: mounted,
                })
            }
        }
    }

    /// Returns the digest of what is read; and what it is, when that had to be looked at.
    pub fn content(
        &self,
        site: &Site<'_>,
        reading: &Reading<'_>,
    ) -> Result<(Digest, Option<Found>)> {
        // Layers never change, so what was found in them once is so for ever.
        let memo = self.layers.as_ref().map(|layers| {
            let mut hasher = Hasher::default();
            field(&mut hasher, b"rpod", b"content 2");
            for layer in layers {
                field(&mut hasher, b"layer", layer.as_str().as_bytes());
            }
            let what = format!("{:?}", (reading.paths, reading.lines));
            field(&mut hasher, b"what", what.as_bytes());
            hasher.finish()
        });
        if let Some(memo) = &memo
            && let Some(record) = site.store.find_step(memo)
            && let Some(content) = record.content
        {
            return Ok((content, None));
        }
        let mut hashes = match self.context {
            Some(_) => Hashes::load(site.store, &fstat(&self.root)?),
            None => Hashes::none(),
        };
        let mut look = self.look(site, Some(&mut hashes));
        let mut scanned = Vec::new();
        let mut hasher = Hasher::default();
        for pattern in reading.paths {
            let paths = look.resolve(pattern)?;
            let all = paths.iter().map(|path| look.scan(path, reading.exclude));
            let all = all.collect::<Result<Vec<Scanned>>>()?;
            let mut pieces = Hasher::default();
            all.iter().for_each(|one| one.put(&mut pieces));
            field(&mut hasher, b"pieces", &pieces.finish_raw());
            scanned.push(all);
        }
        let content = hasher.finish();
        if let Some(memo) = memo {
            let record = StepRecord {
                layer: None,
                step: format!("what {:?} is", reading.paths),
                size: 0,
                created: Time::now().unix(),
                content: Some(content.clone()),
            };
            site.store.save_step(&memo, &record)?;
        }
        let hashes = Some(hashes);
        Ok((content, Some(Found { scanned, hashes })))
    }

    /// Returns what patterns mean, each by itself, of what was scanned for a digest.
    fn pieces(
        &self,
        site: &Site<'_>,
        reading: &Reading<'_>,
        scanned: Vec<Vec<Scanned>>,
    ) -> Result<Vec<Vec<Piece>>> {
        let mut look = self.look(site, None);
        let mut of = |one: Scanned| one.piece(&mut look, reading.exclude);
        let all = scanned.into_iter();
        all.map(|of_one| of_one.into_iter().map(&mut of).collect())
            .collect()
    }

    /// Returns what patterns mean, each by itself, where no digest is asked for.
    pub fn read(&self, site: &Site<'_>, reading: &Reading<'_>) -> Result<Vec<Vec<Piece>>> {
        let mut look = self.look(site, None);
        let mut all = Vec::new();
        for pattern in reading.paths {
            let paths = look.resolve(pattern)?;
            let pieces = paths.iter().map(|path| look.piece(path, reading.exclude));
            all.push(pieces.collect::<Result<Vec<Piece>>>()?);
        }
        Ok(all)
    }

    fn look<'a>(&'a self, site: &'a Site<'_>, hashes: Option<&'a mut Hashes>) -> Look<'a> {
        let ignore = self.context.map(|number| &site.contexts[number].ignore);
        Look {
            root: self.root.as_fd(),
            ignore: ignore.and_then(Option::as_ref),
            owners: self.context.is_none(),
            hashes,
            name: &self.name,
            left_out: 0,
        }
    }

    /// Finds a path for a mount; says whether something in it is left out.
    pub fn find(&self, site: &Site<'_>, path: &str) -> Result<(PathBuf, bool)> {
        let parts = gather::components(path.as_bytes()).join(&b'/');
        let plain = PathBuf::from(OsStr::from_bytes(&parts));
        let mut look = self.look(site, None);
        if look.ignore.is_none() {
            return Ok((plain, false));
        }
        look.piece(&parts, None)?;
        Ok((plain, look.left_out > 0))
    }

    /// Returns the content of a piece that is an archive.
    fn archive(&self, piece: &Piece) -> Result<Option<Box<dyn Read>>> {
        if !matches!(piece.items[0].kind, gather::Kind::File(..)) {
            return Ok(None);
        }
        let path = OsStr::from_bytes(&piece.path);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let fd = crate::runtime::inside::open(&self.root, Path::new(path), flags)?;
        archive::recognize(File::from(fd))
    }
}

/// A mount that goes when it is dropped. It has to go before a directory that it is in
/// is deleted: what is deleted there would be what is mounted.
pub struct Mounted(pub PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // The process's mounts go with it in any case.
        unmount(&self.0, UnmountFlags::DETACH).ok();
        drop(fs::remove_dir(&self.0));
    }
}

/// Layers as one tree to read from.
pub fn view(site: &Site<'_>, layers: &[Digest]) -> Result<(OwnedFd, Option<Mounted>)> {
    let trees = trees(site, layers)?;
    let what = || "cannot read the files of another stage or image";
    if let [only] = trees.as_slice() {
        return Ok((open_directory(only).what(what)?, None));
    }
    // Its own file system, so that nothing is left of it when this process is killed.
    let place = site
        .store
        .tmp()
        .join(format!("view-{}", atomic::random_name()));
    directory(&place, 0o700).what(what)?;
    if trees.is_empty() {
        return Ok((open_directory(&place).what(what)?, Some(Mounted(place))));
    }
    rootfs::overlay::mount_read_only(&trees, &place)?;
    Ok((open_directory(&place).what(what)?, Some(Mounted(place))))
}

/// Where layers are unpacked.
pub fn trees(site: &Site<'_>, layers: &[Digest]) -> Result<Vec<PathBuf>> {
    let map = site.identity.map.name();
    layers
        .iter()
        .map(|layer| {
            let tree = site.store.layer_tree(&map, layer);
            if site.store.has_layer(&map, layer) {
                Ok(tree)
            } else {
                Err(Error::new(format!("layer {} has gone", layer.short()))
                    .hint("another command has removed it: build again"))
            }
        })
        .collect()
}

/// A tree that is written to: what is written ends up in a directory of its own.
pub struct Ground {
    /// The root of the whole tree.
    pub root: OwnedFd,
    /// What of it is written: the layer.
    pub layer: OwnedFd,
    /// Goes before the directory it is in: what is deleted there must not be the tree.
    mounted: Option<Mounted>,
    staged: Staged,
    below: Vec<PathBuf>,
}

impl Ground {
    /// Puts one together, mounted.
    pub fn new(site: &Site<'_>, layers: &[Digest]) -> Result<Self> {
        let mut ground = Self::unmounted(site, layers)?;
        if !ground.below.is_empty() {
            rootfs::overlay::mount(&ground.tree(), &ground.place("root"))?;
            ground.mounted = Some(Mounted(ground.place("root")));
            ground.root = open_directory(&ground.place("root"))?;
        }
        Ok(ground)
    }

    /// Prepares one that somebody else mounts.
    pub fn unmounted(site: &Site<'_>, layers: &[Digest]) -> Result<Self> {
        let staged = site.store.stage_layer()?;
        let what = |name: &str| format!("cannot make \"{}\"", staged.path().join(name).display());
        permit(&staged.path().join("tree"), 0o755).what(|| what("tree"))?;
        for name in ["work", "root"] {
            directory(&staged.path().join(name), 0o755).what(|| what(name))?;
        }
        Ok(Self {
            root: open_directory(&staged.path().join("tree"))?,
            layer: open_directory(&staged.path().join("tree"))?,
            below: trees(site, layers)?,
            staged,
            mounted: None,
        })
    }

    /// Returns a place of its own, deleted with it.
    pub fn place(&self, name: &str) -> PathBuf {
        self.staged.path().join(name)
    }

    /// Returns what it is made of.
    pub fn tree(&self) -> Tree {
        Tree {
            layers: match self.below.as_slice() {
                // An overlay needs something below.
                [] => vec![self.place("root")],
                below => below.to_vec(),
            },
            upper: self.place("tree"),
            work: self.place("work"),
            volatile: true,
        }
    }

    /// Makes a layer of what was written.
    pub fn finish(
        self,
        site: &Site<'_>,
        start: &Start<'_>,
        mount_points: &[String],
    ) -> Result<(Option<Digest>, LayerInfo)> {
        let tree = self.place("tree");
        drop((self.root, self.layer, self.mounted));
        remove_mount_points(&tree, &self.below, mount_points);
        let points: Vec<&str> = mount_points.iter().map(String::as_str).collect();
        clock::settle(&tree, start.node.times)?;
        let scope = Scope {
            below: if points.is_empty() { &[] } else { &self.below },
            mount_points: &points,
        };
        let options = Options {
            scope,
            latest: None,
            owner: None,
        };
        // A directory that was there already needs no layer.
        let needless = matches!(start.node.work, Work::Workdir { .. });
        let made = adopt(site, &tree, options, needless)?;
        if made.0.is_some() {
            atomic::delete(&self.staged.path().join("work"));
        }
        Ok(made)
    }
}

/// Makes a layer of a directory, which is moved; `needless` says that none is needed
/// where there is nothing in it.
pub fn adopt(
    site: &Site<'_>,
    tree: &Path,
    options: Options<'_>,
    needless: bool,
) -> Result<(Option<Digest>, LayerInfo)> {
    let mut sink = Sink::default();
    let written = write::write(tree, options, &mut sink)?;
    if needless && written.info.files == 0 {
        return Ok((None, written.info));
    }
    let digest = sink.finish();
    let map = site.identity.map.name();
    if !site.store.has_layer(&map, &digest) {
        site.store
            .adopt_layer(tree, &written.left_out, &map, &digest, written.info)?;
    }
    Ok((Some(digest), written.info))
}

/// Takes away what was only made to be mounted on, and the directories on the way to it.
fn remove_mount_points(tree: &Path, below: &[PathBuf], mount_points: &[String]) {
    for point in mount_points {
        let mut path = Path::new(point);
        while !path.as_os_str().is_empty() {
            let there = |layer: &PathBuf| fs::symlink_metadata(layer.join(path)).is_ok();
            let full = tree.join(path);
            let empty_file = fs::symlink_metadata(&full).is_ok_and(|m| m.is_file() && m.len() == 0);
            if below.iter().any(there) {
                break;
            }
            let gone = fs::remove_dir(&full).is_ok()
                || (empty_file && path == Path::new(point) && fs::remove_file(&full).is_ok());
            if !gone {
                break;
            }
            path = path.parent().unwrap_or(Path::new(""));
        }
    }
}

/// Hashes what is written, and keeps nothing of it.
#[derive(Default)]
pub struct Sink(Hasher);

impl Sink {
    /// Returns the digest of all that was written.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// Makes a directory, whatever the umask is.
pub fn directory(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(mode).create(path)?;
    permit(path, mode)
}

fn permit(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
