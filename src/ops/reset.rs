//! `system reset`: everything of the user's goes: containers, images, networks, volumes.
//!
//! 1. every container is killed and removed
//! 2. who adds to the store is not disturbed: while somebody does, nothing more goes
//! 3. every directory of the store leaves its place, and is deleted
//!
//! Lives here: that order.
//! Must not: ask (`cli::system`), or touch what is not in the store: logins and settings stay.
//! Called by: `cli::system`.
//! Always true: when it is killed, what is left is a store in which some things have gone.

use std::fs;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, rm};
use crate::process::identity::Identity;
use crate::process::userns::run_inside;
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
    for entry in fs::read_dir(store.root()).what(what)? {
        let path = entry.what(what)?.path();
        if path != store.tmp() {
            store.discard(&path).what(what)?;
        }
    }
    run_inside(&Identity::of(&session.host)?, || {
        store.sweep();
        Ok(())
    })
    .what(what)?;
    store.restore().what(what)
}
