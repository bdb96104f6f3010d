//! What a verb of the command line gets: the way to the store.
//!
//! Lives here: opening the session when a verb needs it, and what root is told.
//! Must not: know a verb.
//! Called by: the verbs.
//! Always true: help, versions and completions open nothing.

use crate::cli::failure;
use crate::cli::render::{progress, terminal};
use crate::error::Result;
use crate::host::Host;
use crate::ops::Session;
use crate::ops::launch::Roles;

/// The way in.
pub struct Door {
    roles: Roles,
}

impl Door {
    /// Opens nothing yet.
    pub fn new(roles: Roles) -> Self {
        Self { roles }
    }

    /// Opens the user's store.
    pub fn session(&self) -> Result<Session> {
        self.open(false)
    }

    /// Opens the user's store; with `quiet`, long work says nothing but warnings.
    pub fn open(&self, quiet: bool) -> Result<Session> {
        let host = Host::read()?;
        tell_root(&host);
        Session::open(host, progress::listener(quiet), self.roles)
    }

    /// Does something to each of several things; one that fails does not keep the others from it.
    pub fn each(&self, names: &[String], mut act: impl FnMut(&str) -> Result<()>) -> Result<u8> {
        let mut status = 0;
        for name in names {
            if let Err(error) = act(name) {
                failure::say(&error);
                status = status.max(failure::status(&error, false));
            }
        }
        Ok(status)
    }
}

/// Under sudo, the containers are root's: not those the user sees without it.
fn tell_root(host: &Host) {
    let by = std::env::var("SUDO_UID").ok().filter(|uid| uid != "0");
    if host.uid == 0 && by.is_some() {
        let who = std::env::var("SUDO_USER").unwrap_or_else(|_| "your user".to_owned());
        terminal::warn(&format!(
            "under sudo this is root's own store, \"{}\", not that of {who}; rpod needs no sudo",
            host.data.display()
        ));
    }
}
