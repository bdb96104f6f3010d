//! `mount` and `image mount`: files of containers and images, to be looked at inside
//! `rpod unshare`.
//!
//! ```text
//! mounts/<image-id>        an image, to be read
//! containers/<id>/root     a container; to be read only while it runs
//! ```
//!
//! Lives here: the mounts that a person asks for, and their end.
//! Must not: mount anything for a start (`runtime`).
//! Called by: `cli`.
//! Always true: a mount lives in the mount namespace of `rpod unshare`, and goes with
//! it. Elsewhere it is refused: nobody would see it.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount as unmount_path};

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, pull, state, tree};
use crate::process::identity::own_map;
use crate::rootfs::overlay;
use crate::spec::container::Status;
use crate::spec::idmap::IdMap;
use crate::store::images::Image;

/// Something that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// The id of the image or container.
    pub id: String,
    /// Its names.
    pub names: Vec<String>,
    /// Where it is.
    pub path: PathBuf,
}

/// Mounts an image's files to be read; returns where.
pub fn image(session: &Session, text: &str) -> Result<PathBuf> {
    let what = || format!("cannot mount image \"{text}\"");
    let (image, map) = find_image(session, text).what(what)?;
    let place = session.store.image_mount(&image.id);
    if is_mounted(&place) {
        return Ok(place);
    }
    fs::create_dir_all(&place).what(what)?;
    let layers = tree::of_image(&session.store, &map, &image).what(what)?;
    if !layers.is_empty() {
        overlay::mount_read_only(&layers, &place)
            .inspect_err(|_| drop(fs::remove_dir(&place)))
            .what(what)?;
    }
    Ok(place)
}

/// Ends the mount of an image; returns its id.
pub fn unmount_image(session: &Session, text: &str, force: bool) -> Result<String> {
    let what = || format!("cannot unmount image \"{text}\"");
    let (image, _) = find_image(session, text).what(what)?;
    let place = session.store.image_mount(&image.id);
    end(&place, force).what(what)?;
    // Another `rpod unshare` may have it mounted there, which keeps the directory.
    drop(fs::remove_dir(&place));
    Ok(image.id.hex().to_owned())
}

/// Returns the images that are mounted here.
pub fn images(session: &Session) -> Result<Vec<Mounted>> {
    let mut found: Vec<Mounted> = Vec::new();
    for entry in session.store.image_entries()? {
        let Ok(image) = session.store.load_image(&entry) else {
            continue;
        };
        let path = session.store.image_mount(&image.id);
        let name = entry.name().map(|name| name.familiar());
        if let Some(known) = found.iter_mut().find(|m| m.path == path) {
            known.names.extend(name);
        } else if is_mounted(&path) {
            found.push(Mounted {
                id: image.id.hex().to_owned(),
                names: name.into_iter().collect(),
                path,
            });
        }
    }
    Ok(found)
}

/// Mounts a container's files; returns where.
pub fn container(session: &Session, name: &str) -> Result<PathBuf> {
    let what = || format!("cannot mount container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    inside(&record.id_map, &format!("mount {name}")).what(what)?;
    let place = session.store.container_path(&id).join("root");
    if is_mounted(&place) {
        return Ok(place);
    }
    fs::create_dir_all(&place).what(what)?;
    let _lock = session.store.lock_container(&id).what(what)?;
    let present = state::load(&session.host, &session.store, &id).what(what)?;
    let tree = tree::tree(&session.store, &record).what(what)?;
    if matches!(present.status, Status::Running | Status::Restarting) {
        session.progress.warn(&format!(
            "container \"{}\" is running: its files are mounted to be read",
            record.name
        ));
        let layers = [tree.layers, vec![tree.upper]].concat();
        overlay::mount_read_only(&layers, &place).what(what)?;
    } else {
        overlay::mount(&tree, &place).what(what)?;
    }
    Ok(place)
}

/// Ends the mount of a container; returns its id.
pub fn unmount(session: &Session, name: &str, force: bool) -> Result<String> {
    let what = || format!("cannot unmount container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    inside(&record.id_map, &format!("umount {name}")).what(what)?;
    end(&session.store.container_path(&id).join("root"), force).what(what)?;
    Ok(id.as_str().to_owned())
}

/// Returns the containers that are mounted here.
pub fn containers(session: &Session) -> Result<Vec<Mounted>> {
    let mut found = Vec::new();
    for id in session.store.container_ids()? {
        let path = session.store.container_path(&id).join("root");
        if is_mounted(&path)
            && let Ok(record) = session.store.load_record(&id)
        {
            found.push(Mounted {
                id: id.as_str().to_owned(),
                names: vec![record.name.to_string()],
                path,
            });
        }
    }
    Ok(found)
}

fn find_image(session: &Session, text: &str) -> Result<(Image, IdMap)> {
    let map = own_map()?;
    // Layers lie under the map that they were unpacked with.
    let layers = session.store.root().join("layers");
    if !layers.join(map.name()).is_dir() {
        return Err(outside(&format!("image mount {text}")));
    }
    let entry = pull::existing(session, text)?.ok_or_else(pull::no_such)?;
    let image = session.store.load_for_here(&entry)?;
    inside(&map.name(), &format!("image mount {text}"))?;
    Ok((image, map))
}

/// Checks that this process is root of a user namespace with that map.
fn inside(map: &str, command: &str) -> Result<()> {
    let rights = rustix::thread::capabilities(None)
        .map(|sets| sets.effective)
        .unwrap_or(rustix::thread::CapabilitySet::empty());
    let may = rights.contains(rustix::thread::CapabilitySet::SYS_ADMIN);
    if may && own_map()?.name() == map {
        return Ok(());
    }
    Err(outside(command))
}

fn outside(command: &str) -> Error {
    Error::of(
        Kind::Conflict,
        "only root of your own user namespace may mount it",
    )
    .hint(format!(
        "do it inside `rpod unshare`, and use it there: `rpod unshare sh -c 'ls $(rpod {command})'`"
    ))
}

fn end(place: &Path, force: bool) -> Result<()> {
    if !is_mounted(place) {
        return Err(Error::of(Kind::Conflict, "it is not mounted here"));
    }
    let flags = if force {
        UnmountFlags::DETACH
    } else {
        UnmountFlags::empty()
    };
    unmount_path(place, flags).hint(|| "end what still uses it, or add `--force`")
}

/// Says whether something is mounted on a path, in this mount namespace.
fn is_mounted(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // proc_pid_mountinfo(5): the fifth field; spaces in it are octal.
    let shown = path.display().to_string().replace(' ', "\\040");
    table
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(shown.as_str()))
}
