//! `cp`: files in and out of a container, running or not.
//!
//! ```text
//! running   a child joins the container's namespaces; its root is the root
//! stopped   a child in a fresh user namespace mounts the layers, the upper
//!           directory and the volumes, where only it sees them; the lock on
//!           the container keeps others from starting it meanwhile
//! both      the machine's root is opened before, so that the child has both
//! ```
//!
//! Lives here: docker's rules of what goes where, and the two children.
//! Must not: read or write a file (`runtime::copy`).
//! Called by: `cli`.
//! Always true: every path of the container is found inside the container's
//! root, whatever its links say. What is copied in belongs to root, what is
//! copied out to the person, unless `-a` keeps the owners; a tar keeps its own.

use std::ffi::OsString;
use std::fs;
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, openat};
use rustix::mount::MountFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, state, tree};
use crate::process::userns;
use crate::rootfs::overlay;
use crate::runtime::copy::archive::{self, Tar};
use crate::runtime::copy::place::{self, Place};
use crate::runtime::copy::plant::{Ground, Owners, Plant};
use crate::runtime::copy::walk::walk;
use crate::runtime::copy::{Copied, Sink};
use crate::runtime::volume;
use crate::runtime::{exec, inside, mounts, plan};
use crate::spec::container::{Record, Status};
use crate::sys::namespace;

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A path of the machine.
    Host(String),
    /// A path in a container.
    Container(String, String),
    /// A tar on standard input or output (`-`).
    Stream,
}

/// How `cp` copies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-a`: owners are kept.
    pub archive: bool,
    /// `-L`: a symbolic link given as the source is followed.
    pub follow_link: bool,
}

/// Copies; `input` and `output` serve an end that is a stream. Returns the bytes copied.
///
/// # Errors
/// `Usage` when not exactly one end is in a container; `NotFound` when there is
/// no such container, file, or directory to copy into.
pub fn copy(
    session: &Session,
    from: &End,
    to: &End,
    options: Options,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<u64> {
    let what = || format!("cannot copy {} to {}", from.shown(), to.shown());
    let machine = directory("/").what(what)?;
    let copied = match (from, to) {
        (End::Container(name, path), End::Stream) => in_container(session, name, |root| {
            out_as_tar(&found(&root, path, options.follow_link)?, output)
        }),
        (End::Container(name, path), End::Host(target)) => {
            let target = absolute(target).what(what)?;
            let owners = owners(options, Owners::Person);
            in_container(session, name, |root| {
                let from = found(&root, path, options.follow_link)?;
                let to = from.destination(&machine, &target)?;
                let below = inside::open(&machine, &to.directory, OFlags::DIRECTORY)?;
                from.plant(Ground::Machine(below), &to, owners)
            })
        }
        (End::Host(source), End::Container(name, path)) => {
            let source = absolute(source).what(what)?;
            let owners = owners(options, Owners::Root);
            in_container(session, name, |root| {
                let from = found(&machine, &source, options.follow_link)?;
                let to = from.destination(&root, path)?;
                from.plant(Ground::Container(root, to.directory.clone()), &to, owners)
            })
        }
        (End::Stream, End::Container(name, path)) => {
            in_container(session, name, |root| in_as_tar(root, path, input))
        }
        (End::Container(..), End::Container(..)) => {
            Err(Error::of(Kind::Usage, "both ends are in containers")
                .hint("copy in two steps, through a directory of this machine"))
        }
        _ => Err(Error::of(Kind::Usage, "neither end is in a container")
            .hint("write `CONTAINER:PATH` for the one that is")),
    }
    .what(what)?;
    tell_skipped(session, &copied);
    Ok(copied.bytes)
}

impl End {
    fn shown(&self) -> String {
        match self {
            Self::Host(path) => format!("\"{path}\""),
            Self::Container(name, path) => format!("\"{name}:{path}\""),
            Self::Stream => "a tar".to_owned(),
        }
    }
}

fn owners(options: Options, otherwise: Owners) -> Owners {
    if options.archive {
        Owners::Kept
    } else {
        otherwise
    }
}

fn tell_skipped(session: &Session, copied: &Copied) {
    for line in &copied.skipped {
        session.progress.warn(&format!("not copied: {line}"));
    }
    let more = copied.skipped_count - copied.skipped.len() as u64;
    if more > 0 {
        session.progress.warn(&format!("not copied: {more} more"));
    }
}

/// A path as the machine means it; a trailing `/` or `/.` still says something.
fn absolute(text: &str) -> Result<String> {
    let here = std::env::current_dir().what(|| "cannot find the working directory")?;
    here.join(text)
        .into_os_string()
        .into_string()
        .map_err(|path| Error::new(format!("{} is not UTF-8", path.display())))
}

fn directory(path: impl AsRef<Path>) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path.as_ref(), flags, Mode::empty())?)
}

/// What is copied.
struct Found {
    place: Place,
    /// Its name as typed, where it keeps it.
    name: OsString,
    /// Only what is in it is copied, not itself (`DIRECTORY/.`).
    content_only: bool,
}

/// Where it goes: a directory, and the name it gets there (empty: its content alone).
#[derive(Debug, PartialEq, Eq)]
struct Destination {
    directory: PathBuf,
    name: PathBuf,
}

fn found(root: &OwnedFd, text: &str, follow_link: bool) -> Result<Found> {
    let path = Path::new("/").join(text);
    let as_directory = is_dot(text) || text.ends_with('/');
    let place = place::find(root.as_fd(), &path, follow_link || as_directory)?;
    if place.stat.is_none() {
        let missing = path.display();
        return Err(Error::of(
            Kind::NotFound,
            format!("there is no \"{missing}\""),
        ));
    }
    if as_directory && !place.is_directory() {
        return Err(Error::new(format!(
            "\"{}\" is no directory",
            path.display()
        )));
    }
    let name = path.file_name().map(OsString::from);
    Ok(Found {
        content_only: place.is_directory() && (is_dot(text) || name.is_none()),
        name: name.unwrap_or_default(),
        place,
    })
}

