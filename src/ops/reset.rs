//! `system reset`: everything of the user's goes: containers, images, networks, volumes.
//!
//! 1. every container is killed and removed
//! 2. who adds to the store is not disturbed: while somebody does, nothing more goes
//! 3. what is in the directories of the store leaves its place, and is deleted
//!
//! Lives here: that order.
//! Must not: ask (`cli::system`), or touch what is not in the store: logins and settings stay.
//! Called by: `cli::system`.
//! Always true: when it is killed, what is left is a store in which some things have gone,
//! and every command works.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, rm};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
use crate::store::Store;
use crate::store::gc::Patience;

/// Removes everything.
pub fn reset(session: &Session) -> Result<()> {
    let what = || "cannot reset the store";
    let store = &session.store;
    for id in store.container_ids().what(what)? {
        let options = rm::Options {
            force: true,
            volumes: true,
        };
        match rm::remove(session, id.as_str(), options) {
            // One whose record is broken goes with the directory.
            Err(error) if store.load_record(&id).is_ok() => return Err(error).what(what),
            _ => {}
        }
    }
    let lease = store.lease_alone(Patience::Skip).what(what)?;
    let _lease = lease.ok_or_else(|| {
        Error::of(
            Kind::Conflict,
            "a pull, load, commit or build is adding to it",
        )
        .hint("wait for it, or end it, and reset again")
        .what(what())
    })?;
    empty(store).what(what)?;
    run_inside(&Identity::of(&session.host)?, || {
        store.sweep();
        Ok(())
    })
    .what(what)
}

/// Takes all out of the store's directories, which stay: what they are there for is never
/// looked for anew. What leads to something goes before what it leads to.
fn empty(store: &Store) -> io::Result<()> {
    let root = store.root();
    let (images, blobs) = (root.join("images"), root.join("images/blobs"));
    // Whoever waits for the lock of the index has it open.
    let lock = images.join("lock");
    discard(store, &images.join("index.json"))?;
    discard_all(store, &images, &[&blobs, &lock])?;
    discard_all(store, &root.join("build"), &[])?;
    discard_all(store, &blobs.join("sha256"), &[])?;
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path == images || path == store.tmp() {
            continue;
        }
        match path.is_dir() {
            true => discard_all(store, &path, &[])?,
            false => discard(store, &path)?,
        }
    }
    Ok(())
}

fn discard_all(store: &Store, directory: &Path, kept: &[&Path]) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if !kept.contains(&path.as_path()) {
            discard(store, &path)?;
        }
    }
    Ok(())
}

/// Something that has just gone by itself is no failure.
fn discard(store: &Store, path: &Path) -> io::Result<()> {
    match store.discard(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
