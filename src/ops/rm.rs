//! `rm`: remove containers.
//!
//! 1. its lock; with `force`, its end
//! 2. its directory leaves its place, and its name is free
//! 3. what waits to be deleted is deleted by a child that stays behind (`ops::sweep`)
//!
//! Lives here: that verb.
//! Must not: remove a named volume.
//! Called by: `cli`, `ops::run`.
//! Always true: after step 2 the container is gone, however long step 3 takes
//! and whatever becomes of it: the next one sweeps again.

use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, kill, pause, state, stop, sweep, volume};
use crate::spec::container::Status;

/// How `rm` removes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-f`: kill it first; what is not there is no error.
    pub force: bool,
    /// `-v`: its anonymous volumes go with it.
    pub volumes: bool,
}

/// How often one that others start again and again is killed.
const TRIES: u32 = 10;

/// Removes a container; says whether there was one.
pub fn remove(session: &Session, name: &str, options: Options) -> Result<bool> {
    match remove_found(session, name, options) {
        // It was not there, or it went by itself while we looked at it.
        Err(error) if error.kind() == Kind::NotFound && options.force => Ok(false),
        done => done,
    }
}

fn remove_found(session: &Session, name: &str, options: Options) -> Result<bool> {
    let what = || format!("cannot remove container \"{name}\"");
    let id = session.store.find_container(name).what(what)?;
    let mut tries = 0;
    let lock = loop {
        let lock = session.store.lock_container(&id).what(what)?;
        let present = state::load(&session.host, &session.store, &id).what(what)?;
        if !matches!(present.status, Status::Running | Status::Restarting) {
            break lock;
        }
        if !options.force {
            if present.paused {
                return Err(pause::is_paused(&session.store.load_record(&id)?)).what(what);
            }
            return Err(Error::of(Kind::Conflict, "it is running")
                .what(what())
                .hint(format!(
                    "stop it with `rpod stop {name}`, or kill and remove it with `rpod rm -f {name}`"
                )));
        }
        // Without the lock: its monitor may need it, and somebody may start it again.
        drop(lock);
        tries += 1;
        let record = session.store.load_record(&id).what(what)?;
        kill::mark_stopped(session, &record).what(what)?;
        kill::send(&present, 9).what(what)?;
        if !stop::wait_for_end(&present, Some(Duration::from_secs(10))) || tries > TRIES {
            return Err(Error::new(
                "its first process does not end, though it was killed",
            ))
            .what(what);
        }
    };
    // Under the lock: it may have been renamed.
    let record = session.store.load_record(&id).what(what)?;
    session.store.remove_container(&record).what(what)?;
    drop(lock);
    if options.volumes || record.remove {
        volume::forget(&session.store, &record).what(what)?;
    }
    sweep::sweep(session);
    Ok(true)
}