fn is_dot(text: &str) -> bool {
    text == "." || text.ends_with("/.")
}

impl Found {
    /// Docker's table: what is there decides whether a copy goes into it or over it.
    fn destination(&self, root: &OwnedFd, text: &str) -> Result<Destination> {
        let path = Path::new("/").join(text);
        let there = place::find(root.as_fd(), &path, true)?;
        let shown = path.display();
        let as_directory = is_dot(text) || text.ends_with('/');
        match there.file_type() {
            Some(FileType::Directory) if self.content_only => Ok(Destination {
                directory: there.path(),
                name: PathBuf::new(),
            }),
            Some(FileType::Directory) => Ok(Destination {
                directory: there.path(),
                name: PathBuf::from(&self.name),
            }),
            Some(_) if self.place.is_directory() => Err(Error::new(format!(
                "a directory cannot be copied over \"{shown}\", which is none"
            ))),
            Some(_) if as_directory => Err(Error::new(format!("\"{shown}\" is no directory"))),
            None if as_directory && !self.place.is_directory() => Err(Error::of(
                Kind::NotFound,
                format!("there is no directory \"{shown}\""),
            )),
            _ => Ok(Destination {
                directory: there.parent_path.clone(),
                name: PathBuf::from(&there.name),
            }),
        }
    }

    fn plant(&self, ground: Ground, to: &Destination, owners: Owners) -> Result<Copied> {
        let mut plant = Plant::new(ground, owners);
        self.walk(&to.name, &mut plant)?;
        Ok(plant.copied())
    }

    fn walk(&self, under: &Path, sink: &mut dyn Sink) -> Result<()> {
        let parent = self.place.parent.as_fd();
        walk(parent, &self.place.name, under, sink)?;
        sink.finish()
    }
}

fn out_as_tar(from: &Found, output: &mut dyn Write) -> Result<Copied> {
    let under = if from.content_only {
        PathBuf::new()
    } else {
        PathBuf::from(&from.name)
    };
    let mut tar = Tar::new(BufWriter::with_capacity(1 << 16, output));
    from.walk(&under, &mut tar)?;
    Ok(tar.copied())
}

fn in_as_tar(root: OwnedFd, text: &str, input: &mut dyn Read) -> Result<Copied> {
    let path = Path::new("/").join(text);
    let there = place::find(root.as_fd(), &path, true)?;
    if !there.is_directory() {
        let shown = path.display();
        return Err(Error::of(
            Kind::NotFound,
            format!("there is no directory \"{shown}\" to unpack a tar in"),
        ));
    }
    let mut plant = Plant::new(Ground::Container(root, there.path()), Owners::Kept);
    archive::read(BufReader::with_capacity(1 << 16, input), &mut plant)?;
    plant.finish()?;
    Ok(plant.copied())
}

/// Does work in a child that has a container's root in reach.
fn in_container<T: Serialize + DeserializeOwned>(
    session: &Session,
    name: &str,
    work: impl FnOnce(OwnedFd) -> Result<T>,
) -> Result<T> {
    let id = session.store.find_container(name)?;
    let record = session.store.load_record(&id)?;
    // Whoever starts it takes the lock first, so what is true now stays true
    // for as long as we have it.
    let lock = session.store.lock_container(&id)?;
    let present = state::load(&session.host, &session.store, &id)?;
    match (present.status, present.init) {
        (Status::Running, Some(init)) => {
            drop(lock);
            exec::run_joined(init, || work(directory("/")?))
        }
        (Status::Running | Status::Restarting, _) => {
            Err(Error::of(Kind::Conflict, "it is just being started again")
                .hint(format!("wait for it, or stop it: `rpod stop {name}`")))
        }
        (Status::Removing, _) => Err(Error::of(Kind::Conflict, "it is being removed")),
        _ => {
            let copied = in_stopped(session, &record, work);
            drop(lock);
            copied
        }
    }
}

fn in_stopped<T: Serialize + DeserializeOwned>(
    session: &Session,
    record: &Record,
    work: impl FnOnce(OwnedFd) -> Result<T>,
) -> Result<T> {
    let identity = tree::identity(session, record)?;
    let root = session.store.container_path(&record.id).join("root");
    fs::create_dir_all(&root).what(|| format!("cannot make \"{}\"", root.display()))?;
    userns::run_inside(&identity, || {
        // A mount namespace of a user namespace of its own hands nothing back.
        namespace::unshare(namespace::MOUNT).what(|| "cannot make a mount namespace")?;
        work(mount_root(session, record, &root)?)
    })
}

/// Puts a container's files together as its programs would see them.
fn mount_root(session: &Session, record: &Record, at: &Path) -> Result<OwnedFd> {
    let store = &session.store;
    overlay::mount(&tree::tree(store, record)?, at)?;
    let root = directory(at)?;
    // The first start would find a volume that is not empty and leave it so.
    for fill in tree::fills(store, record) {
        volume::fill(root.as_fd(), &fill)?;
    }
    let volume = |name: &str| store.volume_data(name);
    let mut files = tree::files(store, record);
    // One that was never started has none of them yet.
    files.retain(|(file, _)| Path::new(file).exists());
    for line in plan::binds(record, &volume, &files)? {
        mounts::mount(root.as_fd(), &line)?;
    }
    if record.read_only {
        let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NODEV;
        rustix::mount::mount_remount(at, flags, "")
            .what(|| "cannot make the container's root read-only")?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests;
