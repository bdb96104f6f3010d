//! The child that clears up after a command that has ended already.
//!
//! 1. what waits in `tmp/` is deleted
//! 2. when asked to: who adds to the store is waited for, and what nothing leads
//!    to is collected and deleted as well
//! 3. another one makes the layers durable that were just unpacked
//!
//! Lives here: leaving it behind.
//! Must not: decide what goes (`store::gc`).
//! Called by: `ops::rm`, `ops::rmi`, `ops::volume`, the prunes; `ops::{build, pull, load, commit, check}`.
//! Always true: nobody waits for it, and nothing is lost when it is killed: the
//! next one finds what it left.

use std::os::fd::{AsFd, AsRawFd};

use crate::error::Result;
use crate::ops::Session;
use crate::process::identity::Identity;
use crate::process::leave::leave;
use crate::process::userns;
use crate::store::gc::{Found, Partials, Patience};
use crate::sys::process;

/// Leaves a child behind that deletes what waits to be deleted, if anything does.
pub fn sweep(session: &Session) {
    if !session.store.garbage().is_empty() {
        leave_behind(session, false);
    }
}

/// Collects what nothing leads to; while somebody adds to the store, a child waits
/// for that and collects then. What was collected is deleted by a child as well.
/// Returns what was collected; nothing when the child does it.
pub fn collect(session: &Session, partials: Partials) -> Result<Option<Found>> {
    let found = session.store.collect(Patience::Skip, partials)?;
    match found {
        Some(_) => sweep(session),
        None => leave_behind(session, true),
    }
    Ok(found)
}

/// Leaves a child behind that makes durable what was unpacked, if anything was.
pub fn settle(session: &Session) {
    let store = &session.store;
    if !store.has_fresh_layers() {
        return;
    }
    let left = process::fork(|| {
        let inside = || -> Result<()> {
            leave("rpod-sweep", &[])?;
            store.settle_layers()
        };
        u8::from(inside().is_err())
    });
    drop(left);
}

/// Starts the child, where files of other ids can be deleted. One that cannot be
/// started is no failure: the next command starts another.
fn leave_behind(session: &Session, collects: bool) {
    let Ok(identity) = Identity::of(&session.host) else {
        return;
    };
    let store = session.store.clone();
    let left = userns::launch(&identity, |channel| {
        let inside = || -> Result<()> {
            leave("rpod-sweep", &[channel.as_fd().as_raw_fd()])?;
            drop(userns::Entry::unshare(channel)?.mapped()?);
            store.sweep();
            if collects {
                store.collect(Patience::Wait, Partials::Expired)?;
                store.sweep();
            }
            Ok(())
        };
        u8::from(inside().is_err())
    });
    drop(left);
}
